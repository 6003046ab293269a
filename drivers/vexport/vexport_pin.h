/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_PIN_H_
#define _VEXPORT_PIN_H_

#include <linux/types.h>

struct vexport_bo;

/**
 * struct vexport_attachment - what one importer holds of a buffer
 *
 * Protected by the reservation.
 */
struct vexport_attachment {
	/** @bo: The buffer. */
	struct vexport_bo *bo;
	/** @dynamic: The importer is told of moves. */
	bool dynamic;
	/** @pins: Calls of pin that were not undone. */
	unsigned int pins;
	/** @maps: Sg tables that were not unmapped. */
	unsigned int maps;
	/** @hard: What the attachment adds to &vexport_bo.hard_pins. */
	unsigned int hard;
	/** @owed: Calls of pin that failed; an importer may unpin all the same. */
	unsigned int owed;
};

void vexport_pin_add_locked(struct vexport_bo *bo);
void vexport_pin_remove_locked(struct vexport_bo *bo);
int vexport_pin_attachment_locked(struct vexport_attachment *att);
void vexport_pin_unpin_attachment_locked(struct vexport_attachment *att);
void vexport_pin_failed_locked(struct vexport_attachment *att);
void vexport_pin_mapped_locked(struct vexport_attachment *att);

#endif /* _VEXPORT_PIN_H_ */
