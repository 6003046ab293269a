// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: import
 *
 * All of vimport's memory is imported. An import is dynamic, unless its user wants it
 * otherwise: the exporter may move the buffer at any time unless it is pinned, and says
 * so through invalidate_mappings(). An import then goes through these states, all
 * under the dma_resv:
 *
 * - no sg table: as long as nothing is mapped in any address space, and after a
 *   move once no job may use the old place; also if the exporter had none to
 *   give. One that is pinned has an sg table from its beginning to its end, unless
 *   the exporter takes the buffer away;
 * - valid: &vimport_bo.sgt says where the buffer is;
 * - stale: it says where the buffer was. Jobs that were submitted before may
 *   still use it, the exporter waits for their fences. New ones wait until
 *   the sg table was given back and the buffer mapped anew.
 *
 * A static import, one without attach_ops, is never stale: the dma-buf core has the
 * exporter keep the buffer in place, and there is nobody to tell.
 */

#include <drm/drm_drv.h>
#include <drm/drm_gpuvm.h>
#include <drm/drm_prime.h>
#include <drm/vimport_drm.h>

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/slab.h>

#include "vimport_bo.h"
#include "vimport_drv.h"
#include "vimport_misbehave.h"
#include "vimport_trace.h"
#include "vimport_use.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"

/*
 * Jiffies from an invalidation until the sg table is given back. The exporter holds
 * the reservation while it tells importers: without a delay each of them would wake
 * a worker that can do nothing but wait for it. A move is over by then, mostly.
 */
#define RELEASE_DELAY	1

static void unmap_locked(struct vimport_bo *bo)
{
	struct dma_buf_attachment *attach = bo->base.import_attach;
	dma_addr_t addr = bo->segs.seg[0].addr;

	dma_resv_assert_held(bo->base.resv);

	vimport_segs_fini(&bo->segs);
	if (bo->bugs)
		vimport_misbehave_unmap_locked(attach, bo->sgt, addr, bo->stale, bo->bugs);
	else
		dma_buf_unmap_attachment(attach, bo->sgt, DMA_BIDIRECTIONAL);
	bo->sgt = NULL;
	bo->stale = false;
}

/*
 * What an exporter says, for userspace. libdrm takes -EAGAIN for a call that was interrupted,
 * and makes it again at once, for as long as the exporter says so.
 */
static int exporter_error(int ret)
{
	return ret == -EAGAIN ? -EBUSY : ret;
}

/* Wait until no job of any address space can use @bo. */
static int wait_idle_locked(struct vimport_bo *bo)
{
	struct drm_gpuvm_bo *vm_bo;

	dma_resv_assert_held(bo->base.resv);

	drm_gem_for_each_gpuvm_bo(vm_bo, &bo->base) {
		int ret = vimport_vm_wait_idle(to_vimport_vm(vm_bo->vm), true);

		if (ret)
			return ret;
	}

	return 0;
}

/**
 * vimport_bo_validate_locked - make sure that the sg table is of the present
 * @bo: import, its dma_resv held
 *
 * If the buffer was invalidated, this first waits for our own jobs that use
 * the old sg table, because that must be given back before a new one is asked
 * for. vimport_vm_wait_idle() says how long that may take.
 *
 * The exporter may move the buffer in order to map it, and then calls
 * invalidate_mappings() from within this function, for this import as well as
 * for others that share the dma_resv.
 *
 * Return: 0; -EOPNOTSUPP if the engine cannot reach the memory; -ENOMEM;
 * -ERESTARTSYS; or what the exporter says, but -EBUSY for -EAGAIN.
 */
int vimport_bo_validate_locked(struct vimport_bo *bo)
{
	struct dma_buf_attachment *attach = bo->base.import_attach;
	struct sg_table *sgt;
	int ret;

	dma_resv_assert_held(bo->base.resv);

	/* What is known of a process's pages was looked up before the lock was taken. */
	if (vimport_userptr_is(&bo->base))
		return 0;
	if (bo->sgt && !bo->stale)
		return 0;

	if (bo->sgt && bo->bugs & DRM_VIMPORT_BUG_KEEP_TABLE) {
		bo->stale = false;
		bo->generation++;
		return 0;
	}
	if (bo->sgt) {
		ret = wait_idle_locked(bo);
		if (ret)
			return ret;
		unmap_locked(bo);
	}

	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return exporter_error(PTR_ERR(sgt));

	ret = vimport_segs_init(&bo->segs, sgt, bo->base.size);
	if (ret) {
		dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
		return ret;
	}

	bo->sgt = sgt;
	bo->generation++;
	return 0;
}

/**
 * vimport_bo_unmap_unused_locked - give the sg table back if nothing is mapped
 * @bo: import, its dma_resv held
 *
 * To be called when a mapping has gone, in an address space that is idle. A GEM
 * handle alone must not make the exporter keep the pages, or keep them in place
 * where mapping means pinning.
 */
void vimport_bo_unmap_unused_locked(struct vimport_bo *bo)
{
	dma_resv_assert_held(bo->base.resv);

	if (bo->sgt && !bo->pinned && list_empty(&bo->base.gpuva.list))
		unmap_locked(bo);
}

/**
 * vimport_bo_queue_release - have a stale sg table given back
 * @bo: import
 *
 * An importer must unmap in bounded time after it was told of a move, even if
 * no further job asks for the buffer: until then the exporter keeps the pages.
 * It is not done in the callback itself, so that no exporter is entered again
 * while it is busy moving. May be called in the fence-signalling path.
 */
void vimport_bo_queue_release(struct vimport_bo *bo)
{
	/* Read when nobody queues any more, in bo_free(). */
	WRITE_ONCE(bo->release_queued, true);
	queue_delayed_work(vimport_release_wq, &bo->release_work, RELEASE_DELAY);
}

static void release_work(struct work_struct *work)
{
	struct vimport_bo *bo = container_of(work, struct vimport_bo, release_work.work);
	struct drm_gpuvm_bo *vm_bo;

	/* Who holds it may be waiting for jobs, and there are few workers. */
	if (!dma_resv_trylock(bo->base.resv)) {
		queue_delayed_work(vimport_release_wq, &bo->release_work, RELEASE_DELAY);
		return;
	}
	if (!bo->stale || bo->bugs & DRM_VIMPORT_BUG_KEEP_TABLE)
		goto out_unlock;
	/* Whoever is yet to zap queues this work again when that is done. */
	drm_gem_for_each_gpuvm_bo(vm_bo, &bo->base) {
		if (vimport_use_is_pending_locked(vm_bo))
			goto out_unlock;
	}
	unmap_locked(bo);
out_unlock:
	dma_resv_unlock(bo->base.resv);
}

/*
 * Without a valid sg table nothing is asked to zap: what there was to zap is
 * zapped, or waits on a zap_list. The exporter may be calling back from within a
 * map, for a job that is being submitted. On a zap_list now, the import would
 * lose the very translations that this job brings, at the end of it, and the
 * next job would not bring them again.
 */
static void invalidate_locked(struct vimport_bo *bo)
{
	bool valid = bo->sgt && !bo->stale;
	struct drm_gpuvm_bo *vm_bo;
	bool idle = true;

	dma_resv_assert_held(bo->base.resv);

	drm_gem_for_each_gpuvm_bo(vm_bo, &bo->base) {
		drm_gpuvm_bo_evict(vm_bo, true);
		if (valid)
			idle &= vimport_use_invalidate_locked(vm_bo);
	}
	if (!valid)
		return;

	bo->stale = true;
	if (idle)
		vimport_bo_queue_release(bo);
}

/*
 * The exporter is about to move the buffer. Only mark, zap and flush: this may
 * be somebody's memory reclaim, with the exporter's locks held. The exporter
 * waits for the fences of our jobs before it touches the pages.
 */
static void bo_invalidate(struct dma_buf_attachment *attach)
{
	struct vimport_bo *bo = attach->importer_priv;

	dma_resv_assert_held(bo->base.resv);

	trace_vimport_invalidate(bo);
	atomic64_inc(&to_vimport_device(bo->base.dev)->counters.invalidations);
	vimport_misbehave_invalidate(bo->bugs);
	if (!(bo->bugs & DRM_VIMPORT_BUG_IGNORE_INVALIDATE))
		invalidate_locked(bo);
}

static const struct dma_buf_attach_ops attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = bo_invalidate,
};

static const struct dma_buf_attach_ops attach_ops_no_p2p = {
	.allow_peer2peer = false,
	.invalidate_mappings = bo_invalidate,
};

/*
 * Pins and maps in one go: an exporter whose core pins for every map can only
 * tell from both together that this pin is meant.
 */
static int pin_locked(struct vimport_bo *bo)
{
	int ret;

	dma_resv_assert_held(bo->base.resv);

	ret = dma_buf_pin(bo->base.import_attach);
	if (ret)
		return exporter_error(ret);

	ret = vimport_bo_validate_locked(bo);
	if (ret) {
		dma_buf_unpin(bo->base.import_attach);
		return ret;
	}
	bo->pinned = true;
	return 0;
}

static int pin(struct vimport_bo *bo)
{
	int ret;

	ret = dma_resv_lock_interruptible(bo->base.resv, NULL);
	if (ret)
		return ret;
	ret = pin_locked(bo);
	dma_resv_unlock(bo->base.resv);
	return ret == -EINTR ? -ERESTARTSYS : ret;
}

static void unpin(struct vimport_bo *bo)
{
	dma_resv_lock(bo->base.resv, NULL);
	/* None if the exporter has taken the buffer away. */
	if (bo->sgt)
		unmap_locked(bo);
	dma_buf_unpin(bo->base.import_attach);
	dma_resv_unlock(bo->base.resv);
}

/* No address space maps the object any more: each mapping holds a reference. */
static void bo_free(struct drm_gem_object *obj)
{
	struct vimport_device *vdev = to_vimport_device(obj->dev);
	struct vimport_bo *bo = to_vimport_bo(obj);

	if (bo->pinned)
		unpin(bo);
	/* It went with the last mapping, so the callback queues no work any more. */
	WARN_ON(bo->sgt);
	if (bo->release_queued)
		cancel_delayed_work_sync(&bo->release_work);
	if (bo->bugs)
		vimport_misbehave_detach(obj->import_attach, bo->bugs);

	drm_prime_gem_destroy(obj, NULL);
	drm_gem_object_release(obj);
	kfree(bo);
	atomic_dec(&vdev->counters.imports);
}

static const struct drm_gem_object_funcs bo_funcs = {
	.free = bo_free,
};

static struct drm_gem_object *import(struct drm_device *drm, struct dma_buf *dmabuf,
				     const struct dma_buf_attach_ops *ops)
{
	struct dma_buf_attachment *attach;
	struct vimport_bo *bo;

	if (!PAGE_ALIGNED(dmabuf->size))
		return ERR_PTR(-EINVAL);

	bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	bo->base.funcs = &bo_funcs;
	bo->base.resv = dmabuf->resv;
	drm_gem_private_object_init(drm, &bo->base, dmabuf->size);
	INIT_DELAYED_WORK(&bo->release_work, release_work);

	/* From here on the exporter may invalidate, so all must be in place. */
	attach = dma_buf_dynamic_attach(dmabuf, drm->dev, ops, bo);
	if (IS_ERR(attach)) {
		drm_gem_object_release(&bo->base);
		kfree(bo);
		return ERR_PTR(exporter_error(PTR_ERR(attach)));
	}

	get_dma_buf(dmabuf);
	bo->base.import_attach = attach;
	atomic_inc(&to_vimport_device(drm)->counters.imports);
	return &bo->base;
}

/**
 * vimport_bo_import - import a dma-buf
 * @drm: device
 * @dmabuf: dma-buf
 *
 * What PRIME calls: dynamic, and able to reach peer-to-peer memory.
 *
 * Return: a new GEM object, or what the exporter says.
 */
struct drm_gem_object *vimport_bo_import(struct drm_device *drm, struct dma_buf *dmabuf)
{
	return import(drm, dmabuf, &attach_ops);
}

/**
 * vimport_bo_misbehave - give an import the bugs of its file
 * @obj: import
 * @bugs: mask of DRM_VIMPORT_BUG_*, zero to have it behave from now on
 *
 * Only vexport keeps the pages of every sg table it handed out for as long as
 * it is mapped. With any other exporter the bugs would write to memory that
 * has a new owner, so its buffers are treated well. And so is a static import: there is
 * nothing to ignore, and its pin is the core's.
 */
void vimport_bo_misbehave(struct drm_gem_object *obj, u32 bugs)
{
	struct vimport_bo *bo = to_vimport_bo(obj);

	if (strcmp(obj->import_attach->dmabuf->exp_name, "vexport") ||
	    !obj->import_attach->importer_ops)
		bugs = 0;

	dma_resv_lock(obj->resv, NULL);
	/* Behaving begins with what has been ignored. */
	if (bo->bugs & ~bugs &
	    (DRM_VIMPORT_BUG_IGNORE_INVALIDATE | DRM_VIMPORT_BUG_KEEP_TABLE))
		invalidate_locked(bo);
	bo->bugs = bugs;
	dma_resv_unlock(obj->resv);
}

/**
 * vimport_bo_import_ioctl - DRM_IOCTL_VIMPORT_IMPORT
 * @drm: device
 * @data: &struct drm_vimport_import
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_bo_import_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	const u32 dynamic_flags = DRM_VIMPORT_IMPORT_NO_P2P | DRM_VIMPORT_IMPORT_PINNED;
	const struct dma_buf_attach_ops *ops = &attach_ops;
	struct vimport_file *vfile = file->driver_priv;
	struct drm_vimport_import *args = data;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	u32 bugs;
	int ret;

	if (args->flags == DRM_VIMPORT_IMPORT_STATIC)
		ops = NULL;
	else if (args->flags & ~dynamic_flags)
		return -EINVAL;
	else if (args->flags & DRM_VIMPORT_IMPORT_NO_P2P)
		ops = &attach_ops_no_p2p;
	if (args->pad)
		return -EINVAL;

	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	obj = import(drm, dmabuf, ops);
	if (IS_ERR(obj)) {
		ret = PTR_ERR(obj);
		goto out_put_dmabuf;
	}

	bugs = READ_ONCE(vfile->bugs);
	if (bugs)
		vimport_bo_misbehave(obj, bugs);
	if (args->flags & DRM_VIMPORT_IMPORT_PINNED) {
		ret = pin(to_vimport_bo(obj));
		if (ret)
			goto out_put_obj;
	}

	ret = drm_gem_handle_create(file, obj, &args->handle);
	if (!ret)
		args->size = obj->size;

out_put_obj:
	drm_gem_object_put(obj);
out_put_dmabuf:
	dma_buf_put(dmabuf);
	return ret;
}
