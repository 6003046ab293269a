// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: segments
 *
 * An sg table can only be walked from its beginning. With many mappings of one
 * buffer, each job that follows a move would do so once for each of them, with
 * the dma_resv held. So what the table says is written down, once, as an array
 * that can be searched.
 *
 * Nothing but DMA addresses is looked at: the pages of an sg table are the
 * exporter's business, and may not exist.
 */

#include <linux/bsearch.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "vimport_pt.h"
#include "vimport_segs.h"

/**
 * vimport_segs_is_reachable - can the engine reach what an exporter has handed out?
 * @addr: first DMA address, which is a physical one
 * @size: bytes
 *
 * It is a piece of kernel code, not a bus master: it reaches ordinary memory and
 * nothing else. That there is a struct page would not say so. Device memory can have
 * one, and so have the holes of memory, which are marked as reserved.
 *
 * Return: whether all of it is ordinary memory.
 */
bool vimport_segs_is_reachable(dma_addr_t addr, u64 size)
{
	unsigned long pfn = PHYS_PFN(addr), end = PHYS_PFN(addr + size), next;
	struct page *page, *last;

	for (; pfn < end; pfn = next) {
		page = pfn_to_online_page(pfn);
		if (!page)
			return false;

		/* Memory is online by whole pageblocks, so one look at each will do. */
		next = min(end, ALIGN(pfn + 1, pageblock_nr_pages));
		for (last = page + (next - pfn); page < last; page++) {
			if (PageReserved(page))
				return false;
		}
	}

	return true;
}

/**
 * vimport_segs_init - take down where a buffer is
 * @segs: to be freed with vimport_segs_fini() if the call succeeds
 * @sgt: what the exporter says
 * @size: size of the buffer
 *
 * Return: 0; -EOPNOTSUPP if the engine cannot reach all of it; -ENOMEM.
 */
int vimport_segs_init(struct vimport_segs *segs, const struct sg_table *sgt, u64 size)
{
	struct vimport_seg *seg;
	struct scatterlist *sg;
	unsigned int count = 0;
	u64 offset = 0;
	int i;

	seg = &segs->only;
	if (sgt->nents > 1)
		seg = kvmalloc_array(sgt->nents, sizeof(*seg), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!seg)
		return -ENOMEM;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		dma_addr_t addr = sg_dma_address(sg);
		u64 len = sg_dma_len(sg);

		if (!len)
			continue;
		if (!IS_ALIGNED(addr | len, VIMPORT_PAGE_SIZE) ||
		    !vimport_segs_is_reachable(addr, len))
			goto err_free;

		seg[count].offset = offset;
		seg[count].size = len;
		seg[count].addr = addr;
		count++;
		offset += len;
		cond_resched();
	}
	if (offset < size)
		goto err_free;

	segs->seg = seg;
	segs->count = count;
	segs->capacity = sgt->nents;
	return 0;

err_free:
	if (seg != &segs->only)
		kvfree(seg);
	return -EOPNOTSUPP;
}

/* The first array is of a size that the allocator has, and is enough for huge pages. */
static int grow(struct vimport_segs *segs)
{
	unsigned int capacity = segs->capacity ? segs->capacity * 2 : 32;
	struct vimport_seg *seg;

	seg = kvrealloc(segs->seg, array_size(capacity, sizeof(*seg)),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!seg)
		return -ENOMEM;

	segs->seg = seg;
	segs->capacity = capacity;
	return 0;
}

/**
 * vimport_segs_append - add a piece at the end
 * @segs: segments, zeroed in the beginning; to be freed with vimport_segs_fini()
 * @offset: where in the buffer the piece begins, which is where the last one ends
 * @addr: DMA address of memory that the engine can reach
 * @size: bytes, a multiple of the page size
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_segs_append(struct vimport_segs *segs, u64 offset, dma_addr_t addr, u64 size)
{
	struct vimport_seg *last = segs->count ? &segs->seg[segs->count - 1] : NULL;

	if (last && last->addr + last->size == addr) {
		last->size += size;
		return 0;
	}

	if (segs->count == segs->capacity && grow(segs))
		return -ENOMEM;

	segs->seg[segs->count++] = (struct vimport_seg) {
		.offset = offset,
		.size = size,
		.addr = addr,
	};
	return 0;
}

/**
 * vimport_segs_fini - free segments
 * @segs: segments
 */
void vimport_segs_fini(struct vimport_segs *segs)
{
	if (segs->seg != &segs->only)
		kvfree(segs->seg);
	segs->seg = NULL;
	segs->count = 0;
	segs->capacity = 0;
}

/* Is the offset before, in or behind the segment? */
static int seg_cmp(const void *key, const void *elt)
{
	const struct vimport_seg *seg = elt;
	u64 offset = *(const u64 *)key;

	if (offset < seg->offset)
		return -1;
	return offset - seg->offset >= seg->size;
}

/**
 * vimport_segs_runs - translations for a part of a buffer
 * @segs: where the buffer is
 * @offset: first byte of the part
 * @size: size of the part, which is within the buffer
 * @va: address of the part
 * @write: the engine may store through the translations
 * @runs: where they are written to, or NULL to count them
 *
 * Return: the number of runs, of a page or more each.
 */
unsigned int vimport_segs_runs(const struct vimport_segs *segs, u64 offset, u64 size,
			       u64 va, bool write, struct vimport_pt_run *runs)
{
	const struct vimport_seg *seg;
	unsigned int count = 0;

	seg = bsearch(&offset, segs->seg, segs->count, sizeof(*seg), seg_cmp);
	for (; size; seg++) {
		u64 skip = offset - seg->offset;
		u64 len = min(seg->size - skip, size);

		if (runs) {
			runs[count].va = va;
			runs[count].addr = seg->addr + skip;
			runs[count].size = len;
			runs[count].write = write;
		}
		count++;
		offset += len;
		va += len;
		size -= len;
	}

	return count;
}
