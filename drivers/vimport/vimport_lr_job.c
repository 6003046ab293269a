// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: a long-running job
 *
 * From its submission, which is a half of the EXEC ioctl, over its steps to its end.
 * What a step does is bounded, so that the engine can turn to somebody else
 * between any two of them.
 *
 * The end of a job is a store like any other, to its fence in memory, and may
 * fault like any other. It is also made for a job that is cancelled, so that
 * whoever waits for it on another GPU, or in another process, is told.
 */

#include <drm/drm_file.h>
#include <drm/drm_gpuvm.h>

#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "vimport_drv.h"
#include "vimport_fault.h"
#include "vimport_lr_job.h"
#include "vimport_queue.h"
#include "vimport_trace.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"

/*
 * How long a WAIT sleeps before it looks at its word again: the longer, the longer
 * it has waited, so that one that waits for ever costs next to nothing.
 */
#define MIN_NAP_NS		(100 * NSEC_PER_USEC)
#define MAX_NAP_NS		(10 * NSEC_PER_MSEC)

/*
 * How often the fence of a cancelled job is made possible to store. Something moves
 * the buffer faster than the engine comes round, and the job is to end.
 */
#define MAX_FENCE_FAULTS	8

static void job_free(struct vimport_lr_job *job)
{
	struct drm_gpuvm *gpuvm = &job->vm->base;

	vimport_cmd_free(&job->cmds);
	vimport_sync_free(&job->syncs);
	if (job->owner)
		vimport_queue_put(job->owner);
	mmdrop(job->mm);
	kfree(job);
	drm_gpuvm_put(gpuvm);
}

static void free_work(struct work_struct *work)
{
	struct vimport_lr_job *job = container_of(work, struct vimport_lr_job, free_work);
	struct vimport_vm *vm = job->vm;

	atomic_dec(&to_vimport_device(vm->base.drm)->counters.jobs_pending);
	vimport_lr_vm_put(vm);
	job_free(job);
}

/* From here on all that is left is to say how it has ended, which may take its time. */
static void begin_end(struct vimport_lr_job *job, int error)
{
	struct vimport_counters *counters = &to_vimport_device(job->vm->base.drm)->counters;

	job->error = error;
	job->ending = true;
	/* Before anybody can know. */
	trace_vimport_job_end(job->vm, job->number, job->cmds.count, error);
	vimport_queue_end_job(job->owner, error);
	atomic64_inc(&counters->jobs);
	atomic64_inc(&job->vm->stats.jobs);
	if (error) {
		atomic64_inc(&counters->job_errors);
		atomic64_inc(&job->vm->stats.job_errors);
	}
}

/*
 * However long this takes, nobody waits for it but this job, and others of its
 * address space. A job that has been cancelled has no use for it, unless its
 * fence is all that is left.
 */
static void fault_work(struct work_struct *work)
{
	struct vimport_lr_job *job = container_of(work, struct vimport_lr_job, fault_work);
	bool cancelled = READ_ONCE(job->cancelled);
	int ret = 0;

	if (cancelled && job->ending && job->tries++ == MAX_FENCE_FAULTS)
		ret = -EFAULT;
	else if (!cancelled || job->ending)
		ret = vimport_fault_serve(job);

	if (ret && job->ending)
		job->untold = true;
	/* It goes without saying for one that was cancelled: the engine finds out. */
	else if (ret && ret != -EAGAIN)
		begin_end(job, ret);
	vimport_lr_wake(job, VIMPORT_LR_PARKED);
}

static void blocker_cb(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct vimport_lr_job *job = container_of(cb, struct vimport_lr_job, blocker_cb);

	vimport_lr_wake(job, VIMPORT_LR_BLOCKED);
}

/**
 * vimport_lr_job_block - have a job made ready when a fence signals
 * @job: job in the state BLOCKED, or ready since then because it was cancelled
 *
 * Called by the engine's thread.
 */
void vimport_lr_job_block(struct vimport_lr_job *job)
{
	if (dma_fence_add_callback(job->blocker, &job->blocker_cb, blocker_cb))
		vimport_lr_wake(job, VIMPORT_LR_BLOCKED);
}

/*
 * The job is ready again: the fence has signalled, or the job was cancelled. The
 * callback has returned when this does, as signalling holds the fence's lock.
 */
static void unblock(struct vimport_lr_job *job)
{
	dma_fence_remove_callback(job->blocker, &job->blocker_cb);
	dma_fence_put(job->blocker);
	job->blocker = NULL;
}

/* Find something to wait for. A fence that has signalled is let go, error or not. */
static bool find_blocker(struct vimport_lr_job *job)
{
	while (job->sync < job->syncs.count) {
		struct dma_fence *fence = vimport_sync_take_wait(&job->syncs, job->sync++);

		if (!dma_fence_is_signaled(fence)) {
			job->blocker = fence;
			return true;
		}
		dma_fence_put(fence);
	}

	return false;
}

static enum vimport_lr_step step_delay(struct vimport_lr_job *job, u64 ns)
{
	ktime_t now = ktime_get();

	if (!job->delay_end)
		job->delay_end = ktime_add_ns(now, ns);
	if (ktime_before(now, job->delay_end)) {
		job->timer.expires = job->delay_end;
		return VIMPORT_LR_STEP_SLEEP;
	}

	job->delay_end = 0;
	job->cursor.cmd++;
	return VIMPORT_LR_STEP_ON;
}

static enum vimport_lr_step step_cmd(struct vimport_lr_job *job)
{
	const struct drm_vimport_cmd *cmd = &job->cmds.cmd[job->cursor.cmd];

	if (cmd->op == DRM_VIMPORT_OP_DELAY)
		return step_delay(job, cmd->value);

	switch (vimport_burst_run(job->vm, cmd, &job->cursor, &job->fault)) {
	case -EAGAIN:
		job->nap_ns = clamp(2 * job->nap_ns, (u64)MIN_NAP_NS, (u64)MAX_NAP_NS);
		job->timer.expires = ktime_add_ns(ktime_get(), job->nap_ns);
		return VIMPORT_LR_STEP_SLEEP;
	case -EFAULT:
		return VIMPORT_LR_STEP_FAULT;
	default:
		job->nap_ns = 0;
		return VIMPORT_LR_STEP_ON;
	}
}

static enum vimport_lr_step step_end(struct vimport_lr_job *job)
{
	struct vimport_engine *engine = &to_vimport_device(job->vm->base.drm)->engine;

	if (!job->fence_va || job->untold)
		return VIMPORT_LR_STEP_END;

	if (vimport_burst_store_fence(job->vm, job->fence_va, job->fence_value, job->error,
				      &job->fault))
		return VIMPORT_LR_STEP_FAULT;

	wake_up_all(&engine->lr.fence_wait);
	return VIMPORT_LR_STEP_END;
}

/**
 * vimport_lr_job_step - let a job do a little
 * @job: job in the state RUNNING
 *
 * Called by the engine's thread, in the fence-signalling path.
 *
 * Return: what it wants to do next.
 */
enum vimport_lr_step vimport_lr_job_step(struct vimport_lr_job *job)
{
	if (job->blocker)
		unblock(job);
	if (!job->begun) {
		job->begun = true;
		trace_vimport_job_begin(job->vm, job->number, job->cmds.count, 0);
	}

	if (READ_ONCE(job->cancelled) && !job->ending)
		begin_end(job, -ECANCELED);
	if (job->ending)
		return step_end(job);

	if (find_blocker(job))
		return VIMPORT_LR_STEP_BLOCK;

	if (job->cursor.cmd < job->cmds.count)
		return step_cmd(job);

	begin_end(job, 0);
	return VIMPORT_LR_STEP_ON;
}

static bool fence_valid(const struct drm_vimport_exec *args)
{
	if (!args->fence_va)
		return !args->fence_value;

	return IS_ALIGNED(args->fence_va, sizeof(struct drm_vimport_fence)) &&
	       args->fence_va < BIT_ULL(VIMPORT_VA_BITS);
}

/* The address space may be serving a fault of an import, which takes a while. */
static int check_memory(struct vimport_vm *vm)
{
	int ret;

	if (mutex_lock_interruptible(&vm->lock))
		return -ERESTARTSYS;
	ret = vimport_userptr_check_owner(vm);
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * vimport_lr_job_exec - DRM_IOCTL_VIMPORT_EXEC in a faulting address space
 * @vm: address space
 * @file: caller
 * @args: arguments of the ioctl
 *
 * No reservation is locked, nothing made valid: that is what the faults are for.
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_lr_job_exec(struct vimport_vm *vm, struct drm_file *file,
			const struct drm_vimport_exec *args)
{
	struct vimport_lr_job *job;
	int ret;

	if (args->flags || !fence_valid(args))
		return -EINVAL;

	job = kzalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);
	if (!job)
		return -ENOMEM;

	drm_gpuvm_get(&vm->base);
	job->vm = vm;
	job->mm = current->mm;
	mmgrab(job->mm);
	job->fence_va = args->fence_va;
	job->fence_value = args->fence_value;
	INIT_LIST_HEAD(&job->node);
	timerqueue_init(&job->timer);
	INIT_LIST_HEAD(&job->blocker_cb.node);
	INIT_WORK(&job->fault_work, fault_work);
	INIT_WORK(&job->free_work, free_work);

	ret = -ENOENT;
	job->owner = vimport_queue_lookup(file, vm, args->queue_id);
	if (!job->owner)
		goto err_free;
	job->queue = args->queue_id ? &job->owner->lr : &vm->lr.queue;

	ret = check_memory(vm);
	if (ret)
		goto err_free;

	ret = vimport_cmd_parse(&job->cmds, args, true);
	if (ret)
		goto err_free;

	ret = vimport_sync_parse(&job->syncs, file, args->syncs, args->sync_count,
				 args->sync_stride);
	if (ret)
		goto err_free;

	/* There is no fence that could be put there, and there must not be one. */
	ret = -EOPNOTSUPP;
	if (vimport_sync_has_signal(&job->syncs))
		goto err_free;

	job->number = atomic64_inc_return(&to_vimport_device(vm->base.drm)->counters.last_job);
	atomic_inc(&to_vimport_device(vm->base.drm)->counters.jobs_pending);
	ret = vimport_lr_queue_push(job);
	if (ret)
		goto err_uncount;
	return 0;

err_uncount:
	atomic_dec(&to_vimport_device(vm->base.drm)->counters.jobs_pending);
err_free:
	job_free(job);
	return ret;
}
