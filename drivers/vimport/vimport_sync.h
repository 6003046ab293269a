/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_SYNC_H_
#define _VIMPORT_SYNC_H_

#include <linux/types.h>

struct dma_fence;
struct drm_file;
struct drm_sched_job;
struct vimport_sync;

/**
 * struct vimport_syncs - the syncobjs that a submission names
 */
struct vimport_syncs {
	/** @sync: One for each. */
	struct vimport_sync *sync;
	/** @count: How many they are. */
	u32 count;
};

int vimport_sync_parse(struct vimport_syncs *syncs, struct drm_file *file, u64 user, u32 count,
		       u32 stride);
int vimport_sync_add_dependencies(struct vimport_syncs *syncs, struct drm_sched_job *job);
bool vimport_sync_has_signal(const struct vimport_syncs *syncs);
struct dma_fence *vimport_sync_take_wait(struct vimport_syncs *syncs, u32 i);
void vimport_sync_publish(struct vimport_syncs *syncs, struct dma_fence *fence);
void vimport_sync_free(struct vimport_syncs *syncs);

#endif /* _VIMPORT_SYNC_H_ */
