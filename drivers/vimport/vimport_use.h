/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_USE_H_
#define _VIMPORT_USE_H_

#include <linux/types.h>

struct drm_gem_object;
struct drm_gpuvm_bo;
struct vimport_va;
struct vimport_vm;
struct vimport_vm_bo;

bool vimport_use_has_room(struct vimport_vm *vm, u64 cost_ns);
int vimport_use_inherit_locked(struct vimport_vm *vm, struct drm_gem_object *obj);
void vimport_use_begin_job(struct vimport_vm *vm, u64 cost_ns);
void vimport_use_zap(struct vimport_vm_bo *vm_bo);
void vimport_use_end_job(struct vimport_vm *vm, u64 cost_ns);
void vimport_use_begin_bind(struct vimport_vm *vm, u64 cost_ns);
void vimport_use_end_bind(struct vimport_vm *vm, u64 cost_ns);
void vimport_use_end_mapping(struct vimport_vm *vm, struct vimport_va *va);
bool vimport_use_invalidate_locked(struct drm_gpuvm_bo *gpuvm_bo);
bool vimport_use_is_pending_locked(struct drm_gpuvm_bo *gpuvm_bo);

#endif /* _VIMPORT_USE_H_ */
