// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/hrtimer.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include <drm/drm_file.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_move.h"
#include "vexport_pin.h"
#include "vexport_profile.h"
#include "vexport_request.h"
#include "vexport_storage.h"

/**
 * DOC: profiles
 *
 * What one exporter never does another one does all the time, and an importer that
 * was only ever tested against the first breaks on the second. A profile makes one
 * buffer do what is rare. All of it is within the contract, so an importer that does
 * not survive is wrong. Three limits keep it so:
 *
 * - every bit that makes an importer try again leaves the next tries alone: what is
 *   refused or moved away is so for every n-th map, n is two at least, and MAP_TO_TT
 *   gives all importers the time to settle that they need::
 *
 *	importers A, B, C of one buffer in one address space, all of them must be
 *	valid at a time for a job to run; if every other map moved the buffer:
 *
 *	B: map, moved to TT		A invalid
 *	C: map, moved to VRAM		B invalid
 *	A: map
 *	B: map, moved to TT		A and C invalid, and so on for ever
 *
 * - nobody is told of a move while somebody holds the buffer by a pin: that is the
 *   promise which a pin is;
 * - a table without pages goes only to those who have said that they can do without,
 *   by allow_peer2peer. Others would take a NULL for a page, and to crash the kernel
 *   is not for whoever may open a render node.
 */

#define NASTY_MASK	(DRM_VEXPORT_NASTY_PAGELESS | DRM_VEXPORT_NASTY_PAGELESS_VRAM | \
			 DRM_VEXPORT_NASTY_P2P_ONLY | DRM_VEXPORT_NASTY_FRAGMENTED | \
			 DRM_VEXPORT_NASTY_MAXIMAL | DRM_VEXPORT_NASTY_NOTIFY_TWICE | \
			 DRM_VEXPORT_NASTY_NOTIFY_EARLY | DRM_VEXPORT_NASTY_NOTIFY_SPURIOUS | \
			 DRM_VEXPORT_NASTY_MAP_SLOW | DRM_VEXPORT_NASTY_MAP_BUSY | \
			 DRM_VEXPORT_NASTY_MAP_INTR | DRM_VEXPORT_NASTY_MAP_TO_TT | \
			 DRM_VEXPORT_NASTY_MAP_TO_VRAM)

/* Those that act at every n-th map. */
#define EVERY_MASK	(DRM_VEXPORT_NASTY_NOTIFY_SPURIOUS | DRM_VEXPORT_NASTY_MAP_BUSY | \
			 DRM_VEXPORT_NASTY_MAP_INTR | DRM_VEXPORT_NASTY_MAP_TO_TT)

/* Segments are counted in these, whatever the size of the machine's pages. */
#define SEGMENT_UNIT	4096

static struct vexport_bo *attach_bo(struct dma_buf_attachment *attach)
{
	return gem_to_vexport_bo(attach->dmabuf->priv);
}

/**
 * vexport_profile_acts_locked - is a buffer difficult in this way?
 * @bo: the buffer
 * @bit: one of DRM_VEXPORT_NASTY_*
 *
 * Counts it if so. Locks: the reservation is held.
 */
bool vexport_profile_acts_locked(struct vexport_bo *bo, u32 bit)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (!(bo->profile.nasty & bit))
		return false;
	bo->profile.acted[ilog2(bit)]++;
	return true;
}

static int check_p2p_locked(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->peer2peer ||
	    !vexport_profile_acts_locked(attach_bo(attach), DRM_VEXPORT_NASTY_P2P_ONLY))
		return 0;
	return -EOPNOTSUPP;
}

/**
 * vexport_profile_check_attach - may an importer attach?
 * @attach: the importer
 *
 * Locks: none held. Takes the reservation, which may be held for as long as a move
 * waits, only if the answer may be no.
 *
 * Return: 0; -EOPNOTSUPP.
 */
int vexport_profile_check_attach(struct dma_buf_attachment *attach)
{
	int ret;

	if (!(READ_ONCE(attach_bo(attach)->profile.nasty) & DRM_VEXPORT_NASTY_P2P_ONLY))
		return 0;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	ret = check_p2p_locked(attach);
	dma_resv_unlock(attach->dmabuf->resv);
	return ret;
}

/* Others may be waiting for the reservation, so it is short, and ends if one is killed. */
static int delay_locked(struct vexport_bo *bo)
{
	ktime_t delay = ns_to_ktime((u64)bo->profile.map_delay_us * NSEC_PER_USEC);

	dma_resv_assert_held(bo->base.base.resv);

	/*
	 * An importer may map a thousand times without letting go of the reservation, and
	 * whole devices wait for that with a lock of their own in the core of PRIME.
	 */
	if (ktime_before(ktime_get(), bo->profile.slow_after) ||
	    !vexport_profile_acts_locked(bo, DRM_VEXPORT_NASTY_MAP_SLOW))
		return 0;

	set_current_state(TASK_KILLABLE);
	schedule_hrtimeout(&delay, HRTIMER_MODE_REL);
	bo->profile.slow_after = ktime_add(ktime_get(), delay);
	return fatal_signal_pending(current) ? -ERESTARTSYS : 0;
}

/* Which of every n maps is this one? The n-th is 0. */
static u32 turn_locked(struct vexport_bo *bo)
{
	u32 turn;

	dma_resv_assert_held(bo->base.base.resv);

	div_u64_rem(bo->profile.maps, bo->profile.every, &turn);
	return turn;
}

static int refuse_locked(struct vexport_bo *bo)
{
	const u32 busy = DRM_VEXPORT_NASTY_MAP_BUSY, intr = DRM_VEXPORT_NASTY_MAP_INTR;
	struct vexport_profile *profile = &bo->profile;
	bool interrupt = profile->nasty & intr;

	dma_resv_assert_held(bo->base.base.resv);

	if (!(profile->nasty & (busy | intr)) || turn_locked(bo))
		return 0;

	if (profile->nasty & busy && interrupt)
		interrupt = div_u64(profile->maps, profile->every) & 1;
	if (!interrupt) {
		vexport_profile_acts_locked(bo, busy);
		return -EBUSY;
	}
	vexport_profile_acts_locked(bo, intr);
	/* The latter without a signal would reach user space as it is. */
	return signal_pending(current) ? -ERESTARTSYS : -EINTR;
}

/**
 * vexport_profile_begin_map_locked - an importer maps a buffer
 * @attach: the importer
 *
 * Before anything else is done for it, so nothing has to be undone.
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -EOPNOTSUPP; -EBUSY; -EINTR; -ERESTARTSYS.
 */
int vexport_profile_begin_map_locked(struct dma_buf_attachment *attach)
{
	struct vexport_attachment *att = attach->priv;
	struct vexport_bo *bo = att->bo;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (!bo->profile.nasty)
		return 0;

	ret = check_p2p_locked(attach);
	if (ret)
		return ret;

	bo->profile.maps++;
	ret = delay_locked(bo);
	if (ret)
		return ret;
	ret = refuse_locked(bo);
	if (ret)
		return ret;

	if (att->dynamic && !att->maps_total && !vexport_pin_holds_beside_map_locked(att) &&
	    vexport_profile_acts_locked(bo, DRM_VEXPORT_NASTY_NOTIFY_EARLY))
		vexport_move_notify_locked(bo);
	return 0;
}

static void spurious_work(struct work_struct *work)
{
	struct vexport_bo *bo = container_of(work, struct vexport_bo, profile.spurious_work);
	struct dma_buf *dmabuf;

	dma_resv_lock(bo->base.base.resv, NULL);
	dmabuf = bo->profile.spurious;
	bo->profile.spurious = NULL;
	if (bo->maps && !bo->hard_pins &&
	    vexport_profile_acts_locked(bo, DRM_VEXPORT_NASTY_NOTIFY_SPURIOUS))
		vexport_move_notify_locked(bo);
	dma_resv_unlock(bo->base.base.resv);

	/* May be the last reference to the buffer, and to this work with it. */
	dma_buf_put(dmabuf);
}

/**
 * vexport_profile_end_map_locked - an importer has mapped a buffer
 * @attach: the importer
 *
 * It is told of a move once it has let go of the reservation: by then it has put the
 * mapping to use, so it makes progress however often this happens.
 *
 * Locks: the reservation is held.
 */
void vexport_profile_end_map_locked(struct dma_buf_attachment *attach)
{
	struct vexport_bo *bo = attach_bo(attach);
	struct vexport_profile *profile = &bo->profile;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (!(profile->nasty & DRM_VEXPORT_NASTY_NOTIFY_SPURIOUS) || profile->spurious)
		return;
	/* Not the n-th, which may have been refused, but the one after it. */
	if (turn_locked(bo) != 1)
		return;

	get_dma_buf(attach->dmabuf);
	profile->spurious = attach->dmabuf;
	queue_work(to_vexport_device(bo->base.base.dev)->profile_wq, &profile->spurious_work);
}

static bool is_time_for_tt_locked(struct vexport_bo *bo)
{
	struct vexport_profile *profile = &bo->profile;

	dma_resv_assert_held(bo->base.base.resv);

	if (!(profile->nasty & DRM_VEXPORT_NASTY_MAP_TO_TT) ||
	    ++profile->in_vram < (u64)profile->every * atomic_read(&bo->attachments))
		return false;
	profile->in_vram = 0;
	return vexport_profile_acts_locked(bo, DRM_VEXPORT_NASTY_MAP_TO_TT);
}

/**
 * vexport_profile_place_locked - an importer pins or maps: have the buffer move first
 * @bo: the buffer, which all importers could reach in VRAM
 * @interruptible: whether a signal ends a wait
 *
 * Locks: the reservation is held.
 *
 * Return: 0; -ENOMEM; -ERESTARTSYS.
 */
int vexport_profile_place_locked(struct vexport_bo *bo, bool interruptible)
{
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	/* Where the core pins before it maps, this was done for the pin. */
	if (bo->base.pin_count)
		return 0;

	if (bo->base.resource->mem_type == TTM_PL_VRAM) {
		if (!is_time_for_tt_locked(bo))
			return 0;
		return vexport_request_placement_locked(bo, TTM_PL_TT, interruptible);
	}

	if (!(bo->profile.nasty & DRM_VEXPORT_NASTY_MAP_TO_VRAM))
		return 0;
	ret = vexport_request_placement_locked(bo, TTM_PL_VRAM, interruptible);
	if (!ret)
		vexport_profile_acts_locked(bo, DRM_VEXPORT_NASTY_MAP_TO_VRAM);
	/* It was a wish: TT does as well. */
	return ret == -ERESTARTSYS ? ret : 0;
}

/**
 * vexport_profile_max_segment_locked - how large may a segment be?
 * @attach: importer that maps
 *
 * Locks: the reservation is held.
 *
 * Return: bytes.
 */
size_t vexport_profile_max_segment_locked(struct dma_buf_attachment *attach)
{
	struct vexport_bo *bo = attach_bo(attach);
	size_t max = dma_get_max_seg_size(attach->dev);

	dma_resv_assert_held(attach->dmabuf->resv);

	vexport_profile_acts_locked(bo, DRM_VEXPORT_NASTY_MAXIMAL);
	if (!vexport_profile_acts_locked(bo, DRM_VEXPORT_NASTY_FRAGMENTED))
		return max;
	return min_t(size_t, max, max(bo->profile.max_segment, PAGE_SIZE));
}

/**
 * vexport_profile_is_contiguous_locked - is memory to be allocated in large pieces?
 * @bo: the buffer that it is for
 *
 * Locks: the reservation is held.
 */
bool vexport_profile_is_contiguous_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	return bo->profile.nasty & DRM_VEXPORT_NASTY_MAXIMAL;
}

/**
 * vexport_profile_arrange_locked - a buffer gets new storage
 * @bo: the buffer
 * @storage: storage without content
 *
 * Locks: the reservation is held.
 */
void vexport_profile_arrange_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (bo->profile.nasty & DRM_VEXPORT_NASTY_FRAGMENTED)
		vexport_storage_scatter(storage);
}

static bool args_are_valid(const struct drm_vexport_bo_profile *args)
{
	const u32 sizes = DRM_VEXPORT_NASTY_FRAGMENTED | DRM_VEXPORT_NASTY_MAXIMAL;
	u32 nasty = args->nasty;

	if (args->flags == DRM_VEXPORT_PROFILE_GET)
		return !nasty && !args->map_delay_us && !args->max_segment && !args->every;

	if (args->flags || nasty & ~NASTY_MASK || (nasty & sizes) == sizes ||
	    args->map_delay_us > DRM_VEXPORT_PROFILE_MAX_DELAY_US ||
	    !IS_ALIGNED(args->max_segment, SEGMENT_UNIT) ||
	    args->every == 1 || args->every > DRM_VEXPORT_PROFILE_MAX_EVERY)
		return false;

	/* What a bit asks for is there, and nothing else. */
	return !!(nasty & DRM_VEXPORT_NASTY_MAP_SLOW) == !!args->map_delay_us &&
	       !!(nasty & DRM_VEXPORT_NASTY_FRAGMENTED) == !!args->max_segment &&
	       !!(nasty & EVERY_MASK) == !!args->every;
}

static void set_locked(struct vexport_bo *bo, const struct drm_vexport_bo_profile *args)
{
	struct vexport_profile *profile = &bo->profile;

	dma_resv_assert_held(bo->base.base.resv);

	WRITE_ONCE(profile->nasty, args->nasty);
	profile->map_delay_us = args->map_delay_us;
	profile->max_segment = args->max_segment;
	profile->every = args->every;
	profile->slow_after = 0;
	profile->maps = 0;
	profile->in_vram = 0;
}

static void get_locked(struct vexport_bo *bo, struct drm_vexport_bo_profile *args)
{
	struct vexport_profile *profile = &bo->profile;

	dma_resv_assert_held(bo->base.base.resv);

	args->nasty = profile->nasty;
	args->map_delay_us = profile->map_delay_us;
	args->max_segment = profile->max_segment;
	args->every = profile->every;
	memcpy(args->acted, profile->acted, sizeof(args->acted));
}

static int set_or_get(struct vexport_bo *bo, struct drm_vexport_bo_profile *args)
{
	int ret;

	ret = vexport_bo_lock(bo);
	if (ret)
		return ret;
	if (!(args->flags & DRM_VEXPORT_PROFILE_GET))
		set_locked(bo, args);
	get_locked(bo, args);
	dma_resv_unlock(bo->base.base.resv);
	return 0;
}

/**
 * vexport_profile_ioctl - DRM_IOCTL_VEXPORT_BO_PROFILE
 * @drm: device
 * @data: &struct drm_vexport_bo_profile
 * @file: client
 */
int vexport_profile_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_bo_profile *args = data;
	struct dma_buf *dmabuf;
	struct vexport_bo *bo;
	int ret;

	if (!args_are_valid(args))
		return -EINVAL;

	dmabuf = vexport_dmabuf_get(drm, args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	bo = gem_to_vexport_bo(dmabuf->priv);
	if (!(args->flags & DRM_VEXPORT_PROFILE_GET) && !vexport_bo_may_spoil(bo, file))
		ret = -EPERM;
	else
		ret = set_or_get(bo, args);
	dma_buf_put(dmabuf);
	return ret;
}

/**
 * vexport_profile_init - a buffer is easy to deal with until told otherwise
 * @profile: what is zero so far
 */
void vexport_profile_init(struct vexport_profile *profile)
{
	INIT_WORK(&profile->spurious_work, spurious_work);
}

static void profile_fini(struct drm_device *drm, void *wq)
{
	destroy_workqueue(wq);
}

/**
 * vexport_profile_init_device - prepare for buffers that are difficult
 * @vdev: device
 *
 * Undone when the device is released, and the module stays until then: work that is
 * at its last instruction is waited for.
 *
 * Return: 0, -ENOMEM.
 */
int vexport_profile_init_device(struct vexport_device *vdev)
{
	vdev->profile_wq = alloc_workqueue("vexport-profile", WQ_UNBOUND, 0);
	if (!vdev->profile_wq)
		return -ENOMEM;
	return drmm_add_action_or_reset(&vdev->drm, profile_fini, vdev->profile_wq);
}
