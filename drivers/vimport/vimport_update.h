/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_UPDATE_H_
#define _VIMPORT_UPDATE_H_

struct dma_fence;
struct drm_exec;
struct vimport_job;
struct vimport_vm;

int vimport_update_prepare_locked(struct vimport_job *job, struct drm_exec *exec,
				  struct vimport_job **update);
void vimport_update_cancel(struct vimport_job *update);
void vimport_update_order_locked(struct vimport_vm *vm, struct dma_fence *fence);
void vimport_update_commit_locked(struct vimport_job *update);
void vimport_update_precede_locked(struct vimport_job *job);
int vimport_update_run(struct vimport_job *update);

#endif /* _VIMPORT_UPDATE_H_ */
