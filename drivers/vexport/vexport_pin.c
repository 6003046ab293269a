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
 *
 * Whoever may open a render node can make an importer pin, so what is pinned is
 * limited. A pin that a map takes back is not counted for that, not even for a
 * moment: somebody else's would fail for it.
 */

/* The core pins on behalf of this importer, and that does not hold the buffer. */
static bool pins_are_implicit(struct vexport_attachment *att)
{
	return VSHARE_IMPLICIT_PIN && att->dynamic &&
	       att->bo->create_flags & DRM_VEXPORT_GEM_MOVING;
}

static unsigned int hard_pins(struct vexport_attachment *att)
{
	if (pins_are_implicit(att))
		return att->pins > att->maps ? att->pins - att->maps : 0;
	return att->pins;
}

/* Let TTM know. */
static void sync_locked(struct vexport_bo *bo)
{
	bool pinned = bo->hard_pins;

	dma_resv_assert_held(bo->base.base.resv);

	if (pinned == bo->pinned)
		return;
	bo->pinned = pinned;
	if (pinned)
		ttm_bo_pin(&bo->base);
	else
		ttm_bo_unpin(&bo->base);
	/*
	 * 6.12 moves the resource between the list of what may be evicted and
	 * the list of what is pinned only here. The dma-buf core drops the
	 * reservation without it: a buffer that was once pinned would never be
	 * evicted again.
	 */
	ttm_bo_move_to_lru_tail_unlocked(&bo->base);
}

static void account_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);

	dma_resv_assert_held(bo->base.base.resv);

	if (bo->pinned == bo->accounted)
		return;
	bo->accounted = bo->pinned;
	if (bo->pinned)
		atomic64_add(bo->base.base.size, &vdev->stats.pinned);
	else
		atomic64_sub(bo->base.base.size, &vdev->stats.pinned);
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
	account_locked(bo);
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

	if (WARN_ON_ONCE(!bo->hard_pins))
		return;
	bo->hard_pins--;
	sync_locked(bo);
	account_locked(bo);
}

static bool over_limit(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);

	return !bo->accounted &&
	       atomic64_read(&vdev->stats.pinned) + bo->base.base.size > vdev->pin_limit;
}

/**
 * vexport_pin_attachment_locked - an importer, or the core for it, pins
 * @att: attachment; the buffer is where the importer can reach it
 *
 * Locks: the reservation is held.
 *
 * Return: 0, -ENOMEM if more would be pinned than is allowed. The latter does
 * not happen if the pin may be the core's, which a map takes back.
 */
int vexport_pin_attachment_locked(struct vexport_attachment *att)
{
	dma_resv_assert_held(att->bo->base.base.resv);

	if (!pins_are_implicit(att) && over_limit(att->bo))
		return -ENOMEM;

	att->pins++;
	update_locked(att);
	if (!pins_are_implicit(att))
		account_locked(att->bo);
	return 0;
}

/**
 * vexport_pin_failed_locked - an importer was refused a pin
 * @att: attachment
 *
 * amdgpu does not look at the answer, and undoes later what it never had. That
 * must not undo a pin of somebody else's.
 *
 * Locks: the reservation is held.
 */
void vexport_pin_failed_locked(struct vexport_attachment *att)
{
	dma_resv_assert_held(att->bo->base.base.resv);

	if (att->dynamic)
		att->owed++;
}

/* More unpins than pins: a buffer that is mapped needs the core's own pins. */
static bool unpin_is_surplus(struct vexport_attachment *att)
{
	if (pins_are_implicit(att))
		return att->pins <= att->maps;
	return !att->pins;
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

	if (att->owed && unpin_is_surplus(att)) {
		att->owed--;
		return;
	}
	if (WARN_ON_ONCE(!att->pins))
		return;
	att->pins--;
	update_locked(att);
	account_locked(att->bo);
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
	account_locked(att->bo);
}
