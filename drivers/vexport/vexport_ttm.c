// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_range_manager.h>

#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_move.h"
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

	if (tt->page_flags & TTM_TT_FLAG_ZERO_ALLOC)
		gfp |= __GFP_ZERO;
	if (ctx->gfp_retry_mayfail)
		gfp |= __GFP_RETRY_MAYFAIL;

	storage = vexport_storage_alloc_system(vdev, tt->num_pages, gfp);
	if (IS_ERR(storage))
		return PTR_ERR(storage);

	vtt->storage = storage;
	memcpy(tt->pages, storage->pages, tt->num_pages * sizeof(*tt->pages));
	return 0;
}

static void vexport_tt_unpopulate(struct ttm_device *ttm, struct ttm_tt *tt)
{
	struct vexport_tt *vtt = to_vexport_tt(tt);

	/*
	 * Swapped out under an importer's old mapping: watch what it does. If a
	 * copy has filled the pages already (paired with its release), there
	 * may be stale writes in them that must not be wiped out.
	 */
	if (!smp_load_acquire(&vtt->storage->patterned) && !list_empty(&vtt->storage->left))
		vexport_quarantine_fill(vtt->storage);
	vexport_storage_put(vtt->storage);
	vtt->storage = NULL;
	memset(tt->pages, 0, tt->num_pages * sizeof(*tt->pages));
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
	memcpy(tt->pages, storage->pages, tt->num_pages * sizeof(*tt->pages));
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

static void ttm_fini(struct drm_device *drm, void *data)
{
	struct vexport_device *vdev = to_vexport_device(drm);

	ttm_range_man_fini(&vdev->ttm, TTM_PL_TT);
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

	/* TT is as large as the machine; TTM's own limit on pages applies. */
	ret = ttm_range_man_init(&vdev->ttm, TTM_PL_TT, true, totalram_pages());
	if (ret) {
		ttm_device_fini(&vdev->ttm);
		return ret;
	}
	return drmm_add_action_or_reset(drm, ttm_fini, NULL);
}
