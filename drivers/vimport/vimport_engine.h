/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_ENGINE_H_
#define _VIMPORT_ENGINE_H_

#include <drm/gpu_scheduler.h>

#include <linux/spinlock.h>
#include <linux/wait.h>

struct task_struct;
struct vimport_device;

/**
 * struct vimport_engine - what runs the jobs of a GPU, one after the other
 */
struct vimport_engine {
	/**
	 * @sched: Decides whose turn it is. It lives as long as the device:
	 * its fences name it, and on kernels before 7.1 a fence that outlives
	 * its scheduler is a use after free for whoever asks its name. With a
	 * scheduler per address space, everybody who keeps a sync_file could
	 * bring that about.
	 */
	struct drm_gpu_scheduler sched;
	/** @name: Of the thread and of the fences' timeline. */
	char name[16];
	/** @thread: Runs the jobs. */
	struct task_struct *thread;
	/** @wait: Where @thread waits for jobs. */
	wait_queue_head_t wait;
	/** @lock: Protects @queue. */
	spinlock_t lock;
	/** @queue: Jobs to run, oldest first. */
	struct list_head queue;
	/** @fence_lock: Lock of the fences. */
	spinlock_t fence_lock;
	/** @fence_context: Context of the fences. */
	u64 fence_context;
	/** @fence_seqno: Last number used. Only the scheduler's worker counts on. */
	u64 fence_seqno;
};

int vimport_engine_init(struct vimport_device *vdev);
void vimport_engine_fini(struct vimport_device *vdev);

#endif /* _VIMPORT_ENGINE_H_ */
