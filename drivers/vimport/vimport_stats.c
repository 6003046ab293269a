// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

#include <drm/vimport_drm.h>

#include <linux/minmax.h>

#include "vimport_stats.h"
#include "vimport_vm.h"

static void read_stats(struct vimport_stats *stats, struct drm_vimport_vm_query *args)
{
	args->jobs = atomic64_read(&stats->jobs);
	args->job_errors = atomic64_read(&stats->job_errors);
	args->bytes_written = atomic64_read(&stats->bytes_written);
	args->tlb_flushes = atomic64_read(&stats->tlb_flushes);
	args->invalidations = atomic64_read(&stats->invalidations);
	args->revalidations = atomic64_read(&stats->revalidations);
	args->userptr_invalidations = atomic64_read(&stats->userptr_invalidations);
	args->userptr_faults = atomic64_read(&stats->userptr_faults);
	args->userptr_retries = atomic64_read(&stats->userptr_retries);
	args->gpu_faults = atomic64_read(&stats->gpu_faults);
}

/**
 * vimport_stats_query_ioctl - DRM_IOCTL_VIMPORT_VM_QUERY
 * @drm: device
 * @data: &struct drm_vimport_vm_query
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_stats_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vimport_vm_query *args = data;
	struct vimport_vm *vm;
	int ret = -ERESTARTSYS;

	if (args->flags)
		return -EINVAL;

	vm = vimport_vm_lookup(file, args->vm_id);
	if (!vm)
		return -ENOENT;

	if (mutex_lock_interruptible(&vm->lock))
		goto out_put;
	args->mapped = vm->mapped;
	args->mappings = vm->mappings;
	mutex_unlock(&vm->lock);

	mutex_lock(&vm->pt.lock);
	args->jobs_pending = vm->busy;
	/* One of the users is the id, until that has gone. */
	if (vm->faulting)
		args->jobs_pending = max(atomic_read(&vm->lr.users) - !READ_ONCE(vm->dead), 0);
	mutex_unlock(&vm->pt.lock);

	read_stats(&vm->stats, args);
	ret = 0;

out_put:
	drm_gpuvm_put(&vm->base);
	return ret;
}
