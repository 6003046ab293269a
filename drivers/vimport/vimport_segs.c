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

/*
 * Can the engine reach what the exporter handed out? It is a piece of kernel
 * code, not a bus master: it reaches ordinary memory and nothing else. That
 * there is a struct page would not say so. Device memory can have one, and so
 * have the holes of memory, which are marked as reserved.
 */
static bool is_reachable(dma_addr_t addr, u64 size)
{
	u64 pos;

	for (pos = 0; pos < size; pos += VIMPORT_PAGE_SIZE) {
		struct page *page = pfn_to_online_page(PHYS_PFN(addr + pos));

		if (!page || PageReserved(page))
			return false;
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

	seg = kvmalloc_array(sgt->nents, sizeof(*seg), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!seg)
		return -ENOMEM;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		dma_addr_t addr = sg_dma_address(sg);
		u64 len = sg_dma_len(sg);

		if (!len)
			continue;
		if (!IS_ALIGNED(addr | len, VIMPORT_PAGE_SIZE) || !is_reachable(addr, len))
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
	return 0;

err_free:
	kvfree(seg);
	return -EOPNOTSUPP;
}

/**
 * vimport_segs_fini - undo vimport_segs_init()
 * @segs: segments
 */
void vimport_segs_fini(struct vimport_segs *segs)
{
	kvfree(segs->seg);
	segs->seg = NULL;
	segs->count = 0;
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
