// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_mode.h>
#include <drm/drm_prime.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_dumb.h"

/**
 * DOC: dumb buffers
 *
 * With the parameter dumb=1 the primary node does what programs use vgem for: it
 * makes dumb buffers, and a client may bring dma-bufs of other drivers. A dumb
 * buffer is a buffer like any other, with pages from its first use on. It can be
 * moved once it is exported. A dma-buf of somebody else's can only be given on
 * from here: it has no pages of ours, so it is neither mapped nor moved.
 *
 * Off unless asked for, because programs that look for a display try every card
 * that makes dumb buffers.
 */

static bool dumb;
module_param(dumb, bool, 0644);
MODULE_PARM_DESC(dumb, "Dumb buffers, and imports of other drivers' dma-bufs (default no)");

/* What a client has brought, pinned by its exporter for as long as it is here. */
struct foreign {
	struct drm_gem_object base;
	struct sg_table *sgt;
};

static void foreign_free(struct drm_gem_object *obj)
{
	struct foreign *foreign = container_of(obj, struct foreign, base);

	drm_prime_gem_destroy(obj, foreign->sgt);
	drm_gem_object_release(obj);
	kfree(foreign);
}

static const struct drm_gem_object_funcs foreign_funcs = {
	.free = foreign_free,
};

/**
 * vexport_dumb_create - DRM_IOCTL_MODE_CREATE_DUMB
 * @file: client
 * @drm: device
 * @args: what the client wants; the core has checked that the size fits 32 bits
 *
 * Return: 0; -EOPNOTSUPP if dumb buffers are off; -EINVAL; -ENOMEM; -ERESTARTSYS.
 */
int vexport_dumb_create(struct drm_file *file, struct drm_device *drm,
			struct drm_mode_create_dumb *args)
{
	struct vexport_bo *bo;
	u64 size;
	u32 pitch;
	int ret;

	if (!READ_ONCE(dumb))
		return -EOPNOTSUPP;
	if (args->flags)
		return -EINVAL;

	pitch = args->width * DIV_ROUND_UP(args->bpp, 8);
	size = PAGE_ALIGN((u64)pitch * args->height);
	bo = vexport_bo_create(to_vexport_device(drm), size, DRM_VEXPORT_PLACEMENT_SYSTEM, 0);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	ret = vexport_bo_give(bo, file, &args->handle);
	if (ret)
		return ret;

	args->pitch = pitch;
	args->size = size;
	return 0;
}

/**
 * vexport_dumb_map_offset - DRM_IOCTL_MODE_MAP_DUMB
 * @file: client
 * @drm: device
 * @handle: GEM handle, of a dumb buffer or another one
 * @offset: Output: offset for mmap()
 *
 * Return: 0; -ENOENT for a handle that is not of this file; -EINVAL if the memory
 * is another driver's.
 */
int vexport_dumb_map_offset(struct drm_file *file, struct drm_device *drm, u32 handle,
			    u64 *offset)
{
	struct drm_gem_object *obj;
	bool is_foreign;

	obj = drm_gem_object_lookup(file, handle);
	if (!obj)
		return -ENOENT;
	is_foreign = obj->funcs == &foreign_funcs;
	drm_gem_object_put(obj);
	if (is_foreign)
		return -EINVAL;
	return drm_gem_ttm_dumb_map_offset(file, drm, handle, offset);
}

/**
 * vexport_dumb_import - a client brings a dma-buf of another driver
 * @drm: device
 * @dmabuf: the dma-buf
 *
 * Return: an object that stands for it, or an ERR_PTR: -EINVAL if dumb buffers
 * are off, and what the exporter says.
 */
struct drm_gem_object *vexport_dumb_import(struct drm_device *drm, struct dma_buf *dmabuf)
{
	if (!READ_ONCE(dumb))
		return ERR_PTR(-EINVAL);
	return drm_gem_prime_import(drm, dmabuf);
}

/**
 * vexport_dumb_import_sg_table - the core has attached to a dma-buf and mapped it
 * @drm: device
 * @attach: the attachment
 * @sgt: the mapping
 *
 * Return: the object that takes them over, or an ERR_PTR: -ENOMEM.
 */
struct drm_gem_object *vexport_dumb_import_sg_table(struct drm_device *drm,
						    struct dma_buf_attachment *attach,
						    struct sg_table *sgt)
{
	struct foreign *foreign;

	foreign = kzalloc(sizeof(*foreign), GFP_KERNEL);
	if (!foreign)
		return ERR_PTR(-ENOMEM);

	foreign->sgt = sgt;
	foreign->base.funcs = &foreign_funcs;
	drm_gem_private_object_init(drm, &foreign->base, attach->dmabuf->size);
	return &foreign->base;
}
