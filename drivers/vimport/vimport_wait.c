// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: waiting for a fence in memory
 *
 * The kernel has no idea which store will make the word large enough: the caller
 * waits for memory, at its own risk. The engine wakes everybody when it has stored a
 * fence, and everybody looks::
 *
 *   waiter                                 engine
 *
 *   add_wait_queue()
 *   read the value: too small
 *                                          store error, value
 *                                          wake_up_all()
 *   wait_woken(): returns at once
 *   read the value
 *
 * A wakeup that comes between the look and the sleep is remembered in the entry
 * of the wait queue. A store of somebody else's, another GPU's or a CPU's, wakes
 * nobody, and is found by looking every now and then.
 */

#include <drm/drm_device.h>
#include <drm/drm_utils.h>
#include <drm/vimport_drm.h>

#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "vimport_drv.h"
#include "vimport_queue.h"
#include "vimport_wait.h"

/* What the user interface promises, less what a tick may add to it. */
#define LOOK_MS		5

/* Is it there? The error belongs to this value, or to a later one. */
static int look(const struct drm_vimport_fence __user *fence, u64 wanted, s64 *error)
{
	u64 value;

	if (get_user(value, &fence->value))
		return -EFAULT;
	if (value < wanted)
		return 0;

	/* Pairs with the smp_store_release() of the engine. */
	smp_rmb();
	return get_user(*error, &fence->error) ? -EFAULT : 1;
}

/**
 * vimport_wait_fence_ioctl - DRM_IOCTL_VIMPORT_WAIT_FENCE
 * @drm: device
 * @data: &struct drm_vimport_wait_fence
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_wait_fence_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_engine *engine = &to_vimport_device(drm)->engine;
	struct drm_vimport_wait_fence *args = data;
	const struct drm_vimport_fence __user *fence = u64_to_user_ptr(args->addr);
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct vimport_queue *queue = NULL;
	long left;
	int ret;

	if (args->flags || !IS_ALIGNED(args->addr, sizeof(*fence)))
		return -EINVAL;
	if (args->queue_id) {
		queue = vimport_queue_find(file, args->queue_id);
		if (!queue)
			return -ENOENT;
	}

	args->error = 0;
	add_wait_queue(&engine->lr.fence_wait, &wait);
	for (;;) {
		ret = look(fence, args->value, &args->error);
		if (ret)
			break;
		if (queue && vimport_queue_error(queue)) {
			ret = -EIO;
			break;
		}

		left = drm_timeout_abs_to_jiffies(args->timeout_ns);
		if (!left) {
			ret = -ETIME;
			break;
		}
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		wait_woken(&wait, TASK_INTERRUPTIBLE,
			   min_t(long, left, msecs_to_jiffies(LOOK_MS)));
	}
	remove_wait_queue(&engine->lr.fence_wait, &wait);
	if (queue)
		vimport_queue_put(queue);

	return ret < 0 ? ret : 0;
}
