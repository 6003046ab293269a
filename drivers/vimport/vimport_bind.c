// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: bind
 *
 * VM_BIND changes the VA tree at once, and the page table not at all: a new
 * mapping gets its translations from the next job, which carries them to the
 * engine. Only what a job cannot do is done here: its tables are allocated,
 * and an unmapped range is zapped, when no job is left that may use it.
 */

#include <drm/vimport_drm.h>

#include <linux/dma-resv.h>
#include <linux/slab.h>

#include "vimport_bind.h"
#include "vimport_bo.h"
#include "vimport_vm.h"

/**
 * vimport_bind_remove_locked - take a mapping down
 * @vm: address space, idle, its lock held
 * @va: mapping, the dma_resv of its import held; freed
 *
 * May drop all references to the import but for the caller's.
 */
void vimport_bind_remove_locked(struct vimport_vm *vm, struct vimport_va *va)
{
	struct vimport_bo *bo = to_vimport_bo(va->base.gem.obj);

	lockdep_assert_held(&vm->lock);
	dma_resv_assert_held(bo->base.resv);

	mutex_lock(&vm->pt.lock);
	list_del(&va->node);
	vimport_pt_zap(&vm->pt, va->base.va.addr, va->base.va.range);
	vimport_pt_flush(&vm->pt, va->base.va.addr, va->base.va.range);
	mutex_unlock(&vm->pt.lock);
	vimport_pt_release(&vm->pt, va->base.va.addr, va->base.va.range);

	vm->mappings--;
	vm->mapped -= va->base.va.range;
	drm_gpuva_unlink(&va->base);
	drm_gpuva_remove(&va->base);
	kfree(va);
	vimport_bo_unmap_unused_locked(bo);
}

static int map(struct vimport_vm *vm, struct drm_file *file,
	       const struct drm_vimport_vm_bind *args)
{
	struct drm_gpuvm_bo *vm_bo;
	struct drm_gem_object *obj;
	struct vimport_va *va;
	struct vimport_bo *bo;
	int ret;

	lockdep_assert_held(&vm->lock);

	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	bo = to_vimport_bo(obj);

	ret = -EINVAL;
	if (args->offset >= obj->size || args->size > obj->size - args->offset)
		goto err_put_obj;

	ret = -EEXIST;
	if (!drm_gpuvm_interval_empty(&vm->base, args->va, args->size))
		goto err_put_obj;

	ret = -ENOSPC;
	if (vm->mappings >= VIMPORT_MAX_MAPPINGS || args->size > VIMPORT_MAX_MAPPED - vm->mapped)
		goto err_put_obj;

	ret = -ENOMEM;
	va = kzalloc(sizeof(*va), GFP_KERNEL_ACCOUNT);
	if (!va)
		goto err_put_obj;
	va->base.va.addr = args->va;
	va->base.va.range = args->size;
	va->base.gem.obj = obj;
	va->base.gem.offset = args->offset;
	va->write = !(args->flags & DRM_VIMPORT_VM_BIND_READONLY);

	ret = vimport_pt_reserve(&vm->pt, args->va, args->size);
	if (ret)
		goto err_free_va;

	ret = -ERESTARTSYS;
	if (dma_resv_lock_interruptible(obj->resv, NULL))
		goto err_release_pt;

	/*
	 * Only a look at the sg table tells whether the engine can reach the
	 * buffer. Any other trouble may have passed by the time that a job
	 * needs it, and is reported there.
	 */
	if (!bo->sgt) {
		ret = vimport_bo_validate_locked(bo);
		if (ret == -EOPNOTSUPP)
			goto err_unlock;
	}

	vm_bo = drm_gpuvm_bo_obtain_locked(&vm->base, obj);
	if (IS_ERR(vm_bo)) {
		ret = PTR_ERR(vm_bo);
		goto err_unlock;
	}

	ret = drm_gpuva_insert(&vm->base, &va->base);
	if (ret)
		goto err_put_vm_bo;

	drm_gpuva_link(&va->base, vm_bo);
	drm_gpuvm_bo_extobj_add(vm_bo);
	if (!bo->sgt || bo->stale)
		drm_gpuvm_bo_evict(vm_bo, true);
	mutex_lock(&vm->pt.lock);
	list_add_tail(&va->node, &to_vimport_vm_bo(vm_bo)->mappings);
	mutex_unlock(&vm->pt.lock);
	vm->mappings++;
	vm->mapped += args->size;

	drm_gpuvm_bo_put(vm_bo);
	dma_resv_unlock(obj->resv);
	drm_gem_object_put(obj);
	return 0;

err_put_vm_bo:
	drm_gpuvm_bo_put(vm_bo);
err_unlock:
	vimport_bo_unmap_unused_locked(bo);
	dma_resv_unlock(obj->resv);
err_release_pt:
	vimport_pt_release(&vm->pt, args->va, args->size);
err_free_va:
	kfree(va);
err_put_obj:
	drm_gem_object_put(obj);
	return ret;
}

static int unmap(struct vimport_vm *vm, const struct drm_vimport_vm_bind *args)
{
	struct drm_gem_object *obj;
	struct drm_gpuva *va;
	int ret;

	lockdep_assert_held(&vm->lock);

	va = drm_gpuva_find(&vm->base, args->va, args->size);
	if (!va)
		return -ENOENT;

	/* Nobody submits meanwhile, that needs the lock. */
	ret = vimport_vm_wait_idle(vm, true);
	if (ret)
		return ret;

	obj = va->gem.obj;
	if (dma_resv_lock_interruptible(obj->resv, NULL))
		return -ERESTARTSYS;

	/* Unlinking may drop the last other reference, under the lock. */
	drm_gem_object_get(obj);
	vimport_bind_remove_locked(vm, to_vimport_va(va));
	dma_resv_unlock(obj->resv);
	drm_gem_object_put(obj);
	return 0;
}

static bool args_valid(const struct drm_vimport_vm_bind *args)
{
	u64 max = BIT_ULL(VIMPORT_VA_BITS);

	if (!args->size || args->va >= max || args->size > max - args->va ||
	    !IS_ALIGNED(args->va | args->size | args->offset, VIMPORT_PAGE_SIZE))
		return false;

	switch (args->op) {
	case DRM_VIMPORT_VM_BIND_OP_MAP:
		return !(args->flags & ~DRM_VIMPORT_VM_BIND_READONLY);
	case DRM_VIMPORT_VM_BIND_OP_UNMAP:
		return !args->flags && !args->handle && !args->offset;
	default:
		return false;
	}
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
	struct vimport_vm *vm;
	int ret;

	if (!args_valid(args))
		return -EINVAL;

	vm = vimport_vm_lookup(file, args->vm_id);
	if (!vm)
		return -ENOENT;

	if (mutex_lock_interruptible(&vm->lock)) {
		ret = -ERESTARTSYS;
		goto out_put;
	}

	if (READ_ONCE(vm->dead))
		ret = -ENOENT;
	else if (args->op == DRM_VIMPORT_VM_BIND_OP_MAP)
		ret = map(vm, file, args);
	else
		ret = unmap(vm, args);

	mutex_unlock(&vm->lock);
out_put:
	drm_gpuvm_put(&vm->base);
	return ret;
}
