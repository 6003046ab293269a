// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: engine
 *
 * A thread for each GPU takes jobs from a queue and runs them to their end, in
 * the order in which the scheduler handed them over. All of it is in the path
 * to a fence: it allocates nothing, and the only mutex it takes is that of a
 * page table. Memory is accessed in bursts of at most a page, and PTEs are
 * written a table at a time, each with the page table locked, so that an
 * exporter's invalidation never waits for long.
 */

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/string.h>

#include "vimport_drv.h"
#include "vimport_fence.h"
#include "vimport_job.h"
#include "vimport_use.h"
#include "vimport_vm.h"

/* Jobs that the scheduler hands over before the first of them is done. */
#define QUEUE_DEPTH		16

/*
 * Several times what a job may take by its estimate, which is below a second.
 * On a machine that is slower than that still, large jobs end with -ETIME.
 */
#define JOB_TIMEOUT_MS		5000

/* How long a DELAY sleeps before it looks whether it is still wanted. */
#define DELAY_SLICE_NS		NSEC_PER_MSEC

#define FNV_OFFSET		0xcbf29ce484222325ULL
#define FNV_PRIME		0x100000001b3ULL

/* Has something happened that ends the job, whatever it is doing? */
static int job_interrupted(struct vimport_job *job)
{
	if (READ_ONCE(job->vm->dead))
		return -ECANCELED;
	if (READ_ONCE(job->cancelled))
		return -ETIME;
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

/* Bytes from @pos on until one of the addresses leaves its page. */
static u64 burst_size(const struct drm_vimport_cmd *cmd, u64 pos)
{
	u64 size = cmd->size - pos;

	if (cmd->op != DRM_VIMPORT_OP_CHECKSUM)
		size = min(size, VIMPORT_PAGE_SIZE - (cmd->va + pos) % VIMPORT_PAGE_SIZE);
	if (cmd->op == DRM_VIMPORT_OP_COPY || cmd->op == DRM_VIMPORT_OP_CHECKSUM)
		size = min(size, VIMPORT_PAGE_SIZE - (cmd->src + pos) % VIMPORT_PAGE_SIZE);

	return size;
}

static void burst_tag(u64 *dst, u64 value, u64 words)
{
	u64 i;

	for (i = 0; i < words; i++)
		dst[i] = value + i;
}

static u64 burst_hash(const u64 *src, u64 hash, u64 words)
{
	u64 i;

	for (i = 0; i < words; i++)
		hash = (hash ^ src[i]) * FNV_PRIME;

	return hash;
}

/*
 * Run @size bytes of a command from @pos on, all within a page. From looking
 * the translations up to the last store the page table is locked: a flush, made
 * under the same lock, leaves no store on its way.
 */
static int run_burst(struct vimport_job *job, const struct drm_vimport_cmd *cmd,
		     u64 pos, u64 size, u64 *hash)
{
	bool reads = cmd->op == DRM_VIMPORT_OP_COPY || cmd->op == DRM_VIMPORT_OP_CHECKSUM;
	bool writes = cmd->op != DRM_VIMPORT_OP_CHECKSUM;
	struct vimport_device *vdev = to_vimport_device(job->vm->base.drm);
	struct vimport_pt *pt = &job->vm->pt;
	u64 words = size / sizeof(u64);
	u64 *src = NULL, *dst = NULL;
	int ret = 0;

	mutex_lock(&pt->lock);

	if (reads)
		src = vimport_pt_map(pt, cmd->src + pos, false);
	if (writes)
		dst = vimport_pt_map(pt, cmd->va + pos, true);

	if ((reads && !src) || (writes && !dst)) {
		atomic64_inc(&vdev->counters.gpu_faults);
		ret = -EFAULT;
		goto out_unmap;
	}

	switch (cmd->op) {
	case DRM_VIMPORT_OP_FILL:
		memset64(dst, cmd->value, words);
		break;
	case DRM_VIMPORT_OP_COPY:
		memcpy(dst, src, size);
		break;
	case DRM_VIMPORT_OP_TAG:
		burst_tag(dst, cmd->value + pos / sizeof(u64), words);
		break;
	case DRM_VIMPORT_OP_CHECKSUM:
		*hash = burst_hash(src, *hash, words);
		break;
	}
	if (writes)
		atomic64_add(size, &vdev->counters.bytes_written);

out_unmap:
	if (dst)
		vimport_pt_unmap(dst);
	if (src)
		vimport_pt_unmap(src);
	mutex_unlock(&pt->lock);
	return ret;
}

static int run_cmd(struct vimport_job *job, const struct drm_vimport_cmd *cmd)
{
	struct drm_vimport_cmd store = { .op = DRM_VIMPORT_OP_FILL };
	u64 hash = FNV_OFFSET;
	u64 pos, size;
	int ret;

	if (cmd->op == DRM_VIMPORT_OP_DELAY)
		return run_delay(job, cmd->value);

	for (pos = 0; pos < cmd->size; pos += size) {
		ret = job_interrupted(job);
		if (ret)
			return ret;

		size = burst_size(cmd, pos);
		ret = run_burst(job, cmd, pos, size, &hash);
		if (ret)
			return ret;
		cond_resched();
	}

	if (cmd->op != DRM_VIMPORT_OP_CHECKSUM)
		return 0;

	store.va = cmd->va;
	store.size = sizeof(hash);
	store.value = hash;
	return run_burst(job, &store, 0, store.size, NULL);
}

/*
 * Bring the translations that the job carries to the page table. This is done
 * even for a job that has timed out, because later ones count on it, but not
 * for an address space that is dead: of that nothing is used again, not even
 * its tables. Only this thread looks addresses up, so one flush at the end is
 * early enough.
 */
static int update_pt(struct vimport_job *job)
{
	struct vimport_pt *pt = &job->vm->pt;
	const struct vimport_pt_run *first, *last;
	unsigned int i;

	for (i = 0; i < job->run_count; i++) {
		const struct vimport_pt_run *run = &job->runs[i];
		u64 pos = 0;

		while (pos < run->size) {
			if (READ_ONCE(job->vm->dead))
				return -ECANCELED;

			mutex_lock(&pt->lock);
			pos = vimport_pt_write(pt, run, pos);
			mutex_unlock(&pt->lock);
			cond_resched();
		}
	}
	if (!job->run_count)
		return 0;

	/* They are in the order of their addresses. */
	first = &job->runs[0];
	last = &job->runs[job->run_count - 1];
	mutex_lock(&pt->lock);
	vimport_pt_flush(pt, first->va, last->va + last->size - first->va);
	mutex_unlock(&pt->lock);
	return 0;
}

static int run_cmds(struct vimport_job *job)
{
	int ret;
	u32 i;

	ret = update_pt(job);
	if (ret)
		return ret;

	for (i = 0; i < job->cmds.count; i++) {
		ret = run_cmd(job, &job->cmds.cmd[i]);
		if (ret)
			return ret;
	}

	return 0;
}

static void run_job(struct vimport_job *job)
{
	struct vimport_device *vdev = to_vimport_device(job->vm->base.drm);
	struct dma_fence *fence = &job->fence->base;
	bool cookie;
	int ret;

	/* The job no longer owns the fence, the engine has a reference. */
	job->fence = NULL;

	cookie = dma_fence_begin_signalling();

	ret = run_cmds(job);
	vimport_use_end_job(job->vm, job->cost_ns);

	atomic64_inc(&vdev->counters.jobs);
	if (ret) {
		atomic64_inc(&vdev->counters.job_errors);
		dma_fence_set_error(fence, ret);
	}
	/* The scheduler may free the job from here on. */
	dma_fence_signal(fence);

	dma_fence_end_signalling(cookie);
	dma_fence_put(fence);
}

static struct vimport_job *next_job(struct vimport_engine *engine)
{
	struct vimport_job *job;

	spin_lock(&engine->lock);
	job = list_first_entry_or_null(&engine->queue, struct vimport_job, node);
	if (job)
		list_del_init(&job->node);
	spin_unlock(&engine->lock);

	return job;
}

static int engine_thread(void *data)
{
	struct vimport_engine *engine = data;
	struct vimport_job *job;

	for (;;) {
		wait_event_idle(engine->wait, (job = next_job(engine)) || kthread_should_stop());
		if (!job)
			return 0;
		run_job(job);
	}
}

/* The scheduler's worker: what the job depends on has signalled. */
static struct dma_fence *sched_run_job(struct drm_sched_job *sched_job)
{
	struct vimport_job *job = to_vimport_job(sched_job);
	struct vimport_device *vdev = to_vimport_device(job->vm->base.drm);
	struct vimport_engine *engine = &vdev->engine;
	struct dma_fence *fence = &job->fence->base;

	vimport_fence_init(job->fence, engine);
	/* One reference for the engine, one for the scheduler. */
	dma_fence_get(fence);

	spin_lock(&engine->lock);
	list_add_tail(&job->node, &engine->queue);
	spin_unlock(&engine->lock);
	wake_up(&engine->wait);

	return fence;
}

/*
 * The engine looks at the flag between two bursts, so there is nothing to reset
 * and nobody to wait for: the job ends by itself, with -ETIME on its fence.
 */
static enum drm_gpu_sched_stat sched_timedout_job(struct drm_sched_job *sched_job)
{
	struct vimport_job *job = to_vimport_job(sched_job);

	WRITE_ONCE(job->cancelled, true);
	return vshare_sched_no_hang(sched_job);
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
	.run_job = sched_run_job,
	.timedout_job = sched_timedout_job,
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
		.timeout = msecs_to_jiffies(JOB_TIMEOUT_MS),
		.name = engine->name,
		.dev = vdev->drm.dev,
	};
	int ret;

	snprintf(engine->name, sizeof(engine->name), "vimport-gpu%u", vdev->gpu);
	init_waitqueue_head(&engine->wait);
	spin_lock_init(&engine->lock);
	spin_lock_init(&engine->fence_lock);
	INIT_LIST_HEAD(&engine->queue);
	engine->fence_context = dma_fence_context_alloc(1);

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
	drm_sched_fini(&engine->sched);
}
