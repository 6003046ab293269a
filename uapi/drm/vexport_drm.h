/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VEXPORT_DRM_H_
#define _VEXPORT_DRM_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: vexport user interface
 *
 * vexport is memory that moves: a DRM exporter whose buffers live in VRAM, TT
 * or system memory and change place under their importers.
 *
 * The law of this interface:
 *
 * - Structures are multiples of 64 bits and hold no unions.
 * - Padding and unknown flags are checked: anything but zero is -EINVAL.
 * - A call that fails has changed nothing.
 * - Flags and members are added at the end, never removed; every addition
 *   raises the driver's minor version.
 * - Sizes are in bytes unless a member says otherwise.
 *
 * A buffer is addressed by its dma-buf file descriptor wherever that makes
 * sense, because the driver under test may be in another process or may know
 * no GEM handle. Holding the descriptor is the authority to move the buffer.
 */

/**
 * enum drm_vexport_ioctl_id - numbers of the driver's ioctls
 */
enum drm_vexport_ioctl_id {
	/** @DRM_VEXPORT_INFO: Device facts and counters. */
	DRM_VEXPORT_INFO = 0,

	/** @DRM_VEXPORT_GEM_CREATE: Create a buffer. */
	DRM_VEXPORT_GEM_CREATE,

	/** @DRM_VEXPORT_GEM_MMAP_OFFSET: Offset for mmap() of a GEM handle. */
	DRM_VEXPORT_GEM_MMAP_OFFSET,

	/** @DRM_VEXPORT_BO_QUERY: State and verdict of one buffer. */
	DRM_VEXPORT_BO_QUERY,

	/** @DRM_VEXPORT_BO_MOVE: Move one buffer. */
	DRM_VEXPORT_BO_MOVE,
};

/**
 * enum drm_vexport_placement - where a buffer's pages are
 *
 * The numbers are those of TTM's placements.
 */
enum drm_vexport_placement {
	/**
	 * @DRM_VEXPORT_PLACEMENT_SYSTEM: Pages that TTM may swap out. No
	 * importer has a valid mapping of them, and going from here to TT, on
	 * the same pages, takes nothing away: nobody is notified of that.
	 */
	DRM_VEXPORT_PLACEMENT_SYSTEM = 0,

	/** @DRM_VEXPORT_PLACEMENT_TT: System pages that devices may map. */
	DRM_VEXPORT_PLACEMENT_TT = 1,

	/** @DRM_VEXPORT_PLACEMENT_VRAM: The exporter's own, limited memory. */
	DRM_VEXPORT_PLACEMENT_VRAM = 2,
};

/**
 * DRM_VEXPORT_CAP_IMPLICIT_PIN - the dma-buf core pins on every map
 *
 * Set in &drm_vexport_info.caps on kernels built without
 * CONFIG_DMABUF_MOVE_NOTIFY (before Linux 7.1): there a mapped buffer moves
 * only if it was created with %DRM_VEXPORT_GEM_MOVING.
 */
#define DRM_VEXPORT_CAP_IMPLICIT_PIN	(1 << 0)

/**
 * struct drm_vexport_info - device facts and counters
 *
 * The counters are since load. The gauges (@vram_used, @buffers and what follows)
 * are back to zero soon after the last buffer is gone, which may have to wait
 * for its fences; tests check for leaks with them.
 */
struct drm_vexport_info {
	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @caps: Output: mask of DRM_VEXPORT_CAP_*. */
	__u32 caps;

	/** @vram_size: Output: size of the VRAM. */
	__u64 vram_size;

	/** @vram_used: Output: bytes of VRAM that are not free now. */
	__u64 vram_used;

	/** @moves: Output: buffers moved to other pages or another placement. */
	__u64 moves;

	/** @evictions: Output: moves that were made to free memory. */
	__u64 evictions;

	/** @notifies: Output: invalidations sent, one per dma-buf and attempt to move. */
	__u64 notifies;

	/** @stale_words: Output: 64-bit words written to storage that a buffer had left. */
	__u64 stale_words;

	/** @buffers: Output: buffers that exist now. */
	__u32 buffers;

	/** @dmabufs: Output: dma-bufs of them that exist now. */
	__u32 dmabufs;

	/** @attachments: Output: attachments to those now. */
	__u32 attachments;

	/** @maps: Output: sg tables that importers hold now. */
	__u32 maps;

	/** @storages: Output: page sets that are allocated now. */
	__u32 storages;

	/** @pad: Output: zero. */
	__u32 pad;

	/** @pinned: Output: bytes in buffers that are pinned now. */
	__u64 pinned;
};

/**
 * DRM_VEXPORT_GEM_MOVING - the buffer moves on every kernel
 *
 * An implicit pin, taken by the dma-buf core on behalf of a dynamic importer
 * that merely maps, does not hold the buffer. Pins that an importer asks for,
 * and pins of static importers, always do.
 */
#define DRM_VEXPORT_GEM_MOVING		(1 << 0)

/**
 * struct drm_vexport_gem_create - create a buffer
 *
 * The memory is zeroed.
 *
 * Errors: -EINVAL for size zero, a size that overflows, an unknown placement,
 * flag or pad; -ENOMEM if there is no room, or could never be; -ERESTARTSYS.
 */
struct drm_vexport_gem_create {
	/** @size: Input: size wanted. Output: size rounded up to whole pages. */
	__u64 size;

	/** @placement: Input: one of enum drm_vexport_placement. */
	__u32 placement;

	/** @flags: Input: mask of DRM_VEXPORT_GEM_*. */
	__u32 flags;

	/** @handle: Output: GEM handle. */
	__u32 handle;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/**
 * struct drm_vexport_gem_mmap_offset - fake offset for mmap() of the DRM file
 *
 * Errors: -ENOENT for a handle that is not of this file; -EINVAL for a pad.
 */
struct drm_vexport_gem_mmap_offset {
	/** @handle: Input: GEM handle. */
	__u32 handle;

	/** @pad: Input: must be zero. */
	__u32 pad;

	/** @offset: Output: offset to give to mmap(). */
	__u64 offset;
};

/**
 * struct drm_vexport_bo_query - state and verdict of one buffer
 *
 * The call first checks the storage that the buffer has left and that some
 * importer still has mapped: it was filled with &struct drm_vexport_stale_word
 * when the last fence that allowed writing had signalled, so any change is a
 * stale write. Counters are since the buffer's creation.
 *
 * Errors: -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a
 * dma-buf of this device or an unknown flag; -ERESTARTSYS.
 */
struct drm_vexport_bo_query {
	/** @fd: Input: dma-buf file descriptor. */
	__s32 fd;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @size: Output: size of the buffer. */
	__u64 size;

	/** @placement: Output: where it is, one of enum drm_vexport_placement. */
	__u32 placement;

	/** @create_flags: Output: mask of DRM_VEXPORT_GEM_* it was created with. */
	__u32 create_flags;

	/** @dmabufs: Output: live dma-bufs of the buffer. */
	__u32 dmabufs;

	/** @attachments: Output: attachments to all of them. */
	__u32 attachments;

	/** @pins: Output: pins that hold the buffer where it is. */
	__u32 pins;

	/** @maps: Output: sg tables that importers hold. */
	__u32 maps;

	/** @generation: Output: moves so far. */
	__u64 generation;

	/** @moves_busy: Output: moves that found an importer's fence pending. */
	__u64 moves_busy;

	/** @evictions: Output: moves that were made to free memory. */
	__u64 evictions;

	/** @notifies: Output: invalidations sent, one per dma-buf and attempt to move. */
	__u64 notifies;

	/** @stale_moves: Output: moves after which, before the next, a stale write was seen. */
	__u64 stale_moves;

	/** @stale_words: Output: 64-bit words written to storage after the buffer had left it. */
	__u64 stale_words;

	/** @quarantined: Output: bytes of storage left behind that an importer still has mapped. */
	__u64 quarantined;
};

/**
 * DRM_VEXPORT_STALE_MAGIC - first member of &struct drm_vexport_stale_word
 */
#define DRM_VEXPORT_STALE_MAGIC		0x7ea5

/**
 * struct drm_vexport_stale_word - what storage is filled with once a buffer left it
 *
 * Storage that a buffer has left, and that some importer still has mapped,
 * holds nothing but these words. A reader that finds one in a buffer has read
 * through a stale mapping.
 */
struct drm_vexport_stale_word {
	/** @magic: %DRM_VEXPORT_STALE_MAGIC. */
	__u16 magic;

	/** @generation: Low bits of the generation that lived here last. */
	__u16 generation;

	/** @index: Index of this 64-bit word in the buffer. */
	__u32 index;
};

/**
 * DRM_VEXPORT_MOVE_RELOCATE - fresh pages in the same placement
 *
 * &drm_vexport_bo_move.placement must be zero.
 */
#define DRM_VEXPORT_MOVE_RELOCATE	(1 << 0)

/**
 * DRM_VEXPORT_MOVE_ASYNC - return when the move is queued
 *
 * A buffer has one move queued at most: the call waits for the one before.
 * The move's fence is then pending in the reservation object, as a KERNEL
 * fence. Without this flag the call returns when the move is over.
 */
#define DRM_VEXPORT_MOVE_ASYNC		(1 << 1)

/**
 * struct drm_vexport_bo_move - move one buffer
 *
 * Every importer is told first; the copy starts when all fences of the buffer
 * have signalled. Moving a buffer to where it is already does nothing.
 *
 * Errors: -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a
 * dma-buf of this device, an unknown placement, flag or pad; -EBUSY if the
 * buffer is pinned; -ENOMEM if the target has no room, or if importers hold too
 * much of what was left before; -ERESTARTSYS.
 */
struct drm_vexport_bo_move {
	/** @fd: Input: dma-buf file descriptor. */
	__s32 fd;

	/** @placement: Input: target, one of enum drm_vexport_placement. */
	__u32 placement;

	/** @flags: Input: mask of DRM_VEXPORT_MOVE_*. */
	__u32 flags;

	/** @pad: Input: must be zero. */
	__u32 pad;

	/** @generation: Output: the buffer's generation after the call. */
	__u64 generation;
};

/** DRM_IOCTL_VEXPORT_INFO - &struct drm_vexport_info */
#define DRM_IOCTL_VEXPORT_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_INFO, struct drm_vexport_info)

/** DRM_IOCTL_VEXPORT_GEM_CREATE - &struct drm_vexport_gem_create */
#define DRM_IOCTL_VEXPORT_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_GEM_CREATE, struct drm_vexport_gem_create)

/** DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET - &struct drm_vexport_gem_mmap_offset */
#define DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_GEM_MMAP_OFFSET, struct drm_vexport_gem_mmap_offset)

/** DRM_IOCTL_VEXPORT_BO_QUERY - &struct drm_vexport_bo_query */
#define DRM_IOCTL_VEXPORT_BO_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_BO_QUERY, struct drm_vexport_bo_query)

/** DRM_IOCTL_VEXPORT_BO_MOVE - &struct drm_vexport_bo_move */
#define DRM_IOCTL_VEXPORT_BO_MOVE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_BO_MOVE, struct drm_vexport_bo_move)

#if defined(__cplusplus)
}
#endif

#endif /* _VEXPORT_DRM_H_ */
