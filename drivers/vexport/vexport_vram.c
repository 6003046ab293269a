// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include "vexport_drv.h"
#include "vexport_storage.h"
#include "vexport_vram.h"

/* Allocate in pieces of 2 MiB where the machine has them: fewer, longer segments. */
#define VRAM_MAX_ORDER	9

/**
 * vexport_vram_alloc - take pages out of the VRAM
 * @vram: the VRAM
 * @pages: Output: the pages
 * @npages: how many
 * @blocks: Output: blocks to give to vexport_vram_free()
 *
 * Locks: takes &vexport_vram.lock.
 *
 * Return: 0, -ENOSPC if there are not as many, -ENOMEM.
 */
int vexport_vram_alloc(struct vexport_vram *vram, struct page **pages, unsigned long npages,
		       struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	unsigned long first, i, n = 0;
	int ret;

	scoped_guard(mutex, &vram->lock)
		ret = gpu_buddy_alloc_blocks(&vram->mm, 0, vram->size, (u64)npages << PAGE_SHIFT,
					     PAGE_SIZE, blocks, 0);
	if (ret)
		return ret;

	list_for_each_entry(block, blocks, link) {
		first = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		for (i = 0; i < gpu_buddy_block_size(&vram->mm, block) >> PAGE_SHIFT; i++)
			pages[n++] = vram->pages[first + i];
	}
	WARN_ON(n != npages);
	return 0;
}

/**
 * vexport_vram_free - give pages back to the VRAM
 * @vram: the VRAM
 * @blocks: what vexport_vram_alloc() returned
 *
 * Locks: takes &vexport_vram.lock.
 */
void vexport_vram_free(struct vexport_vram *vram, struct list_head *blocks)
{
	guard(mutex)(&vram->lock);
	gpu_buddy_free_list(&vram->mm, blocks, 0);
}

static void free_fresh(struct list_head *fresh)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, fresh, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/**
 * vexport_vram_replace - put fresh pages in the place of others
 * @vram: the VRAM
 * @blocks: what vexport_vram_alloc() returned; given back
 *
 * The pages that were there are the caller's from now on, ordinary system
 * pages. The VRAM stays as large as it was.
 *
 * Locks: takes &vexport_vram.lock; the reservation may be held.
 *
 * Return: 0, -ENOMEM; then nothing has changed.
 */
int vexport_vram_replace(struct vexport_vram *vram, struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	unsigned long first, i, npages;
	struct page *page;
	LIST_HEAD(fresh);

	list_for_each_entry(block, blocks, link) {
		npages = gpu_buddy_block_size(&vram->mm, block) >> PAGE_SHIFT;
		for (i = 0; i < npages; i++) {
			page = alloc_page(GFP_HIGHUSER | __GFP_NORETRY | __GFP_NOWARN);
			if (!page) {
				free_fresh(&fresh);
				return -ENOMEM;
			}
			list_add(&page->lru, &fresh);
		}
	}

	/* The blocks are the caller's alone: nobody else looks at these entries. */
	list_for_each_entry(block, blocks, link) {
		first = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		npages = gpu_buddy_block_size(&vram->mm, block) >> PAGE_SHIFT;
		for (i = 0; i < npages; i++) {
			page = list_first_entry(&fresh, struct page, lru);
			list_del(&page->lru);
			vram->pages[first + i] = page;
		}
	}
	vexport_vram_free(vram, blocks);
	return 0;
}

/**
 * vexport_vram_used - how much is not free
 * @vram: the VRAM
 *
 * Locks: takes &vexport_vram.lock.
 *
 * Return: bytes.
 */
u64 vexport_vram_used(struct vexport_vram *vram)
{
	guard(mutex)(&vram->lock);
	return vram->size - vram->mm.avail;
}

static int vram_manager_alloc(struct ttm_resource_manager *man, struct ttm_buffer_object *bo,
			      const struct ttm_place *place, struct ttm_resource **res)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.dev);
	struct vexport_vram_resource *vres;
	int ret;

	vres = kzalloc(sizeof(*vres), GFP_KERNEL);
	if (!vres)
		return -ENOMEM;

	ttm_resource_init(bo, place, &vres->base);
	vres->storage = vexport_storage_alloc_vram(vdev, PFN_UP(vres->base.size));
	if (IS_ERR(vres->storage)) {
		ret = PTR_ERR(vres->storage);
		goto err_fini;
	}

	*res = &vres->base;
	return 0;

err_fini:
	ttm_resource_fini(man, &vres->base);
	kfree(vres);
	return ret;
}

static void vram_manager_free(struct ttm_resource_manager *man, struct ttm_resource *res)
{
	struct vexport_vram_resource *vres = to_vexport_vram_resource(res);

	vexport_storage_leave_vram(vres->storage);
	vexport_storage_put(vres->storage);
	ttm_resource_fini(man, res);
	kfree(vres);
}

static void vram_manager_debug(struct ttm_resource_manager *man, struct drm_printer *printer)
{
	struct vexport_vram *vram = container_of(man, struct vexport_vram, manager);

	drm_printf(printer, "vram: %llu of %llu bytes used\n", vexport_vram_used(vram),
		   vram->size);
}

/* Any page will do for any buffer, so TTM's defaults for the other two are right. */
static const struct ttm_resource_manager_func vram_manager_func = {
	.alloc = vram_manager_alloc,
	.free = vram_manager_free,
	.debug = vram_manager_debug,
};

static void vram_free_pages(struct vexport_vram *vram)
{
	unsigned long i;

	for (i = 0; i < vram->size >> PAGE_SHIFT && vram->pages[i]; i++)
		__free_page(vram->pages[i]);
	kvfree(vram->pages);
}

static int vram_alloc_pages(struct vexport_vram *vram)
{
	unsigned long npages = vram->size >> PAGE_SHIFT, i = 0, j;
	unsigned int order = VRAM_MAX_ORDER;
	struct page *page;

	vram->pages = kvcalloc(npages, sizeof(*vram->pages), GFP_KERNEL);
	if (!vram->pages)
		return -ENOMEM;

	while (i < npages) {
		while (order && 1UL << order > npages - i)
			order--;
		page = alloc_pages(GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN |
				   (order ? __GFP_NORETRY : __GFP_RETRY_MAYFAIL), order);
		if (!page && order) {
			order--;
			continue;
		}
		if (!page) {
			vram_free_pages(vram);
			return -ENOMEM;
		}
		/* Each page on its own: importers and the CPU map any of them. */
		split_page(page, order);
		for (j = 0; j < 1UL << order; j++)
			vram->pages[i++] = page + j;
	}
	return 0;
}

static void vram_fini(struct drm_device *drm, void *data)
{
	struct vexport_device *vdev = to_vexport_device(drm);
	struct vexport_vram *vram = data;

	/*
	 * TTM frees what was busy from a worker, which may queue more of the
	 * kind; a copy drops its references last. Then the VRAM must be whole.
	 */
	drain_workqueue(vdev->ttm.wq);
	flush_workqueue(vdev->copy_wq);
	ttm_resource_manager_set_used(&vram->manager, false);
	ttm_resource_manager_evict_all(&vdev->ttm, &vram->manager);
	drm_WARN_ON(drm, vexport_vram_used(vram));
	ttm_resource_manager_cleanup(&vram->manager);
	ttm_set_driver_manager(&vdev->ttm, TTM_PL_VRAM, NULL);
	gpu_buddy_fini(&vram->mm);
	mutex_destroy(&vram->lock);
	vram_free_pages(vram);
}

/**
 * vexport_vram_init - allocate the VRAM and register its manager with TTM
 * @vdev: device, with its TTM and its copy engine
 * @size: bytes, a multiple of the page size, not zero
 *
 * Undone when the device is released.
 *
 * Return: 0, -ENOMEM.
 */
int vexport_vram_init(struct vexport_device *vdev, u64 size)
{
	struct vexport_vram *vram = &vdev->vram;
	int ret;

	vram->size = size;
	ret = vram_alloc_pages(vram);
	if (ret)
		return ret;

	ret = gpu_buddy_init(&vram->mm, size, PAGE_SIZE);
	if (ret) {
		vram_free_pages(vram);
		return ret;
	}

	mutex_init(&vram->lock);
	vram->manager.func = &vram_manager_func;
	ttm_resource_manager_init(&vram->manager, &vdev->ttm, size);
	ttm_set_driver_manager(&vdev->ttm, TTM_PL_VRAM, &vram->manager);
	ttm_resource_manager_set_used(&vram->manager, true);

	return drmm_add_action_or_reset(&vdev->drm, vram_fini, vram);
}
