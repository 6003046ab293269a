// SPDX-License-Identifier: GPL-2.0-only

#include <linux/build_bug.h>
#include <linux/highmem.h>

#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_quarantine.h"
#include "vexport_storage.h"

/**
 * DOC: quarantine
 *
 * Storage that a buffer has left while importers still have sg tables of it is
 * filled with a pattern and watched. From the moment at which all fences that
 * the importers had published have signalled, nobody may write there; a word
 * that differs from the pattern is a stale write, whoever made it.
 *
 * The watch ends when the last of these sg tables is unmapped: only then are
 * the pages given back.
 */

#define WORDS_PER_PAGE	(PAGE_SIZE / sizeof(struct drm_vexport_stale_word))

static u64 storage_bytes(struct vexport_storage *storage)
{
	return (u64)storage->npages << PAGE_SHIFT;
}

static struct drm_vexport_stale_word stale_word(struct vexport_storage *storage, u32 index)
{
	return (struct drm_vexport_stale_word){
		.magic = DRM_VEXPORT_STALE_MAGIC,
		.generation = (u16)storage->generation,
		.index = index,
	};
}

static void fill_page(struct vexport_storage *storage, unsigned long i)
{
	struct drm_vexport_stale_word *word = kmap_local_page(storage->pages[i]);
	unsigned int j;

	for (j = 0; j < WORDS_PER_PAGE; j++)
		word[j] = stale_word(storage, i * WORDS_PER_PAGE + j);
	kunmap_local(word);
}

static u64 check_page(struct vexport_storage *storage, unsigned long i)
{
	const struct drm_vexport_stale_word *word = kmap_local_page(storage->pages[i]);
	struct drm_vexport_stale_word expected;
	unsigned int j;
	u64 stale = 0;

	BUILD_BUG_ON(sizeof(*word) != sizeof(u64));

	for (j = 0; j < WORDS_PER_PAGE; j++) {
		expected = stale_word(storage, i * WORDS_PER_PAGE + j);
		if (memcmp(&word[j], &expected, sizeof(expected)))
			stale++;
	}
	kunmap_local(word);
	return stale;
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
 * Locks: the reservation is held.
 *
 * Return: true if the storage is to be filled with the pattern once its content
 * has been copied away.
 */
bool vexport_quarantine_add_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (!storage->maps)
		return false;
	storage->generation = bo->generation;
	if (list_empty(&storage->left)) {
		list_add_tail(&storage->left, &bo->left);
		atomic64_add(storage_bytes(storage), &storage->vdev->stats.quarantined);
	}
	return true;
}

/**
 * vexport_quarantine_has_room_locked - may a buffer leave its storage?
 * @bo: the buffer
 * @storage: where it is
 *
 * Storage under watch is memory that its importers pin. They are limited as
 * other pinning is, or a client with many imports of one buffer, each mapped
 * at another time, would hold as many copies of it.
 *
 * Locks: the reservation is held.
 *
 * Return: true if it may.
 */
bool vexport_quarantine_has_room_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	struct vexport_device *vdev = storage->vdev;

	dma_resv_assert_held(bo->base.base.resv);

	return !storage->maps ||
	       atomic64_read(&vdev->stats.quarantined) + storage_bytes(storage) <=
	       vdev->pin_limit;
}

static void storage_unwatch(struct vexport_storage *storage)
{
	list_del_init(&storage->left);
	atomic64_sub(storage_bytes(storage), &storage->vdev->stats.quarantined);
}

/**
 * vexport_quarantine_fill - fill storage with the pattern
 * @storage: storage that was left, whose content is no longer needed and for
 *	which all fences of importers have signalled
 *
 * Allocates nothing: this is what a fence waits for.
 */
void vexport_quarantine_fill(struct vexport_storage *storage)
{
	unsigned long i;

	for (i = 0; i < storage->npages; i++) {
		fill_page(storage, i);
		cond_resched();
	}
	/* Pairs with the acquire in check_storage(): the pattern is complete. */
	smp_store_release(&storage->patterned, true);
}

static u64 check_storage(struct vexport_storage *storage)
{
	unsigned long i;
	u64 stale = 0, words;

	/*
	 * Pairs with the release in vexport_quarantine_fill(). Not patterned
	 * means that the copy out of it has not ended, hence that importers
	 * may still be writing rightfully.
	 */
	if (!smp_load_acquire(&storage->patterned))
		return 0;

	for (i = 0; i < storage->npages; i++) {
		words = check_page(storage, i);
		/* Restore the page, so that the next write is seen as a new one. */
		if (words)
			fill_page(storage, i);
		stale += words;
		cond_resched();
	}
	return stale;
}

static void report_stale(struct vexport_bo *bo, u64 stale)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);

	if (!stale)
		return;
	bo->stale_words += stale;
	atomic64_add(stale, &vdev->stats.stale_words);
	if (bo->stale_generation != bo->generation) {
		bo->stale_generation = bo->generation;
		bo->stale_moves++;
	}
}

/**
 * vexport_quarantine_check_locked - look for stale writes
 * @bo: the buffer whose former storage to check
 *
 * Adds what it finds to the buffer's counters. A generation in which anything
 * was found counts once in &vexport_bo.stale_moves.
 *
 * Locks: the reservation is held.
 */
void vexport_quarantine_check_locked(struct vexport_bo *bo)
{
	struct vexport_storage *storage;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(storage, &bo->left, left)
		report_stale(bo, check_storage(storage));
}

/**
 * vexport_quarantine_remove_locked - the last sg table of storage goes
 * @bo: the buffer that lived there, or lives there
 * @storage: the storage
 *
 * Checks a last time and ends the watch; nothing happens if the buffer has not
 * left this storage.
 *
 * Locks: the reservation is held.
 */
void vexport_quarantine_remove_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (list_empty(&storage->left))
		return;
	report_stale(bo, check_storage(storage));
	storage_unwatch(storage);
}

/**
 * vexport_quarantine_cancel_locked - the buffer stays where it is after all
 * @bo: the buffer
 * @storage: what was given to vexport_quarantine_add_locked(), content restored
 *
 * Locks: the reservation is held.
 */
void vexport_quarantine_cancel_locked(struct vexport_bo *bo, struct vexport_storage *storage)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (!list_empty(&storage->left))
		storage_unwatch(storage);
	storage->patterned = false;
}

/**
 * vexport_quarantine_bytes_locked - how much storage is being watched
 * @bo: the buffer
 *
 * Locks: the reservation is held.
 *
 * Return: bytes.
 */
u64 vexport_quarantine_bytes_locked(struct vexport_bo *bo)
{
	struct vexport_storage *home = vexport_bo_storage_locked(bo);
	struct vexport_storage *storage;
	u64 bytes = 0;

	dma_resv_assert_held(bo->base.base.resv);

	/* It has not left home if a swapout failed after it had begun. */
	list_for_each_entry(storage, &bo->left, left) {
		if (storage != home)
			bytes += storage_bytes(storage);
	}
	return bytes;
}
