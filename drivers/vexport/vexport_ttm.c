// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_move.h"
#include "vexport_pattern.h"
#include "vexport_profile.h"
#include "vexport_quarantine.h"
#include "vexport_storage.h"
#include "vexport_ttm.h"

static struct ttm_tt *vexport_tt_create(struct ttm_buffer_object *bo, u32 page_flags)
{
	struct vexport_tt *tt;

	tt = kzalloc(sizeof(*tt), GFP_KERNEL);
	if (!tt)
		return NULL;

	if (ttm_tt_init(&tt->base, bo, page_flags, ttm_cached, 0)) {
		kfree(tt);
		return NULL;
	}
	/* A ghost may own it in the end, but that never allocates. */
	tt->bo = to_vexport_bo(bo);
	return &tt->base;
}

static void vexport_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(to_vexport_tt(tt));
}

/*
 * TTM's pool would hand out pages that it owns alone; ours belong to a storage
 * that may have to outlive this ttm_tt.
 */
static int vexport_tt_populate(struct ttm_device *ttm, struct ttm_tt *tt,
			       struct ttm_operation_ctx *ctx)
{
	struct vexport_device *vdev = container_of(ttm, struct vexport_device, ttm);
	struct vexport_tt *vtt = to_vexport_tt(tt);
	struct vexport_storage *storage;
	gfp_t gfp = GFP_HIGHUSER | __GFP_NOWARN;

	dma_resv_assert_held(vtt->bo->base.base.resv);

	if (tt->page_flags & TTM_TT_FLAG_ZERO_ALLOC)
		gfp |= __GFP_ZERO;
	if (ctx->gfp_retry_mayfail)
		gfp |= __GFP_RETRY_MAYFAIL;

	/* The first time there is the array that TTM has allocated. */
	storage = vexport_storage_alloc_in(vdev, tt->pages, tt->num_pages, gfp,
					   vexport_profile_is_contiguous_locked(vtt->bo));
	if (IS_ERR(storage))
		return PTR_ERR(storage);
	vexport_profile_arrange_locked(vtt->bo, storage);

	vtt->storage = storage;
	tt->pages = storage->pages;
	atomic_long_add(tt->num_pages, &vdev->swap.pages);
	return 0;
}

static void vexport_tt_unpopulate(struct ttm_device *ttm, struct ttm_tt *tt)
{
	struct vexport_device *vdev = container_of(ttm, struct vexport_device, ttm);
	struct vexport_tt *vtt = to_vexport_tt(tt);

	atomic_long_sub(tt->num_pages, &vdev->swap.pages);
	/*
	 * Swapped out under an importer's old mapping: watch what it does.
	 */
	if (vexport_quarantine_wants_pattern(vtt->storage))
		vexport_pattern_fill(vtt->storage);
	tt->pages = NULL;
	vexport_storage_put(vtt->storage);
	vtt->storage = NULL;
}

/**
 * vexport_ttm_set_storage_locked - give a buffer other system pages
 * @bo: a populated buffer in TT or SYSTEM
 * @storage: the pages; the reference is taken over
 *
 * Drops the reference to the pages it had. TTM itself never exchanges pages
 * within a placement, and need not know: the accounting stays as it is.
 *
 * Locks: the reservation is held; CPU mappings have been zapped under it.
 */
void vexport_ttm_set_storage_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	struct ttm_tt *tt = bo->base.ttm;
	struct vexport_tt *vtt = to_vexport_tt(tt);

	dma_resv_assert_held(bo->base.base.resv);

	vexport_storage_put(vtt->storage);
	vtt->storage = storage;
	tt->pages = storage->pages;
}

static const struct ttm_place tt_place = { .mem_type = TTM_PL_TT };
static const struct ttm_place system_place = { .mem_type = TTM_PL_SYSTEM };

static void vexport_evict_flags(struct ttm_buffer_object *bo, struct ttm_placement *placement)
{
	/* The ghost of a move: nothing to keep, TTM waits and frees. */
	if (!vexport_bo_is_ours(bo)) {
		placement->num_placement = 0;
		return;
	}

	placement->num_placement = 1;
	placement->placement = bo->resource->mem_type == TTM_PL_VRAM ? &tt_place : &system_place;
}

/* The pages go to swap: importers were told when the buffer left TT. */
static void vexport_swap_notify(struct ttm_buffer_object *bo)
{
	struct vexport_storage *storage;

	if (!vexport_bo_is_ours(bo))
		return;

	storage = vexport_bo_storage_locked(to_vexport_bo(bo));
	vexport_quarantine_add_locked(to_vexport_bo(bo), storage);
}

static int vexport_io_mem_reserve(struct ttm_device *ttm, struct ttm_resource *res)
{
	struct vexport_storage *storage;

	if (res->mem_type != TTM_PL_VRAM)
		return 0;

	/*
	 * TTM maps memory outside of a ttm_tt only if it is called I/O memory.
	 * The offset is never used as an address, since vexport_io_mem_pfn()
	 * names every page; it tells TTM that this was done already.
	 */
	storage = to_vexport_vram_resource(res)->storage;
	res->bus.is_iomem = true;
	res->bus.caching = ttm_cached;
	res->bus.offset = page_to_phys(storage->pages[0]);
	return 0;
}

static unsigned long vexport_io_mem_pfn(struct ttm_buffer_object *bo, unsigned long page_offset)
{
	struct vexport_storage *storage = to_vexport_vram_resource(bo->resource)->storage;

	return page_to_pfn(storage->pages[page_offset]);
}

static const struct ttm_device_funcs vexport_ttm_funcs = {
	.ttm_tt_create = vexport_tt_create,
	.ttm_tt_populate = vexport_tt_populate,
	.ttm_tt_unpopulate = vexport_tt_unpopulate,
	.ttm_tt_destroy = vexport_tt_destroy,
	.eviction_valuable = ttm_bo_eviction_valuable,
	.evict_flags = vexport_evict_flags,
	.move = vexport_move,
	.swap_notify = vexport_swap_notify,
	.io_mem_reserve = vexport_io_mem_reserve,
	.io_mem_pfn = vexport_io_mem_pfn,
};

/*
 * TT has no addresses, so nobody need look for a place there: it is full when there is
 * more in it than the machine has memory.
 */
static void tt_manager_free(struct ttm_resource_manager *man, struct ttm_resource *res)
{
	ttm_resource_fini(man, res);
	kfree(res);
}

static int tt_manager_alloc(struct ttm_resource_manager *man, struct ttm_buffer_object *bo,
			    const struct ttm_place *place, struct ttm_resource **res)
{
	struct ttm_resource *new;

	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return -ENOMEM;

	/* Counts it, so two that take the last room at a time cannot both have it. */
	ttm_resource_init(bo, place, new);
	if (ttm_resource_manager_usage(man) > man->size) {
		tt_manager_free(man, new);
		return -ENOSPC;
	}
	*res = new;
	return 0;
}

static const struct ttm_resource_manager_func tt_manager_func = {
	.alloc = tt_manager_alloc,
	.free = tt_manager_free,
};

static void tt_manager_init(struct vexport_device *vdev)
{
	struct ttm_resource_manager *man = &vdev->tt_manager;

	man->func = &tt_manager_func;
	man->use_tt = true;
	/* TTM's own limit on pages applies, too. */
	ttm_resource_manager_init(man, &vdev->ttm, (u64)totalram_pages() << PAGE_SHIFT);
	ttm_set_driver_manager(&vdev->ttm, TTM_PL_TT, man);
	ttm_resource_manager_set_used(man, true);
}

static void tt_manager_fini(struct vexport_device *vdev)
{
	struct ttm_resource_manager *man = &vdev->tt_manager;

	ttm_resource_manager_set_used(man, false);
	ttm_resource_manager_evict_all(&vdev->ttm, man);
	ttm_resource_manager_cleanup(man);
	ttm_set_driver_manager(&vdev->ttm, TTM_PL_TT, NULL);
}

static void ttm_fini(struct drm_device *drm, void *data)
{
	struct vexport_device *vdev = to_vexport_device(drm);

	tt_manager_fini(vdev);
	ttm_device_fini(&vdev->ttm);
}

/**
 * vexport_ttm_init - set TTM up with its TT placement
 * @vdev: device
 *
 * Undone when the device is released.
 *
 * Return: 0 or an error of TTM's.
 */
int vexport_ttm_init(struct vexport_device *vdev)
{
	struct drm_device *drm = &vdev->drm;
	int ret;

	ret = vshare_ttm_device_init(&vdev->ttm, &vexport_ttm_funcs, drm->dev,
				     drm->anon_inode->i_mapping, drm->vma_offset_manager);
	if (ret)
		return ret;

	tt_manager_init(vdev);
	return drmm_add_action_or_reset(drm, ttm_fini, NULL);
}
