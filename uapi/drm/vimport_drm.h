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
};

/**
 * struct drm_vimport_info - device facts and counters
 *
 * The counters are since load. The gauges (@vms and what follows) are back to
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

	/** @pad: Output: zero. */
	__u32 pad;
};

/**
 * struct drm_vimport_vm_create - create an address space
 *
 * Errors: -EINVAL for an unknown flag; -ENOSPC if the file or the GPU has too
 * many address spaces, of which the GPU's include those that wait for their last
 * jobs; -ENOMEM.
 */
struct drm_vimport_vm_create {
	/** @flags: Input: must be zero. */
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
	/** @DRM_VIMPORT_VM_BIND_OP_MAP: Map a part of a buffer. */
	DRM_VIMPORT_VM_BIND_OP_MAP = 0,

	/** @DRM_VIMPORT_VM_BIND_OP_UNMAP: Unmap what was mapped at exactly this range. */
	DRM_VIMPORT_VM_BIND_OP_UNMAP = 1,
};

/**
 * DRM_VIMPORT_VM_BIND_READONLY - the engine may only read through this mapping
 */
#define DRM_VIMPORT_VM_BIND_READONLY	(1 << 0)

/**
 * struct drm_vimport_vm_bind - map or unmap a range of an address space
 *
 * @va, @offset and @size are multiples of 4096. MAP takes effect at the next
 * job. The first MAP of a buffer also asks its exporter where it is. If that fails,
 * only -EOPNOTSUPP is reported here, anything else by the job that needs the
 * buffer. UNMAP waits until the address space is idle; @handle, @flags and @offset
 * must be zero then. When the last mapping of a buffer goes, the exporter gets its
 * sg table back.
 *
 * Errors: -ENOENT for an unknown @vm_id or @handle, or an UNMAP of a range that
 * is not exactly one mapping; -EEXIST for a MAP that overlaps a mapping;
 * -EINVAL for misaligned or zero or overflowing ranges, a part outside the
 * buffer, an unknown op or flag; -EOPNOTSUPP for a buffer whose memory the
 * engine cannot reach; -ENOSPC for more than 1024 mappings in one address space,
 * or more than 4 GiB in all of them; -ENOMEM; -ERESTARTSYS.
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
};

/**
 * DRM_VIMPORT_IMPORT_NO_P2P - the importer cannot reach peer-to-peer memory
 *
 * A cautious exporter then brings the buffer to system memory at every map.
 */
#define DRM_VIMPORT_IMPORT_NO_P2P	(1 << 0)

/**
 * struct drm_vimport_import - import a dma-buf with a chosen flavour
 *
 * Unlike %DRM_IOCTL_PRIME_FD_TO_HANDLE every call makes a new object with an
 * attachment of its own. The import is dynamic: the buffer may move.
 *
 * Errors: -EBADF for a bad descriptor; -EINVAL for a descriptor that is not a
 * dma-buf or not of whole pages, an unknown flag or a pad; and what the exporter
 * says when it is asked to attach.
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

	/** @va: Input: address that is written (FILL, COPY, TAG, CHECKSUM). */
	__u64 va;

	/** @src: Input: address that is read (COPY, CHECKSUM). */
	__u64 src;

	/** @size: Input: bytes (FILL, COPY, TAG, CHECKSUM). */
	__u64 size;

	/** @value: Input: pattern (FILL), tag (TAG), nanoseconds (DELAY). */
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
 * Jobs of one address space run in the order of their submission. Every
 * buffer that is mapped there is made valid first, and carries the job's fence
 * until it has run. A job that meets an address without translation, or stores
 * to a read-only one, stops there; its fence carries -EFAULT. It carries -ETIME
 * if the job was stopped because it ran for five seconds, which the limits do not
 * allow but on a machine that is very slow, and -ECANCELED if the address space
 * was destroyed first.
 *
 * Errors: -ENOENT for an unknown @vm_id or syncobj; -EINVAL for an unknown
 * flag, op or pad, no commands, misaligned, zero or overflowing ranges, a COPY
 * onto itself, an unused member that is not zero, an in-sync without a fence, or
 * more than 64 syncs; -E2BIG for more than max_cmds commands, max_job_bytes or
 * max_job_ns; -EAGAIN if the address space has more than two seconds of work or
 * 128 jobs outstanding (libdrm's drmIoctl() tries again until it has not); -EBUSY
 * if an exporter does not stop moving what it is asked to map; -EOPNOTSUPP for a
 * buffer that has moved to where the engine cannot reach it; -EFAULT for bad
 * pointers; -ENOMEM; -ERESTARTSYS; and what the exporter says when it is asked to
 * map.
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
};

/**
 * DRM_VIMPORT_BUG_IGNORE_INVALIDATE - the invalidate callback does nothing
 *
 * Jobs go on through the translations of the pages that the buffer has left.
 */
#define DRM_VIMPORT_BUG_IGNORE_INVALIDATE	(1 << 0)

/**
 * struct drm_vimport_misbehave - switch deliberate bugs on for this file
 *
 * A buffer has the bugs that this file had when it last got its handle from
 * %DRM_IOCTL_PRIME_FD_TO_HANDLE or %DRM_IOCTL_VIMPORT_IMPORT. They apply only to
 * buffers of vexport, which keeps the pages of every mapping it handed out. The
 * kernel is tainted with %TAINT_TEST.
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

#if defined(__cplusplus)
}
#endif

#endif /* _VIMPORT_DRM_H_ */
