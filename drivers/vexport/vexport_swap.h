/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_SWAP_H_
#define _VEXPORT_SWAP_H_

#include <linux/atomic.h>
#include <linux/workqueue.h>

struct shrinker;
struct vexport_device;

/**
 * struct vexport_swap - what the kernel may ask back when memory is short
 */
struct vexport_swap {
	/** @shrinker: How it asks. */
	struct shrinker *shrinker;
	/** @work: Swaps buffers out. */
	struct work_struct work;
	/** @pages: Pages of buffers in TT and SYSTEM. */
	atomic_long_t pages;
	/** @wanted: Pages that were asked for and that @work has not yet seen to. */
	atomic_long_t wanted;
};

int vexport_swap_init(struct vexport_device *vdev);

#endif /* _VEXPORT_SWAP_H_ */
