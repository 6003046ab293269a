// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: lockdep
 *
 * Lockdep reports two locks that are taken in both orders once it has seen
 * both. Some of ours are rare: an exporter invalidates in reclaim on a machine
 * that is short of memory, and not in a test. So each lock is taken once when
 * the device appears, in the order of DOC: locking order in vimport_drv.h.
 * Whoever takes two of them the other way round then gets the report for it,
 * the first time that this code runs, alone.
 */

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/lockdep.h>
#include <linux/mmap_lock.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "vimport_drv.h"
#include "vimport_lockdep.h"
#include "vimport_vm.h"

/*
 * Where memory is reclaimed. fs_reclaim stands for the shrinkers, in which an
 * exporter may wait for fences, and invalidate, and for the MMU notifiers, which
 * lockdep knows to be called there. A notifier waits with no lock held, and zaps with
 * this one.
 */
static void prime_reclaim(struct vimport_vm *vm)
{
	struct vimport_device *vdev = to_vimport_device(vm->base.drm);
	struct dma_fence *stub = dma_fence_get_stub();

	fs_reclaim_acquire(GFP_KERNEL);
	/* It has signalled, but lockdep is told first that one is waited for. */
	dma_fence_wait(stub, false);
	down_write(&vdev->notifier_lock);
	might_lock(&vm->pt.lock);
	up_write(&vdev->notifier_lock);
	fs_reclaim_release(GFP_KERNEL);

	dma_fence_put(stub);
}

/*
 * Submission, with the mmap_lock in between for those that look at pages of the
 * process. Nobody else knows the address space, so this cannot block.
 */
static void prime_submission(struct vimport_vm *vm)
{
	struct dma_resv *resv = drm_gpuvm_resv(&vm->base);
	struct mm_struct *mm = current->mm;
	struct ww_acquire_ctx ticket;

	mutex_lock(&vm->lock);
	/* Built into the kernel, this runs in a thread that has none. */
	if (mm)
		mmap_read_lock(mm);
	ww_acquire_init(&ticket, &reservation_ww_class);
	/* CONFIG_DEBUG_WW_MUTEX_SLOWPATH has us back off without a reason. */
	if (dma_resv_lock(resv, &ticket))
		dma_resv_lock_slow(resv, &ticket);

	prime_reclaim(vm);

	dma_resv_unlock(resv);
	ww_acquire_fini(&ticket);
	if (mm)
		mmap_read_unlock(mm);
	mutex_unlock(&vm->lock);
}

/*
 * The way to a fence. Modules cannot take the map of the MMU notifiers, but
 * dma_resv_lockdep() has told lockdep that notifiers wait for fences. By way of
 * these locks an allocation, or anything else that may end in a notifier, is
 * reported under each of them.
 */
static void prime_signalling(struct vimport_device *vdev, struct vimport_vm *vm)
{
	struct vimport_engine *engine = &vdev->engine;
	bool cookie = dma_fence_begin_signalling();
	unsigned long flags;

	/* The engine does without, but a submission publishes its fence under it. */
	might_lock_read(&vdev->notifier_lock);
	might_lock(&vm->pt.lock);
	/* Really taken, because might_lock() would say that interrupts are on. */
	spin_lock_bh(&engine->lock);
	spin_unlock_bh(&engine->lock);
	spin_lock_irqsave(&engine->fence_lock, flags);
	/* A fence that signals makes a long-running job ready. */
	spin_lock(&engine->lr.lock);
	spin_unlock(&engine->lr.lock);
	spin_unlock_irqrestore(&engine->fence_lock, flags);

	dma_fence_end_signalling(cookie);
}

/**
 * vimport_lockdep_prime - tell lockdep about the locking order
 * @vdev: device with its engine, not yet registered
 *
 * Does nothing if the kernel has no lockdep.
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_lockdep_prime(struct vimport_device *vdev)
{
	struct vimport_vm *vm;

	if (!IS_ENABLED(CONFIG_LOCKDEP))
		return 0;

	/* A real one: a lock's class is named by the place that initialises it. */
	vm = vimport_vm_create(vdev, NULL, false);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	prime_submission(vm);
	prime_signalling(vdev, vm);

	vimport_vm_destroy(vm);
	/* The device is to be as it was: without address spaces. */
	flush_workqueue(vimport_destroy_wq);
	return 0;
}
