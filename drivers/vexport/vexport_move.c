// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_copy.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_move.h"
#include "vexport_quarantine.h"
#include "vexport_storage.h"
#include "vexport_ttm.h"

/**
 * DOC: moves
 *
 * Whenever a buffer leaves storage, the order is the same, and the reservation
 * is held from the first step to the last but one:
 *
 * 1. CPU mappings are zapped; a fault then waits for the reservation;
 * 2. every importer is told, through every live dma-buf of the buffer;
 * 3. a fence slot is reserved again, for an importer may have used it up;
 * 4. the copy waits for all fences of the buffer, down to BOOKKEEP: until then
 *    importers may go on using the old storage;
 * 5. the copy's own fence is published as a KERNEL fence, which everybody obeys
 *    before touching the new storage;
 * 6. the old storage is given up when that fence has signalled, or, if an
 *    importer still has it mapped, when it is unmapped.
 *
 * Between an importer's job and a move only the order of the two critical
 * sections matters, whichever comes first::
 *
 *	importer: submit			exporter: move
 *
 *	lock(resv)
 *	  map, if not valid
 *	  add job fence (BOOKKEEP)
 *	unlock(resv)
 *						lock(resv)
 *						  invalidate_mappings()
 *	job writes to the old storage		  copy depends on the job fence
 *	job fence signals			  add copy fence (KERNEL)
 *						unlock(resv)
 *						copy: old storage -> new storage
 *	lock(resv)
 *	  not valid any more: map
 *	  next job depends on the copy fence
 *	  add job fence (BOOKKEEP)
 *	unlock(resv)				copy fence signals
 *	job writes to the new storage
 *
 * Explicit moves queue the copy. Evictions copy on the spot: TTM reuses the
 * place of an evicted buffer at once, and would free the target under a queued
 * copy if waiting for it took too long.
 *
 * Between TT and SYSTEM a buffer keeps its storage, and there is nothing to copy.
 */

/* What is known of a move from the moment that importers have been told. */
struct move {
	bool busy;
};

/* Does somebody else than our own copy engine still use the buffer? */
static bool importer_pending_locked(struct vexport_bo *bo)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_for_each_fence(&cursor, bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP, fence) {
		if (fence->context != bo->copy_context && !dma_fence_is_signaled(fence))
			return true;
	}
	return false;
}

static void notify_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct vexport_dmabuf *vdmabuf;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(vdmabuf, &bo->dmabufs, node) {
		dma_buf_invalidate_mappings(vdmabuf->dmabuf);
		bo->notifies++;
		atomic64_inc(&vdev->stats.notifies);
	}
}

/* Steps 2 and 3. A failure leaves a buffer that importers map anew: no harm. */
static int begin_locked(struct vexport_bo *bo, struct move *move, bool evict)
{
	dma_resv_assert_held(bo->base.base.resv);

	/*
	 * What was written to former storage until now belongs to this
	 * generation. Not if somebody waits for memory: the next check finds it.
	 */
	if (!evict)
		vexport_quarantine_check_locked(bo);

	move->busy = importer_pending_locked(bo);
	notify_locked(bo);
	return dma_resv_reserve_fences(bo->base.base.resv, 1);
}

static void end_locked(struct vexport_bo *bo, struct move *move, bool evict)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);

	dma_resv_assert_held(bo->base.base.resv);

	/* Finding its first place is not a move. */
	if (!bo->placed)
		return;
	bo->generation++;
	bo->moves_busy += move->busy;
	atomic64_inc(&vdev->stats.moves);
	if (evict) {
		bo->evictions++;
		atomic64_inc(&vdev->stats.evictions);
	}
}

/*
 * May a client have the buffer leave its storage? What it leaves is memory that
 * somebody still holds: the copy that is queued holds both storages, so one of
 * them per buffer must do, and an importer holds what it has mapped.
 */
static int may_leave_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	long ret;

	dma_resv_assert_held(bo->base.base.resv);

	if (!vexport_quarantine_has_room_locked(bo, storage))
		return -ENOMEM;
	ret = dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}

/* Step 4 and 5. */
static int move_queued(struct vexport_bo *bo, struct ttm_resource *new_mem,
		       struct vexport_storage *dst, struct vexport_storage *src)
{
	struct dma_fence *fence;
	int ret;

	fence = vexport_copy_submit_locked(bo, dst, src);
	if (IS_ERR(fence))
		return PTR_ERR(fence);

	ret = ttm_bo_move_accel_cleanup(&bo->base, fence, false, false, new_mem);
	if (ret) {
		/*
		 * No memory to keep the old storage on a ghost. The copy runs
		 * and TTM is about to free its target: wait, then bring back
		 * what the quarantine may have overwritten.
		 */
		dma_fence_wait(fence, false);
		vexport_storage_copy(src, dst);
		vexport_quarantine_cancel_locked(bo, src);
	}
	dma_fence_put(fence);
	return ret;
}

static int move_inline(struct vexport_bo *bo, struct ttm_operation_ctx *ctx,
		       struct ttm_resource *new_mem, struct vexport_storage *dst,
		       struct vexport_storage *src)
{
	bool fill;
	int ret;

	ret = ttm_bo_wait_ctx(&bo->base, ctx);
	if (ret)
		return ret;

	fill = vexport_quarantine_add_locked(bo, src);
	vexport_storage_copy(dst, src);
	if (fill)
		vexport_quarantine_fill(src);
	ttm_bo_move_sync_cleanup(&bo->base, new_mem);
	return 0;
}

/* The storage of a target: system pages exist already, TTM made them. */
static int target_storage(struct vexport_bo *bo, struct ttm_operation_ctx *ctx,
			  struct ttm_resource *new_mem, struct vexport_storage **dst)
{
	int ret;

	if (new_mem->mem_type == TTM_PL_VRAM) {
		*dst = to_vexport_vram_resource(new_mem)->storage;
		return 0;
	}

	/* TTM populates what goes to TT, not what goes to SYSTEM. */
	ret = ttm_bo_populate(&bo->base, ctx);
	if (ret)
		return ret;
	*dst = to_vexport_tt(bo->base.ttm)->storage;
	return 0;
}

/* Between TT and SYSTEM the pages stay, and with them all that was written. */
static int move_same_pages(struct vexport_bo *bo, bool evict, struct ttm_resource *new_mem)
{
	struct move move = {};
	int ret;

	/*
	 * A buffer in SYSTEM may be swapped out, so no importer has a valid
	 * mapping of one, and going to TT takes nothing away from anybody.
	 */
	if (new_mem->mem_type == TTM_PL_SYSTEM) {
		ret = begin_locked(bo, &move, evict);
		if (ret)
			return ret;
	}
	ttm_bo_move_null(&bo->base, new_mem);
	end_locked(bo, &move, evict);
	return 0;
}

static int move_copy(struct vexport_bo *bo, bool evict, struct ttm_operation_ctx *ctx,
		     struct ttm_resource *new_mem)
{
	struct vexport_storage *dst, *src;
	struct move move;
	int ret;

	/* Swapped out: the pages come back first. */
	if (bo->base.ttm && bo->base.ttm->page_flags & TTM_TT_FLAG_SWAPPED) {
		ret = ttm_bo_populate(&bo->base, ctx);
		if (ret)
			return ret;
	}
	src = vexport_bo_storage_locked(bo);

	ret = target_storage(bo, ctx, new_mem, &dst);
	if (ret)
		return ret;

	/* Never had pages: it is all zeroes, and nobody can have mapped it. */
	if (!src) {
		ret = ttm_bo_wait_ctx(&bo->base, ctx);
		if (ret)
			return ret;
		vexport_storage_clear(dst);
		ttm_bo_move_sync_cleanup(&bo->base, new_mem);
		end_locked(bo, &(struct move){}, evict);
		return 0;
	}

	/* Whoever may not wait must not make importers drop their mappings for nothing. */
	if (evict && ctx->no_wait_gpu &&
	    !dma_resv_test_signaled(bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP))
		return -EBUSY;

	if (!evict) {
		ret = may_leave_locked(bo, src);
		if (ret)
			return ret;
	}

	ret = begin_locked(bo, &move, evict);
	if (ret)
		return ret;

	ret = evict ? move_inline(bo, ctx, new_mem, dst, src) : move_queued(bo, new_mem, dst, src);
	if (ret)
		return ret;
	end_locked(bo, &move, evict);
	return 0;
}

/**
 * vexport_move - TTM moves a buffer
 * @tbo: the buffer
 * @evict: to free memory
 * @ctx: whether to wait and how
 * @new_mem: target; becomes the buffer's if the call succeeds
 * @hop: unused, every move is made in one step
 *
 * Locks: the reservation is held. CPU mappings are zapped.
 *
 * Return: 0; -EBUSY if the buffer is pinned, or busy and @ctx forbids to wait;
 * -ENOMEM; -ERESTARTSYS. The buffer is where it was then, its content intact.
 */
int vexport_move(struct ttm_buffer_object *tbo, bool evict, struct ttm_operation_ctx *ctx,
		 struct ttm_resource *new_mem, struct ttm_place *hop)
{
	struct vexport_bo *bo = to_vexport_bo(tbo);

	dma_resv_assert_held(tbo->base.resv);

	/* A ghost that swapout has caught before TTM could mark it as deleted. */
	if (!vexport_bo_is_ours(tbo))
		return -EBUSY;

	if (!tbo->resource) {
		ttm_bo_move_null(tbo, new_mem);
		return 0;
	}

	/* TTM's evict-all does not look at pins. */
	if (tbo->pin_count)
		return -EBUSY;

	if (tbo->resource->mem_type != TTM_PL_VRAM && new_mem->mem_type != TTM_PL_VRAM)
		return move_same_pages(bo, evict, new_mem);
	return move_copy(bo, evict, ctx, new_mem);
}

/**
 * vexport_move_exchange_locked - give a buffer fresh system pages
 * @bo: a buffer in TT or SYSTEM that is not pinned
 *
 * The placement stays, so TTM need not know. The copy is pending on return, as a
 * KERNEL fence.
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -ENOMEM; -ERESTARTSYS. The buffer is where it was then.
 */
int vexport_move_exchange_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct vexport_storage *dst, *src;
	struct dma_fence *fence;
	struct move move;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	ret = vexport_bo_populate_locked(bo);
	if (ret)
		return ret;

	src = vexport_bo_storage_locked(bo);
	ret = may_leave_locked(bo, src);
	if (ret)
		return ret;

	dst = vexport_storage_alloc_system(vdev, src->npages, GFP_HIGHUSER | __GFP_NOWARN);
	if (IS_ERR(dst))
		return PTR_ERR(dst);

	ttm_bo_unmap_virtual(&bo->base);
	ret = begin_locked(bo, &move, false);
	if (ret)
		goto err_put_dst;

	fence = vexport_copy_submit_locked(bo, dst, src);
	if (IS_ERR(fence)) {
		ret = PTR_ERR(fence);
		goto err_put_dst;
	}

	dma_resv_add_fence(bo->base.base.resv, fence, DMA_RESV_USAGE_KERNEL);
	dma_fence_put(fence);
	vexport_ttm_set_storage_locked(bo, dst);
	end_locked(bo, &move, false);
	return 0;

err_put_dst:
	vexport_storage_put(dst);
	return ret;
}
