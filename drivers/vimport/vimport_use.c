// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: use
 *
 * Who may use an import now, and when its translations go. When the fences that
 * are in the dma_resv at an invalidation have signalled, no translation to the
 * place that the buffer leaves is left. Jobs that are submitted may use the old
 * place until then; the last of them takes the translations down, and does so
 * before its fence signals::
 *
 *   invalidate (dma_resv held)           engine, end of the last job
 *
 *   lock pt
 *   busy != 0: put on zap_list
 *   unlock pt
 *                                        lock pt
 *                                        busy = 0
 *                                        zap, flush what is on zap_list
 *                                        unlock pt
 *                                        signal the fence
 *   exporter saw the fence signalled
 *   [no translation is left]
 *
 * or the other way round::
 *
 *                                        lock pt
 *                                        busy = 0, zap_list is empty
 *                                        unlock pt
 *   lock pt
 *   busy == 0: zap, flush
 *   unlock pt
 *                                        signal the fence
 *   exporter saw the fence signalled
 *   [no translation is left]
 *
 * Were the fence signalled before busy drops, the exporter could copy and give
 * its pages away while their translations still live. No new job comes in
 * between: submitting one takes the dma_resv, and revalidates first.
 *
 * busy also counts jobs that are older than the mapping. Queues do not wait for each
 * other, so one of those may be the last to end, and it may stray to the import in
 * spite of its age, because translations are the address space's. Hence the
 * dma_resv of an import that is being mapped gets their fences, too::
 *
 *   queue 1                  queue 2                  the exporter
 *
 *   job A is submitted
 *   [map: A's fence]         job B is submitted
 *                            B ends
 *                                                     invalidate: busy != 0
 *   A begins, and strays                              B's fence has signalled
 *   A ends: zap                                       A's fence has signalled
 *                                                     [no translation is left]
 *
 * Without A's fence the exporter would copy while A writes.
 *
 * It does not count binds. One that waits for somebody else's fence would keep the
 * translations of buffers that it has nothing to do with, long after the last of the
 * fences that their exporters see. What a bind is going to take out of the page table may
 * be zapped before, like any other mapping; jobs that may bring something else to these
 * addresses run after the bind, which takes the mapping off the list that
 * zapping goes by::
 *
 *   invalidate (dma_resv held)           engine
 *
 *   lock pt
 *   busy == 0: zap, flush what the
 *   bind is going to unmap
 *   unlock pt
 *                                        lock pt
 *                                        the bind: zap, flush, off the list
 *                                        unlock pt
 *                                        job: translations of another buffer
 *   lock pt
 *   busy != 0, but nothing is on the
 *   list: done
 *   unlock pt
 *
 * Were the mapping still on the list, the end of the job would zap the other buffer,
 * and the next job would not bring it again.
 */

#include <linux/cleanup.h>
#include <linux/dma-resv.h>
#include <linux/slab.h>
#include <linux/time64.h>

#include "vimport_bo.h"
#include "vimport_drv.h"
#include "vimport_use.h"
#include "vimport_vm.h"

/*
 * Outstanding work of an address space, by its own estimate and in jobs. The
 * first bounds the engine's time, the second memory, and both how long anybody
 * waits for this address space. See vimport_vm_wait_idle() for what else that
 * may take.
 */
#define MAX_PENDING_NS		(2 * NSEC_PER_SEC)
#define MAX_PENDING_JOBS	128

/*
 * The same of a GPU. Its address spaces share one engine, so without it whoever makes
 * enough of them decides how long an exporter waits for a job of somebody else's, or a
 * process that unmaps memory, or exits, in a notifier that nothing can interrupt.
 */
#define MAX_GPU_PENDING_NS	(30 * NSEC_PER_SEC)

static atomic64_t *gpu_pending_ns(struct vimport_vm *vm)
{
	return &to_vimport_device(vm->base.drm)->pending_ns;
}

static void add_pending_ns(struct vimport_vm *vm, s64 ns)
{
	atomic64_add(ns, &vm->pending_ns);
	atomic64_add(ns, gpu_pending_ns(vm));
}

/**
 * vimport_use_has_room - whether a job or a bind may be submitted
 * @vm: address space, its lock held
 * @cost_ns: estimated time that the job takes
 *
 * Several address spaces that ask at the same time may exceed what the GPU may have
 * outstanding by a job each.
 *
 * Return: false if it, or its GPU, has enough to do.
 */
bool vimport_use_has_room(struct vimport_vm *vm, u64 cost_ns)
{
	lockdep_assert_held(&vm->lock);

	if (atomic64_read(&vm->pending_ns) + cost_ns > MAX_PENDING_NS ||
	    atomic64_read(gpu_pending_ns(vm)) + cost_ns > MAX_GPU_PENDING_NS)
		return false;

	guard(mutex)(&vm->pt.lock);
	return vm->busy + vm->binds < MAX_PENDING_JOBS;
}

/**
 * vimport_use_begin_job - count a job that is being submitted
 * @vm: address space, its lock and the dma_resv of all its imports held
 * @cost_ns: estimated time that the job takes
 */
void vimport_use_begin_job(struct vimport_vm *vm, u64 cost_ns)
{
	vimport_vm_assert_submitting(vm);

	add_pending_ns(vm, cost_ns);
	guard(mutex)(&vm->pt.lock);
	vm->busy++;
}

/**
 * vimport_use_inherit_locked - let the jobs of an address space count for an import
 * @vm: address space that the import is being mapped in, its lock held
 * @obj: import, its dma_resv held
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_use_inherit_locked(struct vimport_vm *vm, struct drm_gem_object *obj)
{
	struct dma_fence **fences;
	unsigned int count, i;
	int ret;

	lockdep_assert_held(&vm->lock);
	dma_resv_assert_held(obj->resv);

	ret = dma_resv_get_fences(drm_gpuvm_resv(&vm->base), DMA_RESV_USAGE_BOOKKEEP, &count,
				  &fences);
	if (ret)
		return ret;

	if (count)
		ret = dma_resv_reserve_fences(obj->resv, count);
	for (i = 0; i < count; i++) {
		/* Of the entity's fences only those of binds are there, which use no memory. */
		if (!ret && fences[i]->context != vm->entity.fence_context + 1)
			dma_resv_add_fence(obj->resv, fences[i], DMA_RESV_USAGE_BOOKKEEP);
		dma_fence_put(fences[i]);
	}
	kfree(fences);
	return ret;
}

/*
 * Clears at most 8 MiB of page tables, which is what VIMPORT_MAX_MAPPED needs:
 * a few milliseconds. One flush from the first mapping to the last also throws
 * out what lies between them. That costs another walk of the table, no more.
 */
static void zap_vm_bo(struct vimport_vm *vm, struct vimport_vm_bo *vm_bo)
{
	u64 first = U64_MAX, end = 0;
	struct vimport_va *va;

	lockdep_assert_held(&vm->pt.lock);

	list_for_each_entry(va, &vm_bo->mappings, node) {
		/* By now the PTEs of a mapping that is unflushed may be another's. */
		if (!va->unflushed)
			vimport_pt_zap(&vm->pt, va->base.va.addr, va->base.va.range);
		first = min(first, va->base.va.addr);
		end = max(end, va->base.va.addr + va->base.va.range);
	}
	if (first < end)
		vimport_pt_flush(&vm->pt, first, end - first);
}

/**
 * vimport_use_zap - take the translations of a buffer down
 * @vm_bo: the buffer in one address space, in which no job may use it any more, or only
 *	one that is going to fault
 *
 * Locks: takes the lock of the page table.
 */
void vimport_use_zap(struct vimport_vm_bo *vm_bo)
{
	struct vimport_vm *vm = to_vimport_vm(vm_bo->base.vm);

	guard(mutex)(&vm->pt.lock);
	zap_vm_bo(vm, vm_bo);
}

/**
 * vimport_use_end_job - a job will not touch memory any more
 * @vm: address space
 * @cost_ns: what vimport_use_begin_job() was told
 *
 * Called by the engine for every job exactly once, whatever became of it, and
 * before the job's fence signals. In the fence-signalling path.
 */
void vimport_use_end_job(struct vimport_vm *vm, u64 cost_ns)
{
	struct vimport_vm_bo *vm_bo, *next;

	add_pending_ns(vm, -(s64)cost_ns);

	guard(mutex)(&vm->pt.lock);
	if (--vm->busy)
		return;

	list_for_each_entry_safe(vm_bo, next, &vm->zap_list, zap_node) {
		list_del_init(&vm_bo->zap_node);
		zap_vm_bo(vm, vm_bo);
		vimport_bo_queue_release(to_vimport_bo(vm_bo->base.obj));
	}
}

/**
 * vimport_use_begin_bind - count an asynchronous bind that is being submitted
 * @vm: address space, its lock held
 * @cost_ns: estimated time that the bind takes
 *
 * It is no user of memory, so nobody's zap waits for it, as it would for a job.
 */
void vimport_use_begin_bind(struct vimport_vm *vm, u64 cost_ns)
{
	lockdep_assert_held(&vm->lock);

	add_pending_ns(vm, cost_ns);
	guard(mutex)(&vm->pt.lock);
	vm->binds++;
}

/**
 * vimport_use_end_bind - an asynchronous bind is done
 * @vm: address space
 * @cost_ns: what vimport_use_begin_bind() was told
 *
 * Called by the engine. In the fence-signalling path.
 */
void vimport_use_end_bind(struct vimport_vm *vm, u64 cost_ns)
{
	add_pending_ns(vm, -(s64)cost_ns);
	guard(mutex)(&vm->pt.lock);
	vm->binds--;
}

/**
 * vimport_use_end_mapping - take a mapping out of the page table
 * @vm: address space
 * @va: mapping that no job uses any more, and that is out of the VA tree
 *
 * The import may be on the zap_list for this mapping only. Nobody would take it off
 * then before it is gone. In the fence-signalling path.
 */
void vimport_use_end_mapping(struct vimport_vm *vm, struct vimport_va *va)
{
	struct vimport_vm_bo *vm_bo = to_vimport_vm_bo(va->base.vm_bo);

	guard(mutex)(&vm->pt.lock);

	vimport_pt_zap(&vm->pt, va->base.va.addr, va->base.va.range);
	/* On the list it is still flushed when the buffer moves, so nothing worse happens. */
	if (va->no_flush) {
		va->unflushed = true;
		return;
	}

	vimport_pt_flush(&vm->pt, va->base.va.addr, va->base.va.range);
	list_del(&va->node);
	if (list_empty(&vm_bo->mappings) && !list_empty(&vm_bo->zap_node)) {
		list_del_init(&vm_bo->zap_node);
		vimport_bo_queue_release(to_vimport_bo(vm_bo->base.obj));
	}
}

/**
 * vimport_use_invalidate_locked - an import is about to move
 * @gpuvm_bo: the import in one address space, valid until now, its dma_resv held
 *
 * Return: true if no job can use the import any more, false if the engine is
 * going to zap and to call vimport_bo_queue_release().
 */
bool vimport_use_invalidate_locked(struct drm_gpuvm_bo *gpuvm_bo)
{
	struct vimport_vm_bo *vm_bo = to_vimport_vm_bo(gpuvm_bo);
	struct vimport_vm *vm = to_vimport_vm(gpuvm_bo->vm);

	dma_resv_assert_held(gpuvm_bo->obj->resv);

	atomic64_inc(&vm->stats.invalidations);
	guard(mutex)(&vm->pt.lock);
	/* Of what has no mapping any more nothing is in the page table. */
	if (vm->busy && !list_empty(&vm_bo->mappings)) {
		if (list_empty(&vm_bo->zap_node))
			list_add_tail(&vm_bo->zap_node, &vm->zap_list);
		return false;
	}

	zap_vm_bo(vm, vm_bo);
	return true;
}

/**
 * vimport_use_is_pending_locked - whether the engine is yet to zap an import
 * @gpuvm_bo: the import in one address space, its dma_resv held
 *
 * An address space that is busy, but only with jobs that are older than the
 * mapping, does not count: they use nothing, and at their end nobody looks.
 *
 * Return: true if vimport_bo_queue_release() is going to be called.
 */
bool vimport_use_is_pending_locked(struct drm_gpuvm_bo *gpuvm_bo)
{
	struct vimport_vm *vm = to_vimport_vm(gpuvm_bo->vm);

	dma_resv_assert_held(gpuvm_bo->obj->resv);

	guard(mutex)(&vm->pt.lock);
	return !list_empty(&to_vimport_vm_bo(gpuvm_bo)->zap_node);
}
