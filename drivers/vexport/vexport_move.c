// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/sizes.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_copy.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_fault.h"
#include "vexport_move.h"
#include "vexport_pattern.h"
#include "vexport_profile.h"
#include "vexport_quarantine.h"
#include "vexport_stall.h"
#include "vexport_storage.h"
#include "vexport_trace.h"
#include "vexport_ttm.h"
#include "vexport_usage.h"
#include "vexport_verdict.h"

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
 *    importer still has it mapped, goes into quarantine.
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
 * A move that is asked for queues its copy, so importers meet what is hardest to get
 * right: a move that is pending while the reservation is free. Two do not.
 *
 * Evictions copy on the spot: whoever moves the buffer waits in step 4, copies, and
 * does not drop the reservation until all is over, so there is no step 5. TTM reuses
 * the place of an evicted buffer at once, and would free the target under a queued
 * copy if waiting for it took too long.
 *
 * So does a call that waits for its move, if there is nothing to wait for in step 4
 * and not much to copy; see is_made_at_once_locked(). That spares two switches to the
 * copy engine's worker, two to TTM's, a fence and a ghost. Importers lose nothing: what
 * they did with the old storage is over, and to map the new one they need the
 * reservation, which the mover has until the content is there.
 *
 * Between TT and SYSTEM a buffer keeps its storage, and there is nothing to copy.
 */

/*
 * How much a call may copy with the reservation held. Others wait for that who would
 * not wait for a fence, such as an importer that wants to unmap, and a task that is
 * killed has to finish it first. Of what is larger the switches are next to nothing.
 */
#define MAX_COPY_AT_ONCE	SZ_4M

/* What is known of a move from the moment that importers have been told. */
struct move {
	bool busy;
	bool watched; /* what is left, because an importer has it mapped */
	bool touched; /* by a CPU */
	bool queued; /* a worker ends it */
	bool late; /* importers are told at its end: a deliberate bug */
};

/* Does somebody else than our own copy engine still use the buffer? */
static bool importer_pending_locked(struct vexport_bo *bo)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_assert_held(bo->base.base.resv);

	dma_resv_for_each_fence(&cursor, bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP, fence) {
		if (fence->context != bo->copy_context && !dma_fence_is_signaled(fence))
			return true;
	}
	return false;
}

static void note_notify_locked(struct vexport_bo *bo, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(attach, &dmabuf->attachments, node) {
		if (!attach->importer_ops)
			continue;
		trace_vexport_move_notify(bo, attach);
		vexport_verdict_notify_locked(attach->priv);
	}
}

static void notify_once_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct vexport_dmabuf *vdmabuf;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(vdmabuf, &bo->dmabufs, node) {
		note_notify_locked(bo, vdmabuf->dmabuf);
		dma_buf_invalidate_mappings(vdmabuf->dmabuf);
		bo->notifies++;
		atomic64_inc(&vdev->stats.notifies);
	}
}

/**
 * vexport_move_notify_locked - tell all importers that the buffer is being taken away
 * @bo: the buffer
 *
 * Through every live dma-buf. They stop using their mappings by the time at which
 * the fences that are in the reservation now have signalled.
 *
 * Locks: the reservation is held.
 */
void vexport_move_notify_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	notify_once_locked(bo);
	if (vexport_profile_acts_locked(bo, DRM_VEXPORT_NASTY_NOTIFY_TWICE))
		notify_once_locked(bo);
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
		vexport_quarantine_check_locked(bo, false);

	move->busy = importer_pending_locked(bo);
	move->touched = bo->cpu_touched;
	/* Zapped by now: the next fault sets it again. */
	bo->cpu_touched = false;
	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_BEGIN);
	move->late = vexport_fault_breaks(bo, DRM_VEXPORT_FAULT_LATE_NOTIFY);
	if (!move->late && !vexport_fault_breaks(bo, DRM_VEXPORT_FAULT_NO_NOTIFY))
		vexport_move_notify_locked(bo);
	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_NOTIFIED);
	return dma_resv_reserve_fences(bo->base.base.resv, 1);
}

static void end_locked(struct vexport_bo *bo, struct move *move, bool evict)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);

	dma_resv_assert_held(bo->base.base.resv);

	if (move->late)
		vexport_move_notify_locked(bo);
	if (!move->queued)
		trace_vexport_move_end(vdev, bo->id, vexport_bo_next_generation(bo), 0);

	/* Finding its first place is not a move. */
	if (!bo->placed)
		return;
	bo->generation++;
	bo->moves_busy += move->busy;
	bo->moves_mapped += move->watched;
	bo->moves_touched += move->touched;
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
static int may_leave_locked(struct vexport_bo *bo, struct vexport_storage *storage,
			    bool to_vram, bool interruptible)
{
	long ret;

	dma_resv_assert_held(bo->base.base.resv);

	if (!vexport_quarantine_has_room_locked(bo, storage, to_vram))
		return -ENOMEM;
	ret = dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, interruptible,
				    MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}

/* Step 4 and 5. */
static int move_queued(struct vexport_bo *bo, struct ttm_resource *new_mem,
		       struct vexport_storage *dst, struct vexport_storage *src)
{
	struct dma_fence *fence;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	fence = vexport_copy_submit_locked(bo, dst, src);
	if (IS_ERR(fence))
		return PTR_ERR(fence);

	ret = ttm_bo_move_accel_cleanup(&bo->base, fence, false, false, new_mem);
	if (ret) {
		/*
		 * No memory to keep the old storage on a ghost. The copy runs
		 * and TTM is about to free its target: wait, then bring back
		 * what the quarantine may have overwritten. Not while it watches:
		 * it would take that for stale writes, and undo them.
		 */
		dma_fence_wait(fence, false);
		vexport_quarantine_cancel_locked(bo, src);
		vexport_storage_copy(src, dst);
	}
	dma_fence_put(fence);
	return ret;
}

/*
 * Whether a move is copied here and now. To be asked after importers have been told,
 * because they may publish one more fence on that occasion. With a fence pending the
 * reservation would be held for as long as importers like; and who has set a stall
 * wants to meet the worker, with the reservation free.
 */
static bool is_made_at_once_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	return bo->waited_for && bo->base.base.size <= MAX_COPY_AT_ONCE &&
	       dma_resv_test_signaled(bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP) &&
	       !vexport_stall_exists(bo);
}

/* What a worker does for a move that is queued. No fence is pending. */
static void copy_locked(struct vexport_bo *bo, struct vexport_storage *dst,
			struct vexport_storage *src)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	u64 generation = vexport_bo_next_generation(bo);
	u64 since;
	bool fill;

	dma_resv_assert_held(bo->base.base.resv);

	trace_vexport_move_idle(vdev, bo->id, generation);
	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_IDLE);
	fill = vexport_quarantine_add_locked(bo, src);
	since = ktime_get_ns();
	vexport_storage_copy(dst, src);
	vexport_usage_copied(bo->usage, since);
	trace_vexport_move_copied(vdev, bo->id, generation);
	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_COPIED);
	if (fill)
		vexport_pattern_fill(src);
	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_DONE);
}

static int move_inline(struct vexport_bo *bo, struct ttm_operation_ctx *ctx,
		       struct ttm_resource *new_mem, struct vexport_storage *dst,
		       struct vexport_storage *src)
{
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_RESERVED);
	if (!vexport_fault_breaks(bo, DRM_VEXPORT_FAULT_NO_WAIT)) {
		ret = ttm_bo_wait_ctx(&bo->base, ctx);
		if (ret)
			return ret;
	}

	copy_locked(bo, dst, src);
	ttm_bo_move_sync_cleanup(&bo->base, new_mem);
	return 0;
}

/* The storage of a target: system pages exist already, TTM made them. */
static int target_storage(struct vexport_bo *bo, struct ttm_operation_ctx *ctx,
			  struct ttm_resource *new_mem, struct vexport_storage **dst)
{
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

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

	dma_resv_assert_held(bo->base.base.resv);

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
	struct move move = {};
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	/* Swapped out: the pages come back first. */
	if (bo->base.ttm && bo->base.ttm->page_flags & TTM_TT_FLAG_SWAPPED) {
		ret = ttm_bo_populate(&bo->base, ctx);
		if (ret)
			return ret;
	}
	src = vexport_bo_storage_locked(bo);
	move.watched = vexport_quarantine_would_watch(src);

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

	if (!evict) {
		ret = may_leave_locked(bo, src, new_mem->mem_type == TTM_PL_VRAM,
				       ctx->interruptible);
		if (ret)
			return ret;
	}

	ret = begin_locked(bo, &move, evict);
	if (ret)
		return ret;

	move.queued = !evict && !is_made_at_once_locked(bo);
	if (move.queued)
		ret = move_queued(bo, new_mem, dst, src);
	else
		ret = move_inline(bo, ctx, new_mem, dst, src);
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
	struct vexport_device *vdev = to_vexport_device(tbo->base.dev);
	struct vexport_bo *bo = to_vexport_bo(tbo);
	int ret;

	dma_resv_assert_held(tbo->base.resv);

	/* A ghost that swapout has caught before TTM could mark it as deleted. */
	if (!vexport_bo_is_ours(tbo))
		return -EBUSY;

	if (!tbo->resource) {
		ttm_bo_move_null(tbo, new_mem);
		return 0;
	}

	/* To TTM it is a validation; see vexport_evict_bo_locked(). */
	evict |= bo->evicting;

	/* TTM's evict-all does not look at pins. */
	if (tbo->pin_count)
		return -EBUSY;

	/* Whoever may not wait must not make importers drop their mappings for nothing. */
	if (evict && ctx->no_wait_gpu &&
	    !dma_resv_test_signaled(tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP))
		return -EBUSY;

	trace_vexport_move_begin(bo, new_mem->mem_type, evict);
	if (tbo->resource->mem_type != TTM_PL_VRAM && new_mem->mem_type != TTM_PL_VRAM)
		ret = move_same_pages(bo, evict, new_mem);
	else
		ret = move_copy(bo, evict, ctx, new_mem);
	if (ret)
		trace_vexport_move_end(vdev, bo->id, vexport_bo_next_generation(bo), ret);
	return ret;
}

static int queue_exchange_locked(struct vexport_bo *bo, struct vexport_storage *dst,
				 struct vexport_storage *src)
{
	struct dma_fence *fence;

	dma_resv_assert_held(bo->base.base.resv);

	fence = vexport_copy_submit_locked(bo, dst, src);
	if (IS_ERR(fence))
		return PTR_ERR(fence);

	dma_resv_add_fence(bo->base.base.resv, fence, DMA_RESV_USAGE_KERNEL);
	dma_fence_put(fence);
	return 0;
}

static int exchange_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct vexport_storage *dst, *src;
	struct move move = {};
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	ret = vexport_bo_populate_locked(bo);
	if (ret)
		return ret;

	src = vexport_bo_storage_locked(bo);
	move.watched = vexport_quarantine_would_watch(src);
	ret = may_leave_locked(bo, src, false, true);
	if (ret)
		return ret;

	dst = vexport_storage_alloc_system(vdev, src->npages, GFP_HIGHUSER | __GFP_NOWARN,
					   vexport_profile_is_contiguous_locked(bo));
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	vexport_profile_arrange_locked(bo, dst);

	ttm_bo_unmap_virtual(&bo->base);
	ret = begin_locked(bo, &move, false);
	if (ret)
		goto err_put_dst;

	move.queued = !is_made_at_once_locked(bo);
	if (move.queued) {
		ret = queue_exchange_locked(bo, dst, src);
		if (ret)
			goto err_put_dst;
	} else {
		vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_RESERVED);
		copy_locked(bo, dst, src);
	}
	vexport_ttm_set_storage_locked(bo, dst);
	end_locked(bo, &move, false);
	return 0;

err_put_dst:
	vexport_storage_put(dst);
	return ret;
}

/**
 * vexport_move_exchange_locked - give a buffer fresh system pages
 * @bo: a buffer in TT or SYSTEM that is not pinned
 *
 * The placement stays, so TTM need not know. The copy may be pending on return, as
 * a KERNEL fence.
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -ENOMEM; -ERESTARTSYS. The buffer is where it was then.
 */
int vexport_move_exchange_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	trace_vexport_move_begin(bo, bo->base.resource->mem_type, false);
	ret = exchange_locked(bo);
	if (ret)
		trace_vexport_move_end(vdev, bo->id, vexport_bo_next_generation(bo), ret);
	return ret;
}
