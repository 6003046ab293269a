// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: page table
 *
 * Three levels of 512 entries translate 39 bits of address. A PTE holds a DMA
 * address, as hardware's does, and two permission bits. This file is the only
 * door to memory: what the engine reads or stores, it reaches through
 * vimport_pt_map(), which asks the TLB first and walks the table only on a
 * miss. A translation that was zapped but not flushed goes on working, as it
 * would on hardware.
 *
 * Tables are allocated when a range is bound and stay until it is unbound, so
 * that writing and zapping PTEs never allocates.
 */

#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "vimport_drv.h"
#include "vimport_pt.h"
#include "vimport_trace.h"
#include "vimport_warden.h"

#define PTE_VALID	BIT_ULL(0)
#define PTE_WRITE	BIT_ULL(1)
#define PTE_ADDR	(~(u64)(VIMPORT_PAGE_SIZE - 1))

#define TABLE_ENTRIES	512
#define LEAF_SPAN	((u64)VIMPORT_PAGE_SIZE * TABLE_ENTRIES)
#define DIR_SPAN	(LEAF_SPAN * TABLE_ENTRIES)

struct pt_leaf {
	u64 pte[TABLE_ENTRIES];
};

/**
 * struct vimport_pt_dir - a table of the upper two levels
 */
struct vimport_pt_dir {
	/** @entry: The tables below this one. */
	struct {
		/** @entry.table: A &struct vimport_pt_dir or &struct pt_leaf. */
		void *table;
		/** @entry.users: Reservations that keep @entry.table. */
		unsigned int users;
	} entry[TABLE_ENTRIES];
};

static unsigned int root_index(u64 va)
{
	return va / DIR_SPAN;
}

static unsigned int dir_index(u64 va)
{
	return va / LEAF_SPAN % TABLE_ENTRIES;
}

static unsigned int leaf_index(u64 va)
{
	return va / VIMPORT_PAGE_SIZE % TABLE_ENTRIES;
}

static unsigned int tlb_index(u64 va)
{
	return va / VIMPORT_PAGE_SIZE % VIMPORT_TLB_ENTRIES;
}

/* The leaf that translates @va, if there is one. */
static struct pt_leaf *find_leaf(struct vimport_pt *pt, u64 va)
{
	struct vimport_pt_dir *dir;

	lockdep_assert_held(&pt->lock);

	dir = pt->root->entry[root_index(va)].table;
	return dir ? dir->entry[dir_index(va)].table : NULL;
}

/**
 * vimport_pt_init - make an empty page table
 * @pt: page table, zeroed
 * @vm_lock: lock of its address space
 * @counters: where tables, and flushes of the GPU, are counted
 * @stats: where those of the address space are
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_pt_init(struct vimport_pt *pt, struct mutex *vm_lock,
		    struct vimport_counters *counters, struct vimport_stats *stats)
{
	pt->root = kzalloc(sizeof(*pt->root), GFP_KERNEL_ACCOUNT);
	if (!pt->root)
		return -ENOMEM;

	pt->vm_lock = vm_lock;
	pt->counters = counters;
	pt->stats = stats;
	mutex_init(&pt->lock);
	return 0;
}

/**
 * vimport_pt_fini - free a page table in which nothing is reserved
 * @pt: page table
 */
void vimport_pt_fini(struct vimport_pt *pt)
{
	mutex_destroy(&pt->lock);
	kfree(pt->root);
}

/* Drop a reservation of the leaf of @va, and what nobody needs any more. */
static void put_leaf(struct vimport_pt *pt, u64 va)
{
	unsigned int r = root_index(va), d = dir_index(va);
	struct vimport_pt_dir *dir = pt->root->entry[r].table;
	struct vimport_pt_dir *old_dir = NULL;
	struct pt_leaf *old_leaf = NULL;

	lockdep_assert_held(pt->vm_lock);

	scoped_guard(mutex, &pt->lock) {
		if (!--dir->entry[d].users) {
			old_leaf = dir->entry[d].table;
			dir->entry[d].table = NULL;
		}
		if (!--pt->root->entry[r].users) {
			old_dir = dir;
			pt->root->entry[r].table = NULL;
		}
	}
	atomic_sub(!!old_leaf + !!old_dir, &pt->counters->tables);
	kfree(old_leaf);
	kfree(old_dir);
}

/* Take a reservation of the leaf of @va, and make it if it is not there. */
static int get_leaf(struct vimport_pt *pt, u64 va)
{
	unsigned int r = root_index(va), d = dir_index(va);
	struct vimport_pt_dir *dir = pt->root->entry[r].table;
	struct vimport_pt_dir *new_dir = NULL;
	struct pt_leaf *new_leaf = NULL;

	lockdep_assert_held(pt->vm_lock);

	if (!dir) {
		new_dir = kzalloc(sizeof(*new_dir), GFP_KERNEL_ACCOUNT);
		if (!new_dir)
			return -ENOMEM;
		dir = new_dir;
	}
	if (!dir->entry[d].table) {
		new_leaf = kzalloc(sizeof(*new_leaf), GFP_KERNEL_ACCOUNT);
		if (!new_leaf) {
			kfree(new_dir);
			return -ENOMEM;
		}
	}

	atomic_add(!!new_leaf + !!new_dir, &pt->counters->tables);
	guard(mutex)(&pt->lock);
	if (new_leaf)
		dir->entry[d].table = new_leaf;
	if (new_dir)
		pt->root->entry[r].table = new_dir;
	dir->entry[d].users++;
	pt->root->entry[r].users++;
	return 0;
}

/**
 * vimport_pt_reserve - allocate the tables of a range
 * @pt: page table
 * @va: first address
 * @size: size of the range
 *
 * From here on writing and zapping PTEs of the range cannot fail. The caller
 * holds the VM's lock, and undoes this with vimport_pt_release().
 *
 * Return: 0, or -ENOMEM with nothing changed.
 */
int vimport_pt_reserve(struct vimport_pt *pt, u64 va, u64 size)
{
	u64 first = ALIGN_DOWN(va, LEAF_SPAN);
	u64 pos;

	lockdep_assert_held(pt->vm_lock);

	for (pos = first; pos < va + size; pos += LEAF_SPAN) {
		if (get_leaf(pt, pos))
			goto err_release;
		cond_resched();
	}

	return 0;

err_release:
	while (pos > first) {
		pos -= LEAF_SPAN;
		put_leaf(pt, pos);
	}
	return -ENOMEM;
}

/**
 * vimport_pt_release - free the tables of a range
 * @pt: page table
 * @va: first address
 * @size: size of the range
 *
 * The range is zapped and flushed. The caller holds the VM's lock.
 */
void vimport_pt_release(struct vimport_pt *pt, u64 va, u64 size)
{
	u64 pos;

	lockdep_assert_held(pt->vm_lock);

	for (pos = ALIGN_DOWN(va, LEAF_SPAN); pos < va + size; pos += LEAF_SPAN) {
		put_leaf(pt, pos);
		cond_resched();
	}
}

/* Pages from @va on that are before @end and in the leaf of @va. */
static unsigned int leaf_pages(u64 va, u64 end)
{
	return min((end - va) / VIMPORT_PAGE_SIZE, TABLE_ENTRIES - leaf_index(va));
}

/**
 * vimport_pt_write - write PTEs of a run
 * @pt: page table, its lock held
 * @run: addresses, in a reserved range
 * @pos: bytes of @run that are done
 *
 * Stops at the end of a table. A caller that drops the lock before it goes on
 * does not hold an invalidation up for long.
 *
 * Older translations of these addresses may be in the TLB: flush it before the
 * engine looks one of them up.
 *
 * Return: bytes of @run that are done now.
 */
u64 vimport_pt_write(struct vimport_pt *pt, const struct vimport_pt_run *run, u64 pos)
{
	u64 pte = (run->addr + pos) | PTE_VALID | (run->write ? PTE_WRITE : 0);
	u64 va = run->va + pos;
	unsigned int count = leaf_pages(va, run->va + run->size);
	struct pt_leaf *leaf;
	unsigned int i;

	lockdep_assert_held(&pt->lock);

	leaf = find_leaf(pt, va);
	for (i = 0; i < count; i++)
		leaf->pte[leaf_index(va) + i] = pte + i * (u64)VIMPORT_PAGE_SIZE;

	return pos + count * (u64)VIMPORT_PAGE_SIZE;
}

/**
 * vimport_pt_zap - clear the PTEs of a range
 * @pt: page table, its lock held
 * @va: first address, in a reserved range
 * @size: size of the range
 *
 * Nothing is safe before the TLB is flushed as well.
 */
void vimport_pt_zap(struct vimport_pt *pt, u64 va, u64 size)
{
	u64 end = va + size;

	lockdep_assert_held(&pt->lock);

	while (va < end) {
		unsigned int count = leaf_pages(va, end);

		memset64(&find_leaf(pt, va)->pte[leaf_index(va)], 0, count);
		va += count * (u64)VIMPORT_PAGE_SIZE;
	}
}

/**
 * vimport_pt_flush - throw the translations of a range out of the TLB
 * @pt: page table, its lock held
 * @va: first address
 * @size: size of the range
 */
void vimport_pt_flush(struct vimport_pt *pt, u64 va, u64 size)
{
	unsigned int i;

	lockdep_assert_held(&pt->lock);

	for (i = 0; i < VIMPORT_TLB_ENTRIES; i++) {
		if (pt->tlb[i].va - va < size)
			pt->tlb[i].pte = 0;
	}

	atomic64_inc(&pt->counters->tlb_flushes);
	atomic64_inc(&pt->stats->tlb_flushes);
	trace_vimport_tlb_flush(container_of(pt, struct vimport_vm, pt), va, size);
}

/* The PTE by which @va is translated now, zero if it is not. */
static u64 translate(struct vimport_pt *pt, u64 va)
{
	u64 page = va & PTE_ADDR;
	unsigned int slot = tlb_index(va);
	struct pt_leaf *leaf;

	lockdep_assert_held(&pt->lock);

	if (pt->tlb[slot].pte && pt->tlb[slot].va == page)
		return pt->tlb[slot].pte;

	leaf = find_leaf(pt, va);
	if (!leaf || !(leaf->pte[leaf_index(va)] & PTE_VALID))
		return 0;

	pt->tlb[slot].va = page;
	pt->tlb[slot].pte = leaf->pte[leaf_index(va)];
	return pt->tlb[slot].pte;
}

/**
 * vimport_pt_map - reach the memory behind an address
 * @pt: page table, its lock held
 * @va: address
 * @write: the memory is going to be written
 *
 * The pointer is good up to the end of the page, and until the lock is dropped.
 * Undo with vimport_pt_unmap(), in reverse order.
 *
 * Return: where @va is, or NULL if the access is a fault.
 */
void *vimport_pt_map(struct vimport_pt *pt, u64 va, bool write)
{
	u64 pte, addr;

	lockdep_assert_held(&pt->lock);

	pte = translate(pt, va);
	if (!pte || (write && !(pte & PTE_WRITE)))
		return NULL;

	/* The probe made sure that a DMA address is a physical address. */
	addr = (pte & PTE_ADDR) | (va & ~PTE_ADDR);
	return kmap_local_page(vimport_warden_page(pt, addr)) + offset_in_page(addr);
}

/**
 * vimport_pt_unmap - undo vimport_pt_map()
 * @ptr: what that returned
 */
void vimport_pt_unmap(const void *ptr)
{
	kunmap_local(ptr);
}
