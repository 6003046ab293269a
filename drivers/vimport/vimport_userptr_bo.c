// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/*
 * The GEM object of a userptr buffer. It lives as long as it has a handle or is mapped in
 * an address space, whatever becomes of the memory.
 */

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/vimport_drm.h>

#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vimport_drv.h"
#include "vimport_misbehave.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"
#include "vimport_warden.h"

/* No address space maps the object any more: each mapping holds a reference. */
static void userptr_free(struct drm_gem_object *obj)
{
	struct vimport_userptr *userptr = to_vimport_userptr(obj);
	struct vimport_device *vdev = to_vimport_device(obj->dev);

	WARN_ON(!list_empty(&userptr->vm_bos));

	/* Waits for the notifier, which takes locks and waits for jobs itself. */
	if (userptr->pages)
		vimport_misbehave_unpin_user_pages(userptr->pages, obj->size >> PAGE_SHIFT);
	else if (userptr->notifier.mm)
		mmu_interval_notifier_remove(&userptr->notifier);
	vimport_warden_fini(userptr);
	mmdrop(userptr->mm);

	vimport_segs_fini(&userptr->base.segs);
	drm_gem_object_release(obj);
	kfree(userptr);
	atomic_dec(&vdev->counters.userptrs);
}

/* It is memory of one process, and of nobody else's device. */
static struct dma_buf *userptr_export(struct drm_gem_object *obj, int flags)
{
	return ERR_PTR(-EPERM);
}

static const struct drm_gem_object_funcs userptr_funcs = {
	.free = userptr_free,
	.open = vimport_find_open,
	.close = vimport_find_close,
	.export = userptr_export,
};

/**
 * vimport_userptr_is - whether a buffer is memory of a process
 * @obj: GEM object of vimport
 *
 * Return: true if it is a &struct vimport_userptr, false for an import.
 */
bool vimport_userptr_is(const struct drm_gem_object *obj)
{
	return obj->funcs == &userptr_funcs;
}

static struct vimport_userptr *create(struct vimport_device *vdev,
				      const struct drm_vimport_userptr *args)
{
	struct vimport_userptr *userptr;

	userptr = kzalloc(sizeof(*userptr), GFP_KERNEL_ACCOUNT);
	if (!userptr)
		return NULL;

	userptr->base.base.funcs = &userptr_funcs;
	userptr->base.readonly = args->flags & DRM_VIMPORT_USERPTR_READONLY;
	userptr->addr = args->addr;
	userptr->mm = current->mm;
	INIT_LIST_HEAD(&userptr->vm_bos);
	mmgrab(userptr->mm);
	drm_gem_private_object_init(&vdev->drm, &userptr->base.base, args->size);
	atomic_inc(&vdev->counters.userptrs);
	return userptr;
}

/**
 * vimport_userptr_ioctl - DRM_IOCTL_VIMPORT_USERPTR
 * @drm: device
 * @data: &struct drm_vimport_userptr
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_userptr_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;
	struct drm_vimport_userptr *args = data;
	struct vimport_userptr *userptr;
	int ret;

	if (args->flags & ~(DRM_VIMPORT_USERPTR_READONLY | DRM_VIMPORT_USERPTR_PROBE) ||
	    !args->size || !PAGE_ALIGNED(args->addr | args->size))
		return -EINVAL;
	if (!access_ok(u64_to_user_ptr(args->addr), args->size))
		return -EFAULT;
	/* Looking it up takes time and memory, and more could not be mapped anyway. */
	if (args->size > VIMPORT_MAX_MAPPED)
		return -E2BIG;

	userptr = create(to_vimport_device(drm), args);
	if (!userptr)
		return -ENOMEM;

	ret = vimport_misbehave_userptr(userptr, READ_ONCE(vfile->bugs));
	if (ret)
		goto out_put;
	if (READ_ONCE(vfile->bugs) & DRM_VIMPORT_BUG_USERPTR_PIN)
		ret = vimport_misbehave_pin_user_pages(userptr);
	else
		ret = vimport_userptr_watch(userptr);
	if (ret)
		goto out_put;

	if (args->flags & DRM_VIMPORT_USERPTR_PROBE && !userptr->pages) {
		ret = vimport_userptr_fault(userptr, true);
		if (ret)
			goto out_put;
	}

	ret = drm_gem_handle_create(file, &userptr->base.base, &args->handle);

out_put:
	drm_gem_object_put(&userptr->base.base);
	return ret;
}
