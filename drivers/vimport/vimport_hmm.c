// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: pages of a process
 *
 * What is mapped in a process is looked up by hmm_range_fault(), which faults in what
 * is not present, and takes no reference to any page. What it says is true until the
 * sequence number of the interval notifier changes, and only who holds
 * &vimport_device.notifier_lock can tell that it has not. So the addresses that leave
 * this file are numbers, to be looked at by nobody before that check.
 *
 * There is no DMA mapping: the probe has made sure that DMA addresses are physical
 * ones and that mapping has no side effect. A driver of real hardware maps here, with
 * the notifier lock held and after the check, and unmaps in the notifier: a mapping
 * made without the lock could name a page that has a new owner by then.
 */

#include <drm/vimport_drm.h>

#include <linux/hmm.h>
#include <linux/magic.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "vimport_drv.h"
#include "vimport_hmm.h"
#include "vimport_userptr.h"
#include "vimport_warden.h"

/* Pages that are looked up at a time: what 4 KiB of pfns hold. */
#define CHUNK_PAGES	512

/*
 * Memory of memfd_secret() is not in the kernel's own mapping: get_user_pages() refuses
 * it, hmm_range_fault() does not, and the engine would fault. A driver of hardware has
 * to refuse it all the same, because that the kernel keeps away from it is what it is
 * for.
 */
static bool has_secret_memory(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	VMA_ITERATOR(vmi, mm, start);
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);

	for_each_vma_range(vmi, vma, end) {
		if (vma->vm_file && file_inode(vma->vm_file)->i_sb->s_magic == SECRETMEM_MAGIC)
			return true;
	}

	return false;
}

static int fault_chunk(struct mm_struct *mm, struct hmm_range *range)
{
	int ret;

	/* A large buffer takes its time. Pages that are present are found fast next time. */
	if (signal_pending(current) || mmap_read_lock_killable(mm))
		return -ERESTARTSYS;

	if (has_secret_memory(mm, range->start, range->end))
		ret = -EFAULT;
	else
		ret = hmm_range_fault(range);
	mmap_read_unlock(mm);

	/* There is memory, but not for this. */
	return ret == -EPERM ? -EFAULT : ret;
}

/*
 * How many pages, from the i-th on, the process has by one entry of its page table. They
 * are consecutive, and of one kind: a huge page, or what the chunk has of it.
 */
static inline unsigned long mapped_at_once(const struct hmm_range *range, unsigned long i)
{
	unsigned long count = 1UL << hmm_pfn_to_map_order(range->hmm_pfns[i]);

	if (count == 1)
		return 1;
	count -= page_to_pfn(hmm_pfn_to_page(range->hmm_pfns[i])) & (count - 1);
	return min(count, PHYS_PFN(range->end - range->start) - i);
}

/*
 * Can the engine reach it? Device memory can be mapped like any other, with pages that are
 * not online. Of what is reserved only the page of zeroes is ever mapped to be read.
 */
static bool is_reachable(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && (!PageReserved(page) || is_zero_pfn(pfn));
}

/*
 * The engine stores without telling the CPU's page table. A page that can be written and
 * is clean, because it is tmpfs's, or has been made writable again by mprotect(), or was
 * given up with MADV_FREE, would be dropped by reclaim, and the store lost. It is told
 * now that the page will be dirty; the notifier comes before anybody cleans it again, and
 * after the notifier it is looked up again, and told again.
 *
 * Only what goes to swap needs that. File systems that write pages back have them
 * write-protected while they are clean, so the fault has told them; and to be told here they
 * may start a transaction, which may wait for a notifier.
 *
 * With a valid sequence, and the lock held that the notifier takes first, the page stays
 * mapped where it was found, and so it stays. Never lock the folio: that is held by those
 * who call notifiers.
 */
static int settle_chunk(struct vimport_userptr *userptr, const struct hmm_range *range)
{
	struct vimport_device *vdev = to_vimport_device(userptr->base.base.dev);
	unsigned long i, count = PHYS_PFN(range->end - range->start);
	struct folio *folio, *last = NULL;
	int ret = 0;

	down_read(&vdev->notifier_lock);
	if (mmu_interval_read_retry(range->notifier, range->notifier_seq)) {
		ret = -EBUSY;
		goto out_unlock;
	}

	for (i = 0; i < count; i += mapped_at_once(range, i)) {
		struct page *page = hmm_pfn_to_page(range->hmm_pfns[i]);

		if (!is_reachable(page_to_pfn(page))) {
			ret = -EFAULT;
			goto out_unlock;
		}
		folio = page_folio(page);
		if (userptr->base.readonly || folio == last ||
		    userptr->base.bugs & DRM_VIMPORT_BUG_NO_DIRTY)
			continue;
		if (folio_test_anon(folio) || folio_test_swapbacked(folio))
			folio_mark_dirty(folio);
		last = folio;
	}

out_unlock:
	up_read(&vdev->notifier_lock);
	return ret;
}

static int append_chunk(struct vimport_segs *segs, u64 offset, const struct hmm_range *range)
{
	unsigned long i, step, count = PHYS_PFN(range->end - range->start);
	int ret;

	for (i = 0; i < count; i += step) {
		unsigned long pfn = page_to_pfn(hmm_pfn_to_page(range->hmm_pfns[i]));

		step = mapped_at_once(range, i);
		ret = vimport_segs_append(segs, offset + i * PAGE_SIZE, PFN_PHYS(pfn),
					  step * PAGE_SIZE);
		if (ret)
			return ret;
	}

	return 0;
}

/* One sequence number covers all chunks: they are the buffer at one point in time. */
static int fault_once(struct vimport_userptr *userptr, u64 offset, u64 size,
		      unsigned long *pfns, struct vimport_segs *segs, unsigned long *seq)
{
	/* Sleeps while something is being taken away from the range. */
	unsigned long own_seq = mmu_interval_read_begin(&userptr->notifier);
	struct mmu_interval_notifier *truth = vimport_warden_notifier(userptr);
	struct hmm_range range = {
		.notifier = truth,
		.notifier_seq = userptr->warden ? mmu_interval_read_begin(truth) : own_seq,
		.hmm_pfns = pfns,
		.default_flags = HMM_PFN_REQ_FAULT |
				 (userptr->base.readonly ? 0 : HMM_PFN_REQ_WRITE),
	};
	u64 end = offset + size;
	int ret;

	while (offset < end) {
		range.start = userptr->addr + offset;
		range.end = userptr->addr + min(end, offset + CHUNK_PAGES * PAGE_SIZE);

		ret = fault_chunk(userptr->mm, &range);
		if (ret)
			return ret;
		ret = settle_chunk(userptr, &range);
		if (ret)
			return ret;
		ret = append_chunk(segs, offset, &range);
		if (ret)
			return ret;

		offset += range.end - range.start;
		cond_resched();
	}

	*seq = own_seq;
	return vimport_warden_view(userptr, segs, range.notifier_seq);
}

/**
 * vimport_hmm_fault - look up where a part of a userptr buffer is
 * @userptr: buffer
 * @offset: first byte of the part, a multiple of the page size
 * @size: its size, a multiple of the page size
 * @segs: zeroed; where the part is; to be freed with vimport_segs_fini() if the call
 *	succeeds
 * @seq: the sequence number that this is true for, to be checked with
 *	mmu_interval_read_retry() under the notifier lock
 *
 * Waits for invalidations of the buffer that are under way, and with them for jobs, and
 * takes the mmap_lock. The caller holds none of the locks below those in DOC: locking
 * order.
 *
 * Return: 0; -EFAULT if not all of it is memory that may be used; -EBUSY if it does not
 * stop changing; -ENOMEM; -ERESTARTSYS.
 */
int vimport_hmm_fault(struct vimport_userptr *userptr, u64 offset, u64 size,
		      struct vimport_segs *segs, unsigned long *seq)
{
	unsigned long timeout = jiffies + msecs_to_jiffies(HMM_RANGE_DEFAULT_TIMEOUT);
	unsigned long *pfns;
	int ret;

	pfns = kmalloc_array(CHUNK_PAGES, sizeof(*pfns), GFP_KERNEL_ACCOUNT);
	if (!pfns)
		return -ENOMEM;

	/* The structure stays as long as the buffer; the memory goes with the process. */
	if (!mmget_not_zero(userptr->mm)) {
		ret = -EFAULT;
		goto out_free;
	}

	do {
		ret = fault_once(userptr, offset, size, pfns, segs, seq);
		if (ret)
			vimport_segs_fini(segs);
	} while (ret == -EBUSY && time_before(jiffies, timeout));
	mmput(userptr->mm);

out_free:
	kfree(pfns);
	return ret;
}

/**
 * vimport_hmm_bring - have userspace bring a page
 * @userptr: buffer
 * @page: offset of the page in the buffer
 * @offset: first byte of the part around it that is to be looked up
 * @size: its size
 *
 * hmm_range_fault() does not wait for userfaultfd(2), as it keeps the mmap_lock. Here it is
 * dropped: the page may take for ever, and so may this. The process keeps its memory
 * until whoever holds the page back has brought it, or has closed his descriptor, which
 * the process does when it ends, if it is the one. As vimport_hmm_fault() otherwise.
 *
 * Return: an &enum vimport_hmm_bring, about the pages of the part: unless it is
 * %VIMPORT_HMM_NOBODY, look up no more than @page; -EFAULT if there is none.
 */
int vimport_hmm_bring(struct vimport_userptr *userptr, u64 page, u64 offset, u64 size)
{
	VMA_ITERATOR(vmi, userptr->mm, userptr->addr + offset);
	unsigned long end = userptr->addr + offset + size, addr = userptr->addr + page;
	bool armed = false, brought = false, unlocked;
	struct mm_struct *mm = userptr->mm;
	struct vm_area_struct *vma;
	int ret = 0;

	if (!mmget_not_zero(mm))
		return -EFAULT;

	mmap_read_lock(mm);
	for_each_vma_range(vmi, vma, end) {
		if (!userfaultfd_armed(vma))
			continue;
		armed = true;
		brought |= vma->vm_start <= addr && addr < vma->vm_end;
	}
	if (brought)
		ret = fixup_user_fault(mm, addr, userptr->base.readonly ? 0 : FAULT_FLAG_WRITE,
				       &unlocked);
	mmap_read_unlock(mm);
	mmput(mm);

	if (ret)
		return -EFAULT;
	if (brought)
		return VIMPORT_HMM_BROUGHT;
	return armed ? VIMPORT_HMM_OTHERS : VIMPORT_HMM_NOBODY;
}
