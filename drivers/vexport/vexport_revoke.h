/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_REVOKE_H_
#define _VEXPORT_REVOKE_H_

struct drm_device;
struct drm_file;
struct vexport_bo;
struct vexport_device;

int vexport_revoke_check_locked(struct vexport_bo *bo);
void vexport_revoke_let_go_locked(struct vexport_bo *bo);
void vexport_revoke_unplugged(struct vexport_device *vdev);
int vexport_revoke_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_REVOKE_H_ */
