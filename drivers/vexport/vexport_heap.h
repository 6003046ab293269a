/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_HEAP_H_
#define _VEXPORT_HEAP_H_

struct vexport_device;

int vexport_heap_register(struct vexport_device *vdev);
void vexport_heap_unregister(struct vexport_device *vdev);

#endif /* _VEXPORT_HEAP_H_ */
