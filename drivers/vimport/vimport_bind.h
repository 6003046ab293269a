/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_BIND_H_
#define _VIMPORT_BIND_H_

struct drm_device;
struct drm_file;

int vimport_bind_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VIMPORT_BIND_H_ */
