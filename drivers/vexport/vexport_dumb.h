/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_DUMB_H_
#define _VEXPORT_DUMB_H_

#include <linux/types.h>

struct dma_buf;
struct dma_buf_attachment;
struct drm_device;
struct drm_file;
struct drm_gem_object;
struct drm_mode_create_dumb;
struct sg_table;

int vexport_dumb_create(struct drm_file *file, struct drm_device *drm,
			struct drm_mode_create_dumb *args);
int vexport_dumb_map_offset(struct drm_file *file, struct drm_device *drm, u32 handle,
			    u64 *offset);
struct drm_gem_object *vexport_dumb_import(struct drm_device *drm, struct dma_buf *dmabuf);
struct drm_gem_object *vexport_dumb_import_sg_table(struct drm_device *drm,
						    struct dma_buf_attachment *attach,
						    struct sg_table *sgt);

#endif /* _VEXPORT_DUMB_H_ */
