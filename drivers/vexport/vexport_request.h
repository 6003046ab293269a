/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_REQUEST_H_
#define _VEXPORT_REQUEST_H_

#include <linux/types.h>

struct vexport_bo;

int vexport_request_placement_locked(struct vexport_bo *bo, u32 placement, bool interruptible);
int vexport_request_move(struct vexport_bo *bo, u32 placement, u32 flags, u64 *generation);

#endif /* _VEXPORT_REQUEST_H_ */
