/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_USE_H_
#define _VIMPORT_USE_H_

#include <linux/types.h>

struct drm_gpuvm_bo;
struct vimport_vm;

bool vimport_use_has_room(struct vimport_vm *vm, u64 cost_ns);
void vimport_use_begin_job(struct vimport_vm *vm, u64 cost_ns);
void vimport_use_end_job(struct vimport_vm *vm, u64 cost_ns);
bool vimport_use_invalidate_locked(struct drm_gpuvm_bo *gpuvm_bo);
bool vimport_use_is_pending_locked(struct drm_gpuvm_bo *gpuvm_bo);

#endif /* _VIMPORT_USE_H_ */
