/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_BO_H_
#define _VEXPORT_BO_H_

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/wait.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/vexport_drm.h>

#include "vexport_profile.h"

struct dma_buf;
struct drm_device;
struct drm_file;
struct iosys_map;
struct page;
struct vexport_device;
struct vexport_faults;
struct vexport_storage;
struct vexport_usage;

/**
 * struct vexport_bo - a buffer that moves
 *
 * Protected by the reservation, but for what never changes.
 */
struct vexport_bo {
	/** @base: TTM's part, which embeds the GEM object. */
	struct ttm_buffer_object base;
	/** @create_flags: Mask of DRM_VEXPORT_GEM_*. */
	u32 create_flags;
	/** @id: Number that debugfs and tracepoints call it by; never used again. */
	u64 id;
	/** @node: Entry in &vexport_device.bos. Protected by &vexport_device.bos_lock. */
	struct list_head node;
	/** @creator: &drm_file.client_id of who created it; zero for the heap node. */
	u64 creator;
	/** @usage: Of that file; NULL for the heap node. Holds a reference. */
	struct vexport_usage *usage;

	/**
	 * @dmabufs: Live dma-bufs of the buffer, &vexport_dmabuf.node.
	 *
	 * Not &drm_gem_object.dma_buf: the DRM core clears that when the last
	 * handle is closed, while importers still hold the dma-buf and must
	 * be told of moves.
	 */
	struct list_head dmabufs;
	/** @left: Storage under watch. Protected by &vexport_quarantine.lock. */
	struct list_head left;
	/**
	 * @importers: Attachments, &vexport_attachment.node, some of which are gone.
	 * Protected by &vexport_quarantine.lock.
	 */
	struct list_head importers;

	/** @attachments: Attachments to all dma-bufs. Atomic: changes without the reservation. */
	atomic_t attachments;
	/** @maps: Sg tables that importers hold. */
	unsigned int maps;
	/** @vmaps: Mappings of the kernel's own, which pin: all are of the same storage. */
	unsigned int vmaps;

	/** @vmap_storage: That storage, of which each of them holds a reference. */
	struct vexport_storage *vmap_storage;

	/** @revoked: One of enum drm_vexport_revoke_state. Written with WRITE_ONCE(). */
	u32 revoked;

	/**
	 * @let_go: Woken when @maps and @vmaps are zero, a revoke is undone, or
	 * storage that was left has drained.
	 */
	wait_queue_head_t let_go;
	/** @drained: Times that the latter has happened. */
	unsigned long drained;

	/** @dummy: What CPU mappings show once the device is unplugged; NULL before. */
	struct page *dummy;

	/** @hard_pins: Pins that hold the buffer where it is. */
	unsigned int hard_pins;
	/** @charges: Who makes its size a part of &vexport_stats.pinned. */
	unsigned int charges;
	/** @pinned: The buffer is pinned in TTM's eyes. */
	bool pinned;
	/** @evicting: The move that is being made is an eviction, whoever asked for it. */
	bool evicting;
	/** @waited_for: Whoever asks for the move does nothing else until it is over. */
	bool waited_for;
	/** @placed: It has found its first place; from now on it moves. */
	bool placed;

	/** @profile: What importers have to put up with. */
	struct vexport_profile profile;

	/** @copy_context: Fence context of its copies. */
	u64 copy_context;
	/** @copy_seqno: Number of the last of them. */
	u64 copy_seqno;

	/** @generation: Moves so far. */
	u64 generation;
	/** @moves_busy: Moves that found an importer's fence pending. */
	u64 moves_busy;
	/** @moves_touched: Moves that took away pages which a CPU had touched. */
	u64 moves_touched;
	/** @cpu_touched: A CPU mapping has faulted since importers were told last. */
	bool cpu_touched;
	/** @evictions: Moves made to free memory. */
	u64 evictions;
	/** @notifies: Invalidations sent. */
	u64 notifies;
	/** @moves_mapped: Moves that took away what an importer had mapped, and were watched. */
	u64 moves_mapped;
	/** @rules: Mask of enum drm_vexport_rule, those that importers were seen to break. */
	atomic64_t rules;

	/* Protected by &vexport_quarantine.lock. */

	/** @stale_moves: Generations in which a stale write was seen. */
	u64 stale_moves;
	/** @stale_words: Words of stale writes. */
	u64 stale_words;
	/** @stale_generation: Generation in which one was seen last. */
	u64 stale_generation;
	/** @stale_first: The first of them. */
	struct drm_vexport_stale_write stale_first;
	/** @stale_last: The last of them. */
	struct drm_vexport_stale_write stale_last;

	/** @faults: What is done to its importers, or NULL. Set once; see vexport_fault.c. */
	struct vexport_faults *faults;
};

/**
 * to_vexport_bo - our part of a &struct ttm_buffer_object
 * @bo: embedded TTM object, one that vexport_bo_is_ours()
 */
static inline struct vexport_bo *to_vexport_bo(struct ttm_buffer_object *bo)
{
	return container_of(bo, struct vexport_bo, base);
}

/**
 * gem_to_vexport_bo - our part of a &struct drm_gem_object
 * @obj: embedded GEM object
 */
static inline struct vexport_bo *gem_to_vexport_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct vexport_bo, base.base);
}

/**
 * vexport_bo_next_generation - the generation that a move leads to
 * @bo: the buffer, before the move is counted
 *
 * Finding its first place is not a move.
 */
static inline u64 vexport_bo_next_generation(struct vexport_bo *bo)
{
	return bo->generation + bo->placed;
}

bool vexport_bo_is_ours(struct ttm_buffer_object *bo);
struct vexport_bo *vexport_bo_create(struct vexport_device *vdev, u64 size, u32 placement,
				     u32 create_flags);
int vexport_bo_give(struct vexport_bo *bo, struct drm_file *file, u32 *handle);
struct vexport_storage *vexport_bo_storage_locked(struct vexport_bo *bo);
int vexport_bo_populate_locked(struct vexport_bo *bo);
int vexport_bo_lock(struct vexport_bo *bo);
bool vexport_bo_may_spoil(struct vexport_bo *bo, struct drm_file *file);
struct vexport_bo *vexport_bo_next(struct vexport_device *vdev, struct vexport_bo *prev);
int vexport_bo_ioctl_create(struct drm_device *drm, void *data, struct drm_file *file);
int vexport_bo_ioctl_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file);
int vexport_bo_ioctl_query(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_BO_H_ */
