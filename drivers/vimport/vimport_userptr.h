/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_USERPTR_H_
#define _VIMPORT_USERPTR_H_

#include <linux/mmu_notifier.h>

#include "vimport_bo.h"
#include "vimport_find.h"

struct vimport_vm;
struct vimport_vm_bo;
struct vimport_warden;

/**
 * struct vimport_userptr - a buffer that is memory of a process
 *
 * The reservation object is its own: it holds the fences of all jobs that may use the
 * buffer, in whatever address space, and of nothing else.
 */
struct vimport_userptr {
	/** @base: What it has in common with an import. No @sgt, never @stale. */
	struct vimport_bo base;
	/** @mm: Whose memory. The structure is held, the memory is not. */
	struct mm_struct *mm;
	/** @addr: First address. */
	unsigned long addr;
	/** @notifier: Says when that memory changes. */
	struct mmu_interval_notifier notifier;
	/**
	 * @seq: What @notifier said when the segments of @base were looked up. There are
	 * none if there was nothing to be found. Both are protected by the dma_resv.
	 */
	unsigned long seq;
	/**
	 * @used: There may be translations to the pages in a page table, or on the way
	 * to one. Set with the notifier lock held and @seq valid; cleared by the notifier.
	 */
	bool used;
	/**
	 * @vm_bos: Address spaces that may have translations, as &struct vimport_vm_bo.
	 * Protected by the notifier lock, because the dma_resv is nothing that a
	 * notifier may take.
	 */
	struct list_head vm_bos;
	/** @find: How it is found by its address. */
	struct vimport_find_node find;
	/** @pages: With DRM_VIMPORT_BUG_USERPTR_PIN: there is no @notifier, but these. */
	struct page **pages;
	/** @warden: Keeps what the bugs of its @notifier do from doing harm, or NULL. */
	struct vimport_warden *warden;
};

static inline struct vimport_userptr *to_vimport_userptr(struct drm_gem_object *obj)
{
	return container_of(to_vimport_bo(obj), struct vimport_userptr, base);
}

bool vimport_userptr_is(const struct drm_gem_object *obj);
int vimport_userptr_watch(struct vimport_userptr *userptr);
int vimport_userptr_fault(struct vimport_userptr *userptr, bool must_exist);
int vimport_userptr_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

void vimport_userptr_link(struct vimport_userptr *userptr, struct vimport_vm_bo *vm_bo);
void vimport_userptr_unlink(struct vimport_vm_bo *vm_bo);

bool vimport_userptr_is_watched(const struct drm_gem_object *obj);
int vimport_userptr_check_owner(struct vimport_vm *vm);
bool vimport_userptr_begin_install(struct vimport_userptr *userptr, unsigned long seq);
void vimport_userptr_end_install(struct vimport_userptr *userptr);

int vimport_userptr_fault_all(struct vimport_vm *vm);
bool vimport_userptr_begin_publish(struct vimport_vm *vm);
void vimport_userptr_end_publish(struct vimport_vm *vm);

#endif /* _VIMPORT_USERPTR_H_ */
