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
 * busy may count jobs that are older than the mapping, and whose fences the
 * exporter does not see. That delays nothing: jobs end in order, and there is
 * no translation before the first job that was submitted with the mapping.
 */

#include <linux/cleanup.h>
#include <linux/dma-resv.h>
#include <linux/time64.h>

#include "vimport_bo.h"
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

/**
 * vimport_use_has_room - whether a job may be submitted
 * @vm: address space, its lock held
 * @cost_ns: estimated time that the job takes
 *
 * Return: false if it has enough to do.
 */
bool vimport_use_has_room(struct vimport_vm *vm, u64 cost_ns)
{
	lockdep_assert_held(&vm->lock);

	if (atomic64_read(&vm->pending_ns) + cost_ns > MAX_PENDING_NS)
		return false;

	guard(mutex)(&vm->pt.lock);
	return vm->busy < MAX_PENDING_JOBS;
}

/**
 * vimport_use_begin_job - count a job that is being submitted
 * @vm: address space, its lock and the dma_resv of all its imports held
 * @cost_ns: estimated time that the job takes
 */
void vimport_use_begin_job(struct vimport_vm *vm, u64 cost_ns)
{
	lockdep_assert_held(&vm->lock);

	atomic64_add(cost_ns, &vm->pending_ns);
	guard(mutex)(&vm->pt.lock);
	vm->busy++;
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
		vimport_pt_zap(&vm->pt, va->base.va.addr, va->base.va.range);
		first = min(first, va->base.va.addr);
		end = max(end, va->base.va.addr + va->base.va.range);
	}
	if (first < end)
		vimport_pt_flush(&vm->pt, first, end - first);
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

	atomic64_sub(cost_ns, &vm->pending_ns);

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

	guard(mutex)(&vm->pt.lock);
	if (vm->busy) {
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
