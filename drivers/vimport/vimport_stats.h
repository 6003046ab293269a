/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_STATS_H_
#define _VIMPORT_STATS_H_

#include <linux/atomic.h>

struct drm_device;
struct drm_file;

/**
 * struct vimport_stats - what the VM_QUERY ioctl reports
 *
 * The members mean what &struct drm_vimport_vm_query says of those of the same
 * name.
 */
struct vimport_stats {
	/** @jobs: Jobs that have ended. */
	atomic64_t jobs;
	/** @job_errors: Of these, those with an error. */
	atomic64_t job_errors;
	/** @bytes_written: Bytes that the engine has stored. */
	atomic64_t bytes_written;
	/** @tlb_flushes: TLB flushes. */
	atomic64_t tlb_flushes;
	/** @invalidations: Imports that were invalidated. */
	atomic64_t invalidations;
	/** @revalidations: Imports that were mapped anew. */
	atomic64_t revalidations;
	/** @userptr_invalidations: Times that a notifier took memory away. */
	atomic64_t userptr_invalidations;
	/** @userptr_faults: Times that pages of a process were looked up. */
	atomic64_t userptr_faults;
	/** @userptr_retries: Times that they had changed before they could be used. */
	atomic64_t userptr_retries;
	/** @gpu_faults: Accesses without a valid translation. */
	atomic64_t gpu_faults;
};

int vimport_stats_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VIMPORT_STATS_H_ */
