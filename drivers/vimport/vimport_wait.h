/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_WAIT_H_
#define _VIMPORT_WAIT_H_

struct drm_device;
struct drm_file;

int vimport_wait_fence_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VIMPORT_WAIT_H_ */
