/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_FAULT_H
#define IGT_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include <drm/vexport_drm.h>

#define VEXPORT_FAULT_KINDS	(DRM_VEXPORT_FAULT_HASTY_REVOKE + 1)
#define VEXPORT_FAULT_ERRORS	12

/* The errors that an importer can be given. */
extern const int vexport_fault_errors[VEXPORT_FAULT_ERRORS];

/* What --exporter-bug= asked for; every buffer of vexport_bo_init() gets it. */
extern int vexport_bug;

bool vexport_bug_set(const char *name);
void vexport_fault_arm(int fd, int dmabuf, uint32_t kind, int error, uint64_t nth,
		       uint32_t flags);
void vexport_fault_end(int fd, int dmabuf, uint32_t kind);
struct drm_vexport_fault vexport_fault_query(int fd, int dmabuf, uint32_t kind);

#endif /* IGT_FAULT_H */
