/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_DRV_H_
#define _VEXPORT_DRV_H_

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/spinlock.h>

#include <drm/drm_device.h>
#include <drm/ttm/ttm_device.h>

#include "vexport_client.h"
#include "vexport_quarantine.h"
#include "vexport_swap.h"
#include "vexport_vram.h"

/**
 * DOC: vexport locking order
 *
 * From the outermost to the innermost:
 *
 * 1. mmap_lock, around a CPU page fault;
 * 2. the reservation of a buffer (&struct dma_resv), which protects where the
 *    buffer is, its list of dma-bufs, and all counts of pins and mappings.
 *    Importers are told of a move with it held.
 *    A second one is waited for only with a &struct ww_acquire_ctx; without
 *    one TTM just tries;
 * 3. &vexport_quarantine.lock, which protects all storage that buffers have left;
 * 4. &vexport_vram.lock, which protects the buddy allocator;
 * 5. fs_reclaim: memory is allocated with GFP_KERNEL under each of these, so no
 *    shrinker and no MMU notifier may wait for one of them, and nothing that a
 *    fence waits for, because reclaim may wait for the fence.
 *
 * The copy worker is on the way to a fence that reclaim may wait for: it takes
 * none of these locks before its fence has signalled, and allocates nothing.
 *
 * &vexport_device.bos_lock protects the list of all buffers, &vexport_clients.lock the
 * table of users, a lock in each of vexport_fault.c and vexport_stall.c what is there,
 * and none of them anything else: no other lock is taken under them.
 *
 * vexport_lockdep.c takes the locks in this order when a device appears: change the
 * two together.
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
	/** @draining: Bytes of storage that was left and that somebody has mapped. */
	atomic64_t draining;
	/** @buffers: Buffers now. */
	atomic_t buffers;
	/** @dmabufs: Dma-bufs now. */
	atomic_t dmabufs;
	/** @attachments: Attachments now. */
	atomic_t attachments;
	/** @maps: Sg tables that importers hold now. */
	atomic_t maps;
	/** @storages: Page sets now, without those in @quarantine of the device. */
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
	/** @tt_manager: TTM's accounts of what is in TT. */
	struct ttm_resource_manager tt_manager;
	/** @vram: The memory that is limited. */
	struct vexport_vram vram;
	/** @storms: Storms now. */
	atomic_t storms;
	/** @copy_wq: Executes copies, each once its fence has signalled. */
	struct workqueue_struct *copy_wq;
	/** @profile_wq: Tells importers what is not so; see DOC: profiles. */
	struct workqueue_struct *profile_wq;
	/** @swap: What reclaim may take away. */
	struct vexport_swap swap;
	/** @quarantine: Storage that nobody has mapped any more. */
	struct vexport_quarantine quarantine;
	/** @stats: Counters and gauges. */
	struct vexport_stats stats;
	/** @pin_limit: Most bytes that importers may hold pinned, and as many that drain. */
	u64 pin_limit;
	/** @client_pin_limit: Most bytes that they may hold pinned for one user. */
	u64 client_pin_limit;
	/** @clients: Users that have attachments. */
	struct vexport_clients clients;
	/** @heap: The character device that speaks the dma-heap ioctl. */
	struct miscdevice heap;
	/** @index: Number of this instance. */
	unsigned int index;
	/** @last_id: &vexport_bo.id of the newest buffer. */
	atomic64_t last_id;
	/** @last_attachment: &vexport_attachment.id of the newest attachment. */
	atomic64_t last_attachment;
	/** @bos_lock: Protects @bos. */
	spinlock_t bos_lock;
	/** @bos: All buffers, &vexport_bo.node, oldest first. */
	struct list_head bos;
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
