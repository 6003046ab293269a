// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <drm/drm_utils.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_mapping.h"
#include "vexport_pattern.h"
#include "vexport_quarantine.h"
#include "vexport_storage.h"
#include "vexport_verdict.h"

/**
 * DOC: verdict
 *
 * What importers do wrong is noted where it is seen, with the attachment and with the
 * buffer, which is there when the attachment is gone. Nothing is done about it, and
 * nothing is said in the kernel log: to break rules is what an importer under test
 * may do, and the exporter has to stand it.
 */

/* The size of a row in its first version: nobody can want less. */
#define MIN_STRIDE	120

/* Until when an importer has to unmap is said nowhere before Linux 7.1. */
#ifdef VSHARE_HAVE_INVALIDATE_MAPPINGS
#define LEGAL_RULES	0ULL
#else
#define LEGAL_RULES	((u64)DRM_VEXPORT_RULE_LATE_UNMAP)
#endif

/**
 * vexport_verdict_broken - an importer was seen to break a rule
 * @att: its attachment
 * @rule: mask of enum drm_vexport_rule
 */
void vexport_verdict_broken(struct vexport_attachment *att, u64 rule)
{
	atomic64_or(rule, &att->rules);
	atomic64_or(rule, &att->bo->rules);
}

/**
 * vexport_verdict_notify_locked - an importer is going to be told that the buffer moves
 * @att: its attachment
 *
 * Locks: the reservation is held.
 */
void vexport_verdict_notify_locked(struct vexport_attachment *att)
{
	struct vexport_mapping *mapping;

	dma_resv_assert_held(att->bo->base.base.resv);

	att->notifies++;
	list_for_each_entry(mapping, &att->tables, of_att) {
		if (!mapping->notified)
			mapping->notified = ktime_get();
	}
}

/* Is it time to have given it back? What has not been filled may still be written to. */
static bool is_late_locked(struct vexport_mapping *mapping)
{
	struct vexport_attachment *att = mapping->att;
	struct vexport_storage *storage = mapping->storage;

	dma_resv_assert_held(att->bo->base.base.resv);

	if (!att->dynamic || !vexport_quarantine_watches_locked(att->bo, storage))
		return false;
	/* Pairs with the release in vexport_pattern_fill(). */
	return smp_load_acquire(&storage->patterned) &&
	       ktime_to_ns(ktime_sub(ktime_get(), storage->patterned_at)) >=
	       DRM_VEXPORT_UNMAP_NSEC;
}

/**
 * vexport_verdict_unmap_locked - an importer gives an sg table back
 * @mapping: the table
 *
 * Locks: the reservation is held.
 */
void vexport_verdict_unmap_locked(struct vexport_mapping *mapping)
{
	struct vexport_attachment *att = mapping->att;

	dma_resv_assert_held(att->bo->base.base.resv);

	if (!mapping->notified)
		return;
	att->unmap_last = ktime_to_ns(ktime_sub(ktime_get(), mapping->notified));
	att->unmap_max = max(att->unmap_max, att->unmap_last);
	if (is_late_locked(mapping))
		vexport_verdict_broken(att, DRM_VEXPORT_RULE_LATE_UNMAP);
}

static struct drm_vexport_stale_write stale_write(struct vexport_storage *storage, u64 index,
						  u64 age)
{
	return (struct drm_vexport_stale_write){
		.generation = storage->generation,
		.offset = index * sizeof(struct drm_vexport_stale_word),
		.age_nsec = age,
	};
}

/**
 * vexport_verdict_stale - storage that a buffer had left was written to
 * @bo: the buffer
 * @storage: the storage
 * @diff: what was found, since the last time
 * @rule: which of enum drm_vexport_rule that breaks
 *
 * Locks: &vexport_quarantine.lock is held.
 */
void vexport_verdict_stale(struct vexport_bo *bo, struct vexport_storage *storage,
			   const struct vexport_pattern_diff *diff, u64 rule)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	u64 age = ktime_to_ns(ktime_sub(ktime_get(), storage->patterned_at));
	u64 generation = READ_ONCE(bo->generation);

	lockdep_assert_held(&vdev->quarantine.lock);

	if (!bo->stale_words)
		bo->stale_first = stale_write(storage, diff->first, age);
	bo->stale_last = stale_write(storage, diff->last, age);
	bo->stale_words += diff->words;
	atomic64_add(diff->words, &vdev->stats.stale_words);
	atomic64_or(rule, &bo->rules);
	if (bo->stale_generation != generation) {
		bo->stale_generation = generation;
		bo->stale_moves++;
	}
}

/**
 * vexport_verdict_suspect - an importer may have written to storage that was left
 * @att: its attachment
 * @diff: what was found
 * @rule: which of enum drm_vexport_rule that breaks
 * @report: number of this find: it counts once, however many mappings there are
 *
 * Locks: &vexport_quarantine.lock is held.
 */
void vexport_verdict_suspect(struct vexport_attachment *att,
			     const struct vexport_pattern_diff *diff, u64 rule, u64 report)
{
	lockdep_assert_held(&to_vexport_device(att->bo->base.base.dev)->quarantine.lock);

	if (att->report == report)
		return;
	att->report = report;
	att->stale_words += diff->words;
	atomic64_or(rule, &att->rules);
}

static void fill_row_locked(struct vexport_attachment *att,
			    struct drm_vexport_attachment_info *row)
{
	bool p2p = att->attach ? att->attach->peer2peer : att->p2p;

	dma_resv_assert_held(att->bo->base.base.resv);

	*row = (struct drm_vexport_attachment_info){
		.id = att->id,
		.dmabuf = att->inode,
		.rules = atomic64_read(&att->rules),
		.stale_words = att->stale_words,
		.notifies = att->notifies,
		.maps_total = att->maps_total,
		.unmap_last_nsec = att->unmap_last,
		.unmap_max_nsec = att->unmap_max,
		.flags = (att->dynamic ? DRM_VEXPORT_ATTACHMENT_DYNAMIC : 0) |
			 (p2p ? DRM_VEXPORT_ATTACHMENT_P2P : 0) |
			 (att->attach ? 0 : DRM_VEXPORT_ATTACHMENT_GONE),
		.pins = att->pins,
		.hard_pins = att->hard,
		.owed = att->owed,
		.maps = att->maps,
	};
	strscpy_pad(row->device, att->device, sizeof(row->device));
}

/* Who keeps a table for too long is seen here, and not only if it ever gives it back. */
static void find_late_locked(struct vexport_bo *bo)
{
	struct vexport_attachment *att;
	struct vexport_mapping *mapping;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(att, &bo->importers, node) {
		list_for_each_entry(mapping, &att->tables, of_att) {
			if (is_late_locked(mapping))
				vexport_verdict_broken(att, DRM_VEXPORT_RULE_LATE_UNMAP);
		}
	}
}

/* Fills as many rows as there is room for; returns how many there are. */
static u32 fill_locked(struct vexport_bo *bo, struct drm_vexport_bo_verdict *args,
		       struct drm_vexport_attachment_info *rows, u32 room)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	struct vexport_attachment *att;
	u32 count = 0;

	dma_resv_assert_held(bo->base.base.resv);

	vexport_quarantine_check_locked(bo, true);
	vexport_quarantine_measure_locked(bo, &args->draining, &args->quarantined);

	guard(mutex)(&vdev->quarantine.lock);
	find_late_locked(bo);
	args->buffer = bo->id;
	args->moves = bo->generation;
	args->moves_mapped = bo->moves_mapped;
	args->notifies = bo->notifies;
	args->stale_moves = bo->stale_moves;
	args->stale_words = bo->stale_words;
	args->stale_first = bo->stale_first;
	args->stale_last = bo->stale_last;
	args->rules = atomic64_read(&bo->rules);
	args->rules_legal = args->rules & LEGAL_RULES;

	list_for_each_entry(att, &bo->importers, node) {
		if (count < room)
			fill_row_locked(att, &rows[count]);
		count++;
	}
	return count;
}

static u32 count_rows(struct vexport_bo *bo)
{
	guard(mutex)(&to_vexport_device(bo->base.base.dev)->quarantine.lock);
	return list_count_nodes(&bo->importers);
}

static int copy_rows(const struct drm_vexport_bo_verdict *args,
		     const struct drm_vexport_attachment_info *rows, u32 count)
{
	size_t stride = args->attachment_stride, size = min(stride, sizeof(*rows));
	char __user *to = u64_to_user_ptr(args->attachments);
	u32 i;

	for (i = 0; i < count; i++, to += stride) {
		if (copy_to_user(to, &rows[i], size) || clear_user(to + size, stride - size))
			return -EFAULT;
	}
	return 0;
}

static bool is_drained_locked(struct vexport_bo *bo)
{
	u64 draining, quarantined;

	dma_resv_assert_held(bo->base.base.resv);

	vexport_quarantine_measure_locked(bo, &draining, &quarantined);
	return !draining;
}

/*
 * Without the reservation, which an importer takes to unmap. The number of times that
 * storage has drained is read before the look, so none is missed::
 *
 *	verdict					importer
 *
 *	seen = drained
 *	look: still draining
 *						unmap: drained++, wake
 *	wait until drained != seen: at once
 *	look again
 */
static int wait_drained(struct vexport_bo *bo, s64 timeout_nsec)
{
	unsigned long seen, left;
	bool drained, idle;
	long ret;

	for (;;) {
		/* Among them is the fence of a copy, which ends with the pattern. */
		ret = dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP, true,
					    drm_timeout_abs_to_jiffies(timeout_nsec));
		if (ret < 0)
			return ret;

		ret = vexport_bo_lock(bo);
		if (ret)
			return ret;
		seen = bo->drained;
		drained = is_drained_locked(bo);
		idle = dma_resv_test_signaled(bo->base.base.resv, DMA_RESV_USAGE_BOOKKEEP);
		dma_resv_unlock(bo->base.base.resv);
		if (drained)
			return 0;

		/* It has moved once more: nobody wakes us when that copy ends. */
		left = drm_timeout_abs_to_jiffies(timeout_nsec);
		if (!idle && left)
			continue;
		ret = wait_event_interruptible_timeout(bo->let_go,
						       READ_ONCE(bo->drained) != seen, left);
		if (ret <= 0)
			return ret;
	}
}

static int verdict(struct vexport_bo *bo, struct drm_vexport_bo_verdict *args)
{
	struct drm_vexport_attachment_info *rows = NULL;
	u32 count, room = 0;
	int ret;

	ret = wait_drained(bo, args->timeout_nsec);
	if (ret)
		return ret;

	if (args->attachment_count) {
		room = min(args->attachment_count, count_rows(bo));
		rows = kvcalloc(room, sizeof(*rows), GFP_KERNEL_ACCOUNT);
		if (!rows)
			return -ENOMEM;
	}

	ret = vexport_bo_lock(bo);
	if (ret)
		goto out_free;
	count = fill_locked(bo, args, rows, room);
	dma_resv_unlock(bo->base.base.resv);

	ret = copy_rows(args, rows, min(count, room));
	args->attachment_count = count;
out_free:
	kvfree(rows);
	return ret;
}

/**
 * vexport_verdict_ioctl - DRM_IOCTL_VEXPORT_BO_VERDICT
 * @drm: device
 * @data: &struct drm_vexport_bo_verdict
 * @file: client
 */
int vexport_verdict_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_bo_verdict *args = data;
	struct dma_buf *dmabuf;
	int ret;

	BUILD_BUG_ON(sizeof(struct drm_vexport_attachment_info) < MIN_STRIDE);

	if (args->flags || args->timeout_nsec < 0)
		return -EINVAL;
	if (args->attachment_count && (args->attachment_stride < MIN_STRIDE ||
				       args->attachment_stride % sizeof(u64)))
		return -EINVAL;

	dmabuf = vexport_dmabuf_get(drm, args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = verdict(gem_to_vexport_bo(dmabuf->priv), args);
	dma_buf_put(dmabuf);
	return ret;
}
