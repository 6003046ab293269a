/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_WARDEN_H_
#define _VIMPORT_WARDEN_H_

#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/types.h>

struct mmu_interval_notifier;
struct vimport_pt;
struct vimport_segs;
struct vimport_userptr;

/* Physical addresses end below, and what is above in a PTE is a view's number. */
#define VIMPORT_VIEW_SHIFT	52

int vimport_warden_init(struct vimport_userptr *userptr);
void vimport_warden_fini(struct vimport_userptr *userptr);
struct mmu_interval_notifier *vimport_warden_notifier(struct vimport_userptr *userptr);
int vimport_warden_view(struct vimport_userptr *userptr, struct vimport_segs *segs,
			unsigned long seq);
struct page *vimport_warden_lookup(struct vimport_pt *pt, u64 addr);

/**
 * vimport_warden_page - the page that an access through a PTE goes to
 * @pt: page table that the PTE is in
 * @addr: DMA address in the PTE, with the number of a view above it if there is one
 *
 * Locks: the lock of the page table is held, until the access is over.
 *
 * Return: that page, or another one if the PTE is of the past.
 */
static inline struct page *vimport_warden_page(struct vimport_pt *pt, u64 addr)
{
	if (likely(!(addr >> VIMPORT_VIEW_SHIFT)))
		return pfn_to_page(PHYS_PFN(addr));
	return vimport_warden_lookup(pt, addr);
}

#endif /* _VIMPORT_WARDEN_H_ */
