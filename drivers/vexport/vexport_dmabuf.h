/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_DMABUF_H_
#define _VEXPORT_DMABUF_H_

#include <linux/list.h>

struct dma_buf;
struct drm_device;
struct drm_file;
struct drm_gem_object;

/**
 * struct vexport_dmabuf - a live dma-buf of a buffer
 */
struct vexport_dmabuf {
	/** @node: Entry in &vexport_bo.dmabufs. Protected by the reservation. */
	struct list_head node;
	/** @dmabuf: Not a reference: the entry goes when the dma-buf does. */
	struct dma_buf *dmabuf;
	/**
	 * @inode: Number that programs know the dma-buf by. A copy: a dma-buf tells
	 * us that it goes only when its inode has gone.
	 */
	unsigned long inode;
};

struct dma_buf *vexport_dmabuf_export(struct drm_gem_object *obj, int flags);
int vexport_dmabuf_ioctl_export(struct drm_device *drm, void *data, struct drm_file *file);
struct drm_gem_object *vexport_dmabuf_import(struct drm_device *drm, struct dma_buf *dmabuf);
struct dma_buf *vexport_dmabuf_get(struct drm_device *drm, int fd);

#endif /* _VEXPORT_DMABUF_H_ */
