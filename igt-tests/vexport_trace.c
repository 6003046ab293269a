// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_ticks.h"
#include "igt_tracefs.h"
#include "igt_vexport.h"
#include "igt_vexport_table.h"
#include "igt_vexport_trace.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The tracepoints tell what happens to a buffer: every step of every move, in "
		     "order, and what importers do.");

#define SIZE			(64u << 10)

/* What is larger is not copied within the call. */
#define MAX_COPY_AT_ONCE	(4u << 20)

/* ERESTARTSYS: the kernel's own name for what user space gets as EINTR. */
#define RESTART			"512"

/* What one buffer goes through between vexport_trace_on() and vexport_trace_off(). */
struct scene {
	struct vexport_bo bo;
	struct vimport_gpu gpu;
	uint64_t id;
	struct vexport_trace trace;
};

static void begin(struct scene *scene, struct vshare_session *s, uint32_t placement)
{
	struct vimport_job job = {};

	memset(scene, 0, sizeof(*scene));
	vexport_bo_init(&scene->bo, s->exporter, SIZE, placement, DRM_VEXPORT_GEM_MOVING);
	scene->id = vexport_buffer_id(s->exporter, scene->bo.dmabuf);
	vimport_gpu_init(&scene->gpu, 0, scene->bo.dmabuf, SIZE, 0);
	vimport_job_fill(&job, scene->gpu.va, SIZE, 1);
	vimport_run(scene->gpu.fd, scene->gpu.vm, &job);
	vexport_trace_on();
}

static void end(struct scene *scene)
{
	vimport_gpu_fini(&scene->gpu);
	vexport_bo_fini(&scene->bo);
}

static void expect_copying_move(struct scene *scene, uint64_t generation, const char *from,
				const char *to, bool evict)
{
	static const char * const names[] = {
		"move_begin", "move_notify", "move_idle", "move_copied", "move_end",
	};
	struct vexport_trace *trace = &scene->trace;

	vexport_trace_drop_importers(trace);
	vexport_trace_events(trace, names, ARRAY_SIZE(names));
	vexport_trace_generation(trace, generation);
	vexport_trace_text(&trace->events[0], "device", "vexport0");
	vexport_trace_u64(&trace->events[0], "size", SIZE);
	vexport_trace_text(&trace->events[0], "from", from);
	vexport_trace_text(&trace->events[0], "to", to);
	vexport_trace_u64(&trace->events[0], "evict", evict);
	vexport_trace_importer(&trace->events[1], "vimport");
	vexport_trace_u64(&trace->events[4], "ret", 0);
}

static void trace_move(struct vshare_session *s)
{
	struct scene scene;
	uint64_t generation;

	begin(&scene, s, DRM_VEXPORT_PLACEMENT_VRAM);
	generation = vexport_move(s->exporter, scene.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	vexport_trace_off(&scene.trace, scene.id);
	expect_copying_move(&scene, generation, "vram", "tt", false);
	end(&scene);
}

static void trace_relocate(struct vshare_session *s)
{
	static const uint32_t placements[] = {
		DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_PLACEMENT_VRAM,
	};
	struct scene scene;
	uint64_t generation;
	const char *name;

	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		name = vexport_placement_name(placements[i]);
		begin(&scene, s, placements[i]);
		generation = vexport_move(s->exporter, scene.bo.dmabuf, 0,
					  DRM_VEXPORT_MOVE_RELOCATE);
		vexport_trace_off(&scene.trace, scene.id);
		expect_copying_move(&scene, generation, name, name, false);
		end(&scene);
	}
}

static void trace_evict(struct vshare_session *s)
{
	uint64_t half = s->start.exporter.vram_size / 2;
	struct drm_vexport_bo_query query;
	struct scene scene;
	uint32_t hog[2];

	begin(&scene, s, DRM_VEXPORT_PLACEMENT_VRAM);
	for (unsigned int i = 0; i < ARRAY_SIZE(hog); i++)
		hog[i] = vexport_gem_create(s->exporter, half, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_trace_off(&scene.trace, scene.id);
	vexport_query(s->exporter, scene.bo.dmabuf, &query);
	igt_assert_eq_u64(query.evictions, 1);
	expect_copying_move(&scene, query.generation, "vram", "tt", true);
	for (unsigned int i = 0; i < ARRAY_SIZE(hog); i++)
		gem_close(s->exporter, hog[i]);
	end(&scene);
}

static void trace_same_pages(struct vshare_session *s)
{
	static const char * const names[] = {
		"move_begin", "move_notify", "move_end", "move_begin", "move_end",
	};
	struct vexport_trace *trace;
	struct scene scene;
	uint64_t generation;

	begin(&scene, s, DRM_VEXPORT_PLACEMENT_TT);
	generation = vexport_move(s->exporter, scene.bo.dmabuf, DRM_VEXPORT_PLACEMENT_SYSTEM, 0);
	vexport_move(s->exporter, scene.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	vexport_trace_off(&scene.trace, scene.id);
	trace = &scene.trace;
	vexport_trace_drop_importers(trace);
	vexport_trace_events(trace, names, ARRAY_SIZE(names));
	for (unsigned int i = 0; i < trace->count; i++)
		vexport_trace_u64(&trace->events[i], "generation", generation + (i > 2));
	vexport_trace_text(&trace->events[0], "from", "tt");
	vexport_trace_text(&trace->events[0], "to", "system");
	vexport_trace_text(&trace->events[3], "from", "system");
	vexport_trace_text(&trace->events[3], "to", "tt");
	end(&scene);
}

/* A job that does not end before the gate opens. */
static uint32_t submit_gated(struct scene *scene, struct gate *gate)
{
	struct vimport_job job = {};
	uint32_t opened, done;

	gate_close(gate, 0, -1, 0, GATE_LONG, 0);
	opened = gate_syncobj(gate, scene->gpu.fd);
	vimport_job_sync(&job, opened, 0, 0);
	vimport_job_delay(&job, 1);
	done = vimport_submit(scene->gpu.fd, scene->gpu.vm, &job, 0);
	syncobj_destroy(scene->gpu.fd, opened);
	return done;
}

/* A move that waits for a job is idle only when the job has ended. */
static void trace_busy(struct vshare_session *s)
{
	static const char * const names[] = { "move_begin", "move_notify" };
	uint64_t generation;
	struct scene scene;
	struct gate gate;
	uint32_t done;

	begin(&scene, s, DRM_VEXPORT_PLACEMENT_VRAM);
	done = submit_gated(&scene, &gate);
	generation = vexport_move(s->exporter, scene.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT,
				  DRM_VEXPORT_MOVE_ASYNC);
	vexport_trace_off(&scene.trace, scene.id);
	vexport_trace_drop_importers(&scene.trace);
	vexport_trace_events(&scene.trace, names, ARRAY_SIZE(names));
	vexport_trace_generation(&scene.trace, generation);
	igt_assert(gate_closed(&gate));
	gate_open(&gate);
	igt_assert_eq(vimport_wait(scene.gpu.fd, done), 0);
	end(&scene);
}

/* The thread that copied in the first move of a buffer. */
static unsigned int who_copies(struct vshare_session *s, uint64_t size, uint32_t placement,
			       uint32_t flags, bool busy)
{
	const struct vexport_event *copied = NULL;
	struct vexport_trace trace;
	struct vexport_bo bo;
	struct gate gate;

	vexport_bo_init(&bo, s->exporter, size, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	WRITE_ONCE(bo.map[0], size);
	vexport_trace_on();
	if (busy)
		gate_close(&gate, 0, bo.dmabuf, size, GATE_JOBS, 0);
	vexport_move(s->exporter, bo.dmabuf, placement, flags);
	/* A CPU waits for the move, whoever makes it. */
	igt_assert_eq_u64(READ_ONCE(bo.map[0]), size);
	vexport_trace_off(&trace, vexport_buffer_id(s->exporter, bo.dmabuf));
	if (busy)
		gate_open(&gate);
	for (unsigned int i = 0; i < trace.count; i++)
		if (!strcmp(trace.events[i].name, "move_copied"))
			copied = &trace.events[i];
	igt_assert(copied);
	vexport_bo_fini(&bo);
	return copied->tid;
}

/*
 * A call that waits copies itself only if nobody can tell the difference: not what is
 * in use, nor what would hold others up for long.
 */
static void trace_who_copies(struct vshare_session *s)
{
	static const struct {
		uint32_t placement, flags;
	} moves[] = {
		{ 0, DRM_VEXPORT_MOVE_RELOCATE },
		{ DRM_VEXPORT_PLACEMENT_VRAM, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(moves); i++) {
		const uint32_t to = moves[i].placement, flags = moves[i].flags;
		const uint64_t large = MAX_COPY_AT_ONCE + SIZE;

		igt_assert_eq_u32(who_copies(s, SIZE, to, flags, false), getpid());
		igt_assert_eq_u32(who_copies(s, MAX_COPY_AT_ONCE, to, flags, false), getpid());
		igt_assert_neq_u32(who_copies(s, large, to, flags, false), getpid());
		igt_assert_neq_u32(who_copies(s, SIZE, to, flags, true), getpid());
		igt_assert_neq_u32(who_copies(s, SIZE, to, flags | DRM_VEXPORT_MOVE_ASYNC, false),
				   getpid());
	}
}

static void trace_first_place(struct vshare_session *s)
{
	static const char * const names[] = { "move_begin", "move_end" };
	struct vexport_bo bo;
	struct vexport_trace trace;

	vexport_trace_on();
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_trace_off(&trace, vexport_buffer_id(s->exporter, bo.dmabuf));
	vexport_trace_events(&trace, names, ARRAY_SIZE(names));
	vexport_trace_generation(&trace, 0);
	vexport_trace_text(&trace.events[0], "from", "system");
	vexport_trace_text(&trace.events[0], "to", "vram");
	vexport_bo_fini(&bo);
}

/* The same steps whatever the kernel's policy: this importer pins and maps once. */
static void trace_importer(struct vshare_session *s)
{
	static const char * const names[] = { "pin", "map", "unmap", "unpin" };
	static const unsigned int pins[] = { 1, 1, 1, 0 }, maps[] = { 0, 1, 0, 0 };
	int vgem = vshare_open_vgem();
	struct vexport_bo bo;
	struct vexport_trace trace;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	vexport_trace_on();
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	gem_close(vgem, handle);
	vexport_trace_off(&trace, vexport_buffer_id(s->exporter, bo.dmabuf));
	vexport_trace_events(&trace, names, ARRAY_SIZE(names));
	for (unsigned int i = 0; i < trace.count; i++) {
		vexport_trace_text(&trace.events[i], "device", "vexport0");
		vexport_trace_importer(&trace.events[i], "vgem");
		vexport_trace_u64(&trace.events[i], "generation", 0);
		vexport_trace_u64(&trace.events[i], "pins", pins[i]);
		vexport_trace_u64(&trace.events[i], "maps", maps[i]);
		vexport_trace_u64(&trace.events[i], "hard", pins[i]);
	}
	vexport_bo_fini(&bo);
	close(vgem);
}

/* Returns -errno of a move that is interrupted again and again. */
static int interrupted_move(struct scene *scene, uint32_t placement, uint32_t flags)
{
	struct drm_vexport_bo_move move = {
		.fd = scene->bo.dmabuf,
		.placement = placement,
		.flags = flags,
	};
	int ret;

	/* Not by libdrm, which would make the call again. */
	ticks_start(false);
	ret = ioctl(scene->bo.fd, DRM_IOCTL_VEXPORT_BO_MOVE, &move) ? -errno : 0;
	ticks_stop();
	return ret;
}

/* The first move waits for a job, and the two others, both ways to fail, for that move. */
static void trace_interrupted(struct vshare_session *s)
{
	static const char * const names[] = {
		"move_begin", "move_notify", "move_notify",
		"move_begin", "move_end", "move_begin", "move_end",
	};
	struct vexport_trace *trace;
	struct scene scene;
	uint64_t generation;
	struct gate gate;

	begin(&scene, s, DRM_VEXPORT_PLACEMENT_TT);
	gate_close(&gate, 0, scene.bo.dmabuf, SIZE, GATE_LONG, 0);
	generation = vexport_move(s->exporter, scene.bo.dmabuf, 0,
				  DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
	igt_assert_eq(interrupted_move(&scene, 0, DRM_VEXPORT_MOVE_RELOCATE), -EINTR);
	igt_assert_eq(interrupted_move(&scene, DRM_VEXPORT_PLACEMENT_VRAM, 0), -EINTR);
	vexport_trace_off(&scene.trace, scene.id);
	igt_assert(gate_closed(&gate));
	gate_open(&gate);
	trace = &scene.trace;
	vexport_trace_drop_importers(trace);
	/* Two importers: the gate is one. */
	vexport_trace_events(trace, names, ARRAY_SIZE(names));
	for (unsigned int i = 0; i < trace->count; i++)
		vexport_trace_u64(&trace->events[i], "generation", generation + (i > 2));
	vexport_trace_text(&trace->events[3], "to", "tt");
	vexport_trace_text(&trace->events[4], "ret", "-" RESTART);
	vexport_trace_text(&trace->events[5], "to", "vram");
	vexport_trace_text(&trace->events[6], "ret", "-" RESTART);
	end(&scene);
}

/* The importer is told, and then the place is not needed any more. */
static void trace_evict_interrupted(struct vshare_session *s)
{
	static const char * const names[] = { "move_begin", "move_notify", "move_end" };
	struct drm_vexport_gem_create create = {
		.size = s->start.exporter.vram_size / 2,
		.placement = DRM_VEXPORT_PLACEMENT_VRAM,
	};
	struct scene scene;
	uint32_t hog, done;
	struct gate gate;
	int ret;

	begin(&scene, s, DRM_VEXPORT_PLACEMENT_VRAM);
	hog = vexport_gem_create(s->exporter, create.size, create.placement, 0);
	done = submit_gated(&scene, &gate);
	ticks_start(false);
	ret = ioctl(s->exporter, DRM_IOCTL_VEXPORT_GEM_CREATE, &create) ? -errno : 0;
	ticks_stop();
	igt_assert_eq(ret, -EINTR);
	vexport_trace_off(&scene.trace, scene.id);
	vexport_trace_drop_importers(&scene.trace);
	vexport_trace_events(&scene.trace, names, ARRAY_SIZE(names));
	vexport_trace_generation(&scene.trace, 1);
	vexport_trace_u64(&scene.trace.events[0], "evict", 1);
	vexport_trace_text(&scene.trace.events[2], "ret", "-" RESTART);
	gate_open(&gate);
	igt_assert_eq(vimport_wait(scene.gpu.fd, done), 0);
	gem_close(s->exporter, hog);
	end(&scene);
}

static void expect_revoke_event(const struct vexport_event *event, const char *state,
				uint64_t maps, const char *ret)
{
	vexport_trace_text(event, "device", "vexport0");
	vexport_trace_text(event, "state", state);
	vexport_trace_u64(event, "maps", maps);
	vexport_trace_text(event, "ret", ret);
}

static void trace_revoke(struct vshare_session *s)
{
	static const char * const names[] = {
		"revoke_begin", "move_notify", "revoke_idle", "revoke_end", "revoke_undo",
		"revoke_begin", "move_notify", "revoke_idle", "revoke_end",
	};
	int vgem = vshare_open_vgem();
	struct vexport_trace *trace;
	struct scene scene;
	uint32_t handle;

	/* The GPU lets go when it is told, vgem does not. */
	begin(&scene, s, DRM_VEXPORT_PLACEMENT_TT);
	handle = prime_fd_to_handle(vgem, scene.bo.dmabuf);
	igt_assert_eq(vexport_revoke(s->exporter, scene.bo.dmabuf,
				     DRM_VEXPORT_REVOKE_TEMPORARY, 300), 1);
	igt_assert_eq(vexport_revoke(s->exporter, scene.bo.dmabuf, DRM_VEXPORT_REVOKE_NONE, 0), 1);
	gem_close(vgem, handle);
	igt_assert_eq(vexport_revoke(s->exporter, scene.bo.dmabuf,
				     DRM_VEXPORT_REVOKE_PERMANENT, 0), 0);
	vexport_trace_off(&scene.trace, scene.id);
	trace = &scene.trace;
	vexport_trace_drop_importers(trace);
	vexport_trace_events(trace, names, ARRAY_SIZE(names));
	expect_revoke_event(&trace->events[0], "temporary", 2, "0");
	vexport_trace_text(&trace->events[2], "state", "temporary");
	expect_revoke_event(&trace->events[3], "temporary", 1, "0");
	expect_revoke_event(&trace->events[4], "none", 1, "0");
	expect_revoke_event(&trace->events[5], "permanent", 0, "0");
	expect_revoke_event(&trace->events[7], "permanent", 0, "0");
	expect_revoke_event(&trace->events[8], "permanent", 0, "0");
	close(vgem);
	end(&scene);
}

static void trace_revoke_interrupted(struct vshare_session *s)
{
	static const char * const names[] = {
		"revoke_begin", "move_notify", "revoke_idle", "revoke_end",
	};
	struct drm_vexport_bo_revoke revoke = {
		.state = DRM_VEXPORT_REVOKE_TEMPORARY,
		.timeout_nsec = INT64_MAX,
	};
	int vgem = vshare_open_vgem(), ret;
	struct drm_vexport_bo_query query;
	struct scene scene;
	uint32_t handle;

	begin(&scene, s, DRM_VEXPORT_PLACEMENT_TT);
	handle = prime_fd_to_handle(vgem, scene.bo.dmabuf);
	revoke.fd = scene.bo.dmabuf;
	do {
		ticks_start(false);
		ret = ioctl(s->exporter, DRM_IOCTL_VEXPORT_BO_REVOKE, &revoke) ? -errno : 0;
		ticks_stop();
		igt_assert_eq(ret, -EINTR);
		/* A tick may come before the buffer is locked: then nothing was begun. */
		vexport_query(s->exporter, scene.bo.dmabuf, &query);
	} while (!query.revoked);
	vexport_trace_off(&scene.trace, scene.id);
	vexport_trace_drop_importers(&scene.trace);
	vexport_trace_events(&scene.trace, names, ARRAY_SIZE(names));
	/* How many sg tables vimport's worker has given back by then, nobody knows. */
	vexport_trace_text(&scene.trace.events[3], "state", "temporary");
	vexport_trace_text(&scene.trace.events[3], "ret", "-" RESTART);
	gem_close(vgem, handle);
	close(vgem);
	end(&scene);
}

static const struct vshare_subtest subtests[] = {
	{ "move-placement", "A move to another placement is told step by step.", trace_move },
	{ "move-relocate", "A move to fresh pages is told step by step.", trace_relocate },
	{ "move-evict", "An eviction is told step by step.", trace_evict },
	{ "move-same-pages", "Between TT and SYSTEM nothing is copied.", trace_same_pages },
	{ "move-busy", "Nothing is copied while an importer's job runs.", trace_busy },
	{ "move-who-copies", "Who waits for a move copies little that is idle, and nothing else.",
	  trace_who_copies },
	{ "move-first-place", "A new buffer's way to its place is no move.", trace_first_place },
	{ "move-interrupted", "A move that is given up ends with the reason, and nobody is told.",
	  trace_interrupted },
	{ "move-evict-interrupted", "An eviction that is given up ends after it was told.",
	  trace_evict_interrupted },
	{ "revoke", "A revoke and its undoing are told, with who still holds the buffer.",
	  trace_revoke },
	{ "revoke-interrupted", "A revoke that is given up ends with the reason.",
	  trace_revoke_interrupted },
	{ "importer", "Pins and mappings are told with the importer's name.", trace_importer },
};

igt_main
{
	igt_fixture {
		igt_install_exit_handler(tracefs_remove_ours);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
