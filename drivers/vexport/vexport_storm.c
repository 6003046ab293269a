// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/bitops.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_evict.h"
#include "vexport_request.h"
#include "vexport_storm.h"

/**
 * DOC: storms
 *
 * A storm moves buffers at a steady rate without a program that would have to be
 * kept running, and killed, for it. It is an anonymous file with a thread: the
 * file's last reference goes when its holder dies, however that comes about, and
 * stops the thread.
 *
 * Anybody may start one, so it must not be a way to get more of the machine than
 * a process could have. Its time is not accounted to its owner; therefore it runs
 * at most half of the time, and as many storms as there may be weigh less than one
 * process of ordinary priority: a nice value of 10 is worth about a tenth of that.
 * At the lowest priority no storm would ever blow on a machine that is busy with the
 * test. A storm allocates what the same moves would if its owner asked for them, with
 * the same limits.
 */

#define MAX_STORMS	8
#define STORM_NICE	10

/**
 * struct vexport_storm - buffers that are moved until a file is closed
 */
struct vexport_storm {
	/** @vdev: Device, of which the storm holds a reference. */
	struct vexport_device *vdev;
	/** @thread: Makes the moves, until kthread_stop(). */
	struct task_struct *thread;
	/** @random: What buffers and kinds are drawn from. The thread's own. */
	struct rnd_state random;
	/** @interval: Time from the beginning of a step to that of the next, at least. */
	ktime_t interval;
	/** @kinds: Mask of DRM_VEXPORT_STORM_*. */
	unsigned long kinds;
	/** @steps: Steps so far. */
	atomic64_t steps;
	/** @moves: Steps that have moved a buffer. */
	atomic64_t moves;
	/** @idle: Steps that had nothing to do. */
	atomic64_t idle;
	/** @busy: Steps that found the buffer pinned. */
	atomic64_t busy;
	/** @failed: Steps that failed otherwise. */
	atomic64_t failed;
	/** @count: Elements of @dmabufs. */
	unsigned int count;
	/** @dmabufs: What is moved. */
	struct dma_buf *dmabufs[] __counted_by(count);
};

#define STORM_KINDS	(DRM_VEXPORT_STORM_RELOCATE | DRM_VEXPORT_STORM_SYSTEM | \
			 DRM_VEXPORT_STORM_TT | DRM_VEXPORT_STORM_VRAM | DRM_VEXPORT_STORM_EVICT)

static u32 draw(struct vexport_storm *storm, u32 below)
{
	return reciprocal_scale(prandom_u32_state(&storm->random), below);
}

static u32 draw_kind(struct vexport_storm *storm)
{
	unsigned int skip = draw(storm, hweight_long(storm->kinds));
	unsigned int bit;

	for_each_set_bit(bit, &storm->kinds, BITS_PER_LONG) {
		if (!skip--)
			break;
	}
	return BIT(bit);
}

static int read_generation(struct vexport_bo *bo, u64 *generation)
{
	int ret;

	ret = vexport_bo_lock(bo);
	if (ret)
		return ret;
	*generation = bo->generation;
	dma_resv_unlock(bo->base.base.resv);
	return 0;
}

static int evict(struct vexport_bo *bo, u64 *generation)
{
	int ret;

	ret = vexport_bo_lock(bo);
	if (ret)
		return ret;
	ret = vexport_evict_bo_locked(bo, true);
	*generation = bo->generation;
	dma_resv_unlock(bo->base.base.resv);
	return ret;
}

static int move(struct vexport_bo *bo, u32 kind, u64 *generation, struct dma_fence **fence)
{
	switch (kind) {
	case DRM_VEXPORT_STORM_RELOCATE:
		return vexport_request_queue(bo, 0, true, generation, fence);
	case DRM_VEXPORT_STORM_SYSTEM:
		return vexport_request_queue(bo, DRM_VEXPORT_PLACEMENT_SYSTEM, false, generation,
					     fence);
	case DRM_VEXPORT_STORM_TT:
		return vexport_request_queue(bo, DRM_VEXPORT_PLACEMENT_TT, false, generation,
					     fence);
	case DRM_VEXPORT_STORM_VRAM:
		return vexport_request_queue(bo, DRM_VEXPORT_PLACEMENT_VRAM, false, generation,
					     fence);
	default:
		return evict(bo, generation);
	}
}

static void count(struct vexport_storm *storm, int ret, bool moved)
{
	if (ret == -EBUSY)
		atomic64_inc(&storm->busy);
	else if (ret)
		atomic64_inc(&storm->failed);
	else if (moved)
		atomic64_inc(&storm->moves);
	else
		atomic64_inc(&storm->idle);
	atomic64_inc(&storm->steps);
}

/*
 * The fence depends on importers, who have their time: whoever closes the storm
 * need not wait for them, for the move is made.
 */
static void wait_for_move(struct dma_fence *fence)
{
	while (!dma_fence_wait_timeout(fence, false, HZ / 10)) {
		if (kthread_should_stop())
			break;
	}
}

static void step(struct vexport_storm *storm)
{
	struct dma_buf *dmabuf = storm->dmabufs[draw(storm, storm->count)];
	struct vexport_bo *bo = gem_to_vexport_bo(dmabuf->priv);
	u32 kind = draw_kind(storm);
	struct dma_fence *fence = NULL;
	u64 before = 0, after = 0;
	int idx, ret;

	/* Unplugged: all that is left to do is to wait for the end. */
	if (!drm_dev_enter(&storm->vdev->drm, &idx))
		return;
	ret = read_generation(bo, &before);
	if (!ret)
		ret = move(bo, kind, &after, &fence);
	drm_dev_exit(idx);

	if (fence) {
		wait_for_move(fence);
		dma_fence_put(fence);
	}
	count(storm, ret, after != before);
}

static void rest_until(ktime_t until)
{
	/* Pairs with the wake-up in kthread_stop(): no end is slept through. */
	set_current_state(TASK_IDLE);
	if (!kthread_should_stop())
		schedule_hrtimeout_range(&until, 50 * NSEC_PER_USEC, HRTIMER_MODE_ABS);
	__set_current_state(TASK_RUNNING);
}

static int storm_thread(void *data)
{
	struct vexport_storm *storm = data;
	ktime_t begin, end;

	set_user_nice(current, STORM_NICE);
	while (!kthread_should_stop()) {
		begin = ktime_get();
		step(storm);
		end = ktime_get();
		/* See DOC: storms. */
		rest_until(max(ktime_add(begin, storm->interval),
			       ktime_add(end, ktime_sub(end, begin))));
	}
	return 0;
}

static void storm_free(struct vexport_storm *storm)
{
	unsigned int i;

	for (i = 0; i < storm->count && storm->dmabufs[i]; i++)
		dma_buf_put(storm->dmabufs[i]);
	atomic_dec(&storm->vdev->storms);
	drm_dev_put(&storm->vdev->drm);
	kfree(storm);
}

static int storm_release(struct inode *inode, struct file *file)
{
	struct vexport_storm *storm = file->private_data;

	if (storm->thread)
		kthread_stop(storm->thread);
	storm_free(storm);
	return 0;
}

static ssize_t storm_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct vexport_storm *storm = file->private_data;
	struct drm_vexport_storm_counters counters = {
		.steps = atomic64_read(&storm->steps),
		.moves = atomic64_read(&storm->moves),
		.idle = atomic64_read(&storm->idle),
		.busy = atomic64_read(&storm->busy),
		.failed = atomic64_read(&storm->failed),
	};

	if (size < sizeof(counters))
		return -EINVAL;
	if (copy_to_user(buf, &counters, sizeof(counters)))
		return -EFAULT;
	return sizeof(counters);
}

static const struct file_operations storm_fops = {
	.owner = THIS_MODULE,
	.read = storm_read,
	.release = storm_release,
};

static int take_dmabufs(struct vexport_storm *storm, const s32 __user *ufds)
{
	s32 fds[DRM_VEXPORT_STORM_MAX_FDS];
	struct dma_buf *dmabuf;
	unsigned int i;

	if (copy_from_user(fds, ufds, storm->count * sizeof(*fds)))
		return -EFAULT;

	for (i = 0; i < storm->count; i++) {
		dmabuf = vexport_dmabuf_get(&storm->vdev->drm, fds[i]);
		if (IS_ERR(dmabuf))
			return PTR_ERR(dmabuf);
		storm->dmabufs[i] = dmabuf;
	}
	return 0;
}

static struct vexport_storm *storm_create(struct vexport_device *vdev,
					  const struct drm_vexport_storm *args)
{
	struct vexport_storm *storm;
	int ret;

	if (!atomic_add_unless(&vdev->storms, 1, MAX_STORMS))
		return ERR_PTR(-ENOSPC);

	storm = kzalloc(struct_size(storm, dmabufs, args->fd_count), GFP_KERNEL);
	if (!storm) {
		atomic_dec(&vdev->storms);
		return ERR_PTR(-ENOMEM);
	}

	drm_dev_get(&vdev->drm);
	storm->vdev = vdev;
	storm->count = args->fd_count;
	storm->kinds = args->kinds;
	storm->interval = ns_to_ktime(NSEC_PER_SEC / args->rate);
	ret = take_dmabufs(storm, u64_to_user_ptr(args->fds));
	if (ret) {
		storm_free(storm);
		return ERR_PTR(ret);
	}
	return storm;
}

static struct file *storm_file(struct vexport_storm *storm)
{
	struct task_struct *thread;
	struct file *file;

	file = anon_inode_getfile("[vexport-storm]", &storm_fops, storm, O_RDONLY);
	if (IS_ERR(file)) {
		storm_free(storm);
		return file;
	}

	/* From here on the file's release cleans up. */
	thread = kthread_create(storm_thread, storm, "vexport-storm");
	if (IS_ERR(thread)) {
		fput(file);
		return ERR_CAST(thread);
	}
	storm->thread = thread;
	return file;
}

static bool args_are_valid(const struct drm_vexport_storm *args)
{
	return !args->flags && !args->pad && args->fd_count &&
	       args->fd_count <= DRM_VEXPORT_STORM_MAX_FDS && args->kinds &&
	       !(args->kinds & ~STORM_KINDS) && args->rate &&
	       args->rate <= DRM_VEXPORT_STORM_MAX_RATE;
}

static u64 choose_seed(void)
{
	u64 seed;

	do {
		seed = get_random_u64();
	} while (!seed);
	return seed;
}

/**
 * vexport_storm_ioctl - DRM_IOCTL_VEXPORT_STORM
 * @drm: device
 * @data: &struct drm_vexport_storm
 * @file: client
 */
int vexport_storm_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_storm *args = data;
	struct vexport_storm *storm;
	struct file *lease;
	u64 seed;
	int fd;

	if (!args_are_valid(args))
		return -EINVAL;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;

	storm = storm_create(to_vexport_device(drm), args);
	if (IS_ERR(storm)) {
		put_unused_fd(fd);
		return PTR_ERR(storm);
	}
	seed = args->seed ?: choose_seed();
	prandom_seed_state(&storm->random, seed);

	lease = storm_file(storm);
	if (IS_ERR(lease)) {
		put_unused_fd(fd);
		return PTR_ERR(lease);
	}

	args->seed = seed;
	args->storm_fd = fd;
	/* Not before there is nothing left that can fail. */
	wake_up_process(storm->thread);
	fd_install(fd, lease);
	return 0;
}
