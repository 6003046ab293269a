/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_STALL_H_
#define _VEXPORT_STALL_H_

#include <linux/types.h>

#include <drm/vexport_drm.h>

struct drm_device;
struct drm_file;
struct vexport_bo;
struct vexport_device;

void vexport_stall(struct vexport_device *vdev, u64 bo_id, enum drm_vexport_stall_point point);
bool vexport_stall_exists(struct vexport_bo *bo);
void vexport_stall_bo(struct vexport_bo *bo, enum drm_vexport_stall_point point);
int vexport_stall_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_STALL_H_ */
