/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_STALL_H
#define IGT_STALL_H

#include <stdint.h>

#include <drm/vexport_drm.h>

int __vexport_stall(int fd, struct drm_vexport_stall *args);
int vexport_stall(int fd, int dmabuf, enum drm_vexport_stall_point point);
struct drm_vexport_stall_status vexport_stall_status(int stall);
void vexport_stall_wait(int stall);
void vexport_stall_release(int stall);
const char *vexport_stall_point_name(enum drm_vexport_stall_point point);

#endif /* IGT_STALL_H */
