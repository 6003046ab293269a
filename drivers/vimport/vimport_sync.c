// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

#include <drm/drm_syncobj.h>
#include <drm/gpu_scheduler.h>
#include <drm/vimport_drm.h>

#include <linux/dma-fence-chain.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "vimport_sync.h"

#define MAX_SYNCS	64

/**
 * struct vimport_sync - a syncobj to wait for or to signal
 */
struct vimport_sync {
	/** @wait: Fence that the job waits for, or NULL. */
	struct dma_fence *wait;
	/** @signal: Syncobj that the job signals, or NULL. */
	struct drm_syncobj *signal;
	/** @chain: Node for @point of @signal, NULL for a binary syncobj. */
	struct dma_fence_chain *chain;
	/** @point: Timeline point. */
	u64 point;
};

/* Resolve everything that can fail before the job is armed. */
static int sync_init(struct vimport_sync *sync, struct drm_file *file,
		     const struct drm_vimport_sync *arg)
{
	bool timeline = arg->flags & DRM_VIMPORT_SYNC_TIMELINE;
	int ret;

	if (arg->flags & ~(DRM_VIMPORT_SYNC_SIGNAL | DRM_VIMPORT_SYNC_TIMELINE) ||
	    timeline != !!arg->point)
		return -EINVAL;

	if (!(arg->flags & DRM_VIMPORT_SYNC_SIGNAL)) {
		struct dma_fence *fence;

		/* On error it may leave a pointer there that it has put. */
		ret = drm_syncobj_find_fence(file, arg->handle, arg->point, 0, &fence);
		if (!ret)
			sync->wait = fence;
		return ret;
	}

	sync->signal = drm_syncobj_find(file, arg->handle);
	if (!sync->signal)
		return -ENOENT;

	if (timeline) {
		sync->chain = dma_fence_chain_alloc();
		if (!sync->chain)
			return -ENOMEM;
		sync->point = arg->point;
	}

	return 0;
}

/**
 * vimport_sync_parse - take the syncobjs of a submission from userspace
 * @syncs: where they go, zeroed; to be freed with vimport_sync_free()
 * @file: caller
 * @user: the caller's pointer to an array of &struct drm_vimport_sync
 * @count: how many they are
 * @stride: size of one
 *
 * Return: 0, -EINVAL, -ENOENT, -EFAULT or -ENOMEM as the user interface
 * documents.
 */
int vimport_sync_parse(struct vimport_syncs *syncs, struct drm_file *file, u64 user, u32 count,
		       u32 stride)
{
	struct drm_vimport_sync *sync;
	int ret = 0;
	u32 i;

	if (!count)
		return stride && stride != sizeof(*sync) ? -EINVAL : 0;
	if (count > MAX_SYNCS || stride != sizeof(*sync))
		return -EINVAL;

	sync = vmemdup_array_user(u64_to_user_ptr(user), count, sizeof(*sync));
	if (IS_ERR(sync))
		return PTR_ERR(sync);

	syncs->sync = kvcalloc(count, sizeof(*syncs->sync), GFP_KERNEL_ACCOUNT);
	if (!syncs->sync) {
		ret = -ENOMEM;
		goto out_free;
	}

	/* On error the caller frees what has been resolved so far. */
	syncs->count = count;
	for (i = 0; i < syncs->count && !ret; i++)
		ret = sync_init(&syncs->sync[i], file, &sync[i]);

out_free:
	kvfree(sync);
	return ret;
}

/**
 * vimport_sync_add_dependencies - have a job wait for its in-syncs
 * @syncs: syncobjs
 * @job: job that is not yet armed
 *
 * Return: 0 or -ENOMEM.
 */
int vimport_sync_add_dependencies(struct vimport_syncs *syncs, struct drm_sched_job *job)
{
	u32 i;

	for (i = 0; i < syncs->count; i++) {
		int ret = drm_sched_job_add_dependency(job, dma_fence_get(syncs->sync[i].wait));

		if (ret)
			return ret;
	}

	return 0;
}

/**
 * vimport_sync_has_signal - whether a job is to signal one of the syncobjs
 * @syncs: syncobjs
 *
 * Return: whether there is an out-sync.
 */
bool vimport_sync_has_signal(const struct vimport_syncs *syncs)
{
	u32 i;

	for (i = 0; i < syncs->count; i++) {
		if (syncs->sync[i].signal)
			return true;
	}

	return false;
}

/**
 * vimport_sync_take_wait - take the fence of an in-sync over
 * @syncs: syncobjs, without out-syncs
 * @i: which of them; each can be taken once
 *
 * Return: a fence to be put.
 */
struct dma_fence *vimport_sync_take_wait(struct vimport_syncs *syncs, u32 i)
{
	struct dma_fence *fence = syncs->sync[i].wait;

	syncs->sync[i].wait = NULL;
	return fence;
}

/**
 * vimport_sync_publish - put a job's fence into its out-syncs
 * @syncs: syncobjs
 * @fence: the job's fence, armed
 */
void vimport_sync_publish(struct vimport_syncs *syncs, struct dma_fence *fence)
{
	u32 i;

	for (i = 0; i < syncs->count; i++) {
		struct vimport_sync *sync = &syncs->sync[i];

		if (!sync->signal)
			continue;

		if (sync->chain) {
			drm_syncobj_add_point(sync->signal, sync->chain, fence, sync->point);
			/* The syncobj has it now. */
			sync->chain = NULL;
		} else {
			drm_syncobj_replace_fence(sync->signal, fence);
		}
	}
}

/**
 * vimport_sync_free - let go of the syncobjs of a submission
 * @syncs: syncobjs
 */
void vimport_sync_free(struct vimport_syncs *syncs)
{
	u32 i;

	for (i = 0; i < syncs->count; i++) {
		struct vimport_sync *sync = &syncs->sync[i];

		dma_fence_put(sync->wait);
		dma_fence_chain_free(sync->chain);
		if (sync->signal)
			drm_syncobj_put(sync->signal);
	}
	kvfree(syncs->sync);
}
