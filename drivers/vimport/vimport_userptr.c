// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: userptr
 *
 * A userptr buffer is whatever is mapped at some addresses of a process. Its pages are
 * not pinned: a pin would keep a page, but not keep it mapped, and what the engine then
 * writes is seen by nobody. Instead an interval notifier says when the mapping changes.
 * The change waits for the jobs that use the old pages; later ones look the pages up
 * again.
 *
 * What decides is that a job's fence is published while the pages are known to be
 * current. Both sides take &vimport_device.notifier_lock for it::
 *
 *   submission                           notifier
 *
 *   look the pages up, at sequence S
 *   lock dma_resv
 *   down_read(notifier_lock)
 *   the sequence is S: all is current
 *   publish the job's fence
 *   up_read(notifier_lock)
 *                                        down_write(notifier_lock)
 *                                        the sequence is T now
 *                                        up_write(notifier_lock)
 *                                        wait for the fences in the dma_resv
 *   job runs, fence signals
 *                                        zap, flush
 *   [nothing uses the pages any more]
 *
 * or the other way round::
 *
 *   look the pages up, at sequence S
 *   lock dma_resv
 *                                        down_write(notifier_lock)
 *                                        the sequence is T now
 *                                        up_write(notifier_lock)
 *                                        wait for the fences in the dma_resv
 *                                        zap, flush
 *   down_read(notifier_lock)
 *   the sequence is not S
 *   up_read(notifier_lock)
 *   unlock dma_resv, look again: sleeps until the change is over
 *
 * Were the fence published after the lock is dropped, the notifier could come in
 * between, find nothing to wait for, and let the pages go under the job.
 *
 * The notifier waits without the lock, so that other buffers go on meanwhile. No
 * translation to the old pages can come after its zap: who brings one checks the sequence
 * with the lock held. The reservation is never taken: who holds it may be allocating
 * memory, and be waiting for this very notifier.
 *
 * The buffer belongs to the memory of the process that made it, not to the file. When
 * that memory goes, by exit or execve(), the notifier is told that all of it goes, and
 * waits as usual. The structure that names the memory stays until the buffer goes, so
 * that no other process's can be taken for it.
 */

#include <drm/drm_gem.h>
#include <drm/drm_gpuvm.h>

#include <linux/dma-resv.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "vimport_drv.h"
#include "vimport_hmm.h"
#include "vimport_misbehave.h"
#include "vimport_trace.h"
#include "vimport_use.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"

static struct vimport_device *to_vdev(const struct vimport_userptr *userptr)
{
	return to_vimport_device(userptr->base.base.dev);
}

static struct rw_semaphore *notifier_lock(const struct vimport_userptr *userptr)
{
	return &to_vdev(userptr)->notifier_lock;
}

/*
 * Somebody must not sleep, because a process is to be killed for its memory. All that
 * can be said then is that nothing has to be done: no page table knows the buffer, and
 * after set_seq none will before it has been looked up again. If it is known, the answer
 * is no, and nothing has changed: the caller leaves this memory alone.
 */
static bool invalidate_unused(struct vimport_userptr *userptr, unsigned long cur_seq)
{
	bool unused = false;

	/* Of the kernel's two kinds of notifiers it checks only the other one by itself. */
	non_block_start();
	vimport_misbehave_notifier(userptr->base.bugs, false);
	if (down_write_trylock(notifier_lock(userptr))) {
		unused = !userptr->used;
		if (unused)
			mmu_interval_set_seq(&userptr->notifier, cur_seq);
		up_write(notifier_lock(userptr));
	}
	non_block_end();
	return unused;
}

/*
 * Memory is about to be unmapped, moved, made read-only, given to somebody else: what
 * exactly does not matter, and differs between kernels for the same call. May be called in
 * the midst of reclaim, with any lock of the memory management held.
 */
static bool userptr_invalidate(struct mmu_interval_notifier *notifier,
			       const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	struct vimport_userptr *userptr = container_of(notifier, struct vimport_userptr, notifier);
	struct vimport_vm_bo *vm_bo;

	trace_vimport_userptr_invalidate(userptr, range);
	if (vimport_misbehave_ignores(userptr->base.bugs, range))
		return true;
	if (!mmu_notifier_range_blockable(range))
		return invalidate_unused(userptr, cur_seq);

	vimport_misbehave_notifier(userptr->base.bugs, true);
	down_write(notifier_lock(userptr));
	mmu_interval_set_seq(notifier, cur_seq);
	up_write(notifier_lock(userptr));

	/* Nobody can begin to use it until this invalidation is over. */
	if (!READ_ONCE(userptr->used))
		return true;

	atomic64_inc(&to_vdev(userptr)->counters.userptr_invalidations);
	dma_resv_wait_timeout(userptr->base.base.resv, DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);

	down_read(notifier_lock(userptr));
	list_for_each_entry(vm_bo, &userptr->vm_bos, userptr_node) {
		atomic64_inc(&to_vimport_vm(vm_bo->base.vm)->stats.userptr_invalidations);
		vimport_use_zap(vm_bo);
	}
	WRITE_ONCE(userptr->used, false);
	up_read(notifier_lock(userptr));
	return true;
}

static const struct mmu_interval_notifier_ops notifier_ops = {
	.invalidate = userptr_invalidate,
};

/**
 * vimport_userptr_watch - have a userptr buffer's memory watched
 * @userptr: buffer of the caller's memory, which nobody knows yet
 *
 * To be undone with mmu_interval_notifier_remove().
 *
 * Return: 0 or a negative error code.
 */
int vimport_userptr_watch(struct vimport_userptr *userptr)
{
	int ret;

	ret = mmu_interval_notifier_insert(&userptr->notifier, userptr->mm, userptr->addr,
					   userptr->base.base.size, &notifier_ops);
	/* The first notifier of a process takes all locks of its mappings, or a signal. */
	return ret == -EINTR ? -ERESTARTSYS : ret;
}

/**
 * vimport_userptr_link - have the notifier zap an address space
 * @userptr: buffer
 * @vm_bo: the buffer in that address space, whose lock is held
 *
 * To be called before the first translation. Takes the notifier lock.
 */
void vimport_userptr_link(struct vimport_userptr *userptr, struct vimport_vm_bo *vm_bo)
{
	lockdep_assert_held(&to_vimport_vm(vm_bo->base.vm)->lock);

	if (!list_empty(&vm_bo->userptr_node))
		return;

	down_write(notifier_lock(userptr));
	list_add(&vm_bo->userptr_node, &userptr->vm_bos);
	up_write(notifier_lock(userptr));
}

/**
 * vimport_userptr_unlink - undo vimport_userptr_link()
 * @vm_bo: a buffer in an address space, whose lock is held; nothing is mapped any more
 */
void vimport_userptr_unlink(struct vimport_vm_bo *vm_bo)
{
	struct vimport_userptr *userptr;

	lockdep_assert_held(&to_vimport_vm(vm_bo->base.vm)->lock);

	if (list_empty(&vm_bo->userptr_node))
		return;

	userptr = to_vimport_userptr(vm_bo->base.obj);
	down_write(notifier_lock(userptr));
	list_del_init(&vm_bo->userptr_node);
	up_write(notifier_lock(userptr));
}

static bool is_stale_locked(struct vimport_userptr *userptr)
{
	dma_resv_assert_held(userptr->base.base.resv);
	lockdep_assert_held(notifier_lock(userptr));

	return userptr->base.segs.count && !userptr->pages &&
	       mmu_interval_read_retry(&userptr->notifier, userptr->seq);
}

/* Without the notifier lock "no" is final, and "yes" is a guess that saves work. */
static int may_be_current(struct vimport_userptr *userptr)
{
	int ret;

	if (dma_resv_lock_interruptible(userptr->base.base.resv, NULL))
		return -ERESTARTSYS;

	ret = userptr->pages || (userptr->base.segs.count &&
				 !mmu_interval_check_retry(&userptr->notifier, userptr->seq));
	dma_resv_unlock(userptr->base.base.resv);
	return ret;
}

static int install(struct vimport_userptr *userptr, struct vimport_segs *segs, unsigned long seq)
{
	if (dma_resv_lock_interruptible(userptr->base.base.resv, NULL)) {
		vimport_segs_fini(segs);
		return -ERESTARTSYS;
	}

	swap(userptr->base.segs, *segs);
	userptr->base.generation++;
	userptr->seq = seq;
	dma_resv_unlock(userptr->base.base.resv);

	vimport_segs_fini(segs);
	return 0;
}

/**
 * vimport_userptr_fault - look up the pages of a userptr buffer
 * @userptr: buffer, its reservation not held
 * @must_exist: fail if there is no such memory
 *
 * Memory that is not there is no reason to refuse a job, which may not touch it. It gets
 * no translations, as if nothing were mapped; there may be something next time.
 *
 * Return: 0; -EFAULT if @must_exist and not all of it can be used; -EBUSY if it does not
 * stop changing; -ENOMEM; -ERESTARTSYS.
 */
int vimport_userptr_fault(struct vimport_userptr *userptr, bool must_exist)
{
	struct vimport_segs segs = {};
	unsigned long seq = 0;
	int ret;

	atomic64_inc(&to_vdev(userptr)->counters.userptr_faults);
	ret = vimport_hmm_fault(userptr, 0, userptr->base.base.size, &segs, &seq);
	trace_vimport_userptr_fault(userptr, ret);
	if (ret && (ret != -EFAULT || must_exist))
		return ret;
	return install(userptr, &segs, seq);
}

/**
 * vimport_userptr_is_watched - whether a buffer is memory of a process that may change
 * @obj: GEM object of vimport
 *
 * Return: true if it is a userptr buffer, unless it has DRM_VIMPORT_BUG_USERPTR_PIN.
 */
bool vimport_userptr_is_watched(const struct drm_gem_object *obj)
{
	return vimport_userptr_is(obj) &&
	       !container_of(obj, struct vimport_userptr, base.base)->pages;
}

/**
 * vimport_userptr_check_owner - whether the caller may use all buffers of an address space
 * @vm: address space, its lock held
 *
 * Return: 0, or -EPERM if one is memory of another process.
 */
int vimport_userptr_check_owner(struct vimport_vm *vm)
{
	struct drm_gpuva *gpuva;

	lockdep_assert_held(&vm->lock);

	drm_gpuvm_for_each_va(gpuva, &vm->base) {
		if (vimport_userptr_is(gpuva->gem.obj) &&
		    to_vimport_userptr(gpuva->gem.obj)->mm != current->mm)
			return -EPERM;
	}

	return 0;
}

/**
 * vimport_userptr_begin_install - see to it that translations can be written
 * @userptr: buffer that is linked to the faulting address space
 * @seq: the sequence number that its pages were looked up at
 *
 * The other half of what vimport_userptr_begin_publish() is for fenced ones. On success
 * the notifier lock is held until vimport_userptr_end_install(), and what was said there
 * holds meanwhile.
 *
 * Return: false if the buffer has changed.
 */
bool vimport_userptr_begin_install(struct vimport_userptr *userptr, unsigned long seq)
{
	down_read(notifier_lock(userptr));
	if (mmu_interval_read_retry(&userptr->notifier, seq)) {
		up_read(notifier_lock(userptr));
		return false;
	}

	WRITE_ONCE(userptr->used, true);
	return true;
}

/**
 * vimport_userptr_end_install - undo vimport_userptr_begin_install()
 * @userptr: buffer
 */
void vimport_userptr_end_install(struct vimport_userptr *userptr)
{
	up_read(notifier_lock(userptr));
}

/**
 * vimport_userptr_fault_all - look up the pages of all userptr buffers of an address space
 * @vm: address space, its lock held
 *
 * The first step of a submission, before any reservation is locked. Takes the mmap_lock,
 * and waits for changes of these buffers that are under way.
 *
 * Return: 0; -EPERM if a buffer is not the caller's memory; -EBUSY if one does not stop
 * changing; -ENOMEM; -ERESTARTSYS.
 */
int vimport_userptr_fault_all(struct vimport_vm *vm)
{
	struct drm_gpuva *gpuva;
	int ret;

	lockdep_assert_held(&vm->lock);

	drm_gpuvm_for_each_va(gpuva, &vm->base) {
		struct vimport_userptr *userptr;

		if (!vimport_userptr_is(gpuva->gem.obj))
			continue;

		userptr = to_vimport_userptr(gpuva->gem.obj);
		if (userptr->mm != current->mm)
			return -EPERM;

		vimport_userptr_link(userptr, to_vimport_vm_bo(gpuva->vm_bo));
		ret = may_be_current(userptr);
		if (!ret) {
			atomic64_inc(&vm->stats.userptr_faults);
			ret = vimport_userptr_fault(userptr, false);
		}
		if (ret < 0)
			return ret;
	}

	return 0;
}

/**
 * vimport_userptr_begin_publish - see to it that a job can be published
 * @vm: address space, its lock and the reservations of all its buffers held
 *
 * On success the notifier lock is held, and all that was looked up is current. The job
 * is to be armed and its fence published before vimport_userptr_end_publish().
 * Meanwhile nothing may be allocated, no fence waited for and no mutex taken but that of a
 * page table.
 *
 * Return: false if a buffer has changed since vimport_userptr_fault_all(): that is to be
 * called again, without the reservations.
 */
bool vimport_userptr_begin_publish(struct vimport_vm *vm)
{
	struct vimport_device *vdev = to_vimport_device(vm->base.drm);
	struct drm_gpuva *gpuva;

	vimport_vm_assert_submitting(vm);

	down_read(&vdev->notifier_lock);
	drm_gpuvm_for_each_va(gpuva, &vm->base) {
		if (vimport_userptr_is(gpuva->gem.obj) &&
		    is_stale_locked(to_vimport_userptr(gpuva->gem.obj))) {
			up_read(&vdev->notifier_lock);
			trace_vimport_userptr_retry(to_vimport_userptr(gpuva->gem.obj), vm);
			atomic64_inc(&vdev->counters.userptr_retries);
			atomic64_inc(&vm->stats.userptr_retries);
			return false;
		}
	}

	drm_gpuvm_for_each_va(gpuva, &vm->base) {
		struct vimport_userptr *userptr;

		if (!vimport_userptr_is(gpuva->gem.obj))
			continue;
		userptr = to_vimport_userptr(gpuva->gem.obj);
		if (userptr->base.segs.count)
			WRITE_ONCE(userptr->used, true);
	}

	return true;
}

/**
 * vimport_userptr_end_publish - undo vimport_userptr_begin_publish()
 * @vm: address space
 */
void vimport_userptr_end_publish(struct vimport_vm *vm)
{
	up_read(&to_vimport_device(vm->base.drm)->notifier_lock);
}
