/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_JOB_H_
#define _VIMPORT_JOB_H_

#include <drm/gpu_scheduler.h>

#include <linux/dma-resv.h>

#include "vimport_cmd.h"

struct drm_exec;
struct vimport_bind;
struct vimport_fence;
struct vimport_pt_run;
struct vimport_queue;
struct vimport_vm;

/**
 * struct vimport_job - a job, from submission until the scheduler frees it
 *
 * There are two kinds of them: those of a queue, with commands, and updates, which
 * bring translations to the page table.
 */
struct vimport_job {
	/** @base: The scheduler's part. */
	struct drm_sched_job base;
	/** @vm: Address space, holds a reference. */
	struct vimport_vm *vm;
	/** @number: Names it in tracepoints. */
	u64 number;
	/** @queue: Its queue, holds a reference. NULL: this is an update. */
	struct vimport_queue *queue;
	/** @cmds: What to do; none in an update. */
	struct vimport_cmds cmds;
	/**
	 * @update: Fence of the last update that was submitted before, or NULL. The
	 * scheduler's worker takes it.
	 */
	struct dma_fence *update;
	/**
	 * @runs: Translations that an update brings to the page table. By then the
	 * exporter's copies are over, because the update depends on their fences.
	 */
	struct vimport_pt_run *runs;
	/** @run_count: How many they are. */
	unsigned int run_count;
	/** @bind: What to do instead of @cmds and @runs if the job is a bind, else NULL. */
	struct vimport_bind *bind;
	/** @cost_ns: Estimated time that the engine needs for all of it. */
	u64 cost_ns;
	/**
	 * @fence: What the engine signals. Allocated with the job, initialised
	 * when it is handed to the engine.
	 */
	struct vimport_fence *fence;
	/** @node: Entry of &vimport_engine.queue. */
	struct list_head node;
	/** @cancelled: It has run for too long. */
	bool cancelled;
	/** @client_id: Who has submitted it, for the scheduler's events. */
	u64 client_id;
	/** @bugs: Mask of DRM_VIMPORT_BUG_*, of the file at submission. */
	u32 bugs;
};

static inline struct vimport_job *to_vimport_job(struct drm_sched_job *job)
{
	return container_of(job, struct vimport_job, base);
}

int vimport_job_exec_ioctl(struct drm_device *drm, void *data, struct drm_file *file);
struct vimport_job *vimport_job_alloc(struct vimport_vm *vm);
void vimport_job_free(struct vimport_job *job);
int vimport_job_depend_locked(struct vimport_job *job, struct drm_exec *exec,
			      enum dma_resv_usage usage);
unsigned int vimport_job_collect_runs_locked(struct vimport_vm *vm, struct vimport_pt_run *runs);

#endif /* _VIMPORT_JOB_H_ */
