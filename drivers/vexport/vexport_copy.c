// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-fence.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>

#include "vexport_copy.h"
#include "vexport_drv.h"
#include "vexport_quarantine.h"
#include "vexport_storage.h"

/**
 * DOC: copy engine
 *
 * An asynchronous move is a copy that starts when all fences of the buffer
 * have signalled, and whose own fence stands in the reservation object as a
 * KERNEL fence meanwhile.
 *
 * Not a &struct drm_gpu_scheduler: the order that is wanted is one queue for
 * the whole device, which an ordered workqueue gives, and a scheduler's fences
 * must not outlive the scheduler, while anybody may keep a copy's fence as a
 * sync_file for as long as they like. A fence of this engine needs nothing but
 * this module, and holds a reference to it.
 *
 * The worker waits for the fence that the copy depends on. That cannot lock
 * up: copies start in the order in which they were queued, and a fence depends
 * only on fences that are older than itself.
 */

struct vexport_copy {
	struct dma_fence base;
	spinlock_t lock; /* of @base */
	struct work_struct work;
	struct vexport_storage *dst;
	struct vexport_storage *src;
	struct dma_fence *after; /* starts the copy; may be NULL */
	bool fill; /* put @src under watch afterwards */
};

static const char *copy_get_driver_name(struct dma_fence *fence)
{
	return "vexport";
}

static const char *copy_get_timeline_name(struct dma_fence *fence)
{
	return "copy";
}

static void copy_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	/* Last: this may be what unload has been waiting for. */
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops copy_fence_ops = {
	.get_driver_name = copy_get_driver_name,
	.get_timeline_name = copy_get_timeline_name,
	.release = copy_fence_release,
};

static void copy_put_storage(struct vexport_copy *copy)
{
	vexport_storage_put(copy->dst);
	vexport_storage_put(copy->src);
}

static void copy_work(struct work_struct *work)
{
	struct vexport_copy *copy = container_of(work, struct vexport_copy, work);
	bool cookie;

	cookie = dma_fence_begin_signalling();
	if (copy->after)
		dma_fence_wait(copy->after, false);
	vexport_storage_copy(copy->dst, copy->src);
	if (copy->fill)
		vexport_quarantine_fill(copy->src);
	dma_fence_signal(&copy->base);
	dma_fence_end_signalling(cookie);

	/* Takes locks under which others allocate: only now. */
	dma_fence_put(copy->after);
	copy_put_storage(copy);
	dma_fence_put(&copy->base);
}

/**
 * vexport_copy_alloc - prepare a copy
 * @dst: where to
 * @src: where from; if it is in quarantine it is filled with the pattern after
 *	the copy
 * @after: fence to wait for first, may be NULL; the reference is taken over if
 *	the call succeeds
 *
 * Everything that can fail is done here.
 *
 * Locks: the reservation of the buffer is held.
 *
 * Return: the copy, for vexport_copy_submit() or vexport_copy_free(), or NULL.
 */
struct vexport_copy *vexport_copy_alloc(struct vexport_storage *dst, struct vexport_storage *src,
					struct dma_fence *after)
{
	struct vexport_copy *copy = kzalloc(sizeof(*copy), GFP_KERNEL);

	if (!copy)
		return NULL;

	spin_lock_init(&copy->lock);
	INIT_WORK(&copy->work, copy_work);
	copy->dst = vexport_storage_get(dst);
	copy->src = vexport_storage_get(src);
	copy->after = after;
	return copy;
}

/**
 * vexport_copy_free - throw away a copy that was not submitted
 * @copy: the copy
 */
void vexport_copy_free(struct vexport_copy *copy)
{
	dma_fence_put(copy->after);
	copy_put_storage(copy);
	kfree(copy);
}

/**
 * vexport_copy_submit - start a copy
 * @copy: the copy, which belongs to the engine from now on
 *
 * Cannot fail: the fence that is returned will signal, in the order of
 * submission, a bounded time after the fence it depends on.
 *
 * Locks: the reservation of the buffer is held, so that the caller can publish
 * the fence before anybody looks. Takes &vexport_copy_engine.lock.
 *
 * Return: a reference to the copy's fence.
 */
struct dma_fence *vexport_copy_submit(struct vexport_copy *copy)
{
	struct vexport_copy_engine *engine = &copy->src->vdev->copy;
	struct dma_fence *fence = &copy->base;

	copy->fill = !list_empty(&copy->src->left);

	/* The buffer belongs to this module, so it cannot be going away now. */
	__module_get(THIS_MODULE);

	/* Two moves at once: the smaller number must be first in the queue. */
	spin_lock(&engine->lock);
	dma_fence_init(fence, &copy_fence_ops, &copy->lock, engine->context, ++engine->seqno);
	dma_fence_get(fence);
	queue_work(engine->wq, &copy->work);
	spin_unlock(&engine->lock);

	return fence;
}

static void copy_fini(struct drm_device *drm, void *data)
{
	struct vexport_copy_engine *engine = data;

	destroy_workqueue(engine->wq);
}

/**
 * vexport_copy_init - set up the copy engine
 * @vdev: device
 *
 * Undone when the device is released; copies that are queued run first.
 *
 * Return: 0, -ENOMEM.
 */
int vexport_copy_init(struct vexport_device *vdev)
{
	struct vexport_copy_engine *engine = &vdev->copy;

	/* Reclaim may wait for a move: the copy must not wait for reclaim. */
	engine->wq = alloc_ordered_workqueue("vexport-copy", WQ_MEM_RECLAIM);
	if (!engine->wq)
		return -ENOMEM;

	spin_lock_init(&engine->lock);
	engine->context = dma_fence_context_alloc(1);
	return drmm_add_action_or_reset(&vdev->drm, copy_fini, engine);
}
