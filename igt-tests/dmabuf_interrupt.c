// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_race.h"
#include "igt_stall.h"
#include "igt_syncobj.h"

IGT_TEST_DESCRIPTION("Between any two steps of a move a signal comes for whoever makes it, or they "
		     "are killed: the buffer has moved once, or not at all. Needs vexport.ko "
		     "loaded with misbehave=1.");

/* What fills VRAM until the buffer has to leave it. */
#define HOG_SIZE		(4u << 20)

/* Work of an importer: nearly as much as an address space may have outstanding. */
#define BUSY_JOBS		4
#define BUSY_NS			(400 * NSEC_PER_MSEC)

static void on_signal(int sig)
{
}

/* A process whose calls a signal interrupts, and does not begin again. */
static void be_interruptible(struct race *t)
{
	struct sigaction action = { .sa_handler = on_signal };

	igt_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	WRITE_ONCE(t->shared->pid, getpid());
}

/* What has begun cannot be taken back, and must not begin again: it is done once. */
static void race_signal(struct vshare_session *s, const struct race_window *window, uint32_t point)
{
	struct race t;
	int stall;

	race_begin(&t, s, window->from);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, point);
	igt_fork(child, 1) {
		close(stall);
		be_interruptible(&t);
		igt_assert_eq(race_make_move(&t, window, 0), 0);
	}
	vexport_stall_wait(stall);
	igt_assert_eq(kill(READ_ONCE(t.shared->pid), SIGUSR1), 0);
	vexport_stall_release(stall);
	igt_waitchildren();
	igt_assert_eq_u64(race_query(&t).generation, 1);
	igt_info("%s: reached, moved once\n", vexport_stall_point_name(point));
	race_end(&t, vexport_stall_point_name(point));
}

/* The same for one who is killed. Between the steps nothing is lost with them. */
static void race_kill(struct vshare_session *s, const struct race_window *window, uint32_t point)
{
	struct igt_helper_process mover = { .use_SIGKILL = true };
	struct race t;
	int stall;

	race_begin(&t, s, window->from);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, point);
	igt_fork_helper(&mover) {
		close(stall);
		race_make_move(&t, window, 0);
		for (;;)
			pause();
	}
	vexport_stall_wait(stall);
	igt_assert_eq(kill(mover.pid, SIGKILL), 0);
	vexport_stall_release(stall);
	igt_stop_helper(&mover);
	igt_assert_eq_u64(race_query(&t).generation, 1);
	igt_info("%s: reached, moved once\n", vexport_stall_point_name(point));
	race_end(&t, vexport_stall_point_name(point));
}

static uint64_t vram_free(struct vshare_session *s)
{
	struct drm_vexport_info info;

	vexport_get_info(s->exporter, &info);
	return info.vram_size - info.vram_used;
}

/* Work with the buffer where it is mapped already: nothing that maps makes it newer. */
static uint32_t start_work(struct race *t)
{
	struct vimport_job job = {};

	vimport_job_delay(&job, BUSY_NS);
	for (unsigned int i = 1; i < BUSY_JOBS; i++)
		igt_assert_eq(__vimport_exec(t->gpu.fd, t->gpu.vm, &job, 0), 0);
	return vimport_submit(t->gpu.fd, t->gpu.vm, &job, 0);
}

/* Returns false if the importer's work was over before its end could be waited for. */
static bool give_up(struct vshare_session *s, uint32_t point)
{
	struct drm_vexport_gem_create create = {
		.size = HOG_SIZE,
		.placement = DRM_VEXPORT_PLACEMENT_VRAM,
	};
	struct drm_vexport_bo_query before, now;
	int hog = vexport_open(), stall;
	struct race t;
	uint32_t done;
	bool busy;

	race_begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM);
	/* Ours is the oldest in VRAM: it is the first to go. */
	while (vram_free(s) >= HOG_SIZE)
		vexport_gem_create(hog, HOG_SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	before = race_query(&t);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, point);
	done = start_work(&t);
	igt_fork(child, 1) {
		close(stall);
		be_interruptible(&t);
		t.shared->ret = ioctl(hog, DRM_IOCTL_VEXPORT_GEM_CREATE, &create) ? -errno : 0;
	}
	vexport_stall_wait(stall);
	igt_assert_eq(kill(READ_ONCE(t.shared->pid), SIGUSR1), 0);
	vexport_stall_release(stall);
	igt_waitchildren();
	busy = syncobj_wait_err(t.gpu.fd, &done, 1, 0, 0);
	now = race_query(&t);
	igt_assert_eq(vimport_wait(t.gpu.fd, done), 0);
	if (busy) {
		igt_assert_eq(t.shared->ret, -EINTR);
		/* Half-way: the importers were told, and then nothing happened. */
		igt_assert_lt_u64(before.notifies, now.notifies);
		igt_assert_eq_u64(now.generation, before.generation);
		igt_assert_eq_u32(now.placement, DRM_VEXPORT_PLACEMENT_VRAM);
		igt_info("%s: reached, rolled back\n", vexport_stall_point_name(point));
	}
	close(hog);
	race_end(&t, vexport_stall_point_name(point));
	return busy;
}

static void race_give_up(struct vshare_session *s, const struct race_window *window, uint32_t point)
{
	unsigned int attempts = 0;

	while (!give_up(s, point))
		igt_assert_lt(++attempts, 5);
}

/* Up to the wait for importers an eviction can be given up. */
static bool can_give_up(const struct race_window *window, uint32_t point)
{
	return window->evict && point <= DRM_VEXPORT_STALL_MOVE_RESERVED;
}

/* Who waits for the move sees the signal; at the last step nobody does any more. */
static bool makes_somebody_wait(const struct race_window *window, uint32_t point)
{
	return race_has_point(window, point) && race_has_fence(window, point);
}

static const struct interruption {
	const char *name;
	const char *describe;
	void (*race)(struct vshare_session *s, const struct race_window *window, uint32_t point);
	/* Where it applies, if not everywhere. */
	bool (*applies)(const struct race_window *window, uint32_t point);
} interruptions[] = {
	{ "signal", "A signal comes for whoever moves the buffer, who moves it once.",
	  race_signal, makes_somebody_wait },
	{ "kill", "Whoever moves the buffer is killed.", race_kill, race_has_point },
	{ "give-up", "A signal comes for whoever needs the place, and leaves it.",
	  race_give_up, can_give_up },
};

static unsigned int run(struct vshare_session *s, const struct interruption *interruption,
			const struct race_window *window)
{
	unsigned int count = 0;

	for (uint32_t point = 0; point <= DRM_VEXPORT_STALL_MOVE_RELEASE; point++) {
		if (!interruption->applies(window, point))
			continue;
		if (s)
			interruption->race(s, window, point);
		count++;
	}
	return count;
}

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	struct vshare_session s;

	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(interruptions); i++) {
		for (unsigned int w = 0; w < RACE_WINDOWS; w++) {
			if (!run(NULL, &interruptions[i], &race_windows[w]))
				continue;
			igt_describe(interruptions[i].describe);
			igt_subtest_f("%s-%s", interruptions[i].name, race_windows[w].name) {
				vshare_session_begin(&s);
				run(&s, &interruptions[i], &race_windows[w]);
				vshare_session_end(&s);
			}
		}
	}
}
