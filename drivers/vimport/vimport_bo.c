// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: import
 *
 * All of vimport's memory is imported, and every import is dynamic: the
 * exporter may move the buffer at any time, and says so through
 * invalidate_mappings(). An import then goes through these states, all under
 * the dma_resv:
 *
 * - no sg table: as long as nothing is mapped in any address space, and after a
 *   move once no job may use the old place; also if the exporter had none to
 *   give;
 * - valid: &vimport_bo.sgt says where the buffer is;
 * - stale: it says where the buffer was. Jobs that were submitted before may
 *   still use it, the exporter waits for their fences. New ones wait until
 *   the sg table was given back and the buffer mapped anew.
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
#include "vimport_use.h"
#include "vimport_vm.h"

static void unmap_locked(struct vimport_bo *bo)
{
	dma_resv_assert_held(bo->base.resv);

	vimport_segs_fini(&bo->segs);
	dma_buf_unmap_attachment(bo->base.import_attach, bo->sgt, DMA_BIDIRECTIONAL);
	bo->sgt = NULL;
	bo->stale = false;
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
 * -ERESTARTSYS; or what the exporter says.
 */
int vimport_bo_validate_locked(struct vimport_bo *bo)
{
	struct dma_buf_attachment *attach = bo->base.import_attach;
	struct sg_table *sgt;
	int ret;

	dma_resv_assert_held(bo->base.resv);

	if (bo->sgt && !bo->stale)
		return 0;

	if (bo->sgt) {
		ret = wait_idle_locked(bo);
		if (ret)
			return ret;
		unmap_locked(bo);
	}

	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

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

	if (bo->sgt && list_empty(&bo->base.gpuva.list))
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
	queue_work(vimport_release_wq, &bo->release_work);
}

static void release_work(struct work_struct *work)
{
	struct vimport_bo *bo = container_of(work, struct vimport_bo, release_work);
	struct drm_gpuvm_bo *vm_bo;

	dma_resv_lock(bo->base.resv, NULL);
	if (!bo->stale)
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

	atomic64_inc(&to_vimport_device(bo->base.dev)->counters.invalidations);
	if (!bo->ignore_invalidate)
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

/* No address space maps the object any more: each mapping holds a reference. */
static void bo_free(struct drm_gem_object *obj)
{
	struct vimport_device *vdev = to_vimport_device(obj->dev);
	struct vimport_bo *bo = to_vimport_bo(obj);

	/* It went with the last mapping, so the callback queues no work any more. */
	WARN_ON(bo->sgt);
	cancel_work_sync(&bo->release_work);

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
	INIT_WORK(&bo->release_work, release_work);

	/* From here on the exporter may invalidate, so all must be in place. */
	attach = dma_buf_dynamic_attach(dmabuf, drm->dev, ops, bo);
	if (IS_ERR(attach)) {
		drm_gem_object_release(&bo->base);
		kfree(bo);
		return ERR_CAST(attach);
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
 * has a new owner, so its buffers are treated well.
 */
void vimport_bo_misbehave(struct drm_gem_object *obj, u32 bugs)
{
	struct vimport_bo *bo = to_vimport_bo(obj);
	bool ignore = bugs & DRM_VIMPORT_BUG_IGNORE_INVALIDATE &&
		      !strcmp(obj->import_attach->dmabuf->exp_name, "vexport");

	dma_resv_lock(obj->resv, NULL);
	/* Behaving begins with what has been ignored. */
	if (bo->ignore_invalidate && !ignore)
		invalidate_locked(bo);
	bo->ignore_invalidate = ignore;
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
	struct vimport_file *vfile = file->driver_priv;
	struct drm_vimport_import *args = data;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	int ret;

	if (args->flags & ~DRM_VIMPORT_IMPORT_NO_P2P || args->pad)
		return -EINVAL;

	dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	obj = import(drm, dmabuf, args->flags & DRM_VIMPORT_IMPORT_NO_P2P ?
				  &attach_ops_no_p2p : &attach_ops);
	if (IS_ERR(obj)) {
		ret = PTR_ERR(obj);
		goto out_put_dmabuf;
	}

	vimport_bo_misbehave(obj, READ_ONCE(vfile->bugs));
	ret = drm_gem_handle_create(file, obj, &args->handle);
	if (!ret)
		args->size = obj->size;

	drm_gem_object_put(obj);
out_put_dmabuf:
	dma_buf_put(dmabuf);
	return ret;
}
