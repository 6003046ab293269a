/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_JOB_H_
#define _VIMPORT_JOB_H_

#include <drm/gpu_scheduler.h>

#include "vimport_cmd.h"

struct vimport_fence;
struct vimport_pt_run;
struct vimport_vm;

/**
 * struct vimport_job - a job, from submission until the scheduler frees it
 */
struct vimport_job {
	/** @base: The scheduler's part. */
	struct drm_sched_job base;
	/** @vm: Address space, holds a reference. */
	struct vimport_vm *vm;
	/** @cmds: What to do. */
	struct vimport_cmds cmds;
	/**
	 * @runs: Translations that the job brings to the page table when it
	 * starts. By then the exporter's copies are over, because the job
	 * depends on their fences, and so are the jobs that are older.
	 */
	struct vimport_pt_run *runs;
	/** @run_count: How many they are. */
	unsigned int run_count;
	/** @cost_ns: Estimated time that the engine needs for all of it. */
	u64 cost_ns;
	/**
	 * @fence: What the engine signals. Allocated with the job, initialised
	 * when it is handed to the engine.
	 */
	struct vimport_fence *fence;
	/** @node: Entry of &vimport_engine.queue. */
	struct list_head node;
	/** @cancelled: The scheduler lost its patience. */
	bool cancelled;
};

static inline struct vimport_job *to_vimport_job(struct drm_sched_job *job)
{
	return container_of(job, struct vimport_job, base);
}

int vimport_job_exec_ioctl(struct drm_device *drm, void *data, struct drm_file *file);
void vimport_job_free(struct vimport_job *job);

#endif /* _VIMPORT_JOB_H_ */
