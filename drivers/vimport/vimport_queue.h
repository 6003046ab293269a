/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_QUEUE_H_
#define _VIMPORT_QUEUE_H_

#include <drm/gpu_scheduler.h>

#include <linux/atomic.h>
#include <linux/kref.h>

#include "vimport_lr.h"

struct drm_device;
struct drm_file;
struct vimport_counters;
struct vimport_device;
struct vimport_vm;

/**
 * struct vimport_queue - jobs of an address space that run in order
 *
 * References: the id in the file or, for the queue that an address space begins
 * with, the address space; each job that the scheduler has not freed; each ioctl
 * that is under way.
 */
struct vimport_queue {
	/** @ref: References. */
	struct kref ref;
	/** @rcu: A fence's callback may just be leaving @entity when it goes. */
	struct rcu_head rcu;
	/**
	 * @vm: Its address space. Not a reference: the id holds one beside its
	 * reference to the queue, and so does each job.
	 */
	struct vimport_vm *vm;
	/** @entity: Its jobs. Protected by &vimport_vm.lock. */
	struct drm_sched_entity entity;
	/** @lr: Its jobs, in a faulting address space. */
	struct vimport_lr_queue lr;
	/** @banned: Set once, when a job has hung: no other one runs. */
	bool banned;
	/** @dead: Set once, when the id is gone: jobs end without doing anything. */
	bool dead;
	/** @counters: Where it is counted. Unlike @vm they outlive it. */
	struct vimport_counters *counters;
	/** @jobs: Jobs that have ended. */
	atomic64_t jobs;
	/** @errors: Of these, those with an error. */
	atomic64_t errors;
};

int vimport_queue_create_ioctl(struct drm_device *drm, void *data, struct drm_file *file);
int vimport_queue_destroy_ioctl(struct drm_device *drm, void *data, struct drm_file *file);
int vimport_queue_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

struct vimport_queue *vimport_queue_create(struct vimport_device *vdev, struct vimport_vm *vm);
struct vimport_queue *vimport_queue_lookup(struct drm_file *file, struct vimport_vm *vm, u32 id);
struct vimport_queue *vimport_queue_find(struct drm_file *file, u32 id);
struct vimport_queue *vimport_queue_get(struct vimport_queue *queue);
void vimport_queue_put(struct vimport_queue *queue);

void vimport_queue_destroy_all(struct drm_file *file, const struct vimport_vm *vm);

void vimport_queue_ban(struct vimport_queue *queue);
int vimport_queue_error(const struct vimport_queue *queue);
void vimport_queue_end_job(struct vimport_queue *queue, int error);

#endif /* _VIMPORT_QUEUE_H_ */
