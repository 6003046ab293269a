// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/wait.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_utils.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_fault.h"
#include "vexport_move.h"
#include "vexport_pattern.h"
#include "vexport_quarantine.h"
#include "vexport_revoke.h"
#include "vexport_stall.h"
#include "vexport_storage.h"
#include "vexport_trace.h"

/**
 * DOC: revoke
 *
 * A move takes a buffer's place away, a revoke the buffer itself, for some time or
 * for good. Access to it ends in the steps that the dma-buf documentation gives for
 * a full stop:
 *
 * 1. with the reservation held, the buffer is marked, CPU mappings are zapped and
 *    importers are told. From here on to map gives -ENODEV, and a fault SIGBUS;
 * 2. all fences of the buffer signal, down to BOOKKEEP: nobody writes any more;
 * 3. all sg tables are unmapped: nobody reads any more, not even to throw it away.
 *
 * Nobody holds the reservation while steps 2 and 3 are waited for: to unmap takes it,
 * and the answer to a fault need not wait for a job::
 *
 *	importer: release work			exporter: revoke
 *
 *						lock(resv)
 *						  revoked = TEMPORARY
 *						  invalidate_mappings()
 *						unlock(resv)
 *						wait for the fences
 *						wait until maps == 0
 *	lock(resv)
 *	  dma_buf_unmap_attachment()
 *	    --maps == 0: wake
 *	unlock(resv)
 *						[nobody can map: it stays 0]
 *
 * An importer that does not unmap ends the wait by its time-out. It keeps the storage
 * by the references of its sg tables, as after a move, so giving up the pages between
 * steps 2 and 3 takes nothing from it; and what it writes there from then on is found
 * by the quarantine. Pins do not prevent a revoke: an importer that pins asks
 * not to be moved.
 *
 * When the device is unplugged nobody waits any more: nothing could undo a revoke then,
 * and no client's answer depends on it.
 *
 * A buffer that is revoked for some time keeps its data and may be evicted or
 * swapped out as ever. One that is revoked for good is in SYSTEM, without pages.
 */

/**
 * vexport_revoke_check_locked - may the buffer be used?
 * @bo: the buffer
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -ENODEV if it is revoked.
 */
int vexport_revoke_check_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	return bo->revoked ? -ENODEV : 0;
}

/**
 * vexport_revoke_let_go_locked - a mapping of a buffer has gone
 * @bo: the buffer
 *
 * Locks: the reservation is held.
 */
void vexport_revoke_let_go_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (!bo->maps && !bo->vmaps)
		wake_up_all(&bo->let_go);
}

/*
 * Without the reservation, which whoever unmaps takes. Zero is final until the revoke
 * is undone, and then there is nothing to wait for. Nor is there without the device.
 */
static bool has_let_go(struct vexport_bo *bo)
{
	return !READ_ONCE(bo->revoked) || (!READ_ONCE(bo->maps) && !READ_ONCE(bo->vmaps)) ||
	       drm_dev_is_unplugged(bo->base.base.dev);
}

/* Is everybody who may have the buffer mapped somebody who has been told? */
static bool all_were_told_locked(struct vexport_bo *bo)
{
	struct dma_buf_attachment *attach;
	struct vexport_dmabuf *vdmabuf;
	struct vexport_attachment *att;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(vdmabuf, &bo->dmabufs, node) {
		list_for_each_entry(attach, &vdmabuf->dmabuf->attachments, node) {
			att = attach->priv;
			if (att->maps && !att->dynamic)
				return false;
		}
	}
	return !bo->vmaps;
}

/* Step 1. Also done if there is nothing to do but to wait. */
static int begin_locked(struct vexport_bo *bo, u32 state, struct dma_fence **fence)
{
	u32 before;
	long ret;

	dma_resv_assert_held(bo->base.base.resv);

	before = bo->revoked;
	if (before == DRM_VEXPORT_REVOKE_PERMANENT && state != before)
		return -ENODEV;

	WRITE_ONCE(bo->revoked, state);
	trace_vexport_revoke_begin(bo, 0);
	if (!before) {
		ttm_bo_unmap_virtual(&bo->base);
		vexport_stall_bo(bo, DRM_VEXPORT_STALL_REVOKE_MARKED);
		vexport_move_notify_locked(bo);
	}

	if (!dma_resv_get_singleton(bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP, fence))
		return 0;
	/* No memory to name the fences: wait for them here. */
	ret = dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP, true,
				    MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}

static int begin(struct vexport_bo *bo, u32 state, struct dma_fence **fence)
{
	int ret;

	ret = vexport_bo_lock(bo);
	if (ret)
		return ret;
	ret = begin_locked(bo, state, fence);
	dma_resv_unlock(bo->base.base.resv);
	return ret;
}

/*
 * TTM takes the pages of a buffer away whether or not it is pinned, and then leaves it
 * without a resource. Everybody else looks at that to find out where a buffer is, so
 * it gets one again, which holds nothing.
 */
static int gut_locked(struct vexport_bo *bo)
{
	struct ttm_place place = { .mem_type = TTM_PL_SYSTEM };
	struct ttm_placement system = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct ttm_placement nowhere = {};
	struct ttm_resource *resource;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	ret = ttm_bo_mem_space(&bo->base, &system, &resource, &ctx);
	if (ret)
		return ret;

	ret = ttm_bo_validate(&bo->base, &nowhere, &ctx);
	if (ret) {
		ttm_resource_free(&bo->base, &resource);
		return ret;
	}
	ttm_bo_assign_mem(&bo->base, resource);
	return 0;
}

static int give_up_pages_locked(struct vexport_bo *bo)
{
	struct vexport_storage *storage;
	long ret;

	dma_resv_assert_held(bo->base.base.resv);

	/* Nothing is left to wait for but jobs of an importer that did not listen. */
	ret = dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	/* TTM frees swap space before the end of a buffer only by reading it back. */
	if (bo->base.ttm && bo->base.ttm->page_flags & TTM_TT_FLAG_SWAPPED) {
		ret = vexport_bo_populate_locked(bo);
		if (ret)
			return ret;
	}

	storage = vexport_bo_storage_locked(bo);
	if (!storage)
		return 0;

	/* What somebody writes who could not be told must not be held against others. */
	if (all_were_told_locked(bo) && vexport_quarantine_add_locked(bo, storage))
		vexport_pattern_fill(storage);
	return gut_locked(bo);
}

static int give_up_pages(struct vexport_bo *bo)
{
	int ret;

	ret = vexport_bo_lock(bo);
	if (ret)
		return ret;
	ret = give_up_pages_locked(bo);
	dma_resv_unlock(bo->base.base.resv);
	return ret;
}

static int count_maps(struct vexport_bo *bo, u32 *maps)
{
	int ret;

	ret = vexport_bo_lock(bo);
	if (ret)
		return ret;
	*maps = bo->maps + bo->vmaps;
	dma_resv_unlock(bo->base.base.resv);
	return 0;
}

/* Steps 2 and 3. */
static int finish(struct vexport_bo *bo, struct drm_vexport_bo_revoke *args,
		  struct dma_fence *fence)
{
	long ret;

	if (fence) {
		ret = dma_fence_wait(fence, true);
		dma_fence_put(fence);
		if (ret)
			return ret;
	}

	trace_vexport_revoke_idle(bo, 0);
	if (args->state == DRM_VEXPORT_REVOKE_PERMANENT) {
		ret = give_up_pages(bo);
		if (ret)
			return ret;
	}

	vexport_stall_bo(bo, DRM_VEXPORT_STALL_REVOKE_IDLE);
	if (vexport_fault_breaks(bo, DRM_VEXPORT_FAULT_HASTY_REVOKE))
		return 0;
	ret = wait_event_interruptible_timeout(bo->let_go, has_let_go(bo),
					       drm_timeout_abs_to_jiffies(args->timeout_nsec));
	if (ret < 0)
		return ret;
	if (drm_dev_is_unplugged(bo->base.base.dev))
		return -ENODEV;
	return count_maps(bo, &args->maps);
}

static int revoke(struct vexport_bo *bo, struct drm_vexport_bo_revoke *args)
{
	struct dma_fence *fence = NULL;
	int ret;

	ret = begin(bo, args->state, &fence);
	if (ret)
		return ret;

	ret = finish(bo, args, fence);
	trace_vexport_revoke_end(bo, ret);
	return ret;
}

static int restore_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (bo->revoked == DRM_VEXPORT_REVOKE_PERMANENT)
		return -ENODEV;

	WRITE_ONCE(bo->revoked, DRM_VEXPORT_REVOKE_NONE);
	trace_vexport_revoke_undo(bo, 0);
	wake_up_all(&bo->let_go);
	return 0;
}

/* Nobody is told: who wants the buffer asks for it again, as after any failure to map. */
static int restore(struct vexport_bo *bo, struct drm_vexport_bo_revoke *args)
{
	int ret;

	ret = vexport_bo_lock(bo);
	if (ret)
		return ret;
	ret = restore_locked(bo);
	if (!ret)
		args->maps = bo->maps + bo->vmaps;
	dma_resv_unlock(bo->base.base.resv);
	return ret;
}

/**
 * vexport_revoke_unplugged - end all waits for importers
 * @vdev: device, unplugged: whoever begins to wait from now on sees that
 */
void vexport_revoke_unplugged(struct vexport_device *vdev)
{
	struct vexport_bo *bo = NULL;

	while ((bo = vexport_bo_next(vdev, bo)))
		wake_up_all(&bo->let_go);
}

/**
 * vexport_revoke_ioctl - DRM_IOCTL_VEXPORT_BO_REVOKE
 * @drm: device
 * @data: &struct drm_vexport_bo_revoke
 * @file: client
 */
int vexport_revoke_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_bo_revoke *args = data;
	struct dma_buf *dmabuf;
	struct vexport_bo *bo;
	int ret;

	if (args->flags || args->state > DRM_VEXPORT_REVOKE_PERMANENT ||
	    (args->state == DRM_VEXPORT_REVOKE_NONE && args->timeout_nsec))
		return -EINVAL;

	dmabuf = vexport_dmabuf_get(drm, args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	bo = gem_to_vexport_bo(dmabuf->priv);
	if (!vexport_bo_may_spoil(bo, file))
		ret = -EPERM;
	else if (args->state == DRM_VEXPORT_REVOKE_NONE)
		ret = restore(bo, args);
	else
		ret = revoke(bo, args);
	dma_buf_put(dmabuf);
	return ret;
}
