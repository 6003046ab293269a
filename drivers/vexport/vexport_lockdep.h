/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_LOCKDEP_H_
#define _VEXPORT_LOCKDEP_H_

struct vexport_device;

void vexport_lockdep_prime(struct vexport_device *vdev);

#endif /* _VEXPORT_LOCKDEP_H_ */
