// SPDX-License-Identifier: GPL-2.0-only

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "vexport_drv.h"
#include "vexport_storage.h"
#include "vexport_vram.h"

static struct vexport_storage *storage_alloc(struct vexport_device *vdev, unsigned long npages)
{
	struct vexport_storage *storage;

	storage = kzalloc(sizeof(*storage), GFP_KERNEL);
	if (!storage)
		return NULL;

	storage->pages = kvcalloc(npages, sizeof(*storage->pages), GFP_KERNEL | __GFP_NOWARN);
	if (!storage->pages) {
		kfree(storage);
		return NULL;
	}

	kref_init(&storage->ref);
	storage->vdev = vdev;
	storage->npages = npages;
	INIT_LIST_HEAD(&storage->blocks);
	INIT_LIST_HEAD(&storage->left);
	atomic_inc(&vdev->stats.storages);
	return storage;
}

static void storage_free(struct vexport_storage *storage)
{
	atomic_dec(&storage->vdev->stats.storages);
	kvfree(storage->pages);
	kfree(storage);
}

static void free_system_pages(struct vexport_storage *storage)
{
	unsigned long i;

	for (i = 0; i < storage->npages && storage->pages[i]; i++)
		__free_page(storage->pages[i]);
}

/**
 * vexport_storage_alloc_system - allocate storage of system pages
 * @vdev: device
 * @npages: number of pages, not zero
 * @gfp: how; __GFP_ZERO for cleared pages
 *
 * The pages are single ones on purpose: each may be given back on its own, and
 * importers meet the fragmented sg tables that real machines give them.
 *
 * May sleep. Locks: none needed; the reservation may be held.
 *
 * Return: storage with one reference, or an ERR_PTR: -ENOMEM, -ERESTARTSYS if
 * the task is being killed.
 */
struct vexport_storage *vexport_storage_alloc_system(struct vexport_device *vdev,
						     unsigned long npages, gfp_t gfp)
{
	struct vexport_storage *storage = storage_alloc(vdev, npages);
	unsigned long i;
	int ret;

	if (!storage)
		return ERR_PTR(-ENOMEM);

	for (i = 0; i < npages; i++) {
		if (fatal_signal_pending(current)) {
			ret = -ERESTARTSYS;
			goto err_free_pages;
		}
		storage->pages[i] = alloc_page(gfp);
		if (!storage->pages[i]) {
			ret = -ENOMEM;
			goto err_free_pages;
		}
	}
	return storage;

err_free_pages:
	free_system_pages(storage);
	storage_free(storage);
	return ERR_PTR(ret);
}

/**
 * vexport_storage_alloc_vram - allocate storage of VRAM
 * @vdev: device
 * @npages: number of pages, not zero
 *
 * The pages hold what their last owner left in them: the caller clears them or
 * overwrites all of them before anybody sees them.
 *
 * May sleep. Locks: takes &vexport_vram.lock; the reservation may be held.
 *
 * Return: storage with one reference, or an ERR_PTR: -ENOMEM, -ENOSPC if the
 * VRAM is full.
 */
struct vexport_storage *vexport_storage_alloc_vram(struct vexport_device *vdev,
						   unsigned long npages)
{
	struct vexport_storage *storage = storage_alloc(vdev, npages);
	int ret;

	if (!storage)
		return ERR_PTR(-ENOMEM);

	storage->in_vram = true;
	ret = vexport_vram_alloc(&vdev->vram, storage->pages, npages, &storage->blocks);
	if (ret) {
		storage_free(storage);
		return ERR_PTR(ret);
	}
	return storage;
}

static void storage_release(struct kref *ref)
{
	struct vexport_storage *storage = container_of(ref, struct vexport_storage, ref);

	WARN_ON(storage->maps || !list_empty(&storage->left));
	if (!storage->in_vram)
		free_system_pages(storage);
	else if (!list_empty(&storage->blocks))
		vexport_vram_free(&storage->vdev->vram, &storage->blocks);
	storage_free(storage);
}

/**
 * vexport_storage_get - take a reference
 * @storage: storage of which the caller holds a reference
 *
 * Return: @storage.
 */
struct vexport_storage *vexport_storage_get(struct vexport_storage *storage)
{
	kref_get(&storage->ref);
	return storage;
}

/**
 * vexport_storage_put - drop a reference
 * @storage: storage, may be NULL
 *
 * Gives the pages back with the last one. May sleep, and take &vexport_vram.lock.
 */
void vexport_storage_put(struct vexport_storage *storage)
{
	if (storage)
		kref_put(&storage->ref, storage_release);
}

/**
 * vexport_storage_unmapped - an importer has given an sg table back
 * @storage: the storage it named; all that is to be done with the pages is done
 *
 * Locks: the reservation is held.
 */
void vexport_storage_unmapped(struct vexport_storage *storage)
{
	/* Pairs with the acquire in vexport_storage_leave_vram(). */
	smp_store_release(&storage->maps, storage->maps - 1);
}

/**
 * vexport_storage_leave_vram - the buffer gives its share of VRAM up
 * @storage: storage in VRAM, of which the caller holds a reference; all fences
 *	of the buffer that were there when it left have signalled
 *
 * Copies to and from here are over, even if the worker has not yet dropped its
 * references: the place is free at once, or the next allocation would evict
 * somebody for nothing.
 *
 * Only an importer may still reach the pages: it may keep an old sg table for as
 * long as it likes before it looks at the buffer again. Then it keeps the pages,
 * but not their place: the VRAM gets others. Otherwise idle importers would fill
 * it up with storage that no eviction can free. Without memory for the others
 * the place stays taken until the unmap.
 */
void vexport_storage_leave_vram(struct vexport_storage *storage)
{
	struct vexport_vram *vram = &storage->vdev->vram;

	/* Pairs with the release in vexport_storage_unmapped(). */
	if (!smp_load_acquire(&storage->maps))
		vexport_vram_free(vram, &storage->blocks);
	else if (!vexport_vram_replace(vram, &storage->blocks))
		storage->in_vram = false;
}

/**
 * vexport_storage_clear - fill with zeroes
 * @storage: storage that nobody else can reach yet
 */
void vexport_storage_clear(struct vexport_storage *storage)
{
	unsigned long i;

	for (i = 0; i < storage->npages; i++) {
		clear_highpage(storage->pages[i]);
		cond_resched();
	}
}

/**
 * vexport_storage_copy - copy all pages
 * @dst: where to
 * @src: where from, of the same size
 *
 * Allocates nothing: this is what a fence waits for.
 */
void vexport_storage_copy(struct vexport_storage *dst, struct vexport_storage *src)
{
	unsigned long i;

	for (i = 0; i < src->npages; i++) {
		copy_highpage(dst->pages[i], src->pages[i]);
		cond_resched();
	}
}
