/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VSHARE_H_
#define _VSHARE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vimport_drm.h"
#include "vshare_vexport.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: libvshare
 *
 * A thin library over libdrm for programs that share moving buffers between
 * devices. It keeps no state: devices are file descriptors, buffers are GEM
 * handles or dma-buf file descriptors, and the caller closes what it opened.
 *
 * - Functions return zero (or what they say) on success and a negative errno
 *   value on failure. They never assign errno themselves.
 * - A function that fails has written to none of its output parameters.
 * - Every descriptor that the library opens is close-on-exec.
 * - Sizes are in bytes, times in nanoseconds.
 * - Interrupted ioctls are restarted.
 * - Functions may be called from several threads; one struct vshare_job must
 *   not be.
 */

/*
 * device.c: find and open devices
 */

/**
 * struct vshare_device - one render node of a driver
 */
struct vshare_device {
	/** @node: Path of the render node. */
	char node[64];

	/** @index: The GPU's index (vimport), else the position in the list. */
	unsigned int index;

	/** @major: Major version of the driver. */
	int major;

	/** @minor: Minor version of the driver; says which additions it knows. */
	int minor;

	/** @patch: Patch level of the driver. */
	int patch;
};

/**
 * vshare_device_list() - find all devices of a driver
 * @driver: DRM driver name, such as "vexport" or "vimport"
 * @devices: array to fill, may be NULL if @max is zero
 * @max: elements of @devices
 *
 * The order is stable: by the index of the GPU for vimport, by the minor
 * number of the node for others.
 *
 * Return: number of devices that exist, which may be more than @max; zero if
 * there is none; -EACCES if none was found and a node could not be opened for
 * want of permission.
 */
int vshare_device_list(const char *driver, struct vshare_device *devices, unsigned int max);

/**
 * vshare_device_open() - open the n-th device of a driver
 * @driver: DRM driver name
 * @nth: position in the list of vshare_device_list(), from zero
 *
 * Return: file descriptor, which the caller closes; -ENODEV if there is no
 * such device; -EACCES.
 */
int vshare_device_open(const char *driver, unsigned int nth);

/**
 * vshare_handle_close() - close a GEM handle
 * @dev: file descriptor of the device
 * @handle: GEM handle
 *
 * Mappings, dma-bufs and address spaces that use the buffer keep it alive.
 *
 * Return: zero; -EINVAL for a handle that is not of this file.
 */
int vshare_handle_close(int dev, uint32_t handle);

/*
 * vimport.c: a GPU made of software
 *
 * dev is a file descriptor of a vimport device. The errors are those of
 * vimport_drm.h.
 */

/**
 * vshare_vimport_info() - facts and counters of a GPU
 * @dev: vimport device
 * @info: filled in
 *
 * Return: zero; -ENOTTY if @dev is not a DRM device.
 */
int vshare_vimport_info(int dev, struct drm_vimport_info *info);

/**
 * vshare_vimport_vm_create() - create an address space
 * @dev: vimport device
 * @vm: name of the address space in this file
 *
 * Return: zero; -ENOSPC if the file or the GPU has too many; -ENOMEM.
 */
int vshare_vimport_vm_create(int dev, uint32_t *vm);

/**
 * vshare_vimport_vm_create_faulting() - create a faulting address space
 * @dev: vimport device
 * @vm: name of the address space in this file
 *
 * What its jobs touch is made present when they do, and they may take for ever. They
 * are submitted with vshare_job_submit_faulting(), and signal no syncobj.
 *
 * Return: zero; -ENOSPC if the file or the GPU has too many; -ENOMEM.
 */
int vshare_vimport_vm_create_faulting(int dev, uint32_t *vm);

/**
 * vshare_vimport_vm_destroy() - destroy an address space
 * @dev: vimport device
 * @vm: address space
 *
 * Return: zero; -ENOENT.
 */
int vshare_vimport_vm_destroy(int dev, uint32_t vm);

/**
 * vshare_vimport_import_prime() - import a dma-buf in the ordinary way
 * @dev: vimport device
 * @dmabuf: dma-buf of any exporter
 * @handle: GEM handle, to be closed with vshare_handle_close()
 *
 * Importing the same dma-buf again gives the same handle, which is closed
 * once.
 *
 * Return: zero; -EBADF; -EINVAL; or what the exporter says to an attachment.
 */
int vshare_vimport_import_prime(int dev, int dmabuf, uint32_t *handle);

/**
 * vshare_vimport_import() - import a dma-buf with a chosen flavour
 * @dev: vimport device
 * @dmabuf: dma-buf of any exporter
 * @flags: mask of DRM_VIMPORT_IMPORT_*
 * @handle: GEM handle, a new one at every call
 *
 * Return: zero; -EBADF; -EINVAL; or what the exporter says to an attachment.
 */
int vshare_vimport_import(int dev, int dmabuf, uint32_t flags, uint32_t *handle);

/**
 * vshare_vimport_userptr() - make a buffer of memory of this process
 * @dev: vimport device
 * @addr: the memory, at a page boundary
 * @size: whole pages
 * @flags: mask of DRM_VIMPORT_USERPTR_*
 * @handle: GEM handle, a new one at every call
 *
 * Nothing is pinned: a job uses what is mapped at these addresses when it is submitted.
 *
 * Return: zero; -EINVAL; -EFAULT for what is no memory of a process, or, with
 * %DRM_VIMPORT_USERPTR_PROBE, if it cannot be used now; -E2BIG; -ENOSPC; -EBUSY.
 */
int vshare_vimport_userptr(int dev, const void *addr, uint64_t size, uint32_t flags,
			   uint32_t *handle);

/**
 * vshare_vimport_find() - find such a buffer by its address
 * @dev: vimport device
 * @addr: first byte
 * @size: size of the range
 * @flags: zero or %DRM_VIMPORT_USERPTR_READONLY, if a buffer that is read-only will do
 * @handle: GEM handle, a new one at every call, to be closed like any other
 * @offset: where in the buffer @addr is
 *
 * Return: zero; -ENOENT if no buffer covers the range; -EINVAL.
 */
int vshare_vimport_find(int dev, const void *addr, uint64_t size, uint32_t flags,
			uint32_t *handle, uint64_t *offset);

/**
 * vshare_vimport_bind() - map a part of a buffer into an address space
 * @dev: vimport device
 * @vm: address space
 * @handle: GEM handle
 * @offset: offset in the buffer
 * @va: first address
 * @size: size of the range
 * @flags: mask of DRM_VIMPORT_VM_BIND_*
 *
 * @offset, @va and @size are multiples of 4096. The range shows the buffer then, whatever
 * was mapped there; if anything was, the call waits until the address space is idle.
 *
 * Return: zero; -ENOENT for an unknown @vm or @handle; -EINVAL; -EOPNOTSUPP for memory
 * that the engine cannot reach; -ENOSPC for too many mappings.
 */
int vshare_vimport_bind(int dev, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va,
			uint64_t size, uint32_t flags);

/**
 * vshare_vimport_unbind() - take what is mapped in a range out of an address space
 * @dev: vimport device
 * @vm: address space
 * @va: first address
 * @size: size of the range
 *
 * @va and @size are multiples of 4096. What mappings have outside the range stays.
 *
 * Return: zero, also if nothing was there; -ENOENT for an unknown @vm; -EINVAL;
 * -ENOSPC if splitting a mapping would make too many.
 */
int vshare_vimport_unbind(int dev, uint32_t vm, uint64_t va, uint64_t size);

/**
 * vshare_vimport_bind_async() - map a part of a buffer in turn with jobs
 * @dev: vimport device
 * @vm: address space
 * @handle: GEM handle, or zero to unmap what is in the range
 * @offset: offset in the buffer; zero to unmap
 * @va: first address
 * @size: size of the range
 * @flags: mask of DRM_VIMPORT_VM_BIND_*; %DRM_VIMPORT_VM_BIND_ASYNC is added
 * @syncs: syncobjs to wait for and to signal, or NULL
 * @sync_count: how many they are
 *
 * Waits for nothing. Jobs that were submitted before find what was mapped before, those
 * that are submitted from now on find this.
 *
 * Return: like vshare_vimport_bind(); -EAGAIN if the address space has too much to do;
 * -ENOENT for an unknown syncobj; -EINVAL for one to wait for that has no fence.
 */
int vshare_vimport_bind_async(int dev, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va,
			      uint64_t size, uint32_t flags, const struct drm_vimport_sync *syncs,
			      uint32_t sync_count);

/**
 * vshare_vimport_queue_create() - create a queue of jobs
 * @dev: vimport device
 * @vm: address space that its jobs run in
 * @queue: name of the queue in this file, for vshare_job_queue()
 *
 * Jobs of different queues do not wait for each other.
 *
 * Return: zero; -ENOENT for an unknown @vm; -ENOSPC for too many queues; -ENOMEM.
 */
int vshare_vimport_queue_create(int dev, uint32_t vm, uint32_t *queue);

/**
 * vshare_vimport_queue_destroy() - destroy a queue, and what it has not begun
 * @dev: vimport device
 * @queue: queue
 *
 * Return: zero; -ENOENT.
 */
int vshare_vimport_queue_destroy(int dev, uint32_t queue);

/**
 * vshare_vimport_queue_query() - whether a queue still works, and what it has done
 * @dev: vimport device
 * @queue: queue
 * @query: filled in
 *
 * Return: zero; -ENOENT.
 */
int vshare_vimport_queue_query(int dev, uint32_t queue, struct drm_vimport_queue_query *query);

/**
 * vshare_vimport_raw() - one operation of a dma-buf importer at a time
 * @dev: vimport device
 * @args: the operation, and what the exporter, or the core, has answered
 *
 * Return: zero if it was done, or refused by the exporter: see
 * &drm_vimport_raw.result; -EPERM without CAP_SYS_ADMIN; and what vimport_drm.h says.
 */
int vshare_vimport_raw(int dev, struct drm_vimport_raw *args);

/**
 * vshare_vimport_misbehave() - switch deliberate bugs on for this file
 * @dev: vimport device
 * @bugs: mask of DRM_VIMPORT_BUG_*, zero to behave again
 *
 * Return: zero; -EPERM without CAP_SYS_ADMIN, or if the module was loaded
 * without misbehave=1.
 */
int vshare_vimport_misbehave(int dev, uint32_t bugs);

/*
 * job.c: build a job, submit it, wait for it
 */

/*
 * Commands and syncobjs of a job that is being built.
 *
 * The functions that add to a job return zero or -ENOMEM. They need not be
 * checked one by one: the first error stays, and vshare_job_submit() returns
 * it instead of submitting half a job.
 */
struct vshare_job;

/**
 * vshare_job_new() - an empty job
 *
 * Return: the job, to be freed with vshare_job_free(), or NULL.
 */
struct vshare_job *vshare_job_new(void);

/**
 * vshare_job_free() - free a job
 * @job: the job, may be NULL
 *
 * A job that was submitted runs on.
 */
void vshare_job_free(struct vshare_job *job);

/**
 * vshare_job_reset() - make a job empty again, and forget its error
 * @job: the job
 */
void vshare_job_reset(struct vshare_job *job);

/**
 * vshare_job_fill() - store a value in each 64-bit word of a range
 * @job: the job
 * @va: address
 * @size: bytes, a multiple of 8
 * @value: value to store
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_fill(struct vshare_job *job, uint64_t va, uint64_t size, uint64_t value);

/**
 * vshare_job_copy() - copy between ranges that do not overlap
 * @job: the job
 * @va: address to write to
 * @src: address to read from
 * @size: bytes, a multiple of 8
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_copy(struct vshare_job *job, uint64_t va, uint64_t src, uint64_t size);

/**
 * vshare_job_tag() - store tag + i in the i-th 64-bit word of a range
 * @job: the job
 * @va: address
 * @size: bytes, a multiple of 8, at most 8 MiB
 * @tag: from vshare_tag()
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_tag(struct vshare_job *job, uint64_t va, uint64_t size, uint64_t tag);

/**
 * vshare_job_checksum() - store the checksum of a range in a 64-bit word
 * @job: the job
 * @va: address of the word
 * @src: address to read from
 * @size: bytes to read, a multiple of 8
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_checksum(struct vshare_job *job, uint64_t va, uint64_t src, uint64_t size);

/**
 * vshare_job_delay() - do nothing for a while
 * @job: the job
 * @ns: nanoseconds
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_delay(struct vshare_job *job, uint64_t ns);

/**
 * vshare_job_add() - add a value to each 64-bit word of a range, atomically
 * @job: the job
 * @va: address
 * @size: bytes, a multiple of 8
 * @value: number to add
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_add(struct vshare_job *job, uint64_t va, uint64_t size, uint64_t value);

/**
 * vshare_job_queue() - say which queue the job is for
 * @job: the job
 * @queue: queue of the address space that the job will be submitted to, or zero for
 *	the one that each address space begins with
 */
void vshare_job_queue(struct vshare_job *job, uint32_t queue);

/**
 * vshare_job_wait() - wait until a 64-bit word is large enough
 * @job: the job, for a faulting address space
 * @va: address of the word
 * @value: what it has to be, or more
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_wait(struct vshare_job *job, uint64_t va, uint64_t value);

/**
 * vshare_job_after() - let the job start only after a syncobj has signalled
 * @job: the job
 * @syncobj: syncobj handle of the device that the job will be submitted to
 * @point: point of a timeline, zero for a binary syncobj
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_after(struct vshare_job *job, uint32_t syncobj, uint64_t point);

/**
 * vshare_job_signal() - let the job signal a syncobj when it ends
 * @job: the job
 * @syncobj: syncobj handle of the device that the job will be submitted to
 * @point: point of a timeline, zero for a binary syncobj
 *
 * Return: zero; -ENOMEM.
 */
int vshare_job_signal(struct vshare_job *job, uint32_t syncobj, uint64_t point);

/**
 * vshare_job_submit() - submit a job
 * @job: the job; unchanged, it may be submitted again
 * @dev: vimport device
 * @vm: address space
 * @flags: mask of DRM_VIMPORT_EXEC_*
 *
 * Return: zero; the error of building the job; or one of
 * &struct drm_vimport_exec. -EAGAIN is returned, not retried: wait for an
 * earlier job, then submit again. -ECANCELED is the answer of a queue in which a
 * job has hung.
 */
int vshare_job_submit(const struct vshare_job *job, int dev, uint32_t vm, uint32_t flags);

/**
 * vshare_job_submit_faulting() - submit a job to a faulting address space
 * @job: the job; unchanged, it may be submitted again
 * @dev: vimport device
 * @vm: address space
 * @fence_va: address in it of a &struct drm_vimport_fence, or zero
 * @value: what the fence's value is to be when the job has ended
 *
 * Return: as vshare_job_submit(); -EOPNOTSUPP if the job is to signal a syncobj.
 */
int vshare_job_submit_faulting(const struct vshare_job *job, int dev, uint32_t vm,
			       uint64_t fence_va, uint64_t value);

/**
 * vshare_fence_wait() - wait for a fence in memory
 * @dev: vimport device that stores it
 * @fence: the fence, in memory of this process, such as a mapping of a dma-buf
 * @value: what its value has to be, or more
 * @timeout: nanoseconds from now; zero only looks
 * @status: how the job has ended: zero, or its error
 *
 * Return: zero; -ETIME; -EINTR; -EFAULT if there is no memory.
 */
int vshare_fence_wait(int dev, const struct drm_vimport_fence *fence, uint64_t value,
		      uint64_t timeout, int *status);

/**
 * vshare_sync_wait() - wait for a syncobj
 * @dev: device of the syncobj
 * @syncobj: syncobj handle
 * @point: point of a timeline, zero for a binary syncobj
 * @timeout: nanoseconds from now; zero only looks
 *
 * Return: zero; -ETIME; -EINVAL if nothing was submitted that signals it. That
 * a job has ended says nothing about how: see vshare_sync_status().
 */
int vshare_sync_wait(int dev, uint32_t syncobj, uint64_t point, uint64_t timeout);

/**
 * vshare_sync_status() - how the job behind a binary syncobj has ended
 * @dev: device of the syncobj
 * @syncobj: handle of a binary syncobj; the points of a timeline do not tell
 * @status: 1 if the job is done, 0 if it is pending, else the job's error,
 *	such as -EFAULT for an address without a translation
 *
 * Return: zero, or a negative errno if the status could not be read.
 */
int vshare_sync_status(int dev, uint32_t syncobj, int *status);

/*
 * dmabuf.c: dma-bufs of any exporter
 */

/**
 * vshare_dmabuf_size() - size of a dma-buf
 * @dmabuf: dma-buf file descriptor
 * @size: size in bytes
 *
 * Return: zero; -EBADF; -ESPIPE for what has no size.
 */
int vshare_dmabuf_size(int dmabuf, uint64_t *size);

/**
 * vshare_dmabuf_mmap() - map a dma-buf for reading and writing
 * @dmabuf: dma-buf file descriptor
 * @size: bytes to map
 * @map: address, to be unmapped with munmap()
 *
 * Return: zero; or what the exporter says.
 */
int vshare_dmabuf_mmap(int dmabuf, size_t size, void **map);

/**
 * vshare_dmabuf_begin() - open a bracket of CPU accesses to a mapped dma-buf
 * @dmabuf: dma-buf file descriptor
 * @write: the CPU will write, not only read
 *
 * Waits for jobs that take part in implicit synchronisation; for others wait
 * with vshare_sync_wait() first. The buffer may move while the bracket is
 * open.
 *
 * Return: zero; -ENOTTY for what is not a dma-buf; or what the exporter says.
 */
int vshare_dmabuf_begin(int dmabuf, bool write);

/**
 * vshare_dmabuf_end() - close the bracket that vshare_dmabuf_begin() opened
 * @dmabuf: dma-buf file descriptor
 * @write: as it was opened
 *
 * Return: zero; -ENOTTY for what is not a dma-buf; or what the exporter says.
 */
int vshare_dmabuf_end(int dmabuf, bool write);

/**
 * vshare_dmabuf_send() - hand a descriptor to the process behind a socket
 * @sock: connected socket of the AF_UNIX family
 * @dmabuf: descriptor to send; the caller's stays open
 *
 * Return: zero; -EBADF; -EPIPE if the other side has closed the socket.
 */
int vshare_dmabuf_send(int sock, int dmabuf);

/**
 * vshare_dmabuf_recv() - receive a descriptor from the process behind a socket
 * @sock: connected socket of the AF_UNIX family
 *
 * Return: file descriptor, which the caller closes; -EPIPE if the other side
 * has closed the socket; -EPROTO if it sent something else.
 */
int vshare_dmabuf_recv(int sock);

/**
 * vshare_dmabuf_take() - duplicate a descriptor of another process
 * @pid: the process
 * @fd: number of its descriptor
 *
 * Needs the right to trace the process (ptrace access mode ATTACH_REALCREDS, see
 * ptrace(2)), which Yama and containers may restrict further.
 *
 * Return: file descriptor, which the caller closes; -ESRCH if there is no such
 * process; -EINVAL if @pid is a thread, not a process; -EBADF if it has no such
 * descriptor; -EPERM.
 */
int vshare_dmabuf_take(int pid, int fd);

/*
 * tag.c: words that say who wrote them, and when
 */

/**
 * vshare_tag() - value for the TAG command
 * @writer: who writes; by convention the index of the GPU
 * @buffer: number of the buffer
 * @sequence: number of the write, 28 bits; start at one, or the first tag of
 *	all is what a fresh buffer holds anyway
 *
 * Return: writer << 56 | buffer << 48 | sequence << 20. The low bits count
 * words.
 */
uint64_t vshare_tag(uint8_t writer, uint8_t buffer, uint32_t sequence);

/**
 * struct vshare_tag_diff - the first word that is not as it was written
 */
struct vshare_tag_diff {
	/** @index: Index of the word in the range that was verified. */
	size_t index;

	/** @found: What is there. */
	uint64_t found;

	/** @expected: What the last writer had left. */
	uint64_t expected;
};

/**
 * vshare_tag_verify() - compare a range with what a TAG command left there
 * @words: the range
 * @count: words in it
 * @tag: value of the TAG command
 * @diff: first difference, if there is one; may be NULL
 *
 * Return: number of words that differ.
 */
size_t vshare_tag_verify(const uint64_t *words, size_t count, uint64_t tag,
			 struct vshare_tag_diff *diff);

/**
 * vshare_tag_describe() - put a word in words
 * @word: 64-bit word that was found in a buffer
 * @index: its index in the buffer
 * @text: filled in, always terminated; 96 bytes are enough
 * @len: size of @text
 *
 * Tells tags, words of storage that a buffer had left
 * (&struct drm_vexport_stale_word) and zero apart.
 */
void vshare_tag_describe(uint64_t word, uint64_t index, char *text, size_t len);

/** VSHARE_CHECKSUM_INIT - checksum of no words */
#define VSHARE_CHECKSUM_INIT	0xcbf29ce484222325ull

/**
 * vshare_checksum() - the CHECKSUM command, on the CPU
 * @hash: %VSHARE_CHECKSUM_INIT, or the result for what comes before @words
 * @words: the range
 * @count: words in it
 *
 * Return: the checksum so far.
 */
uint64_t vshare_checksum(uint64_t hash, const uint64_t *words, size_t count);

/**
 * vshare_checksum_tag() - checksum of what a TAG command leaves behind
 * @hash: %VSHARE_CHECKSUM_INIT, or the result for what comes before
 * @count: words that were tagged
 * @tag: value of the TAG command
 *
 * Return: the checksum so far.
 */
uint64_t vshare_checksum_tag(uint64_t hash, size_t count, uint64_t tag);

#if defined(__cplusplus)
}
#endif

#endif /* _VSHARE_H_ */
