/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_MISBEHAVE_H_
#define _VIMPORT_MISBEHAVE_H_

#include <linux/types.h>

struct dma_buf_attachment;
struct dma_fence;
struct drm_device;
struct drm_exec;
struct drm_file;
struct drm_gem_object;
struct mmu_notifier_range;
struct page;
struct sg_table;
struct vimport_userptr;
struct vimport_vm;

bool vimport_misbehave_allowed(void);
int vimport_misbehave_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

bool vimport_misbehave_has_locked(struct vimport_vm *vm, struct drm_gem_object *obj, u32 bug);
void vimport_misbehave_published_locked(struct vimport_vm *vm, struct drm_exec *exec,
					struct dma_fence *fence);
void vimport_misbehave_unmap_locked(struct dma_buf_attachment *attach, struct sg_table *sgt,
				    dma_addr_t addr, bool stale, u32 bugs);
void vimport_misbehave_detach(struct dma_buf_attachment *attach, u32 bugs);
int vimport_misbehave_pin_user_pages(struct vimport_userptr *userptr);
void vimport_misbehave_unpin_user_pages(struct page **pages, unsigned long count);
int vimport_misbehave_userptr(struct vimport_userptr *userptr, u32 bugs);
bool vimport_misbehave_ignores(u32 bugs, const struct mmu_notifier_range *range);
void vimport_misbehave_notifier(u32 bugs, bool blockable);
void vimport_misbehave_invalidate(u32 bugs);
void vimport_misbehave_signalling(u32 bugs);

#endif /* _VIMPORT_MISBEHAVE_H_ */
