// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_race.h"
#include "igt_stall.h"

IGT_TEST_DESCRIPTION("Between any two steps of a move somebody else comes along: they wait for "
		     "as long as they have to and no longer, no byte is lost, and nothing is left "
		     "behind. The move is stopped at each step, so none of these races is left to "
		     "luck. Needs vexport.ko loaded with misbehave=1.");

#define HALF			(RACE_SIZE / 2)

/* Who has to wait has not got through in this time. Others get as long as it takes. */
#define BLOCKED_US		(30 * USEC_PER_MSEC)
#define WAIT_NS			(30 * NSEC_PER_SEC)

/* Who comes along. */
struct action {
	const char *name;
	const char *describe;
	void (*run)(struct race *t);
	/* It has to wait for the move's fence, not only for the reservation. */
	bool waits_for_fence;
	/* How it ends, if not with a buffer that everybody uses as before. */
	void (*end)(struct race *t, const char *when);
	/* How it all goes, if not as in race(). */
	void (*race)(struct vshare_session *s, const struct race_window *window, uint32_t point,
		     const struct action *action);
	/* Where it applies, if not everywhere. */
	bool (*has_window)(const struct race_window *window, uint32_t point);
};

static void act(struct race *t, const struct action *action)
{
	race_wait_for(&t->shared->go, "Nobody was stopped");
	WRITE_ONCE(t->shared->begun, true);
	action->run(t);
	WRITE_ONCE(t->shared->ended, true);
}

/* Now the one is stopped. See how far the other gets, and let the first go. */
static void meet(struct race *t, int stall, bool blocked)
{
	vexport_stall_wait(stall);
	WRITE_ONCE(t->shared->go, true);
	race_wait_for(&t->shared->begun, "Nobody has come along");
	if (blocked) {
		usleep(BLOCKED_US);
		igt_assert_f(!READ_ONCE(t->shared->ended), "Nobody has waited for the move\n");
	} else {
		race_wait_for(&t->shared->ended,
			      "Somebody waits for a move that does not concern them");
	}
	vexport_stall_release(stall);
	igt_waitchildren();
}

static void race(struct vshare_session *s, const struct race_window *window, uint32_t point,
		 const struct action *action)
{
	bool blocked = race_holds_reservation(window, point) ||
		       (action->waits_for_fence && race_has_fence(window, point));
	uint64_t generation;
	struct race t;
	int stall;

	race_begin(&t, s, window->from);
	generation = race_query(&t).generation;
	stall = vexport_stall(s->exporter, t.bo.dmabuf, point);
	igt_fork(child, 2) {
		close(stall);
		if (child == 0)
			igt_assert_eq(race_make_move(&t, window, 0), 0);
		else
			act(&t, action);
	}
	meet(&t, stall, blocked);
	igt_assert_lt_u64(generation, race_query(&t).generation);
	igt_info("%s: reached, the other one %s\n", vexport_stall_point_name(point),
		 blocked ? "waited" : "got through");
	if (action->end)
		action->end(&t, vexport_stall_point_name(point));
	else
		race_end(&t, vexport_stall_point_name(point));
}

static void run_job(struct race *t)
{
	struct vimport_job job = race_tag_job(t, t->gpu.va, DMABUF_WRITER_GPU0, 0, HALF);

	vimport_run(t->gpu.fd, t->gpu.vm, &job);
}

static void run_import(struct race *t)
{
	struct vimport_job job;
	struct vimport_gpu gpu;

	vimport_gpu_init(&gpu, 1, t->bo.dmabuf, RACE_SIZE, 0);
	job = race_tag_job(t, gpu.va, DMABUF_WRITER_GPU1, HALF, HALF);
	vimport_run(gpu.fd, gpu.vm, &job);
	vimport_gpu_fini(&gpu);
}

/* It was told, or is about to be, and does not wait for what is none of its business. */
static void run_detach(struct race *t)
{
	vimport_vm_unmap(t->gpu.fd, t->gpu.vm, t->gpu.va, RACE_SIZE);
	gem_close(t->gpu.fd, t->gpu.handle);
}

static void end_detached(struct race *t, const char *when)
{
	igt_assert_eq(race_query(t).attachments | race_query(t).maps, 0);
	vimport_vm_destroy(t->gpu.fd, t->gpu.vm);
	close(t->gpu.fd);
	t->gpu.fd = 0;
	race_end(t, when);
}

static void run_cpu_read(struct race *t)
{
	dmabuf_oracle_check(&t->oracle, t->bo.map, "for a CPU that reads");
}

static void run_cpu_write(struct race *t)
{
	dmabuf_oracle_store(&t->oracle, t->bo.map, HALF, HALF);
}

static void run_revoke(struct race *t)
{
	igt_assert_eq_u32(vexport_revoke(t->s->exporter, t->bo.dmabuf,
					 DRM_VEXPORT_REVOKE_TEMPORARY, 20000), 0);
	igt_assert(!vexport_touch(t->bo.map, true));
	vexport_revoke(t->s->exporter, t->bo.dmabuf, DRM_VEXPORT_REVOKE_NONE, 0);
}

/* For good: nothing of the buffer is left, wherever the move was. */
static void run_revoke_permanent(struct race *t)
{
	igt_assert_eq_u32(vexport_revoke(t->s->exporter, t->bo.dmabuf,
					 DRM_VEXPORT_REVOKE_PERMANENT, 20000), 0);
}

static void end_revoked(struct race *t, const char *when)
{
	struct vimport_job job = {};

	vimport_job_fill(&job, t->gpu.va, RACE_SIZE, 0);
	igt_assert_eq(__vimport_exec(t->gpu.fd, t->gpu.vm, &job, 0), -ENODEV);
	igt_assert(!vexport_touch(t->bo.map, false));
	igt_assert_eq_u64(race_query(t).stale_words, 0);
	vimport_gpu_fini(&t->gpu);
	vexport_bo_fini(&t->bo);
	race_fini(t);
}

static void run_move(struct race *t)
{
	vexport_move(t->s->exporter, t->bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
}

/* Somebody needs the VRAM that a buffer is just moving to. */
static void run_evict(struct race *t)
{
	igt_assert_eq(race_evict_all(t->s->exporter), 0);
}

static void end_evicted(struct race *t, const char *when)
{
	igt_assert_eq_u32(race_query(t).placement, DRM_VEXPORT_PLACEMENT_TT);
	igt_assert_eq_u64(race_query(t).evictions, 1);
	race_end(t, when);
}

static bool is_to_vram(const struct race_window *window, uint32_t point)
{
	return window->to == DRM_VEXPORT_PLACEMENT_VRAM;
}

/* The last that is known of a buffer goes: its dma-buf, without a handle. */
static void run_close(struct race *t)
{
	munmap(t->bo.map, RACE_SIZE);
	close(t->bo.dmabuf);
}

/* Who calls for a move has the dma-buf; a copy that is queued, or an eviction, has not. */
static bool has_no_dmabuf(const struct race_window *window, uint32_t point)
{
	return window->evict || point >= DRM_VEXPORT_STALL_MOVE_IDLE;
}

static void wait_until_gone(struct vshare_session *s)
{
	struct drm_vexport_info info;
	struct timespec since = {};

	do {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
		vexport_get_info(s->exporter, &info);
	} while (info.buffers > s->start.exporter.buffers ||
		 info.storages > s->start.exporter.storages);
}

static void race_close(struct vshare_session *s, const struct race_window *window, uint32_t point,
		       const struct action *action)
{
	struct race t;
	int stall;

	race_begin_without_gpu(&t, s, window->from);
	dmabuf_oracle_store(&t.oracle, t.bo.map, 0, RACE_SIZE);
	stall = vexport_stall(s->exporter, t.bo.dmabuf, point);
	vexport_bo_close_handle(&t.bo);
	igt_fork(child, 2) {
		close(stall);
		if (child == 1) {
			act(&t, action);
			continue;
		}
		if (window->evict)
			run_close(&t);
		/* The descriptors go with the process. */
		igt_assert_eq(race_make_move(&t, window,
					     window->evict ? 0 : DRM_VEXPORT_MOVE_ASYNC), 0);
	}
	run_close(&t);
	meet(&t, stall, race_holds_reservation(window, point));
	igt_info("%s: reached, the last dma-buf went\n", vexport_stall_point_name(point));
	wait_until_gone(s);
	race_fini(&t);
}

static const struct action actions[] = {
	{
		.name = "job",
		.describe = "A job of an importer that was told, or is about to be, meets a move.",
		.run = run_job,
		.waits_for_fence = true,
	},
	{
		.name = "import",
		.describe = "Another importer comes, maps and uses the buffer in a move.",
		.run = run_import,
		.waits_for_fence = true,
	},
	{
		.name = "detach",
		.describe = "The importer goes in a move.",
		.run = run_detach,
		.end = end_detached,
	},
	{
		.name = "close-last",
		.describe = "The last reference to the dma-buf goes in a move.",
		.run = run_close,
		.race = race_close,
		.has_window = has_no_dmabuf,
	},
	{
		.name = "cpu-read",
		.describe = "The CPU reads through a mapping in a move.",
		.run = run_cpu_read,
		.waits_for_fence = true,
	},
	{
		.name = "cpu-write",
		.describe = "The CPU writes through a mapping in a move.",
		.run = run_cpu_write,
		.waits_for_fence = true,
	},
	{
		.name = "revoke-temporary",
		.describe = "The buffer is taken away in a move, and given back.",
		.run = run_revoke,
		.waits_for_fence = true,
	},
	{
		.name = "revoke-permanent",
		.describe = "The buffer is taken away for good in a move.",
		.run = run_revoke_permanent,
		.waits_for_fence = true,
		.end = end_revoked,
	},
	{
		.name = "move",
		.describe = "Somebody else moves the buffer, too.",
		.run = run_move,
		.waits_for_fence = true,
	},
	{
		.name = "evict",
		.describe = "The place that the buffer is moving to is needed.",
		.run = run_evict,
		.waits_for_fence = true,
		.end = end_evicted,
		.has_window = is_to_vram,
	},
};

static bool applies(const struct action *action, const struct race_window *window, uint32_t point)
{
	return race_has_point(window, point) &&
	       (!action->has_window || action->has_window(window, point));
}

static void run(const struct action *action, const struct race_window *window)
{
	struct vshare_session s;

	vshare_session_begin(&s);
	for (uint32_t point = 0; point <= DRM_VEXPORT_STALL_MOVE_RELEASE; point++) {
		if (applies(action, window, point))
			(action->race ?: race)(&s, window, point, action);
	}
	vshare_session_end(&s);
}

static bool applies_at_all(const struct action *action, const struct race_window *window)
{
	for (uint32_t point = 0; point <= DRM_VEXPORT_STALL_MOVE_RELEASE; point++) {
		if (applies(action, window, point))
			return true;
	}
	return false;
}

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
	}

	for (unsigned int a = 0; a < ARRAY_SIZE(actions); a++) {
		for (unsigned int w = 0; w < RACE_WINDOWS; w++) {
			if (!applies_at_all(&actions[a], &race_windows[w]))
				continue;
			igt_describe(actions[a].describe);
			igt_subtest_f("%s-%s", actions[a].name, race_windows[w].name)
				run(&actions[a], &race_windows[w]);
		}
	}
}
