// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: submission
 *
 * In this order: take everything from userspace; lock the address space and
 * the reservations of all buffers that are mapped in it; validate those; only
 * then reserve fence slots and collect dependencies, because an exporter that
 * had to move a buffer to map it has added fences; prepare what the job writes
 * to the page table; arm; publish. Up to arming everything can fail and leaves
 * nothing behind. From arming on nothing can.
 */

#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_gpuvm.h>

#include <linux/dma-resv.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "vimport_bo.h"
#include "vimport_drv.h"
#include "vimport_fence.h"
#include "vimport_job.h"
#include "vimport_sync.h"
#include "vimport_use.h"
#include "vimport_vm.h"

/* Estimated time to write a PTE: high enough for a machine that is emulated. */
#define NS_PER_PTE		50

/**
 * vimport_job_free - free a job
 * @job: job, cleaned up as far as the scheduler is concerned
 */
void vimport_job_free(struct vimport_job *job)
{
	struct drm_gpuvm *gpuvm = &job->vm->base;

	vimport_cmd_free(&job->cmds);
	kvfree(job->runs);
	vimport_fence_free(job->fence);
	kfree(job);
	drm_gpuvm_put(gpuvm);
}

/* Takes a reference to @vm. */
static struct vimport_job *job_create(struct vimport_vm *vm, const struct drm_vimport_exec *args)
{
	struct vimport_job *job;
	int ret;

	job = kzalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);
	if (!job)
		return ERR_PTR(-ENOMEM);

	drm_gpuvm_get(&vm->base);
	job->vm = vm;

	ret = vimport_cmd_parse(&job->cmds, args);
	if (ret)
		goto err_free;
	job->cost_ns = job->cmds.cost_ns;

	ret = -ENOMEM;
	job->fence = vimport_fence_alloc();
	if (!job->fence)
		goto err_free;

	return job;

err_free:
	vimport_job_free(job);
	return ERR_PTR(ret);
}

/* Is the page table, when the submitted jobs have run, behind the sg table? */
static bool needs_update(const struct vimport_va *va)
{
	return va->generation != to_vimport_bo(va->base.gem.obj)->generation;
}

/* No more runs than PTEs, so VIMPORT_MAX_MAPPED bounds their number too. */
static unsigned int collect_runs_locked(struct vimport_vm *vm, struct vimport_pt_run *runs)
{
	unsigned int count = 0;
	struct drm_gpuva *gpuva;

	drm_gpuvm_for_each_va(gpuva, &vm->base) {
		struct vimport_va *va = to_vimport_va(gpuva);
		struct vimport_bo *bo = to_vimport_bo(gpuva->gem.obj);

		dma_resv_assert_held(bo->base.resv);

		if (!needs_update(va))
			continue;
		count += vimport_segs_runs(&bo->segs, gpuva->gem.offset, gpuva->va.range,
					   gpuva->va.addr, va->write, runs ? runs + count : NULL);
		cond_resched();
	}

	return count;
}

/*
 * What the job brings to the page table. The time this takes the engine is not
 * known before the imports are valid, too late to refuse the job for it. It is
 * some 50 ms at most, and counts for those that come after.
 */
static int prepare_runs_locked(struct vimport_job *job)
{
	struct vimport_vm *vm = job->vm;
	unsigned int i;

	job->run_count = collect_runs_locked(vm, NULL);
	if (!job->run_count)
		return 0;

	job->runs = kvmalloc_array(job->run_count, sizeof(*job->runs),
				   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!job->runs)
		return -ENOMEM;

	collect_runs_locked(vm, job->runs);
	for (i = 0; i < job->run_count; i++)
		job->cost_ns += job->runs[i].size / VIMPORT_PAGE_SIZE * NS_PER_PTE;
	return 0;
}

/* All of it that can fail with the reservations held. */
static int prepare_locked(struct vimport_job *job, struct drm_exec *exec,
			  enum dma_resv_usage depend)
{
	struct vimport_vm *vm = job->vm;
	struct drm_gem_object *obj;
	unsigned long i;
	int ret;

	lockdep_assert_held(&vm->lock);

	vm->validations = 0;
	ret = drm_gpuvm_validate(&vm->base, exec);
	if (ret)
		return ret;

	for (i = 0; (obj = drm_exec_obj(exec, i)); i++) {
		ret = dma_resv_reserve_fences(obj->resv, 1);
		if (ret)
			return ret;
		ret = drm_sched_job_add_resv_dependencies(&job->base, obj->resv, depend);
		if (ret)
			return ret;
	}

	return prepare_runs_locked(job);
}

/* The point of no return. The job may be gone when this returns. */
static void commit_locked(struct vimport_job *job, struct drm_exec *exec,
			  struct vimport_syncs *syncs, enum dma_resv_usage publish)
{
	struct vimport_vm *vm = job->vm;
	struct drm_gpuva *gpuva;
	struct dma_fence *fence;

	lockdep_assert_held(&vm->lock);

	drm_gpuvm_for_each_va(gpuva, &vm->base) {
		struct vimport_va *va = to_vimport_va(gpuva);

		va->generation = to_vimport_bo(gpuva->gem.obj)->generation;
	}

	drm_sched_job_arm(&job->base);
	fence = &job->base.s_fence->finished;
	drm_gpuvm_resv_add_fence(&vm->base, exec, fence, DMA_RESV_USAGE_BOOKKEEP, publish);
	vimport_sync_publish(syncs, fence);

	vimport_use_begin_job(vm, job->cost_ns);
	atomic_inc(&to_vimport_device(vm->base.drm)->counters.jobs_pending);
	drm_sched_entity_push_job(&job->base);
}

static int submit(struct vimport_job *job, struct vimport_syncs *syncs, u32 flags,
		  struct drm_file *file)
{
	bool implicit = flags & DRM_VIMPORT_EXEC_IMPLICIT_SYNC;
	struct vimport_vm *vm = job->vm;
	struct drm_gpuvm_exec vm_exec = {
		.vm = &vm->base,
		.flags = DRM_EXEC_INTERRUPTIBLE_WAIT | DRM_EXEC_IGNORE_DUPLICATES,
	};
	int ret;

	lockdep_assert_held(&vm->lock);

	if (READ_ONCE(vm->dead))
		return -ENOENT;
	if (!vimport_use_has_room(vm, job->cost_ns))
		return -EAGAIN;

	ret = drm_sched_job_init(&job->base, &vm->entity, 1, vm, file->client_id);
	if (ret)
		return ret;

	ret = vimport_sync_add_dependencies(syncs, &job->base);
	if (ret)
		goto err_cleanup_job;

	ret = drm_gpuvm_exec_lock(&vm_exec);
	if (ret) {
		/* An interrupted lock is to be tried again. */
		if (ret == -EINTR)
			ret = -ERESTARTSYS;
		goto err_cleanup_job;
	}

	ret = prepare_locked(job, &vm_exec.exec, implicit ? dma_resv_usage_rw(true) :
							    DMA_RESV_USAGE_KERNEL);
	if (ret)
		goto err_unlock;

	commit_locked(job, &vm_exec.exec, syncs, implicit ? DMA_RESV_USAGE_WRITE :
							    DMA_RESV_USAGE_BOOKKEEP);
	drm_gpuvm_exec_unlock(&vm_exec);
	return 0;

err_unlock:
	drm_gpuvm_exec_unlock(&vm_exec);
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
	struct drm_vimport_exec *args = data;
	struct vimport_syncs syncs = {};
	struct vimport_job *job;
	struct vimport_vm *vm;
	int ret;

	if (args->flags & ~DRM_VIMPORT_EXEC_IMPLICIT_SYNC)
		return -EINVAL;

	vm = vimport_vm_lookup(file, args->vm_id);
	if (!vm)
		return -ENOENT;

	job = job_create(vm, args);
	if (IS_ERR(job)) {
		ret = PTR_ERR(job);
		goto out_put_vm;
	}

	ret = vimport_sync_parse(&syncs, file, args);
	if (ret)
		goto out_free_syncs;

	if (mutex_lock_interruptible(&vm->lock)) {
		ret = -ERESTARTSYS;
		goto out_free_syncs;
	}
	ret = submit(job, &syncs, args->flags, file);
	mutex_unlock(&vm->lock);

out_free_syncs:
	vimport_sync_free(&syncs);
	if (ret)
		vimport_job_free(job);
out_put_vm:
	drm_gpuvm_put(&vm->base);
	return ret;
}
