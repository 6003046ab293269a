/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_VERDICT_H_
#define _VEXPORT_VERDICT_H_

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct vexport_attachment;
struct vexport_bo;
struct vexport_mapping;
struct vexport_pattern_diff;
struct vexport_storage;

void vexport_verdict_broken(struct vexport_attachment *att, u64 rule);
void vexport_verdict_notify_locked(struct vexport_attachment *att);
void vexport_verdict_unmap_locked(struct vexport_mapping *mapping);
void vexport_verdict_stale(struct vexport_bo *bo, struct vexport_storage *storage,
			   const struct vexport_pattern_diff *diff, u64 rule);
void vexport_verdict_suspect(struct vexport_attachment *att,
			     const struct vexport_pattern_diff *diff, u64 rule, u64 report);
int vexport_verdict_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_VERDICT_H_ */
