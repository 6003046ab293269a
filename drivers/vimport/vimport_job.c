// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: submission
 *
 * In this order: take everything from userspace; lock the address space; look up the
 * pages of the process that are mapped in it; lock the reservations of all buffers that
 * are; validate the imports; only then reserve fence slots and collect dependencies,
 * because an exporter that had to move a buffer to map it has added fences; prepare
 * what has to be written to the page table; see whether the pages of the process are
 * still the same, and if not, unlock and look again; arm; publish. Up to arming
 * everything can fail and leaves nothing behind. From arming on nothing can.
 */

#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_gpuvm.h>

#include <linux/dma-resv.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "vimport_bind_job.h"
#include "vimport_bo.h"
#include "vimport_drv.h"
#include "vimport_fence.h"
#include "vimport_job.h"
#include "vimport_lr_job.h"
#include "vimport_misbehave.h"
#include "vimport_queue.h"
#include "vimport_sync.h"
#include "vimport_update.h"
#include "vimport_use.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"

/**
 * vimport_job_free - free a job
 * @job: job, cleaned up as far as the scheduler is concerned
 */
void vimport_job_free(struct vimport_job *job)
{
	struct drm_gpuvm *gpuvm = &job->vm->base;

	vimport_cmd_free(&job->cmds);
	vimport_bind_job_free(job->bind);
	kvfree(job->runs);
	dma_fence_put(job->update);
	vimport_fence_free(job->fence);
	if (job->queue)
		vimport_queue_put(job->queue);
	kfree(job);
	drm_gpuvm_put(gpuvm);
}

/**
 * vimport_job_alloc - allocate a job
 * @vm: address space
 *
 * Return: an empty job that holds a reference to @vm, for vimport_job_free(), or NULL.
 */
struct vimport_job *vimport_job_alloc(struct vimport_vm *vm)
{
	struct vimport_job *job;

	job = kzalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);
	if (!job)
		return NULL;

	drm_gpuvm_get(&vm->base);
	job->vm = vm;

	job->fence = vimport_fence_alloc(&to_vimport_device(vm->base.drm)->engine);
	if (!job->fence) {
		vimport_job_free(job);
		return NULL;
	}
	return job;
}

static struct vimport_job *job_create(struct vimport_vm *vm, const struct drm_vimport_exec *args,
				      struct drm_file *file)
{
	struct vimport_job *job;
	int ret;

	job = vimport_job_alloc(vm);
	if (!job)
		return ERR_PTR(-ENOMEM);

	ret = -ENOENT;
	job->queue = vimport_queue_lookup(file, vm, args->queue_id);
	if (!job->queue)
		goto err_free;

	ret = vimport_cmd_parse(&job->cmds, args, false);
	if (ret)
		goto err_free;
	job->cost_ns = job->cmds.cost_ns;
	return job;

err_free:
	vimport_job_free(job);
	return ERR_PTR(ret);
}

/* Is the page table, when the submitted jobs have run, behind the sg table? */
static bool needs_update(const struct vimport_va *va)
{
	dma_resv_assert_held(va->base.gem.obj->resv);
	lockdep_assert_held(&to_vimport_vm(va->base.vm)->lock);

	return va->generation != to_vimport_bo(va->base.gem.obj)->generation;
}

/**
 * vimport_job_collect_runs_locked - which translations the next job has to find
 * @vm: address space, being submitted to
 * @runs: where they go, or NULL to count them
 *
 * Return: how many runs. No more than PTEs, so VIMPORT_MAX_MAPPED bounds them too.
 */
unsigned int vimport_job_collect_runs_locked(struct vimport_vm *vm, struct vimport_pt_run *runs)
{
	unsigned int count = 0;
	struct drm_gpuva *gpuva;

	vimport_vm_assert_submitting(vm);

	drm_gpuvm_for_each_va(gpuva, &vm->base) {
		struct vimport_va *va = to_vimport_va(gpuva);
		struct vimport_bo *bo = to_vimport_bo(gpuva->gem.obj);

		/* Of a userptr buffer there may be nothing, see vimport_userptr_fault_all(). */
		if (!needs_update(va) || !bo->segs.count)
			continue;
		count += vimport_segs_runs(&bo->segs, gpuva->gem.offset, gpuva->va.range,
					   gpuva->va.addr, va->write, runs ? runs + count : NULL);
		cond_resched();
	}

	return count;
}

/**
 * vimport_job_depend_locked - have a job wait for fences of all buffers
 * @job: job that is not yet armed
 * @exec: the buffers that are mapped in its address space, locked
 * @usage: which fences
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_job_depend_locked(struct vimport_job *job, struct drm_exec *exec,
			      enum dma_resv_usage usage)
{
	struct drm_gem_object *obj;
	unsigned long i;
	int ret;

	vimport_vm_assert_submitting(job->vm);

	for (i = 0; (obj = drm_exec_obj(exec, i)); i++) {
		if (vimport_misbehave_has_locked(job->vm, obj, DRM_VIMPORT_BUG_IGNORE_FENCES))
			continue;
		ret = drm_sched_job_add_resv_dependencies(&job->base, obj->resv, usage);
		if (ret)
			return ret;
	}
	return 0;
}

/* All of it that can fail with the reservations held. */
static int prepare_locked(struct vimport_job *job, struct vimport_job **update,
			  struct drm_exec *exec, enum dma_resv_usage usage)
{
	struct vimport_vm *vm = job->vm;
	struct drm_gem_object *obj;
	unsigned long i;
	int ret;

	vimport_vm_assert_submitting(vm);

	vm->validations = 0;
	ret = drm_gpuvm_validate(&vm->base, exec);
	if (ret)
		return ret;

	for (i = 0; (obj = drm_exec_obj(exec, i)); i++) {
		ret = dma_resv_reserve_fences(obj->resv, 1);
		if (ret)
			return ret;
	}

	ret = vimport_job_depend_locked(job, exec, usage);
	if (ret)
		return ret;

	return vimport_update_prepare_locked(job, exec, update);
}

/*
 * The point of no return, unless it says that a userptr buffer has changed. The jobs may be
 * gone when this returns.
 */
static bool commit_locked(struct vimport_job *job, struct vimport_job *update,
			  struct drm_exec *exec, struct vimport_syncs *syncs,
			  enum dma_resv_usage publish)
{
	struct vimport_vm *vm = job->vm;
	struct dma_fence *fence;
	bool cookie;

	vimport_vm_assert_submitting(vm);

	/*
	 * Once the fence is published, others wait for what is left to do here. That a
	 * notifier waits for the lock is as good a reason to be quick.
	 */
	cookie = dma_fence_begin_signalling();
	if (!vimport_userptr_begin_publish(vm)) {
		dma_fence_end_signalling(cookie);
		return false;
	}

	if (update)
		vimport_update_commit_locked(update);
	vimport_update_precede_locked(job);

	drm_sched_job_arm(&job->base);
	fence = &job->base.s_fence->finished;
	drm_gpuvm_resv_add_fence(&vm->base, exec, fence, DMA_RESV_USAGE_BOOKKEEP, publish);
	vimport_misbehave_published_locked(vm, exec, fence);
	vimport_sync_publish(syncs, fence);

	job->number = atomic64_inc_return(&to_vimport_device(vm->base.drm)->counters.last_job);
	vimport_use_begin_job(vm, job->cost_ns);
	atomic_inc(&to_vimport_device(vm->base.drm)->counters.jobs_pending);
	drm_sched_entity_push_job(&job->base);
	vimport_userptr_end_publish(vm);
	dma_fence_end_signalling(cookie);
	return true;
}

/* Returns what is to be returned, or 1 to try again because a userptr buffer has changed. */
static int submit_once(struct vimport_job *job, struct vimport_syncs *syncs, u32 flags)
{
	bool implicit = flags & DRM_VIMPORT_EXEC_IMPLICIT_SYNC;
	struct vimport_job *update = NULL;
	struct vimport_vm *vm = job->vm;
	struct drm_gpuvm_exec vm_exec = {
		.vm = &vm->base,
		.flags = DRM_EXEC_INTERRUPTIBLE_WAIT | DRM_EXEC_IGNORE_DUPLICATES,
	};
	int ret;

	lockdep_assert_held(&vm->lock);

	ret = vimport_userptr_fault_all(vm);
	if (ret)
		return ret;

	ret = drm_gpuvm_exec_lock(&vm_exec);
	if (ret)
		/* An interrupted lock is to be tried again. */
		return ret == -EINTR ? -ERESTARTSYS : ret;

	/* It may be another attempt. */
	job->cost_ns = job->cmds.cost_ns;
	ret = prepare_locked(job, &update, &vm_exec.exec,
			     implicit ? dma_resv_usage_rw(true) : DMA_RESV_USAGE_KERNEL);
	if (!ret && !commit_locked(job, update, &vm_exec.exec, syncs,
				   implicit ? DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_BOOKKEEP)) {
		if (update)
			vimport_update_cancel(update);
		ret = 1;
	}

	drm_gpuvm_exec_unlock(&vm_exec);
	return ret;
}

static int submit(struct vimport_job *job, struct vimport_syncs *syncs, u32 flags)
{
	unsigned long timeout = jiffies + msecs_to_jiffies(HMM_RANGE_DEFAULT_TIMEOUT);
	struct vimport_vm *vm = job->vm;
	int ret;

	lockdep_assert_held(&vm->lock);

	/* Found a moment ago, and gone since then. */
	if (READ_ONCE(vm->dead) || READ_ONCE(job->queue->dead))
		return -ENOENT;
	/* Not vimport_queue_error(): the queue may go between here and there. */
	if (READ_ONCE(job->queue->banned))
		return -ECANCELED;
	if (!vimport_use_has_room(vm, job->cost_ns))
		return -EAGAIN;

	ret = drm_sched_job_init(&job->base, &job->queue->entity, 1, vm, job->client_id);
	if (ret)
		return ret;

	ret = vimport_sync_add_dependencies(syncs, &job->base);
	if (ret)
		goto err_cleanup_job;

	do {
		ret = submit_once(job, syncs, flags);
	} while (ret > 0 && time_before(jiffies, timeout));
	if (!ret)
		return 0;
	if (ret > 0)
		ret = -EBUSY;

err_cleanup_job:
	drm_sched_job_cleanup(&job->base);
	return ret;
}

/**
 * vimport_job_exec_ioctl - DRM_IOCTL_VIMPORT_EXEC
 * @drm: device
 * @data: &struct drm_vimport_exec
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_job_exec_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;
	struct drm_vimport_exec *args = data;
	struct vimport_syncs syncs = {};
	struct vimport_queue *queue;
	struct vimport_job *job;
	struct vimport_vm *vm;
	int ret;

	if (args->flags & ~DRM_VIMPORT_EXEC_IMPLICIT_SYNC || args->pad)
		return -EINVAL;

	vm = vimport_vm_lookup(file, args->vm_id);
	if (!vm)
		return -ENOENT;

	if (vm->faulting) {
		ret = vimport_lr_job_exec(vm, file, args);
		goto out_put_vm;
	}

	/* A fence in memory says when a job has ended that has no other. */
	if (args->fence_va || args->fence_value) {
		ret = -EINVAL;
		goto out_put_vm;
	}

	job = job_create(vm, args, file);
	if (IS_ERR(job)) {
		ret = PTR_ERR(job);
		goto out_put_vm;
	}
	job->client_id = file->client_id;
	job->bugs = READ_ONCE(vfile->bugs);

	ret = vimport_sync_parse(&syncs, file, args->syncs, args->sync_count, args->sync_stride);
	if (ret)
		goto out_free_syncs;

	if (mutex_lock_interruptible(&vm->lock)) {
		ret = -ERESTARTSYS;
		goto out_free_syncs;
	}
	/* To push a job is to look at its entity when the job, and its reference, may be gone. */
	queue = vimport_queue_get(job->queue);
	ret = submit(job, &syncs, args->flags);
	mutex_unlock(&vm->lock);
	vimport_queue_put(queue);

out_free_syncs:
	vimport_sync_free(&syncs);
	if (ret)
		vimport_job_free(job);
out_put_vm:
	drm_gpuvm_put(&vm->base);
	return ret;
}
