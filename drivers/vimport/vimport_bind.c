// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: bind
 *
 * VM_BIND changes the VA tree at once. The page table follows: a new mapping gets its
 * translations from the next job, which carries them to the engine. Only what a job
 * cannot do is done here: its tables are allocated, and what was mapped in
 * the range is zapped, when no job is left that may use it. Either the call waits for
 * that, or it leaves it to a job of its own, see DOC: asynchronous binds.
 *
 * Up to the change of the tree everything can fail and leaves nothing behind. From there
 * on nothing can.
 */

#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_gpuvm.h>
#include <drm/vimport_drm.h>

#include <linux/dma-resv.h>

#include "vimport_bind.h"
#include "vimport_bind_job.h"
#include "vimport_bo.h"
#include "vimport_job.h"
#include "vimport_sync.h"
#include "vimport_use.h"
#include "vimport_userptr.h"
#include "vimport_va.h"
#include "vimport_vm.h"

/*
 * The reservations of the address space, of what is mapped in the range, and of @obj
 * if there is one.
 */
static int lock_reservations(struct vimport_vm *vm, struct drm_exec *exec,
			     const struct drm_vimport_vm_bind *args, struct drm_gem_object *obj)
{
	int ret;

	lockdep_assert_held(&vm->lock);

	drm_exec_init(exec, DRM_EXEC_INTERRUPTIBLE_WAIT | DRM_EXEC_IGNORE_DUPLICATES, 0);
	drm_exec_until_all_locked(exec) {
		ret = drm_gpuvm_prepare_vm(&vm->base, exec, 0);
		drm_exec_retry_on_contention(exec);
		if (ret)
			goto err_fini;

		ret = drm_gpuvm_prepare_range(&vm->base, exec, args->va, args->size, 0);
		drm_exec_retry_on_contention(exec);
		if (ret)
			goto err_fini;

		if (obj)
			ret = drm_exec_lock_obj(exec, obj);
		drm_exec_retry_on_contention(exec);
		if (ret)
			goto err_fini;
	}

	return 0;

err_fini:
	drm_exec_fini(exec);
	/* An interrupted lock is to be tried again. */
	return ret == -EINTR ? -ERESTARTSYS : ret;
}

/*
 * What can fail about a new mapping. The caller puts the vm_bo, whose only references
 * are those of mappings and the caller's.
 */
static int prepare_map_locked(struct vimport_va_change *change, struct drm_gem_object *obj)
{
	struct vimport_bo *bo = to_vimport_bo(obj);
	struct drm_gpuvm_bo *vm_bo;
	int ret;

	lockdep_assert_held(&change->vm->lock);
	dma_resv_assert_held(obj->resv);

	/*
	 * Only a look at the sg table tells whether the engine can reach the
	 * buffer. Any other trouble may have passed by the time that a job
	 * needs it, and is reported there.
	 */
	if (!bo->sgt && vimport_bo_validate_locked(bo) == -EOPNOTSUPP)
		return -EOPNOTSUPP;

	ret = vimport_use_inherit_locked(change->vm, obj);
	if (ret) {
		vimport_bo_unmap_unused_locked(bo);
		return ret;
	}

	vm_bo = drm_gpuvm_bo_obtain_locked(&change->vm->base, obj);
	if (IS_ERR(vm_bo)) {
		vimport_bo_unmap_unused_locked(bo);
		return PTR_ERR(vm_bo);
	}

	drm_gpuvm_bo_extobj_add(vm_bo);
	if (!bo->sgt || bo->stale)
		drm_gpuvm_bo_evict(vm_bo, true);
	change->vm_bo = vm_bo;
	return 0;
}

static void change_tree_locked(struct vimport_va_change *change,
			       const struct drm_vimport_vm_bind *args, struct drm_gem_object *obj)
{
	lockdep_assert_held(&change->vm->lock);
	drm_gpuvm_resv_assert_held(&change->vm->base);

	if (!obj) {
		vimport_va_unmap_locked(change, args->va, args->size);
		return;
	}

	vimport_va_map_locked(change, obj, args->offset, args->va, args->size,
			      !(args->flags & DRM_VIMPORT_VM_BIND_READONLY));
	drm_gpuvm_bo_put(change->vm_bo);
}

/* With a @job, which the caller keeps if this fails, wait for nothing. */
static int bind(struct vimport_va_change *change, const struct drm_vimport_vm_bind *args,
		struct drm_gem_object *obj, struct vimport_job *job, struct vimport_syncs *syncs,
		struct drm_file *file)
{
	struct vimport_vm *vm = change->vm;
	struct drm_exec exec;
	int ret;

	lockdep_assert_held(&vm->lock);

	if (READ_ONCE(vm->dead))
		return -ENOENT;

	ret = vimport_va_check_room(vm, args->va, args->size, obj, job);
	if (ret)
		return ret;

	if (job)
		ret = vimport_bind_job_init(job, syncs, file->client_id);
	else if (!drm_gpuvm_interval_empty(&vm->base, args->va, args->size))
		/* Nobody submits meanwhile, that needs the lock. */
		ret = vimport_vm_wait_idle(vm, true);
	if (ret)
		return ret;

	if (obj) {
		ret = vimport_pt_reserve(&vm->pt, args->va, args->size);
		if (ret)
			goto err_cleanup_job;
	}

	ret = lock_reservations(vm, &exec, args, obj);
	if (ret)
		goto err_release_pt;

	if (job) {
		ret = vimport_bind_job_prepare_locked(job);
		if (ret)
			goto err_unlock;
	}
	if (obj) {
		ret = prepare_map_locked(change, obj);
		if (ret)
			goto err_unlock;
	}

	change_tree_locked(change, args, obj);
	if (job)
		vimport_bind_job_commit_locked(job, syncs);
	drm_exec_fini(&exec);
	if (job)
		return 0;

	vimport_va_zap(change);
	vimport_va_release(change);
	return 0;

err_unlock:
	drm_exec_fini(&exec);
err_release_pt:
	if (obj)
		vimport_pt_release(&vm->pt, args->va, args->size);
err_cleanup_job:
	if (job)
		drm_sched_job_cleanup(&job->base);
	return ret;
}

/* The caller holds no lock yet: all that can be had from userspace is had here. */
static int bind_async(struct vimport_vm *vm, const struct drm_vimport_vm_bind *args,
		      struct drm_gem_object *obj, struct drm_file *file)
{
	struct vimport_syncs syncs = {};
	struct vimport_job *job;
	int ret;

	job = vimport_bind_job_create(vm, obj, args->size);
	if (IS_ERR(job))
		return PTR_ERR(job);

	ret = vimport_sync_parse(&syncs, file, args->syncs, args->sync_count, args->sync_stride);
	if (ret)
		goto out_free_syncs;

	if (mutex_lock_interruptible(&vm->lock)) {
		ret = -ERESTARTSYS;
		goto out_free_syncs;
	}
	ret = bind(&job->bind->change, args, obj, job, &syncs, file);
	mutex_unlock(&vm->lock);

out_free_syncs:
	vimport_sync_free(&syncs);
	if (ret)
		vimport_job_free(job);
	return ret;
}

static int bind_sync(struct vimport_vm *vm, const struct drm_vimport_vm_bind *args,
		     struct drm_gem_object *obj)
{
	struct vimport_va_change change;
	int ret;

	ret = vimport_va_change_init(&change, vm, obj);
	if (ret)
		goto out_fini_change;

	if (mutex_lock_interruptible(&vm->lock)) {
		ret = -ERESTARTSYS;
		goto out_fini_change;
	}
	ret = bind(&change, args, obj, NULL, NULL, NULL);
	mutex_unlock(&vm->lock);

out_fini_change:
	vimport_va_change_fini(&change);
	return ret;
}

static bool syncs_valid(const struct drm_vimport_vm_bind *args)
{
	if (args->sync_count)
		return args->flags & DRM_VIMPORT_VM_BIND_ASYNC;
	return !args->syncs && !args->sync_stride;
}

static bool args_valid(const struct drm_vimport_vm_bind *args)
{
	u64 max = BIT_ULL(VIMPORT_VA_BITS);

	if (!args->size || args->va >= max || args->size > max - args->va ||
	    !IS_ALIGNED(args->va | args->size | args->offset, VIMPORT_PAGE_SIZE))
		return false;
	if (!syncs_valid(args))
		return false;

	switch (args->op) {
	case DRM_VIMPORT_VM_BIND_OP_MAP:
		return !(args->flags & ~(DRM_VIMPORT_VM_BIND_READONLY |
					 DRM_VIMPORT_VM_BIND_ASYNC));
	case DRM_VIMPORT_VM_BIND_OP_UNMAP:
		return !(args->flags & ~DRM_VIMPORT_VM_BIND_ASYNC) && !args->handle &&
		       !args->offset;
	default:
		return false;
	}
}

/* The buffer of a MAP. */
static struct drm_gem_object *lookup_obj(struct drm_file *file,
					 const struct drm_vimport_vm_bind *args)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, args->handle);
	int ret = -EINVAL;

	if (!obj)
		return ERR_PTR(-ENOENT);

	if (args->offset >= obj->size || args->size > obj->size - args->offset)
		goto err_put;
	/* Jobs that are under way would reach it, whoever has submitted them. */
	if (vimport_userptr_is(obj) && to_vimport_userptr(obj)->mm != current->mm) {
		ret = -EPERM;
		goto err_put;
	}
	if (to_vimport_bo(obj)->readonly && !(args->flags & DRM_VIMPORT_VM_BIND_READONLY))
		goto err_put;

	return obj;

err_put:
	drm_gem_object_put(obj);
	return ERR_PTR(ret);
}

/**
 * vimport_bind_ioctl - DRM_IOCTL_VIMPORT_VM_BIND
 * @drm: device
 * @data: &struct drm_vimport_vm_bind
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_bind_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vimport_vm_bind *args = data;
	struct drm_gem_object *obj = NULL;
	struct vimport_vm *vm;
	int ret;

	if (!args_valid(args))
		return -EINVAL;

	vm = vimport_vm_lookup(file, args->vm_id);
	if (!vm)
		return -ENOENT;

	/* There is no fence that it could wait for, or have. */
	if (vm->faulting && args->flags & DRM_VIMPORT_VM_BIND_ASYNC) {
		ret = -EOPNOTSUPP;
		goto out_put_vm;
	}

	if (args->op == DRM_VIMPORT_VM_BIND_OP_MAP) {
		obj = lookup_obj(file, args);
		if (IS_ERR(obj)) {
			ret = PTR_ERR(obj);
			goto out_put_vm;
		}
	}

	if (args->flags & DRM_VIMPORT_VM_BIND_ASYNC)
		ret = bind_async(vm, args, obj, file);
	else
		ret = bind_sync(vm, args, obj);

	if (obj)
		drm_gem_object_put(obj);
out_put_vm:
	drm_gpuvm_put(&vm->base);
	return ret;
}
