/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_VM_H_
#define _VIMPORT_VM_H_

#include <drm/drm_gpuvm.h>
#include <drm/gpu_scheduler.h>

#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "vimport_lr.h"
#include "vimport_pt.h"
#include "vimport_stats.h"

struct vimport_client;
struct vimport_device;
struct vimport_queue;

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
	/**
	 * @entity: Changes of the page table, in order: the jobs of all queues wait
	 * for those that were submitted before them. Protected by @lock.
	 */
	struct drm_sched_entity entity;
	/**
	 * @last_update: Fence of the last job of @entity, or NULL. Protected by
	 * @lock.
	 */
	struct dma_fence *last_update;
	/** @queue: The queue that it began with, until it is freed. */
	struct vimport_queue *queue;
	/** @mappings: Number of mappings. Protected by @lock. */
	unsigned int mappings;
	/** @mapped: Sum of their sizes. Protected by @lock. */
	u64 mapped;
	/** @leaving: Mappings that are out of the VA tree, but not released. Protected by @lock. */
	unsigned int leaving;
	/** @leaving_bytes: Sum of their sizes. Protected by @lock. */
	u64 leaving_bytes;
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
	/** @binds: Asynchronous binds among what is submitted. Protected by the lock of @pt. */
	unsigned int binds;
	/**
	 * @zap_list: Imports that were invalidated while @busy was not zero, as
	 * &struct vimport_vm_bo. Protected by the lock of @pt.
	 */
	struct list_head zap_list;
	/**
	 * @unflushed: Mappings that are gone but, by a deliberate bug, not flushed, by
	 * &vimport_va.gone_node. Protected by @lock.
	 */
	struct list_head unflushed;
	/** @pending_ns: Estimated time that the @busy jobs and the @binds take. */
	atomic64_t pending_ns;
	/** @stats: Statistics. */
	struct vimport_stats stats;
	/** @client: Whose engine time its jobs take; NULL for none. Holds a reference. */
	struct vimport_client *client;
	/** @number: Names it in tracepoints. */
	u64 number;
	/** @faulting: Its jobs have no fences, and are not the scheduler's. */
	bool faulting;
	/** @lr: What it has for them if it is @faulting. */
	struct vimport_lr_vm lr;
	/** @dead: Set once, when the id is gone: jobs end without doing anything. */
	bool dead;
	/** @destroy_work: Takes it apart once its jobs have drained. */
	struct delayed_work destroy_work;
};

/**
 * struct vimport_vm_bo - a buffer in an address space
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
	/** @userptr_node: Entry of &vimport_userptr.vm_bos. */
	struct list_head userptr_node;
};

/**
 * struct vimport_va - a mapping
 */
struct vimport_va {
	/** @base: Range and buffer. Out of the tree, only the range of what goes. */
	struct drm_gpuva base;
	/** @node: Entry of &vimport_vm_bo.mappings. */
	struct list_head node;
	/** @gone_node: Entry of &vimport_va_change.gone. */
	struct list_head gone_node;
	/** @write: The engine may store through this mapping. */
	bool write;
	/** @leaving: It is out of the tree. Protected by the dma_resv of the import. */
	bool leaving;
	/** @no_flush: The import has the bug that leaves the flush out. */
	bool no_flush;
	/** @unflushed: That has happened. Protected by the lock of the page table. */
	bool unflushed;
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

/**
 * vimport_vm_assert_submitting - assert the locks of a submission
 * @vm: address space
 *
 * Its lock and the dma_resv of all its imports. Its own stands for those, because
 * drm_gpuvm_exec_lock() takes it along with them.
 */
static inline void vimport_vm_assert_submitting(struct vimport_vm *vm)
{
	lockdep_assert_held(&vm->lock);
	drm_gpuvm_resv_assert_held(&vm->base);
}

int vimport_vm_create_ioctl(struct drm_device *drm, void *data, struct drm_file *file);
int vimport_vm_destroy_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

struct vimport_vm *vimport_vm_create(struct vimport_device *vdev, struct vimport_client *client,
				     bool faulting);
struct vimport_vm *vimport_vm_lookup(struct drm_file *file, u32 id);
void vimport_vm_destroy(struct vimport_vm *vm);

int vimport_vm_revalidate_locked(struct drm_gpuvm_bo *gpuvm_bo);
int vimport_vm_wait_idle(struct vimport_vm *vm, bool intr);

#endif /* _VIMPORT_VM_H_ */
