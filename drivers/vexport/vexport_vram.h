/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_VRAM_H_
#define _VEXPORT_VRAM_H_

#include <linux/gpu_buddy.h>
#include <linux/mutex.h>

#include <drm/ttm/ttm_resource.h>

struct page;
struct vexport_device;
struct vexport_storage;

/**
 * struct vexport_vram - memory of which there is never enough
 *
 * Ordinary pages, allocated at load and handed out by the kernel's buddy
 * allocator for GPUs. CPU and importers reach them like any other memory.
 */
struct vexport_vram {
	/** @manager: TTM's manager of the VRAM placement. */
	struct ttm_resource_manager manager;
	/** @pages: All pages, by their number in VRAM. */
	struct page **pages;
	/** @size: Bytes. */
	u64 size;
	/** @lock: Protects @mm and @kept. */
	struct mutex lock;
	/** @mm: Who has which pages. Protected by @lock. */
	struct gpu_buddy mm;
	/**
	 * @kept: Storage that buffers have left and that importers still have
	 * mapped, &vexport_storage.kept. Protected by @lock.
	 */
	struct list_head kept;
};

/**
 * struct vexport_vram_resource - a buffer's share of the VRAM
 */
struct vexport_vram_resource {
	/** @base: TTM's part. */
	struct ttm_resource base;
	/** @storage: The pages; one reference. */
	struct vexport_storage *storage;
};

/**
 * to_vexport_vram_resource - VRAM resource of a &struct ttm_resource
 * @res: embedded resource, of the VRAM placement
 */
static inline struct vexport_vram_resource *to_vexport_vram_resource(struct ttm_resource *res)
{
	return container_of(res, struct vexport_vram_resource, base);
}

int vexport_vram_init(struct vexport_device *vdev, u64 size);
int vexport_vram_alloc(struct vexport_vram *vram, struct page **pages, unsigned long npages,
		       struct list_head *blocks);
void vexport_vram_free(struct vexport_vram *vram, struct list_head *blocks);
void vexport_vram_keep(struct vexport_vram *vram, struct vexport_storage *storage);
bool vexport_vram_unkeep(struct vexport_vram *vram, struct vexport_storage *storage);
bool vexport_vram_take_back(struct vexport_vram *vram, struct vexport_storage *storage);
u64 vexport_vram_used(struct vexport_vram *vram);

#endif /* _VEXPORT_VRAM_H_ */
