/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_COPY_H_
#define _VEXPORT_COPY_H_

#include <linux/spinlock.h>
#include <linux/types.h>

struct dma_fence;
struct vexport_copy;
struct vexport_device;
struct vexport_storage;
struct workqueue_struct;

/**
 * struct vexport_copy_engine - executes copies, one after the other
 *
 * What the DMA engine of a real GPU does for its moves.
 */
struct vexport_copy_engine {
	/** @wq: Ordered, so that fences signal in the order of their numbers. */
	struct workqueue_struct *wq;
	/** @context: Fence context of all copies. */
	u64 context;
	/** @lock: Protects @seqno, and makes numbering and queueing one step. */
	spinlock_t lock;
	/** @seqno: Number of the last copy. Protected by @lock. */
	u64 seqno;
};

int vexport_copy_init(struct vexport_device *vdev);
struct vexport_copy *vexport_copy_alloc(struct vexport_storage *dst, struct vexport_storage *src,
					struct dma_fence *after);
void vexport_copy_free(struct vexport_copy *copy);
struct dma_fence *vexport_copy_submit(struct vexport_copy *copy);

#endif /* _VEXPORT_COPY_H_ */
