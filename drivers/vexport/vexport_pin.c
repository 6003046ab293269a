// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_client.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_pin.h"
#include "vexport_verdict.h"

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
 * limited twice: per device, whoever pins, and per client (vexport_client.c), so that
 * nobody uses up what is there for all. Both count the whole size of a buffer, and
 * once, however many pins there are. Two clients that pin one buffer are both
 * charged for it: either of them alone would hold it.
 *
 * The client is the one who attached, because whoever calls pin may be a worker.
 * As for memory that is locked by other means, CAP_IPC_LOCK lifts the client's
 * limit, and it is looked for at that time, too. Nothing lifts the device's.
 *
 * A pin that a map takes back is not charged, not even for a moment: somebody
 * else's would fail for it. One that may be of that kind is charged at the next
 * map, which fails if that is too much. Importers that pin map soon.
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

static void update_locked(struct vexport_attachment *att)
{
	unsigned int hard;

	dma_resv_assert_held(att->bo->base.base.resv);

	hard = hard_pins(att);
	att->bo->hard_pins += hard - att->hard;
	att->hard = hard;
	sync_locked(att->bo);
}

/* In one step: two that add at a time must not both find that there is room. */
static bool add_below(atomic64_t *sum, u64 size, u64 limit)
{
	s64 old = atomic64_read(sum);

	do {
		if (old + size > limit)
			return false;
	} while (!atomic64_try_cmpxchg(sum, &old, old + size));
	return true;
}

static int charge_device_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);

	dma_resv_assert_held(bo->base.base.resv);

	if (!bo->charges &&
	    !add_below(&vdev->stats.pinned, bo->base.base.size, vdev->pin_limit))
		return -ENOMEM;
	bo->charges++;
	return 0;
}

static void uncharge_device_locked(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);

	dma_resv_assert_held(bo->base.base.resv);

	if (!--bo->charges)
		atomic64_sub(bo->base.base.size, &vdev->stats.pinned);
}

/*
 * Is the client charged for the buffer through another of his attachments? One that
 * is just going is on no dma-buf's list any more when it is asked to give back what it
 * holds, but it is among the importers.
 */
static bool client_pays_locked(struct vexport_attachment *att)
{
	struct vexport_device *vdev = to_vexport_device(att->bo->base.base.dev);
	struct vexport_attachment *other;

	dma_resv_assert_held(att->bo->base.base.resv);

	guard(mutex)(&vdev->quarantine.lock);
	list_for_each_entry(other, &att->bo->importers, node) {
		if (other != att && other->charged && other->client == att->client)
			return true;
	}
	return false;
}

static int charge_locked(struct vexport_attachment *att)
{
	struct vexport_bo *bo = att->bo;
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	bool pays;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	if (att->charged)
		return 0;

	pays = client_pays_locked(att);
	if (!pays && !add_below(&att->client->pinned, bo->base.base.size,
				att->unlimited ? U64_MAX : vdev->client_pin_limit))
		return -ENOMEM;

	ret = charge_device_locked(bo);
	if (ret) {
		if (!pays)
			atomic64_sub(bo->base.base.size, &att->client->pinned);
		return ret;
	}
	att->charged = true;
	return 0;
}

static void uncharge_locked(struct vexport_attachment *att)
{
	struct vexport_bo *bo = att->bo;

	dma_resv_assert_held(bo->base.base.resv);

	if (!att->charged)
		return;
	att->charged = false;
	uncharge_device_locked(bo);
	if (!client_pays_locked(att))
		atomic64_sub(bo->base.base.size, &att->client->pinned);
}

/**
 * vexport_pin_holds_beside_map_locked - does a pin hold a buffer that is being mapped?
 * @att: attachment for which map was called
 *
 * The core may have pinned for this very map; that pin does not count.
 *
 * Locks: the reservation is held.
 */
bool vexport_pin_holds_beside_map_locked(struct vexport_attachment *att)
{
	dma_resv_assert_held(att->bo->base.base.resv);

	return att->bo->hard_pins > (VSHARE_IMPLICIT_PIN && att->dynamic);
}

/**
 * vexport_pin_add_locked - hold a buffer where it is, for the kernel's own use
 * @bo: a buffer with pages
 *
 * Whoever may open a video device can have the kernel do that, so the device's limit
 * is for this, too. Nobody has attached who could be charged.
 *
 * Locks: the reservation is held.
 *
 * Return: 0, -ENOMEM if more would be pinned than is allowed.
 */
int vexport_pin_add_locked(struct vexport_bo *bo)
{
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	ret = charge_device_locked(bo);
	if (ret)
		return ret;

	bo->hard_pins++;
	sync_locked(bo);
	return 0;
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
	uncharge_device_locked(bo);
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
	int ret;

	dma_resv_assert_held(att->bo->base.base.resv);

	if (!pins_are_implicit(att)) {
		ret = charge_locked(att);
		if (ret)
			return ret;
	}

	att->pins++;
	update_locked(att);
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

	if (unpin_is_surplus(att)) {
		if (att->owed)
			att->owed--;
		else
			vexport_verdict_broken(att, DRM_VEXPORT_RULE_SURPLUS_UNPIN);
		return;
	}
	att->pins--;
	update_locked(att);
	if (!att->hard)
		uncharge_locked(att);
}

/**
 * vexport_pin_check_map_locked - may an importer map, as to its pins?
 * @att: attachment, pinned by the core for this map where it does that
 *
 * Locks: the reservation is held.
 *
 * Return: 0, -ENOMEM if the importer has pinned more than is allowed, and nobody
 * could tell until now.
 */
int vexport_pin_check_map_locked(struct vexport_attachment *att)
{
	dma_resv_assert_held(att->bo->base.base.resv);

	/* All but one of them are its own. */
	if (pins_are_implicit(att) && att->pins > att->maps + 1)
		return charge_locked(att);
	return 0;
}

/**
 * vexport_pin_drop_attachment_locked - an importer goes
 * @att: its attachment, before what it has mapped is taken away
 *
 * Locks: the reservation is held.
 *
 * Return: true if the importer had a pin that it had asked for.
 */
bool vexport_pin_drop_attachment_locked(struct vexport_attachment *att)
{
	unsigned int of_core;
	bool leaked;

	dma_resv_assert_held(att->bo->base.base.resv);

	of_core = VSHARE_IMPLICIT_PIN && att->dynamic ? att->maps : 0;
	leaked = att->pins > of_core;
	att->pins = 0;
	update_locked(att);
	uncharge_locked(att);
	return leaked;
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
