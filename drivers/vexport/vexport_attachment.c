// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <drm/ttm/ttm_placement.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_client.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_mapping.h"
#include "vexport_fault.h"
#include "vexport_pin.h"
#include "vexport_profile.h"
#include "vexport_request.h"
#include "vexport_revoke.h"
#include "vexport_trace.h"
#include "vexport_verdict.h"

/* How many attachments the verdict tells of that are gone. */
#define MAX_GONE	16

/**
 * vexport_attachment_attach - &dma_buf_ops.attach
 * @dmabuf: dma-buf of a buffer
 * @attach: what the dma-buf core keeps of the new importer
 *
 * Locks: none held.
 *
 * Return: 0; -ENODEV if the buffer is revoked for good; -EOPNOTSUPP if it wants nobody
 * like that; -ENOMEM.
 */
int vexport_attachment_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct vexport_bo *bo = gem_to_vexport_bo(dmabuf->priv);
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct vexport_attachment *att;
	int ret;

	ret = vexport_fault_error(bo, DRM_VEXPORT_FAULT_ATTACH);
	if (ret)
		return ret;

	/* Without the reservation: what is gone for good does not come back. */
	if (READ_ONCE(bo->revoked) == DRM_VEXPORT_REVOKE_PERMANENT)
		return -ENODEV;

	ret = vexport_profile_check_attach(attach);
	if (ret)
		return ret;

	att = kzalloc(sizeof(*att), GFP_KERNEL);
	if (!att)
		return -ENOMEM;

	att->client = vexport_client_get(&vdev->clients);
	if (!att->client) {
		kfree(att);
		return -ENOMEM;
	}

	att->bo = bo;
	att->unlimited = capable(CAP_IPC_LOCK);
	att->dynamic = attach->importer_ops;
	att->attach = attach;
	att->id = atomic64_inc_return(&vdev->last_attachment);
	att->inode = file_inode(dmabuf->file)->i_ino;
	strscpy(att->device, dev_name(attach->dev), sizeof(att->device));
	INIT_LIST_HEAD(&att->tables);
	INIT_LIST_HEAD(&att->held);
	scoped_guard(mutex, &vdev->quarantine.lock)
		list_add_tail(&att->node, &bo->importers);
	attach->priv = att;
	atomic_inc(&bo->attachments);
	atomic_inc(&vdev->stats.attachments);
	return 0;
}

/* What a correct importer never leaves behind. */
static void leave_nothing(struct vexport_attachment *att)
{
	struct dma_resv *resv = att->bo->base.base.resv;

	dma_resv_lock(resv, NULL);
	if (vexport_pin_drop_attachment_locked(att))
		vexport_verdict_broken(att, DRM_VEXPORT_RULE_DETACH_PINNED);
	if (att->maps)
		vexport_verdict_broken(att, DRM_VEXPORT_RULE_DETACH_MAPPED);
	vexport_mapping_abandon_locked(att);
	dma_resv_unlock(resv);
}

/* One of those that are gone and that nothing depends on; rather one without a record. */
static struct vexport_attachment *find_forgettable(struct vexport_bo *bo, unsigned int *gone)
{
	struct vexport_attachment *att, *found = NULL;

	*gone = 0;
	list_for_each_entry(att, &bo->importers, node) {
		if (att->attach)
			continue;
		++*gone;
		/* A late write would be laid at its door. */
		if (!list_empty(&att->held))
			continue;
		if (!found || (atomic64_read(&found->rules) && !atomic64_read(&att->rules)))
			found = att;
	}
	return found;
}

/**
 * vexport_attachment_detach - &dma_buf_ops.detach
 * @dmabuf: dma-buf of a buffer
 * @attach: importer that goes; no callback of it is called any more
 *
 * Locks: none held. Takes the reservation if the importer has left something.
 */
void vexport_attachment_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct vexport_bo *bo = gem_to_vexport_bo(dmabuf->priv);
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct vexport_attachment *att = attach->priv;
	unsigned int gone, i;

	if (att->pins || att->maps)
		leave_nothing(att);
	vexport_client_put(&vdev->clients, att->client);
	att->client = NULL;

	scoped_guard(mutex, &vdev->quarantine.lock) {
		vexport_mapping_detach(att);
		att->attach = NULL;
		att->p2p = attach->peer2peer;
		/* This one, or another; and one more that could not go when it came. */
		for (i = 0; i < 2; i++) {
			att = find_forgettable(bo, &gone);
			if (!att || gone <= MAX_GONE)
				break;
			list_del(&att->node);
			kfree(att);
		}
	}
	atomic_dec(&bo->attachments);
	atomic_dec(&vdev->stats.attachments);
}

/**
 * vexport_attachment_forget - a buffer ends
 * @bo: the buffer, to which nobody is attached any more
 *
 * Locks: takes &vexport_quarantine.lock.
 */
void vexport_attachment_forget(struct vexport_bo *bo)
{
	struct vexport_attachment *att, *next;

	guard(mutex)(&to_vexport_device(bo->base.base.dev)->quarantine.lock);
	list_for_each_entry_safe(att, next, &bo->importers, node) {
		/* Where the buffer is to its end nothing is watched. */
		vexport_mapping_free_abandoned(att);
		kfree(att);
	}
	INIT_LIST_HEAD(&bo->importers);
}

static bool all_reach_vram_locked(struct vexport_bo *bo)
{
	struct dma_buf_attachment *attach;
	struct vexport_dmabuf *vdmabuf;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(vdmabuf, &bo->dmabufs, node) {
		list_for_each_entry(attach, &vdmabuf->dmabuf->attachments, node) {
			if (!attach->peer2peer)
				return false;
		}
	}
	return true;
}

/**
 * vexport_attachment_make_reachable_locked - bring a buffer where every importer can reach it
 * @bo: the buffer
 * @interruptible: whether a signal ends a wait
 *
 * Pin and map must agree on this place: a buffer that is pinned cannot follow a map
 * that wants another.
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -EINVAL if the buffer is pinned elsewhere; -ENOMEM; -ERESTARTSYS.
 */
int vexport_attachment_make_reachable_locked(struct vexport_bo *bo, bool interruptible)
{
	bool vram_will_do;
	u32 placement;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	vram_will_do = all_reach_vram_locked(bo);
	if (vram_will_do) {
		ret = vexport_profile_place_locked(bo, interruptible);
		if (ret)
			return ret;
	}

	placement = bo->base.resource->mem_type;
	if (placement == TTM_PL_TT || (placement == TTM_PL_VRAM && vram_will_do))
		return 0;
	ret = vexport_request_placement_locked(bo, TTM_PL_TT, interruptible);
	/* From 7.1 on the core warns of an exporter that says -EBUSY to a pin. */
	return ret == -EBUSY ? -EINVAL : ret;
}

static int pin_locked(struct vexport_attachment *att)
{
	struct vexport_bo *bo = att->bo;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	ret = vexport_fault_error(bo, DRM_VEXPORT_FAULT_PIN);
	if (ret)
		return ret;

	ret = vexport_revoke_check_locked(bo);
	if (ret)
		return ret;

	/* Not every importer can deal with a failure: none for a mere signal. */
	ret = vexport_attachment_make_reachable_locked(bo, false);
	if (ret)
		return ret;

	/*
	 * Pinned memory is ready memory: no fence is left to obey. Where the
	 * core pins on every map that would make all importers wait for every
	 * copy, so there they obey the fence, as after any map.
	 */
	if (!VSHARE_IMPLICIT_PIN)
		dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, false,
				      MAX_SCHEDULE_TIMEOUT);
	return vexport_pin_attachment_locked(att);
}

/**
 * vexport_attachment_pin - &dma_buf_ops.pin
 * @attach: importer, or the core on its behalf, that wants the buffer to stay
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -EINVAL if the buffer is pinned where the importer cannot reach it;
 * -ENODEV if it is revoked; -ENOMEM, also if more would be pinned than is allowed.
 */
int vexport_attachment_pin(struct dma_buf_attachment *attach)
{
	struct vexport_attachment *att = attach->priv;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	ret = pin_locked(att);
	if (ret)
		vexport_pin_failed_locked(att);
	else
		trace_vexport_pin(attach);
	if (!ret)
		vexport_fault_notify_locked(att->bo, DRM_VEXPORT_FAULT_NOTIFY_IN_PIN);
	return ret;
}

/**
 * vexport_attachment_unpin - &dma_buf_ops.unpin
 * @attach: importer that had pinned the buffer
 *
 * Locks: the reservation is held.
 */
void vexport_attachment_unpin(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	vexport_pin_unpin_attachment_locked(attach->priv);
	trace_vexport_unpin(attach);
}
