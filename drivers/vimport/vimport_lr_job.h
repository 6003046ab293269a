/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_LR_JOB_H_
#define _VIMPORT_LR_JOB_H_

#include <linux/dma-fence.h>
#include <linux/timerqueue.h>
#include <linux/workqueue.h>

#include "vimport_burst.h"
#include "vimport_cmd.h"
#include "vimport_lr.h"
#include "vimport_sync.h"

struct drm_file;
struct mm_struct;
struct vimport_queue;
struct vimport_vm;

/**
 * struct vimport_lr_job - a long-running job, from submission until it is freed
 */
struct vimport_lr_job {
	/** @vm: Address space, holds a reference. */
	struct vimport_vm *vm;
	/** @queue: Its queue. */
	struct vimport_lr_queue *queue;
	/** @owner: What @queue is to userspace, holds a reference. */
	struct vimport_queue *owner;
	/** @mm: Whose memory it may use, of userptr buffers. The structure is held. */
	struct mm_struct *mm;
	/** @number: Names it in tracepoints. */
	u64 number;
	/** @cmds: What to do. */
	struct vimport_cmds cmds;
	/** @syncs: What to wait for first. */
	struct vimport_syncs syncs;
	/** @fence_va: Where the fence goes, or zero. */
	u64 fence_va;
	/** @fence_value: What its value is. */
	u64 fence_value;

	/** @state: Protected by &vimport_lr_engine.lock, like the next four. */
	enum vimport_lr_state state;
	/** @cancelled: It is to end at the next opportunity. */
	bool cancelled;
	/** @queue_node: Entry of &vimport_lr_queue.jobs. */
	struct list_head queue_node;
	/** @node: Entry of &vimport_lr_engine.ready. */
	struct list_head node;
	/** @timer: Entry of &vimport_lr_engine.sleeping. */
	struct timerqueue_node timer;

	/**
	 * @sync: Number of syncs that are done with. This and the members below
	 * belong to whoever has the job by its state.
	 */
	u32 sync;
	/** @blocker: Fence that @blocker_cb is on, or NULL. */
	struct dma_fence *blocker;
	/** @blocker_cb: Makes it ready. */
	struct dma_fence_cb blocker_cb;
	/** @cursor: How far it has come. */
	struct vimport_cursor cursor;
	/** @delay_end: When the DELAY that it is in is over, or zero. */
	ktime_t delay_end;
	/** @nap_ns: How long it slept before it looked again, or zero. */
	u64 nap_ns;
	/** @fault: The access that @fault_work is to make possible. */
	struct vimport_access fault;
	/** @begun: The engine has had it. */
	bool begun;
	/** @error: How it has ended. */
	int error;
	/** @ending: All that is left to do is to say so. */
	bool ending;
	/** @untold: There is no memory for the fence. */
	bool untold;
	/** @tries: Times that the fence of a cancelled job has met a fault. */
	unsigned int tries;
	/** @fault_work: Serves a fault. */
	struct work_struct fault_work;
	/** @free_work: Frees it. */
	struct work_struct free_work;
};

/**
 * enum vimport_lr_step - what a job wants after a step
 */
enum vimport_lr_step {
	/** @VIMPORT_LR_STEP_ON: To go on. */
	VIMPORT_LR_STEP_ON,
	/** @VIMPORT_LR_STEP_BLOCK: To wait for &vimport_lr_job.blocker. */
	VIMPORT_LR_STEP_BLOCK,
	/** @VIMPORT_LR_STEP_SLEEP: To look again at the time of &vimport_lr_job.timer. */
	VIMPORT_LR_STEP_SLEEP,
	/** @VIMPORT_LR_STEP_FAULT: To have &vimport_lr_job.fault served. */
	VIMPORT_LR_STEP_FAULT,
	/** @VIMPORT_LR_STEP_END: Nothing more. */
	VIMPORT_LR_STEP_END,
};

int vimport_lr_job_exec(struct vimport_vm *vm, struct drm_file *file,
			const struct drm_vimport_exec *args);
enum vimport_lr_step vimport_lr_job_step(struct vimport_lr_job *job);
void vimport_lr_job_block(struct vimport_lr_job *job);

#endif /* _VIMPORT_LR_JOB_H_ */
