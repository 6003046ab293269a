// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <signal.h>

#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "sw_sync.h"

IGT_TEST_DESCRIPTION("What a fence is on a buffer for may become more than it was, never less, and "
		     "to ask for one kind is to ask for all that weigh more. Every fence "
		     "signals, whatever becomes of those who wait for it.");

#define SIZE			(64ull << 10)
#define DELAY_NS		(400 * NSEC_PER_MSEC)
#define WAIT_MS			20000
#define READ			DMA_BUF_SYNC_READ
#define WRITE			DMA_BUF_SYNC_WRITE

/* Who wants to read waits for writers; who wants to write waits for readers as well. */
static bool reader_waits(const struct vexport_bo *bo)
{
	return dmabuf_busy(bo->dmabuf, READ);
}

static bool writer_waits(const struct vexport_bo *bo)
{
	return dmabuf_busy(bo->dmabuf, WRITE);
}

static void begin(struct vshare_session *s, struct vexport_bo *bo, struct gate *gate)
{
	vexport_bo_init(bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	/* It has nothing to do with the buffer but by what is imported of it. */
	gate_close(gate, 0, -1, 0, GATE_LONG, 0);
	igt_assert(!reader_waits(bo) && !writer_waits(bo));
}

static void open_gate(struct gate *gate)
{
	igt_assert_f(gate_closed(gate), "This machine is too slow to tell anything\n");
	gate_open(gate);
}

static void end(struct vexport_bo *bo, struct gate *gate)
{
	open_gate(gate);
	igt_assert(!reader_waits(bo) && !writer_waits(bo));
	vexport_bo_fini(bo);
}

static void promoted(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct gate gate;

	begin(s, &bo, &gate);
	dmabuf_import_sync_file(bo.dmabuf, READ, gate.fence);
	igt_assert(writer_waits(&bo) && !reader_waits(&bo));
	dmabuf_import_sync_file(bo.dmabuf, WRITE, gate.fence);
	igt_assert(writer_waits(&bo) && reader_waits(&bo));
	end(&bo, &gate);
}

static void not_degraded(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct gate gate;

	begin(s, &bo, &gate);
	dmabuf_import_sync_file(bo.dmabuf, WRITE, gate.fence);
	igt_assert(writer_waits(&bo) && reader_waits(&bo));
	for (int i = 0; i < 3; i++) {
		dmabuf_import_sync_file(bo.dmabuf, READ, gate.fence);
		igt_assert(writer_waits(&bo) && reader_waits(&bo));
	}
	end(&bo, &gate);
}

/* A job that takes a while, and does not begin before @after, if there is one, signals. */
static void delay(const struct vimport_gpu *gpu, uint32_t after, uint32_t exec_flags)
{
	struct vimport_job job = {};

	if (after)
		vimport_job_sync(&job, after, 0, 0);
	vimport_job_delay(&job, DELAY_NS);
	igt_assert_eq(__vimport_exec(gpu->fd, gpu->vm, &job, exec_flags), 0);
}

/* The jobs of one address space, whose fences the reservation object may merge. */
static void jobs(struct vshare_session *s)
{
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	struct gate gate;
	uint32_t opened;

	begin(s, &bo, &gate);
	vimport_gpu_init(&gpu, 1, bo.dmabuf, SIZE, 0);
	/* None of them ends before all of them were looked at. */
	opened = gate_syncobj(&gate, gpu.fd);
	delay(&gpu, opened, 0);
	igt_assert(!writer_waits(&bo) && !reader_waits(&bo));
	delay(&gpu, opened, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
	igt_assert(writer_waits(&bo) && reader_waits(&bo));
	/* A later one that concerns nobody does not make the one before concern nobody. */
	delay(&gpu, opened, 0);
	igt_assert(writer_waits(&bo) && reader_waits(&bo));
	syncobj_destroy(gpu.fd, opened);
	open_gate(&gate);
	/* The exporter waits for all of them. */
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert(!writer_waits(&bo) && !reader_waits(&bo));
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

/*
 * Two GPUs that are busy, of which one has been made a reader of the buffer and the
 * other a writer: who wants to write waits for both, whichever ends first.
 */
static void all_that_weigh_more(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct gate gates[2];
	int fence;

	for (int first = 0; first < 2; first++) {
		struct gate *reader = &gates[0], *writer = &gates[1];

		vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
				DRM_VEXPORT_GEM_MOVING);
		for (int i = 0; i < 2; i++)
			gate_close(&gates[i], i, -1, 0, GATE_JOBS, 0);
		dmabuf_import_sync_file(bo.dmabuf, READ, reader->fence);
		dmabuf_import_sync_file(bo.dmabuf, WRITE, writer->fence);
		fence = dmabuf_export_sync_file(bo.dmabuf, WRITE);
		igt_assert(sync_file_busy(fence) && reader_waits(&bo) && writer_waits(&bo));

		gate_open(&gates[first]);
		igt_assert(sync_file_busy(fence) && writer_waits(&bo));
		igt_assert_eq(reader_waits(&bo), first == 0);
		igt_assert_f(gate_closed(&gates[!first]),
			     "This machine is too slow to tell anything\n");

		/* A move waits for both as well. */
		vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		igt_assert(!gate_closed(&gates[!first]));
		gate_open(&gates[!first]);
		igt_assert(!sync_file_busy(fence) && !reader_waits(&bo) && !writer_waits(&bo));
		close(fence);
		vexport_bo_fini(&bo);
	}
}

/* What a client who is killed has submitted holds nobody up. */
static void killed_client(struct vshare_session *s)
{
	struct igt_helper_process helper = { .use_SIGKILL = true };
	struct drm_vexport_bo_move move = {
		.flags = DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC |
			 DRM_VEXPORT_MOVE_OUT_FENCE,
	};
	struct timespec since = {};
	struct vexport_bo bo;
	int client;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	bo.map[0] = 0x1234;
	igt_fork_helper(&helper) {
		struct vimport_gpu gpu;

		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
		for (int i = 0; i < GATE_JOBS; i++)
			delay(&gpu, 0, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
		for (;;)
			pause();
	}
	while (!reader_waits(&bo)) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_MS * NSEC_PER_MSEC);
		usleep(1000);
	}
	move.fd = bo.dmabuf;
	igt_assert_eq(__vexport_move(s->exporter, &move), 0);
	client = dmabuf_export_sync_file(bo.dmabuf, READ);
	igt_stop_helper(&helper);

	igt_assert_eq(sync_fence_wait(move.out_fence, WAIT_MS), 0);
	igt_assert_eq(sync_fence_wait(client, WAIT_MS), 0);
	/* The move is one that was made, whatever the jobs before it have come to. */
	igt_assert_eq(sync_fence_status(move.out_fence), 1);
	igt_assert(!reader_waits(&bo) && !writer_waits(&bo));
	igt_assert_eq_u64(bo.map[0], 0x1234);
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	igt_assert_eq_u64(bo.map[0], 0x1234);
	close(client);
	close(move.out_fence);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "promoted", "A reader's fence that becomes a writer's holds readers up.", promoted },
	{ "not-degraded", "A writer's fence stays one, though it is added as a reader's.",
	  not_degraded },
	{ "jobs", "A later job of the same queue that asks for less hides no earlier one.", jobs },
	{ "all-that-weigh-more", "Who waits for readers waits for writers, too.",
	  all_that_weigh_more },
	{ "killed-client", "The fences of a client that is killed signal, and a move behind "
	  "them is made.", killed_client },
};

igt_main
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
