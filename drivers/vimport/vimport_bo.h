/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_BO_H_
#define _VIMPORT_BO_H_

#include <drm/drm_gem.h>

#include <linux/workqueue.h>

#include "vimport_segs.h"

/**
 * struct vimport_bo - a buffer: an imported dma-buf, or a part of a userptr buffer
 *
 * The reservation object of an import is the dma-buf's own.
 */
struct vimport_bo {
	/** @base: GEM object; its import_attach is the attachment. */
	struct drm_gem_object base;
	/**
	 * @sgt: The sg table that says where the buffer is, NULL if there is
	 * none. Protected by the dma_resv, like the members below.
	 */
	struct sg_table *sgt;
	/** @segs: Where the buffer is, what @sgt says. Translations are made from this. */
	struct vimport_segs segs;
	/** @generation: Times that the buffer was mapped; names @sgt. */
	u64 generation;
	/** @bugs: Mask of DRM_VIMPORT_BUG_*. */
	u32 bugs;
	/** @readonly: The engine may not store to the buffer. */
	bool readonly;
	/** @stale: The buffer was invalidated since @sgt was mapped. */
	bool stale;
	/** @pinned: The exporter was asked not to move the buffer. */
	bool pinned;
	/** @release_queued: @release_work was ever queued. */
	bool release_queued;
	/** @release_work: Gives a stale @sgt back once no job uses it. */
	struct delayed_work release_work;
};

static inline struct vimport_bo *to_vimport_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct vimport_bo, base);
}

struct drm_gem_object *vimport_bo_import(struct drm_device *drm, struct dma_buf *dmabuf);
void vimport_bo_misbehave(struct drm_gem_object *obj, u32 bugs);
int vimport_bo_import_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

int vimport_bo_validate_locked(struct vimport_bo *bo);
void vimport_bo_unmap_unused_locked(struct vimport_bo *bo);
void vimport_bo_queue_release(struct vimport_bo *bo);

#endif /* _VIMPORT_BO_H_ */
