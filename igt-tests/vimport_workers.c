// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <pthread.h>

#include "igt.h"
#include "igt_stall.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Workers are not used up by those who have to wait, and what there may be "
		     "too many of is refused and comes again. Needs vexport.ko loaded with "
		     "misbehave=1.");

#define SIZE			(64u << 10)
#define VA			(1ull << 20)

/* A work queue runs 256 at a time; a file has at most 64 address spaces. */
#define FILES			5
#define FILE_VMS		64

/* What the documentation of QUEUE_CREATE allows in a file, and in a GPU with all its files. */
#define FILE_QUEUES		64
#define GPU_QUEUES		8192
#define MANY_FILES		(GPU_QUEUES / (FILE_QUEUES + 1) + 1)

struct mover {
	pthread_t thread;
	int exporter;
	int dmabuf;
};

static void *move_thread(void *data)
{
	struct mover *mover = data;

	vexport_move(mover->exporter, mover->dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	return NULL;
}

static int open_with_vms(const struct vexport_bo *bo)
{
	int fd = vimport_open(0);
	uint32_t handle = vimport_import(fd, bo->dmabuf, 0);

	for (unsigned int i = 0; i < FILE_VMS; i++)
		vimport_vm_map(fd, vimport_vm_create(fd), handle, 0, VA, SIZE, 0);
	return fd;
}

/*
 * More address spaces than there are workers die, and each needs the reservation of a buffer
 * that moves. Everything else that is left to workers is done meanwhile.
 */
static void held_reservation(struct vshare_session *s)
{
	struct drm_vimport_vm_bind unmap = {
		.op = DRM_VIMPORT_VM_BIND_OP_UNMAP,
		.flags = DRM_VIMPORT_VM_BIND_ASYNC,
		.va = VA,
		.size = SIZE,
	};
	struct vimport_job job = {};
	struct vexport_bo bo, other;
	struct vimport_lr lr;
	struct mover mover;
	int fd[FILES], stall;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	vexport_bo_init(&other, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	for (int i = 0; i < FILES; i++)
		fd[i] = open_with_vms(&bo);
	unmap.vm_id = vimport_vm_create(s->gpu[0]);
	handle = vimport_import(s->gpu[0], other.dmabuf, 0);
	vimport_vm_map(s->gpu[0], unmap.vm_id, handle, 0, VA, SIZE, 0);
	vimport_lr_init(&lr, s->exporter, 0, other.dmabuf, SIZE, 0);

	mover = (struct mover) { .exporter = s->exporter, .dmabuf = bo.dmabuf };
	stall = vexport_stall(s->exporter, bo.dmabuf, DRM_VEXPORT_STALL_MOVE_BEGIN);
	igt_assert_eq(pthread_create(&mover.thread, NULL, move_thread, &mover), 0);
	vexport_stall_wait(stall);
	for (int i = 0; i < FILES; i++)
		close(fd[i]);

	/* A job that faults, and a bind that gives a buffer back. */
	vimport_job_fill(&job, lr.gpu.va, SIZE, 7);
	vimport_lr_run(&lr, &job);
	vimport_vm_unmap(lr.gpu.fd, lr.gpu.vm, lr.gpu.va, SIZE);
	igt_assert_eq(__vimport_vm_bind(s->gpu[0], &unmap), 0);
	while (vexport_maps(s->exporter, other.dmabuf) &&
	       vexport_stall_status(stall).state == DRM_VEXPORT_STALL_HELD)
		usleep(1000);
	igt_assert_f(vexport_stall_status(stall).state == DRM_VEXPORT_STALL_HELD,
		     "Who has nothing to do with the buffer has waited until it could move\n");
	vexport_stall_release(stall);
	pthread_join(mover.thread, NULL);

	vimport_lr_fini(&lr);
	vimport_vm_destroy(s->gpu[0], unmap.vm_id);
	gem_close(s->gpu[0], handle);
	vexport_bo_fini(&other);
	vexport_bo_fini(&bo);
}

/* Returns 0, or what the first queue was refused with that could not be made. */
static int fill_with_queues(int fd, unsigned int *count)
{
	struct drm_vimport_vm_create vm = {};
	int ret;

	ret = __vimport_vm_create(fd, &vm);
	*count += !ret;
	for (unsigned int i = 0; i < FILE_QUEUES && !ret; i++) {
		struct drm_vimport_queue_create create = { .vm_id = vm.vm_id };

		ret = __vimport_queue_create(fd, &create);
		*count += !ret;
	}
	return ret;
}

static void too_many_queues(struct vshare_session *s)
{
	struct drm_vimport_queue_create create = { .vm_id = vimport_vm_create(s->gpu[0]) };
	struct drm_vimport_vm_create vm = {};
	struct drm_vimport_info info;
	unsigned int count, files;
	int fd[MANY_FILES], ret;
	uint32_t queue;

	queue = vimport_queue_create(s->gpu[0], create.vm_id);
	for (int round = 0; round < 2; round++) {
		vimport_get_info(s->gpu[0], &info);
		count = info.queues;
		for (files = 0, ret = 0; !ret && files < MANY_FILES; files++) {
			fd[files] = vimport_open(0);
			ret = fill_with_queues(fd[files], &count);
		}
		igt_assert_eq(ret, -ENOSPC);
		igt_assert_eq(count, GPU_QUEUES);
		vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_QUEUE_CREATE, &create, ENOSPC);
		vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_CREATE, &vm, ENOSPC);
		/* For one that goes one may come. */
		vimport_queue_destroy(s->gpu[0], queue);
		queue = vimport_queue_create(s->gpu[0], create.vm_id);
		while (files)
			close(fd[--files]);
		do {
			vimport_get_info(s->gpu[0], &info);
		} while (info.queues > s->start.gpu[0].queues + 2 && !usleep(1000));
	}
	vimport_vm_destroy(s->gpu[0], create.vm_id);
}

static const struct vshare_subtest subtests[] = {
	{ "held-reservation", "Address spaces that wait for a buffer keep no worker from others.",
	  held_reservation },
	{ "too-many-queues", "A GPU refuses one queue too many, and takes one for each that goes.",
	  too_many_queues },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
