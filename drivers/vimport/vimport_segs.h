/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_SEGS_H_
#define _VIMPORT_SEGS_H_

#include <linux/types.h>

struct sg_table;
struct vimport_pt_run;

/**
 * struct vimport_seg - a piece of a buffer that has consecutive DMA addresses
 */
struct vimport_seg {
	/** @offset: Where in the buffer it begins. */
	u64 offset;
	/** @size: Bytes, a multiple of the page size. */
	u64 size;
	/** @addr: First DMA address. */
	dma_addr_t addr;
};

/**
 * struct vimport_segs - where a buffer is
 */
struct vimport_segs {
	/** @seg: The pieces, in the order of their offsets. */
	struct vimport_seg *seg;
	/** @count: How many they are. */
	unsigned int count;
	/** @only: Where @seg points if there is room for no more than one. */
	struct vimport_seg only;
	/** @capacity: How many there is room for. */
	unsigned int capacity;
};

bool vimport_segs_is_reachable(dma_addr_t addr, u64 size);
int vimport_segs_init(struct vimport_segs *segs, const struct sg_table *sgt, u64 size);
int vimport_segs_append(struct vimport_segs *segs, u64 offset, dma_addr_t addr, u64 size);
void vimport_segs_fini(struct vimport_segs *segs);
unsigned int vimport_segs_runs(const struct vimport_segs *segs, u64 offset, u64 size,
			       u64 va, bool write, struct vimport_pt_run *runs);

#endif /* _VIMPORT_SEGS_H_ */
