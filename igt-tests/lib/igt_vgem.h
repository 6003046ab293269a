/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VGEM_H
#define IGT_VGEM_H

#include <stdint.h>

/* What the kernel calls it; its header does not come with libdrm. */
#define VGEM_FENCE_WRITE	0x1

struct vgem_bo {
	uint32_t handle;
	uint32_t width, height;
	uint32_t bpp, pitch;
	uint64_t size;
};

void vgem_create(int fd, struct vgem_bo *bo);
void *vgem_mmap(int fd, struct vgem_bo *bo, unsigned int prot);
uint32_t vgem_fence_attach(int fd, struct vgem_bo *bo, unsigned int flags);
void vgem_fence_signal(int fd, uint32_t fence);

#endif /* IGT_VGEM_H */
