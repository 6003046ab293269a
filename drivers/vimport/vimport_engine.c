// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: engine
 *
 * A thread for each GPU takes jobs from a queue and runs them to their end, in
 * the order in which the scheduler handed them over. It is one job at a time. All of it
 * is in the path to a fence: it allocates nothing, and the only mutex it takes is that of a
 * page table. Memory is accessed in bursts (vimport_burst.c), and PTEs are
 * written a table at a time, each with the page table locked, so that an
 * exporter's invalidation never waits for long.
 *
 * When there is no such job, long-running ones get their turn (vimport_lr.c), for a
 * burst at a time: all that was said holds for them, too.
 */

#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>

#include "vimport_bind_job.h"
#include "vimport_burst.h"
#include "vimport_client.h"
#include "vimport_drv.h"
#include "vimport_fence.h"
#include "vimport_job.h"
#include "vimport_misbehave.h"
#include "vimport_queue.h"
#include "vimport_reset.h"
#include "vimport_trace.h"
#include "vimport_update.h"
#include "vimport_use.h"
#include "vimport_vm.h"

/* Jobs that the scheduler hands over before the first of them is done. */
#define QUEUE_DEPTH		16

/* The estimate of a job that is not worth waking a thread for. */
#define AT_ONCE_NS		(200 * NSEC_PER_USEC)

/* How long a DELAY sleeps before it looks whether it is still wanted. */
#define DELAY_SLICE_NS		NSEC_PER_MSEC

/* How much later than it wants to the thread may wake up. */
#define WAKE_SLACK_NS		(50 * NSEC_PER_USEC)

/* Has something happened that ends the job, whatever it is doing? */
static int job_interrupted(struct vimport_job *job)
{
	if (READ_ONCE(job->cancelled))
		return -ETIME;
	if (READ_ONCE(job->vm->dead))
		return -ECANCELED;
	return 0;
}

static int run_delay(struct vimport_job *job, u64 ns)
{
	ktime_t end = ktime_add_ns(ktime_get(), ns);

	for (;;) {
		s64 left = ktime_to_ns(ktime_sub(end, ktime_get()));
		unsigned long us;
		int ret;

		ret = job_interrupted(job);
		if (ret || left <= 0)
			return ret;

		us = DIV_ROUND_UP_ULL(min_t(s64, left, DELAY_SLICE_NS), NSEC_PER_USEC);
		usleep_range_state(us, us, TASK_IDLE);
	}
}

static int run_cmds(struct vimport_engine *engine, struct vimport_job *job)
{
	struct vimport_cursor cursor = {};
	struct vimport_access fault;
	int ret;

	ret = vimport_queue_error(job->queue);
	if (ret)
		return ret;
	if (job->bugs & DRM_VIMPORT_BUG_HANG)
		vimport_reset_wait(engine, job);

	while (!ret && cursor.cmd < job->cmds.count) {
		const struct drm_vimport_cmd *cmd = &job->cmds.cmd[cursor.cmd];

		ret = job_interrupted(job);
		if (ret)
			return ret;

		if (cmd->op == DRM_VIMPORT_OP_DELAY) {
			ret = run_delay(job, cmd->value);
			cursor.cmd++;
		} else {
			ret = vimport_burst_run(job->vm, cmd, &cursor, &fault);
		}
		cond_resched();
	}

	return ret;
}

static void count_job(struct vimport_job *job, int ret)
{
	struct vimport_device *vdev = to_vimport_device(job->vm->base.drm);
	struct vimport_stats *stats = &job->vm->stats;

	atomic64_inc(&vdev->counters.jobs);
	atomic64_inc(&stats->jobs);
	if (!ret)
		return;
	atomic64_inc(&vdev->counters.job_errors);
	atomic64_inc(&stats->job_errors);
}

static int run_queue_job(struct vimport_engine *engine, struct vimport_job *job)
{
	int ret;

	trace_vimport_job_begin(job->vm, job->number, job->cmds.count, 0);
	ret = run_cmds(engine, job);
	vimport_use_end_job(job->vm, job->cost_ns);
	vimport_queue_end_job(job->queue, ret);

	/* Before the fence signals: who has waited for that sees all of it. */
	trace_vimport_job_end(job->vm, job->number, job->cmds.count, ret);
	count_job(job, ret);
	return ret;
}

static void run_job(struct vimport_engine *engine, struct vimport_job *job)
{
	struct dma_fence *fence = &job->fence->base;
	bool cookie;
	int ret = 0;

	/* The job no longer owns the fence, the engine has a reference. */
	job->fence = NULL;

	cookie = dma_fence_begin_signalling();
	vimport_misbehave_signalling(job->bugs);
	vimport_client_account(engine, job->vm->client);
	if (job->queue)
		ret = run_queue_job(engine, job);
	else if (job->bind)
		vimport_bind_job_run(job);
	else
		ret = vimport_update_run(job);
	vimport_client_account(engine, NULL);

	spin_lock_bh(&engine->lock);
	vimport_reset_watch_locked(engine, NULL);
	/* Nobody is to begin a job and end it before this one's fence has signalled. */
	engine->signalling = true;
	spin_unlock_bh(&engine->lock);

	if (ret)
		dma_fence_set_error(fence, ret);
	/* The scheduler may free the job from here on. */
	dma_fence_signal(fence);

	spin_lock_bh(&engine->lock);
	engine->signalling = false;
	spin_unlock_bh(&engine->lock);

	dma_fence_end_signalling(cookie);
	dma_fence_put(fence);
}

static struct vimport_job *next_job(struct vimport_engine *engine)
{
	struct vimport_job *job;

	spin_lock_bh(&engine->lock);
	job = list_first_entry_or_null(&engine->queue, struct vimport_job, node);
	if (job) {
		list_del_init(&job->node);
		vimport_reset_watch_locked(engine, job);
	}
	spin_unlock_bh(&engine->lock);

	return job;
}

/*
 * Until there is something to do, or a long-running job wants to look again. Who has
 * something to do adds it to a list before the wakeup, we are on the wait queue
 * before we look at the lists: one of the two sees the other.
 */
static void wait_for_work(struct vimport_engine *engine)
{
	DEFINE_WAIT(wait);
	ktime_t due;

	prepare_to_wait(&engine->wait, &wait, TASK_IDLE);
	due = vimport_lr_due(engine);
	if (due && !vimport_engine_has_job(engine) && !kthread_should_stop())
		schedule_hrtimeout_range(due == KTIME_MAX ? NULL : &due, WAKE_SLACK_NS,
					 HRTIMER_MODE_ABS);
	finish_wait(&engine->wait, &wait);
}

static int engine_thread(void *data)
{
	struct vimport_engine *engine = data;
	struct vimport_job *job;

	while (!kthread_should_stop()) {
		job = next_job(engine);
		if (job)
			run_job(engine, job);
		else if (!vimport_lr_run(engine))
			wait_for_work(engine);
	}

	return 0;
}

/*
 * A small job is over sooner than the thread would be awake, so if the thread has
 * nothing to do the scheduler's worker runs the job for it. Nobody but that worker
 * gives the thread work, so it has none until the job is over.
 */
static bool begin_at_once(struct vimport_engine *engine, struct vimport_job *job)
{
	bool idle;

	if (!job->queue || job->bugs || job->cost_ns > AT_ONCE_NS)
		return false;
	/* The thread may be in the midst of a long-running job. */
	if (atomic_read(&engine->lr.vms))
		return false;

	spin_lock_bh(&engine->lock);
	idle = !engine->running && !engine->signalling && list_empty(&engine->queue);
	if (idle)
		vimport_reset_watch_locked(engine, job);
	spin_unlock_bh(&engine->lock);

	return idle;
}

/* The scheduler's worker, when all else that the job depends on has signalled. */
static struct dma_fence *sched_prepare_job(struct drm_sched_job *sched_job,
					   struct drm_sched_entity *entity)
{
	struct vimport_job *job = to_vimport_job(sched_job);
	struct dma_fence *update = job->update;

	/* It takes the reference, and asks again. */
	job->update = NULL;
	return update;
}

/* The scheduler's worker: what the job depends on has signalled. */
static struct dma_fence *sched_run_job(struct drm_sched_job *sched_job)
{
	struct vimport_job *job = to_vimport_job(sched_job);
	struct vimport_device *vdev = to_vimport_device(job->vm->base.drm);
	struct vimport_engine *engine = &vdev->engine;
	struct dma_fence *fence = &job->fence->base;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	vimport_fence_init(job->fence);
	/* One reference for the engine, one for the scheduler. */
	dma_fence_get(fence);

	if (begin_at_once(engine, job)) {
		run_job(engine, job);
	} else {
		spin_lock_bh(&engine->lock);
		list_add_tail(&job->node, &engine->queue);
		spin_unlock_bh(&engine->lock);
		wake_up(&engine->wait);
	}
	dma_fence_end_signalling(cookie);

	return fence;
}

static void sched_free_job(struct drm_sched_job *sched_job)
{
	struct vimport_job *job = to_vimport_job(sched_job);
	struct vimport_device *vdev = to_vimport_device(job->vm->base.drm);

	drm_sched_job_cleanup(sched_job);
	atomic_dec(&vdev->counters.jobs_pending);
	vimport_job_free(job);
}

static const struct drm_sched_backend_ops sched_ops = {
	.prepare_job = sched_prepare_job,
	.run_job = sched_run_job,
	.free_job = sched_free_job,
};

/**
 * vimport_engine_init - start the engine of a GPU
 * @vdev: device
 *
 * Return: 0 or a negative error code.
 */
int vimport_engine_init(struct vimport_device *vdev)
{
	struct vimport_engine *engine = &vdev->engine;
	const struct drm_sched_init_args args = {
		.ops = &sched_ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = QUEUE_DEPTH,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.name = engine->name,
		.dev = vdev->drm.dev,
	};
	int ret;

	snprintf(engine->name, sizeof(engine->name), "vimport-gpu%u", vdev->gpu);
	init_waitqueue_head(&engine->wait);
	spin_lock_init(&engine->lock);
	spin_lock_init(&engine->fence_lock);
	INIT_LIST_HEAD(&engine->queue);
	vimport_lr_engine_init(&engine->lr);
	engine->fence_context = dma_fence_context_alloc(1);
	vimport_reset_init(engine);

	ret = drm_sched_init(&engine->sched, &args);
	if (ret)
		return ret;

	engine->thread = kthread_run(engine_thread, engine, "%s", engine->name);
	if (IS_ERR(engine->thread)) {
		drm_sched_fini(&engine->sched);
		return PTR_ERR(engine->thread);
	}

	return 0;
}

/**
 * vimport_engine_fini - stop the engine of a GPU
 * @vdev: device, without address spaces
 *
 * Address spaces hold the module, so unloading comes here when there is none,
 * and with them their jobs are gone.
 */
void vimport_engine_fini(struct vimport_device *vdev)
{
	struct vimport_engine *engine = &vdev->engine;

	kthread_stop(engine->thread);
	vimport_reset_fini(engine);
	drm_sched_fini(&engine->sched);
}
