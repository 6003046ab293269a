// SPDX-License-Identifier: MIT
/*
 * The importer: address spaces, and dma-bufs and memory of the process that are in them.
 */
#include <errno.h>
#include <sys/ioctl.h>

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

static int vm_create(int dev, uint32_t flags, uint32_t *vm)
{
	struct drm_vimport_vm_create args = { .flags = flags };

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_VM_CREATE, &args))
		return -errno;
	*vm = args.vm_id;
	return 0;
}

int vshare_vimport_vm_create(int dev, uint32_t *vm)
{
	return vm_create(dev, 0, vm);
}

int vshare_vimport_vm_create_faulting(int dev, uint32_t *vm)
{
	return vm_create(dev, DRM_VIMPORT_VM_CREATE_FAULTING, vm);
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

int vshare_vimport_userptr(int dev, const void *addr, uint64_t size, uint32_t flags,
			   uint32_t *handle)
{
	struct drm_vimport_userptr args = {
		.addr = (uintptr_t)addr,
		.size = size,
		.flags = flags,
	};

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_USERPTR, &args))
		return -errno;
	*handle = args.handle;
	return 0;
}

int vshare_vimport_find(int dev, const void *addr, uint64_t size, uint32_t flags,
			uint32_t *handle, uint64_t *offset)
{
	struct drm_vimport_userptr_find args = {
		.addr = (uintptr_t)addr,
		.size = size,
		.flags = flags,
	};

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_USERPTR_FIND, &args))
		return -errno;
	*handle = args.handle;
	*offset = args.offset;
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

/*
 * drmIoctl() restarts on EAGAIN too, and would keep a CPU busy for as long as the
 * address space has too much to do.
 */
int vshare_vimport_bind_async(int dev, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va,
			      uint64_t size, uint32_t flags, const struct drm_vimport_sync *syncs,
			      uint32_t sync_count)
{
	struct drm_vimport_vm_bind args = {
		.vm_id = vm,
		.op = handle ? DRM_VIMPORT_VM_BIND_OP_MAP : DRM_VIMPORT_VM_BIND_OP_UNMAP,
		.flags = flags | DRM_VIMPORT_VM_BIND_ASYNC,
		.handle = handle,
		.offset = offset,
		.va = va,
		.size = size,
		.syncs = sync_count ? (uintptr_t)syncs : 0,
		.sync_count = sync_count,
		.sync_stride = sync_count ? sizeof(*syncs) : 0,
	};
	int ret;

	do {
		ret = ioctl(dev, DRM_IOCTL_VIMPORT_VM_BIND, &args);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

int vshare_vimport_queue_create(int dev, uint32_t vm, uint32_t *queue)
{
	struct drm_vimport_queue_create args = { .vm_id = vm };

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_QUEUE_CREATE, &args))
		return -errno;
	*queue = args.queue_id;
	return 0;
}

int vshare_vimport_queue_destroy(int dev, uint32_t queue)
{
	struct drm_vimport_queue_destroy args = { .queue_id = queue };

	return drmIoctl(dev, DRM_IOCTL_VIMPORT_QUEUE_DESTROY, &args) ? -errno : 0;
}

int vshare_vimport_queue_query(int dev, uint32_t queue, struct drm_vimport_queue_query *query)
{
	struct drm_vimport_queue_query args = { .queue_id = queue };

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_QUEUE_QUERY, &args))
		return -errno;
	*query = args;
	return 0;
}

int vshare_vimport_raw(int dev, struct drm_vimport_raw *args)
{
	struct drm_vimport_raw raw = *args;

	if (drmIoctl(dev, DRM_IOCTL_VIMPORT_RAW, &raw))
		return -errno;
	*args = raw;
	return 0;
}

int vshare_vimport_misbehave(int dev, uint32_t bugs)
{
	struct drm_vimport_misbehave args = { .bugs = bugs };

	return drmIoctl(dev, DRM_IOCTL_VIMPORT_MISBEHAVE, &args) ? -errno : 0;
}
