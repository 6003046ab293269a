// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: warden
 *
 * A userptr buffer whose notifier is told to do wrong would have the engine store to
 * pages that have a new owner. To hold the pages is no way out: what is held is not
 * migrated, merged or split, and then there is nothing to be notified of. So such a
 * buffer gets a second notifier that does right, the warden, and whatever is looked up
 * is a view, which the warden knows the sequence number of. The number of the view is
 * in each PTE that is made from it, above the address. At every access the engine asks
 * whether the view still is of the present, and if it is not, reaches a page of the
 * warden's own instead, the sink::
 *
 *   warden                               engine (lock of the page table held)
 *
 *                                        the sequence is the view's
 *                                        access the page
 *   the sequence is another one now
 *                                        the sequence is not the view's
 *                                        access the sink
 *   lock and unlock the page table
 *   [the engine is at no page of the past]
 *
 * What the bug does to the job's result is the same: who looks at the memory misses
 * what the job has stored. It is sent to the sink also if the page itself is where it was
 * and another one of the buffer has gone.
 */

#include <linux/bits.h>
#include <linux/dma-resv.h>
#include <linux/gfp.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "vimport_drv.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"
#include "vimport_warden.h"

/* What a PTE has room for. Tests look a buffer up a few times. */
#define VIEWS		XA_LIMIT(1, 1023)

/**
 * struct vimport_warden - what keeps a misbehaving buffer from doing harm
 */
struct vimport_warden {
	/** @userptr: The buffer. */
	struct vimport_userptr *userptr;
	/** @notifier: The one that does right. */
	struct mmu_interval_notifier notifier;
	/** @lock: Its sequence number, for the engine. Innermost. */
	rwlock_t lock;
	/** @sink: Where the engine is sent with what it must not do. */
	struct page *sink;
	/** @views: All that was looked up, &struct view. Protected by the reservation. */
	struct list_head views;
};

/* What was looked up at one time. */
struct view {
	struct vimport_warden *warden;
	struct list_head node;
	unsigned long seq;
	u32 id;
};

/* Each lasts as long as its buffer, which is longer than any PTE. */
static DEFINE_XARRAY_ALLOC1(views);

static struct rw_semaphore *notifier_lock(const struct vimport_warden *warden)
{
	return &to_vimport_device(warden->userptr->base.base.dev)->notifier_lock;
}

static void set_seq(struct vimport_warden *warden, unsigned long cur_seq)
{
	lockdep_assert_held_write(notifier_lock(warden));

	write_lock(&warden->lock);
	mmu_interval_set_seq(&warden->notifier, cur_seq);
	write_unlock(&warden->lock);
}

/* Without sleeping all that can be said is that no page table knows the buffer. */
static bool invalidate_unused(struct vimport_warden *warden, unsigned long cur_seq)
{
	bool unused;

	if (!down_write_trylock(notifier_lock(warden)))
		return false;

	unused = list_empty(&warden->userptr->vm_bos);
	if (unused)
		set_seq(warden, cur_seq);
	up_write(notifier_lock(warden));
	return unused;
}

static bool warden_invalidate(struct mmu_interval_notifier *notifier,
			      const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	struct vimport_warden *warden = container_of(notifier, struct vimport_warden, notifier);
	struct vimport_vm_bo *vm_bo;

	if (!mmu_notifier_range_blockable(range))
		return invalidate_unused(warden, cur_seq);

	down_write(notifier_lock(warden));
	set_seq(warden, cur_seq);
	up_write(notifier_lock(warden));

	down_read(notifier_lock(warden));
	list_for_each_entry(vm_bo, &warden->userptr->vm_bos, userptr_node) {
		struct vimport_vm *vm = to_vimport_vm(vm_bo->base.vm);

		/* The engine has it from its look at the sequence to its last store. */
		mutex_lock(&vm->pt.lock);
		mutex_unlock(&vm->pt.lock);
	}
	up_read(notifier_lock(warden));
	return true;
}

static const struct mmu_interval_notifier_ops warden_ops = {
	.invalidate = warden_invalidate,
};

/**
 * vimport_warden_init - have a userptr buffer's misbehaviour do no harm
 * @userptr: buffer that nobody knows yet
 *
 * Return: 0 or a negative error code.
 */
int vimport_warden_init(struct vimport_userptr *userptr)
{
	struct vimport_warden *warden;
	int ret = -ENOMEM;

	warden = kzalloc(sizeof(*warden), GFP_KERNEL_ACCOUNT);
	if (!warden)
		return -ENOMEM;

	warden->userptr = userptr;
	rwlock_init(&warden->lock);
	INIT_LIST_HEAD(&warden->views);
	warden->sink = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!warden->sink)
		goto err_free;

	ret = mmu_interval_notifier_insert(&warden->notifier, userptr->mm, userptr->addr,
					   userptr->base.base.size, &warden_ops);
	if (ret)
		goto err_free_sink;

	userptr->warden = warden;
	return 0;

err_free_sink:
	__free_page(warden->sink);
err_free:
	kfree(warden);
	return ret == -EINTR ? -ERESTARTSYS : ret;
}

/**
 * vimport_warden_fini - undo vimport_warden_init()
 * @userptr: buffer that no page table knows any more
 */
void vimport_warden_fini(struct vimport_userptr *userptr)
{
	struct vimport_warden *warden = userptr->warden;
	struct view *view, *next;

	if (!warden)
		return;

	mmu_interval_notifier_remove(&warden->notifier);
	list_for_each_entry_safe(view, next, &warden->views, node) {
		xa_erase(&views, view->id);
		kfree(view);
	}
	__free_page(warden->sink);
	kfree(warden);
}

/**
 * vimport_warden_notifier - the notifier that says what is true
 * @userptr: buffer
 *
 * Return: the warden's, or the buffer's own if it has none.
 */
struct mmu_interval_notifier *vimport_warden_notifier(struct vimport_userptr *userptr)
{
	return userptr->warden ? &userptr->warden->notifier : &userptr->notifier;
}

/**
 * vimport_warden_view - take down what was looked up
 * @userptr: buffer
 * @segs: where it, or a part of it, is
 * @seq: what vimport_warden_notifier() said before
 *
 * Locks: takes the reservation.
 *
 * Return: 0; -EBUSY if the buffer has been looked up too often; -ENOMEM.
 */
int vimport_warden_view(struct vimport_userptr *userptr, struct vimport_segs *segs,
			unsigned long seq)
{
	struct vimport_warden *warden = userptr->warden;
	struct view *view;
	unsigned int i;
	int ret;

	if (!warden)
		return 0;

	view = kzalloc(sizeof(*view), GFP_KERNEL_ACCOUNT);
	if (!view)
		return -ENOMEM;

	view->warden = warden;
	view->seq = seq;
	ret = xa_alloc(&views, &view->id, view, VIEWS, GFP_KERNEL_ACCOUNT);
	if (ret) {
		kfree(view);
		return ret;
	}

	dma_resv_lock(userptr->base.base.resv, NULL);
	list_add_tail(&view->node, &warden->views);
	dma_resv_unlock(userptr->base.base.resv);
	for (i = 0; i < segs->count; i++)
		segs->seg[i].addr |= (u64)view->id << VIMPORT_VIEW_SHIFT;
	return 0;
}

/**
 * vimport_warden_lookup - the page that an access through a view goes to
 * @pt: page table that the PTE is in
 * @addr: DMA address in the PTE, with the number of the view above it
 *
 * Locks: the lock of the page table is held, until the access is over.
 *
 * Return: that page, or the sink.
 */
struct page *vimport_warden_lookup(struct vimport_pt *pt, u64 addr)
{
	struct page *page = pfn_to_page(PHYS_PFN(addr & (BIT_ULL(VIMPORT_VIEW_SHIFT) - 1)));
	struct vimport_warden *warden;
	struct view *view;

	lockdep_assert_held(&pt->lock);

	view = xa_load(&views, addr >> VIMPORT_VIEW_SHIFT);
	warden = view->warden;
	read_lock(&warden->lock);
	if (mmu_interval_read_retry(&warden->notifier, view->seq))
		page = warden->sink;
	read_unlock(&warden->lock);
	return page;
}
