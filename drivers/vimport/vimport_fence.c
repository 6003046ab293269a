// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

#include <linux/module.h>
#include <linux/slab.h>

#include "vimport_drv.h"
#include "vimport_engine.h"
#include "vimport_fence.h"

static struct vimport_fence *to_vimport_fence(struct dma_fence *fence)
{
	return container_of(fence, struct vimport_fence, base);
}

static const char *get_driver_name(struct dma_fence *fence)
{
	return "vimport";
}

static const char *get_timeline_name(struct dma_fence *fence)
{
	return to_vimport_fence(fence)->engine->name;
}

static atomic_t *count(const struct vimport_fence *fence)
{
	return &container_of(fence->engine, struct vimport_device, engine)->counters.fences;
}

/**
 * vimport_fence_alloc - allocate a fence for a job
 * @engine: engine that is going to signal it
 *
 * It is done at submission because the engine may not allocate.
 *
 * Return: memory for a fence, or NULL.
 */
struct vimport_fence *vimport_fence_alloc(struct vimport_engine *engine)
{
	struct vimport_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL_ACCOUNT);

	if (!fence)
		return NULL;
	fence->engine = engine;
	atomic_inc(count(fence));
	return fence;
}

/**
 * vimport_fence_free - free a fence that was not initialised
 * @fence: what vimport_fence_alloc() returned, or NULL
 */
void vimport_fence_free(struct vimport_fence *fence)
{
	if (!fence)
		return;
	atomic_dec(count(fence));
	kfree(fence);
}

static void free_rcu_cb(struct rcu_head *rcu)
{
	struct dma_fence *fence = container_of(rcu, struct dma_fence, rcu);

	vimport_fence_free(to_vimport_fence(fence));
	/* Unloading waits for this callback to return, with rcu_barrier(). */
	module_put(THIS_MODULE);
}

static void release(struct dma_fence *fence)
{
	call_rcu(&fence->rcu, free_rcu_cb);
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = get_driver_name,
	.get_timeline_name = get_timeline_name,
	.release = release,
};

/**
 * vimport_fence_init - turn the memory into a fence
 * @fence: what vimport_fence_alloc() returned; from now on it is put, not freed
 *
 * The jobs of an engine get their fences in the order in which they run, from one thread
 * at a time. The caller holds the module.
 */
void vimport_fence_init(struct vimport_fence *fence)
{
	struct vimport_engine *engine = fence->engine;

	__module_get(THIS_MODULE);
	dma_fence_init(&fence->base, &fence_ops, &engine->fence_lock, engine->fence_context,
		       ++engine->fence_seqno);
}
