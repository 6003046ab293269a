// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: updates
 *
 * Translations travel to the page table in an update, a job of the address space's
 * own entity. It waits for the exporters' KERNEL fences and for nothing else. So
 * jobs of other queues, which count on these translations, need not wait for the
 * in-syncs of the job that happened to need them first::
 *
 *   queue 1                  the VM's entity          queue 2
 *
 *   job A, after a fence     the update for A
 *   that is far away
 *                                                     job B, needs no update
 *                            the update runs
 *                                                     B runs
 *   A runs
 *
 * Jobs wait for the updates that were submitted before them, and nobody else does:
 * the fence of an update is published nowhere, since that of the job behind it
 * says more.
 *
 * An update may run while jobs are under way that are older. They use nothing that
 * it writes: a buffer is mapped anew only when the address spaces that have it
 * mapped are idle. If they stray to an address that was unmapped when they were
 * submitted, they find there what has been mapped since. The exporter waits for
 * them, too, if it moves that: DOC: use.
 */

#include <drm/drm_exec.h>
#include <drm/drm_gpuvm.h>

#include <linux/dma-resv.h>
#include <linux/slab.h>

#include "vimport_bo.h"
#include "vimport_drv.h"
#include "vimport_job.h"
#include "vimport_update.h"
#include "vimport_vm.h"

/* Estimated time to write a PTE: high enough for a machine that is emulated. */
#define NS_PER_PTE		50

static struct vimport_job *create_locked(struct vimport_job *job, unsigned int run_count)
{
	struct vimport_vm *vm = job->vm;
	struct vimport_job *update;
	int ret = -ENOMEM;

	vimport_vm_assert_submitting(vm);

	update = vimport_job_alloc(vm);
	if (!update)
		return ERR_PTR(-ENOMEM);

	update->runs = kvmalloc_array(run_count, sizeof(*update->runs),
				      GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!update->runs)
		goto err_free;
	update->run_count = vimport_job_collect_runs_locked(vm, update->runs);

	ret = drm_sched_job_init(&update->base, &vm->entity, 1, vm, job->client_id);
	if (ret)
		goto err_free;

	return update;

err_free:
	vimport_job_free(update);
	return ERR_PTR(ret);
}

/**
 * vimport_update_cancel - free an update that is not submitted
 * @update: what vimport_update_prepare_locked() has made
 */
void vimport_update_cancel(struct vimport_job *update)
{
	drm_sched_job_cleanup(&update->base);
	vimport_job_free(update);
}

/**
 * vimport_update_prepare_locked - make the update that a job needs
 * @job: job that is being submitted
 * @exec: the buffers that are mapped in its address space, locked and valid
 * @update_ret: where the update goes, for vimport_update_commit_locked(); left as it
 *	is if @job needs none
 *
 * Nothing is to fail after this. The time that the update takes the engine is not
 * known before the imports are valid, too late to refuse @job for it. It is some
 * 50 ms at most, and counts for those that come after.
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_update_prepare_locked(struct vimport_job *job, struct drm_exec *exec,
				  struct vimport_job **update_ret)
{
	struct vimport_job *update;
	unsigned int count, i;
	int ret;

	vimport_vm_assert_submitting(job->vm);

	count = vimport_job_collect_runs_locked(job->vm, NULL);
	if (!count)
		return 0;

	update = create_locked(job, count);
	if (IS_ERR(update))
		return PTR_ERR(update);

	ret = vimport_job_depend_locked(update, exec, DMA_RESV_USAGE_KERNEL);
	if (ret) {
		vimport_update_cancel(update);
		return ret;
	}

	for (i = 0; i < count; i++)
		job->cost_ns += update->runs[i].size / VIMPORT_PAGE_SIZE * NS_PER_PTE;
	*update_ret = update;
	return 0;
}

/**
 * vimport_update_order_locked - have the jobs to come wait for a change of the page table
 * @vm: address space, its lock and its dma_resv held
 * @fence: of an update or an asynchronous bind, which take turns on the entity of @vm
 */
void vimport_update_order_locked(struct vimport_vm *vm, struct dma_fence *fence)
{
	lockdep_assert_held(&vm->lock);
	drm_gpuvm_resv_assert_held(&vm->base);

	dma_fence_put(vm->last_update);
	vm->last_update = dma_fence_get(fence);
}

/**
 * vimport_update_commit_locked - submit an update
 * @update: what vimport_update_prepare_locked() has made; belongs to the scheduler now
 *
 * From here on the page table, as later jobs find it, is what the VA tree says.
 */
void vimport_update_commit_locked(struct vimport_job *update)
{
	struct vimport_vm *vm = update->vm;
	struct drm_gpuva *gpuva;

	vimport_vm_assert_submitting(vm);

	drm_gpuvm_for_each_va(gpuva, &vm->base) {
		struct vimport_va *va = to_vimport_va(gpuva);

		va->generation = to_vimport_bo(gpuva->gem.obj)->generation;
	}

	drm_sched_job_arm(&update->base);
	vimport_update_order_locked(vm, &update->base.s_fence->finished);
	atomic_inc(&to_vimport_device(vm->base.drm)->counters.jobs_pending);
	drm_sched_entity_push_job(&update->base);
}

/**
 * vimport_update_precede_locked - have a job wait for all updates so far
 * @job: job of a queue, not yet pushed
 */
void vimport_update_precede_locked(struct vimport_job *job)
{
	struct vimport_vm *vm = job->vm;

	vimport_vm_assert_submitting(vm);

	if (vm->last_update && !dma_fence_is_signaled(vm->last_update))
		job->update = dma_fence_get(vm->last_update);
}

/**
 * vimport_update_run - bring the translations to the page table
 * @update: update
 *
 * The engine's part, in the fence-signalling path. It is done even if it takes too
 * long, because later jobs count on it, but not for an address space that is dead:
 * of that nothing is used again, not even its tables. Nobody looks addresses up while the
 * engine has another job, so one flush at the end is early enough.
 *
 * Return: 0 or -ECANCELED.
 */
int vimport_update_run(struct vimport_job *update)
{
	struct vimport_pt *pt = &update->vm->pt;
	const struct vimport_pt_run *first, *last;
	unsigned int i;

	for (i = 0; i < update->run_count; i++) {
		const struct vimport_pt_run *run = &update->runs[i];
		u64 pos = 0;

		while (pos < run->size) {
			if (READ_ONCE(update->vm->dead))
				return -ECANCELED;

			mutex_lock(&pt->lock);
			pos = vimport_pt_write(pt, run, pos);
			mutex_unlock(&pt->lock);
			cond_resched();
		}
	}
	if (!update->run_count)
		return 0;

	/* They are in the order of their addresses. */
	first = &update->runs[0];
	last = &update->runs[update->run_count - 1];
	mutex_lock(&pt->lock);
	vimport_pt_flush(pt, first->va, last->va + last->size - first->va);
	mutex_unlock(&pt->lock);
	return 0;
}
