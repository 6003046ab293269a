/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_FENCE_H_
#define _VIMPORT_FENCE_H_

#include <linux/dma-fence.h>

struct vimport_engine;

/**
 * struct vimport_fence - what the engine signals when a job is done
 *
 * The scheduler's finished fence keeps a reference to this one, and anybody may
 * keep the finished fence, in a sync_file for example. So every one of these
 * holds the module, and thereby the devices, which go away with it only.
 */
struct vimport_fence {
	/** @base: The fence. */
	struct dma_fence base;
	/** @engine: Whose fence it is. */
	struct vimport_engine *engine;
};

struct vimport_fence *vimport_fence_alloc(struct vimport_engine *engine);
void vimport_fence_free(struct vimport_fence *fence);
void vimport_fence_init(struct vimport_fence *fence);

#endif /* _VIMPORT_FENCE_H_ */
