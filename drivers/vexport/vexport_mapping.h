/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_MAPPING_H_
#define _VEXPORT_MAPPING_H_

#include <linux/dma-direction.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

struct dma_buf_attachment;
struct vexport_attachment;
struct vexport_storage;

/**
 * struct vexport_mapping - an sg table, and the pages that it names
 *
 * In an importer's hands first. If the buffer has left the pages when the importer
 * gives it back, it is kept for as long as these are watched.
 */
struct vexport_mapping {
	/** @sgt: What the importer has. */
	struct sg_table sgt;
	/** @pages: What was mapped: the same entries, unless @sgt does without pages. */
	struct sg_table pages;
	/** @pageless: It does, and is a table of its own. */
	bool pageless;
	/** @storage: The pages, one reference. */
	struct vexport_storage *storage;
	/** @att: Who has it, or had it. */
	struct vexport_attachment *att;
	/** @dev: The importer's device, NULL once the DMA mapping is undone. */
	struct device *dev;
	/** @dir: What it was mapped for. */
	enum dma_data_direction dir;
	/** @notified: When the importer was first told that it is going to be stale, or 0. */
	ktime_t notified;
	/**
	 * @of_att: Entry in &vexport_attachment.tables, protected by the reservation,
	 * then in &vexport_attachment.held, protected by &vexport_quarantine.lock.
	 */
	struct list_head of_att;
	/** @of_storage: Entry in &vexport_storage.mappings. */
	struct list_head of_storage;
};

struct sg_table *vexport_mapping_map(struct dma_buf_attachment *attach,
				     enum dma_data_direction dir);
void vexport_mapping_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			   enum dma_data_direction dir);
void vexport_mapping_abandon_locked(struct vexport_attachment *att);
void vexport_mapping_detach(struct vexport_attachment *att);
void vexport_mapping_free_abandoned(struct vexport_attachment *att);
void vexport_mapping_free_held(struct list_head *of_storage);

#endif /* _VEXPORT_MAPPING_H_ */
