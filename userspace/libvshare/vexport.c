// SPDX-License-Identifier: MIT
/*
 * The exporter: create buffers, share them, move them, ask about them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>

#include "vshare.h"

int vshare_vexport_info(int dev, struct drm_vexport_info *info)
{
	struct drm_vexport_info args = { 0 };

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_INFO, &args))
		return -errno;
	*info = args;
	return 0;
}

int vshare_vexport_create(int dev, uint64_t *size, uint32_t placement, uint32_t flags,
			  uint32_t *handle)
{
	struct drm_vexport_gem_create args = {
		.size = *size,
		.placement = placement,
		.flags = flags,
	};

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_GEM_CREATE, &args))
		return -errno;
	*size = args.size;
	*handle = args.handle;
	return 0;
}

int vshare_vexport_mmap(int dev, uint32_t handle, size_t size, void **map)
{
	struct drm_vexport_gem_mmap_offset args = { .handle = handle };
	void *ptr;

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET, &args))
		return -errno;
	ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dev, args.offset);
	if (ptr == MAP_FAILED)
		return -errno;
	*map = ptr;
	return 0;
}

int vshare_vexport_export(int dev, uint32_t handle)
{
	int dmabuf;

	if (drmPrimeHandleToFD(dev, handle, DRM_CLOEXEC | DRM_RDWR, &dmabuf))
		return -errno;
	return dmabuf;
}

int vshare_vexport_alloc(int dev, uint64_t *size, uint32_t placement, uint32_t flags)
{
	uint64_t rounded = *size;
	uint32_t handle;
	int dmabuf, ret;

	ret = vshare_vexport_create(dev, &rounded, placement, flags, &handle);
	if (ret)
		return ret;
	dmabuf = vshare_vexport_export(dev, handle);
	vshare_handle_close(dev, handle);
	if (dmabuf >= 0)
		*size = rounded;
	return dmabuf;
}

int vshare_vexport_query(int dev, int dmabuf, struct drm_vexport_bo_query *query)
{
	struct drm_vexport_bo_query args = { .fd = dmabuf };

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_BO_QUERY, &args))
		return -errno;
	*query = args;
	return 0;
}

int vshare_vexport_move(int dev, int dmabuf, uint32_t placement, uint32_t flags,
			uint64_t *generation)
{
	struct drm_vexport_bo_move args = {
		.fd = dmabuf,
		.placement = placement,
		.flags = flags,
	};

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_BO_MOVE, &args))
		return -errno;
	if (generation)
		*generation = args.generation;
	return 0;
}
