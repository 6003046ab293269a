/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_VM_H_
#define _VIMPORT_VM_H_

#include <drm/drm_gpuvm.h>
#include <drm/gpu_scheduler.h>

#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "vimport_pt.h"

/*
 * What may be mapped in one address space. Submission looks at every mapping,
 * and an exporter that moves a buffer may have to wait until the page table is
 * cleared: 4 GiB are a million PTEs.
 */
#define VIMPORT_MAX_MAPPINGS	1024
#define VIMPORT_MAX_MAPPED	SZ_4G

/**
 * struct vimport_vm - an address space
 *
 * References are those of @base. The id in the file holds one, which
 * @destroy_work takes over; so does each import that is mapped, each mapping, each
 * job that the scheduler has not freed, and each ioctl that is under way. Any of
 * the last two may be the last. An address space holds the device and the module.
 */
struct vimport_vm {
	/** @base: The VA tree. */
	struct drm_gpuvm base;
	/** @lock: Outermost lock, see DOC: locking order. */
	struct mutex lock;
	/** @entity: Its jobs, in order. Protected by @lock. */
	struct drm_sched_entity entity;
	/** @mappings: Number of mappings. Protected by @lock. */
	unsigned int mappings;
	/** @mapped: Sum of their sizes. Protected by @lock. */
	u64 mapped;
	/**
	 * @validations: Times that the submission which is under way had an
	 * import validated. Protected by @lock.
	 */
	unsigned int validations;
	/** @pt: Page table and TLB. */
	struct vimport_pt pt;
	/**
	 * @busy: Jobs that are submitted and that the engine has not ended.
	 * Protected by the lock of @pt. One count is enough for all imports,
	 * because a job may use every buffer that is mapped.
	 */
	unsigned int busy;
	/**
	 * @zap_list: Imports that were invalidated while @busy was not zero, as
	 * &struct vimport_vm_bo. Protected by the lock of @pt.
	 */
	struct list_head zap_list;
	/** @pending_ns: Estimated time that the @busy jobs take. */
	atomic64_t pending_ns;
	/** @dead: Set once, when the id is gone: jobs end without doing anything. */
	bool dead;
	/** @destroy_work: Takes it apart once its jobs have drained. */
	struct work_struct destroy_work;
};

/**
 * struct vimport_vm_bo - an import in an address space
 */
struct vimport_vm_bo {
	/** @base: Also says whether the import is on the VM's list of evicted ones. */
	struct drm_gpuvm_bo base;
	/**
	 * @mappings: Mappings of the import, as &struct vimport_va. Protected by the
	 * lock of the page table: the list of @base needs the dma_resv, which
	 * the engine may not take.
	 */
	struct list_head mappings;
	/** @zap_node: Entry of &vimport_vm.zap_list. */
	struct list_head zap_node;
};

/**
 * struct vimport_va - a mapping
 */
struct vimport_va {
	/** @base: Range and buffer. */
	struct drm_gpuva base;
	/** @node: Entry of &vimport_vm_bo.mappings. */
	struct list_head node;
	/** @write: The engine may store through this mapping. */
	bool write;
	/**
	 * @generation: Generation of the import that the last submitted job
	 * brings the page table to. Protected by the VM's lock.
	 */
	u64 generation;
};

static inline struct vimport_vm *to_vimport_vm(struct drm_gpuvm *gpuvm)
{
	return container_of(gpuvm, struct vimport_vm, base);
}

static inline struct vimport_vm_bo *to_vimport_vm_bo(struct drm_gpuvm_bo *vm_bo)
{
	return container_of(vm_bo, struct vimport_vm_bo, base);
}

static inline struct vimport_va *to_vimport_va(struct drm_gpuva *va)
{
	return container_of(va, struct vimport_va, base);
}

int vimport_vm_create_ioctl(struct drm_device *drm, void *data, struct drm_file *file);
int vimport_vm_destroy_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

struct vimport_vm *vimport_vm_lookup(struct drm_file *file, u32 id);
void vimport_vm_destroy(struct vimport_vm *vm);

int vimport_vm_wait_idle(struct vimport_vm *vm, bool intr);

#endif /* _VIMPORT_VM_H_ */
