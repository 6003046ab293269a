/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_FAULT_H_
#define _VEXPORT_FAULT_H_

#include <drm/vexport_drm.h>

struct drm_device;
struct drm_file;
struct vexport_bo;

int vexport_fault_permit(void);
int vexport_fault_error(struct vexport_bo *bo, enum drm_vexport_fault_kind kind);
void vexport_fault_notify_locked(struct vexport_bo *bo, enum drm_vexport_fault_kind kind);
bool vexport_fault_breaks(struct vexport_bo *bo, enum drm_vexport_fault_kind kind);
void vexport_fault_fini(struct vexport_bo *bo);
int vexport_fault_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_FAULT_H_ */
