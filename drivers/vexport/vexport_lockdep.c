// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-resv.h>
#include <linux/lockdep.h>
#include <linux/mmap_lock.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "vexport_drv.h"
#include "vexport_lockdep.h"

/**
 * DOC: lockdep of vexport
 *
 * Lockdep reports two locks that are taken in both orders once it has seen both.
 * So all are taken once when a device appears, in the order of DOC: vexport
 * locking order in vexport_drv.h, and whoever takes two of them the other way
 * round is reported the first time that this code runs, alone.
 *
 * That the copy worker must not take &vexport_vram.lock before its fence has
 * signalled follows: memory is allocated under that lock, reclaim may wait for
 * fences, as dma_resv_lockdep() has told lockdep, and the worker is annotated
 * with dma_fence_begin_signalling().
 */

/**
 * vexport_lockdep_prime - tell lockdep about the locking order
 * @vdev: device with its VRAM, not yet registered
 *
 * Does nothing if the kernel has no lockdep.
 */
void vexport_lockdep_prime(struct vexport_device *vdev)
{
	struct mm_struct *mm = current->mm;
	struct ww_acquire_ctx ticket;
	struct dma_resv resv;

	if (!IS_ENABLED(CONFIG_LOCKDEP))
		return;

	/* All reservations have one class, so one that nobody knows will do. */
	dma_resv_init(&resv);

	/* Built into the kernel, this runs in a thread that has none. */
	if (mm)
		mmap_read_lock(mm);
	ww_acquire_init(&ticket, &reservation_ww_class);
	/* CONFIG_DEBUG_WW_MUTEX_SLOWPATH has us back off without a reason. */
	if (dma_resv_lock(&resv, &ticket))
		dma_resv_lock_slow(&resv, &ticket);
	mutex_lock(&vdev->quarantine.lock);
	mutex_lock(&vdev->vram.lock);

	fs_reclaim_acquire(GFP_KERNEL);
	fs_reclaim_release(GFP_KERNEL);

	mutex_unlock(&vdev->vram.lock);
	mutex_unlock(&vdev->quarantine.lock);
	dma_resv_unlock(&resv);
	ww_acquire_fini(&ticket);
	if (mm)
		mmap_read_unlock(mm);

	dma_resv_fini(&resv);
}
