// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_vimport.h"
#include "sw_sync.h"

#define JOB_NS			(400 * NSEC_PER_MSEC)
#define GATE_VA			(1ull << 20)

/* Opening a gate cancels what has not begun; this is for the job that has. */
#define OPEN_MS			20000

/**
 * gate_close - have a GPU busy
 * @gate: what to fill in
 * @gpu: which GPU, from zero
 * @dmabuf: buffer that the work is to be visible on, or -1
 * @size: its size
 * @jobs: jobs of 0.4 seconds each, at most %GATE_LONG
 * @exec_flags: mask of DRM_VIMPORT_EXEC_*
 *
 * The jobs only take time. The gate opens by itself when they are over: whoever is going
 * to open it has them be many.
 */
void gate_close(struct gate *gate, int gpu, int dmabuf, uint64_t size, unsigned int jobs,
		uint32_t exec_flags)
{
	uint32_t vm = 0, done = 0, before;

	igt_assert(jobs >= 1 && jobs <= GATE_LONG);
	gate->fd = vimport_open(gpu);
	gate->handle = dmabuf >= 0 ? vimport_import(gate->fd, dmabuf, 0) : 0;
	gate->vms = 0;
	for (unsigned int i = 0; i < jobs; i++) {
		struct vimport_job job = {};

		if (i % GATE_JOBS == 0) {
			vm = vimport_vm_create(gate->fd);
			gate->vm[gate->vms++] = vm;
			if (gate->handle)
				vimport_vm_map(gate->fd, vm, gate->handle, 0, GATE_VA, size, 0);
		}
		vimport_job_delay(&job, JOB_NS);
		before = done;
		if (before)
			vimport_job_sync(&job, before, 0, 0);
		done = vimport_submit(gate->fd, vm, &job, exec_flags);
		if (before)
			syncobj_destroy(gate->fd, before);
	}
	gate->fence = syncobj_handle_to_fd(gate->fd, done,
					   DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
	syncobj_destroy(gate->fd, done);
}

/**
 * gate_closed - is the work still going on?
 * @gate: the gate
 */
bool gate_closed(const struct gate *gate)
{
	return sync_file_busy(gate->fence);
}

/**
 * gate_syncobj - have others wait for the gate
 * @gate: the gate
 * @fd: device file of any GPU
 *
 * Returns a syncobj of that file, which signals when the gate opens.
 */
uint32_t gate_syncobj(const struct gate *gate, int fd)
{
	uint32_t syncobj = syncobj_create(fd, 0);

	syncobj_import_sync_file(fd, syncobj, gate->fence);
	return syncobj;
}

/**
 * gate_open - end the work, or what is left of it
 * @gate: the gate
 */
void gate_open(struct gate *gate)
{
	for (unsigned int i = 0; i < gate->vms; i++)
		vimport_vm_destroy(gate->fd, gate->vm[i]);
	igt_assert_eq(sync_fence_wait(gate->fence, OPEN_MS), 0);
	close(gate->fence);
	if (gate->handle)
		gem_close(gate->fd, gate->handle);
	close(gate->fd);
}
