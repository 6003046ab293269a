/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_EVICT_H_
#define _VEXPORT_EVICT_H_

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct vexport_bo;

int vexport_evict_bo_locked(struct vexport_bo *bo, bool interruptible);
int vexport_evict_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_EVICT_H_ */
