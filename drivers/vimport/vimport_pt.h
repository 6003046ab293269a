/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_PT_H_
#define _VIMPORT_PT_H_

#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/types.h>

struct vimport_counters;
struct vimport_pt_dir;
struct vimport_stats;

/* The GPU's page, whatever the page size of the CPU is. */
#define VIMPORT_PAGE_SIZE	SZ_4K
#define VIMPORT_VA_BITS		39
#define VIMPORT_TLB_ENTRIES	64

/**
 * struct vimport_pt_run - translations of consecutive addresses
 */
struct vimport_pt_run {
	/** @va: First address. */
	u64 va;
	/** @addr: DMA address that @va translates to. */
	dma_addr_t addr;
	/** @size: Bytes, a multiple of the page size. */
	u64 size;
	/** @write: The engine may store through these translations. */
	bool write;
};

/**
 * struct vimport_pt - page table and TLB of an address space
 */
struct vimport_pt {
	/**
	 * @lock: Innermost lock, see DOC: locking order.
	 *
	 * The engine holds it from looking a translation up to the last store
	 * through it. Whoever zaps and flushes under it therefore knows that
	 * no store through the old translation is on its way any more: taking
	 * the lock is the handshake that hardware has a completion for.
	 */
	struct mutex lock;
	/** @vm_lock: The lock of the address space. Tables come and go under it. */
	struct mutex *vm_lock;
	/** @root: Top level table. Pointers to tables are written under both locks. */
	struct vimport_pt_dir *root;
	/** @tlb: Cache of translations, direct mapped. Protected by @lock. */
	struct {
		/** @tlb.va: Address of the page. */
		u64 va;
		/** @tlb.pte: Copy of its PTE, zero if the slot is empty. */
		u64 pte;
	} tlb[VIMPORT_TLB_ENTRIES];
	/** @counters: Where tables, and flushes of the GPU, are counted. */
	struct vimport_counters *counters;
	/** @stats: Where those of the address space are. */
	struct vimport_stats *stats;
};

int vimport_pt_init(struct vimport_pt *pt, struct mutex *vm_lock,
		    struct vimport_counters *counters, struct vimport_stats *stats);
void vimport_pt_fini(struct vimport_pt *pt);
int vimport_pt_reserve(struct vimport_pt *pt, u64 va, u64 size);
void vimport_pt_release(struct vimport_pt *pt, u64 va, u64 size);

u64 vimport_pt_write(struct vimport_pt *pt, const struct vimport_pt_run *run, u64 pos);
void vimport_pt_zap(struct vimport_pt *pt, u64 va, u64 size);
void vimport_pt_flush(struct vimport_pt *pt, u64 va, u64 size);

void *vimport_pt_map(struct vimport_pt *pt, u64 va, bool write);
void vimport_pt_unmap(const void *ptr);

#endif /* _VIMPORT_PT_H_ */
