/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_VA_H_
#define _VIMPORT_VA_H_

#include <linux/list.h>
#include <linux/types.h>

struct drm_gem_object;
struct drm_gpuva_op;
struct drm_gpuvm_bo;
struct vimport_va;
struct vimport_vm;

/**
 * struct vimport_va_change - a change of the VA tree
 *
 * Holds what it may need, so that it cannot fail half-way, and then what it took out
 * of the tree.
 */
struct vimport_va_change {
	/** @vm: Address space, of which the owner holds a reference. */
	struct vimport_vm *vm;
	/** @map: The new mapping, until it is in the tree; NULL if none is wanted. */
	struct vimport_va *map;
	/** @vm_bo: What @map is going to be a mapping of. */
	struct drm_gpuvm_bo *vm_bo;
	/** @prev: For what is left in front of the range, until it is needed. */
	struct vimport_va *prev;
	/** @next: For what is left behind the range, until it is needed. */
	struct vimport_va *next;
	/** @gone: What is out of the tree, by &vimport_va.gone_node. */
	struct list_head gone;
};

int vimport_va_change_init(struct vimport_va_change *change, struct vimport_vm *vm, bool map);
void vimport_va_change_fini(struct vimport_va_change *change);

int vimport_va_check_room(struct vimport_vm *vm, u64 addr, u64 size, bool map, bool async);
void vimport_va_map_locked(struct vimport_va_change *change, struct drm_gem_object *obj,
			   u64 offset, u64 addr, u64 size, bool write);
void vimport_va_unmap_locked(struct vimport_va_change *change, u64 addr, u64 size);
void vimport_va_zap(struct vimport_va_change *change);
void vimport_va_release(struct vimport_va_change *change);
void vimport_va_unmap_all(struct vimport_vm *vm);

int vimport_va_step_map(struct drm_gpuva_op *op, void *priv);
int vimport_va_step_remap(struct drm_gpuva_op *op, void *priv);
int vimport_va_step_unmap(struct drm_gpuva_op *op, void *priv);

#endif /* _VIMPORT_VA_H_ */
