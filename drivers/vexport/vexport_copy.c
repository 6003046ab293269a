// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_copy.h"
#include "vexport_drv.h"
#include "vexport_fault.h"
#include "vexport_pattern.h"
#include "vexport_quarantine.h"
#include "vexport_stall.h"
#include "vexport_storage.h"
#include "vexport_trace.h"
#include "vexport_usage.h"

/**
 * DOC: copy engine
 *
 * An asynchronous move is a copy that starts when all fences of the buffer
 * have signalled, and whose own fence stands in the reservation object as a
 * KERNEL fence meanwhile. It is queued by the callback of the fence that it
 * depends on, so copies of other buffers do not wait for it.
 *
 * Not a &struct drm_gpu_scheduler: a scheduler's fences must not outlive the
 * scheduler, while anybody may keep the fence of a move as a sync_file for as
 * long as they like. A fence of this engine needs nothing but this module, and
 * holds a reference to it. Each buffer has a fence context of its own, whose
 * fences signal in order because a buffer has one copy pending at most.
 */

struct vexport_copy {
	struct dma_fence base;
	spinlock_t lock; /* of @base */
	struct dma_fence_cb cb; /* starts the copy */
	struct dma_fence *after; /* what @cb is on; may be NULL */
	struct work_struct work;
	struct vexport_storage *dst;
	struct vexport_storage *src;
	bool fill; /* put @src under watch afterwards */
	u64 bo_id; /* for tracepoints: the buffer may be gone */
	u64 generation;
	struct vexport_usage *usage; /* of the buffer; may be NULL */
};

/* Not the device's, which may be gone before them. */
static atomic_t fences;

/**
 * vexport_copy_fences - count fences
 *
 * Return: how many copies have a fence that exists now.
 */
unsigned int vexport_copy_fences(void)
{
	return atomic_read(&fences);
}

static const char *copy_get_driver_name(struct dma_fence *fence)
{
	return "vexport";
}

static const char *copy_get_timeline_name(struct dma_fence *fence)
{
	return "copy";
}

static void copy_fence_free(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct vexport_copy, base.rcu));
	atomic_dec(&fences);
	/* Unloading may begin now. It waits for us in rcu_barrier(). */
	module_put(THIS_MODULE);
}

static void copy_fence_release(struct dma_fence *fence)
{
	call_rcu(&fence->rcu, copy_fence_free);
}

static const struct dma_fence_ops copy_fence_ops = {
	.get_driver_name = copy_get_driver_name,
	.get_timeline_name = copy_get_timeline_name,
	.release = copy_fence_release,
};

static void copy_work(struct work_struct *work)
{
	struct vexport_copy *copy = container_of(work, struct vexport_copy, work);
	struct vexport_device *vdev = copy->src->vdev;
	u64 since;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	trace_vexport_move_idle(vdev, copy->bo_id, copy->generation);
	vexport_stall(vdev, copy->bo_id, DRM_VEXPORT_STALL_MOVE_IDLE);
	since = ktime_get_ns();
	vexport_storage_copy(copy->dst, copy->src);
	vexport_usage_copied(copy->usage, since);
	trace_vexport_move_copied(vdev, copy->bo_id, copy->generation);
	vexport_stall(vdev, copy->bo_id, DRM_VEXPORT_STALL_MOVE_COPIED);
	if (copy->fill)
		vexport_pattern_fill(copy->src);
	vexport_stall(vdev, copy->bo_id, DRM_VEXPORT_STALL_MOVE_DONE);
	/* Before the signal, so that who has waited for the move finds all its events. */
	trace_vexport_move_end(vdev, copy->bo_id, copy->generation, 0);
	dma_fence_signal(&copy->base);
	dma_fence_end_signalling(cookie);
	vexport_stall(vdev, copy->bo_id, DRM_VEXPORT_STALL_MOVE_RELEASE);

	/* May take locks under which others allocate: only now. */
	dma_fence_put(copy->after);
	vexport_storage_put(copy->dst);
	vexport_storage_put(copy->src);
	vexport_usage_put(copy->usage);
	dma_fence_put(&copy->base);
}

static void copy_start(struct vexport_copy *copy)
{
	queue_work(copy->src->vdev->copy_wq, &copy->work);
}

static void copy_after_signalled(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	copy_start(container_of(cb, struct vexport_copy, cb));
}

/**
 * vexport_copy_submit_locked - copy a buffer's content when its fences have signalled
 * @bo: the buffer, without a copy pending
 * @dst: where to
 * @src: where from; goes into quarantine if importers have it mapped, and is
 *	filled with the pattern after the copy
 *
 * The caller publishes the fence as a KERNEL fence before the reservation is
 * dropped. It signals a bounded time after the last fence of the buffer.
 *
 * Locks: the reservation is held.
 *
 * Return: a reference to the copy's fence, or an ERR_PTR: -ENOMEM; then nothing
 * has changed.
 */
struct dma_fence *vexport_copy_submit_locked(struct vexport_bo *bo, struct vexport_storage *dst,
					     struct vexport_storage *src)
{
	struct vexport_copy *copy;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_RESERVED);
	copy = kzalloc(sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return ERR_PTR(-ENOMEM);

	if (!vexport_fault_breaks(bo, DRM_VEXPORT_FAULT_NO_WAIT)) {
		ret = dma_resv_get_singleton(bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP,
					     &copy->after);
		if (ret) {
			kfree(copy);
			return ERR_PTR(ret);
		}
	}

	/* The buffer belongs to this module, so it cannot be going away now. */
	__module_get(THIS_MODULE);
	atomic_inc(&fences);
	spin_lock_init(&copy->lock);
	INIT_WORK(&copy->work, copy_work);
	copy->dst = vexport_storage_get(dst);
	copy->src = vexport_storage_get(src);
	copy->fill = vexport_quarantine_add_locked(bo, src);
	copy->usage = vexport_usage_get(bo->usage);
	copy->bo_id = bo->id;
	copy->generation = vexport_bo_next_generation(bo);
	dma_fence_init(&copy->base, &copy_fence_ops, &copy->lock, bo->copy_context,
		       ++bo->copy_seqno);

	/* One reference for the caller, one for the worker. */
	dma_fence_get(&copy->base);
	if (!copy->after || dma_fence_add_callback(copy->after, &copy->cb, copy_after_signalled))
		copy_start(copy);
	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MOVE_QUEUED);
	return &copy->base;
}

static void copy_fini(struct drm_device *drm, void *data)
{
	struct workqueue_struct *wq = data;

	destroy_workqueue(wq);
}

/**
 * vexport_copy_init - set up the copy engine
 * @vdev: device
 *
 * Undone when the device is released. No copy is waiting for its fence then:
 * its buffer would be there, and with it the device.
 *
 * Return: 0, -ENOMEM.
 */
int vexport_copy_init(struct vexport_device *vdev)
{
	/* Reclaim may wait for a move: the copy must not wait for reclaim. */
	vdev->copy_wq = alloc_workqueue("vexport-copy", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!vdev->copy_wq)
		return -ENOMEM;
	return drmm_add_action_or_reset(&vdev->drm, copy_fini, vdev->copy_wq);
}
