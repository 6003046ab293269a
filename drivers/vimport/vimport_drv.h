/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_DRV_H_
#define _VIMPORT_DRV_H_

#include <drm/drm_device.h>
#include <drm/drm_file.h>

#include <linux/atomic.h>
#include <linux/rwsem.h>
#include <linux/xarray.h>

#include "vimport_client.h"
#include "vimport_engine.h"
#include "vimport_find.h"
#include "vimport_raw.h"

/**
 * DOC: locking order
 *
 * In the nomenclature of Documentation/gpu/drm-vm-bind-locking.rst, outermost
 * first::
 *
 *   vimport_vm.lock            the gpu_vm->lock: VA tree, tables, order of jobs
 *     mmap_lock                of a process; a page fault takes only what is below
 *       dma_resv               of the VM and of all its imports, by drm_exec
 *         fs_reclaim           memory is allocated with GFP_KERNEL here and above
 *           mmu_notifier       an invalidation of a process's pages
 *             dma_fence wait   allowed here and above
 *               vimport_device.notifier_lock  whether those pages are current
 *                 vimport_pt.lock             PTEs, TLB, and who still uses them
 *
 * vimport_device.notifier_lock is what Documentation/mm/hmm.rst calls the
 * driver->update lock, and drm-vm-bind-locking.rst the userptr notifier lock. A
 * notifier takes it for writing, and a submission for reading when it has no more
 * to do than to publish a fence, for which a notifier may be waiting.
 *
 * The engine takes vimport_pt.lock on its way to signal a fence, and an exporter's
 * invalidation takes it in whatever context memory is reclaimed. Hence nobody
 * allocates, waits for a fence or takes another mutex while holding one of the two.
 *
 * The engine takes no other of these locks. The invalidate callback is entered
 * with the import's dma_resv held and must not take vimport_vm.lock: a
 * submission holds that one while it waits for the dma_resv.
 *
 * vimport_raws.lock is outside of whatever an exporter locks, the dma_resv included, and
 * none of the others is taken with it. Who takes it takes a dma_resv each time, so
 * lockdep need not be told beforehand.
 *
 * vimport_find.lock is inside of whatever has a handle made or closed. Nothing is
 * allocated, waited for or taken under it.
 *
 * Spinlocks are held for a few instructions, and no other lock of ours is taken
 * under one, but for vimport_lr_engine.lock: a fence that signals makes a job ready.
 *
 * vimport_lockdep.c takes the locks in this order when a device appears: change the
 * two together.
 */

/**
 * struct vimport_counters - what the INFO ioctl reports
 *
 * The members mean what &struct drm_vimport_info says of those of the same
 * name.
 */
struct vimport_counters {
	/** @jobs: Jobs completed. */
	atomic64_t jobs;
	/** @job_errors: Jobs completed with an error. */
	atomic64_t job_errors;
	/** @bytes_written: Bytes stored by the engine. */
	atomic64_t bytes_written;
	/** @invalidations: Invalidate callbacks received. */
	atomic64_t invalidations;
	/** @revalidations: Buffers mapped anew for a job. */
	atomic64_t revalidations;
	/** @tlb_flushes: TLB flushes. */
	atomic64_t tlb_flushes;
	/** @gpu_faults: Accesses without a valid translation. */
	atomic64_t gpu_faults;
	/** @userptr_invalidations: Userptr buffers in use that a notifier took away. */
	atomic64_t userptr_invalidations;
	/** @userptr_faults: Userptr buffers whose pages were looked up. */
	atomic64_t userptr_faults;
	/** @userptr_retries: Submissions that had to look again. */
	atomic64_t userptr_retries;
	/** @vms: Address spaces now. */
	atomic_t vms;
	/** @imports: Imported buffers now. */
	atomic_t imports;
	/** @jobs_pending: Jobs submitted and not yet freed. */
	atomic_t jobs_pending;
	/** @fences: Fences of jobs now, with those that jobs are going to have. */
	atomic_t fences;
	/** @last_vm: Number of the last address space that was made, for tracepoints. */
	atomic64_t last_vm;
	/** @last_job: Number of the last job that was submitted, for tracepoints. */
	atomic64_t last_job;
	/** @resets: Times that a job had to be stopped. */
	atomic64_t resets;
	/** @queues: Queues now. */
	atomic_t queues;
	/** @userptrs: Userptr buffers now. */
	atomic_t userptrs;
	/** @tables: Page tables below the first of each address space. */
	atomic_t tables;
};

/**
 * struct vimport_device - one GPU
 */
struct vimport_device {
	/** @drm: The DRM device. */
	struct drm_device drm;
	/** @gpu: Index of this GPU. */
	unsigned int gpu;
	/** @engine: What runs the jobs. */
	struct vimport_engine engine;
	/**
	 * @notifier_lock: Whether what is known of a process's pages is current, see
	 * DOC: userptr.
	 */
	struct rw_semaphore notifier_lock;
	/** @pending_ns: Estimated time that what is outstanding for @engine takes. */
	atomic64_t pending_ns;
	/** @counters: Statistics. */
	struct vimport_counters counters;
};

/**
 * struct vimport_file - an open file of a GPU
 */
struct vimport_file {
	/** @client: What the engine has done for it. */
	struct vimport_client *client;
	/** @vms: The file's address spaces, by their ids. */
	struct xarray vms;
	/** @queues: The queues that it has made, by their ids. */
	struct xarray queues;
	/** @bugs: Mask of DRM_VIMPORT_BUG_* for imports and jobs to come. */
	u32 bugs;
	/** @find: The file's userptr buffers, by their addresses. */
	struct vimport_find find;
	/** @raws: Attachments of the RAW ioctl. */
	struct vimport_raws raws;
};

static inline struct vimport_device *to_vimport_device(struct drm_device *drm)
{
	return container_of(drm, struct vimport_device, drm);
}

/*
 * One frees what was used by jobs, one takes address spaces apart, one gives old sg tables
 * back; none of it can be done where the need for it arises. They are three because the
 * second waits for jobs, and neither those who submit more nor an exporter that needs
 * memory must wait behind that.
 */
extern struct workqueue_struct *vimport_wq;
extern struct workqueue_struct *vimport_destroy_wq;
extern struct workqueue_struct *vimport_release_wq;

#endif /* _VIMPORT_DRV_H_ */
