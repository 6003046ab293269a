// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "sw_sync.h"

IGT_TEST_DESCRIPTION("Whoever queues a move gets a fence that tells when it is over, and only "
		     "if there is a move to tell of.");

#define SIZE			(256u << 10)
#define DELAY_NS		(400 * NSEC_PER_MSEC)
#define WAIT_MS			20000

#define FENCED			(DRM_VEXPORT_MOVE_ASYNC | DRM_VEXPORT_MOVE_OUT_FENCE)

/* BO_MOVE as it was before it could give a fence. */
#define OLD_MOVE_SIZE		24

static int move_fenced(int fd, int dmabuf, uint32_t placement, uint32_t flags)
{
	struct drm_vexport_bo_move move = {
		.fd = dmabuf,
		.placement = placement,
		.flags = FENCED | flags,
		.out_fence = -2,
	};

	igt_assert_eq(__vexport_move(fd, &move), 0);
	igt_assert_fd(move.out_fence);
	return move.out_fence;
}

/* A job that fills the buffer when the gate, if there is one, is open and a while has passed. */
static uint32_t start_job(struct vimport_gpu *gpu, const struct gate *gate, uint64_t value)
{
	uint32_t opened = gate ? gate_syncobj(gate, gpu->fd) : 0, done;
	struct vimport_job job = {};

	if (gate)
		vimport_job_sync(&job, opened, 0, 0);

	vimport_job_delay(&job, DELAY_NS);
	vimport_job_fill(&job, gpu->va, SIZE, value);
	done = vimport_submit(gpu->fd, gpu->vm, &job, 0);
	if (gate)
		syncobj_destroy(gpu->fd, opened);
	return done;
}

static void expect_value(const struct vexport_bo *bo, uint64_t value)
{
	for (size_t i = 0; i < SIZE / sizeof(*bo->map); i++)
		igt_assert_eq_u64(bo->map[i], value);
}

static void tells_when(struct vshare_session *s)
{
	static const struct {
		uint32_t from, to, flags;
	} moves[] = {
		{ DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_PLACEMENT_TT, 0 },
		{ DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_PLACEMENT_VRAM, 0 },
		{ DRM_VEXPORT_PLACEMENT_VRAM, 0, DRM_VEXPORT_MOVE_RELOCATE },
		{ DRM_VEXPORT_PLACEMENT_TT, 0, DRM_VEXPORT_MOVE_RELOCATE },
	};
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	struct gate gate;
	uint32_t done;
	int fence;

	for (unsigned int i = 0; i < ARRAY_SIZE(moves); i++) {
		vexport_bo_init(&bo, s->exporter, SIZE, moves[i].from, DRM_VEXPORT_GEM_MOVING);
		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
		gate_close(&gate, 0, -1, 0, GATE_LONG, 0);
		done = start_job(&gpu, &gate, 0x1000 + i);
		fence = move_fenced(s->exporter, bo.dmabuf, moves[i].to, moves[i].flags);
		/* The copy waits for the job, and the job has not begun to write. */
		igt_assert(sync_file_busy(fence));
		gate_open(&gate);
		igt_assert_eq(sync_fence_wait(fence, WAIT_MS), 0);
		igt_assert_eq(sync_fence_status(fence), 1);
		igt_assert(!dmabuf_busy(bo.dmabuf, DMA_BUF_SYNC_READ));
		expect_value(&bo, 0x1000 + i);
		igt_assert_eq(vimport_wait(gpu.fd, done), 0);
		igt_assert(fcntl(fence, F_GETFD) & FD_CLOEXEC);
		close(fence);
		vimport_gpu_fini(&gpu);
		vexport_bo_fini(&bo);
	}
}

static void nothing_to_do(struct vshare_session *s)
{
	struct vexport_bo bo;
	int fence;

	for (uint32_t placement = 0; placement < 3; placement++) {
		vexport_bo_init(&bo, s->exporter, SIZE, placement, 0);
		fence = move_fenced(s->exporter, bo.dmabuf, placement, 0);
		igt_assert_eq(sync_fence_wait(fence, WAIT_MS), 0);
		close(fence);
		vexport_bo_fini(&bo);
	}
}

static void outlives_buffer(struct vshare_session *s)
{
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t done;
	int fence;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	done = start_job(&gpu, NULL, 1);
	fence = move_fenced(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	vexport_bo_fini(&bo);
	igt_assert_eq(vimport_wait(gpu.fd, done), 0);
	vimport_gpu_fini(&gpu);
	igt_assert_eq(sync_fence_wait(fence, WAIT_MS), 0);
	igt_assert_eq(sync_fence_status(fence), 1);
	close(fence);
}

static void refused(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = {
		.placement = DRM_VEXPORT_PLACEMENT_TT,
		.out_fence = -2,
	};
	int vgem = vshare_open_vgem(), before;
	struct vexport_bo bo;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	move.fd = bo.dmabuf;
	before = vshare_next_fd();

	/* A move that is over on return has no use for a fence. */
	move.flags = DRM_VEXPORT_MOVE_OUT_FENCE;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EINVAL);
	move.flags = FENCED;
	move.pad2 = 1;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EINVAL);
	move.pad2 = 0;
	move.fd = s->exporter;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EINVAL);

	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	move.fd = bo.dmabuf;
	move.placement = 0;
	move.flags |= DRM_VEXPORT_MOVE_RELOCATE;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
	gem_close(vgem, handle);

	igt_assert_eq(move.out_fence, -2);
	igt_assert_eq(vshare_next_fd(), before);
	vexport_bo_fini(&bo);
	close(vgem);
}

static void only_if_asked(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = { .flags = DRM_VEXPORT_MOVE_RELOCATE };
	struct vexport_bo bo;
	int before;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	before = vshare_next_fd();
	move.fd = bo.dmabuf;
	igt_assert_eq(__vexport_move(s->exporter, &move), 0);
	igt_assert_eq(move.out_fence, -1);
	move.flags |= DRM_VEXPORT_MOVE_ASYNC;
	igt_assert_eq(__vexport_move(s->exporter, &move), 0);
	igt_assert_eq(move.out_fence, -1);
	igt_assert_eq(vshare_next_fd(), before);
	vexport_bo_fini(&bo);
}

static void old_size(struct vshare_session *s)
{
	const unsigned long request = _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE,
					   DRM_COMMAND_BASE + DRM_VEXPORT_BO_MOVE, OLD_MOVE_SIZE);
	struct drm_vexport_bo_move move = {
		.flags = DRM_VEXPORT_MOVE_RELOCATE,
		/* Not the kernel's to read or to write in a call of this size. */
		.out_fence = 0x1234,
		.pad2 = 0x5678,
	};
	struct vexport_bo bo;

	igt_assert_eq(offsetof(struct drm_vexport_bo_move, out_fence), OLD_MOVE_SIZE);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	move.fd = bo.dmabuf;
	do_ioctl(s->exporter, request, &move);
	igt_assert_eq_u64(move.generation, 1);
	igt_assert_eq(move.out_fence, 0x1234);
	igt_assert_eq(move.pad2, 0x5678);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "tells-when", "The fence signals after the importers' jobs and the copy, and then the "
	  "content is there.", tells_when },
	{ "nothing-to-do", "A buffer that is there already gives a fence that has signalled.",
	  nothing_to_do },
	{ "outlives-buffer", "The fence is good when the buffer is long gone.", outlives_buffer },
	{ "refused", "A call that fails gives no descriptor.", refused },
	{ "only-if-asked", "Who does not ask gets none.", only_if_asked },
	{ "old-size", "Programs that know nothing of the fence work as before.", old_size },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
