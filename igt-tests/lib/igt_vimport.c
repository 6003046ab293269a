// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>
#include <time.h>

#include "igt.h"
#include "igt_fault.h"
#include "igt_syncobj.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "sw_sync.h"

/* Longer than any job of these tests takes, also on a slow emulated CPU. */
#define WAIT_NS			(30ll * NSEC_PER_SEC)

/* Not zero, so that an address that got lost is not taken for a good one. */
#define GPU_VA			(1ull << 20)

uint32_t vimport_bugs;

const struct option vimport_options[] = {
	{ "bug", required_argument, NULL, 'b' },
	{ "exporter-bug", required_argument, NULL, 'e' },
	{},
};

const char vimport_options_help[] =
	"  --bug=NAME\tswitch a deliberate bug of vimport on. NAME is one of\n"
	"\t\t  ignore-invalidate, keep-table, no-flush, no-publish, ignore-fences,\n"
	"\t\t  userptr-pin, no-dirty, ignore-notifier, ignore-protection,\n"
	"\t\t  only-unmap: the test must fail\n"
	"\t\t  resv-in-invalidate, resv-in-signalling, reclaim-in-signalling,\n"
	"\t\t  resv-in-notifier, reclaim-in-notifier, sleep-in-notifier:\n"
	"\t\t  a kernel with lockdep must complain\n"
	"\t\t  write-after-unmap, unmap-direction, unmap-twice, detach-mapped,\n"
	"\t\t  detach-pinned, surplus-unpin: the verdict of vexport must tell\n"
	"\t\tNeeds vimport.ko loaded with misbehave=1.\n"
	"  --exporter-bug=NAME\tlikewise of vexport: no-notify, late-notify, no-wait or\n"
	"\t\thasty-revoke\n";

static const struct {
	const char *name;
	uint32_t bug;
} bugs[] = {
	{ "ignore-invalidate", DRM_VIMPORT_BUG_IGNORE_INVALIDATE },
	{ "resv-in-invalidate", DRM_VIMPORT_BUG_RESV_IN_INVALIDATE },
	{ "resv-in-signalling", DRM_VIMPORT_BUG_RESV_IN_SIGNALLING },
	{ "reclaim-in-signalling", DRM_VIMPORT_BUG_RECLAIM_IN_SIGNALLING },
	{ "write-after-unmap", DRM_VIMPORT_BUG_WRITE_AFTER_UNMAP },
	{ "unmap-direction", DRM_VIMPORT_BUG_UNMAP_DIRECTION },
	{ "unmap-twice", DRM_VIMPORT_BUG_UNMAP_TWICE },
	{ "detach-mapped", DRM_VIMPORT_BUG_DETACH_MAPPED },
	{ "detach-pinned", DRM_VIMPORT_BUG_DETACH_PINNED },
	{ "surplus-unpin", DRM_VIMPORT_BUG_SURPLUS_UNPIN },
	{ "userptr-pin", DRM_VIMPORT_BUG_USERPTR_PIN },
	{ "no-flush", DRM_VIMPORT_BUG_NO_FLUSH },
	{ "no-publish", DRM_VIMPORT_BUG_NO_PUBLISH },
	{ "ignore-fences", DRM_VIMPORT_BUG_IGNORE_FENCES },
	{ "keep-table", DRM_VIMPORT_BUG_KEEP_TABLE },
	{ "no-dirty", DRM_VIMPORT_BUG_NO_DIRTY },
	{ "resv-in-notifier", DRM_VIMPORT_BUG_RESV_IN_NOTIFIER },
	{ "reclaim-in-notifier", DRM_VIMPORT_BUG_RECLAIM_IN_NOTIFIER },
	{ "sleep-in-notifier", DRM_VIMPORT_BUG_SLEEP_IN_NOTIFIER },
	{ "ignore-notifier", DRM_VIMPORT_BUG_IGNORE_NOTIFIER },
	{ "ignore-protection", DRM_VIMPORT_BUG_IGNORE_PROTECTION },
	{ "only-unmap", DRM_VIMPORT_BUG_ONLY_UNMAP },
};

int vimport_options_handler(int opt, int index, void *data)
{
	if (opt == 'e' && vexport_bug_set(optarg))
		return IGT_OPT_HANDLER_SUCCESS;

	for (unsigned int i = 0; opt == 'b' && i < ARRAY_SIZE(bugs); i++) {
		if (!strcmp(optarg, bugs[i].name)) {
			vimport_bugs |= bugs[i].bug;
			return IGT_OPT_HANDLER_SUCCESS;
		}
	}

	igt_warn("Unknown bug \"%s\": --help lists them\n", optarg);
	return IGT_OPT_HANDLER_ERROR;
}

/**
 * __vimport_open - open a file of a GPU
 * @index: which GPU, from zero
 *
 * The file has the bugs that the command line asked for.
 *
 * Returns the file or -1.
 */
int __vimport_open(int index)
{
	struct drm_vimport_misbehave misbehave = { .bugs = vimport_bugs };
	int fd = vshare_open_render("vimport", index);

	if (fd >= 0 && vimport_bugs)
		igt_require_f(!drmIoctl(fd, DRM_IOCTL_VIMPORT_MISBEHAVE, &misbehave),
			      "Load vimport.ko with misbehave=1 and be root: %m\n");
	return fd;
}

/**
 * vimport_open - open a file of a GPU, or skip
 * @index: which GPU, from zero
 */
int vimport_open(int index)
{
	int fd = __vimport_open(index);

	igt_require_f(fd >= 0, "No GPU %d of vimport: load vimport.ko\n", index);
	return fd;
}

void vimport_get_info(int fd, struct drm_vimport_info *info)
{
	memset(info, 0, sizeof(*info));
	do_ioctl(fd, DRM_IOCTL_VIMPORT_INFO, info);
}

int __vimport_vm_create(int fd, struct drm_vimport_vm_create *create)
{
	return drmIoctl(fd, DRM_IOCTL_VIMPORT_VM_CREATE, create) ? -errno : 0;
}

uint32_t vimport_vm_create(int fd)
{
	struct drm_vimport_vm_create create = {};

	igt_assert_eq(__vimport_vm_create(fd, &create), 0);
	igt_assert(create.vm_id);
	return create.vm_id;
}

int __vimport_vm_destroy(int fd, uint32_t vm)
{
	struct drm_vimport_vm_destroy destroy = { .vm_id = vm };

	return drmIoctl(fd, DRM_IOCTL_VIMPORT_VM_DESTROY, &destroy) ? -errno : 0;
}

void vimport_vm_destroy(int fd, uint32_t vm)
{
	igt_assert_eq(__vimport_vm_destroy(fd, vm), 0);
}

/**
 * __vimport_vm_bind - map or unmap a range of an address space
 * @fd: device file of the GPU
 * @bind: what to do
 *
 * Returns zero or -errno. As for jobs, -EAGAIN is returned and not retried.
 */
int __vimport_vm_bind(int fd, struct drm_vimport_vm_bind *bind)
{
	int ret;

	do {
		ret = ioctl(fd, DRM_IOCTL_VIMPORT_VM_BIND, bind);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

void vimport_vm_map(int fd, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va,
		    uint64_t size, uint32_t flags)
{
	struct drm_vimport_vm_bind bind = {
		.vm_id = vm,
		.op = DRM_VIMPORT_VM_BIND_OP_MAP,
		.flags = flags,
		.handle = handle,
		.offset = offset,
		.va = va,
		.size = size,
	};

	igt_assert_eq(__vimport_vm_bind(fd, &bind), 0);
}

void vimport_vm_unmap(int fd, uint32_t vm, uint64_t va, uint64_t size)
{
	struct drm_vimport_vm_bind bind = {
		.vm_id = vm,
		.op = DRM_VIMPORT_VM_BIND_OP_UNMAP,
		.va = va,
		.size = size,
	};

	igt_assert_eq(__vimport_vm_bind(fd, &bind), 0);
}

int __vimport_queue_create(int fd, struct drm_vimport_queue_create *create)
{
	return drmIoctl(fd, DRM_IOCTL_VIMPORT_QUEUE_CREATE, create) ? -errno : 0;
}

uint32_t vimport_queue_create(int fd, uint32_t vm)
{
	struct drm_vimport_queue_create create = { .vm_id = vm };

	igt_assert_eq(__vimport_queue_create(fd, &create), 0);
	igt_assert(create.queue_id);
	return create.queue_id;
}

int __vimport_queue_destroy(int fd, uint32_t queue)
{
	struct drm_vimport_queue_destroy destroy = { .queue_id = queue };

	return drmIoctl(fd, DRM_IOCTL_VIMPORT_QUEUE_DESTROY, &destroy) ? -errno : 0;
}

void vimport_queue_destroy(int fd, uint32_t queue)
{
	igt_assert_eq(__vimport_queue_destroy(fd, queue), 0);
}

int __vimport_queue_query(int fd, struct drm_vimport_queue_query *query)
{
	return drmIoctl(fd, DRM_IOCTL_VIMPORT_QUEUE_QUERY, query) ? -errno : 0;
}

struct drm_vimport_queue_query vimport_queue_query(int fd, uint32_t queue)
{
	struct drm_vimport_queue_query query = { .queue_id = queue };

	igt_assert_eq(__vimport_queue_query(fd, &query), 0);
	return query;
}

int __vimport_import(int fd, struct drm_vimport_import *import)
{
	return drmIoctl(fd, DRM_IOCTL_VIMPORT_IMPORT, import) ? -errno : 0;
}

uint32_t vimport_import(int fd, int dmabuf, uint32_t flags)
{
	struct drm_vimport_import import = { .fd = dmabuf, .flags = flags };

	igt_assert_eq(__vimport_import(fd, &import), 0);
	igt_assert(import.handle);
	return import.handle;
}

int __vimport_userptr(int fd, struct drm_vimport_userptr *userptr)
{
	return drmIoctl(fd, DRM_IOCTL_VIMPORT_USERPTR, userptr) ? -errno : 0;
}

/**
 * vimport_userptr - make a buffer of memory of this process
 * @fd: device file of the GPU
 * @addr: the memory
 * @size: its size
 * @flags: mask of DRM_VIMPORT_USERPTR_*
 *
 * Returns its handle.
 */
uint32_t vimport_userptr(int fd, const void *addr, uint64_t size, uint32_t flags)
{
	struct drm_vimport_userptr userptr = {
		.addr = to_user_pointer(addr),
		.size = size,
		.flags = flags,
	};

	igt_assert_eq(__vimport_userptr(fd, &userptr), 0);
	igt_assert(userptr.handle);
	return userptr.handle;
}

int __vimport_userptr_find(int fd, struct drm_vimport_userptr_find *find)
{
	return drmIoctl(fd, DRM_IOCTL_VIMPORT_USERPTR_FIND, find) ? -errno : 0;
}

static struct drm_vimport_cmd *add_cmd(struct vimport_job *job, enum drm_vimport_op op)
{
	struct drm_vimport_cmd *cmd;

	igt_assert_lt(job->cmd_count, VIMPORT_JOB_CMDS);
	cmd = &job->cmds[job->cmd_count++];
	*cmd = (struct drm_vimport_cmd) { .op = op };
	return cmd;
}

void vimport_job_fill(struct vimport_job *job, uint64_t va, uint64_t size, uint64_t value)
{
	struct drm_vimport_cmd *cmd = add_cmd(job, DRM_VIMPORT_OP_FILL);

	cmd->va = va;
	cmd->size = size;
	cmd->value = value;
}

void vimport_job_copy(struct vimport_job *job, uint64_t va, uint64_t src, uint64_t size)
{
	struct drm_vimport_cmd *cmd = add_cmd(job, DRM_VIMPORT_OP_COPY);

	cmd->va = va;
	cmd->src = src;
	cmd->size = size;
}

void vimport_job_tag(struct vimport_job *job, uint64_t va, uint64_t size, uint64_t value)
{
	struct drm_vimport_cmd *cmd = add_cmd(job, DRM_VIMPORT_OP_TAG);

	cmd->va = va;
	cmd->size = size;
	cmd->value = value;
}

void vimport_job_checksum(struct vimport_job *job, uint64_t va, uint64_t src, uint64_t size)
{
	struct drm_vimport_cmd *cmd = add_cmd(job, DRM_VIMPORT_OP_CHECKSUM);

	cmd->va = va;
	cmd->src = src;
	cmd->size = size;
}

void vimport_job_delay(struct vimport_job *job, uint64_t ns)
{
	add_cmd(job, DRM_VIMPORT_OP_DELAY)->value = ns;
}

void vimport_job_add(struct vimport_job *job, uint64_t va, uint64_t size, uint64_t value)
{
	struct drm_vimport_cmd *cmd = add_cmd(job, DRM_VIMPORT_OP_ADD);

	cmd->va = va;
	cmd->size = size;
	cmd->value = value;
}

void vimport_job_wait(struct vimport_job *job, uint64_t va, uint64_t value)
{
	struct drm_vimport_cmd *cmd = add_cmd(job, DRM_VIMPORT_OP_WAIT);

	cmd->va = va;
	cmd->size = sizeof(value);
	cmd->value = value;
}

void vimport_job_sync(struct vimport_job *job, uint32_t syncobj, uint64_t point, uint32_t flags)
{
	igt_assert_lt(job->sync_count, VIMPORT_JOB_SYNCS);
	job->syncs[job->sync_count++] = (struct drm_vimport_sync) {
		.handle = syncobj,
		.flags = flags,
		.point = point,
	};
}

/**
 * __vimport_job_exec - submit a job as it is
 * @fd: device file of the GPU
 * @job: the job
 * @exec: the rest of the call
 *
 * Returns zero or -errno. -EAGAIN is returned and not retried, because it is
 * the answer of an address space that has enough to do.
 */
int __vimport_job_exec(int fd, const struct vimport_job *job, struct drm_vimport_exec exec)
{
	int ret;

	exec.cmds = to_user_pointer(job->cmds);
	exec.syncs = job->sync_count ? to_user_pointer(job->syncs) : 0;
	exec.cmd_count = job->cmd_count;
	exec.sync_count = job->sync_count;
	exec.cmd_stride = sizeof(job->cmds[0]);
	exec.sync_stride = sizeof(job->syncs[0]);
	exec.queue_id = job->queue;
	do {
		ret = ioctl(fd, DRM_IOCTL_VIMPORT_EXEC, &exec);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

/**
 * __vimport_exec - submit a job to an address space
 * @fd: device file of the GPU
 * @vm: address space
 * @job: the job
 * @flags: mask of DRM_VIMPORT_EXEC_*
 *
 * Returns zero or -errno, as __vimport_job_exec() does.
 */
int __vimport_exec(int fd, uint32_t vm, const struct vimport_job *job, uint32_t flags)
{
	return __vimport_job_exec(fd, job, (struct drm_vimport_exec) {
		.vm_id = vm,
		.flags = flags,
	});
}

/**
 * vimport_submit - submit a job that signals a new syncobj at its end
 * @fd: device file of the GPU
 * @vm: address space
 * @job: the job; the syncobj is added to it
 * @flags: mask of DRM_VIMPORT_EXEC_*
 *
 * Returns the syncobj, for vimport_wait().
 */
uint32_t vimport_submit(int fd, uint32_t vm, struct vimport_job *job, uint32_t flags)
{
	uint32_t done = syncobj_create(fd, 0);
	int ret;

	vimport_job_sync(job, done, 0, DRM_VIMPORT_SYNC_SIGNAL);
	ret = __vimport_exec(fd, vm, job, flags);
	igt_assert_f(!ret, "Submitting a job failed: %s\n", strerror(-ret));
	return done;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/**
 * vimport_wait - wait for a job and give its syncobj back
 * @fd: device file of the GPU
 * @syncobj: what vimport_submit() returned
 *
 * Returns zero if the job ran to its end, or the error on its fence.
 */
int vimport_wait(int fd, uint32_t syncobj)
{
	int fence, status;

	igt_assert_f(syncobj_wait(fd, &syncobj, 1, now_ns() + WAIT_NS, 0, NULL),
		     "A job did not end in thirty seconds\n");
	/* Only a sync_file tells how a fence ended. */
	fence = syncobj_handle_to_fd(fd, syncobj, DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
	status = sync_fence_status(fence);
	close(fence);
	syncobj_destroy(fd, syncobj);
	igt_assert_neq(status, 0);
	return status < 0 ? status : 0;
}

/**
 * vimport_run - submit a job and wait until it has run, without an error
 * @fd: device file of the GPU
 * @vm: address space
 * @job: the job
 */
void vimport_run(int fd, uint32_t vm, struct vimport_job *job)
{
	igt_assert_eq(vimport_wait(fd, vimport_submit(fd, vm, job, 0)), 0);
}

/**
 * vimport_carry_fence - make the fence of one GPU's syncobj known to another
 * @from: device file that the syncobj belongs to
 * @syncobj: the syncobj
 * @to: device file of the other GPU
 *
 * Returns a new syncobj of the other file.
 */
uint32_t vimport_carry_fence(int from, uint32_t syncobj, int to)
{
	uint32_t other = syncobj_create(to, 0);
	int fence;

	fence = syncobj_handle_to_fd(from, syncobj,
				     DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
	syncobj_import_sync_file(to, other, fence);
	close(fence);
	return other;
}

/**
 * vimport_gpu_init - open a GPU and map one buffer in a new address space
 * @gpu: what to fill in
 * @index: which GPU, from zero
 * @dmabuf: the buffer
 * @size: its size
 * @import_flags: mask of DRM_VIMPORT_IMPORT_*
 *
 * Skips the subtest if there are not enough GPUs.
 */
void vimport_gpu_init(struct vimport_gpu *gpu, int index, int dmabuf, uint64_t size,
		      uint32_t import_flags)
{
	gpu->fd = vimport_open(index);
	gpu->va = GPU_VA;
	gpu->size = size;
	gpu->vm = vimport_vm_create(gpu->fd);
	gpu->handle = vimport_import(gpu->fd, dmabuf, import_flags);
	vimport_vm_map(gpu->fd, gpu->vm, gpu->handle, 0, gpu->va, size, 0);
}

void vimport_gpu_fini(struct vimport_gpu *gpu)
{
	vimport_vm_destroy(gpu->fd, gpu->vm);
	gem_close(gpu->fd, gpu->handle);
	close(gpu->fd);
	memset(gpu, 0, sizeof(*gpu));
}
