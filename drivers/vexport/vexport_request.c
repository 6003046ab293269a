// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/sched/signal.h>

#include <drm/drm_exec.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_move.h"
#include "vexport_request.h"

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

	if (bo->base.resource->mem_type != placement && bo->base.pin_count)
		return -EBUSY;
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

	if (bo->base.pin_count)
		return -EBUSY;
	if (bo->base.resource->mem_type == TTM_PL_VRAM)
		return relocate_vram(bo);
	return vexport_move_exchange_locked(bo);
}

static int request_once(struct vexport_bo *bo, u32 placement, u32 flags, u64 *generation,
			struct dma_fence **fence)
{
	struct drm_exec exec;
	int ret;

	drm_exec_init(&exec, DRM_EXEC_INTERRUPTIBLE_WAIT, 1);
	drm_exec_until_all_locked(&exec) {
		ret = drm_exec_lock_obj(&exec, &bo->base.base);
		drm_exec_retry_on_contention(&exec);
		if (ret)
			break;

		/* In the loop: TTM takes more reservations with our ticket. */
		if (flags & DRM_VEXPORT_MOVE_RELOCATE)
			ret = relocate_locked(bo);
		else
			ret = vexport_request_placement_locked(bo, placement, true);
		if (ret)
			break;
		*generation = bo->generation;
		if (flags & DRM_VEXPORT_MOVE_ASYNC)
			break;
		if (dma_resv_get_singleton(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, fence))
			/* No memory to name the fences: wait for them here. */
			dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, false,
					      MAX_SCHEDULE_TIMEOUT);
	}
	drm_exec_fini(&exec);
	return ret == -EINTR ? -ERESTARTSYS : ret;
}

/**
 * vexport_request_move - move a buffer as a client wants it
 * @bo: the buffer
 * @placement: one of enum drm_vexport_placement
 * @flags: mask of DRM_VEXPORT_MOVE_*
 * @generation: Output: the buffer's generation after the move
 *
 * Fresh pages in the same placement are, to importers that cannot reach VRAM,
 * the move they feel: a buffer that they map is in TT, and between TT and SYSTEM
 * its pages stay the same.
 *
 * Locks: takes the reservation.
 *
 * Return: 0; -EBUSY if the buffer is pinned; -ENOMEM; -ERESTARTSYS, and then
 * nothing has moved.
 */
int vexport_request_move(struct vexport_bo *bo, u32 placement, u32 flags, u64 *generation)
{
	struct dma_fence *fence = NULL;
	unsigned int i;
	int ret;

	/*
	 * Two clients that evict each other's buffers: TTM backs off from the
	 * lock like everybody else, but calls that lack of space.
	 */
	for (i = 0; i < MAX_ATTEMPTS; i++) {
		ret = request_once(bo, placement, flags, generation, &fence);
		if (ret != -ENOMEM)
			break;
		cond_resched();
	}
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
