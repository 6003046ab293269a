// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <dirent.h>
#include <signal.h>

#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_gate.h"
#include "igt_lr_buffer.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Jobs that may take for ever: nothing waits for them but who wants to, they "
		     "end when they are told to, and cost nobody else anything.");

#define SIZE			(64ull << 10)
#define WORD			sizeof(uint64_t)
#define MAX_PENDING		128

enum { STARTED, GO, PING, PONG };

static struct drm_vimport_wait_fence wait_args(struct lr_buffer *t, uint64_t value, uint64_t ns)
{
	return (struct drm_vimport_wait_fence) {
		.addr = to_user_pointer(t->lr.words.map),
		.value = value,
		.timeout_ns = ns ? vimport_deadline(ns) : 0,
	};
}

static void wait_fence(struct vshare_session *s)
{
	struct drm_vimport_wait_fence args;
	struct timespec start = {};
	struct lr_buffer t;
	uint64_t done;

	lr_buffer_init(&t, s, SIZE);
	/* A value that is there already, and smaller ones, without a time. */
	args = wait_args(&t, 0, 0);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), 0);
	lr_buffer_store(&t, STARTED, 1);
	done = lr_buffer_submit(&t);
	args = wait_args(&t, done, 20 * NSEC_PER_SEC);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), 0);
	igt_assert_eq_u64(args.error, 0);
	igt_assert_eq_u64(*vimport_lr_word(&t.lr, STARTED), 1);
	args = wait_args(&t, done - 1, 0);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), 0);

	/* One that does not come in time, or not at all. */
	lr_buffer_wait_for(&t, GO, 1);
	done = lr_buffer_submit(&t);
	args = wait_args(&t, done, 0);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), -ETIME);
	args.timeout_ns = -1;
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), -ETIME);
	igt_nsec_elapsed(&start);
	args.timeout_ns = vimport_deadline(50 * NSEC_PER_MSEC);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), -ETIME);
	igt_assert_lte_u64(50 * NSEC_PER_MSEC, igt_nsec_elapsed(&start));
	args = wait_args(&t, UINT64_MAX, 10 * NSEC_PER_MSEC);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), -ETIME);

	*vimport_lr_word(&t.lr, GO) = 1;
	args = wait_args(&t, done, 20 * NSEC_PER_SEC);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), 0);

	/* The error comes with the value. */
	vimport_job_fill(&t.job, t.lr.gpu.va - SIZE, WORD, 1);
	args = wait_args(&t, lr_buffer_submit(&t), 20 * NSEC_PER_SEC);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), 0);
	igt_assert_eq(args.error, -EFAULT);
	lr_buffer_fini(&t);
}

/* What a CPU stores is found although no engine tells of it. */
static void wait_cpu(struct vshare_session *s)
{
	struct drm_vimport_wait_fence args;
	struct timespec start = {};
	struct lr_buffer t;

	lr_buffer_init(&t, s, SIZE);
	igt_fork(child, 1) {
		usleep(100000);
		vimport_lr_fence(&t.lr)->value = 7;
	}
	args = wait_args(&t, 7, 20 * NSEC_PER_SEC);
	igt_nsec_elapsed(&start);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), 0);
	igt_assert_lt_u64(igt_nsec_elapsed(&start), 10 * NSEC_PER_SEC);
	igt_waitchildren();
	lr_buffer_fini(&t);
}

static void ignore_signal(int sig)
{
}

static void wait_interrupted(struct vshare_session *s)
{
	const struct sigaction action = { .sa_handler = ignore_signal };
	/* Again and again, for the first one may come before the call. */
	const struct itimerval timer = {
		.it_value.tv_usec = 50000,
		.it_interval.tv_usec = 50000,
	}, none = {};
	struct drm_vimport_wait_fence args;
	struct timespec start = {};
	struct sigaction old;
	struct lr_buffer t;

	lr_buffer_init(&t, s, SIZE);
	args = wait_args(&t, 1, 20 * NSEC_PER_SEC);
	sigaction(SIGALRM, &action, &old);
	igt_nsec_elapsed(&start);
	setitimer(ITIMER_REAL, &timer, NULL);
	igt_assert_eq(__vimport_wait_fence(t.lr.gpu.fd, &args), -EINTR);
	igt_assert_lt_u64(igt_nsec_elapsed(&start), 10 * NSEC_PER_SEC);
	setitimer(ITIMER_REAL, &none, NULL);
	sigaction(SIGALRM, &old, NULL);
	/* What has taken the alarm of the subtest. */
	igt_set_timeout(VSHARE_TIMEOUT_S, "subtest");
	lr_buffer_fini(&t);
}

static void wait_refused(struct vshare_session *s)
{
	static const uint64_t nowhere[] = { 0, 4096 - 16, 1ull << 62 };
	struct drm_vimport_wait_fence args, good;
	struct lr_buffer t;

	lr_buffer_init(&t, s, SIZE);
	good = wait_args(&t, 0, 0);
	for (unsigned int odd = 1; odd < 16; odd <<= 1) {
		args = good;
		args.addr += odd;
		vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_WAIT_FENCE, &args, EINVAL);
	}
	for (uint32_t bad = 1; bad; bad <<= 1) {
		args = good;
		args.flags = bad;
		vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_WAIT_FENCE, &args, EINVAL);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		args = good;
		args.addr = nowhere[i];
		vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_WAIT_FENCE, &args, EFAULT);
	}
	args = good;
	args.queue_id = 1000;
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_WAIT_FENCE, &args, ENOENT);
	lr_buffer_fini(&t);
}

static struct drm_vimport_exec exec_args(struct lr_buffer *t)
{
	return (struct drm_vimport_exec) {
		.vm_id = t->lr.gpu.vm,
		.cmds = to_user_pointer(t->job.cmds),
		.syncs = to_user_pointer(t->job.syncs),
		.cmd_count = t->job.cmd_count,
		.sync_count = t->job.sync_count,
		.cmd_stride = sizeof(t->job.cmds[0]),
		.sync_stride = sizeof(t->job.syncs[0]),
		.fence_va = t->lr.words_va,
		.fence_value = 1,
	};
}

static void exec_refused(struct vshare_session *s)
{
	const uint64_t space = 1ull << s->start.gpu[0].va_bits;
	struct drm_vimport_exec args;
	struct vimport_job good = {};
	struct lr_buffer t;
	uint32_t syncobj;

	lr_buffer_init(&t, s, SIZE);
	syncobj = syncobj_create(t.lr.gpu.fd, DRM_SYNCOBJ_CREATE_SIGNALED);
	vimport_job_wait(&good, t.lr.gpu.va, 0);
	t.job = good;

	args = exec_args(&t);
	args.flags = DRM_VIMPORT_EXEC_IMPLICIT_SYNC;
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	args = exec_args(&t);
	args.pad = 1;
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	args = exec_args(&t);
	args.queue_id = 1000;
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, ENOENT);
	args = exec_args(&t);
	args.fence_va = 0;
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	for (unsigned int odd = 1; odd < 16; odd <<= 1) {
		args = exec_args(&t);
		args.fence_va += odd;
		vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	}
	args = exec_args(&t);
	args.fence_va = space;
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	args.fence_va = -16;
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);

	/* Nothing that could signal, whatever else is there. */
	vimport_job_sync(&t.job, syncobj, 0, 0);
	vimport_job_sync(&t.job, syncobj, 0, DRM_VIMPORT_SYNC_SIGNAL);
	args = exec_args(&t);
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EOPNOTSUPP);
	t.job = good;
	vimport_job_sync(&t.job, syncobj, 1, DRM_VIMPORT_SYNC_SIGNAL | DRM_VIMPORT_SYNC_TIMELINE);
	args = exec_args(&t);
	vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EOPNOTSUPP);

	for (unsigned int i = 0; i < 4; i++) {
		t.job = good;
		if (i == 0)
			t.job.cmds[0].src = t.lr.gpu.va;
		else if (i == 1)
			t.job.cmds[0].size = 0;
		else if (i == 2)
			t.job.cmds[0].size = 16;
		else
			t.job.cmds[0].va += 4;
		args = exec_args(&t);
		vshare_refused(s, t.lr.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	}
	syncobj_destroy(t.lr.gpu.fd, syncobj);
	lr_buffer_fini(&t);
}

/* An address space that has fences takes nothing that could keep one from signalling. */
static void fenced_refused(struct vshare_session *s)
{
	struct drm_vimport_exec args;
	struct vimport_gpu gpu;
	struct lr_buffer t;

	lr_buffer_init(&t, s, SIZE);
	vimport_gpu_init(&gpu, 0, t.bo.dmabuf, SIZE, 0);
	vimport_job_fill(&t.job, gpu.va, WORD, 1);
	args = exec_args(&t);
	args.vm_id = gpu.vm;
	args.fence_va = gpu.va;
	args.fence_value = 0;
	vshare_refused(s, gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	args.fence_va = 0;
	args.fence_value = 1;
	vshare_refused(s, gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	t.job = (struct vimport_job) {};
	vimport_job_wait(&t.job, gpu.va, 0);
	args.fence_value = 0;
	vshare_refused(s, gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &args, EINVAL);
	vimport_gpu_fini(&gpu);
	lr_buffer_fini(&t);
}

/* While a job that has stored to the buffer waits: nothing shows that it is in use. */
static void no_fences(struct vshare_session *s)
{
	struct lr_buffer t;
	uint64_t done;

	lr_buffer_init(&t, s, SIZE);
	vimport_job_fill(&t.job, t.lr.gpu.va, SIZE, 1);
	lr_buffer_store(&t, STARTED, 1);
	lr_buffer_wait_for(&t, GO, 1);
	done = lr_buffer_submit(&t);
	vimport_lr_wait_word(&t.lr, STARTED, 1);
	igt_assert(!dmabuf_busy(t.bo.dmabuf, DMA_BUF_SYNC_READ));
	igt_assert(!dmabuf_busy(t.bo.dmabuf, DMA_BUF_SYNC_WRITE));
	igt_assert(!vimport_lr_done(&t.lr, done));
	*vimport_lr_word(&t.lr, GO) = 1;
	igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
	lr_buffer_fini(&t);
}

static void in_order(struct vshare_session *s)
{
	uint64_t first, second;
	struct lr_buffer t;

	lr_buffer_init(&t, s, SIZE);
	lr_buffer_wait_for(&t, GO, 1);
	first = lr_buffer_submit(&t);
	lr_buffer_store(&t, STARTED, 1);
	second = lr_buffer_submit(&t);
	/* As long as the first waits the second is not begun, however long that is. */
	usleep(50000);
	igt_assert_eq_u64(*vimport_lr_word(&t.lr, STARTED), 0);
	*vimport_lr_word(&t.lr, GO) = 1;
	igt_assert_eq(vimport_lr_wait(&t.lr, second), 0);
	igt_assert(vimport_lr_done(&t.lr, first));
	igt_assert_eq_u64(*vimport_lr_word(&t.lr, STARTED), 1);
	lr_buffer_fini(&t);
}

static void in_sync(struct vshare_session *s)
{
	struct lr_buffer t;
	struct gate gate;
	uint32_t syncobj;
	uint64_t done;

	igt_require(s->gpus > 1);
	lr_buffer_init(&t, s, SIZE);
	/* Of another GPU: on the same one it would keep the engine. */
	gate_close(&gate, 1, -1, 0, GATE_LONG, 0);
	syncobj = syncobj_create(t.lr.gpu.fd, 0);
	syncobj_import_sync_file(t.lr.gpu.fd, syncobj, gate.fence);
	lr_buffer_store(&t, STARTED, 1);
	vimport_job_sync(&t.job, syncobj, 0, 0);
	done = lr_buffer_submit(&t);
	usleep(20000);
	igt_assert(gate_closed(&gate));
	igt_assert_eq_u64(*vimport_lr_word(&t.lr, STARTED), 0);
	gate_open(&gate);
	igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);

	/* Several, which have all signalled: in a job with no fence of its own. */
	lr_buffer_store(&t, STARTED, 2);
	vimport_job_sync(&t.job, syncobj, 0, 0);
	vimport_job_sync(&t.job, syncobj, 0, 0);
	igt_assert_eq(vimport_lr_wait(&t.lr, lr_buffer_submit(&t)), 0);
	igt_assert_eq_u64(*vimport_lr_word(&t.lr, STARTED), 2);
	syncobj_destroy(t.lr.gpu.fd, syncobj);
	lr_buffer_fini(&t);
}

static void two_gpus(struct vshare_session *s)
{
	/* In the same page, behind the words. */
	const unsigned int rounds = 20, log = 128;
	uint64_t done[2], ping, pong;
	struct vimport_job job;
	struct vimport_lr other;
	struct lr_buffer t;

	igt_require(s->gpus > 1);
	lr_buffer_init(&t, s, SIZE);
	/* The words of one GPU are the other's buffer. */
	vimport_lr_init(&other, s->exporter, 1, t.lr.words.dmabuf, t.lr.words.size, 0);
	ping = vimport_lr_word_va(&t.lr, PING) - t.lr.words_va + other.gpu.va;
	pong = vimport_lr_word_va(&t.lr, PONG) - t.lr.words_va + other.gpu.va;
	for (unsigned int i = 1; i <= rounds; i++) {
		lr_buffer_wait_for(&t, PONG, i);
		lr_buffer_store(&t, PING, i);
		done[0] = lr_buffer_submit(&t);
		job = (struct vimport_job) {};
		vimport_job_wait(&job, ping, i);
		vimport_job_copy(&job, other.gpu.va + (log + i) * WORD, ping, WORD);
		vimport_job_fill(&job, pong, WORD, i + 1);
		done[1] = vimport_lr_submit(&other, &job);
	}
	usleep(20000);
	igt_assert_eq_u64(*vimport_lr_word(&t.lr, PING), 0);
	*vimport_lr_word(&t.lr, PONG) = 1;
	/* And while they play, the ball is moved. */
	while (!vimport_lr_done(&other, done[1])) {
		vexport_move(s->exporter, t.lr.words.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		usleep(1000);
	}
	igt_assert_eq(vimport_lr_wait(&t.lr, done[0]), 0);
	igt_assert_eq(vimport_lr_wait(&other, done[1]), 0);
	igt_assert_eq_u64(*vimport_lr_word(&t.lr, PING), rounds);
	igt_assert_eq_u64(*vimport_lr_word(&t.lr, PONG), rounds + 1);
	/* Each saw what was meant for it: neither was ahead of the other. */
	for (unsigned int i = 1; i <= rounds; i++)
		igt_assert_eq_u64(t.lr.words.map[log + i], i);
	vimport_lr_fini(&other);
	lr_buffer_fini(&t);
}

static void limit(struct vshare_session *s)
{
	struct vimport_job empty = {};
	struct vimport_gpu gpu;
	struct lr_buffer t;
	uint64_t done;

	lr_buffer_init(&t, s, SIZE);
	for (unsigned int i = 0; i < MAX_PENDING; i++) {
		lr_buffer_wait_for(&t, GO, 1);
		done = lr_buffer_submit(&t);
	}
	vimport_job_delay(&empty, 1);
	igt_assert_eq(__vimport_lr_exec(t.lr.gpu.fd, t.lr.gpu.vm, &empty, 0, 0), -EAGAIN);
	/* It is no limit of others. */
	vimport_gpu_init(&gpu, 0, t.bo.dmabuf, SIZE, 0);
	vimport_run(gpu.fd, gpu.vm, &empty);
	vimport_gpu_fini(&gpu);
	*vimport_lr_word(&t.lr, GO) = 1;
	igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
	lr_buffer_fini(&t);
}

/* The processor time that the engine of the first GPU has used. */
static uint64_t engine_ns(void)
{
	char path[300], line[64], name[64] = "";
	unsigned long long ns = 0;
	struct dirent *entry;
	bool found = false;
	FILE *file;
	DIR *dir;

	dir = opendir("/proc");
	igt_assert(dir);
	while (!found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		found = fgets(line, sizeof(line), file) && !strcmp(line, "vimport-gpu0\n");
		fclose(file);
		if (found)
			snprintf(name, sizeof(name), "%.40s", entry->d_name);
	}
	closedir(dir);
	igt_assert(found);
	snprintf(path, sizeof(path), "/proc/%s/schedstat", name);
	file = fopen(path, "r");
	igt_require_f(file, "Needs a kernel with CONFIG_SCHED_INFO\n");
	igt_assert_eq(fscanf(file, "%llu", &ns), 1);
	fclose(file);
	return ns;
}

static void waits_for_free(struct vshare_session *s)
{
	struct timespec since = {};
	struct vimport_lr lr[4];
	uint64_t used, time;
	struct lr_buffer t;

	lr_buffer_init(&t, s, SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(lr); i++) {
		struct vimport_job job = {};

		vimport_lr_init(&lr[i], s->exporter, 0, t.bo.dmabuf, SIZE, 0);
		vimport_job_fill(&job, vimport_lr_word_va(&lr[i], STARTED), WORD, 1);
		vimport_job_wait(&job, vimport_lr_word_va(&lr[i], GO), 1);
		vimport_lr_submit(&lr[i], &job);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(lr); i++)
		vimport_lr_wait_word(&lr[i], STARTED, 1);
	used = engine_ns();
	igt_nsec_elapsed(&since);
	usleep(USEC_PER_SEC);
	time = igt_nsec_elapsed(&since);
	used = engine_ns() - used;
	igt_info("%u waiting jobs: %.1f %% of a CPU\n", (unsigned int)ARRAY_SIZE(lr),
		 100. * used / time);
	igt_assert_lt_u64(used, time / 4);
	for (unsigned int i = 0; i < ARRAY_SIZE(lr); i++)
		vimport_lr_fini(&lr[i]);
	lr_buffer_fini(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "wait-fence", "A fence in memory is waited for, with a time-out.", wait_fence },
	{ "wait-cpu", "It is also waited for if a CPU stores it.", wait_cpu },
	{ "wait-interrupted", "A signal ends the wait.", wait_interrupted },
	{ "wait-refused", "Malformed waits are refused.", wait_refused },
	{ "exec-refused", "What would need a fence, and malformed jobs, are refused.",
	  exec_refused },
	{ "fenced-refused", "Behind a fence there is no waiting for memory.", fenced_refused },
	{ "no-fences", "Nobody sees the jobs on a buffer.", no_fences },
	{ "in-order", "Jobs run in the order of their submission.", in_order },
	{ "in-sync", "A job starts when its in-syncs have signalled.", in_sync },
	{ "two-gpus", "GPUs wait for each other's stores, to a buffer that moves.", two_gpus },
	{ "limit", "Jobs are limited in number.", limit },
	{ "waits-for-free", "Jobs that wait take no time of a CPU.", waits_for_free },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
