/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_PIN_H_
#define _VEXPORT_PIN_H_

#include <linux/types.h>

struct vexport_attachment;
struct vexport_bo;

bool vexport_pin_holds_beside_map_locked(struct vexport_attachment *att);
int vexport_pin_add_locked(struct vexport_bo *bo);
void vexport_pin_remove_locked(struct vexport_bo *bo);
int vexport_pin_attachment_locked(struct vexport_attachment *att);
void vexport_pin_unpin_attachment_locked(struct vexport_attachment *att);
void vexport_pin_failed_locked(struct vexport_attachment *att);
int vexport_pin_check_map_locked(struct vexport_attachment *att);
bool vexport_pin_drop_attachment_locked(struct vexport_attachment *att);
void vexport_pin_mapped_locked(struct vexport_attachment *att);

#endif /* _VEXPORT_PIN_H_ */
