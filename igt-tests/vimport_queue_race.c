// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <pthread.h>
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A queue is destroyed by one thread while another one submits to it: a job is "
		     "refused, or accepted and then ended.");

#define SIZE			(64u << 10)
#define RACE_NS			(3 * NSEC_PER_SEC)

/* To copy and to check them takes EXEC a while: the queue is found before that. */
#define CMDS			64

/* Microseconds within which the queue goes. */
#define MAX_DELAY_US		3000

/* A queue, who submits to it, and who destroys it. */
struct setup {
	int fd;
	uint32_t vm;
	uint32_t queue;
	struct drm_vimport_cmd cmds[CMDS];
	/* A word that stays zero, if jobs can wait for one. */
	uint64_t zero_va;
	pthread_barrier_t barrier;
	unsigned int delay_us;
	bool stop;
	int destroyed;
};

static void *destroy_thread(void *data)
{
	struct setup *t = data;

	for (;;) {
		pthread_barrier_wait(&t->barrier);
		if (t->stop)
			return NULL;
		usleep(t->delay_us);
		t->destroyed = __vimport_queue_destroy(t->fd, t->queue);
		pthread_barrier_wait(&t->barrier);
	}
}

/* Submits until the queue is no more. Returns how many jobs were accepted. */
static uint64_t submit_until_gone(struct setup *t, struct drm_vimport_exec *exec, uint64_t *next)
{
	uint64_t accepted = 0;
	int ret;

	for (;;) {
		ret = ioctl(t->fd, DRM_IOCTL_VIMPORT_EXEC, exec) ? -errno : 0;
		if (!ret) {
			accepted++;
			++*next;
		} else if (ret != -EAGAIN && ret != -EINTR) {
			break;
		}
	}
	igt_assert_f(ret == -ENOENT, "A queue that goes gave \"%s\"\n", strerror(-ret));
	return accepted;
}

/*
 * The jobs of every other queue end only because it goes: one that comes in behind that would
 * never end. Those of the others may end in any way.
 */
static void choose_end(struct setup *t, unsigned int round)
{
	struct drm_vimport_cmd *last = &t->cmds[CMDS - 1];

	*last = t->cmds[0];
	if (t->zero_va && round % 2)
		*last = (struct drm_vimport_cmd) {
			.op = DRM_VIMPORT_OP_WAIT,
			.va = t->zero_va,
			.size = sizeof(uint64_t),
			.value = 1,
		};
}

/*
 * @next: number of the next job, in @exec or in what @exec points to
 * @wait: waits until all jobs before that have ended
 */
static void race(struct setup *t, struct drm_vimport_exec *exec, uint64_t *next,
		 void (*wait)(void *data, uint64_t last), void *data)
{
	struct timespec start = {};
	unsigned int rounds = 0;
	uint64_t accepted = 0;
	pthread_t thread;

	for (unsigned int i = 0; i < CMDS; i++)
		t->cmds[i] = (struct drm_vimport_cmd) { .op = DRM_VIMPORT_OP_DELAY, .value = 1 };
	exec->vm_id = t->vm;
	exec->cmds = to_user_pointer(t->cmds);
	exec->cmd_count = CMDS;
	exec->cmd_stride = sizeof(t->cmds[0]);
	igt_assert_eq(pthread_barrier_init(&t->barrier, NULL, 2), 0);
	igt_assert_eq(pthread_create(&thread, NULL, destroy_thread, t), 0);
	srandom(11);
	igt_nsec_elapsed(&start);
	/* Of each kind of jobs there is one round, also on a slow machine. */
	for (; igt_nsec_elapsed(&start) < RACE_NS || rounds < 2; rounds++) {
		t->queue = vimport_queue_create(t->fd, t->vm);
		t->delay_us = random() % MAX_DELAY_US;
		exec->queue_id = t->queue;
		choose_end(t, rounds);
		pthread_barrier_wait(&t->barrier);
		accepted += submit_until_gone(t, exec, next);
		pthread_barrier_wait(&t->barrier);
		igt_assert_eq(t->destroyed, 0);
		wait(data, *next - 1);
	}
	t->stop = true;
	pthread_barrier_wait(&t->barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&t->barrier);
	igt_info("%u queues, %" PRIu64 " jobs\n", rounds, accepted);
	igt_assert_lt_u64(0, accepted);
}

struct timeline {
	int fd;
	uint32_t syncobj;
};

static void wait_for_point(void *data, uint64_t last)
{
	struct timeline *t = data;
	uint64_t point = last;

	if (last)
		igt_assert(syncobj_timeline_wait(t->fd, &t->syncobj, &point, 1, INT64_MAX, 0,
						 NULL));
}

/* The points of the timeline are the jobs' fences. */
static void fenced(struct vshare_session *s)
{
	struct timeline timeline = { .fd = s->gpu[0], .syncobj = syncobj_create(s->gpu[0], 0) };
	struct drm_vimport_sync sync = {
		.handle = timeline.syncobj,
		.flags = DRM_VIMPORT_SYNC_SIGNAL | DRM_VIMPORT_SYNC_TIMELINE,
		.point = 1,
	};
	struct drm_vimport_exec exec = {
		.syncs = to_user_pointer(&sync),
		.sync_count = 1,
		.sync_stride = sizeof(sync),
	};
	struct setup t = { .fd = s->gpu[0] };

	t.vm = vimport_vm_create(t.fd);
	race(&t, &exec, (uint64_t *)&sync.point, wait_for_point, &timeline);
	vimport_vm_destroy(t.fd, t.vm);
	syncobj_destroy(t.fd, timeline.syncobj);
}

static void wait_for_value(void *data, uint64_t last)
{
	struct vimport_lr *lr = data;
	int ret;

	if (!last)
		return;
	ret = vimport_lr_wait(lr, last);
	igt_assert_f(!ret || ret == -ECANCELED, "A job has ended with \"%s\"\n", strerror(-ret));
}

/* There the fence is a word of memory, which the last job stores last. */
static void faulting(struct vshare_session *s)
{
	struct drm_vimport_exec exec = {
		.sync_stride = sizeof(struct drm_vimport_sync),
		.fence_value = 1,
	};
	struct vexport_bo bo;
	struct vimport_lr lr;
	struct setup t = {};

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	vimport_lr_init(&lr, s->exporter, 0, bo.dmabuf, SIZE, 0);
	t.fd = lr.gpu.fd;
	t.vm = lr.gpu.vm;
	t.zero_va = vimport_lr_word_va(&lr, 0);
	exec.fence_va = lr.words_va;
	race(&t, &exec, (uint64_t *)&exec.fence_value, wait_for_value, &lr);
	vimport_lr_fini(&lr);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "fenced", "Each job that is accepted has a fence that signals.", fenced },
	{ "faulting", "The same for fences in memory.", faulting },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
