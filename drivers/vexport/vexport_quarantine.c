// SPDX-License-Identifier: GPL-2.0-only

#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_mapping.h"
#include "vexport_pattern.h"
#include "vexport_quarantine.h"
#include "vexport_storage.h"
#include "vexport_trace.h"
#include "vexport_verdict.h"
#include "vexport_vram.h"

/**
 * DOC: quarantine
 *
 * Storage that a buffer has left while importers still have sg tables of it is
 * filled with a pattern and watched. From the moment at which all fences that
 * the importers had published have signalled, nobody may write there; a word
 * that differs from the pattern is a stale write, whoever made it.
 *
 * Such storage is *draining* until the last of these sg tables is unmapped, and
 * then *queued*: it is kept for a while, because the worst of all writers is the one
 * that gave its sg table back, and writes. The sg tables are kept, too, with their DMA
 * mappings: an IOMMU hands a freed address out again at once, and what comes late would
 * land in the buffer's new place, where it looks like any other write. So an
 * address names quarantined pages for as long as there is a quarantine, but no
 * longer than the attachment: the device may be gone after that.
 *
 * What is queued is memory that nobody uses. It goes, the oldest first, when it is older
 * than quarantine_ms; when there is more than quarantine_mb; when its buffer ends;
 * when reclaim asks for memory; and what has a place in VRAM when anybody wants that:
 * an allocation takes it before it evicts a buffer. None of these waits for
 * an importer. Every storage is checked a last time when it goes. What drains has its
 * place in VRAM for as long as nobody wants that; see vexport_vram_alloc().
 *
 * Two locks are involved because of the last two. What importers have mapped, the
 * reservation protects. What is queued has no importer any more, and may have to go
 * while somebody holds the reservation of its buffer: &vexport_quarantine.lock protects
 * it, together with all that is found. Nothing is allocated with that held.
 */

static bool enabled = true;
module_param_named(quarantine, enabled, bool, 0644);
MODULE_PARM_DESC(quarantine,
		 "Watch the storage that buffers leave (default Y); N finds nothing, for benchmarks");

static unsigned int quarantine_mb = 16;
module_param(quarantine_mb, uint, 0644);
MODULE_PARM_DESC(quarantine_mb,
		 "MiB per device to watch for writes after the last unmap (default 16)");

static unsigned int quarantine_ms = 1000;
module_param(quarantine_ms, uint, 0644);
MODULE_PARM_DESC(quarantine_ms, "How long to watch it, in milliseconds (default 1000)");

/* The work looks at least this often whether there is something to do. */
#define MAX_PERIOD	HZ

static u64 storage_bytes(struct vexport_storage *storage)
{
	return (u64)storage->npages << PAGE_SHIFT;
}

static struct vexport_quarantine *to_quarantine(struct vexport_storage *storage)
{
	return &storage->vdev->quarantine;
}

static struct vexport_quarantine *bo_quarantine(struct vexport_bo *bo)
{
	return &to_vexport_device(bo->base.base.dev)->quarantine;
}

static bool is_queued(struct vexport_storage *storage)
{
	return !list_empty(&storage->queued);
}

/* Looks for stale writes since the last time, and notes who may have made them. */
static void check(struct vexport_storage *storage)
{
	struct vexport_quarantine *quarantine = to_quarantine(storage);
	struct vexport_pattern_diff diff;
	struct vexport_mapping *mapping;
	u64 rule;

	lockdep_assert_held(&quarantine->lock);

	vexport_pattern_check(storage, &diff);
	if (!diff.words)
		return;

	rule = is_queued(storage) ? DRM_VEXPORT_RULE_WRITE_AFTER_UNMAP :
				    DRM_VEXPORT_RULE_STALE_WRITE;
	trace_vexport_stale(storage->bo, storage->generation, diff.words);
	vexport_verdict_stale(storage->bo, storage, &diff, rule);
	quarantine->reports++;
	list_for_each_entry(mapping, &storage->mappings, of_storage)
		vexport_verdict_suspect(mapping->att, &diff, rule, quarantine->reports);
}

static void watch(struct vexport_bo *bo, struct vexport_storage *storage)
{
	lockdep_assert_held(&to_quarantine(storage)->lock);

	storage->bo = bo;
	list_add_tail(&storage->left, &bo->left);
	atomic64_add(storage_bytes(storage), &storage->vdev->stats.draining);
}

static void unqueue(struct vexport_storage *storage)
{
	struct vexport_quarantine *quarantine = to_quarantine(storage);

	lockdep_assert_held(&quarantine->lock);

	list_del_init(&storage->queued);
	atomic64_sub(storage_bytes(storage), &quarantine->bytes);
	if (storage->vacated)
		atomic64_sub(storage_bytes(storage), &quarantine->vram_bytes);
	atomic_inc(&storage->vdev->stats.storages);
}

/* The watch ends. Of what was queued the caller gets the queue's reference. */
static void unwatch(struct vexport_storage *storage)
{
	lockdep_assert_held(&to_quarantine(storage)->lock);

	if (is_queued(storage))
		unqueue(storage);
	else
		atomic64_sub(storage_bytes(storage), &storage->vdev->stats.draining);
	list_del_init(&storage->left);
	storage->bo = NULL;
}

/* The buffer is there after all. It holds a reference, so this drops none but the last. */
static void stay(struct vexport_storage *storage)
{
	bool queued = is_queued(storage);

	lockdep_assert_held(&to_quarantine(storage)->lock);

	if (storage->bo)
		unwatch(storage);
	storage->patterned = false;
	if (queued)
		vexport_storage_put(storage);
}

/* Nobody has it mapped: a last look, and it goes. */
static void release(struct vexport_storage *storage)
{
	bool queued = is_queued(storage);

	lockdep_assert_held(&to_quarantine(storage)->lock);

	check(storage);
	vexport_storage_get(storage);
	unwatch(storage);
	vexport_mapping_free_held(&storage->mappings);
	/* A copy may hold the pages for another moment, but not their place. */
	if (storage->vacated)
		vexport_vram_take_back(&storage->vdev->vram, storage);
	if (queued)
		vexport_storage_put(storage);
	vexport_storage_put(storage);
}

/* The oldest; with @vram, of what takes room in VRAM. */
static struct vexport_storage *oldest(struct vexport_quarantine *quarantine, bool vram)
{
	struct vexport_storage *storage;

	lockdep_assert_held(&quarantine->lock);

	list_for_each_entry(storage, &quarantine->queue, queued) {
		if (!vram || storage->vacated)
			return storage;
	}
	return NULL;
}

static unsigned long max_age(void)
{
	return msecs_to_jiffies(READ_ONCE(quarantine_ms));
}

/* From draining to queued, if there is a budget for it. */
static void enqueue(struct vexport_storage *storage)
{
	struct vexport_quarantine *quarantine = to_quarantine(storage);
	u64 budget = (u64)READ_ONCE(quarantine_mb) * SZ_1M;
	u64 bytes = storage_bytes(storage);

	lockdep_assert_held(&quarantine->lock);

	/* From here on the place is ours to give up, unless somebody has taken it. */
	if (storage->vacated && !vexport_vram_unkeep(&storage->vdev->vram, storage))
		storage->vacated = false;

	if (bytes > budget || !storage->fill) {
		release(storage);
		return;
	}
	while (atomic64_read(&quarantine->bytes) + bytes > budget)
		release(oldest(quarantine, false));

	vexport_storage_get(storage);
	list_add_tail(&storage->queued, &quarantine->queue);
	storage->queued_at = jiffies;
	atomic64_sub(bytes, &storage->vdev->stats.draining);
	atomic64_add(bytes, &quarantine->bytes);
	if (storage->vacated)
		atomic64_add(bytes, &quarantine->vram_bytes);
	atomic_dec(&storage->vdev->stats.storages);
	queue_delayed_work(system_unbound_wq, &quarantine->work,
			   min(max_age(), (unsigned long)MAX_PERIOD));
}

/**
 * vexport_quarantine_add_locked - a buffer leaves storage
 * @bo: the buffer
 * @storage: where it was until now
 *
 * Nothing to watch if no importer has the storage mapped: the last reference
 * then frees it. It may be on the list already, if a swapout was begun that then
 * did not happen.
 *
 * Locks: the reservation is held. Takes &vexport_quarantine.lock.
 *
 * Return: true if the storage is to be filled with the pattern once its content
 * has been copied away. Not with quarantine=N, so nothing is found then; the storage
 * is listed and counted all the same, because it is as much memory.
 */
bool vexport_quarantine_add_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	guard(mutex)(&bo_quarantine(bo)->lock);
	/* An importer that went without unmapping may write all the same. */
	if (!storage->maps && list_empty(&storage->mappings))
		return false;

	storage->buffer = bo->id;
	storage->generation = bo->generation;
	/* Decided once: what is not filled now must not wait for its pattern later. */
	WRITE_ONCE(storage->fill, READ_ONCE(enabled));
	if (!storage->bo)
		watch(bo, storage);
	if (!storage->maps && !is_queued(storage))
		enqueue(storage);
	return storage->bo && storage->fill;
}

/**
 * vexport_quarantine_has_room_locked - may a buffer leave its storage?
 * @bo: the buffer
 * @storage: where it is
 * @to_vram: whether it goes to VRAM
 *
 * Storage that drains is memory that its importers pin. They are limited as
 * other pinning is, or a client with many imports of one buffer, each mapped
 * at another time, would hold as many copies of it. An eviction is not asked, so
 * whoever brings a buffer to where it will be evicted from is.
 *
 * Locks: the reservation is held.
 *
 * Return: true if it may.
 */
bool vexport_quarantine_has_room_locked(struct vexport_bo *bo, struct vexport_storage *storage,
					bool to_vram)
{
	struct vexport_device *vdev = storage->vdev;

	dma_resv_assert_held(bo->base.base.resv);

	return (!storage->maps && !to_vram) ||
	       atomic64_read(&vdev->stats.draining) + storage_bytes(storage) <= vdev->pin_limit;
}

/**
 * vexport_quarantine_would_watch - would writes be seen if a buffer left now?
 * @storage: where it is, or NULL if it has no pages; the reservation is held
 */
bool vexport_quarantine_would_watch(struct vexport_storage *storage)
{
	return storage && storage->maps && READ_ONCE(enabled);
}

/**
 * vexport_quarantine_watches_locked - is this storage that was left?
 * @bo: the buffer that lives there, or did
 * @storage: storage that somebody has mapped
 *
 * Locks: the reservation is held. Only with it held can what is mapped come under
 * watch, or get out of it.
 *
 * Return: true if it is, and writes there are watched for.
 */
bool vexport_quarantine_watches_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	/* A swapout that did not happen leaves it watched, but at home. */
	return READ_ONCE(storage->bo) && storage != vexport_bo_storage_locked(bo);
}

/**
 * vexport_quarantine_wants_pattern - is storage that was left yet to be filled?
 * @storage: storage whose content is no longer needed
 *
 * Return: true if it is under watch and has no pattern. If a copy has filled it
 * already there may be stale writes in it, which must not be wiped out.
 */
bool vexport_quarantine_wants_pattern(struct vexport_storage *storage)
{
	/* Pairs with the release in vexport_pattern_fill(). */
	return !smp_load_acquire(&storage->patterned) && READ_ONCE(storage->bo) &&
	       READ_ONCE(storage->fill);
}

/**
 * vexport_quarantine_unmapped_locked - a mapping of storage goes
 * @bo: the buffer that lived there, or lives there
 * @storage: the storage, of which the caller holds a reference
 *
 * If it was the last one of storage that the buffer has left, that is queued.
 *
 * Locks: the reservation is held. Takes &vexport_quarantine.lock.
 */
void vexport_quarantine_unmapped_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	guard(mutex)(&bo_quarantine(bo)->lock);
	vexport_storage_unmapped(storage, bo->base.base.resv);
	if (storage->maps || !storage->bo)
		return;
	if (storage == vexport_bo_storage_locked(bo)) {
		stay(storage);
		return;
	}
	/* Found now, it was written while somebody had it mapped. */
	check(storage);
	enqueue(storage);
	bo->drained++;
	wake_up_all(&bo->let_go);
}

/**
 * vexport_quarantine_cancel_locked - the buffer stays where it is after all
 * @bo: the buffer
 * @storage: what was given to vexport_quarantine_add_locked(), content restored
 *
 * Locks: the reservation is held. Takes &vexport_quarantine.lock.
 */
void vexport_quarantine_cancel_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	guard(mutex)(&bo_quarantine(bo)->lock);
	stay(storage);
}

/**
 * vexport_quarantine_home_locked - somebody is about to use a buffer where it is
 * @bo: the buffer
 * @storage: where it is
 *
 * A swapout that was begun, and did not happen, has left its storage under watch. If it
 * stayed there, the end of the watch would take the sg tables of those who map it now.
 *
 * Locks: the reservation is held. May take &vexport_quarantine.lock.
 */
void vexport_quarantine_home_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (READ_ONCE(storage->bo))
		vexport_quarantine_cancel_locked(bo, storage);
}

/**
 * vexport_quarantine_check_locked - look for stale writes
 * @bo: the buffer whose former storage to check
 * @queued: also what nobody has mapped any more, of which there may be a lot: a move
 *	must not take as long as it takes to read that, so it is checked when somebody
 *	asks, and when it goes
 *
 * Adds what it finds to the buffer's counters. A generation in which anything
 * was found counts once in &vexport_bo.stale_moves.
 *
 * Locks: the reservation is held. Takes &vexport_quarantine.lock.
 */
void vexport_quarantine_check_locked(struct vexport_bo *bo, bool queued)
{
	struct vexport_storage *storage;

	dma_resv_assert_held(bo->base.base.resv);

	guard(mutex)(&bo_quarantine(bo)->lock);
	list_for_each_entry(storage, &bo->left, left) {
		if (queued || !is_queued(storage))
			check(storage);
	}
}

/**
 * vexport_quarantine_measure_locked - how much storage is being watched
 * @bo: the buffer
 * @draining: Output: bytes that somebody has mapped, or that are still copied from
 * @quarantined: Output: bytes of which neither is true
 *
 * Locks: the reservation is held. Takes &vexport_quarantine.lock.
 */
void vexport_quarantine_measure_locked(struct vexport_bo *bo, u64 *draining, u64 *quarantined)
{
	struct vexport_storage *home, *storage;

	dma_resv_assert_held(bo->base.base.resv);

	*draining = 0;
	*quarantined = 0;
	home = vexport_bo_storage_locked(bo);
	guard(mutex)(&bo_quarantine(bo)->lock);
	list_for_each_entry(storage, &bo->left, left) {
		/* It has not left home if a swapout failed after it had begun. */
		if (storage == home)
			continue;
		if (is_queued(storage) && READ_ONCE(storage->patterned))
			*quarantined += storage_bytes(storage);
		else
			*draining += storage_bytes(storage);
	}
}

/**
 * vexport_quarantine_forget - a buffer ends
 * @bo: the buffer, to which nobody can be attached any more
 *
 * What it has left goes with it; a copy that is pending keeps its own references.
 *
 * Locks: takes &vexport_quarantine.lock.
 */
void vexport_quarantine_forget(struct vexport_bo *bo)
{
	struct vexport_storage *storage, *next;

	guard(mutex)(&bo_quarantine(bo)->lock);
	list_for_each_entry_safe(storage, next, &bo->left, left)
		release(storage);
}

/**
 * vexport_quarantine_vacate - TTM gives a place in VRAM up
 * @storage: storage in VRAM, of which the caller holds a reference
 *
 * It is free at once, unless there is somebody for whom the pages must be kept. If that
 * is the quarantine, they are kept until somebody wants the place; if an importer, the
 * VRAM gets others then.
 *
 * Locks: takes &vexport_quarantine.lock.
 */
void vexport_quarantine_vacate(struct vexport_storage *storage)
{
	struct vexport_quarantine *quarantine = to_quarantine(storage);

	guard(mutex)(&quarantine->lock);
	if (!storage->bo && !storage->maps) {
		vexport_vram_free(&storage->vdev->vram, &storage->blocks);
		return;
	}
	storage->vacated = true;
	if (is_queued(storage))
		atomic64_add(storage_bytes(storage), &quarantine->vram_bytes);
	else
		vexport_vram_keep(&storage->vdev->vram, storage);
}

/**
 * vexport_quarantine_give_vram - make room in VRAM
 * @vdev: device
 *
 * Locks: takes &vexport_quarantine.lock. Reservations may be held.
 *
 * Return: true if there is more room now, false if the quarantine has none to give.
 */
bool vexport_quarantine_give_vram(struct vexport_device *vdev)
{
	struct vexport_storage *storage;

	guard(mutex)(&vdev->quarantine.lock);
	storage = oldest(&vdev->quarantine, true);
	if (!storage)
		return false;
	release(storage);
	return true;
}

static bool is_due(struct vexport_storage *storage)
{
	/* The watch of what is yet to be copied has not even begun. */
	return READ_ONCE(storage->patterned) &&
	       time_after_eq(jiffies, storage->queued_at + max_age());
}

/* One at a time, so that importers need not wait for all of them. */
static bool work_step(struct vexport_quarantine *quarantine, long *wanted)
{
	struct vexport_storage *storage;

	guard(mutex)(&quarantine->lock);
	storage = oldest(quarantine, false);
	if (!storage)
		return false;
	if (*wanted <= 0 && !is_due(storage)) {
		queue_delayed_work(system_unbound_wq, &quarantine->work,
				   clamp(max_age(), 1UL, (unsigned long)MAX_PERIOD));
		return false;
	}
	*wanted -= storage->npages;
	release(storage);
	return true;
}

static void quarantine_work(struct work_struct *work)
{
	struct vexport_quarantine *quarantine =
		container_of(to_delayed_work(work), struct vexport_quarantine, work);
	long wanted = atomic_long_xchg(&quarantine->wanted, 0);

	while (work_step(quarantine, &wanted))
		cond_resched();
}

static unsigned long quarantine_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct vexport_quarantine *quarantine = shrinker->private_data;
	s64 bytes = atomic64_read(&quarantine->bytes) - atomic64_read(&quarantine->vram_bytes);

	return bytes > 0 ? bytes >> PAGE_SHIFT : SHRINK_EMPTY;
}

/*
 * Reclaim may come from an allocation in the VRAM, whose lock is needed to free storage:
 * as with swapout, the shrinker takes no lock and has a worker do it.
 */
static unsigned long quarantine_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct vexport_quarantine *quarantine = shrinker->private_data;

	atomic_long_add(sc->nr_to_scan, &quarantine->wanted);
	mod_delayed_work(system_unbound_wq, &quarantine->work, 0);
	return SHRINK_STOP;
}

static void quarantine_fini(struct drm_device *drm, void *data)
{
	struct vexport_quarantine *quarantine = data;

	shrinker_free(quarantine->shrinker);
	cancel_delayed_work_sync(&quarantine->work);
	drm_WARN_ON(drm, !list_empty(&quarantine->queue));
	mutex_destroy(&quarantine->lock);
}

/**
 * vexport_quarantine_init - set up the quarantine
 * @vdev: device
 *
 * Undone when the device, and with it the last buffer, is gone. Return: 0, -ENOMEM.
 */
int vexport_quarantine_init(struct vexport_device *vdev)
{
	struct vexport_quarantine *quarantine = &vdev->quarantine;

	quarantine->shrinker = shrinker_alloc(0, "drm-vexport-quarantine:%u", vdev->index);
	if (!quarantine->shrinker)
		return -ENOMEM;

	mutex_init(&quarantine->lock);
	INIT_LIST_HEAD(&quarantine->queue);
	INIT_DELAYED_WORK(&quarantine->work, quarantine_work);
	quarantine->shrinker->count_objects = quarantine_count;
	quarantine->shrinker->scan_objects = quarantine_scan;
	quarantine->shrinker->private_data = quarantine;
	shrinker_register(quarantine->shrinker);
	return drmm_add_action_or_reset(&vdev->drm, quarantine_fini, quarantine);
}
