// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>
#include <time.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_starve.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A move that fails half-way leaves the buffer where it was, with all that "
		     "was in it, to be used by everybody.");

#define SIZE			(32u << 10)
#define DELAY_NS		(400 * NSEC_PER_MSEC)
#define SIGNAL_NS		(20 * NSEC_PER_MSEC)

/* What fills VRAM until the buffer has to leave it. */
#define HOG_SIZE		(4u << 20)

/* A buffer and a GPU that has it mapped. */
struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct vimport_gpu gpu;
	uint64_t value;
};

static void begin(struct setup *t, struct vshare_session *s, uint32_t placement)
{
	t->s = s;
	t->value = 0;
	vexport_bo_init(&t->bo, s->exporter, SIZE, placement, DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&t->gpu, 0, t->bo.dmabuf, SIZE, 0);
}

static struct drm_vexport_bo_query query(struct setup *t)
{
	struct drm_vexport_bo_query now;

	vexport_query(t->s->exporter, t->bo.dmabuf, &now);
	return now;
}

static void check(struct setup *t)
{
	for (size_t i = 0; i < SIZE / sizeof(*t->bo.map); i++)
		igt_assert_eq_u64(t->bo.map[i], t->value);
}

static uint32_t submit(struct setup *t, uint64_t delay)
{
	struct vimport_job job = {};

	if (delay)
		vimport_job_delay(&job, delay);
	vimport_job_fill(&job, t->gpu.va, SIZE, ++t->value);
	return vimport_submit(t->gpu.fd, t->gpu.vm, &job, 0);
}

/* A job that does not begin before the gate opens. */
static uint32_t submit_gated(struct setup *t, struct gate *gate)
{
	struct vimport_job job = {};
	uint32_t opened, done;

	gate_close(gate, 0, -1, 0, GATE_LONG, 0);
	opened = gate_syncobj(gate, t->gpu.fd);
	vimport_job_sync(&job, opened, 0, 0);
	vimport_job_fill(&job, t->gpu.va, SIZE, ++t->value);
	done = vimport_submit(t->gpu.fd, t->gpu.vm, &job, 0);
	syncobj_destroy(t->gpu.fd, opened);
	return done;
}

static void finish(struct setup *t, uint32_t done)
{
	igt_assert_eq(vimport_wait(t->gpu.fd, done), 0);
}

/* Everybody sees what the last job wrote, and what the next one writes. */
static void use(struct setup *t)
{
	check(t);
	finish(t, submit(t, 0));
	check(t);
	igt_assert_eq_u64(query(t).stale_words, 0);
}

static void end(struct setup *t)
{
	use(t);
	vexport_move(t->s->exporter, t->bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	use(t);
	vimport_gpu_fini(&t->gpu);
	vexport_bo_fini(&t->bo);
}

/*
 * Signals. The ioctls are made without libdrm, which would make them again.
 */

static void on_signal(int sig)
{
}

/* Returns zero or -errno of an ioctl that is interrupted by one signal after the other. */
static int interrupted_ioctl(int fd, unsigned long request, void *arg)
{
	const struct itimerspec every = {
		.it_value.tv_nsec = SIGNAL_NS,
		.it_interval.tv_nsec = SIGNAL_NS,
	};
	/* Without SA_RESTART. */
	struct sigaction action = { .sa_handler = on_signal }, old;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;
	int ret;

	igt_assert_eq(sigaction(SIGUSR1, &action, &old), 0);
	igt_assert_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	igt_assert_eq(timer_settime(timer, 0, &every, NULL), 0);
	ret = ioctl(fd, request, arg) ? -errno : 0;
	timer_delete(timer);
	igt_assert_eq(sigaction(SIGUSR1, &old, NULL), 0);
	return ret;
}

static void signal_before_copy(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = {};
	struct setup t = {};
	struct gate gate;
	uint32_t done;

	for (uint32_t from = DRM_VEXPORT_PLACEMENT_TT; from <= DRM_VEXPORT_PLACEMENT_VRAM; from++) {
		begin(&t, s, from);
		use(&t);
		/* The second move waits for the copy of the first, which waits for the job. */
		done = submit_gated(&t, &gate);
		igt_assert_eq_u64(vexport_move(s->exporter, t.bo.dmabuf, 0,
					       DRM_VEXPORT_MOVE_RELOCATE |
					       DRM_VEXPORT_MOVE_ASYNC), 1);
		move.fd = t.bo.dmabuf;
		move.placement = 0;
		move.flags = DRM_VEXPORT_MOVE_RELOCATE;
		igt_assert_eq(interrupted_ioctl(s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move),
			      -EINTR);
		move.flags = 0;
		move.placement = from ^ DRM_VEXPORT_PLACEMENT_TT ^ DRM_VEXPORT_PLACEMENT_VRAM;
		igt_assert_eq(interrupted_ioctl(s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move),
			      -EINTR);
		igt_assert_eq_u64(query(&t).generation, 1);
		igt_assert_eq_u32(query(&t).placement, from);
		gate_open(&gate);
		finish(&t, done);
		end(&t);
	}
}

static void signal_after_move(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = { .flags = DRM_VEXPORT_MOVE_RELOCATE };
	struct setup t = {};
	uint32_t done;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM);
	use(&t);
	/* The move is made, only its copy is not: nothing may make it start again. */
	done = submit(&t, DELAY_NS);
	move.fd = t.bo.dmabuf;
	igt_assert_eq(interrupted_ioctl(s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move), 0);
	igt_assert_eq_u64(move.generation, 1);
	igt_assert_eq_u64(query(&t).generation, 1);
	finish(&t, done);
	end(&t);
}

static uint64_t vram_free(struct vshare_session *s)
{
	struct drm_vexport_info info;

	vexport_get_info(s->exporter, &info);
	return info.vram_size - info.vram_used;
}

static void signal_evict(struct vshare_session *s)
{
	struct drm_vexport_gem_create create = {
		.size = HOG_SIZE,
		.placement = DRM_VEXPORT_PLACEMENT_VRAM,
	};
	struct drm_vexport_bo_query before, now;
	int hog = vexport_open();
	struct setup t = {};
	struct gate gate;
	uint32_t done;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM);
	use(&t);
	/* Ours is the oldest in VRAM: it is the first to go. */
	while (vram_free(s) >= HOG_SIZE)
		vexport_gem_create(hog, HOG_SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	before = query(&t);
	done = submit_gated(&t, &gate);
	igt_assert_eq(interrupted_ioctl(hog, DRM_IOCTL_VEXPORT_GEM_CREATE, &create), -EINTR);
	now = query(&t);
	/* Half-way: the importer was told, and then nothing happened. */
	igt_assert_lt_u64(before.notifies, now.notifies);
	igt_assert_eq_u64(now.generation, before.generation);
	igt_assert_eq_u64(now.evictions, before.evictions);
	igt_assert_eq_u32(now.placement, DRM_VEXPORT_PLACEMENT_VRAM);
	gate_open(&gate);
	finish(&t, done);
	use(&t);
	/* Undisturbed it goes. */
	igt_assert_eq(__vexport_gem_create(hog, &create), 0);
	close(hog);
	end(&t);
}

/*
 * No memory. How many points of a call are tried for each kind of allocation: more
 * than any of these calls has.
 */
#define POINTS			24

/*
 * Made twice: a move that is waited for is copied within the call if nobody uses the
 * buffer, one that is queued is not.
 */
static const struct move {
	uint32_t from, to, flags;
} moves[] = {
	{ DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_PLACEMENT_VRAM, 0 },
	{ DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_PLACEMENT_TT, 0 },
	{ DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_PLACEMENT_SYSTEM, 0 },
	{ DRM_VEXPORT_PLACEMENT_TT, 0, DRM_VEXPORT_MOVE_RELOCATE },
	{ DRM_VEXPORT_PLACEMENT_VRAM, 0, DRM_VEXPORT_MOVE_RELOCATE },
};

static uint32_t target(const struct move *move)
{
	return move->flags & DRM_VEXPORT_MOVE_RELOCATE ? move->from : move->to;
}

/* Returns whether it failed. */
static bool starve_move(struct setup *t, const struct move *move, uint32_t flags,
			const struct starve *starve)
{
	struct drm_vexport_bo_move args = {
		.fd = t->bo.dmabuf,
		.placement = move->to,
		.flags = move->flags | flags,
	};
	struct drm_vexport_bo_query before, now;
	int ret;

	vexport_move(t->s->exporter, t->bo.dmabuf, move->from, 0);
	use(t);
	before = query(t);
	ret = starve_ioctl(starve, t->s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &args);
	now = query(t);
	if (ret) {
		igt_assert_eq(ret, -ENOMEM);
		igt_assert_eq_u64(now.generation, before.generation);
		igt_assert_eq_u32(now.placement, before.placement);
	} else {
		/* Once, however often it had to be tried. */
		igt_assert_eq_u64(now.generation, before.generation + 1);
		igt_assert_eq_u32(now.placement, target(move));
	}
	use(t);
	return ret;
}

/* Moves that have failed, and those of them of which the importer had been told. */
struct failures {
	unsigned int all, half_way;
};

static void starve_moves(struct setup *t, const struct move *move, uint32_t flags,
			 struct failures *failures)
{
	struct starve starve;
	unsigned int failed;

	for (starve.kind = 0; starve.kind < STARVE_KINDS; starve.kind++) {
		const unsigned int first = starve_first(starve.kind);

		failed = 0;
		for (starve.nth = first; starve.nth < first + POINTS; starve.nth++) {
			uint64_t before = query(t).notifies;

			if (!starve_move(t, move, flags, &starve))
				continue;
			failed++;
			/* One invalidation was for the way to where it starts. */
			failures->half_way += query(t).notifies > before + 1;
		}
		failures->all += failed;
		igt_info("%s to %s, %s: %u of %u failed\n", vexport_placement_name(move->from),
			 vexport_placement_name(target(move)), starve_name(starve.kind), failed,
			 POINTS);
	}
}

static struct failures starve_all(struct vshare_session *s, uint32_t flags)
{
	struct failures failures = {};
	struct setup t = {};

	starve_prepare();
	for (unsigned int i = 0; i < ARRAY_SIZE(moves); i++) {
		begin(&t, s, moves[i].from);
		use(&t);
		starve_moves(&t, &moves[i], flags, &failures);
		end(&t);
	}
	igt_info("%u of %u moves that failed had told the importer\n", failures.half_way,
		 failures.all);
	return failures;
}

static void no_memory(struct vshare_session *s)
{
	igt_assert_lt(0, starve_all(s, 0).all);
}

static void no_memory_queued(struct vshare_session *s)
{
	/* The copy that is queued takes memory of its own. */
	igt_assert_lt(0, starve_all(s, DRM_VEXPORT_MOVE_ASYNC).half_way);
}

static void no_memory_evict(struct vshare_session *s)
{
	struct drm_vexport_bo_query before, now;
	unsigned int evicted = 0, skipped = 0;
	struct setup t = {};

	starve_prepare();
	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM);
	use(&t);
	for (unsigned int i = 0; i < STARVE_KINDS * POINTS; i++) {
		const enum starve_kind kind = i % STARVE_KINDS;
		const struct starve starve = { kind, starve_first(kind) + i / STARVE_KINDS };
		struct drm_vexport_evict args = {};

		vexport_move(s->exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		use(&t);
		before = query(&t);
		igt_assert_eq(starve_ioctl(&starve, s->exporter, DRM_IOCTL_VEXPORT_EVICT, &args),
			      0);
		now = query(&t);
		igt_assert_eq(args.evicted + args.skipped, 1);
		igt_assert_eq_u64(now.generation, before.generation + args.evicted);
		igt_assert_eq_u64(now.evictions, before.evictions + args.evicted);
		igt_assert_eq_u32(now.placement, args.evicted ? DRM_VEXPORT_PLACEMENT_TT :
				  DRM_VEXPORT_PLACEMENT_VRAM);
		evicted += args.evicted;
		skipped += args.skipped;
		use(&t);
	}
	igt_info("%u evicted, %u stayed\n", evicted, skipped);
	igt_assert_lt(0, evicted);
	igt_assert_lt(0, skipped);
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "signal-before-copy", "A signal while a move waits to begin: nothing has moved.",
	  signal_before_copy },
	{ "signal-after-move", "A signal when the move is made: it was made once.",
	  signal_after_move },
	{ "signal-evict", "A signal to somebody who waits for the buffer to leave VRAM: it stays.",
	  signal_evict },
	{ "no-memory", "No memory at any point of a move: it is made, or was never begun.",
	  no_memory },
	{ "no-memory-queued", "The same for a move that nobody waits for.", no_memory_queued },
	{ "no-memory-evict", "No memory at any point of an eviction: it is skipped, or leaves.",
	  no_memory_evict },
};

igt_main
{
	igt_fixture {
		close(vimport_open(0));
		igt_install_exit_handler(starve_stop);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
