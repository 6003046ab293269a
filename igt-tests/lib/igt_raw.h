/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_RAW_H
#define IGT_RAW_H

#include <stdint.h>

#include <drm/vimport_drm.h>

int __raw_op(int fd, struct drm_vimport_raw *args);
struct drm_vimport_raw raw_op(int fd, uint32_t id, uint32_t op);
int __raw_attach(int fd, int dmabuf, uint32_t flags, const char *device,
		 struct drm_vimport_raw *args);
uint32_t raw_attach(int fd, int dmabuf, uint32_t flags);
struct drm_vimport_raw raw_map(int fd, uint32_t id, uint32_t flags,
			       struct drm_vimport_raw_segment *segments, uint32_t count);
void raw_unmap(int fd, uint32_t id, uint32_t flags);

#endif /* IGT_RAW_H */
