// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: deliberate bugs
 *
 * A test proves something only if it fails when the rule that it is about is
 * broken. Each DRM_VIMPORT_BUG_* breaks one. Those about memory are where the
 * memory is dealt with; those about locks are here, called from the place where
 * the rule holds.
 *
 * The latter are for lockdep, to which a reservation object is as good as any
 * other: what counts is the class of its lock. So they take one that nobody else
 * knows of. It is never contended, and nothing hangs on a kernel that does not
 * look.
 */

#include <drm/drm_device.h>
#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/vimport_drm.h>

#include <linux/capability.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/slab.h>

#include "vimport_drv.h"
#include "vimport_misbehave.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"
#include "vimport_warden.h"

/* What a userptr buffer may do wrong without anybody's memory being in danger. */
#define USERPTR_BUGS	(DRM_VIMPORT_BUG_NO_PUBLISH |		\
			 DRM_VIMPORT_BUG_NO_DIRTY |		\
			 DRM_VIMPORT_BUG_RESV_IN_NOTIFIER |	\
			 DRM_VIMPORT_BUG_RECLAIM_IN_NOTIFIER |	\
			 DRM_VIMPORT_BUG_SLEEP_IN_NOTIFIER)

/* What it may do wrong with a warden. */
#define WARDED_BUGS	(DRM_VIMPORT_BUG_IGNORE_NOTIFIER |	\
			 DRM_VIMPORT_BUG_IGNORE_PROTECTION |	\
			 DRM_VIMPORT_BUG_ONLY_UNMAP)

#define ALL_BUGS	(DRM_VIMPORT_BUG_IGNORE_INVALIDATE |	\
			 DRM_VIMPORT_BUG_RESV_IN_INVALIDATE |	\
			 DRM_VIMPORT_BUG_RESV_IN_SIGNALLING |	\
			 DRM_VIMPORT_BUG_RECLAIM_IN_SIGNALLING |	\
			 DRM_VIMPORT_BUG_WRITE_AFTER_UNMAP |	\
			 DRM_VIMPORT_BUG_UNMAP_DIRECTION |	\
			 DRM_VIMPORT_BUG_UNMAP_TWICE |		\
			 DRM_VIMPORT_BUG_DETACH_MAPPED |	\
			 DRM_VIMPORT_BUG_DETACH_PINNED |	\
			 DRM_VIMPORT_BUG_SURPLUS_UNPIN |	\
			 DRM_VIMPORT_BUG_HANG |		\
			 DRM_VIMPORT_BUG_USERPTR_PIN |	\
			 DRM_VIMPORT_BUG_NO_FLUSH |		\
			 DRM_VIMPORT_BUG_IGNORE_FENCES |	\
			 DRM_VIMPORT_BUG_KEEP_TABLE |		\
			 USERPTR_BUGS |				\
			 WARDED_BUGS)

/* What a late write leaves: no tag, and not what vexport fills storage with. */
#define LATE_WORD	0x1a7e1a7e1a7e1a7eULL

static bool misbehave;
module_param(misbehave, bool, 0444);
MODULE_PARM_DESC(misbehave, "Let CAP_SYS_ADMIN switch deliberate bugs on (default off)");

/**
 * vimport_misbehave_allowed - whether anything may have a deliberate bug
 *
 * Return: the module parameter.
 */
bool vimport_misbehave_allowed(void)
{
	return misbehave;
}

/**
 * vimport_misbehave_ioctl - DRM_IOCTL_VIMPORT_MISBEHAVE
 * @drm: device
 * @data: &struct drm_vimport_misbehave
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_misbehave_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;
	struct drm_vimport_misbehave *args = data;

	if (args->bugs & ~ALL_BUGS || args->pad)
		return -EINVAL;
	if (!misbehave || !capable(CAP_SYS_ADMIN))
		return -EPERM;

	if (args->bugs)
		add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
	WRITE_ONCE(vfile->bugs, args->bugs);
	return 0;
}

/**
 * vimport_misbehave_has_locked - whether a buffer of an address space has a bug
 * @vm: address space
 * @obj: one of the objects that its jobs lock
 * @bug: a DRM_VIMPORT_BUG_*
 *
 * Return: false also for the object that only lends @vm its reservation.
 */
bool vimport_misbehave_has_locked(struct vimport_vm *vm, struct drm_gem_object *obj, u32 bug)
{
	dma_resv_assert_held(obj->resv);

	return misbehave && obj != vm->base.r_obj && to_vimport_bo(obj)->bugs & bug;
}

/**
 * vimport_misbehave_published_locked - have buffers forget the job that was just published
 * @vm: address space of the job
 * @exec: the objects that it has locked
 * @fence: its fence
 *
 * It stays in the reservation of the address space, so that no sg table is given back
 * before the job is over: what an exporter gives away too early it still holds.
 */
void vimport_misbehave_published_locked(struct vimport_vm *vm, struct drm_exec *exec,
					struct dma_fence *fence)
{
	struct drm_gem_object *obj;
	struct dma_fence *stub;
	unsigned long i;

	vimport_vm_assert_submitting(vm);

	if (!misbehave)
		return;

	stub = dma_fence_get_stub();
	for (i = 0; (obj = drm_exec_obj(exec, i)); i++) {
		if (vimport_misbehave_has_locked(vm, obj, DRM_VIMPORT_BUG_NO_PUBLISH))
			dma_resv_replace_fences(obj->resv, fence->context, stub,
						DMA_RESV_USAGE_BOOKKEEP);
	}
	dma_fence_put(stub);
}

/* By now the exporter has had the time to fill the storage that the buffer has left. */
static void write_late_locked(struct dma_buf_attachment *attach, struct page *page)
{
	u64 *word;

	dma_resv_assert_held(attach->dmabuf->resv);

	dma_resv_wait_timeout(attach->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);
	word = kmap_local_page(page);
	WRITE_ONCE(*word, LATE_WORD);
	kunmap_local(word);
}

/**
 * vimport_misbehave_unmap_locked - give an sg table back, and break a rule of that
 * @attach: attachment to a buffer of vexport
 * @sgt: the table
 * @addr: the first address in it
 * @stale: the exporter has said that the buffer leaves it
 * @bugs: mask of DRM_VIMPORT_BUG_* of the import
 *
 * Only with a table that is stale can the exporter tell a late write from a good one,
 * and only such a table does vexport keep for long enough to be given it twice.
 *
 * Locks: the dma_resv is held.
 */
void vimport_misbehave_unmap_locked(struct dma_buf_attachment *attach, struct sg_table *sgt,
				    dma_addr_t addr, bool stale, u32 bugs)
{
	enum dma_data_direction dir = DMA_BIDIRECTIONAL;
	struct page *page = pfn_to_page(PHYS_PFN(addr));
	/* Not the one that was given back: the core looks into it. */
	struct sg_table gone = {};

	dma_resv_assert_held(attach->dmabuf->resv);

	if (bugs & DRM_VIMPORT_BUG_UNMAP_DIRECTION)
		dir = DMA_TO_DEVICE;

	get_page(page);
	dma_buf_unmap_attachment(attach, sgt, dir);
	if (stale && bugs & DRM_VIMPORT_BUG_UNMAP_TWICE)
		dma_buf_unmap_attachment(attach, &gone, dir);
	if (stale && bugs & DRM_VIMPORT_BUG_WRITE_AFTER_UNMAP)
		write_late_locked(attach, page);
	put_page(page);
}

/**
 * vimport_misbehave_detach - leave something behind that a detach does not undo
 * @attach: attachment that is about to go, with nothing mapped
 * @bugs: mask of DRM_VIMPORT_BUG_* of the import
 *
 * Locks: takes the dma_resv.
 */
void vimport_misbehave_detach(struct dma_buf_attachment *attach, u32 bugs)
{
	struct dma_resv *resv = attach->dmabuf->resv;
	struct sg_table *sgt;

	dma_resv_lock(resv, NULL);
	if (bugs & DRM_VIMPORT_BUG_SURPLUS_UNPIN)
		dma_buf_unpin(attach);
	if (bugs & DRM_VIMPORT_BUG_DETACH_PINNED && dma_buf_pin(attach))
		pr_info("vimport: no pin to leave behind\n");
	if (bugs & DRM_VIMPORT_BUG_DETACH_MAPPED) {
		sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
		if (IS_ERR(sgt))
			pr_info("vimport: no mapping to leave behind\n");
	}
	dma_resv_unlock(resv);
}

/**
 * vimport_misbehave_pin_user_pages - have a userptr buffer be the pages of this moment
 * @userptr: buffer that nobody knows yet, of the caller's memory
 *
 * As many drivers did before there were notifiers. The pages cannot be given to
 * anybody else as long as they are pinned, so no memory is in danger; but nothing
 * keeps them where they are mapped.
 *
 * Return: 0; -EFAULT if there is no such memory; -ENOMEM.
 */
int vimport_misbehave_pin_user_pages(struct vimport_userptr *userptr)
{
	unsigned int flags = FOLL_LONGTERM | (userptr->base.readonly ? 0 : FOLL_WRITE);
	unsigned long i, count = userptr->base.base.size >> PAGE_SHIFT;
	unsigned long pinned = 0;
	struct page **pages;
	int ret = 0;

	pages = kvcalloc(count, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;

	while (pinned < count) {
		ret = pin_user_pages_fast(userptr->addr + (pinned << PAGE_SHIFT), count - pinned,
					  flags, pages + pinned);
		if (ret <= 0)
			goto err_unpin;
		pinned += ret;
	}

	for (i = 0; i < count; i++) {
		ret = vimport_segs_append(&userptr->base.segs, i << PAGE_SHIFT,
					  page_to_phys(pages[i]), PAGE_SIZE);
		if (ret)
			goto err_unpin;
	}

	userptr->base.generation++;
	userptr->pages = pages;
	return 0;

err_unpin:
	unpin_user_pages(pages, pinned);
	kvfree(pages);
	return ret ?: -EFAULT;
}

/**
 * vimport_misbehave_unpin_user_pages - undo vimport_misbehave_pin_user_pages()
 * @pages: what that has pinned
 * @count: how many they are
 */
void vimport_misbehave_unpin_user_pages(struct page **pages, unsigned long count)
{
	unpin_user_pages_dirty_lock(pages, count, true);
	kvfree(pages);
}

static void lock_a_reservation(void)
{
	struct dma_resv resv;

	dma_resv_init(&resv);
	dma_resv_lock(&resv, NULL);
	dma_resv_unlock(&resv);
	dma_resv_fini(&resv);
}

static void allocate_a_page(void)
{
	kfree(kmalloc(PAGE_SIZE, GFP_KERNEL));
}

/**
 * vimport_misbehave_userptr - give a userptr buffer the bugs of its file
 * @userptr: buffer that nobody knows yet
 * @bugs: mask of DRM_VIMPORT_BUG_*
 *
 * Return: 0 or a negative error code.
 */
int vimport_misbehave_userptr(struct vimport_userptr *userptr, u32 bugs)
{
	userptr->base.bugs = bugs & (USERPTR_BUGS | WARDED_BUGS);
	return bugs & WARDED_BUGS ? vimport_warden_init(userptr) : 0;
}

/**
 * vimport_misbehave_ignores - whether the notifier does nothing this time
 * @bugs: mask of DRM_VIMPORT_BUG_* of the userptr buffer
 * @range: what the kernel says
 *
 * Return: true if a bug would have it so.
 */
bool vimport_misbehave_ignores(u32 bugs, const struct mmu_notifier_range *range)
{
	switch (range->event) {
	case MMU_NOTIFY_UNMAP:
	case MMU_NOTIFY_RELEASE:
		return bugs & DRM_VIMPORT_BUG_IGNORE_NOTIFIER;
	case MMU_NOTIFY_PROTECTION_VMA:
	case MMU_NOTIFY_PROTECTION_PAGE:
		return bugs & WARDED_BUGS;
	default:
		return bugs & (DRM_VIMPORT_BUG_IGNORE_NOTIFIER | DRM_VIMPORT_BUG_ONLY_UNMAP);
	}
}

/**
 * vimport_misbehave_notifier - break a rule of the notifier
 * @bugs: mask of DRM_VIMPORT_BUG_* of the userptr buffer
 * @blockable: whether it may sleep
 *
 * Where it may not, the caller is between non_block_start() and non_block_end().
 */
void vimport_misbehave_notifier(u32 bugs, bool blockable)
{
	if (!blockable && bugs & DRM_VIMPORT_BUG_SLEEP_IN_NOTIFIER)
		msleep(20);
	if (blockable && bugs & DRM_VIMPORT_BUG_RESV_IN_NOTIFIER)
		lock_a_reservation();
	if (blockable && bugs & DRM_VIMPORT_BUG_RECLAIM_IN_NOTIFIER)
		allocate_a_page();
}

/**
 * vimport_misbehave_invalidate - break a rule of the invalidate callback
 * @bugs: mask of DRM_VIMPORT_BUG_* of the import
 *
 * The exporter holds the reservation of the buffer. A second one without its
 * &struct ww_acquire_ctx is a deadlock as soon as somebody takes the two in the
 * opposite order.
 */
void vimport_misbehave_invalidate(u32 bugs)
{
	if (bugs & DRM_VIMPORT_BUG_RESV_IN_INVALIDATE)
		lock_a_reservation();
}

/**
 * vimport_misbehave_signalling - break a rule of the way to a fence
 * @bugs: mask of DRM_VIMPORT_BUG_* of the job whose fence is going to signal
 *
 * Fences are waited for with a reservation held, and in reclaim. The engine
 * that waits for one of these would wait for itself.
 */
void vimport_misbehave_signalling(u32 bugs)
{
	if (bugs & DRM_VIMPORT_BUG_RESV_IN_SIGNALLING)
		lock_a_reservation();
	if (bugs & DRM_VIMPORT_BUG_RECLAIM_IN_SIGNALLING)
		allocate_a_page();
}
