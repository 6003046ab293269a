// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/dma-resv.h>
#include <linux/sched/signal.h>

#include <drm/drm_gem.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_evict.h"
#include "vexport_request.h"

/**
 * DOC: eviction on demand
 *
 * TTM's own ttm_resource_manager_evict_all() gives up at the first buffer that
 * is pinned and goes on for as long as others bring buffers to VRAM. So the
 * device keeps a list of its buffers, and walks it once.
 */

/**
 * vexport_evict_bo_locked - make a buffer leave VRAM as if its place were needed
 * @bo: the buffer
 * @interruptible: whether a signal ends a wait
 *
 * Does nothing if it is not there. The copy is over on return.
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -EBUSY if the buffer is pinned; -ENOMEM; -ERESTARTSYS. The buffer is
 * where it was then.
 */
int vexport_evict_bo_locked(struct vexport_bo *bo, bool interruptible)
{
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	if (bo->base.resource->mem_type != TTM_PL_VRAM)
		return 0;

	/* TTM has no way for a driver to evict one buffer: tell our own part of it. */
	bo->evicting = true;
	ret = vexport_request_placement_locked(bo, TTM_PL_TT, interruptible);
	bo->evicting = false;
	return ret;
}

static void evict_counted(struct vexport_bo *bo, struct drm_vexport_evict *args)
{
	dma_resv_lock(bo->base.base.resv, NULL);
	/* One that has not found its first place is not anybody's yet. */
	if (!bo->placed || bo->base.resource->mem_type != TTM_PL_VRAM)
		;
	else if (vexport_evict_bo_locked(bo, false))
		args->skipped++;
	else
		args->evicted++;
	dma_resv_unlock(bo->base.base.resv);
}

/**
 * vexport_evict_ioctl - DRM_IOCTL_VEXPORT_EVICT
 * @drm: device
 * @data: &struct drm_vexport_evict
 * @file: client
 */
int vexport_evict_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vexport_device *vdev = to_vexport_device(drm);
	struct drm_vexport_evict *args = data;
	u64 newest = atomic64_read(&vdev->last_id);
	struct vexport_bo *bo = NULL;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (args->flags || args->pad)
		return -EINVAL;

	args->evicted = 0;
	args->skipped = 0;
	while ((bo = vexport_bo_next(vdev, bo))) {
		/*
		 * Whoever creates buffers as fast as they are evicted must not keep
		 * the call going; and nobody will read the counts of whoever is being
		 * killed.
		 */
		if (bo->id > newest || fatal_signal_pending(current)) {
			drm_gem_object_put(&bo->base.base);
			break;
		}
		evict_counted(bo, args);
	}
	return 0;
}
