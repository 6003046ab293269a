/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_DRM_H_
#define _VIMPORT_DRM_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: vimport user interface
 *
 * vimport is a GPU made of software: address spaces with page tables and a
 * TLB, an engine that runs jobs on its own time, and imported dma-bufs as the
 * memory that it works on.
 *
 * The law of this interface:
 *
 * - Structures are multiples of 64 bits and hold no unions.
 * - Padding and unknown flags are checked: anything but zero is -EINVAL.
 * - A call that fails has changed nothing. Only if its result cannot be copied
 *   out, which is -EFAULT, what it made is there.
 * - Flags and members are added at the end, never removed; every addition
 *   raises the driver's minor version.
 * - Sizes are in bytes, times in nanoseconds unless a member says otherwise.
 *
 * Buffers come in with %DRM_IOCTL_PRIME_FD_TO_HANDLE (dynamic, and able to
 * reach peer-to-peer memory) or %DRM_IOCTL_VIMPORT_IMPORT (a flavour of one's
 * choice). There is no memory of vimport's own. As with every DRM driver, the
 * engine may write to a dma-buf whose descriptor is only good for reading.
 */

/**
 * enum drm_vimport_ioctl_id - numbers of the driver's ioctls
 */
enum drm_vimport_ioctl_id {
	/** @DRM_VIMPORT_INFO: Device facts and counters. */
	DRM_VIMPORT_INFO = 0,

	/** @DRM_VIMPORT_VM_CREATE: Create an address space. */
	DRM_VIMPORT_VM_CREATE,

	/** @DRM_VIMPORT_VM_DESTROY: Destroy an address space. */
	DRM_VIMPORT_VM_DESTROY,

	/** @DRM_VIMPORT_VM_BIND: Map or unmap a range of an address space. */
	DRM_VIMPORT_VM_BIND,

	/** @DRM_VIMPORT_IMPORT: Import a dma-buf with a chosen flavour. */
	DRM_VIMPORT_IMPORT,

	/** @DRM_VIMPORT_EXEC: Submit a job. */
	DRM_VIMPORT_EXEC,

	/** @DRM_VIMPORT_MISBEHAVE: Switch deliberate bugs on. */
	DRM_VIMPORT_MISBEHAVE,

	/** @DRM_VIMPORT_QUEUE_CREATE: Create a queue of jobs. */
	DRM_VIMPORT_QUEUE_CREATE,

	/** @DRM_VIMPORT_QUEUE_DESTROY: Destroy a queue. */
	DRM_VIMPORT_QUEUE_DESTROY,

	/** @DRM_VIMPORT_QUEUE_QUERY: Whether a queue still works. */
	DRM_VIMPORT_QUEUE_QUERY,

	/** @DRM_VIMPORT_USERPTR: Make a buffer of memory of the process. */
	DRM_VIMPORT_USERPTR,

	/** @DRM_VIMPORT_USERPTR_FIND: Find such a buffer by its address. */
	DRM_VIMPORT_USERPTR_FIND,

	/** @DRM_VIMPORT_WAIT_FENCE: Wait for a fence in memory. */
	DRM_VIMPORT_WAIT_FENCE,

	/** @DRM_VIMPORT_VM_QUERY: Statistics of an address space. */
	DRM_VIMPORT_VM_QUERY,

	/** @DRM_VIMPORT_RAW: One operation of a dma-buf importer at a time. */
	DRM_VIMPORT_RAW,
};

/**
 * struct drm_vimport_info - device facts and counters
 *
 * The counters are since load. The gauges (@vms and what follows, of 32 bits) are back to
 * zero soon after nothing is left; tests check for leaks with them.
 */
struct drm_vimport_info {
	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @gpu: Output: index of this GPU, from zero. */
	__u32 gpu;

	/** @va_bits: Output: addresses are below 2 to the power of this. */
	__u32 va_bits;

	/** @max_cmds: Output: commands that one job may hold. */
	__u32 max_cmds;

	/** @max_job_ns: Output: DELAY time that one job may hold. */
	__u64 max_job_ns;

	/** @max_job_bytes: Output: sum of the sizes that the commands of one job may have. */
	__u64 max_job_bytes;

	/** @jobs: Output: jobs completed. */
	__u64 jobs;

	/** @job_errors: Output: of these, jobs that ended with an error. */
	__u64 job_errors;

	/** @bytes_written: Output: bytes that the engine has stored. */
	__u64 bytes_written;

	/** @invalidations: Output: invalidate callbacks received. */
	__u64 invalidations;

	/** @revalidations: Output: times that a buffer had to be mapped for a job. */
	__u64 revalidations;

	/** @tlb_flushes: Output: TLB flushes. */
	__u64 tlb_flushes;

	/** @gpu_faults: Output: accesses to an address without a valid translation. */
	__u64 gpu_faults;

	/** @vms: Output: address spaces that exist now. */
	__u32 vms;

	/** @imports: Output: imported buffers that exist now. */
	__u32 imports;

	/** @jobs_pending: Output: jobs submitted and not yet freed. */
	__u32 jobs_pending;

	/** @fences: Output: fences of jobs, by whomever they are held, that exist now. */
	__u32 fences;

	/** @resets: Output: times that the GPU was reset, because a job hung. */
	__u64 resets;

	/** @userptr_invalidations: Output: times that a notifier took memory in use away. */
	__u64 userptr_invalidations;

	/** @userptr_faults: Output: times that the pages of a userptr buffer were looked up. */
	__u64 userptr_faults;

	/** @userptr_retries: Output: times that they had changed before they could be used. */
	__u64 userptr_retries;

	/** @userptrs: Output: userptr buffers that exist now. */
	__u32 userptrs;

	/** @queues: Output: queues that exist now, with those that address spaces begin with. */
	__u32 queues;

	/** @tables: Output: page tables that exist now, but for the first one of each @vms. */
	__u32 tables;

	/** @pad2: Output: zero. */
	__u32 pad2;
};

/**
 * DRM_VIMPORT_VM_CREATE_FAULTING - accesses without a translation are repeated
 *
 * A GPU page fault has the page, or the buffer that has moved, made present, and the
 * access is made again. How long that takes depends on anybody, so nothing that
 * the kernel waits for may depend on it: jobs of such an address space have no
 * dma_fence, appear in no reservation object, and may run for ever. They end with a fence
 * in memory, &struct drm_vimport_fence.
 *
 * Without the flag the address space is fenced: everything that a job may need is
 * present before it is submitted, and stays until its dma_fence has signalled.
 */
#define DRM_VIMPORT_VM_CREATE_FAULTING	(1 << 0)

/**
 * struct drm_vimport_vm_create - create an address space
 *
 * Errors: -EINVAL for an unknown flag; -ENOSPC if the file or the GPU has too
 * many address spaces, or faulting ones, of which the GPU's include those that
 * wait for their last jobs; -ENOMEM.
 */
struct drm_vimport_vm_create {
	/** @flags: Input: mask of DRM_VIMPORT_VM_CREATE_*. */
	__u32 flags;

	/** @vm_id: Output: name of the address space in this file, never zero. */
	__u32 vm_id;
};

/**
 * struct drm_vimport_vm_destroy - destroy an address space
 *
 * Jobs that are still queued end without touching memory, with the error
 * -ECANCELED on their fences. The call does not wait for them.
 *
 * Errors: -ENOENT if there is no such address space in this file; -EINVAL for
 * a pad.
 */
struct drm_vimport_vm_destroy {
	/** @vm_id: Input: the address space. */
	__u32 vm_id;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/**
 * enum drm_vimport_vm_bind_op - what to do with a range
 */
enum drm_vimport_vm_bind_op {
	/** @DRM_VIMPORT_VM_BIND_OP_MAP: Map a part of a buffer, whatever was mapped there. */
	DRM_VIMPORT_VM_BIND_OP_MAP = 0,

	/** @DRM_VIMPORT_VM_BIND_OP_UNMAP: Unmap whatever is mapped in the range. */
	DRM_VIMPORT_VM_BIND_OP_UNMAP = 1,
};

/**
 * DRM_VIMPORT_VM_BIND_READONLY - the engine may only read through this mapping
 *
 * The only way to map a buffer of %DRM_VIMPORT_USERPTR_READONLY.
 */
#define DRM_VIMPORT_VM_BIND_READONLY	(1 << 0)

/**
 * DRM_VIMPORT_VM_BIND_ASYNC - wait for nothing, and take turns with other binds
 *
 * The page table changes when the in-syncs have signalled and when jobs that were
 * submitted before, and may use what is replaced, are done. Out-syncs signal then. A
 * job that is submitted later finds the new mapping: it need not wait for an out-sync.
 */
#define DRM_VIMPORT_VM_BIND_ASYNC	(1 << 1)

/**
 * struct drm_vimport_vm_bind - map or unmap a range of an address space
 *
 * @va, @offset and @size are multiples of 4096. What is mapped in the range already is
 * split at its ends, and goes. UNMAP of a range in which nothing is mapped succeeds;
 * @handle and @offset must be zero there. Mappings that continue each other are not
 * merged, as drm_gpuvm does not: a range takes as many as it was mapped in.
 *
 * MAP takes effect at the next job. The first MAP of a buffer also asks its exporter where
 * it is. If that fails, only -EOPNOTSUPP is reported here, anything else by the job
 * that needs the buffer. Without %DRM_VIMPORT_VM_BIND_ASYNC a call that takes mappings
 * away waits until the address space is idle, and @sync_count must be zero. When the
 * last mapping of a buffer has gone, the exporter gets its sg table back.
 *
 * Errors: -ENOENT for an unknown @vm_id, @handle or syncobj; -EINVAL for misaligned
 * or zero or overflowing ranges, a part outside the buffer, an unknown op or flag, a
 * mapping of a read-only buffer without %DRM_VIMPORT_VM_BIND_READONLY, syncs without
 * %DRM_VIMPORT_VM_BIND_ASYNC, an in-sync without a fence, or more than 64 syncs;
 * -EPERM for a userptr buffer of another process; -EOPNOTSUPP for a buffer whose memory
 * the engine cannot reach, and for %DRM_VIMPORT_VM_BIND_ASYNC in a faulting address space;
 * -ENOSPC for more than 1024 mappings in one address space, or more than 4 GiB in all of
 * them, of which each piece of a mapping that is split is one; -EAGAIN if the address
 * space has too much to do, as for a job, or has as much on its way out as it may have
 * mapped (only with %DRM_VIMPORT_VM_BIND_ASYNC); -EFAULT for a bad pointer; -ENOMEM; -ERESTARTSYS.
 */
struct drm_vimport_vm_bind {
	/** @vm_id: Input: the address space. */
	__u32 vm_id;

	/** @op: Input: one of enum drm_vimport_vm_bind_op. */
	__u32 op;

	/** @flags: Input: mask of DRM_VIMPORT_VM_BIND_*. */
	__u32 flags;

	/** @handle: Input: GEM handle of the buffer to map. */
	__u32 handle;

	/** @offset: Input: offset in the buffer. */
	__u64 offset;

	/** @va: Input: first address. */
	__u64 va;

	/** @size: Input: size of the range. */
	__u64 size;

	/** @syncs: Input: pointer to an array of struct drm_vimport_sync. */
	__u64 syncs;

	/** @sync_count: Input: syncobjs, at most 64. */
	__u32 sync_count;

	/** @sync_stride: Input: size of one sync; 16 in this version, zero without syncs. */
	__u32 sync_stride;
};

/**
 * struct drm_vimport_queue_create - create a queue of jobs
 *
 * Jobs of one queue run in the order of their submission, those of different queues
 * do not wait for each other, but take turns. Each address space has a queue from the
 * beginning, with the id zero in EXEC, beside those that are made. All queues of an
 * address space share its limit of outstanding work.
 *
 * Errors: -ENOENT for an unknown @vm_id; -EINVAL for an unknown flag or a pad; -ENOSPC
 * for more than 64 queues in a file, or too many of the GPU; -ENOMEM.
 */
struct drm_vimport_queue_create {
	/** @vm_id: Input: the address space that its jobs run in. */
	__u32 vm_id;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @queue_id: Output: name of the queue in this file, never zero. */
	__u32 queue_id;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/**
 * struct drm_vimport_queue_destroy - destroy a queue
 *
 * Jobs that have not begun end without touching memory, with the error -ECANCELED.
 * The call does not wait for them. A queue goes with its address space, too.
 *
 * Errors: -ENOENT if there is no such queue in this file; -EINVAL for a pad.
 */
struct drm_vimport_queue_destroy {
	/** @queue_id: Input: the queue. */
	__u32 queue_id;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/** DRM_VIMPORT_QUEUE_BANNED - a job of the queue has hung; it takes no further ones */
#define DRM_VIMPORT_QUEUE_BANNED	(1 << 0)

/**
 * struct drm_vimport_queue_query - whether a queue still works
 *
 * A job that hangs is ended by a reset of the GPU, with -ETIME on its fence. Its queue
 * is banned: what it has queued ends with -ECANCELED, and EXEC says so, too. All
 * other queues go on, those of the same address space included.
 *
 * Errors: -ENOENT if there is no such queue; -EINVAL for a pad, or for @queue_id
 * and @vm_id that are both, or neither of them, zero.
 */
struct drm_vimport_queue_query {
	/** @queue_id: Input: the queue, or zero for the one that @vm_id began with. */
	__u32 queue_id;

	/** @vm_id: Input: the address space if @queue_id is zero, else zero. */
	__u32 vm_id;

	/** @flags: Output: mask of DRM_VIMPORT_QUEUE_*. */
	__u32 flags;

	/** @pad: Input: must be zero. */
	__u32 pad;

	/** @jobs: Output: jobs that have ended. */
	__u64 jobs;

	/** @errors: Output: of these, those with an error. */
	__u64 errors;
};

/**
 * DRM_VIMPORT_IMPORT_NO_P2P - the importer cannot reach peer-to-peer memory
 *
 * A cautious exporter then brings the buffer to system memory at every map.
 */
#define DRM_VIMPORT_IMPORT_NO_P2P	(1 << 0)

/**
 * DRM_VIMPORT_IMPORT_PINNED - the buffer must not move
 *
 * As long as the import exists it is pinned and mapped, like memory that a
 * network adapter has registered. The exporter may still revoke it.
 */
#define DRM_VIMPORT_IMPORT_PINNED	(1 << 1)

/**
 * DRM_VIMPORT_IMPORT_STATIC - an importer without invalidate callback
 *
 * As most drivers are: the dma-buf core pins the buffer for it, if it can be pinned, from
 * import to close (Linux 6.12) or for as long as it is mapped (7.1). Excludes the others.
 */
#define DRM_VIMPORT_IMPORT_STATIC	(1 << 2)

/**
 * struct drm_vimport_import - import a dma-buf with a chosen flavour
 *
 * Unlike %DRM_IOCTL_PRIME_FD_TO_HANDLE every call makes a new object with an
 * attachment of its own. The import is dynamic, so the buffer may move, unless a flag says
 * otherwise.
 *
 * Errors: -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a
 * dma-buf or not of whole pages, an unknown flag, %DRM_VIMPORT_IMPORT_STATIC with another
 * one, or a pad; and what the exporter says when it is asked to attach, and to pin and
 * map with %DRM_VIMPORT_IMPORT_PINNED or %DRM_VIMPORT_IMPORT_STATIC. The former may also be
 * -EOPNOTSUPP for memory that the engine cannot reach, and -ERESTARTSYS.
 */
struct drm_vimport_import {
	/** @fd: Input: dma-buf file descriptor. */
	__s32 fd;

	/** @flags: Input: mask of DRM_VIMPORT_IMPORT_*. */
	__u32 flags;

	/** @handle: Output: GEM handle. */
	__u32 handle;

	/** @pad: Input: must be zero. */
	__u32 pad;

	/** @size: Output: size of the buffer. */
	__u64 size;
};

/**
 * enum drm_vimport_op - commands of the engine
 *
 * Addresses and sizes are multiples of 8. Members that a command does not use
 * must be zero.
 */
enum drm_vimport_op {
	/**
	 * @DRM_VIMPORT_OP_FILL: Store &drm_vimport_cmd.value in each 64-bit
	 * word of [va, va + size).
	 */
	DRM_VIMPORT_OP_FILL = 0,

	/** @DRM_VIMPORT_OP_COPY: Copy size bytes from src to va; no overlap. */
	DRM_VIMPORT_OP_COPY,

	/**
	 * @DRM_VIMPORT_OP_TAG: Store value + i in the i-th 64-bit word of
	 * [va, va + size). The low %DRM_VIMPORT_TAG_INDEX_BITS bits of value
	 * must be zero; by convention the rest says who wrote and when.
	 */
	DRM_VIMPORT_OP_TAG,

	/**
	 * @DRM_VIMPORT_OP_CHECKSUM: Store, in the 64-bit word at va, the
	 * FNV-1a hash over the 64-bit words of [src, src + size): from
	 * 0xcbf29ce484222325, for each word w: h = (h ^ w) * 0x100000001b3.
	 */
	DRM_VIMPORT_OP_CHECKSUM,

	/** @DRM_VIMPORT_OP_DELAY: Do nothing for value nanoseconds. */
	DRM_VIMPORT_OP_DELAY,

	/** @DRM_VIMPORT_OP_ADD: Add value to the 64-bit words of [va, va + size), atomically. */
	DRM_VIMPORT_OP_ADD,

	/**
	 * @DRM_VIMPORT_OP_WAIT: Wait until the 64-bit word at va is value or more, as
	 * unsigned numbers. Only in a faulting address space: behind a dma_fence
	 * it would make the kernel wait for whoever writes that word. size is 8.
	 */
	DRM_VIMPORT_OP_WAIT,
};

/**
 * DRM_VIMPORT_TAG_INDEX_BITS - bits of a tagged word that count words
 *
 * A TAG command covers at most 2 to the power of this words.
 */
#define DRM_VIMPORT_TAG_INDEX_BITS	20

/**
 * struct drm_vimport_cmd - one command of a job
 */
struct drm_vimport_cmd {
	/** @op: Input: one of enum drm_vimport_op. */
	__u32 op;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @va: Input: address that is written (all but DELAY, WAIT) or watched (WAIT). */
	__u64 va;

	/** @src: Input: address that is read (COPY, CHECKSUM). */
	__u64 src;

	/** @size: Input: bytes (FILL, COPY, TAG, CHECKSUM, ADD, WAIT). */
	__u64 size;

	/** @value: Input: pattern (FILL), tag (TAG), nanoseconds (DELAY), number (ADD, WAIT). */
	__u64 value;
};

/**
 * DRM_VIMPORT_SYNC_SIGNAL - the job signals this syncobj; else it waits for it
 */
#define DRM_VIMPORT_SYNC_SIGNAL		(1 << 0)

/**
 * DRM_VIMPORT_SYNC_TIMELINE - the syncobj is a timeline, @point is valid
 */
#define DRM_VIMPORT_SYNC_TIMELINE	(1 << 1)

/**
 * struct drm_vimport_sync - a syncobj that a job waits for or signals
 */
struct drm_vimport_sync {
	/** @handle: Input: syncobj handle. */
	__u32 handle;

	/** @flags: Input: mask of DRM_VIMPORT_SYNC_*. */
	__u32 flags;

	/** @point: Input: timeline point, not zero; zero for a binary syncobj. */
	__u64 point;
};

/**
 * DRM_VIMPORT_EXEC_IMPLICIT_SYNC - take part in implicit synchronisation
 *
 * The job waits for all readers and writers of every buffer that is mapped in
 * the address space, and counts as their new writer. Without the flag it waits
 * for the exporters' KERNEL fences only, and is visible only to them.
 */
#define DRM_VIMPORT_EXEC_IMPLICIT_SYNC	(1 << 0)

/**
 * struct drm_vimport_exec - submit a job
 *
 * Jobs of one queue run in the order of their submission. Every
 * buffer that is mapped in the address space is made valid first, and carries the
 * job's fence until it has run. A job that meets an address without translation, or
 * stores to a read-only one, stops there; its fence carries -EFAULT. It carries -ETIME
 * if the job was stopped because it ran for five seconds, which the limits do not
 * allow but on a machine that is very slow, and -ECANCELED if the queue was banned,
 * or the queue or the address space destroyed, first.
 *
 * In a faulting address space a job waits for its in-syncs, and then for whatever it
 * takes to serve its faults. @fence_va is how it says that it has ended; what is
 * said above of fences is said by &drm_vimport_fence.error. Out-syncs would
 * need a fence: they are -EOPNOTSUPP, and %DRM_VIMPORT_EXEC_IMPLICIT_SYNC is -EINVAL.
 * Only the number of jobs that are outstanding is limited, not the time they take.
 *
 * Errors: -ENOENT for an unknown @vm_id or syncobj, or if @vm_id has no such queue;
 * -ECANCELED if the queue is banned; -EINVAL for an unknown
 * flag, op or pad, no commands, misaligned, zero or overflowing ranges, a COPY
 * onto itself, an unused member that is not zero, an in-sync without a fence,
 * more than 64 syncs, @fence_va or a WAIT command in a fenced address space, or a
 * misaligned @fence_va; -E2BIG for more than max_cmds commands, max_job_bytes or
 * max_job_ns; -EAGAIN if the address space has more than two seconds of work or
 * 128 jobs and asynchronous binds outstanding, or the GPU more than half a minute of work
 * (libdrm's drmIoctl() tries again until it has not); -EBUSY if an exporter does not
 * stop moving what it is asked to map, or a process what a userptr buffer consists of;
 * -EPERM for a userptr buffer of another process; -EOPNOTSUPP for a buffer that has
 * moved to where the engine cannot reach it; -EFAULT for bad pointers; -ENOMEM;
 * -ERESTARTSYS; and what the exporter says when it is asked to map, but -EBUSY for its
 * -EAGAIN.
 */
struct drm_vimport_exec {
	/** @vm_id: Input: the address space. */
	__u32 vm_id;

	/** @flags: Input: mask of DRM_VIMPORT_EXEC_*. */
	__u32 flags;

	/** @cmds: Input: pointer to an array of struct drm_vimport_cmd. */
	__u64 cmds;

	/** @syncs: Input: pointer to an array of struct drm_vimport_sync. */
	__u64 syncs;

	/** @cmd_count: Input: commands, at least one. */
	__u32 cmd_count;

	/** @sync_count: Input: syncobjs, at most 64. */
	__u32 sync_count;

	/** @cmd_stride: Input: size of one command; 40 in this version. */
	__u32 cmd_stride;

	/** @sync_stride: Input: size of one sync; 16 in this version. */
	__u32 sync_stride;

	/** @queue_id: Input: queue, or zero for the one that the address space began with. */
	__u32 queue_id;

	/** @pad: Input: must be zero. */
	__u32 pad;

	/** @fence_va: Input: address of a &struct drm_vimport_fence, or zero; see there. */
	__u64 fence_va;

	/** @fence_value: Input: what is stored there; zero without a fence. */
	__u64 fence_value;
};

/**
 * struct drm_vimport_fence - a fence in memory
 *
 * How a job of a faulting address space says that it has ended: the engine stores
 * @error, and then @value. It lies at an address of the job's address space, a multiple
 * of 16. If there is no memory there any more, nobody is told but those who ask the
 * queue.
 */
struct drm_vimport_fence {
	/** @value: &drm_vimport_exec.fence_value of the last job that has ended. */
	__u64 value;

	/**
	 * @error: Zero, or a negative error code: -EFAULT, -ECANCELED, -EBUSY if a page of a
	 * process went again as often as it was brought, or what the exporter said when it
	 * was asked to map, but -EBUSY for its -EAGAIN.
	 */
	__s64 error;
};

/**
 * struct drm_vimport_wait_fence - wait for a fence in memory
 *
 * Waits until the value at @addr is @value or more, as unsigned numbers. The engine wakes
 * whoever waits when it has stored a fence; what others store is seen within ten
 * milliseconds.
 *
 * Errors: -ETIME if it did not come in time; -EIO if the queue was banned, or is
 * destroyed, before; -ENOENT for an unknown queue; -EINVAL for a misaligned address,
 * an unknown flag or a pad; -EFAULT if there is no memory at @addr; -ERESTARTSYS.
 */
struct drm_vimport_wait_fence {
	/** @addr: Input: the caller's pointer to a &struct drm_vimport_fence. */
	__u64 addr;

	/** @value: Input: value to wait for. */
	__u64 value;

	/** @timeout_ns: Input: when to give up, absolute CLOCK_MONOTONIC. */
	__s64 timeout_ns;

	/** @queue_id: Input: queue of the job that is to store it, or zero. */
	__u32 queue_id;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @error: Output: &drm_vimport_fence.error. */
	__s64 error;
};

/**
 * DRM_VIMPORT_USERPTR_READONLY - the engine may only read
 *
 * Of memory that the process itself may not write to, nothing else can be made.
 */
#define DRM_VIMPORT_USERPTR_READONLY	(1 << 0)

/**
 * DRM_VIMPORT_USERPTR_PROBE - look at the memory at once
 *
 * Without the flag, that there is no usable memory is said by the first job.
 */
#define DRM_VIMPORT_USERPTR_PROBE	(1 << 1)

/**
 * struct drm_vimport_userptr - make a buffer of memory of the process
 *
 * Nothing is pinned. The buffer is whatever is mapped at these addresses at the time
 * at which a job uses it; a change of the mapping waits for the jobs that are under way
 * (in fenced address spaces) or interrupts them (in faulting ones). The buffer cannot be
 * exported (-EPERM), nor mapped by a CPU. It belongs to the memory of the process that
 * has called: who has the file, but not that memory, cannot submit jobs to an address
 * space in which such a buffer is mapped (-EPERM). That includes the process itself when it
 * has called execve(); of jobs that were submitted before, those of a faulting address space
 * end with -EFAULT when they next need a page.
 *
 * If not all of it can be used, a job is not refused for that: it finds no translation,
 * and ends with -EFAULT if it touches the buffer.
 *
 * Errors: -EINVAL for a range that is empty or not of whole pages, an unknown flag or a
 * pad; -EFAULT for addresses that no process can have, and, with
 * %DRM_VIMPORT_USERPTR_PROBE, that are not mapped, mapped without a permission that is
 * needed, or mapped to something that the engine cannot reach (VM_IO, VM_PFNMAP,
 * memfd_secret()); -E2BIG for more than 4 GiB; -ENOSPC for more than 131072 ranges in a
 * file; -EBUSY, with %DRM_VIMPORT_USERPTR_PROBE, if the mapping does not stop changing;
 * -ENOMEM; -ERESTARTSYS.
 */
struct drm_vimport_userptr {
	/** @addr: Input: first address, a multiple of the page size. */
	__u64 addr;

	/** @size: Input: size, a multiple of the page size. */
	__u64 size;

	/** @flags: Input: mask of DRM_VIMPORT_USERPTR_*. */
	__u32 flags;

	/** @handle: Output: GEM handle. */
	__u32 handle;
};

/**
 * struct drm_vimport_userptr_find - find such a buffer by its address
 *
 * Finds a buffer of this file, and of the caller's memory, that covers all of the
 * range: every one whose %DRM_IOCTL_VIMPORT_USERPTR has returned and the last of whose
 * handles has not begun to be closed, and no other. Of several it is the smallest, and
 * the oldest of these. The handle is a new one, to be closed like any other: the buffer
 * stays what it is until then.
 *
 * Errors: -ENOENT if there is none; -EINVAL for an empty or overflowing range, an unknown
 * flag; -ENOMEM.
 */
struct drm_vimport_userptr_find {
	/** @addr: Input: first address. */
	__u64 addr;

	/** @size: Input: size of the range. */
	__u64 size;

	/** @flags: Input: %DRM_VIMPORT_USERPTR_READONLY accepts also buffers that are read-only. */
	__u32 flags;

	/** @handle: Output: a new GEM handle. */
	__u32 handle;

	/** @offset: Output: of @addr in the buffer. */
	__u64 offset;
};

/**
 * struct drm_vimport_vm_query - statistics of an address space
 *
 * The counters are since its creation.
 *
 * Errors: -ENOENT if there is no such address space; -EINVAL for an unknown flag.
 */
struct drm_vimport_vm_query {
	/** @vm_id: Input: the address space. */
	__u32 vm_id;

	/** @flags: Input: must be zero. */
	__u32 flags;

	/** @mapped: Output: bytes that are mapped now. */
	__u64 mapped;

	/** @mappings: Output: mappings now. */
	__u32 mappings;

	/** @jobs_pending: Output: jobs that are submitted and have not ended. */
	__u32 jobs_pending;

	/** @jobs: Output: jobs that have ended. */
	__u64 jobs;

	/** @job_errors: Output: of these, those with an error. */
	__u64 job_errors;

	/** @bytes_written: Output: bytes that the engine has stored. */
	__u64 bytes_written;

	/** @tlb_flushes: Output: TLB flushes. */
	__u64 tlb_flushes;

	/** @invalidations: Output: times that an import that is mapped here was invalidated. */
	__u64 invalidations;

	/** @revalidations: Output: times that an import was mapped anew for it. */
	__u64 revalidations;

	/** @userptr_invalidations: Output: times that a notifier took memory away. */
	__u64 userptr_invalidations;

	/** @userptr_faults: Output: times that the pages of a userptr buffer were looked up. */
	__u64 userptr_faults;

	/** @userptr_retries: Output: times that they had changed before they could be used. */
	__u64 userptr_retries;

	/** @gpu_faults: Output: accesses without a valid translation. */
	__u64 gpu_faults;
};

/**
 * enum drm_vimport_raw_op - operations of a dma-buf importer
 */
enum drm_vimport_raw_op {
	/** @DRM_VIMPORT_RAW_ATTACH: dma_buf_attach(), or dma_buf_dynamic_attach(). */
	DRM_VIMPORT_RAW_ATTACH = 0,

	/** @DRM_VIMPORT_RAW_PIN: dma_buf_pin(). */
	DRM_VIMPORT_RAW_PIN,

	/** @DRM_VIMPORT_RAW_MAP: dma_buf_map_attachment(). */
	DRM_VIMPORT_RAW_MAP,

	/** @DRM_VIMPORT_RAW_UNMAP: dma_buf_unmap_attachment(). */
	DRM_VIMPORT_RAW_UNMAP,

	/** @DRM_VIMPORT_RAW_UNPIN: dma_buf_unpin(). */
	DRM_VIMPORT_RAW_UNPIN,

	/** @DRM_VIMPORT_RAW_DETACH: dma_buf_detach(). */
	DRM_VIMPORT_RAW_DETACH,

	/** @DRM_VIMPORT_RAW_QUERY: None: what the importer has seen so far. */
	DRM_VIMPORT_RAW_QUERY,
};

/** DRM_VIMPORT_RAW_DYNAMIC - ATTACH: with an invalidate callback */
#define DRM_VIMPORT_RAW_DYNAMIC		(1 << 0)

/** DRM_VIMPORT_RAW_P2P - ATTACH: able to reach peer-to-peer memory; dynamic only */
#define DRM_VIMPORT_RAW_P2P		(1 << 1)

/** DRM_VIMPORT_RAW_SECOND - MAP, UNMAP: the second of two sg tables, beside the first */
#define DRM_VIMPORT_RAW_SECOND		(1 << 2)

/**
 * struct drm_vimport_raw_segment - an entry of an sg table
 */
struct drm_vimport_raw_segment {
	/** @addr: Output: DMA address. */
	__u64 addr;

	/** @size: Output: DMA length in bytes. */
	__u64 size;
};

/**
 * struct drm_vimport_raw - one operation of a dma-buf importer at a time
 *
 * To look at an exporter under a lens. An attachment that is made in this way belongs
 * to the file; what is left of it is undone in the right order when the file is closed.
 * The engine never touches its memory.
 *
 * What the exporter, or the core, answers is in @result: the call itself has succeeded
 * then. The order of operations is checked (-EINVAL: pinned without
 * %DRM_VIMPORT_RAW_DYNAMIC, pinned or mapped twice, unpinned or unmapped without a pin or
 * map, detached while mapped or pinned), because the core does not check it.
 *
 * Errors: -EPERM without CAP_SYS_ADMIN; -EBADF and -EINVAL for a bad descriptor;
 * -ENODEV if there is no device of that name, or it can do no DMA; -ENOENT for an unknown
 * @id; -EINVAL for an unknown op or flag, a wrong order or a member that the op does not use;
 * -EOPNOTSUPP for two sg tables of one attachment in a kernel with CONFIG_DMABUF_DEBUG,
 * which would not survive it if they are one; -ENOSPC for more than 1024 attachments in a
 * file; -EFAULT; -ENOMEM; -ERESTARTSYS.
 */
struct drm_vimport_raw {
	/** @op: Input: one of enum drm_vimport_raw_op. */
	__u32 op;

	/** @flags: Input: mask of DRM_VIMPORT_RAW_* (ATTACH, MAP, UNMAP). */
	__u32 flags;

	/** @fd: Input: dma-buf file descriptor (ATTACH), else zero. */
	__s32 fd;

	/** @id: Input: the attachment; output for ATTACH. */
	__u32 id;

	/**
	 * @device: Input: pointer to the name of the device to attach for, "bus/name" or
	 * just the name, of a platform or PCI device, or zero for this GPU (ATTACH).
	 */
	__u64 device;

	/** @segments: Input: pointer to an array of struct drm_vimport_raw_segment (MAP). */
	__u64 segments;

	/** @segment_count: Input: its size; output: entries of the sg table (MAP). */
	__u32 segment_count;

	/** @result: Output: zero, or what the exporter or the core says. */
	__s32 result;

	/** @pages: Output: entries of the CPU's side of the table, orig_nents (MAP). */
	__u32 pages;

	/** @notifies: Output: times that the callback was called for this attachment. */
	__u32 notifies;

	/** @fences: Output: KERNEL fences that had not signalled after the operation. */
	__u32 fences;

	/** @peer2peer: Output: whether the exporter has left peer-to-peer allowed. */
	__u32 peer2peer;

	/** @dynamic: Output: whether the exporter has operations to pin and unpin. */
	__u32 dynamic;

	/** @shared: Output: other sg tables of this file that are the same one (MAP). */
	__u32 shared;

	/**
	 * @unreachable: Output: entries of the sg table that are not ordinary memory, or
	 * all ones if this device's addresses do not tell (MAP).
	 */
	__u32 unreachable;

	/** @cached: Output: whether it is the core that keeps the sg table, as 6.12's may (MAP). */
	__u32 cached;
};

/**
 * DRM_VIMPORT_BUG_IGNORE_INVALIDATE - the invalidate callback does nothing
 *
 * Jobs go on through the translations of the pages that the buffer has left.
 */
#define DRM_VIMPORT_BUG_IGNORE_INVALIDATE	(1 << 0)

/**
 * DRM_VIMPORT_BUG_RESV_IN_INVALIDATE - the invalidate callback locks a reservation
 *
 * The exporter holds that of the buffer; this is a second one, without the ticket
 * that would make it safe. As with the other bugs that take a lock it is that of
 * an object which nobody else knows, so nothing hangs: a kernel with lockdep
 * reports it.
 */
#define DRM_VIMPORT_BUG_RESV_IN_INVALIDATE	(1 << 1)

/**
 * DRM_VIMPORT_BUG_RESV_IN_SIGNALLING - the engine locks a reservation before a fence signals
 *
 * Others hold reservations while they wait for the fence.
 */
#define DRM_VIMPORT_BUG_RESV_IN_SIGNALLING	(1 << 2)

/**
 * DRM_VIMPORT_BUG_RECLAIM_IN_SIGNALLING - the engine allocates before a fence signals
 *
 * With GFP_KERNEL, which may wait for reclaim, which may wait for the fence.
 */
#define DRM_VIMPORT_BUG_RECLAIM_IN_SIGNALLING	(1 << 3)

/**
 * DRM_VIMPORT_BUG_WRITE_AFTER_UNMAP - an sg table is given back, and then written through
 *
 * One word, the first of the buffer, of a table that the buffer has left, and when all
 * fences have signalled. The page is held meanwhile, so it is nobody else's.
 */
#define DRM_VIMPORT_BUG_WRITE_AFTER_UNMAP	(1 << 4)

/** DRM_VIMPORT_BUG_UNMAP_DIRECTION - unmapped with another direction than mapped with */
#define DRM_VIMPORT_BUG_UNMAP_DIRECTION		(1 << 5)

/** DRM_VIMPORT_BUG_UNMAP_TWICE - an sg table that the buffer has left is given back twice */
#define DRM_VIMPORT_BUG_UNMAP_TWICE		(1 << 6)

/** DRM_VIMPORT_BUG_DETACH_MAPPED - detached with an sg table that was not given back */
#define DRM_VIMPORT_BUG_DETACH_MAPPED		(1 << 7)

/** DRM_VIMPORT_BUG_DETACH_PINNED - detached with a pin that was not undone */
#define DRM_VIMPORT_BUG_DETACH_PINNED		(1 << 8)

/** DRM_VIMPORT_BUG_SURPLUS_UNPIN - unpinned, before detach, what was not pinned */
#define DRM_VIMPORT_BUG_SURPLUS_UNPIN		(1 << 9)

/**
 * DRM_VIMPORT_BUG_HANG - jobs do not end by themselves
 *
 * Only a reset of the GPU ends them.
 */
#define DRM_VIMPORT_BUG_HANG			(1 << 10)

/**
 * DRM_VIMPORT_BUG_USERPTR_PIN - userptr buffers are pinned instead of watched
 *
 * Their pages are those that get_user_pages() found at their creation, for as long as
 * they exist, and no notifier says when the process has others.
 */
#define DRM_VIMPORT_BUG_USERPTR_PIN		(1 << 11)

/**
 * DRM_VIMPORT_BUG_NO_FLUSH - what is unmapped stays in the TLB
 *
 * Jobs go on reaching the buffer at an address at which it was. The exporter gets its
 * sg table back when the address space is gone, so that the pages are still its.
 */
#define DRM_VIMPORT_BUG_NO_FLUSH		(1 << 12)

/**
 * DRM_VIMPORT_BUG_NO_PUBLISH - exporters are not told of jobs
 *
 * The fence of a job is in no reservation of its buffers when it is submitted, so a move
 * does not wait for it, and neither does implicit synchronisation. Of userptr buffers the
 * notifier does not wait: the job finds nothing mapped.
 */
#define DRM_VIMPORT_BUG_NO_PUBLISH		(1 << 13)

/**
 * DRM_VIMPORT_BUG_IGNORE_FENCES - jobs do not wait for the fences of their buffers
 *
 * Not even for that of a move: a job stores to the new place before the content is there.
 */
#define DRM_VIMPORT_BUG_IGNORE_FENCES		(1 << 14)

/**
 * DRM_VIMPORT_BUG_KEEP_TABLE - what was mapped before a move is used after it
 *
 * The importer stops its jobs, as it should, and then goes on with the sg table that it
 * has instead of asking for a new one.
 */
#define DRM_VIMPORT_BUG_KEEP_TABLE		(1 << 15)

/**
 * DRM_VIMPORT_BUG_NO_DIRTY - nobody is told that the engine may write to a page
 *
 * A page of a userptr buffer that is clean when it is looked up may be dropped, and with
 * it what the engine has written.
 */
#define DRM_VIMPORT_BUG_NO_DIRTY		(1 << 16)

/**
 * DRM_VIMPORT_BUG_RESV_IN_NOTIFIER - a userptr buffer's notifier locks a reservation
 *
 * Who holds reservations may allocate, and then waits for notifiers.
 */
#define DRM_VIMPORT_BUG_RESV_IN_NOTIFIER	(1 << 17)

/** DRM_VIMPORT_BUG_RECLAIM_IN_NOTIFIER - it allocates, with GFP_KERNEL */
#define DRM_VIMPORT_BUG_RECLAIM_IN_NOTIFIER	(1 << 18)

/** DRM_VIMPORT_BUG_SLEEP_IN_NOTIFIER - it sleeps where it was told not to block */
#define DRM_VIMPORT_BUG_SLEEP_IN_NOTIFIER	(1 << 19)

/**
 * DRM_VIMPORT_BUG_IGNORE_NOTIFIER - the notifier of a userptr buffer does nothing
 *
 * Jobs go on through the translations of the pages that the process had. With this bug and
 * the two below no page is written that the process has not any more: what a job
 * stores through such a translation is lost.
 */
#define DRM_VIMPORT_BUG_IGNORE_NOTIFIER		(1 << 20)

/** DRM_VIMPORT_BUG_IGNORE_PROTECTION - not if memory becomes read-only, or shared by fork */
#define DRM_VIMPORT_BUG_IGNORE_PROTECTION	(1 << 21)

/** DRM_VIMPORT_BUG_ONLY_UNMAP - not unless memory is unmapped */
#define DRM_VIMPORT_BUG_ONLY_UNMAP		(1 << 22)

/**
 * struct drm_vimport_misbehave - switch deliberate bugs on for this file
 *
 * A buffer has the bugs that this file had when it last got its handle from
 * %DRM_IOCTL_PRIME_FD_TO_HANDLE or %DRM_IOCTL_VIMPORT_IMPORT, a job those that it
 * had at %DRM_IOCTL_VIMPORT_EXEC. Imports have them only if they are vexport's,
 * which keeps the pages of every mapping it handed out; userptr buffers have those that
 * this file had when they were made, and hold the pages that a bug writes to, or have
 * its writes go nowhere. The kernel is tainted with %TAINT_TEST.
 *
 * Errors: -EPERM without CAP_SYS_ADMIN or if the module was loaded without
 * misbehave=1; -EINVAL for an unknown bug or a pad.
 */
struct drm_vimport_misbehave {
	/** @bugs: Input: mask of DRM_VIMPORT_BUG_* from now on; zero behaves again. */
	__u32 bugs;

	/** @pad: Input: must be zero. */
	__u32 pad;
};

/** DRM_IOCTL_VIMPORT_INFO - &struct drm_vimport_info */
#define DRM_IOCTL_VIMPORT_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_INFO, struct drm_vimport_info)

/** DRM_IOCTL_VIMPORT_VM_CREATE - &struct drm_vimport_vm_create */
#define DRM_IOCTL_VIMPORT_VM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_VM_CREATE, struct drm_vimport_vm_create)

/** DRM_IOCTL_VIMPORT_VM_DESTROY - &struct drm_vimport_vm_destroy */
#define DRM_IOCTL_VIMPORT_VM_DESTROY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_VM_DESTROY, struct drm_vimport_vm_destroy)

/** DRM_IOCTL_VIMPORT_VM_BIND - &struct drm_vimport_vm_bind */
#define DRM_IOCTL_VIMPORT_VM_BIND \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_VM_BIND, struct drm_vimport_vm_bind)

/** DRM_IOCTL_VIMPORT_IMPORT - &struct drm_vimport_import */
#define DRM_IOCTL_VIMPORT_IMPORT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_IMPORT, struct drm_vimport_import)

/** DRM_IOCTL_VIMPORT_EXEC - &struct drm_vimport_exec */
#define DRM_IOCTL_VIMPORT_EXEC \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_EXEC, struct drm_vimport_exec)

/** DRM_IOCTL_VIMPORT_MISBEHAVE - &struct drm_vimport_misbehave */
#define DRM_IOCTL_VIMPORT_MISBEHAVE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_MISBEHAVE, struct drm_vimport_misbehave)

/** DRM_IOCTL_VIMPORT_QUEUE_CREATE - &struct drm_vimport_queue_create */
#define DRM_IOCTL_VIMPORT_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_QUEUE_CREATE, struct drm_vimport_queue_create)

/** DRM_IOCTL_VIMPORT_QUEUE_DESTROY - &struct drm_vimport_queue_destroy */
#define DRM_IOCTL_VIMPORT_QUEUE_DESTROY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_QUEUE_DESTROY, struct drm_vimport_queue_destroy)

/** DRM_IOCTL_VIMPORT_QUEUE_QUERY - &struct drm_vimport_queue_query */
#define DRM_IOCTL_VIMPORT_QUEUE_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_QUEUE_QUERY, struct drm_vimport_queue_query)

/** DRM_IOCTL_VIMPORT_USERPTR - &struct drm_vimport_userptr */
#define DRM_IOCTL_VIMPORT_USERPTR \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_USERPTR, struct drm_vimport_userptr)

/** DRM_IOCTL_VIMPORT_USERPTR_FIND - &struct drm_vimport_userptr_find */
#define DRM_IOCTL_VIMPORT_USERPTR_FIND \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_USERPTR_FIND, struct drm_vimport_userptr_find)

/** DRM_IOCTL_VIMPORT_WAIT_FENCE - &struct drm_vimport_wait_fence */
#define DRM_IOCTL_VIMPORT_WAIT_FENCE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_WAIT_FENCE, struct drm_vimport_wait_fence)

/** DRM_IOCTL_VIMPORT_VM_QUERY - &struct drm_vimport_vm_query */
#define DRM_IOCTL_VIMPORT_VM_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_VM_QUERY, struct drm_vimport_vm_query)

/** DRM_IOCTL_VIMPORT_RAW - &struct drm_vimport_raw */
#define DRM_IOCTL_VIMPORT_RAW \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_VIMPORT_RAW, struct drm_vimport_raw)

#if defined(__cplusplus)
}
#endif

#endif /* _VIMPORT_DRM_H_ */
