/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_REQUEST_H_
#define _VEXPORT_REQUEST_H_

#include <linux/types.h>

struct dma_fence;
struct drm_device;
struct drm_file;
struct vexport_bo;

int vexport_request_placement_locked(struct vexport_bo *bo, u32 placement, bool interruptible);
int vexport_request_queue(struct vexport_bo *bo, u32 placement, bool relocate, u64 *generation,
			  struct dma_fence **fence);
int vexport_request_move(struct vexport_bo *bo, u32 placement, bool relocate, u64 *generation);
int vexport_request_ioctl_move(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_REQUEST_H_ */
