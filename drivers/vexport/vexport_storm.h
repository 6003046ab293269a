/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_STORM_H_
#define _VEXPORT_STORM_H_

struct drm_device;
struct drm_file;

int vexport_storm_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_STORM_H_ */
