// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/ttm/ttm_placement.h>

#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_pin.h"
#include "vexport_quarantine.h"
#include "vexport_request.h"
#include "vexport_storage.h"

/* An sg table in an importer's hands, and the pages that it names. */
struct mapping {
	struct sg_table sgt;
	struct vexport_storage *storage;
};

static struct vexport_bo *dmabuf_to_bo(struct dma_buf *dmabuf)
{
	return gem_to_vexport_bo(dmabuf->priv);
}

static int dmabuf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct vexport_bo *bo = dmabuf_to_bo(dmabuf);
	struct vexport_attachment *att;

	att = kzalloc(sizeof(*att), GFP_KERNEL);
	if (!att)
		return -ENOMEM;

	att->bo = bo;
	att->dynamic = attach->importer_ops;
	attach->priv = att;
	atomic_inc(&bo->attachments);
	atomic_inc(&to_vexport_device(bo->base.base.dev)->stats.attachments);
	return 0;
}

static void dmabuf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct vexport_bo *bo = dmabuf_to_bo(dmabuf);
	struct vexport_attachment *att = attach->priv;

	WARN_ON(att->pins || att->maps);
	kfree(att);
	atomic_dec(&bo->attachments);
	atomic_dec(&to_vexport_device(bo->base.base.dev)->stats.attachments);
}

static bool all_reach_vram_locked(struct vexport_bo *bo)
{
	struct dma_buf_attachment *attach;
	struct vexport_dmabuf *vdmabuf;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(vdmabuf, &bo->dmabufs, node) {
		list_for_each_entry(attach, &vdmabuf->dmabuf->attachments, node) {
			if (!attach->peer2peer)
				return false;
		}
	}
	return true;
}

/*
 * Bring the buffer where every importer can reach it. Pin and map must agree
 * on this place: a buffer that is pinned cannot follow a map that wants another.
 */
static int make_reachable_locked(struct vexport_bo *bo, bool interruptible)
{
	u32 placement = bo->base.resource->mem_type;

	if (placement == TTM_PL_TT || (placement == TTM_PL_VRAM && all_reach_vram_locked(bo)))
		return 0;
	return vexport_request_placement_locked(bo, TTM_PL_TT, interruptible);
}

static int pin_locked(struct vexport_attachment *att)
{
	struct vexport_bo *bo = att->bo;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	/* Not every importer can deal with a failure: none for a mere signal. */
	ret = make_reachable_locked(bo, false);
	if (ret)
		return ret;

	/*
	 * Pinned memory is ready memory: no fence is left to obey. Where the
	 * core pins on every map that would make all importers wait for every
	 * copy, so there they obey the fence, as after any map.
	 */
	if (!VSHARE_IMPLICIT_PIN)
		dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, false,
				      MAX_SCHEDULE_TIMEOUT);
	return vexport_pin_attachment_locked(att);
}

static int dmabuf_pin(struct dma_buf_attachment *attach)
{
	struct vexport_attachment *att = attach->priv;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	ret = pin_locked(att);
	if (ret)
		vexport_pin_failed_locked(att);
	return ret;
}

static void dmabuf_unpin(struct dma_buf_attachment *attach)
{
	vexport_pin_unpin_attachment_locked(attach->priv);
}

static struct mapping *mapping_create(struct dma_buf_attachment *attach,
				      struct vexport_storage *storage, enum dma_data_direction dir)
{
	struct mapping *mapping;
	int ret;

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages_segment(&mapping->sgt, storage->pages, storage->npages, 0,
						storage->npages << PAGE_SHIFT,
						dma_get_max_seg_size(attach->dev), GFP_KERNEL);
	if (ret)
		goto err_free_mapping;

	ret = dma_map_sgtable(attach->dev, &mapping->sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto err_free_sgt;

	mapping->storage = vexport_storage_get(storage);
	return mapping;

err_free_sgt:
	sg_free_table(&mapping->sgt);
err_free_mapping:
	kfree(mapping);
	return ERR_PTR(ret);
}

static struct sg_table *dmabuf_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct vexport_attachment *att = attach->priv;
	struct vexport_bo *bo = att->bo;
	struct mapping *mapping;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	ret = make_reachable_locked(bo, true);
	if (ret)
		return ERR_PTR(ret);

	mapping = mapping_create(attach, vexport_bo_storage_locked(bo), dir);
	if (IS_ERR(mapping))
		return ERR_CAST(mapping);

	mapping->storage->maps++;
	bo->maps++;
	atomic_inc(&to_vexport_device(bo->base.base.dev)->stats.maps);
	att->maps++;
	vexport_pin_mapped_locked(att);
	return &mapping->sgt;
}

static void dmabuf_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct mapping *mapping = container_of(sgt, struct mapping, sgt);
	struct vexport_storage *storage = mapping->storage;
	struct vexport_attachment *att = attach->priv;
	struct vexport_bo *bo = att->bo;

	dma_resv_assert_held(bo->base.base.resv);

	att->maps--;
	bo->maps--;
	atomic_dec(&to_vexport_device(bo->base.base.dev)->stats.maps);
	if (storage->maps == 1)
		vexport_quarantine_remove_locked(bo, storage);

	/*
	 * Without the sync, as at map: a bounce buffer would otherwise be
	 * copied back now, over what the buffer's next owner wrote there.
	 */
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(mapping);
	vexport_storage_unmapped(storage);
	vexport_storage_put(storage);
}

static void dmabuf_release(struct dma_buf *dmabuf)
{
	struct vexport_bo *bo = dmabuf_to_bo(dmabuf);
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct vexport_dmabuf *vdmabuf;

	/*
	 * A move may be telling the importers of this dma-buf right now, of
	 * which there are none left. It holds the reservation.
	 */
	dma_resv_lock(bo->base.base.resv, NULL);
	list_for_each_entry(vdmabuf, &bo->dmabufs, node) {
		if (vdmabuf->dmabuf == dmabuf)
			break;
	}
	list_del(&vdmabuf->node);
	dma_resv_unlock(bo->base.base.resv);

	kfree(vdmabuf);
	atomic_dec(&vdev->stats.dmabufs);
	drm_gem_dmabuf_release(dmabuf);
}

static const struct dma_buf_ops dmabuf_ops = {
	.attach = dmabuf_attach,
	.detach = dmabuf_detach,
	.pin = dmabuf_pin,
	.unpin = dmabuf_unpin,
	.map_dma_buf = dmabuf_map,
	.unmap_dma_buf = dmabuf_unmap,
	.release = dmabuf_release,
	.mmap = drm_gem_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

/**
 * vexport_dmabuf_export - make a dma-buf of a buffer
 * @obj: the buffer
 * @flags: access mode and O_CLOEXEC
 *
 * Locks: takes the reservation.
 *
 * Return: the dma-buf, which holds a reference to the buffer, or an ERR_PTR:
 * -ENOMEM and what dma_buf_export() says.
 */
struct dma_buf *vexport_dmabuf_export(struct drm_gem_object *obj, int flags)
{
	struct drm_device *drm = obj->dev;
	struct dma_buf_export_info info = {
		.exp_name = KBUILD_MODNAME,
		.owner = drm->driver->fops->owner,
		.ops = &dmabuf_ops,
		.size = obj->size,
		.flags = flags,
		.priv = obj,
		.resv = obj->resv,
	};
	struct vexport_dmabuf *vdmabuf;
	struct dma_buf *dmabuf;

	vdmabuf = kzalloc(sizeof(*vdmabuf), GFP_KERNEL);
	if (!vdmabuf)
		return ERR_PTR(-ENOMEM);

	dmabuf = drm_gem_dmabuf_export(drm, &info);
	if (IS_ERR(dmabuf)) {
		kfree(vdmabuf);
		return dmabuf;
	}

	/* Nobody else knows the dma-buf yet, so nobody has missed a move. */
	vdmabuf->dmabuf = dmabuf;
	dma_resv_lock(obj->resv, NULL);
	list_add_tail(&vdmabuf->node, &gem_to_vexport_bo(obj)->dmabufs);
	dma_resv_unlock(obj->resv);
	atomic_inc(&to_vexport_device(drm)->stats.dmabufs);
	return dmabuf;
}

/**
 * vexport_dmabuf_import - a client brings a dma-buf
 * @drm: device
 * @dmabuf: the dma-buf
 *
 * Return: a reference to the buffer if it is one of this device's, else an
 * ERR_PTR: -EINVAL, since there is no memory here but our own.
 */
struct drm_gem_object *vexport_dmabuf_import(struct drm_device *drm, struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj = dmabuf->priv;

	if (dmabuf->ops != &dmabuf_ops || obj->dev != drm)
		return ERR_PTR(-EINVAL);
	drm_gem_object_get(obj);
	return obj;
}

/**
 * vexport_dmabuf_get - look a dma-buf of this device up
 * @drm: device
 * @fd: file descriptor
 *
 * Return: the dma-buf, for dma_buf_put(), or an ERR_PTR: -EBADF if @fd is not
 * open, -EINVAL if it is something else than a dma-buf of @drm.
 */
struct dma_buf *vexport_dmabuf_get(struct drm_device *drm, int fd)
{
	struct dma_buf *dmabuf;
	struct drm_gem_object *obj;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return dmabuf;

	obj = dmabuf->priv;
	if (dmabuf->ops != &dmabuf_ops || obj->dev != drm) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EINVAL);
	}
	return dmabuf;
}
