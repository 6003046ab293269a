// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/sched/signal.h>
#include <linux/sync_file.h>

#include <drm/drm_exec.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_fault.h"
#include "vexport_move.h"
#include "vexport_request.h"
#include "vexport_revoke.h"

/**
 * DOC: requests
 *
 * Moves that somebody asks for: a client that holds the dma-buf, or an importer
 * that cannot reach the buffer where it is. How a move is made is in
 * vexport_move.c.
 */

/* How often to try again for room in VRAM. */
#define MAX_ATTEMPTS	5

/**
 * vexport_request_placement_locked - move a buffer to a placement
 * @bo: the buffer
 * @placement: one of enum drm_vexport_placement
 * @interruptible: whether a signal ends a wait
 *
 * Does nothing if it is there. The copy may be pending on return, as a KERNEL
 * fence. Evicts other buffers; those that are locked by others are waited for
 * if the reservation was taken with a ticket.
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -EBUSY if the buffer is pinned; -ENOMEM; -ERESTARTSYS.
 */
int vexport_request_placement_locked(struct vexport_bo *bo, u32 placement, bool interruptible)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct ttm_place place = { .mem_type = placement };
	struct ttm_placement ttm_placement = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = { .interruptible = interruptible };

	dma_resv_assert_held(bo->base.base.resv);

	if (bo->base.resource->mem_type != placement && bo->base.pin_count) {
		vexport_fault_notify_locked(bo, DRM_VEXPORT_FAULT_NOTIFY_PINNED);
		return -EBUSY;
	}
	/* No eviction could make this fit: do not try. */
	if (placement == TTM_PL_VRAM && bo->base.base.size > vdev->vram.size)
		return -ENOMEM;
	return ttm_bo_validate(&bo->base, &ttm_placement, &ctx);
}

static int relocate_vram(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct ttm_place place = { .mem_type = TTM_PL_VRAM };
	struct ttm_placement placement = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct ttm_resource *new_mem;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	/* Both places exist at a time: no eviction could make this fit. */
	if (bo->base.base.size > vdev->vram.size / 2)
		return -ENOMEM;

	ret = ttm_bo_mem_space(&bo->base, &placement, &new_mem, &ctx);
	if (ret)
		return ret == -ENOSPC ? -ENOMEM : ret;

	ttm_bo_unmap_virtual(&bo->base);
	ret = vexport_move(&bo->base, false, &ctx, new_mem, NULL);
	if (ret)
		ttm_resource_free(&bo->base, &new_mem);
	return ret;
}

static int relocate_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (bo->base.pin_count) {
		vexport_fault_notify_locked(bo, DRM_VEXPORT_FAULT_NOTIFY_PINNED);
		return -EBUSY;
	}
	if (bo->base.resource->mem_type == TTM_PL_VRAM)
		return relocate_vram(bo);
	return vexport_move_exchange_locked(bo);
}

/* Only while the reservation is held: somebody else may move the buffer next. */
static int make_move_locked(struct vexport_bo *bo, u32 placement, bool relocate, bool waits)
{
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	bo->waited_for = waits;
	if (relocate)
		ret = relocate_locked(bo);
	else
		ret = vexport_request_placement_locked(bo, placement, true);
	bo->waited_for = false;
	return ret;
}

static int request_once(struct vexport_bo *bo, u32 placement, bool relocate, bool waits,
			u64 *generation, struct dma_fence **fence)
{
	struct drm_exec exec;
	int ret;

	drm_exec_init(&exec, DRM_EXEC_INTERRUPTIBLE_WAIT, 1);
	drm_exec_until_all_locked(&exec) {
		ret = drm_exec_lock_obj(&exec, &bo->base.base);
		drm_exec_retry_on_contention(&exec);
		if (ret)
			break;

		ret = vexport_revoke_check_locked(bo);
		if (ret)
			break;

		/* In the loop: TTM takes more reservations with our ticket. */
		ret = make_move_locked(bo, placement, relocate, waits);
		if (ret)
			break;
		*generation = bo->generation;
		if (fence && dma_resv_get_singleton(bo->base.base.resv, DMA_RESV_USAGE_KERNEL,
						    fence))
			/* No memory to name the fences: wait for them here. */
			dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, false,
					      MAX_SCHEDULE_TIMEOUT);
	}
	drm_exec_fini(&exec);
	return ret == -EINTR ? -ERESTARTSYS : ret;
}

static int request(struct vexport_bo *bo, u32 placement, bool relocate, bool waits,
		   u64 *generation, struct dma_fence **fence)
{
	unsigned int i;
	int ret;

	if (fence)
		*fence = NULL;

	/*
	 * Two clients that evict each other's buffers: TTM backs off from the
	 * lock like everybody else, but calls that lack of space.
	 */
	for (i = 0; i < MAX_ATTEMPTS; i++) {
		ret = request_once(bo, placement, relocate, waits, generation, fence);
		if (ret != -ENOMEM)
			break;
		cond_resched();
	}
	return ret;
}

/**
 * vexport_request_queue - move a buffer, and do not wait for the copy
 * @bo: the buffer
 * @placement: one of enum drm_vexport_placement
 * @relocate: fresh pages where it is, whatever @placement says
 * @generation: Output: the buffer's generation after the move
 * @fence: Output: a reference to the fence that signals when the move is over, NULL if
 *	it is; may be NULL if nobody wants to know
 *
 * Fresh pages in the same placement are, to importers that cannot reach VRAM,
 * the move they feel: a buffer that they map is in TT, and between TT and SYSTEM
 * its pages stay the same.
 *
 * Locks: takes the reservation.
 *
 * Return: 0; -EBUSY if the buffer is pinned; -ENODEV if it is revoked; -ENOMEM;
 * -ERESTARTSYS, and then nothing has moved.
 */
int vexport_request_queue(struct vexport_bo *bo, u32 placement, bool relocate, u64 *generation,
			  struct dma_fence **fence)
{
	return request(bo, placement, relocate, false, generation, fence);
}

/**
 * vexport_request_move - move a buffer and wait until the move is over
 * @bo: the buffer
 * @placement: one of enum drm_vexport_placement
 * @relocate: fresh pages where it is, whatever @placement says
 * @generation: Output: the buffer's generation after the move
 *
 * What would only be queued to be waited for may be copied with the reservation held.
 *
 * Locks: takes the reservation.
 *
 * Return: 0; -EBUSY if the buffer is pinned; -ENODEV if it is revoked; -ENOMEM;
 * -ERESTARTSYS, and then nothing has moved.
 */
int vexport_request_move(struct vexport_bo *bo, u32 placement, bool relocate, u64 *generation)
{
	struct dma_fence *fence;
	int ret;

	ret = request(bo, placement, relocate, true, generation, &fence);
	if (ret || !fence)
		return ret;

	/*
	 * The move is made and cannot be taken back, so a signal must not make
	 * the call start again: it would move twice. But nobody who is being
	 * killed has to wait.
	 */
	while (!dma_fence_wait_timeout(fence, false, HZ / 10)) {
		if (fatal_signal_pending(current))
			break;
	}
	dma_fence_put(fence);
	return 0;
}

/* The move is made, so this cannot fail: without memory it waits instead. */
static int install_out_fence(int fd, struct dma_fence *fence)
{
	struct sync_file *sync_file = sync_file_create(fence);

	if (!sync_file) {
		dma_fence_wait(fence, false);
		put_unused_fd(fd);
		return -1;
	}
	fd_install(fd, sync_file->file);
	return fd;
}

static int move_out_fence(struct vexport_bo *bo, struct drm_vexport_bo_move *args)
{
	struct dma_fence *fence;
	int fd, ret;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;

	ret = vexport_request_queue(bo, args->placement, args->flags & DRM_VEXPORT_MOVE_RELOCATE,
				    &args->generation, &fence);
	if (ret) {
		put_unused_fd(fd);
		return ret;
	}

	if (!fence)
		fence = dma_fence_get_stub();
	args->out_fence = install_out_fence(fd, fence);
	dma_fence_put(fence);
	return 0;
}

static int move_as_asked(struct vexport_bo *bo, struct drm_vexport_bo_move *args)
{
	bool relocate = args->flags & DRM_VEXPORT_MOVE_RELOCATE;

	if (args->flags & DRM_VEXPORT_MOVE_OUT_FENCE)
		return move_out_fence(bo, args);

	args->out_fence = -1;
	if (args->flags & DRM_VEXPORT_MOVE_ASYNC)
		return vexport_request_queue(bo, args->placement, relocate, &args->generation,
					     NULL);
	return vexport_request_move(bo, args->placement, relocate, &args->generation);
}

/**
 * vexport_request_ioctl_move - DRM_IOCTL_VEXPORT_BO_MOVE
 * @drm: device
 * @data: &struct drm_vexport_bo_move
 * @file: client
 */
int vexport_request_ioctl_move(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_bo_move *args = data;
	struct dma_buf *dmabuf;
	int ret;

	if (args->pad || args->pad2 ||
	    args->flags & ~(DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC |
			    DRM_VEXPORT_MOVE_OUT_FENCE) ||
	    args->placement > DRM_VEXPORT_PLACEMENT_VRAM ||
	    (args->flags & DRM_VEXPORT_MOVE_RELOCATE && args->placement))
		return -EINVAL;

	/* Nothing is left to wait for when a synchronous move returns. */
	if (args->flags & DRM_VEXPORT_MOVE_OUT_FENCE && !(args->flags & DRM_VEXPORT_MOVE_ASYNC))
		return -EINVAL;

	dmabuf = vexport_dmabuf_get(drm, args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = move_as_asked(gem_to_vexport_bo(dmabuf->priv), args);
	dma_buf_put(dmabuf);
	return ret;
}
