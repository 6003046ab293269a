// SPDX-License-Identifier: MIT
/*
 * The exporter: create buffers, share them, move them, ask about them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>

#include "deadline.h"
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

	/* Nobody would get the fence, and close it. */
	if (flags & DRM_VEXPORT_MOVE_OUT_FENCE)
		return -EINVAL;
	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_BO_MOVE, &args))
		return -errno;
	if (generation)
		*generation = args.generation;
	return 0;
}

int vshare_vexport_revoke(int dev, int dmabuf, uint32_t state, uint64_t timeout, uint32_t *maps)
{
	struct drm_vexport_bo_revoke args = {
		.fd = dmabuf,
		.state = state,
		.timeout_nsec = state == DRM_VEXPORT_REVOKE_NONE ? 0 : deadline(timeout),
	};

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_BO_REVOKE, &args))
		return -errno;
	if (maps)
		*maps = args.maps;
	return 0;
}

int vshare_vexport_storm(int dev, const int *dmabufs, unsigned int count, uint32_t kinds,
			 uint32_t rate, uint64_t *seed)
{
	struct drm_vexport_storm args = {
		.fds = (uintptr_t)dmabufs,
		.fd_count = count,
		.kinds = kinds,
		.seed = *seed,
		.rate = rate,
	};

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_STORM, &args))
		return -errno;
	*seed = args.seed;
	return args.storm_fd;
}

int vshare_vexport_storm_read(int storm, struct drm_vexport_storm_counters *counters)
{
	struct drm_vexport_storm_counters now;
	ssize_t size = read(storm, &now, sizeof(now));

	if (size != sizeof(now))
		return size < 0 ? -errno : -EIO;
	*counters = now;
	return 0;
}
