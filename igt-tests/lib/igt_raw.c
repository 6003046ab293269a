// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_raw.h"

/**
 * __raw_op - one operation of an importer
 * @fd: file of a GPU
 * @args: the operation, and what came of it
 *
 * Returns zero or a negative errno of the call itself; what the exporter said is in @args.
 */
int __raw_op(int fd, struct drm_vimport_raw *args)
{
	return drmIoctl(fd, DRM_IOCTL_VIMPORT_RAW, args) ? -errno : 0;
}

/**
 * raw_op - one operation that needs nothing but an attachment
 * @fd: file of a GPU
 * @id: the attachment
 * @op: one of enum drm_vimport_raw_op
 */
struct drm_vimport_raw raw_op(int fd, uint32_t id, uint32_t op)
{
	struct drm_vimport_raw args = { .op = op, .id = id };

	igt_assert_eq(__raw_op(fd, &args), 0);
	return args;
}

/**
 * __raw_attach - attach to a dma-buf
 * @fd: file of a GPU
 * @dmabuf: the dma-buf
 * @flags: mask of DRM_VIMPORT_RAW_*
 * @device: name of the device to attach for, or NULL for the GPU
 * @args: filled in
 *
 * Returns zero or a negative errno of the call itself.
 */
int __raw_attach(int fd, int dmabuf, uint32_t flags, const char *device,
		 struct drm_vimport_raw *args)
{
	*args = (struct drm_vimport_raw) {
		.op = DRM_VIMPORT_RAW_ATTACH,
		.flags = flags,
		.fd = dmabuf,
		.device = (uintptr_t)device,
	};
	return __raw_op(fd, args);
}

/**
 * raw_attach - attach to a dma-buf for the GPU
 * @fd: file of the GPU
 * @dmabuf: the dma-buf
 * @flags: mask of DRM_VIMPORT_RAW_*
 *
 * Returns the name of the attachment.
 */
uint32_t raw_attach(int fd, int dmabuf, uint32_t flags)
{
	struct drm_vimport_raw args;

	igt_assert_eq(__raw_attach(fd, dmabuf, flags, NULL, &args), 0);
	igt_assert_eq(args.result, 0);
	return args.id;
}

/**
 * raw_map - ask the exporter where the buffer is
 * @fd: file of a GPU
 * @id: the attachment
 * @flags: mask of DRM_VIMPORT_RAW_*
 * @segments: where it is
 * @count: room in @segments
 */
struct drm_vimport_raw raw_map(int fd, uint32_t id, uint32_t flags,
			       struct drm_vimport_raw_segment *segments, uint32_t count)
{
	struct drm_vimport_raw args = {
		.op = DRM_VIMPORT_RAW_MAP,
		.flags = flags,
		.id = id,
		.segments = (uintptr_t)segments,
		.segment_count = count,
	};

	igt_assert_eq(__raw_op(fd, &args), 0);
	igt_assert_eq(args.result, 0);
	return args;
}

/**
 * raw_unmap - give an sg table back
 * @fd: file of a GPU
 * @id: the attachment
 * @flags: mask of DRM_VIMPORT_RAW_*
 */
void raw_unmap(int fd, uint32_t id, uint32_t flags)
{
	struct drm_vimport_raw args = {
		.op = DRM_VIMPORT_RAW_UNMAP,
		.flags = flags,
		.id = id,
	};

	igt_assert_eq(__raw_op(fd, &args), 0);
}
