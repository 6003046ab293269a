/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VEXPORT_H
#define IGT_VEXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm/vexport_drm.h>

/**
 * struct vexport_bo - a buffer as a test holds it
 */
struct vexport_bo {
	/** @fd: Device file that it was created through; not owned. */
	int fd;

	/** @handle: GEM handle, or zero once it is closed. */
	uint32_t handle;

	/** @dmabuf: dma-buf of it. */
	int dmabuf;

	/** @size: Size in bytes. */
	size_t size;

	/** @map: CPU mapping of the dma-buf. */
	uint64_t *map;
};

int __vexport_open(void);
int vexport_open(void);
void vexport_get_info(int fd, struct drm_vexport_info *info);
int __vexport_gem_create(int fd, struct drm_vexport_gem_create *create);
uint32_t vexport_gem_create(int fd, uint64_t size, uint32_t placement, uint32_t flags);
int vexport_gem_export(int fd, uint32_t handle);
uint64_t vexport_gem_mmap_offset(int fd, uint32_t handle);
void *vexport_gem_mmap(int fd, uint32_t handle, size_t size);

int __vexport_query(int fd, struct drm_vexport_bo_query *query);
void vexport_query(int fd, int dmabuf, struct drm_vexport_bo_query *query);
void vexport_wait_attachments(int fd, int dmabuf, uint32_t count);
uint32_t vexport_maps(int fd, int dmabuf);
void vexport_wait_given_back(int fd, int dmabuf);
void vexport_wait_dmabufs(int fd, int dmabuf, uint32_t count);
int __vexport_move(int fd, struct drm_vexport_bo_move *move);
uint64_t vexport_move(int fd, int dmabuf, uint32_t placement, uint32_t flags);
int __vexport_revoke(int fd, struct drm_vexport_bo_revoke *revoke);
uint32_t vexport_revoke(int fd, int dmabuf, uint32_t state, unsigned int timeout_ms);
uint64_t vexport_deadline(unsigned int timeout_ms);
int __vexport_verdict(int fd, struct drm_vexport_bo_verdict *verdict);
void vexport_verdict(int fd, int dmabuf, unsigned int timeout_ms,
		     struct drm_vexport_bo_verdict *verdict);
void vexport_set_parameter(const char *name, unsigned int value);
void vexport_restore_parameters(int sig);
int __vexport_profile(int fd, struct drm_vexport_bo_profile *profile);
void vexport_set_profile(int fd, int dmabuf, const struct drm_vexport_bo_profile *profile);
void vexport_get_profile(int fd, int dmabuf, struct drm_vexport_bo_profile *profile);
bool vexport_touch(uint64_t *word, bool write);
const char *vexport_placement_name(uint32_t placement);

void vexport_bo_init(struct vexport_bo *bo, int fd, size_t size, uint32_t placement,
		     uint32_t flags);
void vexport_bo_close_handle(struct vexport_bo *bo);
void vexport_bo_fini(struct vexport_bo *bo);
uint32_t vexport_bo_revoke(const struct vexport_bo *bo, uint32_t state);
void vexport_bo_expect_revoked(const struct vexport_bo *bo, uint32_t state);
void *vexport_dmabuf_mmap(int dmabuf, size_t size);

#endif /* IGT_VEXPORT_H */
