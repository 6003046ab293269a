// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_dumb.h"
#include "vexport_mapping.h"

static void dmabuf_release(struct dma_buf *dmabuf)
{
	struct vexport_bo *bo = gem_to_vexport_bo(dmabuf->priv);
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

/*
 * begin_cpu_access and end_cpu_access are left out: nothing would be left for them
 * to do. The core waits for what implicit synchronisation asks for, interruptibly:
 * a reader for the WRITE fences, a writer for the READ fences as well, both for a
 * move, which is a KERNEL fence, and nobody for BOOKKEEP fences. A mapping follows
 * the buffer without being told, and it is cached memory: the devices that this
 * runs with snoop it.
 */
static const struct dma_buf_ops dmabuf_ops = {
	.attach = vexport_attachment_attach,
	.detach = vexport_attachment_detach,
	.pin = vexport_attachment_pin,
	.unpin = vexport_attachment_unpin,
	.map_dma_buf = vexport_mapping_map,
	.unmap_dma_buf = vexport_mapping_unmap,
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
	vdmabuf->inode = file_inode(dmabuf->file)->i_ino;
	dma_resv_lock(obj->resv, NULL);
	list_add_tail(&vdmabuf->node, &gem_to_vexport_bo(obj)->dmabufs);
	dma_resv_unlock(obj->resv);
	atomic_inc(&to_vexport_device(drm)->stats.dmabufs);
	return dmabuf;
}

/**
 * vexport_dmabuf_ioctl_export - DRM_IOCTL_VEXPORT_GEM_EXPORT
 * @drm: device
 * @data: &struct drm_vexport_gem_export
 * @file: client
 */
int vexport_dmabuf_ioctl_export(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_gem_export *args = data;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	int ret;

	if (args->pad || args->flags & ~(DRM_CLOEXEC | DRM_RDWR))
		return -EINVAL;

	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;

	dmabuf = vexport_dmabuf_export(obj, args->flags);
	drm_gem_object_put(obj);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = dma_buf_fd(dmabuf, args->flags);
	if (ret < 0) {
		dma_buf_put(dmabuf);
		return ret;
	}
	args->fd = ret;
	return 0;
}

/**
 * vexport_dmabuf_import - a client brings a dma-buf
 * @drm: device
 * @dmabuf: the dma-buf
 *
 * Return: a reference to the buffer if it is one of this device's, else what
 * vexport_dumb_import() says: there is no memory here but our own. -EINVAL if
 * there is a handle that stands for another dma-buf of the buffer.
 */
struct drm_gem_object *vexport_dmabuf_import(struct drm_device *drm, struct dma_buf *dmabuf)
{
	struct drm_gem_object *obj = dmabuf->priv;

	if (dmabuf->ops != &dmabuf_ops || obj->dev != drm)
		return vexport_dumb_import(drm, dmabuf);

	/* An object has one dma-buf in the eyes of PRIME, which warns of a second. */
	lockdep_assert_held(&drm->object_name_lock);
	if (obj->dma_buf && obj->dma_buf != dmabuf)
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
