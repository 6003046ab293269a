/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_QUARANTINE_H_
#define _VEXPORT_QUARANTINE_H_

#include <linux/types.h>

struct vexport_bo;
struct vexport_storage;

bool vexport_quarantine_add_locked(struct vexport_bo *bo, struct vexport_storage *storage);
bool vexport_quarantine_has_room_locked(struct vexport_bo *bo, struct vexport_storage *storage);
void vexport_quarantine_fill(struct vexport_storage *storage);
void vexport_quarantine_check_locked(struct vexport_bo *bo);
void vexport_quarantine_cancel_locked(struct vexport_bo *bo, struct vexport_storage *storage);
void vexport_quarantine_remove_locked(struct vexport_bo *bo, struct vexport_storage *storage);
u64 vexport_quarantine_bytes_locked(struct vexport_bo *bo);

#endif /* _VEXPORT_QUARANTINE_H_ */
