/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_DRV_H_
#define _VEXPORT_DRV_H_

#include <linux/atomic.h>
#include <linux/miscdevice.h>

#include <drm/drm_device.h>
#include <drm/ttm/ttm_device.h>

#include "vexport_vram.h"

/**
 * DOC: vexport locking order
 *
 * From the outermost to the innermost:
 *
 * 1. mmap_lock, around a CPU page fault;
 * 2. the reservation of a buffer (&struct dma_resv), which protects where the
 *    buffer is, its list of dma-bufs, all counts of pins and mappings, and the
 *    list of storage it has left. Importers are told of a move with it held.
 *    A second one is waited for only with a &struct ww_acquire_ctx; without
 *    one TTM just tries;
 * 3. &vexport_vram.lock, which protects the buddy allocator.
 *
 * The copy worker is on the way to a fence that reclaim may wait for: it takes
 * neither a reservation nor &vexport_vram.lock before its fence has signalled,
 * and allocates nothing.
 */

/**
 * struct vexport_stats - counters and gauges of a device
 *
 * What each means is told by &struct drm_vexport_info.
 */
struct vexport_stats {
	/** @moves: Moves since load. */
	atomic64_t moves;
	/** @evictions: Moves made to free memory. */
	atomic64_t evictions;
	/** @notifies: Invalidations sent. */
	atomic64_t notifies;
	/** @stale_words: Words written to storage that a buffer had left. */
	atomic64_t stale_words;
	/** @pinned: Bytes that are pinned now. */
	atomic64_t pinned;
	/** @quarantined: Bytes of storage under watch now. */
	atomic64_t quarantined;
	/** @buffers: Buffers now. */
	atomic_t buffers;
	/** @dmabufs: Dma-bufs now. */
	atomic_t dmabufs;
	/** @attachments: Attachments now. */
	atomic_t attachments;
	/** @maps: Sg tables that importers hold now. */
	atomic_t maps;
	/** @storages: Page sets now. */
	atomic_t storages;
};

/**
 * struct vexport_device - one instance of the exporter
 *
 * Lives until the last reference to @drm is gone; buffers hold one through
 * their dma-bufs, so nothing here vanishes under a buffer.
 */
struct vexport_device {
	/** @drm: The DRM device. */
	struct drm_device drm;
	/** @ttm: TTM's view of it. */
	struct ttm_device ttm;
	/** @vram: The memory that is limited. */
	struct vexport_vram vram;
	/** @copy_wq: Executes copies, each once its fence has signalled. */
	struct workqueue_struct *copy_wq;
	/** @stats: Counters and gauges. */
	struct vexport_stats stats;
	/** @pin_limit: Most bytes that importers may hold pinned, and as many in quarantine. */
	u64 pin_limit;
	/** @heap: The character device that speaks the dma-heap ioctl. */
	struct miscdevice heap;
	/** @index: Number of this instance. */
	unsigned int index;
};

/**
 * to_vexport_device - device of a &struct drm_device
 * @drm: embedded DRM device
 */
static inline struct vexport_device *to_vexport_device(struct drm_device *drm)
{
	return container_of(drm, struct vexport_device, drm);
}

#endif /* _VEXPORT_DRV_H_ */
