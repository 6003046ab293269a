/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_STORAGE_H_
#define _VEXPORT_STORAGE_H_

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>

struct page;
struct vexport_device;

/**
 * struct vexport_storage - a set of pages that a buffer lives in
 *
 * Storage outlives the buffer's stay in it. One reference is held by whoever
 * makes it the buffer's home (the &struct ttm_tt or the VRAM resource), one by
 * every sg table that was made of it, and one by every copy to or from it.
 * Pages are given back when the last is gone, so an importer that writes
 * through an old sg table spoils storage of ours and nobody else's memory.
 */
struct vexport_storage {
	/** @ref: See above. */
	struct kref ref;
	/** @vdev: The device whose VRAM or whose gauges it counts in. */
	struct vexport_device *vdev;
	/** @pages: The pages, in the buffer's order. */
	struct page **pages;
	/** @npages: How many. */
	unsigned long npages;
	/** @blocks: Blocks of VRAM; empty if these are system pages. */
	struct list_head blocks;
	/** @in_vram: The pages belong to the VRAM. */
	bool in_vram;

	/**
	 * @maps: Sg tables made of it that importers hold. Written with the
	 * reservation held. Storage that was left can only lose some.
	 */
	unsigned int maps;
	/** @left: Entry in &vexport_bo.left once the buffer is gone and importers are not. */
	struct list_head left;
	/** @generation: What of the buffer lived here; set when it is left. */
	u64 generation;
	/**
	 * @patterned: The pages hold &struct drm_vexport_stale_word and nothing
	 * else. Set by the copy, which holds no reservation, with release
	 * semantics after the last word is written.
	 */
	bool patterned;
};

struct vexport_storage *vexport_storage_alloc_system(struct vexport_device *vdev,
						     unsigned long npages, gfp_t gfp);
struct vexport_storage *vexport_storage_alloc_vram(struct vexport_device *vdev,
						   unsigned long npages);
struct vexport_storage *vexport_storage_get(struct vexport_storage *storage);
void vexport_storage_put(struct vexport_storage *storage);
void vexport_storage_unmapped(struct vexport_storage *storage);
void vexport_storage_leave_vram(struct vexport_storage *storage);
void vexport_storage_clear(struct vexport_storage *storage);
void vexport_storage_copy(struct vexport_storage *dst, struct vexport_storage *src);

#endif /* _VEXPORT_STORAGE_H_ */
