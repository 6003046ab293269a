// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: asynchronous binds
 *
 * An asynchronous bind is a job without commands. It depends on its in-syncs and on all
 * that was submitted to the address space before, and what it does in the engine is to take
 * out of the page table what its ioctl took out of the VA tree::
 *
 *   ioctls                           engine
 *
 *   EXEC  job 1, uses the mapping
 *   BIND  out of the VA tree         job 1 finds the translations there
 *         push the bind
 *   EXEC  job 2 does not bring       the bind zaps and flushes
 *         translations for it, but
 *         for what is there now      job 2 writes those, and finds nothing else
 *
 * Were the page table changed in the ioctl, job 1 would fault or, worse, write to the wrong
 * buffer. Were the VA tree changed in the engine, job 2 would have been submitted
 * with what is not going to be there.
 *
 * What goes stays linked to its import until a worker has given it back. So jobs
 * go on being told apart from their buffers' other users, see vimport_use.c:
 *
 * - the exporter waits for the fences of the jobs that may use the buffer. It need not
 *   wait for the bind, whose fence is therefore only in the address space's own dma_resv:
 *   when the last job ends, or at once if there is none, an invalidation zaps what a
 *   bind has not got to yet. The bind may wait for anybody's fences meanwhile;
 * - the sg table is given back after the last job and after the bind, not before.
 */

#include <drm/drm_drv.h>
#include <drm/gpu_scheduler.h>

#include <linux/dma-resv.h>
#include <linux/slab.h>
#include <linux/time64.h>

#include "vimport_bind_job.h"
#include "vimport_drv.h"
#include "vimport_fence.h"
#include "vimport_job.h"
#include "vimport_sync.h"
#include "vimport_update.h"
#include "vimport_use.h"
#include "vimport_vm.h"

/* Estimated times: high enough for a machine that is emulated. */
#define NS_PER_BIND	(100 * NSEC_PER_USEC)
#define NS_PER_ZAP	8

/* Jiffies until a release is tried again. */
#define RETRY_DELAY	1

static void release_work(struct work_struct *work)
{
	struct vimport_bind *bind = container_of(work, struct vimport_bind, release_work.work);
	struct vimport_vm *vm = bind->change.vm;

	/* Who holds it may be waiting for fences: no reason to keep a worker. */
	if (!mutex_trylock(&vm->lock)) {
		queue_delayed_work(vimport_wq, &bind->release_work, RETRY_DELAY);
		return;
	}
	vimport_va_release(&bind->change);
	mutex_unlock(&vm->lock);

	vimport_bind_job_free(bind);
	drm_gpuvm_put(&vm->base);
}

/**
 * vimport_bind_job_create - make a job of a bind
 * @vm: address space
 * @map: whether there is going to be a new mapping
 * @size: size of the range
 *
 * Return: a job, for vimport_job_free(), or an ERR_PTR: -ENOMEM.
 */
struct vimport_job *vimport_bind_job_create(struct vimport_vm *vm, bool map, u64 size)
{
	struct vimport_job *job;

	job = vimport_job_alloc(vm);
	if (!job)
		return ERR_PTR(-ENOMEM);

	job->cost_ns = NS_PER_BIND +
		       min(size, VIMPORT_MAX_MAPPED) / VIMPORT_PAGE_SIZE * NS_PER_ZAP;

	job->bind = kzalloc(sizeof(*job->bind), GFP_KERNEL_ACCOUNT);
	if (!job->bind)
		goto err_free;

	INIT_DELAYED_WORK(&job->bind->release_work, release_work);
	if (vimport_va_change_init(&job->bind->change, vm, map))
		goto err_free;

	return job;

err_free:
	vimport_job_free(job);
	return ERR_PTR(-ENOMEM);
}

/**
 * vimport_bind_job_free - free what a job has that is a bind
 * @bind: what is left of it, or NULL
 */
void vimport_bind_job_free(struct vimport_bind *bind)
{
	if (!bind)
		return;

	vimport_va_change_fini(&bind->change);
	kfree(bind);
}

/**
 * vimport_bind_job_init - have the scheduler know the job
 * @job: job; drm_sched_job_cleanup() undoes it
 * @syncs: syncobjs of the bind
 * @client_id: of the file
 *
 * Locks: the VM's lock is held.
 *
 * Return: 0; -EAGAIN if the address space has enough to do; -ENOMEM.
 */
int vimport_bind_job_init(struct vimport_job *job, struct vimport_syncs *syncs, u64 client_id)
{
	struct vimport_vm *vm = job->vm;
	int ret;

	lockdep_assert_held(&vm->lock);

	if (!vimport_use_has_room(vm, job->cost_ns))
		return -EAGAIN;

	ret = drm_sched_job_init(&job->base, &vm->entity, 1, vm, client_id);
	if (ret)
		return ret;

	ret = vimport_sync_add_dependencies(syncs, &job->base);
	if (ret)
		drm_sched_job_cleanup(&job->base);
	return ret;
}

/**
 * vimport_bind_job_prepare_locked - all else of the job that can fail
 * @job: job, initialised
 *
 * Locks: the VM's lock and its dma_resv.
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_bind_job_prepare_locked(struct vimport_job *job)
{
	struct dma_resv *resv = drm_gpuvm_resv(&job->vm->base);
	int ret;

	lockdep_assert_held(&job->vm->lock);
	dma_resv_assert_held(resv);

	ret = dma_resv_reserve_fences(resv, 1);
	if (ret)
		return ret;

	/* Everything that was submitted has its fence there, in whatever queue it is. */
	return drm_sched_job_add_resv_dependencies(&job->base, resv, DMA_RESV_USAGE_BOOKKEEP);
}

/**
 * vimport_bind_job_commit_locked - let the job go
 * @job: job, whose change of the VA tree is made; may be gone on return
 * @syncs: syncobjs of the bind
 *
 * Locks: the VM's lock and its dma_resv.
 */
void vimport_bind_job_commit_locked(struct vimport_job *job, struct vimport_syncs *syncs)
{
	struct vimport_vm *vm = job->vm;
	struct dma_fence *fence;
	bool cookie;

	lockdep_assert_held(&vm->lock);
	drm_gpuvm_resv_assert_held(&vm->base);

	/* For the worker, which may be later than the scheduler. */
	drm_gpuvm_get(&vm->base);

	cookie = dma_fence_begin_signalling();
	drm_sched_job_arm(&job->base);
	fence = &job->base.s_fence->finished;
	dma_resv_add_fence(drm_gpuvm_resv(&vm->base), fence, DMA_RESV_USAGE_BOOKKEEP);
	/* Jobs that come now, in any queue, are not to find what is leaving. */
	vimport_update_order_locked(vm, fence);
	vimport_sync_publish(syncs, fence);

	vimport_use_begin_bind(vm, job->cost_ns);
	atomic_inc(&to_vimport_device(vm->base.drm)->counters.jobs_pending);
	drm_sched_entity_push_job(&job->base);
	dma_fence_end_signalling(cookie);
}

/**
 * vimport_bind_job_run - do what the engine has to do for a bind
 * @job: job that is a bind
 *
 * Also in an address space that is dead: whoever takes it apart takes only what is in
 * the VA tree. In the fence-signalling path.
 */
void vimport_bind_job_run(struct vimport_job *job)
{
	struct vimport_bind *bind = job->bind;

	vimport_va_zap(&bind->change);
	vimport_use_end_bind(job->vm, job->cost_ns);

	job->bind = NULL;
	queue_delayed_work(vimport_wq, &bind->release_work, 0);
}
