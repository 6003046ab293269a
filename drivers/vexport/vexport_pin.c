// SPDX-License-Identifier: GPL-2.0-only

#include <drm/ttm/ttm_bo.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_pin.h"

/**
 * DOC: pins
 *
 * Kernels before 7.1 that are built without CONFIG_DMABUF_MOVE_NOTIFY, which
 * is most of them, pin a buffer for as long as a dynamic importer has it
 * mapped. Nothing would ever move there. The core does it like this, with the
 * reservation held from the first step to the last::
 *
 *	dma_buf_map_attachment()	dma_buf_unmap_attachment()
 *	  pin				  unmap
 *	  map				  unpin
 *
 * So whenever the reservation is free, the pins of a dynamic attachment minus
 * its mappings are the pins that the importer asked for itself. For a buffer
 * that was created with %DRM_VEXPORT_GEM_MOVING only those count.
 *
 * Within pin nobody can tell one kind from the other. Therefore every pin
 * counts at first, and a successful map takes it back. Unmap changes nothing:
 * the unpin that follows it in the same section would only undo that.
 */

static unsigned int hard_pins(struct vexport_attachment *att)
{
	if (VSHARE_IMPLICIT_PIN && att->dynamic &&
	    att->bo->create_flags & DRM_VEXPORT_GEM_MOVING)
		return att->pins > att->maps ? att->pins - att->maps : 0;
	return att->pins;
}

/* Let TTM know. */
static void sync_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	bool pinned = bo->hard_pins;

	dma_resv_assert_held(bo->base.base.resv);

	if (pinned == bo->pinned)
		return;
	bo->pinned = pinned;
	if (pinned) {
		ttm_bo_pin(&bo->base);
		atomic64_add(bo->base.base.size, &vdev->stats.pinned);
	} else {
		ttm_bo_unpin(&bo->base);
		atomic64_sub(bo->base.base.size, &vdev->stats.pinned);
	}
	/*
	 * 6.12 moves the resource between the list of what may be evicted and
	 * the list of what is pinned only here. The dma-buf core drops the
	 * reservation without it: a buffer that was once pinned would never be
	 * evicted again.
	 */
	ttm_bo_move_to_lru_tail_unlocked(&bo->base);
}

static void update_locked(struct vexport_attachment *att)
{
	unsigned int hard = hard_pins(att);

	att->bo->hard_pins += hard - att->hard;
	att->hard = hard;
	sync_locked(att->bo);
}

/**
 * vexport_pin_add_locked - hold a buffer where it is, for the kernel's own use
 * @bo: a buffer with pages
 *
 * Locks: the reservation is held.
 */
void vexport_pin_add_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	bo->hard_pins++;
	sync_locked(bo);
}

/**
 * vexport_pin_remove_locked - undo vexport_pin_add_locked()
 * @bo: the buffer
 *
 * Locks: the reservation is held.
 */
void vexport_pin_remove_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (WARN_ON(!bo->hard_pins))
		return;
	bo->hard_pins--;
	sync_locked(bo);
}

static bool over_limit(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);

	return !bo->pinned &&
	       atomic64_read(&vdev->stats.pinned) + bo->base.base.size > vdev->pin_limit;
}

/**
 * vexport_pin_attachment_locked - an importer, or the core for it, pins
 * @att: attachment; the buffer is where the importer can reach it
 *
 * Static importers pin for as long as they are attached, and anybody who may
 * open a render node can make one attach: they are limited. Others pin for
 * reasons of the kernel's own, and some ignore the answer.
 *
 * Locks: the reservation is held.
 *
 * Return: 0, -ENOMEM if more would be pinned than is allowed.
 */
int vexport_pin_attachment_locked(struct vexport_attachment *att)
{
	dma_resv_assert_held(att->bo->base.base.resv);

	if (!att->dynamic && over_limit(att->bo))
		return -ENOMEM;

	att->pins++;
	update_locked(att);
	return 0;
}

/**
 * vexport_pin_unpin_attachment_locked - undo vexport_pin_attachment_locked()
 * @att: attachment
 *
 * Locks: the reservation is held.
 */
void vexport_pin_unpin_attachment_locked(struct vexport_attachment *att)
{
	dma_resv_assert_held(att->bo->base.base.resv);

	if (WARN_ON(!att->pins))
		return;
	att->pins--;
	update_locked(att);
}

/**
 * vexport_pin_mapped_locked - &vexport_attachment.maps went up
 * @att: attachment
 *
 * Locks: the reservation is held.
 */
void vexport_pin_mapped_locked(struct vexport_attachment *att)
{
	dma_resv_assert_held(att->bo->base.base.resv);

	update_locked(att);
}
