// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_vexport.h"
#include "igt_vshare.h"

/**
 * __vexport_open - open the exporter's render node
 *
 * Returns the file or -1.
 */
int __vexport_open(void)
{
	return vshare_open_render("vexport", 0);
}

/**
 * vexport_open - open the exporter's render node, or skip
 */
int vexport_open(void)
{
	int fd = __vexport_open();

	igt_require_f(fd >= 0, "No device of vexport: load vexport.ko\n");
	return fd;
}

void vexport_get_info(int fd, struct drm_vexport_info *info)
{
	memset(info, 0, sizeof(*info));
	do_ioctl(fd, DRM_IOCTL_VEXPORT_INFO, info);
}

int __vexport_gem_create(int fd, struct drm_vexport_gem_create *create)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_GEM_CREATE, create) ? -errno : 0;
}

uint32_t vexport_gem_create(int fd, uint64_t size, uint32_t placement, uint32_t flags)
{
	struct drm_vexport_gem_create create = {
		.size = size,
		.placement = placement,
		.flags = flags,
	};

	igt_assert_eq(__vexport_gem_create(fd, &create), 0);
	igt_assert(create.handle);
	return create.handle;
}

uint64_t vexport_gem_mmap_offset(int fd, uint32_t handle)
{
	struct drm_vexport_gem_mmap_offset args = { .handle = handle };

	do_ioctl(fd, DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET, &args);
	return args.offset;
}

void *vexport_gem_mmap(int fd, uint32_t handle, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 vexport_gem_mmap_offset(fd, handle));

	igt_assert_f(map != MAP_FAILED, "mmap() of a GEM handle failed: %m\n");
	return map;
}

void *vexport_dmabuf_mmap(int dmabuf, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);

	igt_assert_f(map != MAP_FAILED, "mmap() of a dma-buf failed: %m\n");
	return map;
}

int __vexport_query(int fd, struct drm_vexport_bo_query *query)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_BO_QUERY, query) ? -errno : 0;
}

void vexport_query(int fd, int dmabuf, struct drm_vexport_bo_query *query)
{
	memset(query, 0, sizeof(*query));
	query->fd = dmabuf;
	igt_assert_eq(__vexport_query(fd, query), 0);
}

int __vexport_move(int fd, struct drm_vexport_bo_move *move)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_BO_MOVE, move) ? -errno : 0;
}

/**
 * vexport_move - move a buffer, which must succeed
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 * @placement: where to; ignored with %DRM_VEXPORT_MOVE_RELOCATE
 * @flags: mask of DRM_VEXPORT_MOVE_*
 *
 * Returns the buffer's generation after the move.
 */
uint64_t vexport_move(int fd, int dmabuf, uint32_t placement, uint32_t flags)
{
	struct drm_vexport_bo_move move = {
		.fd = dmabuf,
		.placement = flags & DRM_VEXPORT_MOVE_RELOCATE ? 0 : placement,
		.flags = flags,
	};
	int ret = __vexport_move(fd, &move);

	igt_assert_f(!ret, "Moving a buffer (placement %s, flags %#x) failed: %s\n",
		     vexport_placement_name(placement), flags, strerror(-ret));
	return move.generation;
}

const char *vexport_placement_name(uint32_t placement)
{
	static const char * const names[] = {
		[DRM_VEXPORT_PLACEMENT_SYSTEM] = "system",
		[DRM_VEXPORT_PLACEMENT_TT] = "tt",
		[DRM_VEXPORT_PLACEMENT_VRAM] = "vram",
	};

	return placement < ARRAY_SIZE(names) ? names[placement] : "nowhere";
}

/**
 * vexport_bo_init - create a buffer, export it and map it
 * @bo: the buffer to fill in
 * @fd: device file of the exporter
 * @size: size, in whole pages
 * @placement: where it starts
 * @flags: mask of DRM_VEXPORT_GEM_*
 */
void vexport_bo_init(struct vexport_bo *bo, int fd, size_t size, uint32_t placement,
		     uint32_t flags)
{
	bo->fd = fd;
	bo->size = size;
	bo->handle = vexport_gem_create(fd, size, placement, flags);
	bo->dmabuf = prime_handle_to_fd_for_mmap(fd, bo->handle);
	igt_assert_fd(bo->dmabuf);
	bo->map = vexport_dmabuf_mmap(bo->dmabuf, size);
}

/**
 * vexport_bo_close_handle - close the GEM handle and keep the dma-buf
 * @bo: the buffer
 */
void vexport_bo_close_handle(struct vexport_bo *bo)
{
	gem_close(bo->fd, bo->handle);
	bo->handle = 0;
}

void vexport_bo_fini(struct vexport_bo *bo)
{
	munmap(bo->map, bo->size);
	close(bo->dmabuf);
	if (bo->handle)
		gem_close(bo->fd, bo->handle);
	memset(bo, 0, sizeof(*bo));
}
