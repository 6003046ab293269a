/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_COPY_H_
#define _VEXPORT_COPY_H_

#include <linux/types.h>

struct dma_fence;
struct vexport_bo;
struct vexport_device;
struct vexport_storage;

unsigned int vexport_copy_fences(void);
int vexport_copy_init(struct vexport_device *vdev);
struct dma_fence *vexport_copy_submit_locked(struct vexport_bo *bo, struct vexport_storage *dst,
					     struct vexport_storage *src);

#endif /* _VEXPORT_COPY_H_ */
