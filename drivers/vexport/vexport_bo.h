/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_BO_H_
#define _VEXPORT_BO_H_

#include <linux/atomic.h>
#include <linux/list.h>

#include <drm/ttm/ttm_bo.h>

struct dma_buf;
struct drm_device;
struct drm_file;
struct iosys_map;
struct vexport_device;
struct vexport_storage;

/**
 * struct vexport_bo - a buffer that moves
 *
 * Protected by the reservation, but for what never changes.
 */
struct vexport_bo {
	/** @base: TTM's part, which embeds the GEM object. */
	struct ttm_buffer_object base;
	/** @create_flags: Mask of DRM_VEXPORT_GEM_*. */
	u32 create_flags;

	/**
	 * @dmabufs: Live dma-bufs of the buffer, &vexport_dmabuf.node.
	 *
	 * Not &drm_gem_object.dma_buf: the DRM core clears that when the last
	 * handle is closed, while importers still hold the dma-buf and must
	 * be told of moves.
	 */
	struct list_head dmabufs;
	/** @left: Storage under watch, &vexport_storage.left. */
	struct list_head left;

	/** @attachments: Attachments to all dma-bufs. Atomic: changes without the reservation. */
	atomic_t attachments;
	/** @maps: Sg tables that importers hold. */
	unsigned int maps;
	/** @hard_pins: Pins that hold the buffer where it is. */
	unsigned int hard_pins;
	/** @pinned: The buffer is pinned in TTM's eyes. */
	bool pinned;
	/** @accounted: Its size is part of &vexport_stats.pinned. */
	bool accounted;
	/** @placed: It has found its first place; from now on it moves. */
	bool placed;

	/** @copy_context: Fence context of its copies. */
	u64 copy_context;
	/** @copy_seqno: Number of the last of them. */
	u64 copy_seqno;

	/** @generation: Moves so far. */
	u64 generation;
	/** @moves_busy: Moves that found an importer's fence pending. */
	u64 moves_busy;
	/** @evictions: Moves made to free memory. */
	u64 evictions;
	/** @notifies: Invalidations sent. */
	u64 notifies;
	/** @stale_moves: Generations in which a stale write was seen. */
	u64 stale_moves;
	/** @stale_words: Words of stale writes. */
	u64 stale_words;
	/** @stale_generation: Generation in which one was seen last. */
	u64 stale_generation;
};

/**
 * to_vexport_bo - our part of a &struct ttm_buffer_object
 * @bo: embedded TTM object, one that vexport_bo_is_ours()
 */
static inline struct vexport_bo *to_vexport_bo(struct ttm_buffer_object *bo)
{
	return container_of(bo, struct vexport_bo, base);
}

/**
 * gem_to_vexport_bo - our part of a &struct drm_gem_object
 * @obj: embedded GEM object
 */
static inline struct vexport_bo *gem_to_vexport_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct vexport_bo, base.base);
}

bool vexport_bo_is_ours(struct ttm_buffer_object *bo);
struct vexport_bo *vexport_bo_create(struct vexport_device *vdev, u64 size, u32 placement,
				     u32 create_flags);
struct vexport_storage *vexport_bo_storage_locked(struct vexport_bo *bo);
int vexport_bo_populate_locked(struct vexport_bo *bo);
int vexport_bo_lock(struct vexport_bo *bo);
int vexport_bo_ioctl_create(struct drm_device *drm, void *data, struct drm_file *file);
int vexport_bo_ioctl_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file);
int vexport_bo_ioctl_move(struct drm_device *drm, void *data, struct drm_file *file);
int vexport_bo_ioctl_query(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_BO_H_ */
