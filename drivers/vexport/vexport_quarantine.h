/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_QUARANTINE_H_
#define _VEXPORT_QUARANTINE_H_

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct shrinker;
struct vexport_bo;
struct vexport_device;
struct vexport_storage;

/**
 * struct vexport_quarantine - storage that nobody has mapped any more
 */
struct vexport_quarantine {
	/**
	 * @lock: Protects what is under watch: @queue, &vexport_bo.left, what is found
	 * there, the sg tables that were given back, and the lists of attachments.
	 */
	struct mutex lock;
	/** @queue: The storage, &vexport_storage.queued, oldest first. */
	struct list_head queue;
	/** @bytes: How much. Written with @lock held. */
	atomic64_t bytes;
	/** @vram_bytes: How much of that has a place in VRAM that is wanted by others. */
	atomic64_t vram_bytes;
	/** @reports: Times that stale writes were found; protected by @lock. */
	u64 reports;
	/** @work: Gives up what is too old, or wanted by others. */
	struct delayed_work work;
	/** @shrinker: How reclaim asks for pages. */
	struct shrinker *shrinker;
	/** @wanted: Pages that it asked for and that @work has not yet seen to. */
	atomic_long_t wanted;
};

bool vexport_quarantine_add_locked(struct vexport_bo *bo, struct vexport_storage *storage);
bool vexport_quarantine_has_room_locked(struct vexport_bo *bo, struct vexport_storage *storage,
					bool to_vram);
bool vexport_quarantine_would_watch(struct vexport_storage *storage);
bool vexport_quarantine_watches_locked(struct vexport_bo *bo, struct vexport_storage *storage);
bool vexport_quarantine_wants_pattern(struct vexport_storage *storage);
void vexport_quarantine_unmapped_locked(struct vexport_bo *bo, struct vexport_storage *storage);
void vexport_quarantine_cancel_locked(struct vexport_bo *bo, struct vexport_storage *storage);
void vexport_quarantine_home_locked(struct vexport_bo *bo, struct vexport_storage *storage);
void vexport_quarantine_check_locked(struct vexport_bo *bo, bool queued);
void vexport_quarantine_measure_locked(struct vexport_bo *bo, u64 *draining, u64 *quarantined);
void vexport_quarantine_forget(struct vexport_bo *bo);
void vexport_quarantine_vacate(struct vexport_storage *storage);
bool vexport_quarantine_give_vram(struct vexport_device *vdev);
int vexport_quarantine_init(struct vexport_device *vdev);

#endif /* _VEXPORT_QUARANTINE_H_ */
