// SPDX-License-Identifier: MIT
/*
 * Jobs: collect commands and syncobjs, submit them, wait, read how it ended.
 */
#include <errno.h>
#include <linux/sync_file.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>

#include "vshare.h"

#define NSEC_PER_SEC	1000000000ull

struct vshare_job {
	struct drm_vimport_cmd *cmds;
	unsigned int cmd_count;
	unsigned int cmd_room;
	struct drm_vimport_sync *syncs;
	unsigned int sync_count;
	unsigned int sync_room;
	uint32_t queue;
	/* The first failure to add something, or zero. */
	int error;
};

struct vshare_job *vshare_job_new(void)
{
	return calloc(1, sizeof(struct vshare_job));
}

void vshare_job_free(struct vshare_job *job)
{
	if (!job)
		return;
	free(job->cmds);
	free(job->syncs);
	free(job);
}

void vshare_job_reset(struct vshare_job *job)
{
	job->cmd_count = 0;
	job->sync_count = 0;
	job->queue = 0;
	job->error = 0;
}

/* Makes room for one more element; the driver decides how many are too many. */
static int grow(struct vshare_job *job, void **array, unsigned int count, unsigned int *room,
		size_t size)
{
	unsigned int wanted = *room ? *room * 2 : 8;
	void *larger;

	if (job->error)
		return job->error;
	if (count < *room)
		return 0;
	larger = reallocarray(*array, wanted, size);
	if (!larger) {
		job->error = -ENOMEM;
		return job->error;
	}
	*array = larger;
	*room = wanted;
	return 0;
}

static int add_cmd(struct vshare_job *job, struct drm_vimport_cmd cmd)
{
	int ret = grow(job, (void **)&job->cmds, job->cmd_count, &job->cmd_room, sizeof(cmd));

	if (!ret)
		job->cmds[job->cmd_count++] = cmd;
	return ret;
}

static int add_sync(struct vshare_job *job, struct drm_vimport_sync sync)
{
	int ret = grow(job, (void **)&job->syncs, job->sync_count, &job->sync_room, sizeof(sync));

	if (sync.point)
		sync.flags |= DRM_VIMPORT_SYNC_TIMELINE;
	if (!ret)
		job->syncs[job->sync_count++] = sync;
	return ret;
}

int vshare_job_fill(struct vshare_job *job, uint64_t va, uint64_t size, uint64_t value)
{
	return add_cmd(job, (struct drm_vimport_cmd) {
		.op = DRM_VIMPORT_OP_FILL, .va = va, .size = size, .value = value,
	});
}

int vshare_job_copy(struct vshare_job *job, uint64_t va, uint64_t src, uint64_t size)
{
	return add_cmd(job, (struct drm_vimport_cmd) {
		.op = DRM_VIMPORT_OP_COPY, .va = va, .src = src, .size = size,
	});
}

int vshare_job_tag(struct vshare_job *job, uint64_t va, uint64_t size, uint64_t tag)
{
	return add_cmd(job, (struct drm_vimport_cmd) {
		.op = DRM_VIMPORT_OP_TAG, .va = va, .size = size, .value = tag,
	});
}

int vshare_job_checksum(struct vshare_job *job, uint64_t va, uint64_t src, uint64_t size)
{
	return add_cmd(job, (struct drm_vimport_cmd) {
		.op = DRM_VIMPORT_OP_CHECKSUM, .va = va, .src = src, .size = size,
	});
}

int vshare_job_delay(struct vshare_job *job, uint64_t ns)
{
	return add_cmd(job, (struct drm_vimport_cmd) {
		.op = DRM_VIMPORT_OP_DELAY, .value = ns,
	});
}

int vshare_job_add(struct vshare_job *job, uint64_t va, uint64_t size, uint64_t value)
{
	return add_cmd(job, (struct drm_vimport_cmd) {
		.op = DRM_VIMPORT_OP_ADD, .va = va, .size = size, .value = value,
	});
}

void vshare_job_queue(struct vshare_job *job, uint32_t queue)
{
	job->queue = queue;
}

int vshare_job_wait(struct vshare_job *job, uint64_t va, uint64_t value)
{
	return add_cmd(job, (struct drm_vimport_cmd) {
		.op = DRM_VIMPORT_OP_WAIT, .va = va, .size = sizeof(value), .value = value,
	});
}

int vshare_job_after(struct vshare_job *job, uint32_t syncobj, uint64_t point)
{
	return add_sync(job, (struct drm_vimport_sync) {
		.handle = syncobj, .point = point,
	});
}

int vshare_job_signal(struct vshare_job *job, uint32_t syncobj, uint64_t point)
{
	return add_sync(job, (struct drm_vimport_sync) {
		.handle = syncobj, .flags = DRM_VIMPORT_SYNC_SIGNAL, .point = point,
	});
}

/*
 * drmIoctl() restarts on EAGAIN too, and would keep a CPU busy, asking again
 * and again, for as long as the address space has too much work outstanding.
 */
static int submit(const struct vshare_job *job, int dev, uint32_t vm, uint32_t flags,
		  uint64_t fence_va, uint64_t value)
{
	struct drm_vimport_exec args = {
		.vm_id = vm,
		.flags = flags,
		.cmds = (uintptr_t)job->cmds,
		.syncs = (uintptr_t)job->syncs,
		.cmd_count = job->cmd_count,
		.sync_count = job->sync_count,
		.cmd_stride = sizeof(*job->cmds),
		.sync_stride = sizeof(*job->syncs),
		.queue_id = job->queue,
		.fence_va = fence_va,
		.fence_value = value,
	};
	int ret;

	if (job->error)
		return job->error;
	do {
		ret = ioctl(dev, DRM_IOCTL_VIMPORT_EXEC, &args);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

int vshare_job_submit(const struct vshare_job *job, int dev, uint32_t vm, uint32_t flags)
{
	return submit(job, dev, vm, flags, 0, 0);
}

int vshare_job_submit_faulting(const struct vshare_job *job, int dev, uint32_t vm,
			       uint64_t fence_va, uint64_t value)
{
	return submit(job, dev, vm, 0, fence_va, value);
}

/* The kernel wants absolute times, so that a restarted wait ends when it should. */
static int64_t deadline(uint64_t timeout)
{
	struct timespec now;
	uint64_t ns;

	if (!timeout)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
	return timeout > INT64_MAX - ns ? INT64_MAX : (int64_t)(ns + timeout);
}

int vshare_fence_wait(int dev, const struct drm_vimport_fence *fence, uint64_t value,
		      uint64_t timeout, int *status)
{
	struct drm_vimport_wait_fence args = {
		.addr = (uintptr_t)fence,
		.value = value,
		.timeout_ns = deadline(timeout),
	};

	/* A signal ends it: who waits for ever may want to be asked. */
	if (ioctl(dev, DRM_IOCTL_VIMPORT_WAIT_FENCE, &args))
		return -errno;
	*status = args.error;
	return 0;
}

int vshare_sync_wait(int dev, uint32_t syncobj, uint64_t point, uint64_t timeout)
{
	int ret;

	if (point)
		ret = drmSyncobjTimelineWait(dev, &syncobj, &point, 1, deadline(timeout), 0, NULL);
	else
		ret = drmSyncobjWait(dev, &syncobj, 1, deadline(timeout), 0, NULL);
	return ret;
}

int vshare_sync_status(int dev, uint32_t syncobj, int *status)
{
	struct sync_file_info info = { 0 };
	int fd, ret;

	if (drmSyncobjExportSyncFile(dev, syncobj, &fd))
		return -errno;
	ret = drmIoctl(fd, SYNC_IOC_FILE_INFO, &info) ? -errno : 0;
	close(fd);
	if (!ret)
		*status = info.status;
	return ret;
}
