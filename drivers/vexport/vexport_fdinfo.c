// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-resv.h>
#include <linux/idr.h>
#include <linux/spinlock.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_placement.h>

#include "vexport_bo.h"
#include "vexport_fdinfo.h"
#include "vexport_usage.h"

/**
 * DOC: fdinfo
 *
 * What a client's buffers take in each placement, in the keys of
 * Documentation/gpu/drm-usage-stats.rst, and for how long they have been copied, see
 * DOC: usage. The regions are called as amdgpu and xe call the same placements of
 * TTM, "gtt" for TT.
 *
 * A buffer counts where it is at the moment, for every client that has a handle of
 * it. Without pages, because it was never used or is swapped out, it is not
 * resident. Nothing is purgeable: content is never thrown away.
 */

struct region {
	const char *name;
	u32 mem_type;
};

static const struct region regions[] = {
	{ "system", TTM_PL_SYSTEM },
	{ "gtt", TTM_PL_TT },
	{ "vram", TTM_PL_VRAM },
};

static void add_locked(struct vexport_bo *bo, struct drm_memory_stats *stats)
{
	struct drm_gem_object *obj = &bo->base.base;

	dma_resv_assert_held(obj->resv);

	stats += bo->base.resource->mem_type;
	if (drm_gem_object_is_shared_for_memory_stats(obj))
		stats->shared += obj->size;
	else
		stats->private += obj->size;
	if (vexport_bo_storage_locked(bo))
		stats->resident += obj->size;
	/* A copy of ours counts as well: a move is work of the device. */
	if (!dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_BOOKKEEP))
		stats->active += obj->size;
}

/* Nothing may sleep under the lock of the handles: leave it if somebody is busy. */
static int add(struct drm_file *file, struct vexport_bo *bo, struct drm_memory_stats *stats)
	__must_hold(&file->table_lock)
{
	struct drm_gem_object *obj = &bo->base.base;
	int ret;

	lockdep_assert_held(&file->table_lock);

	if (dma_resv_trylock(obj->resv)) {
		add_locked(bo, stats);
		dma_resv_unlock(obj->resv);
		return 0;
	}

	drm_gem_object_get(obj);
	spin_unlock(&file->table_lock);
	ret = vexport_bo_lock(bo);
	if (!ret) {
		add_locked(bo, stats);
		dma_resv_unlock(obj->resv);
	}
	drm_gem_object_put(obj);
	spin_lock(&file->table_lock);
	return ret;
}

static int add_all(struct drm_file *file, struct drm_memory_stats *stats)
{
	struct drm_gem_object *obj;
	int ret = 0, id;

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id) {
		/* The memory of another driver, which counts it for the client. */
		if (obj->import_attach)
			continue;
		ret = add(file, gem_to_vexport_bo(obj), stats);
		if (ret)
			break;
	}
	spin_unlock(&file->table_lock);
	return ret;
}

/**
 * vexport_fdinfo_show - tell what a client's buffers take
 * @p: where to print
 * @file: client
 *
 * Prints nothing of memory if a signal came: no numbers are better than wrong ones.
 *
 * Locks: takes reservations, one at a time.
 */
void vexport_fdinfo_show(struct drm_printer *p, struct drm_file *file)
{
	const enum drm_gem_object_status supported = DRM_GEM_OBJECT_RESIDENT |
						     DRM_GEM_OBJECT_PURGEABLE |
						     DRM_GEM_OBJECT_ACTIVE;
	struct drm_memory_stats stats[TTM_PL_VRAM + 1] = {};
	unsigned int i;

	vexport_usage_show(p, file);
	if (add_all(file, stats))
		return;
	for (i = 0; i < ARRAY_SIZE(regions); i++)
		drm_print_memory_stats(p, &stats[regions[i].mem_type], supported, regions[i].name);
}
