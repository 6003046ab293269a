// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "vexport_drv.h"
#include "vexport_quarantine.h"
#include "vexport_storage.h"
#include "vexport_vram.h"

/* 2 MiB where pages have 4 KiB. */
#define MAX_PIECE_ORDER	9

/* Takes over @pages, if there are any, unless it fails. */
static struct vexport_storage *storage_alloc(struct vexport_device *vdev, struct page **pages,
					     unsigned long npages)
{
	struct vexport_storage *storage;

	storage = kzalloc(sizeof(*storage), GFP_KERNEL);
	if (!storage)
		return NULL;

	if (!pages)
		pages = kvcalloc(npages, sizeof(*pages), GFP_KERNEL | __GFP_NOWARN);
	if (!pages) {
		kfree(storage);
		return NULL;
	}

	storage->pages = pages;
	kref_init(&storage->ref);
	storage->vdev = vdev;
	storage->npages = npages;
	INIT_LIST_HEAD(&storage->blocks);
	INIT_LIST_HEAD(&storage->kept);
	INIT_LIST_HEAD(&storage->mappings);
	INIT_LIST_HEAD(&storage->left);
	INIT_LIST_HEAD(&storage->queued);
	atomic_inc(&vdev->stats.storages);
	return storage;
}

static void storage_free(struct vexport_storage *storage)
{
	atomic_dec(&storage->vdev->stats.storages);
	kvfree(storage->pages);
	kfree(storage);
}

/*
 * Pages that were allocated together go together, which costs a fraction of what
 * it would to free each of them. Only if nobody else holds one: an importer should
 * not, but if it does it keeps that page, and takes nobody else's.
 */
static void free_piece(struct page *page, unsigned int order)
{
	unsigned long n = 1UL << order, i;

	for (i = 1; i < n && page_ref_freeze(page + i, 1); i++)
		;
	if (i == n) {
		__free_pages(page, order);
		return;
	}
	while (--i)
		page_ref_unfreeze(page + i, 1);
	for (i = 0; i < n; i++)
		__free_page(page + i);
}

/**
 * vexport_storage_free_pages - free what vexport_storage_alloc_pages() returned
 * @pages: the pages
 * @npages: how many
 */
void vexport_storage_free_pages(struct page **pages, unsigned long npages)
{
	unsigned long i = 0;
	unsigned int order;

	while (i < npages) {
		order = page_private(pages[i]);
		free_piece(pages[i], order);
		i += 1UL << order;
	}
}

/**
 * vexport_storage_split_pages - have all pages be pieces of their own
 * @pages: the pages
 * @npages: how many
 *
 * For whoever is going to change their order, or to free some of them.
 */
void vexport_storage_split_pages(struct page **pages, unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < npages; i++)
		set_page_private(pages[i], 0);
}

/* The first page of each piece remembers how large it is. */
static struct page *alloc_piece(gfp_t gfp, unsigned int order, bool contiguous)
{
	struct page *page;

	/* A large piece is worth some trouble to who has asked for it, and none else. */
	if (order && contiguous)
		gfp = (gfp & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY | __GFP_NOWARN;
	else if (order)
		gfp = (gfp & ~(__GFP_RECLAIM | __GFP_RETRY_MAYFAIL)) | __GFP_NOWARN;
	page = alloc_pages(gfp, order);
	if (!page)
		return NULL;
	/* Each page on its own: importers and the CPU map any of them. */
	split_page(page, order);
	set_page_private(page, order);
	return page;
}

/**
 * vexport_storage_alloc_pages - allocate pages
 * @pages: Output: the pages
 * @npages: how many
 * @gfp: how
 * @contiguous: in pieces of 2 MiB where the machine has them: fewer, longer segments
 *
 * Else the number of pages in the first piece is about the square root of @npages, and
 * each other piece is twice as large as the one before it, up to 2 MiB: many pages at
 * a time are cheap, and importers meet the fragmented sg tables that real machines give
 * them, whatever the state of this machine's memory.
 *
 * May sleep.
 *
 * Return: 0; -ENOMEM; -ERESTARTSYS if the task is being killed.
 */
int vexport_storage_alloc_pages(struct page **pages, unsigned long npages, gfp_t gfp,
				bool contiguous)
{
	unsigned int order = contiguous ? MAX_PIECE_ORDER : ilog2(npages) / 2;
	unsigned int largest = MAX_PIECE_ORDER;
	unsigned long i = 0, j;
	struct page *page;
	int ret = -ENOMEM;

	while (i < npages) {
		if (fatal_signal_pending(current)) {
			ret = -ERESTARTSYS;
			goto err_free_pages;
		}
		order = min3(order, largest, (unsigned int)ilog2(npages - i));
		page = alloc_piece(gfp, order, contiguous);
		if (!page && order) {
			largest = --order;
			continue;
		}
		if (!page)
			goto err_free_pages;
		for (j = 0; j < 1UL << order; j++)
			pages[i++] = page + j;
		order++;
		cond_resched();
	}
	return 0;

err_free_pages:
	vexport_storage_free_pages(pages, i);
	return ret;
}

/**
 * vexport_storage_alloc_in - allocate storage of system pages, with an array that is there
 * @vdev: device
 * @pages: array for @npages pages, for kvfree(), or NULL; the storage's if the call succeeds
 * @npages: number of pages, not zero
 * @gfp: how; __GFP_ZERO for cleared pages
 * @contiguous: in large pieces
 *
 * May sleep. Locks: none needed; the reservation may be held.
 *
 * Return: storage with one reference, or an ERR_PTR: -ENOMEM, -ERESTARTSYS if
 * the task is being killed.
 */
struct vexport_storage *vexport_storage_alloc_in(struct vexport_device *vdev,
						 struct page **pages, unsigned long npages,
						 gfp_t gfp, bool contiguous)
{
	struct vexport_storage *storage = storage_alloc(vdev, pages, npages);
	int ret;

	if (!storage)
		return ERR_PTR(-ENOMEM);

	ret = vexport_storage_alloc_pages(storage->pages, npages, gfp, contiguous);
	if (ret) {
		if (pages)
			storage->pages = NULL;
		storage_free(storage);
		return ERR_PTR(ret);
	}
	return storage;
}

/**
 * vexport_storage_alloc_system - allocate storage of system pages
 * @vdev: device
 * @npages: number of pages, not zero
 * @gfp: how; __GFP_ZERO for cleared pages
 * @contiguous: in large pieces
 *
 * May sleep. Locks: none needed; the reservation may be held.
 *
 * Return: as vexport_storage_alloc_in().
 */
struct vexport_storage *vexport_storage_alloc_system(struct vexport_device *vdev,
						     unsigned long npages, gfp_t gfp,
						     bool contiguous)
{
	return vexport_storage_alloc_in(vdev, NULL, npages, gfp, contiguous);
}

/**
 * vexport_storage_alloc_vram - allocate storage of VRAM
 * @vdev: device
 * @npages: number of pages, not zero
 *
 * The pages hold what their last owner left in them: the caller clears them or
 * overwrites all of them before anybody sees them.
 *
 * What is in quarantine makes room for it, the oldest first.
 *
 * May sleep. Locks: takes &vexport_quarantine.lock and &vexport_vram.lock; the
 * reservation may be held.
 *
 * Return: storage with one reference, or an ERR_PTR: -ENOMEM, -ENOSPC if the
 * VRAM is full.
 */
struct vexport_storage *vexport_storage_alloc_vram(struct vexport_device *vdev,
						   unsigned long npages)
{
	struct vexport_storage *storage = storage_alloc(vdev, NULL, npages);
	int ret;

	if (!storage)
		return ERR_PTR(-ENOMEM);

	storage->in_vram = true;
	do {
		ret = vexport_vram_alloc(&vdev->vram, storage->pages, npages, &storage->blocks);
	} while (ret == -ENOSPC && vexport_quarantine_give_vram(vdev));
	if (ret) {
		storage_free(storage);
		return ERR_PTR(ret);
	}
	return storage;
}

static void storage_release(struct kref *ref)
{
	struct vexport_storage *storage = container_of(ref, struct vexport_storage, ref);

	WARN_ON(storage->maps || storage->bo || !list_empty(&storage->mappings));
	if (!vexport_vram_take_back(&storage->vdev->vram, storage))
		vexport_storage_free_pages(storage->pages, storage->npages);
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

/*
 * How many pages from @i on are neighbours in memory, at most @max. Within a piece all
 * are; @end is where the one ends that the walk is in, and zero when it begins.
 */
static unsigned long run_length(struct vexport_storage *storage, unsigned long i,
				unsigned long *end, unsigned long max)
{
	struct page **pages = storage->pages;
	unsigned long first = page_to_pfn(pages[i]);

	max = min(max, storage->npages - i);
	if (*end <= i)
		*end = i + (1UL << page_private(pages[i]));
	while (*end - i < max && page_to_pfn(pages[*end]) == first + (*end - i))
		*end += 1UL << page_private(pages[*end]);
	return min(*end - i, max);
}

/**
 * vexport_storage_sg_table - describe where storage is
 * @storage: storage
 * @sgt: Output: to be freed with sg_free_table()
 * @max_segment: no segment is larger, but for one of a single page
 *
 * What sg_alloc_table_from_pages_segment() makes of the pages, in a fraction of the
 * time: it looks at each of them, and asks what kind of memory it is.
 *
 * Return: 0, -ENOMEM.
 */
int vexport_storage_sg_table(struct vexport_storage *storage, struct sg_table *sgt,
			     unsigned int max_segment)
{
	unsigned long max = max(max_segment >> PAGE_SHIFT, 1u), end = 0, i, n;
	unsigned int nents = 0, j;
	struct scatterlist *sg;
	int ret;

	for (i = 0; i < storage->npages; i += run_length(storage, i, &end, max))
		nents++;
	ret = sg_alloc_table(sgt, nents, GFP_KERNEL);
	if (ret)
		return ret;

	i = 0;
	end = 0;
	for_each_sgtable_sg(sgt, sg, j) {
		n = run_length(storage, i, &end, max);
		sg_set_page(sg, storage->pages[i], n << PAGE_SHIFT, 0);
		i += n;
	}
	return 0;
}

/**
 * vexport_storage_unmapped - an importer has given an sg table back
 * @storage: the storage it named; all that is to be done with the pages is done
 * @resv: reservation of the buffer that lives there, or did
 *
 * Locks: the reservation is held.
 */
void vexport_storage_unmapped(struct vexport_storage *storage, struct dma_resv *resv)
{
	dma_resv_assert_held(resv);

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
 * and their place until somebody needs it; see vexport_vram_alloc(). Most importers
 * let go before that. What only the quarantine keeps also stays in its place, and
 * gives way at once.
 */
void vexport_storage_leave_vram(struct vexport_storage *storage)
{
	vexport_quarantine_vacate(storage);
}

/**
 * vexport_storage_scatter - have neighbours in the buffer be no neighbours in memory
 * @storage: storage without content
 *
 * A page that follows the one before it, also in memory, changes places with the next
 * one. The last page can only do so with the first, which then may follow by chance.
 */
void vexport_storage_scatter(struct vexport_storage *storage)
{
	struct page **pages = storage->pages;
	unsigned long i;

	vexport_storage_split_pages(pages, storage->npages);
	for (i = 1; i < storage->npages; i++) {
		if (page_to_pfn(pages[i]) == page_to_pfn(pages[i - 1]) + 1)
			swap(pages[i], pages[(i + 1) % storage->npages]);
	}
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
