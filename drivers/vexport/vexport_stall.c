// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <drm/drm_drv.h>

#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_fault.h"
#include "vexport_stall.h"

/**
 * DOC: stalls
 *
 * A stall stops the task that gets to a certain step of a move, a revoke or a map, so
 * that a test meets what is between two steps every time and not by luck. It is an
 * anonymous file, whose last reference goes when its holder dies; and it names its
 * buffer by number, so it keeps nothing alive that a test wants to see go.
 *
 * The task that stops may hold the reservation, and be on the way to a fence. So
 * whatever releases it takes &stalls_lock and nothing else, under which nobody waits or
 * allocates; it is bounded; and nobody is stopped whom reclaim may be waiting for.
 * Both sides hold the stall, and whoever comes last frees it::
 *
 *	task that gets there			holder: closes, or dies
 *
 *	lock(stalls_lock)
 *	  find the stall: WAITING -> HELD
 *	  take a reference
 *	unlock(stalls_lock)
 *						lock(stalls_lock)
 *						  leave the list
 *						  HELD -> RELEASED
 *						unlock(stalls_lock)
 *						wake
 *						drop the reference
 *	sleep until it is not HELD
 *	[it is RELEASED: does not sleep]
 *	drop the reference: frees
 *
 * If the holder comes first, the task finds no stall, or one that is not WAITING. If
 * the time is up first, the task makes HELD EXPIRED under the lock: of the two ends
 * only one happens, and the holder is told which.
 */

/* How long fences may be held up: less than it takes a watchdog to complain. */
#define MAX_STALL	(5 * HZ)

/* All stalls of all devices. Written with stalls_lock held; empty is looked at without. */
static HLIST_HEAD(stalls);
static DEFINE_SPINLOCK(stalls_lock);

/**
 * struct stall - a step at which somebody is stopped, once
 */
struct stall {
	/** @refs: The file, and the task that is stopped. */
	struct kref refs;
	/** @wait: The task that is stopped, and those who poll. */
	wait_queue_head_t wait;

	/** @vdev: Device, of which the file holds a reference. */
	struct vexport_device *vdev;
	/** @bo_id: &vexport_bo.id of the buffer. */
	u64 bo_id;
	/** @point: The step. */
	u32 point;
	/** @only: Process to stop, of which the file holds a reference, or NULL. */
	struct pid *only;

	/** @node: Entry in the list of stalls. Protected by stalls_lock, like what follows. */
	struct hlist_node node;
	/** @left: Arrivals until one is stopped, that one included. Written with WRITE_ONCE(). */
	u64 left;
	/** @state: One of enum drm_vexport_stall_state. Written with WRITE_ONCE(). */
	u32 state;
	/** @who: Process that was stopped, with a reference, or NULL. */
	struct pid *who;
	/** @arrivals: How often the step was reached until somebody was stopped. */
	u64 arrivals;
	/** @exempt: How often by somebody who must not be stopped. */
	u64 exempt;
};

static void stall_free(struct kref *refs)
{
	kfree(container_of(refs, struct stall, refs));
}

/*
 * Whoever frees memory must not wait, or whoever waits for memory does. Of kernel
 * threads only workers are known to have nobody but their own queue behind them:
 * khugepaged and the OOM reaper are threads of their own.
 */
static bool must_not_stop(void)
{
	if (current->flags & PF_MEMALLOC)
		return true;
	return current->flags & PF_KTHREAD && !(current->flags & PF_WQ_WORKER);
}

static bool matches(const struct stall *stall, struct vexport_device *vdev, u64 bo_id, u32 point)
{
	lockdep_assert_held(&stalls_lock);

	return stall->state == DRM_VEXPORT_STALL_WAITING && stall->vdev == vdev &&
	       stall->bo_id == bo_id && stall->point == point &&
	       (!stall->only || stall->only == task_tgid(current));
}

static bool arrive(struct stall *stall)
{
	lockdep_assert_held(&stalls_lock);

	if (must_not_stop()) {
		stall->exempt++;
		return false;
	}
	stall->arrivals++;
	WRITE_ONCE(stall->left, stall->left - 1);
	if (stall->left)
		return false;
	WRITE_ONCE(stall->state, DRM_VEXPORT_STALL_HELD);
	if (!(current->flags & PF_KTHREAD))
		stall->who = get_pid(task_tgid(current));
	kref_get(&stall->refs);
	return true;
}

/* The first that stops the caller; the others count nobody who does not get to them. */
static struct stall *find_and_arrive(struct vexport_device *vdev, u64 bo_id, u32 point)
{
	struct stall *stall, *found = NULL;

	spin_lock(&stalls_lock);
	hlist_for_each_entry(stall, &stalls, node) {
		if (matches(stall, vdev, bo_id, point) && arrive(stall)) {
			found = stall;
			break;
		}
	}
	spin_unlock(&stalls_lock);
	return found;
}

static bool is_held(struct stall *stall)
{
	return READ_ONCE(stall->state) == DRM_VEXPORT_STALL_HELD;
}

static void expire(struct stall *stall)
{
	spin_lock(&stalls_lock);
	if (is_held(stall))
		WRITE_ONCE(stall->state, DRM_VEXPORT_STALL_EXPIRED);
	spin_unlock(&stalls_lock);
}

/**
 * vexport_stall - the caller gets to a step
 * @vdev: device
 * @bo_id: &vexport_bo.id of the buffer, which may be gone
 * @point: the step
 *
 * May sleep for as long as five seconds. Allocates nothing and takes no lock that
 * anybody else waits under.
 */
void vexport_stall(struct vexport_device *vdev, u64 bo_id, enum drm_vexport_stall_point point)
{
	struct stall *stall;

	if (likely(hlist_empty(&stalls)))
		return;

	stall = find_and_arrive(vdev, bo_id, point);
	if (!stall)
		return;

	wake_up_all(&stall->wait);
	if (!wait_event_idle_timeout(stall->wait, !is_held(stall), MAX_STALL)) {
		expire(stall);
		wake_up_all(&stall->wait);
	}
	kref_put(&stall->refs, stall_free);
}

/**
 * vexport_stall_bo - the caller gets to a step with a buffer in hand
 * @bo: the buffer
 * @point: the step
 *
 * See vexport_stall().
 */
void vexport_stall_bo(struct vexport_bo *bo, enum drm_vexport_stall_point point)
{
	vexport_stall(to_vexport_device(bo->base.base.dev), bo->id, point);
}

/**
 * vexport_stall_exists - may somebody be stopped on the way of a buffer?
 * @bo: the buffer
 *
 * Moves of such a buffer are queued, so that whoever is stopped in the second half of
 * one is a worker, and who comes along meets the fence, not the reservation.
 *
 * Locks: takes stalls_lock.
 *
 * Return: true while a stall of any of its steps is open, also if it is over.
 */
bool vexport_stall_exists(struct vexport_bo *bo)
{
	struct vexport_device *vdev = to_vexport_device(bo->base.base.dev);
	bool exists = false;
	struct stall *stall;

	if (likely(hlist_empty(&stalls)))
		return false;

	spin_lock(&stalls_lock);
	hlist_for_each_entry(stall, &stalls, node)
		exists |= stall->vdev == vdev && stall->bo_id == bo->id;
	spin_unlock(&stalls_lock);
	return exists;
}

static void release(struct stall *stall)
{
	spin_lock(&stalls_lock);
	if (stall->state != DRM_VEXPORT_STALL_EXPIRED)
		WRITE_ONCE(stall->state, DRM_VEXPORT_STALL_RELEASED);
	spin_unlock(&stalls_lock);
	wake_up_all(&stall->wait);
}

static int stall_release(struct inode *inode, struct file *file)
{
	struct stall *stall = file->private_data;

	spin_lock(&stalls_lock);
	hlist_del(&stall->node);
	spin_unlock(&stalls_lock);
	release(stall);

	/* Not found any more, and a task that is stopped looks at none of these. */
	put_pid(stall->who);
	put_pid(stall->only);
	drm_dev_put(&stall->vdev->drm);
	kref_put(&stall->refs, stall_free);
	return 0;
}

static ssize_t stall_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct drm_vexport_stall_status status = {};
	struct stall *stall = file->private_data;

	spin_lock(&stalls_lock);
	status.state = stall->state;
	status.pid = pid_vnr(stall->who);
	status.arrivals = stall->arrivals;
	status.exempt = stall->exempt;
	spin_unlock(&stalls_lock);

	if (size < sizeof(status))
		return -EINVAL;
	if (copy_to_user(buf, &status, sizeof(status)))
		return -EFAULT;
	return sizeof(status);
}

static ssize_t stall_write(struct file *file, const char __user *buf, size_t size, loff_t *pos)
{
	release(file->private_data);
	return size;
}

static __poll_t stall_poll(struct file *file, struct poll_table_struct *table)
{
	struct stall *stall = file->private_data;

	poll_wait(file, &stall->wait, table);
	/* Zero is final, and written before those who poll are woken. */
	return READ_ONCE(stall->left) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static const struct file_operations stall_fops = {
	.owner = THIS_MODULE,
	.read = stall_read,
	.write = stall_write,
	.poll = stall_poll,
	.release = stall_release,
};

static int read_bo_id(struct drm_device *drm, int fd, u64 *id)
{
	struct dma_buf *dmabuf;

	dmabuf = vexport_dmabuf_get(drm, fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	*id = gem_to_vexport_bo(dmabuf->priv)->id;
	dma_buf_put(dmabuf);
	return 0;
}

static struct stall *stall_create(struct drm_device *drm, const struct drm_vexport_stall *args)
{
	struct stall *stall;
	int ret;

	stall = kzalloc(sizeof(*stall), GFP_KERNEL);
	if (!stall)
		return ERR_PTR(-ENOMEM);

	ret = read_bo_id(drm, args->fd, &stall->bo_id);
	if (ret)
		goto err_free;

	if (args->pid) {
		ret = -ESRCH;
		stall->only = find_get_pid(args->pid);
		if (!stall->only)
			goto err_free;
	}

	drm_dev_get(drm);
	stall->vdev = to_vexport_device(drm);
	stall->point = args->point;
	stall->left = args->nth;
	kref_init(&stall->refs);
	init_waitqueue_head(&stall->wait);
	return stall;

err_free:
	kfree(stall);
	return ERR_PTR(ret);
}

static struct file *stall_file(struct drm_device *drm, const struct drm_vexport_stall *args)
{
	struct stall *stall;
	struct file *file;

	stall = stall_create(drm, args);
	if (IS_ERR(stall))
		return ERR_CAST(stall);

	file = anon_inode_getfile("[vexport-stall]", &stall_fops, stall, O_RDWR);
	if (IS_ERR(file)) {
		put_pid(stall->only);
		drm_dev_put(drm);
		kfree(stall);
		return file;
	}

	/* From here on somebody may be stopped, and the file's release cleans up. */
	spin_lock(&stalls_lock);
	hlist_add_head(&stall->node, &stalls);
	spin_unlock(&stalls_lock);
	return file;
}

/**
 * vexport_stall_ioctl - DRM_IOCTL_VEXPORT_STALL
 * @drm: device
 * @data: &struct drm_vexport_stall
 * @file: client
 */
int vexport_stall_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_stall *args = data;
	struct file *lease;
	int fd, ret;

	if (args->point > DRM_VEXPORT_STALL_MAP_END || args->flags || args->pad || !args->nth ||
	    args->pid < 0)
		return -EINVAL;
	ret = vexport_fault_permit();
	if (ret)
		return ret;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;

	lease = stall_file(drm, args);
	if (IS_ERR(lease)) {
		put_unused_fd(fd);
		return PTR_ERR(lease);
	}

	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
	args->stall_fd = fd;
	fd_install(fd, lease);
	return 0;
}
