/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_LR_H_
#define _VIMPORT_LR_H_

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct vimport_engine;
struct vimport_lr_job;
struct vimport_vm;

/**
 * struct vimport_lr_engine - the long-running jobs of a GPU
 */
struct vimport_lr_engine {
	/**
	 * @lock: Protects the members below, and the state of all jobs. Taken with
	 * interrupts off, because fences that jobs wait for signal under it.
	 */
	spinlock_t lock;
	/** @ready: Jobs to run, as &vimport_lr_job.node; each gets a slice in turn. */
	struct list_head ready;
	/** @sleeping: Jobs that look again later, by the time at which they do. */
	struct timerqueue_head sleeping;
	/** @fence_wait: Where WAIT_FENCE waits until the engine has stored a fence. */
	wait_queue_head_t fence_wait;
	/** @vms: Faulting address spaces. Not protected by @lock. */
	atomic_t vms;
};

/**
 * struct vimport_lr_queue - long-running jobs that run one after the other
 */
struct vimport_lr_queue {
	/** @vm_node: Entry of &vimport_lr_vm.queues. */
	struct list_head vm_node;
	/**
	 * @jobs: Jobs that have not ended, oldest first, as &vimport_lr_job.queue_node.
	 * All but the first wait for their turn. Protected by &vimport_lr_engine.lock.
	 */
	struct list_head jobs;
	/** @dead: It takes no further jobs. Protected by &vimport_lr_engine.lock. */
	bool dead;
};

/**
 * struct vimport_lr_vm - what a faulting address space has instead of a scheduler
 */
struct vimport_lr_vm {
	/** @wq: Serves its faults. One that never ends holds up none of others. */
	struct workqueue_struct *wq;
	/** @queue: The queue that it began with. */
	struct vimport_lr_queue queue;
	/** @queues: All its queues. Protected by &vimport_lr_engine.lock. */
	struct list_head queues;
	/**
	 * @users: Jobs that are not yet freed, and one for the id. The last one
	 * takes the address space apart.
	 */
	atomic_t users;
};

/**
 * enum vimport_lr_state - where a job is, and who may touch it
 */
enum vimport_lr_state {
	/** @VIMPORT_LR_QUEUED: Older ones of its queue have not ended. */
	VIMPORT_LR_QUEUED = 0,
	/** @VIMPORT_LR_READY: On &vimport_lr_engine.ready. */
	VIMPORT_LR_READY,
	/** @VIMPORT_LR_RUNNING: The engine's thread has it. */
	VIMPORT_LR_RUNNING,
	/** @VIMPORT_LR_BLOCKED: Until &vimport_lr_job.blocker signals. */
	VIMPORT_LR_BLOCKED,
	/** @VIMPORT_LR_SLEEPING: On &vimport_lr_engine.sleeping. */
	VIMPORT_LR_SLEEPING,
	/** @VIMPORT_LR_PARKED: Its &vimport_lr_job.fault_work has it. */
	VIMPORT_LR_PARKED,
	/** @VIMPORT_LR_ENDED: Its &vimport_lr_job.free_work has it. */
	VIMPORT_LR_ENDED,
};

void vimport_lr_engine_init(struct vimport_lr_engine *lr);
bool vimport_lr_run(struct vimport_engine *engine);
ktime_t vimport_lr_due(struct vimport_engine *engine);
void vimport_lr_wake(struct vimport_lr_job *job, enum vimport_lr_state from);

int vimport_lr_vm_init(struct vimport_vm *vm, struct vimport_lr_engine *lr);
void vimport_lr_vm_fini(struct vimport_vm *vm, struct vimport_lr_engine *lr);
void vimport_lr_vm_kill(struct vimport_vm *vm);
void vimport_lr_vm_put(struct vimport_vm *vm);

int vimport_lr_queue_init(struct vimport_vm *vm, struct vimport_lr_queue *queue);
void vimport_lr_queue_kill(struct vimport_vm *vm, struct vimport_lr_queue *queue);
int vimport_lr_queue_push(struct vimport_lr_job *job);

#endif /* _VIMPORT_LR_H_ */
