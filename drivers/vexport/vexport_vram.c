// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_profile.h"
#include "vexport_storage.h"
#include "vexport_vram.h"

static void free_fresh(struct list_head *fresh)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, fresh, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/*
 * Put fresh pages in the place of those that importers keep. These are ordinary
 * system pages from then on, each on its own, and the VRAM stays as large as it was.
 */
static int replace_kept(struct vexport_vram *vram, struct vexport_storage *storage)
{
	struct gpu_buddy_block *block;
	unsigned long first, i, npages;
	struct page *page;
	LIST_HEAD(fresh);

	lockdep_assert_held(&vram->lock);

	for (i = 0; i < storage->npages; i++) {
		page = alloc_page(GFP_HIGHUSER | __GFP_NORETRY | __GFP_NOWARN);
		if (!page) {
			free_fresh(&fresh);
			return -ENOMEM;
		}
		list_add(&page->lru, &fresh);
	}

	/* The blocks are storage's alone: nobody else looks at these entries. */
	list_for_each_entry(block, &storage->blocks, link) {
		first = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		npages = gpu_buddy_block_size(&vram->mm, block) >> PAGE_SHIFT;
		for (i = 0; i < npages; i++) {
			page = list_first_entry(&fresh, struct page, lru);
			list_del(&page->lru);
			vram->pages[first + i] = page;
		}
	}
	gpu_buddy_free_list(&vram->mm, &storage->blocks, 0);
	list_del_init(&storage->kept);
	/* Pairs with the acquire in vexport_vram_take_back(), which may free it now. */
	smp_store_release(&storage->in_vram, false);
	return 0;
}

static int alloc_blocks(struct vexport_vram *vram, u64 size, struct list_head *blocks)
{
	lockdep_assert_held(&vram->lock);

	return gpu_buddy_alloc_blocks(&vram->mm, 0, vram->size, size, PAGE_SIZE, blocks, 0);
}

/**
 * vexport_vram_alloc - take pages out of the VRAM
 * @vram: the VRAM
 * @pages: Output: the pages
 * @npages: how many
 * @blocks: Output: blocks to give to vexport_vram_free()
 *
 * What importers keep of the VRAM, after the buffer has left, is theirs only as long
 * as nobody needs the place. Otherwise idle importers would fill it up with
 * storage that no eviction can free.
 *
 * Locks: takes &vexport_vram.lock.
 *
 * Return: 0, -ENOSPC if there are not as many, -ENOMEM.
 */
int vexport_vram_alloc(struct vexport_vram *vram, struct page **pages, unsigned long npages,
		       struct list_head *blocks)
{
	u64 size = (u64)npages << PAGE_SHIFT;
	struct vexport_storage *storage;
	struct gpu_buddy_block *block;
	unsigned long first, i, n = 0;
	int ret;

	scoped_guard(mutex, &vram->lock) {
		ret = alloc_blocks(vram, size, blocks);
		while (ret == -ENOSPC && !list_empty(&vram->kept)) {
			storage = list_first_entry(&vram->kept, struct vexport_storage, kept);
			if (replace_kept(vram, storage))
				break;
			ret = alloc_blocks(vram, size, blocks);
		}
	}
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

/**
 * vexport_vram_keep - a buffer has left, and importers still have its pages mapped
 * @vram: the VRAM
 * @storage: where it was
 *
 * Locks: takes &vexport_vram.lock.
 */
void vexport_vram_keep(struct vexport_vram *vram, struct vexport_storage *storage)
{
	guard(mutex)(&vram->lock);
	list_add_tail(&storage->kept, &vram->kept);
}

/**
 * vexport_vram_unkeep - importers have let go of storage in VRAM
 * @vram: the VRAM
 * @storage: what was given to vexport_vram_keep()
 *
 * Locks: takes &vexport_vram.lock.
 *
 * Return: true if the storage still has its place, which nobody takes away any more.
 */
bool vexport_vram_unkeep(struct vexport_vram *vram, struct vexport_storage *storage)
{
	guard(mutex)(&vram->lock);
	if (!storage->in_vram)
		return false;
	list_del_init(&storage->kept);
	return true;
}

/**
 * vexport_vram_take_back - storage is not needed any more
 * @vram: the VRAM
 * @storage: storage of any kind, without a reference left
 *
 * Locks: takes &vexport_vram.lock.
 *
 * Return: true if its pages were the VRAM's; else they are the caller's to free.
 */
bool vexport_vram_take_back(struct vexport_vram *vram, struct vexport_storage *storage)
{
	/* Pairs with the release in replace_kept(): it has done with the storage. */
	if (!smp_load_acquire(&storage->in_vram))
		return false;

	guard(mutex)(&vram->lock);
	if (!storage->in_vram)
		return false;
	list_del_init(&storage->kept);
	gpu_buddy_free_list(&vram->mm, &storage->blocks, 0);
	return true;
}

/**
 * vexport_vram_used - how much is not free
 * @vram: the VRAM
 *
 * What importers keep is free: whoever needs it gets it.
 *
 * Locks: takes &vexport_vram.lock.
 *
 * Return: bytes.
 */
u64 vexport_vram_used(struct vexport_vram *vram)
{
	struct vexport_storage *storage;
	u64 used;

	guard(mutex)(&vram->lock);
	used = vram->size - vram->mm.avail;
	list_for_each_entry(storage, &vram->kept, kept)
		used -= (u64)storage->npages << PAGE_SHIFT;
	return used;
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
	vexport_profile_arrange_locked(to_vexport_bo(bo), vres->storage);

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
	vexport_storage_free_pages(vram->pages, vram->size >> PAGE_SHIFT);
	kvfree(vram->pages);
}

static int vram_alloc_pages(struct vexport_vram *vram)
{
	unsigned long npages = vram->size >> PAGE_SHIFT;
	int ret;

	vram->pages = kvcalloc(npages, sizeof(*vram->pages), GFP_KERNEL);
	if (!vram->pages)
		return -ENOMEM;

	ret = vexport_storage_alloc_pages(vram->pages, npages, GFP_HIGHUSER | __GFP_ZERO |
					  __GFP_NOWARN | __GFP_RETRY_MAYFAIL, true);
	if (ret) {
		kvfree(vram->pages);
		return ret;
	}
	/* Any of them may be given away; see replace_kept(). */
	vexport_storage_split_pages(vram->pages, npages);
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
	drm_WARN_ON(drm, vexport_vram_used(vram) || !list_empty(&vram->kept));
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
 * Return: 0, -ENOMEM, -ERESTARTSYS if the task is being killed.
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
	INIT_LIST_HEAD(&vram->kept);
	vram->manager.func = &vram_manager_func;
	ttm_resource_manager_init(&vram->manager, &vdev->ttm, size);
	ttm_set_driver_manager(&vdev->ttm, TTM_PL_VRAM, &vram->manager);
	ttm_resource_manager_set_used(&vram->manager, true);

	return drmm_add_action_or_reset(&vdev->drm, vram_fini, vram);
}
