// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: address space
 *
 * The life of an address space ends in phases. It dies when its id is
 * destroyed or its file is closed: no further job gets in, and those that are
 * queued run through the engine without doing anything. They still have to
 * wait for what they depend on, so the rest is done by a work item: it waits
 * for them, takes the mappings down and drops the initial reference. What is
 * left then are references of jobs that the scheduler has not freed, and of
 * ioctls that are under way.
 */

#include <drm/drm_drv.h>
#include <drm/vimport_drm.h>

#include <linux/cleanup.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "vimport_bo.h"
#include "vimport_drv.h"
#include "vimport_queue.h"
#include "vimport_trace.h"
#include "vimport_userptr.h"
#include "vimport_va.h"
#include "vimport_vm.h"

/* Address spaces that a file may have, and a GPU, with those that still die. */
#define MAX_FILE_VMS		64
#define MAX_GPU_VMS		4096

/*
 * Mapping one import may make the exporter invalidate another that was valid
 * already. A sane exporter settles in the second round.
 */
#define MAX_VALIDATE_ROUNDS	8

/* Jiffies until the end of an address space is tried again. */
#define RETRY_DELAY		(HZ / 50)

/**
 * vimport_vm_wait_idle - wait until all submitted jobs are done
 * @vm: address space
 * @intr: whether a signal ends the wait
 *
 * Nobody but our own jobs has fences in the address space's own dma_resv.
 * Unless the caller keeps others from submitting, with the VM's lock or with
 * the dma_resv of an import that is mapped, the result is history.
 *
 * How long it takes is bounded, but not by this address space's work alone: its
 * jobs share the engine with those of all others of the GPU, and may themselves
 * have to wait for fences of anybody's.
 *
 * Return: 0, or -ERESTARTSYS if interrupted.
 */
int vimport_vm_wait_idle(struct vimport_vm *vm, bool intr)
{
	long ret;

	ret = dma_resv_wait_timeout(drm_gpuvm_resv(&vm->base), DMA_RESV_USAGE_BOOKKEEP,
				    intr, MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}

static struct drm_gpuvm_bo *vm_bo_alloc(void)
{
	struct vimport_vm_bo *vm_bo = kzalloc(sizeof(*vm_bo), GFP_KERNEL_ACCOUNT);

	if (!vm_bo)
		return NULL;

	INIT_LIST_HEAD(&vm_bo->mappings);
	INIT_LIST_HEAD(&vm_bo->zap_node);
	INIT_LIST_HEAD(&vm_bo->userptr_node);
	return &vm_bo->base;
}

static void vm_bo_free(struct drm_gpuvm_bo *gpuvm_bo)
{
	struct vimport_vm_bo *vm_bo = to_vimport_vm_bo(gpuvm_bo);

	vimport_userptr_unlink(vm_bo);
	WARN_ON(!list_empty(&vm_bo->mappings));
	WARN_ON(!list_empty(&vm_bo->zap_node));
	kfree(vm_bo);
}

/* Has it only mappings that are out of the VA tree already? No job comes to use them. */
static bool is_leaving_locked(struct drm_gpuvm_bo *vm_bo)
{
	struct drm_gpuva *va;

	dma_resv_assert_held(vm_bo->obj->resv);

	/* Before 7.1 the macro works for a variable of this name only. */
	drm_gpuvm_bo_for_each_va(va, vm_bo) {
		if (!to_vimport_va(va)->leaving)
			return false;
	}

	return true;
}

/**
 * vimport_vm_revalidate_locked - have the present sg table of a buffer, and count a new one
 * @gpuvm_bo: the buffer in its address space, which need not be validated any more
 *
 * Locks: the caller holds the address space's lock and the reservation.
 *
 * Return: 0, or what vimport_bo_validate_locked() says.
 */
int vimport_vm_revalidate_locked(struct drm_gpuvm_bo *gpuvm_bo)
{
	struct vimport_device *vdev = to_vimport_device(gpuvm_bo->vm->drm);
	struct vimport_bo *bo = to_vimport_bo(gpuvm_bo->obj);
	struct vimport_vm *vm = to_vimport_vm(gpuvm_bo->vm);
	u64 generation = bo->generation;
	int ret;

	lockdep_assert_held(&vm->lock);
	dma_resv_assert_held(gpuvm_bo->obj->resv);

	ret = vimport_bo_validate_locked(bo);
	if (ret)
		return ret;

	if (bo->generation != generation) {
		trace_vimport_revalidate(vm, bo);
		atomic64_inc(&vm->stats.revalidations);
		atomic64_inc(&vdev->counters.revalidations);
	}
	drm_gpuvm_bo_evict(gpuvm_bo, false);
	return 0;
}

/*
 * drm_gpuvm_validate() calls this until no import is left on its list, and an
 * exporter that invalidates one for the sake of another puts it there again.
 */
static int vm_bo_validate(struct drm_gpuvm_bo *gpuvm_bo, struct drm_exec *exec)
{
	struct vimport_vm *vm = to_vimport_vm(gpuvm_bo->vm);

	lockdep_assert_held(&vm->lock);
	dma_resv_assert_held(gpuvm_bo->obj->resv);

	/* To be mapped again it would be put on the list again. */
	if (is_leaving_locked(gpuvm_bo)) {
		drm_gpuvm_bo_evict(gpuvm_bo, false);
		return 0;
	}

	/* There are no more such imports than mappings. */
	if (vm->validations++ >= MAX_VALIDATE_ROUNDS * vm->mappings)
		return -EBUSY;
	if (signal_pending(current))
		return -ERESTARTSYS;

	return vimport_vm_revalidate_locked(gpuvm_bo);
}

static void vm_free(struct drm_gpuvm *gpuvm)
{
	struct vimport_device *vdev = to_vimport_device(gpuvm->drm);
	struct vimport_vm *vm = to_vimport_vm(gpuvm);

	vimport_queue_put(vm->queue);
	dma_fence_put(vm->last_update);
	vimport_pt_fini(&vm->pt);
	mutex_destroy(&vm->lock);
	vimport_client_put(vm->client);
	kfree(vm);
	atomic_dec(&vdev->counters.vms);

	/*
	 * The callers are ioctls, the scheduler and our workqueue. Unloading
	 * waits for each of them, so this code stays until it has returned.
	 */
	module_put(THIS_MODULE);
}

static const struct drm_gpuvm_ops vm_ops = {
	.vm_free = vm_free,
	.vm_bo_alloc = vm_bo_alloc,
	.vm_bo_free = vm_bo_free,
	.vm_bo_validate = vm_bo_validate,
	.sm_step_map = vimport_va_step_map,
	.sm_step_remap = vimport_va_step_remap,
	.sm_step_unmap = vimport_va_step_unmap,
};

static void destroy_work(struct work_struct *work)
{
	struct vimport_vm *vm = container_of(work, struct vimport_vm, destroy_work.work);

	/* A submission may be waiting for a page that somebody holds back in userspace. */
	if (!mutex_trylock(&vm->lock)) {
		queue_delayed_work(vimport_destroy_wq, &vm->destroy_work, RETRY_DELAY);
		return;
	}
	/* Whoever got the lock before us and did not see @dead is waited for. */
	vimport_vm_wait_idle(vm, false);
	drm_sched_entity_destroy(&vm->entity);

	vimport_va_unmap_all(vm);
	mutex_unlock(&vm->lock);
	/* Its last jobs may just be leaving, so without the lock, which their faults take. */
	if (vm->faulting)
		vimport_lr_vm_fini(vm, &to_vimport_device(vm->base.drm)->engine.lr);

	drm_gpuvm_put(&vm->base);
}

/**
 * vimport_vm_destroy - let an address space die
 * @vm: address space, no longer in its file; takes the initial reference over
 */
void vimport_vm_destroy(struct vimport_vm *vm)
{
	/* Pairs with the READ_ONCE()s in the engine and in submission. */
	WRITE_ONCE(vm->dead, true);
	if (vm->faulting)
		vimport_lr_vm_kill(vm);
	else
		queue_delayed_work(vimport_destroy_wq, &vm->destroy_work, 0);
}

/**
 * vimport_vm_lookup - find an address space
 * @file: file
 * @id: its id in @file
 *
 * Return: the address space, to be given back with drm_gpuvm_put(); NULL if
 * there is none.
 */
struct vimport_vm *vimport_vm_lookup(struct drm_file *file, u32 id)
{
	struct vimport_file *vfile = file->driver_priv;
	struct vimport_vm *vm;

	xa_lock(&vfile->vms);
	vm = xa_load(&vfile->vms, id);
	if (vm)
		drm_gpuvm_get(&vm->base);
	xa_unlock(&vfile->vms);

	return vm;
}

/**
 * vimport_vm_create - make an address space
 * @vdev: device, whose module the caller holds
 * @client: whose engine time its jobs take, or NULL
 * @faulting: whether its jobs may fault, instead of having fences
 *
 * Return: an address space, for vimport_vm_destroy(), or an ERR_PTR: -ENOSPC if
 * the device has too many, -ENOMEM.
 */
struct vimport_vm *vimport_vm_create(struct vimport_device *vdev, struct vimport_client *client,
				     bool faulting)
{
	struct drm_gpu_scheduler *sched = &vdev->engine.sched;
	struct drm_gem_object *resv_obj;
	struct vimport_vm *vm;
	int ret;

	if (!atomic_add_unless(&vdev->counters.vms, 1, MAX_GPU_VMS))
		return ERR_PTR(-ENOSPC);

	ret = -ENOMEM;
	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		goto err_uncount;
	mutex_init(&vm->lock);

	resv_obj = drm_gpuvm_resv_object_alloc(&vdev->drm);
	if (!resv_obj)
		goto err_free;

	ret = vimport_pt_init(&vm->pt, &vm->lock, &vdev->counters, &vm->stats);
	if (ret)
		goto err_put_resv_obj;

	if (faulting) {
		ret = vimport_lr_vm_init(vm, &vdev->engine.lr);
		if (ret)
			goto err_fini_pt;
		vm->faulting = true;
	}

	ret = drm_sched_entity_init(&vm->entity, DRM_SCHED_PRIORITY_NORMAL, &sched, 1, NULL);
	if (ret)
		goto err_fini_lr;

	vm->queue = vimport_queue_create(vdev, vm);
	if (IS_ERR(vm->queue)) {
		ret = PTR_ERR(vm->queue);
		goto err_fini_entity;
	}

	if (client)
		vm->client = vimport_client_get(client);
	vm->number = atomic64_inc_return(&vdev->counters.last_vm);
	INIT_LIST_HEAD(&vm->unflushed);
	INIT_LIST_HEAD(&vm->zap_list);
	INIT_DELAYED_WORK(&vm->destroy_work, destroy_work);
	drm_gpuvm_init(&vm->base, "vimport", 0, &vdev->drm, resv_obj,
		       0, BIT_ULL(VIMPORT_VA_BITS), 0, 0, &vm_ops);
	drm_gem_object_put(resv_obj);

	/* The caller holds the module, so it cannot be going away. */
	__module_get(THIS_MODULE);
	return vm;

err_fini_entity:
	drm_sched_entity_fini(&vm->entity);
err_fini_lr:
	if (faulting)
		vimport_lr_vm_fini(vm, &vdev->engine.lr);
err_fini_pt:
	vimport_pt_fini(&vm->pt);
err_put_resv_obj:
	drm_gem_object_put(resv_obj);
err_free:
	mutex_destroy(&vm->lock);
	kfree(vm);
err_uncount:
	atomic_dec(&vdev->counters.vms);
	return ERR_PTR(ret);
}

/**
 * vimport_vm_create_ioctl - DRM_IOCTL_VIMPORT_VM_CREATE
 * @drm: device
 * @data: &struct drm_vimport_vm_create
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_vm_create_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;
	struct drm_vimport_vm_create *args = data;
	struct vimport_vm *vm;
	int ret;

	if (args->flags & ~DRM_VIMPORT_VM_CREATE_FAULTING)
		return -EINVAL;

	vm = vimport_vm_create(to_vimport_device(drm), vfile->client,
			       args->flags & DRM_VIMPORT_VM_CREATE_FAULTING);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	ret = xa_alloc(&vfile->vms, &args->vm_id, vm, XA_LIMIT(1, MAX_FILE_VMS),
		       GFP_KERNEL_ACCOUNT);
	if (ret) {
		vimport_vm_destroy(vm);
		return ret == -EBUSY ? -ENOSPC : ret;
	}

	return 0;
}

/**
 * vimport_vm_destroy_ioctl - DRM_IOCTL_VIMPORT_VM_DESTROY
 * @drm: device
 * @data: &struct drm_vimport_vm_destroy
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_vm_destroy_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;
	struct drm_vimport_vm_destroy *args = data;
	struct vimport_vm *vm;

	if (args->pad)
		return -EINVAL;

	vm = xa_erase(&vfile->vms, args->vm_id);
	if (!vm)
		return -ENOENT;

	/* Dead first, or a queue could be made that is not found. */
	drm_gpuvm_get(&vm->base);
	vimport_vm_destroy(vm);
	vimport_queue_destroy_all(file, vm);
	drm_gpuvm_put(&vm->base);
	return 0;
}
