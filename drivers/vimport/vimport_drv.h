/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_DRV_H_
#define _VIMPORT_DRV_H_

#include <drm/drm_device.h>
#include <drm/drm_file.h>

#include <linux/atomic.h>
#include <linux/xarray.h>

#include "vimport_engine.h"

/**
 * DOC: locking order
 *
 * In the nomenclature of Documentation/gpu/drm-vm-bind-locking.rst, outermost
 * first::
 *
 *   vimport_vm.lock            the gpu_vm->lock: VA tree, tables, order of jobs
 *     dma_resv                 of the VM and of all its imports, by drm_exec
 *       dma_fence wait         allowed here and above
 *         vimport_pt.lock      PTEs, TLB, and who still uses them
 *
 * vimport_pt.lock is what Documentation/mm/hmm.rst calls the driver->update
 * lock. The engine takes it on its way to signal a fence, and an exporter's
 * invalidation takes it in whatever context memory is reclaimed. Hence nobody
 * allocates, waits for a fence or takes a mutex while holding it.
 *
 * The engine takes no other of these locks. The invalidate callback is entered
 * with the import's dma_resv held and must not take vimport_vm.lock: a
 * submission holds that one while it waits for the dma_resv.
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
	/** @vms: Address spaces now. */
	atomic_t vms;
	/** @imports: Imported buffers now. */
	atomic_t imports;
	/** @jobs_pending: Jobs submitted and not yet freed. */
	atomic_t jobs_pending;
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
	/** @counters: Statistics. */
	struct vimport_counters counters;
};

/**
 * struct vimport_file - an open file of a GPU
 */
struct vimport_file {
	/** @vms: The file's address spaces, by their ids. */
	struct xarray vms;
	/** @bugs: Mask of DRM_VIMPORT_BUG_* for imports to come. */
	u32 bugs;
};

static inline struct vimport_device *to_vimport_device(struct drm_device *drm)
{
	return container_of(drm, struct vimport_device, drm);
}

/*
 * One takes address spaces apart, the other gives old sg tables back; neither can
 * be done where the need for it arises. They are two because the first waits for
 * jobs, and an exporter that needs memory must not wait behind that.
 */
extern struct workqueue_struct *vimport_wq;
extern struct workqueue_struct *vimport_release_wq;

#endif /* _VIMPORT_DRV_H_ */
