// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_stall.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Whoever gets to a stall point stops there until the stall is released, its "
		     "holder is gone, or five seconds are over, and nobody else does. Needs "
		     "vexport.ko loaded with misbehave=1.");

#define SIZE			(64u << 10)
#define NOBODY			65534
#define POINTS			(DRM_VEXPORT_STALL_MAP_END + 1)

/* Who is not stopped gets through in a moment; that somebody is, takes this to believe. */
#define STOPPED_US		(30 * USEC_PER_MSEC)
#define WAIT_NS			(30 * NSEC_PER_SEC)
#define MAX_STALL_NS		(5 * NSEC_PER_SEC)

/* What the processes of a subtest tell each other. */
struct shared {
	bool armed, ended;
	pid_t pid;
};

/* A buffer, and somebody who gets to a stall point with it. */
struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct shared *shared;
};

static void begin(struct setup *t, struct vshare_session *s)
{
	t->s = s;
	t->shared = mmap(NULL, sizeof(*t->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(t->shared != MAP_FAILED);
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	for (size_t i = 0; i < SIZE / sizeof(*t->bo.map); i++)
		t->bo.map[i] = i;
}

static void end(struct setup *t)
{
	for (size_t i = 0; i < SIZE / sizeof(*t->bo.map); i++)
		igt_assert_eq_u64(t->bo.map[i], i);
	vexport_bo_fini(&t->bo);
	munmap(t->shared, sizeof(*t->shared));
}

static void relocate(struct setup *t)
{
	vexport_move(t->s->exporter, t->bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
}

static void take_and_give_back(struct setup *t)
{
	igt_assert_eq_u32(vexport_revoke(t->s->exporter, t->bo.dmabuf,
					 DRM_VEXPORT_REVOKE_TEMPORARY, 10000), 0);
	vexport_revoke(t->s->exporter, t->bo.dmabuf, DRM_VEXPORT_REVOKE_NONE, 0);
}

static void map(struct setup *t)
{
	struct vimport_job job = {};
	struct vimport_gpu gpu;

	vimport_gpu_init(&gpu, 0, t->bo.dmabuf, SIZE, 0);
	vimport_job_delay(&job, 1);
	vimport_run(gpu.fd, gpu.vm, &job);
	vimport_gpu_fini(&gpu);
}

/* Gets there, and does nothing else that could be stopped. */
static void get_to(struct setup *t, enum drm_vexport_stall_point point)
{
	if (point <= DRM_VEXPORT_STALL_MOVE_RELEASE)
		relocate(t);
	else if (point <= DRM_VEXPORT_STALL_REVOKE_IDLE)
		take_and_give_back(t);
	else
		map(t);
	WRITE_ONCE(t->shared->ended, true);
}

/* Who makes these steps of a move is a worker of the kernel. */
static bool is_worker(enum drm_vexport_stall_point point)
{
	return point >= DRM_VEXPORT_STALL_MOVE_IDLE && point <= DRM_VEXPORT_STALL_MOVE_RELEASE;
}

static void wait_for(const bool *flag)
{
	struct timespec since = {};

	while (!READ_ONCE(*flag)) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
		usleep(1000);
	}
}

static uint32_t storages(struct setup *t)
{
	struct drm_vexport_info info;

	vexport_get_info(t->s->exporter, &info);
	return info.storages;
}

/* At the last step of a move nobody waits any more, but what was left is still there. */
static void expect_stopped(struct setup *t, enum drm_vexport_stall_point point)
{
	if (point == DRM_VEXPORT_STALL_MOVE_RELEASE)
		wait_for(&t->shared->ended);
	usleep(STOPPED_US);
	if (point == DRM_VEXPORT_STALL_MOVE_RELEASE)
		igt_assert_lte_u32(t->s->start.exporter.storages + 2, storages(t));
	else
		igt_assert(!READ_ONCE(t->shared->ended));
}

static void release_by_write(struct setup *t, enum drm_vexport_stall_point point)
{
	struct drm_vexport_stall_status status;
	int stall;

	stall = vexport_stall(t->s->exporter, t->bo.dmabuf, point);
	igt_fork(child, 1) {
		close(stall);
		WRITE_ONCE(t->shared->armed, true);
		get_to(t, point);
	}
	vexport_stall_wait(stall);
	status = vexport_stall_status(stall);
	igt_assert_eq_u32(status.state, DRM_VEXPORT_STALL_HELD);
	igt_assert_eq_u64(status.arrivals, 1);
	igt_assert(is_worker(point) ? !status.pid : status.pid > 0 && status.pid != getpid());
	expect_stopped(t, point);
	vexport_stall_release(stall);
	igt_waitchildren();
}

static void by_write(struct vshare_session *s)
{
	struct setup t;

	for (uint32_t point = 0; point < POINTS; point++) {
		begin(&t, s);
		release_by_write(&t, point);
		igt_info("%s: reached and released\n", vexport_stall_point_name(point));
		end(&t);
	}
}

/* Returns false if this took so long that the stall may have ended by itself. */
static bool release_by_close(struct setup *t, enum drm_vexport_stall_point point)
{
	struct timespec since = {};
	int stall, copy;

	igt_fork(child, 1) {
		wait_for(&t->shared->armed);
		get_to(t, point);
	}
	stall = vexport_stall(t->s->exporter, t->bo.dmabuf, point);
	copy = dup(stall);
	igt_nsec_elapsed(&since);
	WRITE_ONCE(t->shared->armed, true);
	vexport_stall_wait(stall);
	close(stall);
	/* It is the last copy that counts. */
	expect_stopped(t, point);
	igt_assert_eq_u32(vexport_stall_status(copy).state, DRM_VEXPORT_STALL_HELD);
	close(copy);
	igt_waitchildren();
	return igt_nsec_elapsed(&since) < MAX_STALL_NS;
}

/* The same. The holder has the only copy, and is killed. */
static bool release_by_kill(struct setup *t, enum drm_vexport_stall_point point)
{
	struct igt_helper_process holder = { .use_SIGKILL = true };
	struct timespec since = {};
	int pipes[2];
	char word;

	igt_assert_eq(pipe(pipes), 0);
	igt_fork_helper(&holder) {
		int stall = vexport_stall(t->s->exporter, t->bo.dmabuf, point);

		WRITE_ONCE(t->shared->armed, true);
		vexport_stall_wait(stall);
		igt_assert_eq(write(pipes[1], "", 1), 1);
		for (;;)
			pause();
	}
	wait_for(&t->shared->armed);
	igt_nsec_elapsed(&since);
	igt_fork(child, 1)
		get_to(t, point);
	igt_assert_eq(read(pipes[0], &word, 1), 1);
	expect_stopped(t, point);
	igt_stop_helper(&holder);
	igt_waitchildren();
	close(pipes[0]);
	close(pipes[1]);
	return igt_nsec_elapsed(&since) < MAX_STALL_NS;
}

static void all_in_time(struct vshare_session *s,
			bool (*release)(struct setup *t, enum drm_vexport_stall_point point))
{
	unsigned int attempts;
	struct setup t;
	bool in_time;

	for (uint32_t point = 0; point < POINTS; point++) {
		attempts = 0;
		do {
			igt_assert_f(attempts++ < 3, "%s: released too late\n",
				     vexport_stall_point_name(point));
			begin(&t, s);
			in_time = release(&t, point);
			end(&t);
		} while (!in_time);
	}
}

static void by_close(struct vshare_session *s)
{
	all_in_time(s, release_by_close);
}

static void by_kill(struct vshare_session *s)
{
	all_in_time(s, release_by_kill);
}

static void expires(struct vshare_session *s)
{
	static const uint32_t points[] = {
		/* With the reservation held; where fences wait; and with nothing held. */
		DRM_VEXPORT_STALL_MOVE_NOTIFIED, DRM_VEXPORT_STALL_MOVE_IDLE,
		DRM_VEXPORT_STALL_REVOKE_IDLE,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(points); i++) {
		struct timespec since = {};
		struct setup t;
		int stall;

		begin(&t, s);
		stall = vexport_stall(s->exporter, t.bo.dmabuf, points[i]);
		igt_nsec_elapsed(&since);
		igt_fork(child, 1)
			get_to(&t, points[i]);
		igt_waitchildren();
		igt_assert_lte_u64(MAX_STALL_NS * 9 / 10, igt_nsec_elapsed(&since));
		igt_assert_eq_u32(vexport_stall_status(stall).state, DRM_VEXPORT_STALL_EXPIRED);
		/* Too late, and nobody can make it undone. */
		igt_assert_eq(write(stall, "", 1), 1);
		igt_assert_eq_u32(vexport_stall_status(stall).state, DRM_VEXPORT_STALL_EXPIRED);
		vexport_stall_wait(stall);
		/* It was once: the next one passes. */
		relocate(&t);
		igt_assert_eq_u64(vexport_stall_status(stall).arrivals, 1);
		close(stall);
		end(&t);
	}
}

static void expect_untouched(int stall)
{
	struct drm_vexport_stall_status status = vexport_stall_status(stall);
	struct pollfd pollfd = { .fd = stall, .events = POLLIN };

	igt_assert_eq_u32(status.state, DRM_VEXPORT_STALL_WAITING);
	igt_assert_eq_u64(status.arrivals, 0);
	igt_assert_eq(poll(&pollfd, 1, 0), 0);
}

static void given_up(struct vshare_session *s)
{
	struct drm_vexport_stall_status status;
	struct setup t;
	int stall;

	begin(&t, s);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, DRM_VEXPORT_STALL_MOVE_BEGIN);
	expect_untouched(stall);
	igt_assert_eq(write(stall, "abc", 3), 3);
	relocate(&t);
	status = vexport_stall_status(stall);
	igt_assert_eq_u32(status.state, DRM_VEXPORT_STALL_RELEASED);
	igt_assert_eq_u64(status.arrivals, 0);
	close(stall);

	stall = vexport_stall(s->exporter, t.bo.dmabuf, DRM_VEXPORT_STALL_MOVE_BEGIN);
	close(stall);
	relocate(&t);
	end(&t);
}

static void other_buffer(struct vshare_session *s)
{
	struct vexport_bo other;
	struct setup t;
	int stall;

	begin(&t, s);
	vexport_bo_init(&other, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (uint32_t point = 0; point <= DRM_VEXPORT_STALL_MOVE_RELEASE; point++) {
		stall = vexport_stall(s->exporter, other.dmabuf, point);
		relocate(&t);
		expect_untouched(stall);
		close(stall);
	}
	vexport_bo_fini(&other);
	end(&t);
}

static void other_point(struct vshare_session *s)
{
	struct setup t;
	int stall;

	begin(&t, s);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, DRM_VEXPORT_STALL_MAP_END);
	relocate(&t);
	take_and_give_back(&t);
	expect_untouched(stall);
	close(stall);
	end(&t);
}

static void by_process(struct vshare_session *s)
{
	struct drm_vexport_stall args = { .point = DRM_VEXPORT_STALL_MOVE_BEGIN, .nth = 1 };
	struct timespec since = {};
	struct setup t;

	begin(&t, s);
	args.fd = t.bo.dmabuf;
	igt_fork(child, 1) {
		WRITE_ONCE(t.shared->pid, getpid());
		wait_for(&t.shared->armed);
		get_to(&t, args.point);
	}
	while (!(args.pid = READ_ONCE(t.shared->pid)))
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
	igt_assert_eq(__vexport_stall(s->exporter, &args), 0);
	/* The child is waited for, not this process. */
	relocate(&t);
	expect_untouched(args.stall_fd);
	WRITE_ONCE(t.shared->armed, true);
	vexport_stall_wait(args.stall_fd);
	igt_assert_eq(vexport_stall_status(args.stall_fd).pid, args.pid);
	expect_stopped(&t, args.point);
	vexport_stall_release(args.stall_fd);
	igt_waitchildren();
	end(&t);
}

static void by_number(struct vshare_session *s)
{
	struct drm_vexport_stall args = { .point = DRM_VEXPORT_STALL_MOVE_COPIED, .nth = 3 };
	struct setup t;

	begin(&t, s);
	args.fd = t.bo.dmabuf;
	igt_assert_eq(__vexport_stall(s->exporter, &args), 0);
	for (unsigned int i = 1; i < args.nth; i++) {
		struct pollfd pollfd = { .fd = args.stall_fd, .events = POLLIN };

		relocate(&t);
		igt_assert_eq_u64(vexport_stall_status(args.stall_fd).arrivals, i);
		igt_assert_eq(poll(&pollfd, 1, 0), 0);
	}
	igt_fork(child, 1)
		get_to(&t, args.point);
	vexport_stall_wait(args.stall_fd);
	expect_stopped(&t, args.point);
	igt_assert_eq_u64(vexport_stall_status(args.stall_fd).arrivals, args.nth);
	vexport_stall_release(args.stall_fd);
	igt_waitchildren();
	relocate(&t);
	end(&t);
}

/* The storm's thread is none of those that may be stopped. */
static void exempt(struct vshare_session *s)
{
	struct drm_vexport_storm storm = {
		.fd_count = 1,
		.kinds = DRM_VEXPORT_STORM_RELOCATE,
		.rate = 500,
	};
	struct drm_vexport_stall_status status;
	struct timespec since = {};
	struct setup t;
	int stall;

	begin(&t, s);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, DRM_VEXPORT_STALL_MOVE_NOTIFIED);
	storm.fds = to_user_pointer(&t.bo.dmabuf);
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &storm);
	do {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
		usleep(1000);
		status = vexport_stall_status(stall);
	} while (status.exempt < 3);
	close(storm.storm_fd);
	igt_assert_eq_u32(status.state, DRM_VEXPORT_STALL_WAITING);
	igt_assert_eq_u64(status.arrivals, 0);
	close(stall);
	end(&t);
}

/* A stall is no reason for a buffer to live, and a buffer is none for a stall. */
static void buffer_goes(struct vshare_session *s)
{
	struct drm_vexport_info info;
	struct timespec since = {};
	struct setup t;
	int stall;

	begin(&t, s);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, DRM_VEXPORT_STALL_MOVE_BEGIN);
	end(&t);
	do {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
		vexport_get_info(s->exporter, &info);
	} while (info.buffers > s->start.exporter.buffers);
	expect_untouched(stall);
	close(stall);
}

static void short_read(struct vshare_session *s)
{
	char small[sizeof(struct drm_vexport_stall_status) - 1];
	char large[sizeof(struct drm_vexport_stall_status) + 8];
	struct setup t;
	int stall;

	begin(&t, s);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, DRM_VEXPORT_STALL_MOVE_BEGIN);
	igt_assert_eq(read(stall, small, sizeof(small)), -1);
	igt_assert_eq(errno, EINVAL);
	igt_assert_eq(read(stall, large, sizeof(large)), sizeof(struct drm_vexport_stall_status));
	close(stall);
	end(&t);
}

static void refuse(struct vshare_session *s, struct drm_vexport_stall args, int err)
{
	int before = dup(STDIN_FILENO), after;

	close(before);
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_STALL, &args, err);
	after = dup(STDIN_FILENO);
	close(after);
	igt_assert_eq(after, before);
}

static void bad_arguments(struct vshare_session *s)
{
	struct drm_vexport_stall good = { .point = DRM_VEXPORT_STALL_MOVE_BEGIN, .nth = 1 };
	struct drm_vexport_stall bad;
	struct setup t;

	begin(&t, s);
	good.fd = t.bo.dmabuf;
	for (uint32_t bit = 1; bit; bit <<= 1) {
		bad = good;
		bad.flags = bit;
		refuse(s, bad, EINVAL);
	}
	bad = good;
	bad.point = POINTS;
	refuse(s, bad, EINVAL);
	bad = good;
	bad.pad = 1;
	refuse(s, bad, EINVAL);
	bad = good;
	bad.nth = 0;
	refuse(s, bad, EINVAL);
	bad = good;
	bad.pid = -1;
	refuse(s, bad, EINVAL);
	/* More than the kernel ever gives. */
	bad.pid = INT32_MAX;
	refuse(s, bad, ESRCH);
	bad = good;
	bad.fd = -1;
	refuse(s, bad, EBADF);
	bad.fd = s->exporter;
	refuse(s, bad, EINVAL);
	end(&t);
}

static void root_only(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	igt_fork(child, 1) {
		struct drm_vexport_stall args = {
			.fd = t.bo.dmabuf,
			.point = DRM_VEXPORT_STALL_MOVE_BEGIN,
			.nth = 1,
		};

		igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_STALL, &args, EPERM);
	}
	igt_waitchildren();
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "by-write", "Each point stops whoever gets there until the stall is written to.",
	  by_write },
	{ "by-close", "The same until the last copy of the stall is closed.", by_close },
	{ "by-kill", "The same until whoever holds the stall is killed.", by_kill },
	{ "expires", "Nobody is stopped for longer than five seconds, and that is remembered.",
	  expires },
	{ "given-up", "A stall that is released before anybody came stops nobody.", given_up },
	{ "other-buffer", "Moves of other buffers are not stopped.", other_buffer },
	{ "other-point", "Other steps are not stopped.", other_point },
	{ "by-process", "A process can be singled out.", by_process },
	{ "by-number", "The n-th that comes is stopped, and nobody else.", by_number },
	{ "exempt", "Kernel threads pass, and are counted.", exempt },
	{ "buffer-goes", "A stall does not keep its buffer.", buffer_goes },
	{ "short-read", "A status is read whole.", short_read },
	{ "bad-arguments", "Arguments that make no sense stop nobody and leave nothing.",
	  bad_arguments },
	{ "root-only", "Only the administrator may stop others.", root_only },
};

igt_main
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
