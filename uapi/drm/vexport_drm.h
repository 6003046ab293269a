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
 * - A call that fails has changed nothing. Only if its result cannot be copied
 *   out, which is -EFAULT, what it made is there, and %DRM_IOCTL_VEXPORT_BO_REVOKE
 *   may have begun what it then waits for, and says how to go on.
 * - Flags and members are added at the end, never removed; every addition
 *   raises the driver's minor version.
 * - Sizes are in bytes unless a member says otherwise.
 * - Every ioctl is -ENODEV once the device was unplugged, whatever it says below.
 *   CPU mappings can still be read and written then, but what is there is undefined.
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

	/** @DRM_VEXPORT_BO_REVOKE: Take one buffer away from everybody, or give it back. */
	DRM_VEXPORT_BO_REVOKE = 5,

	/** @DRM_VEXPORT_EVICT: Make everything leave the VRAM. */
	DRM_VEXPORT_EVICT = 6,

	/** @DRM_VEXPORT_STORM: Have buffers moved until a descriptor is closed. */
	DRM_VEXPORT_STORM = 7,

	/** @DRM_VEXPORT_BO_VERDICT: What the importers of one buffer have done. */
	DRM_VEXPORT_BO_VERDICT = 8,

	/** @DRM_VEXPORT_BO_PROFILE: Have one buffer be difficult, within the law. */
	DRM_VEXPORT_BO_PROFILE = 9,

	/** @DRM_VEXPORT_FAULT: Treat the importers of one buffer as no exporter should. */
	DRM_VEXPORT_FAULT = 10,

	/** @DRM_VEXPORT_STALL: Stop whoever gets to a certain step with one buffer. */
	DRM_VEXPORT_STALL = 11,

	/** @DRM_VEXPORT_GEM_EXPORT: Make a new dma-buf of a buffer. */
	DRM_VEXPORT_GEM_EXPORT = 12,
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

	/**
	 * @vram_used: Output: bytes of VRAM that are not free now. What a buffer has
	 * left and importers still have mapped, and what is quarantined, makes room for
	 * whoever wants it, and counts as free.
	 */
	__u64 vram_used;

	/** @moves: Output: buffers moved to other pages or another placement. */
	__u64 moves;

	/** @evictions: Output: moves that were made to free memory. */
	__u64 evictions;

	/** @notifies: Output: invalidations sent, one per dma-buf each time importers are told. */
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

	/** @storages: Output: page sets that are allocated now, and not quarantined. */
	__u32 storages;

	/**
	 * @fences: Output: fences of moves, by whomever they are held, that exist now; of all
	 * instances, because a fence may live longer than its device.
	 */
	__u32 fences;

	/** @pinned: Output: bytes in buffers that are pinned now. */
	__u64 pinned;

	/** @pin_limit: Output: most that @pinned can be. */
	__u64 pin_limit;

	/**
	 * @client_pinned: Output: bytes in buffers that importers pin now which the
	 * caller's real user ID has had attach, through whatever file and process.
	 */
	__u64 client_pinned;

	/**
	 * @client_pin_limit: Output: most that @client_pinned can become by an
	 * importer that somebody without CAP_IPC_LOCK has had attach.
	 */
	__u64 client_pin_limit;

	/**
	 * @quarantined: Output: bytes of storage that a buffer has left, that nobody
	 * has mapped any more, and that is watched for late writes all the same. It
	 * goes when it gets old, when somebody else wants the memory, and with its
	 * buffer.
	 */
	__u64 quarantined;
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
 * The call first checks all storage that the buffer has left and that is watched, as
 * &struct drm_vexport_bo_verdict tells: it was filled with
 * &struct drm_vexport_stale_word when the last fence that allowed writing had
 * signalled, so any change is a stale write. Counters are since the buffer's creation.
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

	/**
	 * @placement: Output: where it is, one of enum drm_vexport_placement;
	 * %DRM_VEXPORT_PLACEMENT_SYSTEM if it was revoked for good and has no pages.
	 */
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

	/** @notifies: Output: invalidations sent, one per dma-buf each time importers are told. */
	__u64 notifies;

	/** @stale_moves: Output: moves after which, before the next, a stale write was seen. */
	__u64 stale_moves;

	/** @stale_words: Output: 64-bit words written to storage after the buffer had left it. */
	__u64 stale_words;

	/**
	 * @quarantined: Output: bytes of storage left behind that an importer still
	 * has mapped, or that are still copied from. This is
	 * &drm_vexport_bo_verdict.draining, not the member of the same name there.
	 */
	__u64 quarantined;

	/** @revoked: Output: one of enum drm_vexport_revoke_state. */
	__u32 revoked;

	/** @pad: Output: zero. */
	__u32 pad;

	/**
	 * @moves_touched: Output: moves that took away pages which a CPU had touched
	 * through a mapping since the move before. Those that took them from an importer
	 * are &drm_vexport_bo_verdict.moves_mapped.
	 */
	__u64 moves_touched;
};

/**
 * DRM_VEXPORT_STALE_MAGIC - first member of &struct drm_vexport_stale_word
 */
#define DRM_VEXPORT_STALE_MAGIC		0x7ea5

/**
 * struct drm_vexport_stale_word - what storage is filled with once a buffer left it
 *
 * Storage that is watched, as &struct drm_vexport_bo_verdict tells, holds nothing but
 * these words. A reader that finds one in a buffer has read through a stale mapping.
 */
struct drm_vexport_stale_word {
	/** @magic: %DRM_VEXPORT_STALE_MAGIC. */
	__u16 magic;

	/** @buffer: Low bits of &drm_vexport_bo_verdict.buffer, whose storage it was. */
	__u8 buffer;

	/** @generation: Low bits of the generation that lived here last. */
	__u8 generation;

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
 * fence. Without this flag the call returns when the move is over, and copies itself
 * what is at most 4 MiB and has no fence pending, with the reservation held.
 * %DRM_VEXPORT_MOVE_OUT_FENCE gives that fence to whoever wants to wait for it.
 */
#define DRM_VEXPORT_MOVE_ASYNC		(1 << 1)

/**
 * DRM_VEXPORT_MOVE_OUT_FENCE - give a sync_file that signals when the move is over
 *
 * Goes with %DRM_VEXPORT_MOVE_ASYNC only: without it the move is over on return.
 */
#define DRM_VEXPORT_MOVE_OUT_FENCE	(1 << 2)

/**
 * struct drm_vexport_bo_move - move one buffer
 *
 * Every importer is told first; the copy starts when all fences of the buffer
 * have signalled. Moving a buffer to where it is already does nothing.
 *
 * Errors: -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a
 * dma-buf of this device, an unknown placement, flag or pad, or an out-fence
 * without ASYNC; -EBUSY if the buffer is pinned; -EMFILE; -ENOMEM if the target
 * has no room, or if importers hold too much of what was left before; -ENODEV if
 * the buffer is revoked, which is what an importer gets that wants to map it;
 * -ERESTARTSYS.
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

	/**
	 * @out_fence: Output: sync_file descriptor, with O_CLOEXEC, if
	 * %DRM_VEXPORT_MOVE_OUT_FENCE was given. It may have signalled already. -1
	 * without the flag, or if memory for it ran out after the buffer had moved:
	 * the call has waited then.
	 */
	__s32 out_fence;

	/** @pad2: Input: must be zero. */
	__u32 pad2;
};

/**
 * struct drm_vexport_evict - make everything leave the VRAM
 *
 * Every buffer of the device that is in VRAM goes to TT, the way that it would if
 * somebody needed its place: importers are told, their fences waited for, and the
 * content is copied before the call returns. A buffer that stays is no error.
 * Buffers that others bring to VRAM meanwhile are not followed.
 *
 * The call waits uninterruptibly for one buffer at a time. A signal ends it between
 * two of them only if it is going to kill the process.
 *
 * Errors: -EPERM without CAP_SYS_ADMIN; -EINVAL for an unknown flag or a pad.
 */
struct drm_vexport_evict {
	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @evicted: Output: buffers that have left. */
	__u32 evicted;

	/** @skipped: Output: buffers that have stayed: pinned, or no memory for them. */
	__u32 skipped;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/** DRM_VEXPORT_STORM_RELOCATE - fresh pages in the same placement */
#define DRM_VEXPORT_STORM_RELOCATE	(1 << 0)

/** DRM_VEXPORT_STORM_SYSTEM - to %DRM_VEXPORT_PLACEMENT_SYSTEM */
#define DRM_VEXPORT_STORM_SYSTEM	(1 << 1)

/** DRM_VEXPORT_STORM_TT - to %DRM_VEXPORT_PLACEMENT_TT */
#define DRM_VEXPORT_STORM_TT		(1 << 2)

/** DRM_VEXPORT_STORM_VRAM - to %DRM_VEXPORT_PLACEMENT_VRAM */
#define DRM_VEXPORT_STORM_VRAM		(1 << 3)

/** DRM_VEXPORT_STORM_EVICT - out of VRAM, as if somebody needed the place */
#define DRM_VEXPORT_STORM_EVICT		(1 << 4)

/** DRM_VEXPORT_STORM_MAX_FDS - buffers that one storm may move */
#define DRM_VEXPORT_STORM_MAX_FDS	64

/** DRM_VEXPORT_STORM_MAX_RATE - moves per second that one storm may ask for */
#define DRM_VEXPORT_STORM_MAX_RATE	1000

/**
 * struct drm_vexport_storm - have buffers moved until a descriptor is closed
 *
 * A kernel thread draws one of the buffers and one of the kinds at each step, and
 * moves the buffer so. Which ones it draws follows from the seed alone; what
 * importers do meanwhile does not.
 *
 * The storm is a lease: it goes on until the last copy of @storm_fd is closed, as
 * it is when its holder is killed. It is not tied to the DRM file that it was
 * started through. The thread holds the dma-bufs meanwhile, and the open
 * descriptor the module; a device that is unbound has no storms any more.
 * read() on @storm_fd gives a &struct drm_vexport_storm_counters.
 *
 * Anybody who holds a dma-buf may have it moved, so the thread gives way to others
 * (its nice value is 10), and rests after each step for at least as long as the step
 * took. A slow or busy machine, or a slow importer, makes the rate drop.
 *
 * Errors: -EBADF for a bad descriptor among @fds; -EINVAL for one that is not a
 * dma-buf of this device, no or too many of them, no or unknown @kinds, a @rate of
 * zero or too high, an unknown flag or a pad; -EFAULT for a bad pointer; -ENOSPC if
 * the device has eight storms already; -ENODEV if it is going away; -ENOMEM; -EMFILE.
 */
struct drm_vexport_storm {
	/** @fds: Input: pointer to an array of __s32, dma-buf descriptors. */
	__u64 fds;

	/** @fd_count: Input: how many, at most %DRM_VEXPORT_STORM_MAX_FDS. */
	__u32 fd_count;

	/** @kinds: Input: mask of DRM_VEXPORT_STORM_*, the ways to move. */
	__u32 kinds;

	/** @seed: Input: what to draw from, zero to have one chosen. Output: the seed. */
	__u64 seed;

	/** @rate: Input: steps per second, at most %DRM_VEXPORT_STORM_MAX_RATE. */
	__u32 rate;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @storm_fd: Output: descriptor of the storm, with O_CLOEXEC. */
	__s32 storm_fd;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/**
 * struct drm_vexport_storm_counters - what a storm has done so far
 *
 * A read() of less than the size of the first version, 40 bytes, is -EINVAL; one
 * of more gives as much as there is.
 */
struct drm_vexport_storm_counters {
	/** @steps: Steps so far. */
	__u64 steps;

	/** @moves: Steps that have moved a buffer. */
	__u64 moves;

	/** @idle: Steps that found the buffer where they wanted it. */
	__u64 idle;

	/** @busy: Steps that found the buffer pinned. */
	__u64 busy;

	/** @failed: Steps that failed for want of memory or room, or found it revoked. */
	__u64 failed;
};

/**
 * enum drm_vexport_revoke_state - whether a buffer can be used
 *
 * A buffer that is revoked keeps its dma-bufs, handles and attachments, but to map
 * it gives an importer -ENODEV, and to touch a CPU mapping of it gives SIGBUS.
 */
enum drm_vexport_revoke_state {
	/** @DRM_VEXPORT_REVOKE_NONE: It can. */
	DRM_VEXPORT_REVOKE_NONE = 0,

	/** @DRM_VEXPORT_REVOKE_TEMPORARY: Not until this is undone; the data is kept. */
	DRM_VEXPORT_REVOKE_TEMPORARY = 1,

	/**
	 * @DRM_VEXPORT_REVOKE_PERMANENT: Never again. Its memory is freed, but for
	 * what an importer still has mapped: that is freed when it is unmapped.
	 * Nobody can attach any more either.
	 */
	DRM_VEXPORT_REVOKE_PERMANENT = 2,
};

/**
 * struct drm_vexport_bo_revoke - take a buffer away from everybody, or give it back
 *
 * A revoke zaps the CPU mappings and tells every importer. The call then waits,
 * first for all fences of the buffer, which the rules for fences bound, then until
 * @timeout_nsec for importers to unmap. That an importer does not is no
 * error: it is told in @maps, and the importer's pages stay its own. Static
 * importers, which nobody can tell, and mappings of the kernel itself are waited
 * for and counted like the others.
 *
 * To ask for the state that the buffer is in only waits; that is also how to go on
 * after -ERESTARTSYS or -ENOMEM, and how to look later whether importers have let go.
 * A temporary revoke may become a permanent one. Undoing it does not wait.
 *
 * Holding the descriptor is not enough for this: the call must come through the
 * open DRM file that created the buffer, or from somebody with CAP_SYS_ADMIN. A
 * buffer of the heap node was created through no DRM file, so it takes the latter.
 *
 * Errors: -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a
 * dma-buf of this device, an unknown state or flag, or a time-out where nothing is
 * waited for; -EPERM for anybody else than said above; -ENODEV if the buffer is
 * revoked for good and another state is asked for. And once the buffer is revoked:
 * -ERESTARTSYS if a signal ends the wait, -ENODEV if the end of the device does;
 * -ENOMEM if there is no memory to free the buffer's with.
 */
struct drm_vexport_bo_revoke {
	/** @fd: Input: dma-buf file descriptor. */
	__s32 fd;

	/** @state: Input: one of enum drm_vexport_revoke_state. */
	__u32 state;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @maps: Output: sg tables and kernel mappings of the buffer that are still held. */
	__u32 maps;

	/**
	 * @timeout_nsec: Input: until when to wait for them, CLOCK_MONOTONIC, so
	 * that a call which is made again does not wait longer. Zero does not
	 * wait, and must be given with %DRM_VEXPORT_REVOKE_NONE.
	 */
	__s64 timeout_nsec;
};

/**
 * struct drm_vexport_gem_export - make a new dma-buf of a buffer
 *
 * %DRM_IOCTL_PRIME_HANDLE_TO_FD gives the same dma-buf for as long as there is a
 * handle. This one makes another each time, as exporters do that have no handles. All
 * of them name the same memory and share one reservation object. Whatever happens to
 * the buffer happens to all of them, and their importers are all told.
 *
 * %DRM_IOCTL_PRIME_FD_TO_HANDLE takes each of them, but only one at a time: -EINVAL
 * says that a handle stands for another dma-buf of the buffer now.
 *
 * Errors: -ENOENT for a handle that is not of this file; -EINVAL for an unknown flag
 * or a pad; -EMFILE; -ENOMEM.
 */
struct drm_vexport_gem_export {
	/** @handle: Input: GEM handle. */
	__u32 handle;

	/** @flags: Input: mask of %DRM_CLOEXEC and %DRM_RDWR. */
	__u32 flags;

	/** @fd: Output: dma-buf file descriptor. */
	__s32 fd;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/**
 * enum drm_vexport_rule - rules of dma-buf that an exporter can see broken
 *
 * What an importer does to its own page tables nobody else sees; what it does to
 * storage, to its mappings and to its pins the exporter does.
 */
enum drm_vexport_rule {
	/**
	 * @DRM_VEXPORT_RULE_STALE_WRITE: Storage changed that the buffer had left,
	 * when all fences had signalled, while the importer had it mapped. Past the
	 * fences an importer may at most read, and drop what it reads.
	 */
	DRM_VEXPORT_RULE_STALE_WRITE = 1 << 0,

	/**
	 * @DRM_VEXPORT_RULE_WRITE_AFTER_UNMAP: It changed after the last importer that
	 * had it mapped had unmapped it.
	 */
	DRM_VEXPORT_RULE_WRITE_AFTER_UNMAP = 1 << 1,

	/**
	 * @DRM_VEXPORT_RULE_LATE_UNMAP: A dynamic importer has kept a mapping of
	 * storage that the buffer had left for %DRM_VEXPORT_UNMAP_NSEC, counted from
	 * when all fences had signalled.
	 */
	DRM_VEXPORT_RULE_LATE_UNMAP = 1 << 2,

	/**
	 * @DRM_VEXPORT_RULE_SURPLUS_UNMAP: An importer has unmapped what it did not
	 * have mapped.
	 */
	DRM_VEXPORT_RULE_SURPLUS_UNMAP = 1 << 3,

	/**
	 * @DRM_VEXPORT_RULE_UNMAP_DIRECTION: An importer has unmapped with another
	 * direction than it had mapped with.
	 */
	DRM_VEXPORT_RULE_UNMAP_DIRECTION = 1 << 4,

	/** @DRM_VEXPORT_RULE_DETACH_MAPPED: An importer has detached with something mapped. */
	DRM_VEXPORT_RULE_DETACH_MAPPED = 1 << 5,

	/** @DRM_VEXPORT_RULE_DETACH_PINNED: An importer has detached with a pin left. */
	DRM_VEXPORT_RULE_DETACH_PINNED = 1 << 6,

	/**
	 * @DRM_VEXPORT_RULE_SURPLUS_UNPIN: An importer has unpinned more often than
	 * it had pinned, or tried to.
	 */
	DRM_VEXPORT_RULE_SURPLUS_UNPIN = 1 << 7,
};

/** DRM_VEXPORT_UNMAP_NSEC - when an unmap is late, nanoseconds */
#define DRM_VEXPORT_UNMAP_NSEC		5000000000ULL

/** DRM_VEXPORT_ATTACHMENT_DYNAMIC - the importer is told of moves */
#define DRM_VEXPORT_ATTACHMENT_DYNAMIC	(1 << 0)

/** DRM_VEXPORT_ATTACHMENT_P2P - it can reach memory of a peer */
#define DRM_VEXPORT_ATTACHMENT_P2P	(1 << 1)

/** DRM_VEXPORT_ATTACHMENT_GONE - it has detached */
#define DRM_VEXPORT_ATTACHMENT_GONE	(1 << 2)

/**
 * struct drm_vexport_attachment_info - what one importer has done with a buffer
 *
 * Counters are since it has attached. It may grow; see
 * &drm_vexport_bo_verdict.attachment_stride.
 */
struct drm_vexport_attachment_info {
	/** @id: Output: number of the attachment; never used again by the device. */
	__u64 id;

	/** @dmabuf: Output: inode number of the dma-buf it is of. */
	__u64 dmabuf;

	/** @rules: Output: mask of enum drm_vexport_rule, those it was seen to break. */
	__u64 rules;

	/**
	 * @stale_words: Output: 64-bit words written to storage that the buffer had
	 * left, of which this importer has, or once had, an sg table. Who of several
	 * it was cannot be seen: each is under suspicion, here and in @rules.
	 */
	__u64 stale_words;

	/** @notifies: Output: invalidations it was sent. */
	__u64 notifies;

	/** @maps_total: Output: sg tables it was given. */
	__u64 maps_total;

	/**
	 * @unmap_last_nsec: Output: from the first notification that an sg table is
	 * going to be stale, to when that table was unmapped: of the last such table.
	 * Zero if there was none.
	 */
	__u64 unmap_last_nsec;

	/** @unmap_max_nsec: Output: the most that this was. */
	__u64 unmap_max_nsec;

	/** @flags: Output: mask of DRM_VEXPORT_ATTACHMENT_*. */
	__u32 flags;

	/** @pins: Output: its pins, with those that the dma-buf core takes on map. */
	__u32 pins;

	/** @hard_pins: Output: those of them that hold the buffer where it is. */
	__u32 hard_pins;

	/** @owed: Output: pins that have failed, and that it may unpin all the same. */
	__u32 owed;

	/** @maps: Output: sg tables it holds. */
	__u32 maps;

	/** @pad: Output: zero. */
	__u32 pad;

	/** @device: Output: name of its device, cut off if too long; ends with a zero. */
	char device[32];
};

/**
 * struct drm_vexport_stale_write - a stale write, as far as it can be seen
 */
struct drm_vexport_stale_write {
	/** @generation: Output: the generation that lived there last. */
	__u64 generation;

	/** @offset: Output: offset in the buffer, in bytes, of the 64-bit word. */
	__u64 offset;

	/**
	 * @age_nsec: Output: how long before it was found all fences had signalled
	 * and writing was forbidden. The write is at most that old.
	 */
	__u64 age_nsec;
};

/**
 * struct drm_vexport_bo_verdict - what the importers of one buffer have done
 *
 * The call first waits, until @timeout_nsec, for fences of the buffer and for
 * importers to unmap the storage that it has left. That this does not happen is no
 * error: see @draining. It then checks all the storage that is watched, and
 * returns what has been seen since the buffer's creation.
 *
 * Storage is watched from when all fences had signalled, until the last importer
 * has unmapped it, and from then on for as long as the module's parameters allow:
 * by default a second and 16 MiB per device, less if memory is short. Its DMA
 * mappings are kept as long, so that an address which was given back does not name
 * other memory at once: a write that comes late still ends here. The mappings of a
 * device end with its attachment. With the module's parameter quarantine=N nothing is
 * watched, and no stale write is found.
 *
 * Errors: -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a
 * dma-buf of this device, an unknown flag, a negative time-out, or a bad stride;
 * -EFAULT for a bad pointer; -ENOMEM; -ERESTARTSYS if a signal ends the wait.
 */
struct drm_vexport_bo_verdict {
	/** @fd: Input: dma-buf file descriptor. */
	__s32 fd;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/**
	 * @timeout_nsec: Input: until when to wait, CLOCK_MONOTONIC, so that a call
	 * which is made again does not wait longer. Zero does not wait.
	 */
	__s64 timeout_nsec;

	/**
	 * @attachments: Input: pointer to an array of &struct
	 * drm_vexport_attachment_info, which is filled with a row per attachment,
	 * oldest first. Of those that are gone the last 16 are told of, and those
	 * that have broken a rule are kept longer than others.
	 */
	__u64 attachments;

	/**
	 * @attachment_count: Input: rows there is room for; zero if none are wanted.
	 * Output: rows there are. If that is more, the first ones were filled.
	 */
	__u32 attachment_count;

	/**
	 * @attachment_stride: Input: bytes from one row to the next, a multiple of
	 * eight, and no less than the first version of the row had, 120 bytes. If it
	 * is less than the driver's row has, the end of that is left out, if it is
	 * more, the rest is zeroed. Ignored without rows.
	 */
	__u32 attachment_stride;

	/** @buffer: Output: number that debugfs and tracepoints call the buffer by. */
	__u64 buffer;

	/** @moves: Output: moves so far. */
	__u64 moves;

	/**
	 * @moves_mapped: Output: moves of them that took storage away which an
	 * importer had mapped, with the quarantine on. Without any, nothing has been
	 * tested.
	 */
	__u64 moves_mapped;

	/** @notifies: Output: invalidations sent, one per dma-buf each time importers are told. */
	__u64 notifies;

	/** @stale_moves: Output: moves after which, before the next, a stale write was seen. */
	__u64 stale_moves;

	/** @stale_words: Output: 64-bit words written to storage after the buffer had left it. */
	__u64 stale_words;

	/** @stale_first: Output: the first of them; zero if there was none. */
	struct drm_vexport_stale_write stale_first;

	/** @stale_last: Output: the last of them. */
	struct drm_vexport_stale_write stale_last;

	/**
	 * @draining: Output: bytes of storage that the buffer has left and that is
	 * still being copied from, or still mapped by an importer.
	 */
	__u64 draining;

	/** @quarantined: Output: bytes that nobody has mapped any more, and that are watched. */
	__u64 quarantined;

	/**
	 * @rules: Output: mask of enum drm_vexport_rule, those that importers of the
	 * buffer were seen to break, whether they are still there or not.
	 */
	__u64 rules;

	/**
	 * @rules_legal: Output: those of @rules that this kernel does not have, but
	 * later ones do: %DRM_VEXPORT_RULE_LATE_UNMAP before Linux 7.1.
	 */
	__u64 rules_legal;
};

/**
 * DRM_VEXPORT_NASTY_PAGELESS - sg tables hold DMA addresses and nothing else
 *
 * No entry has a page, its length on the CPU's side is zero, and orig_nents is zero.
 * An importer without allow_peer2peer has not said that it can do without pages, and
 * is given them.
 */
#define DRM_VEXPORT_NASTY_PAGELESS		(1 << 0)

/**
 * DRM_VEXPORT_NASTY_PAGELESS_VRAM - the same, for tables of VRAM only
 *
 * Entries have lengths on the CPU's side, and orig_nents counts them.
 */
#define DRM_VEXPORT_NASTY_PAGELESS_VRAM		(1 << 1)

/**
 * DRM_VEXPORT_NASTY_P2P_ONLY - an importer without allow_peer2peer is refused
 *
 * With -EOPNOTSUPP, at attach, and at map if it was attached before.
 */
#define DRM_VEXPORT_NASTY_P2P_ONLY		(1 << 2)

/**
 * DRM_VEXPORT_NASTY_FRAGMENTED - segments are small, and not in the order of memory
 *
 * No segment is larger than &drm_vexport_bo_profile.max_segment, unless an IOMMU joins
 * what it maps. Memory that is allocated from now on is scattered: neighbours in the
 * buffer are no neighbours in memory, but for one pair at most, by chance.
 */
#define DRM_VEXPORT_NASTY_FRAGMENTED		(1 << 3)

/**
 * DRM_VEXPORT_NASTY_MAXIMAL - segments are few and large
 *
 * As large as the importer's dma_get_max_seg_size() allows. Memory that is allocated
 * from now on is contiguous as far as there is such. Not with FRAGMENTED.
 */
#define DRM_VEXPORT_NASTY_MAXIMAL		(1 << 4)

/** DRM_VEXPORT_NASTY_NOTIFY_TWICE - importers are told of everything twice */
#define DRM_VEXPORT_NASTY_NOTIFY_TWICE		(1 << 5)

/**
 * DRM_VEXPORT_NASTY_NOTIFY_EARLY - an importer is told before it has ever mapped
 *
 * From within its first map, and all others with it.
 */
#define DRM_VEXPORT_NASTY_NOTIFY_EARLY		(1 << 6)

/**
 * DRM_VEXPORT_NASTY_NOTIFY_SPURIOUS - importers are told, and nothing moves
 *
 * Soon after every n-th map.
 */
#define DRM_VEXPORT_NASTY_NOTIFY_SPURIOUS	(1 << 7)

/**
 * DRM_VEXPORT_NASTY_MAP_SLOW - a map takes &drm_vexport_bo_profile.map_delay_us longer
 *
 * With the reservation held. After that no map is delayed for as long again, so that
 * who maps many times in a row is not slow each time. Nobody who is being killed has
 * to wait.
 */
#define DRM_VEXPORT_NASTY_MAP_SLOW		(1 << 8)

/** DRM_VEXPORT_NASTY_MAP_BUSY - every n-th map fails with -EBUSY */
#define DRM_VEXPORT_NASTY_MAP_BUSY		(1 << 9)

/**
 * DRM_VEXPORT_NASTY_MAP_INTR - every n-th map is interrupted
 *
 * It fails with -ERESTARTSYS if a signal is pending, else with -EINTR. In turns with
 * MAP_BUSY, if both are given.
 */
#define DRM_VEXPORT_NASTY_MAP_INTR		(1 << 10)

/**
 * DRM_VEXPORT_NASTY_MAP_TO_TT - every n-th map finds the buffer forced out of VRAM
 *
 * As by a second attachment that cannot reach VRAM: the map moves the buffer to TT,
 * and everybody else loses his mapping. Of the maps that find the buffer in VRAM, every
 * n-th for each attachment that there is, or importers would take it from each other
 * for ever.
 */
#define DRM_VEXPORT_NASTY_MAP_TO_TT		(1 << 11)

/**
 * DRM_VEXPORT_NASTY_MAP_TO_VRAM - a map brings the buffer to VRAM
 *
 * If all importers can reach it there, nobody has pinned the buffer, and there is
 * room; everybody else loses his mapping.
 */
#define DRM_VEXPORT_NASTY_MAP_TO_VRAM		(1 << 12)

/** DRM_VEXPORT_PROFILE_MAX_DELAY_US - longest &drm_vexport_bo_profile.map_delay_us */
#define DRM_VEXPORT_PROFILE_MAX_DELAY_US	100000

/** DRM_VEXPORT_PROFILE_MAX_EVERY - largest &drm_vexport_bo_profile.every */
#define DRM_VEXPORT_PROFILE_MAX_EVERY		65536

/**
 * DRM_VEXPORT_PROFILE_GET - only tell what the profile is
 *
 * All other inputs but the descriptor must be zero.
 */
#define DRM_VEXPORT_PROFILE_GET			(1 << 0)

/**
 * struct drm_vexport_bo_profile - have one buffer be difficult, within the law
 *
 * Everything that a profile does is something that an exporter may do: an importer
 * that keeps the contract of dma-buf copes with all of it, if only by trying again.
 * The kernel is not tainted. A new profile takes the place of the old one, and
 * @nasty of zero ends it. It holds for what happens from now on: sg tables that
 * importers hold, and memory that the buffer has, stay as they are.
 *
 * A buffer that is pinned is not moved, and nobody is told anything for nothing.
 *
 * It makes the buffer worse for all that import it, so holding the descriptor is not
 * enough: the call must come through the open DRM file that created the buffer, or
 * from somebody with CAP_SYS_ADMIN, as with &struct drm_vexport_bo_revoke. That is
 * not so for %DRM_VEXPORT_PROFILE_GET.
 *
 * Errors: -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a
 * dma-buf of this device, an unknown flag or bit, bits that exclude one another, a
 * number that is out of bounds or is missing, or one that no bit asks for; -EPERM for
 * anybody else than said above; -ERESTARTSYS.
 */
struct drm_vexport_bo_profile {
	/** @fd: Input: dma-buf file descriptor. */
	__s32 fd;

	/** @flags: Input: mask of DRM_VEXPORT_PROFILE_*. */
	__u32 flags;

	/** @nasty: Input, output with GET: mask of DRM_VEXPORT_NASTY_*. */
	__u32 nasty;

	/**
	 * @map_delay_us: Input, output with GET: microseconds, one to
	 * %DRM_VEXPORT_PROFILE_MAX_DELAY_US with MAP_SLOW, else zero.
	 */
	__u32 map_delay_us;

	/**
	 * @max_segment: Input, output with GET: largest segment, a multiple of 4096,
	 * with FRAGMENTED, else zero.
	 */
	__u32 max_segment;

	/**
	 * @every: Input, output with GET: what n of every n-th map is, two to
	 * %DRM_VEXPORT_PROFILE_MAX_EVERY, if a bit speaks of that, else zero. Since
	 * it is not one, whoever tries again succeeds.
	 */
	__u32 every;

	/**
	 * @acted: Output: how often each bit has acted since the buffer's creation,
	 * by the number of the bit.
	 */
	__u64 acted[16];
};

/**
 * enum drm_vexport_fault_kind - what may be done to the importers of a buffer
 *
 * An error is given instead of what was asked for, before anything has been done. From
 * %DRM_VEXPORT_FAULT_NO_NOTIFY on it is the exporter that breaks a rule, which no importer
 * can make up for: whoever tests exporters has to see that. Its pages are safe all the
 * same, because it keeps what importers have mapped.
 */
enum drm_vexport_fault_kind {
	/** @DRM_VEXPORT_FAULT_ATTACH: To attach fails. */
	DRM_VEXPORT_FAULT_ATTACH = 0,

	/**
	 * @DRM_VEXPORT_FAULT_PIN: To pin fails. Besides importers that pin, the
	 * dma-buf core does so itself for static importers when they attach, and with
	 * %DRM_VEXPORT_CAP_IMPLICIT_PIN for dynamic ones when they map.
	 */
	DRM_VEXPORT_FAULT_PIN = 1,

	/** @DRM_VEXPORT_FAULT_MAP: To map fails. */
	DRM_VEXPORT_FAULT_MAP = 2,

	/**
	 * @DRM_VEXPORT_FAULT_NOTIFY_PINNED: When a move is refused because the buffer
	 * is pinned, importers are told of it all the same. The buffer stays.
	 */
	DRM_VEXPORT_FAULT_NOTIFY_PINNED = 3,

	/**
	 * @DRM_VEXPORT_FAULT_NOTIFY_IN_PIN: When somebody has been given a pin, all
	 * importers, the one that pins among them, are told of a move before the call
	 * returns. The buffer stays.
	 */
	DRM_VEXPORT_FAULT_NOTIFY_IN_PIN = 4,

	/** @DRM_VEXPORT_FAULT_NO_NOTIFY: Importers are not told of a move. */
	DRM_VEXPORT_FAULT_NO_NOTIFY = 5,

	/** @DRM_VEXPORT_FAULT_LATE_NOTIFY: They are told when the content has been copied. */
	DRM_VEXPORT_FAULT_LATE_NOTIFY = 6,

	/** @DRM_VEXPORT_FAULT_NO_WAIT: A move does not wait for the fences of importers. */
	DRM_VEXPORT_FAULT_NO_WAIT = 7,

	/** @DRM_VEXPORT_FAULT_HASTY_REVOKE: A revoke does not wait for them to unmap. */
	DRM_VEXPORT_FAULT_HASTY_REVOKE = 8,
};

/** DRM_VEXPORT_FAULT_REPEAT - at every n-th opportunity, not only at the first n-th */
#define DRM_VEXPORT_FAULT_REPEAT	(1 << 0)

/**
 * DRM_VEXPORT_FAULT_QUERY - change nothing, only tell
 *
 * &drm_vexport_fault.nth and &drm_vexport_fault.error must be zero.
 */
#define DRM_VEXPORT_FAULT_QUERY		(1 << 1)

/**
 * struct drm_vexport_fault - treat the importers of one buffer as no exporter should
 *
 * For finding out what an importer makes of it. There is one fault of each kind per
 * buffer; a new one takes the place of the one before. Opportunities are counted from
 * this call on, over all importers and dma-bufs of the buffer. A fault stays with the
 * buffer, whoever has asked for it.
 *
 * Only with the module parameter misbehave=1. The first one taints the kernel with
 * TAINT_TEST.
 *
 * Errors: -EINVAL for an unknown kind or flag, an @error that is not in its list, or
 * what must be zero; -EPERM without the module parameter or without CAP_SYS_ADMIN;
 * -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a dma-buf of this
 * device; -ENOMEM.
 */
struct drm_vexport_fault {
	/** @fd: Input: dma-buf file descriptor. */
	__s32 fd;

	/** @kind: Input: one of enum drm_vexport_fault_kind. */
	__u32 kind;

	/** @flags: Input: mask of DRM_VEXPORT_FAULT_*. */
	__u32 flags;

	/**
	 * @error: Input: errno that the importer gets, positive: one of EPERM, EINTR,
	 * EIO, EAGAIN, ENOMEM, EACCES, EBUSY, ENODEV, EINVAL, ENOSPC, EOPNOTSUPP and
	 * ETIMEDOUT. Zero for the kinds that tell, and to end a fault.
	 */
	__u32 error;

	/**
	 * @nth: Input: which opportunity it is to be, from one; zero ends the fault.
	 * Output: how many opportunities are left until then, that one included, or zero
	 * if there is no fault.
	 */
	__u64 nth;

	/** @fired: Output: how often one of this kind has happened to the buffer so far. */
	__u64 fired;
};

/**
 * enum drm_vexport_stall_point - steps between which somebody can be stopped
 *
 * The reservation of the buffer is held at all of them for which nothing else is
 * said. A worker of the kernel makes the steps of a queued move from
 * %DRM_VEXPORT_STALL_MOVE_IDLE on; the reservation is free then, and other fences
 * wait for it. An eviction makes them on the spot; so would a call that waits for its
 * move and has little to copy, but of a buffer that has a stall all such moves are
 * queued. Between TT and SYSTEM nothing is copied: such a move has but the first two,
 * and only on its way to SYSTEM.
 */
enum drm_vexport_stall_point {
	/** @DRM_VEXPORT_STALL_MOVE_BEGIN: CPU mappings are zapped, importers not yet told. */
	DRM_VEXPORT_STALL_MOVE_BEGIN = 0,

	/** @DRM_VEXPORT_STALL_MOVE_NOTIFIED: Importers have been told. */
	DRM_VEXPORT_STALL_MOVE_NOTIFIED = 1,

	/** @DRM_VEXPORT_STALL_MOVE_RESERVED: There is a slot for the fence of the copy. */
	DRM_VEXPORT_STALL_MOVE_RESERVED = 2,

	/**
	 * @DRM_VEXPORT_STALL_MOVE_QUEUED: The copy is queued, and may have run, but
	 * nobody sees its fence yet. Not in an eviction.
	 */
	DRM_VEXPORT_STALL_MOVE_QUEUED = 3,

	/** @DRM_VEXPORT_STALL_MOVE_IDLE: All fences have signalled, nothing is copied yet. */
	DRM_VEXPORT_STALL_MOVE_IDLE = 4,

	/** @DRM_VEXPORT_STALL_MOVE_COPIED: The content is in both places. */
	DRM_VEXPORT_STALL_MOVE_COPIED = 5,

	/**
	 * @DRM_VEXPORT_STALL_MOVE_DONE: What was left is under watch. The fence of the
	 * move has not signalled; in an eviction, the new place is not the buffer's yet.
	 */
	DRM_VEXPORT_STALL_MOVE_DONE = 6,

	/**
	 * @DRM_VEXPORT_STALL_MOVE_RELEASE: The fence has signalled, what was left is
	 * not given up yet. Not in an eviction.
	 */
	DRM_VEXPORT_STALL_MOVE_RELEASE = 7,

	/** @DRM_VEXPORT_STALL_REVOKE_MARKED: The buffer is revoked, importers not yet told. */
	DRM_VEXPORT_STALL_REVOKE_MARKED = 8,

	/**
	 * @DRM_VEXPORT_STALL_REVOKE_IDLE: All fences have signalled; importers that have
	 * not unmapped are not yet waited for. The reservation is free.
	 */
	DRM_VEXPORT_STALL_REVOKE_IDLE = 9,

	/** @DRM_VEXPORT_STALL_MAP_BEGIN: An importer maps; nobody has looked where. */
	DRM_VEXPORT_STALL_MAP_BEGIN = 10,

	/** @DRM_VEXPORT_STALL_MAP_END: An importer is about to be given its sg table. */
	DRM_VEXPORT_STALL_MAP_END = 11,
};

/**
 * struct drm_vexport_stall - stop whoever gets to a certain step with one buffer
 *
 * For tests of races: whoever gets there is stopped, sleeping, with all that is held
 * at that step, until it is released. That happens once in the life of a stall.
 *
 * The stall belongs to @stall_fd. poll() says POLLIN when somebody has been stopped,
 * also when that is over again. read() gives a &struct drm_vexport_stall_status at
 * once. write() of any bytes releases, or if nobody has come yet, lets everybody pass
 * from now on. To close the last copy of the descriptor does the same, as it is when
 * its holder is killed.
 *
 * After five seconds the stopped task goes on by itself, because fences and other
 * processes may be waiting for it; the status then says so for ever. A signal changes
 * nothing before that. Nobody is stopped who frees memory for others, nor a kernel
 * thread that is not a worker of a work queue; the storm's are among these.
 *
 * The stall holds neither the buffer nor its dma-buf. As long as it is open, also
 * when it is over, moves of the buffer that begin are queued, but for evictions.
 *
 * Only with the module parameter misbehave=1. The first one taints the kernel with
 * TAINT_TEST.
 *
 * Errors: -EINVAL for an unknown point or flag, @nth zero, a negative @pid, or a pad;
 * -EPERM without the module parameter or without CAP_SYS_ADMIN; -EBADF for a bad
 * descriptor; -EINVAL for a descriptor that is not a dma-buf of this device; -ESRCH if
 * there is no such process; -ENOMEM; -EMFILE.
 */
struct drm_vexport_stall {
	/** @fd: Input: dma-buf file descriptor. */
	__s32 fd;

	/** @point: Input: one of enum drm_vexport_stall_point. */
	__u32 point;

	/**
	 * @pid: Input: only threads of this process are stopped; zero for anybody. A
	 * worker of the kernel belongs to no process.
	 */
	__s32 pid;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @nth: Input: which of those who get there is stopped, from one. */
	__u64 nth;

	/** @stall_fd: Output: descriptor of the stall, with O_CLOEXEC. */
	__s32 stall_fd;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/**
 * enum drm_vexport_stall_state - what has become of a stall
 */
enum drm_vexport_stall_state {
	/** @DRM_VEXPORT_STALL_WAITING: Nobody has been stopped so far. */
	DRM_VEXPORT_STALL_WAITING = 0,

	/** @DRM_VEXPORT_STALL_HELD: Somebody is stopped now. */
	DRM_VEXPORT_STALL_HELD = 1,

	/** @DRM_VEXPORT_STALL_RELEASED: It was released, or given up before anybody came. */
	DRM_VEXPORT_STALL_RELEASED = 2,

	/** @DRM_VEXPORT_STALL_EXPIRED: Nobody released the task that was stopped in time. */
	DRM_VEXPORT_STALL_EXPIRED = 3,
};

/**
 * struct drm_vexport_stall_status - what has become of a stall
 *
 * A read() of less than the size of the first version, 24 bytes, is -EINVAL; one of
 * more gives as much as there is.
 */
struct drm_vexport_stall_status {
	/** @state: One of enum drm_vexport_stall_state. */
	__u32 state;

	/** @pid: Process that was stopped, or zero: nobody, or none that the reader sees. */
	__s32 pid;

	/** @arrivals: How often the step was reached while nobody had been stopped. */
	__u64 arrivals;

	/** @exempt: How often by somebody who must not be stopped. They do not arrive. */
	__u64 exempt;
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

/** DRM_IOCTL_VEXPORT_BO_REVOKE - &struct drm_vexport_bo_revoke */
#define DRM_IOCTL_VEXPORT_BO_REVOKE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_BO_REVOKE, struct drm_vexport_bo_revoke)

/** DRM_IOCTL_VEXPORT_EVICT - &struct drm_vexport_evict */
#define DRM_IOCTL_VEXPORT_EVICT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_EVICT, struct drm_vexport_evict)

/** DRM_IOCTL_VEXPORT_STORM - &struct drm_vexport_storm */
#define DRM_IOCTL_VEXPORT_STORM \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_STORM, struct drm_vexport_storm)

/** DRM_IOCTL_VEXPORT_GEM_EXPORT - &struct drm_vexport_gem_export */
#define DRM_IOCTL_VEXPORT_GEM_EXPORT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_GEM_EXPORT, struct drm_vexport_gem_export)

/** DRM_IOCTL_VEXPORT_BO_VERDICT - &struct drm_vexport_bo_verdict */
#define DRM_IOCTL_VEXPORT_BO_VERDICT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_BO_VERDICT, struct drm_vexport_bo_verdict)

/** DRM_IOCTL_VEXPORT_BO_PROFILE - &struct drm_vexport_bo_profile */
#define DRM_IOCTL_VEXPORT_BO_PROFILE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_BO_PROFILE, struct drm_vexport_bo_profile)

/** DRM_IOCTL_VEXPORT_FAULT - &struct drm_vexport_fault */
#define DRM_IOCTL_VEXPORT_FAULT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_FAULT, struct drm_vexport_fault)

/** DRM_IOCTL_VEXPORT_STALL - &struct drm_vexport_stall */
#define DRM_IOCTL_VEXPORT_STALL \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VEXPORT_STALL, struct drm_vexport_stall)

#if defined(__cplusplus)
}
#endif

#endif /* _VEXPORT_DRM_H_ */
