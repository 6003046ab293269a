/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_STORAGE_H_
#define _VEXPORT_STORAGE_H_

#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/types.h>

struct dma_resv;
struct page;
struct sg_table;
struct vexport_bo;
struct vexport_device;

/**
 * struct vexport_storage - a set of pages that a buffer lives in
 *
 * Storage outlives the buffer's stay in it. One reference is held by whoever
 * makes it the buffer's home (the &struct ttm_tt or the VRAM resource), one by
 * every sg table that was made of it, one by every copy to or from it, and one by
 * the quarantine.
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
	/**
	 * @in_vram: The pages belong to the VRAM. Cleared by whoever takes their
	 * place away, with release semantics and as the last that it does to them.
	 */
	bool in_vram;
	/** @kept: Entry in &vexport_vram.kept. Protected by &vexport_vram.lock. */
	struct list_head kept;

	/**
	 * @maps: Sg tables made of it that importers hold, and mappings of the
	 * kernel's own. Written with the reservation held. Storage that was left
	 * can only lose some.
	 */
	unsigned int maps;
	/** @buffer: Whose it was, &vexport_bo.id; set when it is left. */
	u64 buffer;
	/** @generation: What of the buffer lived here; set when it is left. */
	u64 generation;
	/**
	 * @patterned: The pages hold &struct drm_vexport_stale_word and nothing
	 * else. Set by the copy, which holds no reservation, with release
	 * semantics after the last word is written.
	 */
	bool patterned;
	/** @patterned_at: When that was begun, that is when all fences had signalled. */
	ktime_t patterned_at;

	/* Protected by &vexport_quarantine.lock. */

	/** @fill: It is to be filled with the pattern. Set when it is left. */
	bool fill;
	/** @mappings: Sg tables made of it, &vexport_mapping.of_storage, given back or not. */
	struct list_head mappings;
	/** @bo: The buffer that has left; NULL if the storage is not under watch. */
	struct vexport_bo *bo;
	/** @left: Entry in &vexport_bo.left while under watch. */
	struct list_head left;
	/** @queued: Entry in &vexport_quarantine.queue once nobody has it mapped. */
	struct list_head queued;
	/** @queued_at: When that was, in jiffies. */
	unsigned long queued_at;
	/** @vacated: TTM has given the place in VRAM up; importers or the quarantine keep it. */
	bool vacated;
};

struct vexport_storage *vexport_storage_alloc_in(struct vexport_device *vdev,
						 struct page **pages, unsigned long npages,
						 gfp_t gfp, bool contiguous);
struct vexport_storage *vexport_storage_alloc_system(struct vexport_device *vdev,
						     unsigned long npages, gfp_t gfp,
						     bool contiguous);
struct vexport_storage *vexport_storage_alloc_vram(struct vexport_device *vdev,
						   unsigned long npages);
struct vexport_storage *vexport_storage_get(struct vexport_storage *storage);
void vexport_storage_put(struct vexport_storage *storage);
int vexport_storage_sg_table(struct vexport_storage *storage, struct sg_table *sgt,
			     unsigned int max_segment);
void vexport_storage_unmapped(struct vexport_storage *storage, struct dma_resv *resv);
void vexport_storage_leave_vram(struct vexport_storage *storage);
void vexport_storage_free_pages(struct page **pages, unsigned long npages);
void vexport_storage_split_pages(struct page **pages, unsigned long npages);
int vexport_storage_alloc_pages(struct page **pages, unsigned long npages, gfp_t gfp,
				bool contiguous);
void vexport_storage_scatter(struct vexport_storage *storage);
void vexport_storage_clear(struct vexport_storage *storage);
void vexport_storage_copy(struct vexport_storage *dst, struct vexport_storage *src);

#endif /* _VEXPORT_STORAGE_H_ */
