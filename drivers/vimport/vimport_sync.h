/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_SYNC_H_
#define _VIMPORT_SYNC_H_

#include <linux/types.h>

struct dma_fence;
struct drm_file;
struct drm_sched_job;
struct drm_vimport_exec;
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

int vimport_sync_parse(struct vimport_syncs *syncs, struct drm_file *file,
		       const struct drm_vimport_exec *args);
int vimport_sync_add_dependencies(struct vimport_syncs *syncs, struct drm_sched_job *job);
void vimport_sync_publish(struct vimport_syncs *syncs, struct dma_fence *fence);
void vimport_sync_free(struct vimport_syncs *syncs);

#endif /* _VIMPORT_SYNC_H_ */
