/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_ATTACHMENT_H_
#define _VEXPORT_ATTACHMENT_H_

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_attachment;
struct vexport_bo;
struct vexport_client;

/**
 * struct vexport_attachment - what one importer holds of a buffer
 *
 * Stays, when the importer has gone, for the verdict. Protected by the reservation, but
 * for what says otherwise.
 */
struct vexport_attachment {
	/** @bo: The buffer. */
	struct vexport_bo *bo;
	/** @client: Who attached, and is charged for what the importer pins. */
	struct vexport_client *client;
	/** @unlimited: Who attached may have any amount pinned, as far as the device may. */
	bool unlimited;
	/** @charged: The buffer's size is part of &vexport_client.pinned because of this. */
	bool charged;
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
	/** @tables: The sg tables that it holds, &vexport_mapping.of_att. */
	struct list_head tables;

	/** @notifies: Invalidations it was sent. */
	u64 notifies;
	/** @maps_total: Sg tables it was given. */
	u64 maps_total;
	/** @unmap_last: From the notification to the unmap, in ns, the last time. */
	u64 unmap_last;
	/** @unmap_max: The longest that this took. */
	u64 unmap_max;
	/** @rules: Mask of enum drm_vexport_rule, those it was seen to break. */
	atomic64_t rules;

	/* Protected by &vexport_quarantine.lock. */

	/** @node: Entry in &vexport_bo.importers. */
	struct list_head node;
	/** @attach: What the dma-buf core keeps of the importer; NULL when it has gone. */
	struct dma_buf_attachment *attach;
	/** @p2p: It could reach memory of a peer; set when it has gone. */
	bool p2p;
	/** @held: Sg tables that it has given back and that are kept, &vexport_mapping.of_att. */
	struct list_head held;
	/** @stale_words: Words written to storage that it has, or had, mapped. */
	u64 stale_words;
	/** @report: The &vexport_quarantine.reports that was counted there last. */
	u64 report;

	/* Never changes. */

	/** @id: Number of the attachment in its device. */
	u64 id;
	/** @inode: Number of the dma-buf's inode. */
	unsigned long inode;
	/** @device: Name of the importer's device. */
	char device[32];
};

int vexport_attachment_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
void vexport_attachment_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
void vexport_attachment_forget(struct vexport_bo *bo);
int vexport_attachment_make_reachable_locked(struct vexport_bo *bo, bool interruptible);
int vexport_attachment_pin(struct dma_buf_attachment *attach);
void vexport_attachment_unpin(struct dma_buf_attachment *attach);

#endif /* _VEXPORT_ATTACHMENT_H_ */
