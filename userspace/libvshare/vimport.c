// SPDX-License-Identifier: MIT
/*
 * The importer: address spaces, and dma-bufs as the memory that is in them.
 */
#include <errno.h>

#include <xf86drm.h>

#include "vshare.h"

int vshare_vimport_info(int dev, struct drm_vimport_info *info)
{
	struct drm_vimport_info args = { 0 };

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_INFO, &args))
		return -errno;
	*info = args;
	return 0;
}

int vshare_vimport_vm_create(int dev, uint32_t *vm)
{
	struct drm_vimport_vm_create args = { 0 };

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_VM_CREATE, &args))
		return -errno;
	*vm = args.vm_id;
	return 0;
}

int vshare_vimport_vm_destroy(int dev, uint32_t vm)
{
	struct drm_vimport_vm_destroy args = { .vm_id = vm };

	return drmIoctl(dev, DRM_IOCTL_VIMPORT_VM_DESTROY, &args) ? -errno : 0;
}

int vshare_vimport_import_prime(int dev, int dmabuf, uint32_t *handle)
{
	uint32_t imported;

	if (drmPrimeFDToHandle(dev, dmabuf, &imported))
		return -errno;
	*handle = imported;
	return 0;
}

int vshare_vimport_import(int dev, int dmabuf, uint32_t flags, uint32_t *handle)
{
	struct drm_vimport_import args = {
		.fd = dmabuf,
		.flags = flags,
	};

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_IMPORT, &args))
		return -errno;
	*handle = args.handle;
	return 0;
}

int vshare_vimport_bind(int dev, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va,
			uint64_t size, uint32_t flags)
{
	struct drm_vimport_vm_bind args = {
		.vm_id = vm,
		.op = DRM_VIMPORT_VM_BIND_OP_MAP,
		.flags = flags,
		.handle = handle,
		.offset = offset,
		.va = va,
		.size = size,
	};

	return drmIoctl(dev, DRM_IOCTL_VIMPORT_VM_BIND, &args) ? -errno : 0;
}

int vshare_vimport_unbind(int dev, uint32_t vm, uint64_t va, uint64_t size)
{
	struct drm_vimport_vm_bind args = {
		.vm_id = vm,
		.op = DRM_VIMPORT_VM_BIND_OP_UNMAP,
		.va = va,
		.size = size,
	};

	return drmIoctl(dev, DRM_IOCTL_VIMPORT_VM_BIND, &args) ? -errno : 0;
}

int vshare_vimport_misbehave(int dev, uint32_t bugs)
{
	struct drm_vimport_misbehave args = { .bugs = bugs };

	return drmIoctl(dev, DRM_IOCTL_VIMPORT_MISBEHAVE, &args) ? -errno : 0;
}
