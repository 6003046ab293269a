/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_ENGINE_H_
#define _VIMPORT_ENGINE_H_

#include <drm/gpu_scheduler.h>

#include <linux/ktime.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "vimport_lr.h"

struct task_struct;
struct vimport_client;
struct vimport_device;
struct vimport_job;

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
	/** @lock: Protects @queue, @running, @signalling, @started, @client and @since. */
	spinlock_t lock;
	/** @queue: Jobs to run, oldest first. */
	struct list_head queue;
	/** @running: The job that runs, or NULL. Not a reference. */
	struct vimport_job *running;
	/** @signalling: A job has ended whose fence is yet to signal. */
	bool signalling;
	/** @started: When that has begun, in jiffies. */
	unsigned long started;
	/** @watchdog: Looks whether @running does so for too long. */
	struct timer_list watchdog;
	/** @client: Whose job the engine has in its hands, or NULL. */
	struct vimport_client *client;
	/** @since: Since when. */
	ktime_t since;
	/** @lr: Jobs that run when @queue is empty. */
	struct vimport_lr_engine lr;
	/** @fence_lock: Lock of the fences. */
	spinlock_t fence_lock;
	/** @fence_context: Context of the fences. */
	u64 fence_context;
	/** @fence_seqno: Last number used. Only the scheduler's worker counts on. */
	u64 fence_seqno;
};

/**
 * vimport_engine_has_job - whether a job that has a fence waits for the engine
 * @engine: engine
 *
 * Return: a hint, but for the engine's own thread before it sleeps.
 */
static inline bool vimport_engine_has_job(struct vimport_engine *engine)
{
	return !list_empty_careful(&engine->queue);
}

int vimport_engine_init(struct vimport_device *vdev);
void vimport_engine_fini(struct vimport_device *vdev);

#endif /* _VIMPORT_ENGINE_H_ */
