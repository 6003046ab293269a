// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>

#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_gate.h"
#include "igt_unplug.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "sw_sync.h"

IGT_TEST_DESCRIPTION("The exporter's device goes away under importers: what they have mapped stays "
		     "valid, and the data in it whole, until they unmap it.");

#define SIZE			(256u << 10)
#define HALF			(SIZE / 2)

/* Where a GPU has the buffer that the CPU can still look into. */
#define WINDOW_VA		(1ull << 32)

#define FENCE_MS		60000
#define MAX_SHRINKS		64

/* TTM swaps one buffer of some device out whenever this is read, and says how large it was. */
#define TT_SHRINK		"/sys/kernel/debug/ttm/tt_shrink"

static void tag(struct vimport_gpu *gpu, struct dmabuf_oracle *oracle, size_t offset, size_t size)
{
	struct vimport_job job = {};

	vimport_job_tag(&job, gpu->va + offset, size,
			dmabuf_oracle_tag(oracle, DMABUF_WRITER_GPU0, offset, size));
	vimport_run(gpu->fd, gpu->vm, &job);
}

/* The CPU sees nothing of a buffer that has no device: the GPU carries it to one that has. */
static void check(struct vshare_session *s, struct vimport_gpu *gpu,
		  const struct dmabuf_oracle *oracle, const char *when)
{
	struct vimport_job job = {};
	struct vexport_bo window;
	uint32_t handle;
	int fd;

	plug();
	fd = vexport_open();
	vexport_bo_init(&window, fd, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	handle = vimport_import(gpu->fd, window.dmabuf, 0);
	vimport_vm_map(gpu->fd, gpu->vm, handle, 0, WINDOW_VA, SIZE, 0);
	vimport_job_copy(&job, WINDOW_VA, gpu->va, SIZE);
	vimport_run(gpu->fd, gpu->vm, &job);
	dmabuf_oracle_check(oracle, window.map, when);
	vimport_vm_unmap(gpu->fd, gpu->vm, WINDOW_VA, SIZE);
	gem_close(gpu->fd, handle);
	vexport_bo_fini(&window);
	close(fd);
	unplug();
}

/* The session opens the exporter afresh, so that the old device is gone when its users are. */
static void next_round(struct vshare_session *s)
{
	close(s->exporter);
	plug();
	s->exporter = vexport_open();
}

static const uint32_t policies[] = { 0, DRM_VEXPORT_GEM_MOVING };

static void mapped(struct vshare_session *s)
{
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	for (unsigned int i = 0; i < 6; i++) {
		vexport_bo_init(&bo, s->exporter, SIZE, i % 3, policies[i / 3]);
		dmabuf_oracle_init(&oracle, SIZE);
		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
		tag(&gpu, &oracle, 0, SIZE);
		unplug();
		unplug_drop(&bo);
		/* Nobody but the importer has it now, and it goes on. */
		tag(&gpu, &oracle, HALF, HALF);
		check(s, &gpu, &oracle, "mapped before");
		vimport_gpu_fini(&gpu);
		dmabuf_oracle_fini(&oracle);
		next_round(s);
	}
}

static void imported_later(struct vshare_session *s)
{
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	for (unsigned int i = 0; i < 6; i++) {
		vexport_bo_init(&bo, s->exporter, SIZE, i % 3, policies[i / 3]);
		dmabuf_oracle_init(&oracle, SIZE);
		dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
		unplug();
		/* Without VRAM: the buffer may still have to move for an importer. */
		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, DRM_VIMPORT_IMPORT_NO_P2P);
		unplug_drop(&bo);
		check(s, &gpu, &oracle, "imported afterwards");
		vimport_gpu_fini(&gpu);
		dmabuf_oracle_fini(&oracle);
		next_round(s);
	}
}

static void pending_move(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = {
		.placement = DRM_VEXPORT_PLACEMENT_TT,
		.flags = DRM_VEXPORT_MOVE_ASYNC | DRM_VEXPORT_MOVE_OUT_FENCE,
	};
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	struct gate gate;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&oracle, SIZE);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	tag(&gpu, &oracle, 0, SIZE);
	gate_close(&gate, 0, bo.dmabuf, SIZE, GATE_LONG, 0);
	move.fd = bo.dmabuf;
	igt_assert_eq(__vexport_move(s->exporter, &move), 0);
	unplug();
	igt_assert(gate_closed(&gate));
	igt_assert(sync_file_busy(move.out_fence));
	gate_open(&gate);
	igt_assert_eq(sync_fence_wait(move.out_fence, FENCE_MS), 0);
	igt_assert_eq(sync_fence_status(move.out_fence), 1);
	check(s, &gpu, &oracle, "after the move");
	vimport_gpu_fini(&gpu);
	unplug_drop(&bo);
	dmabuf_oracle_fini(&oracle);
	/* A fence of the move is kept for longer than the device. */
	next_round(s);
	igt_assert_eq(sync_fence_status(move.out_fence), 1);
	close(move.out_fence);
}

/* Nobody waits for a buffer that is closed while a move of it is pending. */
static void pending_close(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct gate gate;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	gate_close(&gate, 0, bo.dmabuf, SIZE, GATE_LONG, 0);
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_MOVE_ASYNC);
	unplug();
	igt_assert(gate_closed(&gate));
	unplug_drop(&bo);
	next_round(s);
	gate_open(&gate);
}

static void storm(struct vshare_session *s)
{
	struct drm_vexport_storm args = {
		.fd_count = 1,
		.kinds = DRM_VEXPORT_STORM_RELOCATE | DRM_VEXPORT_STORM_VRAM |
			 DRM_VEXPORT_STORM_TT | DRM_VEXPORT_STORM_EVICT,
		.rate = 500,
	};
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&oracle, SIZE);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	args.fds = to_user_pointer(&bo.dmabuf);
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	for (int i = 0; i < 20; i++)
		tag(&gpu, &oracle, i & 1 ? HALF : 0, HALF);
	unplug();
	for (int i = 0; i < 10; i++)
		tag(&gpu, &oracle, HALF, HALF);
	check(s, &gpu, &oracle, "after a storm");
	/* The storm holds what nobody else has any more. */
	vimport_gpu_fini(&gpu);
	unplug_drop(&bo);
	close(s->exporter);
	plug();
	s->exporter = vexport_open();
	close(args.storm_fd);
	dmabuf_oracle_fini(&oracle);
}

static void statically(struct vshare_session *s)
{
	int vgem = vshare_open_vgem();
	uint32_t before, after;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	before = prime_fd_to_handle(vgem, bo.dmabuf);
	unplug();
	gem_close(vgem, before);
	after = prime_fd_to_handle(vgem, bo.dmabuf);
	unplug_drop(&bo);
	close(s->exporter);
	plug();
	s->exporter = vexport_open();
	gem_close(vgem, after);
	close(vgem);
}

static unsigned int shrink(void)
{
	char text[32] = "";
	int file = open(TT_SHRINK, O_RDONLY | O_CLOEXEC);

	igt_require_f(file >= 0, "Needs %s and root: %m\n", TT_SHRINK);
	igt_assert_lt(0, read(file, text, sizeof(text) - 1));
	close(file);
	return strtol(text, NULL, 10) > 0 ? atoi(text) : 0;
}

/* Memory is short, with or without a device. */
static void swapped(struct vshare_session *s)
{
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	unsigned int pages = 0;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&oracle, SIZE);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	tag(&gpu, &oracle, 0, SIZE);
	unplug();
	for (int i = 0; i < MAX_SHRINKS && pages < SIZE / 4096; i++)
		pages += shrink();
	igt_assert_lte_u32(SIZE / 4096, pages);
	check(s, &gpu, &oracle, "back from swap");
	vimport_gpu_fini(&gpu);
	unplug_drop(&bo);
	dmabuf_oracle_fini(&oracle);
}

static const struct vshare_subtest subtests[] = {
	{ "mapped", "An importer writes to the buffer and reads it as before.", mapped },
	{ "imported-later", "What was exported can still be imported, data and all.",
	  imported_later },
	{ "pending-move", "A move that was queued is made, and its fence signals.", pending_move },
	{ "pending-close", "A buffer that waits for a move can be given up.", pending_close },
	{ "storm", "What a storm has left where it was is whole.", storm },
	{ "static", "An importer that is not told of anything attaches and detaches.",
	  statically },
	{ "swapped", "Buffers go to swap, the importer is told, and they come back.", swapped },
};

igt_main
{
	unplug_run_subtests(subtests, ARRAY_SIZE(subtests));
}
