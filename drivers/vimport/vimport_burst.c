// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: burst
 *
 * The smallest step of the engine: at most a page, with the page table locked
 * from looking the translations up to the last store. A flush, made under the
 * same lock, leaves no store on its way, and an exporter's invalidation never
 * waits for long. A burst is done as a whole or, if one of its addresses has no
 * translation, not at all: it can be repeated when the fault has been served.
 */

#include <drm/vimport_drm.h>

#include <linux/mutex.h>
#include <linux/string.h>

#include "vimport_burst.h"
#include "vimport_drv.h"
#include "vimport_trace.h"
#include "vimport_vm.h"

#define FNV_OFFSET		0xcbf29ce484222325ULL
#define FNV_PRIME		0x100000001b3ULL

static bool reads_src(const struct drm_vimport_cmd *cmd)
{
	return cmd->op == DRM_VIMPORT_OP_COPY || cmd->op == DRM_VIMPORT_OP_CHECKSUM;
}

/* Bytes from @pos on until one of the addresses leaves its page. */
static u64 burst_size(const struct drm_vimport_cmd *cmd, u64 pos)
{
	u64 size = cmd->size - pos;

	if (cmd->op != DRM_VIMPORT_OP_CHECKSUM)
		size = min(size, VIMPORT_PAGE_SIZE - (cmd->va + pos) % VIMPORT_PAGE_SIZE);
	if (reads_src(cmd))
		size = min(size, VIMPORT_PAGE_SIZE - (cmd->src + pos) % VIMPORT_PAGE_SIZE);

	return size;
}

static void burst_tag(u64 *dst, u64 value, u64 words)
{
	u64 i;

	for (i = 0; i < words; i++)
		dst[i] = value + i;
}

/* Other GPUs, and CPUs, may be adding to the same words. */
static void burst_add(u64 *dst, u64 value, u64 words)
{
	u64 i;

	for (i = 0; i < words; i++)
		atomic64_add(value, (atomic64_t *)&dst[i]);
}

static u64 burst_hash(const u64 *src, u64 hash, u64 words)
{
	u64 i;

	for (i = 0; i < words; i++)
		hash = (hash ^ src[i]) * FNV_PRIME;

	return hash;
}

/* Locked: look an address up, or note the fault. */
static void *reach(struct vimport_vm *vm, u64 va, bool write, struct vimport_access *fault)
{
	void *ptr = vimport_pt_map(&vm->pt, va, write);

	if (!ptr) {
		trace_vimport_gpu_fault(vm, va, write);
		atomic64_inc(&to_vimport_device(vm->base.drm)->counters.gpu_faults);
		atomic64_inc(&vm->stats.gpu_faults);
		fault->va = va;
		fault->write = write;
	}

	return ptr;
}

/* Locked: what becomes of @size bytes at @pos, now that there are translations. */
static void work(const struct drm_vimport_cmd *cmd, u64 *dst, const u64 *src, u64 size,
		 struct vimport_cursor *cursor)
{
	u64 words = size / sizeof(u64);

	switch (cmd->op) {
	case DRM_VIMPORT_OP_FILL:
		memset64(dst, cmd->value, words);
		break;
	case DRM_VIMPORT_OP_COPY:
		memcpy(dst, src, size);
		break;
	case DRM_VIMPORT_OP_TAG:
		burst_tag(dst, cmd->value + cursor->pos / sizeof(u64), words);
		break;
	case DRM_VIMPORT_OP_ADD:
		burst_add(dst, cmd->value, words);
		break;
	case DRM_VIMPORT_OP_CHECKSUM:
		if (!cursor->pos)
			cursor->hash = FNV_OFFSET;
		cursor->hash = burst_hash(src, cursor->hash, words);
		break;
	}
}

static int run_bytes(struct vimport_vm *vm, const struct drm_vimport_cmd *cmd,
		     struct vimport_cursor *cursor, struct vimport_access *fault)
{
	bool writes = cmd->op != DRM_VIMPORT_OP_CHECKSUM;
	struct vimport_pt *pt = &vm->pt;
	u64 *dst = NULL, *src = NULL;
	int ret = -EFAULT;
	u64 size;

	size = burst_size(cmd, cursor->pos);
	mutex_lock(&pt->lock);

	if (reads_src(cmd)) {
		src = reach(vm, cmd->src + cursor->pos, false, fault);
		if (!src)
			goto out_unlock;
	}
	if (writes) {
		dst = reach(vm, cmd->va + cursor->pos, true, fault);
		if (!dst)
			goto out_unmap_src;
	}

	work(cmd, dst, src, size, cursor);
	cursor->pos += size;
	if (writes) {
		atomic64_add(size, &to_vimport_device(vm->base.drm)->counters.bytes_written);
		atomic64_add(size, &vm->stats.bytes_written);
	}
	ret = 0;

	if (dst)
		vimport_pt_unmap(dst);
out_unmap_src:
	if (src)
		vimport_pt_unmap(src);
out_unlock:
	mutex_unlock(&pt->lock);
	return ret;
}

static int store_hash(struct vimport_vm *vm, const struct drm_vimport_cmd *cmd,
		      struct vimport_cursor *cursor, struct vimport_access *fault)
{
	const struct drm_vimport_cmd store = {
		.op = DRM_VIMPORT_OP_FILL,
		.va = cmd->va,
		.size = sizeof(u64),
		.value = cursor->hash,
	};
	struct vimport_cursor once = {};

	return run_bytes(vm, &store, &once, fault);
}

static int compare(struct vimport_vm *vm, const struct drm_vimport_cmd *cmd,
		   struct vimport_access *fault)
{
	struct vimport_pt *pt = &vm->pt;
	int ret = -EFAULT;
	u64 *word;

	mutex_lock(&pt->lock);
	word = reach(vm, cmd->va, false, fault);
	if (word) {
		/* What the writer has stored before this word is to be seen behind it. */
		ret = smp_load_acquire(word) >= cmd->value ? 0 : -EAGAIN;
		vimport_pt_unmap(word);
	}
	mutex_unlock(&pt->lock);
	return ret;
}

/**
 * vimport_burst_run - run a piece of a command
 * @vm: address space
 * @cmd: command, anything but DELAY
 * @cursor: how far the job has come; @cmd is its next command
 * @fault: the access that failed, if one did
 *
 * Takes the lock of the page table. In the fence-signalling path, also if the
 * address space has no fences, because jobs that have share the engine.
 *
 * Return: 0 with the cursor moved on; -EFAULT if there was no translation, or
 * -EAGAIN if a WAIT is not over, with nothing done.
 */
int vimport_burst_run(struct vimport_vm *vm, const struct drm_vimport_cmd *cmd,
		      struct vimport_cursor *cursor, struct vimport_access *fault)
{
	int ret;

	if (cmd->op == DRM_VIMPORT_OP_WAIT) {
		ret = compare(vm, cmd, fault);
		if (!ret)
			cursor->pos = cmd->size;
	} else if (cursor->pos < cmd->size) {
		ret = run_bytes(vm, cmd, cursor, fault);
		/* There is still the result to store. */
		if (cmd->op == DRM_VIMPORT_OP_CHECKSUM)
			return ret;
	} else {
		ret = store_hash(vm, cmd, cursor, fault);
	}

	if (!ret && cursor->pos == cmd->size) {
		cursor->cmd++;
		cursor->pos = 0;
	}
	return ret;
}

/**
 * vimport_burst_store_fence - store a fence in memory
 * @vm: address space
 * @va: address of a &struct drm_vimport_fence
 * @value: its value
 * @error: its error
 * @fault: the access that failed, if it did
 *
 * As vimport_burst_run(). Who sees the value sees all that the job has stored,
 * and the error.
 *
 * Return: 0, or -EFAULT if there was no translation.
 */
int vimport_burst_store_fence(struct vimport_vm *vm, u64 va, u64 value, s64 error,
			      struct vimport_access *fault)
{
	struct vimport_pt *pt = &vm->pt;
	struct drm_vimport_fence *fence;

	mutex_lock(&pt->lock);
	fence = reach(vm, va, true, fault);
	if (fence) {
		WRITE_ONCE(fence->error, error);
		/* Pairs with the smp_rmb() of WAIT_FENCE, and with compare(). */
		smp_store_release(&fence->value, value);
		vimport_pt_unmap(fence);
	}
	mutex_unlock(&pt->lock);
	return fence ? 0 : -EFAULT;
}
