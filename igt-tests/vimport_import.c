// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What an import takes from its exporter, and when it gives it back; and that "
		     "no client can have it hold any amount.");

#define SIZE			(64ull << 10)
#define PAGE			4096ull
#define VA			(1ull << 20)

/* What the documentation of VM_BIND allows in one address space. */
#define MAX_MAPPINGS		1024
#define MAX_MAPPED		(4ull << 30)

/* A job that is likely to run while something else happens. */
#define DELAY_NS		(100 * NSEC_PER_MSEC)

static void fill(int fd, uint32_t vm, const struct vexport_bo *bo, uint64_t va, uint64_t value)
{
	struct vimport_job job = {};

	vimport_job_fill(&job, va, SIZE, value);
	vimport_run(fd, vm, &job);
	igt_assert_eq_u64(bo->map[0], value);
	igt_assert_eq_u64(bo->map[SIZE / sizeof(*bo->map) - 1], value);
}

static void unbind_gives_back(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct vexport_bo bo;
	uint32_t vm, handle;
	int fd = s->gpu[0];

	/* Not made for moving: here a mapping may be a pin. */
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vm = vimport_vm_create(fd);
	handle = vimport_import(fd, bo.dmabuf, 0);

	/* A second mapping keeps the buffer mapped, the last one does not. */
	vimport_vm_map(fd, vm, handle, 0, VA, SIZE, 0);
	vimport_vm_map(fd, vm, handle, 0, VA + SIZE, SIZE, 0);
	fill(fd, vm, &bo, VA, 1);
	vimport_vm_unmap(fd, vm, VA, SIZE);
	igt_assert_eq_u32(vexport_maps(s->exporter, bo.dmabuf), 1);
	fill(fd, vm, &bo, VA + SIZE, 2);
	vimport_vm_unmap(fd, vm, VA + SIZE, SIZE);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u32(query.attachments, 1);
	igt_assert_eq_u32(query.maps, 0);
	igt_assert_eq_u32(query.pins, 0);
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);

	/* The same when the mapping goes with its address space. */
	vimport_vm_map(fd, vm, handle, 0, VA, SIZE, 0);
	fill(fd, vm, &bo, VA, 3);
	igt_assert_eq_u32(vexport_maps(s->exporter, bo.dmabuf), 1);
	vimport_vm_destroy(fd, vm);
	vexport_wait_given_back(s->exporter, bo.dmabuf);

	gem_close(fd, handle);
	vexport_bo_fini(&bo);
}

/*
 * One buffer in two address spaces of a GPU. It moves while the first is busy with
 * it, and gets into the second, which is busy with something else until the gate opens,
 * before that is over.
 */
struct late {
	struct vexport_bo bo;
	int fd;
	uint32_t first, second, handle;
	uint32_t older;
	/* Work of another GPU, so that this one's engine is free. */
	struct gate gate;
};

static void late_begin(struct late *l, struct vshare_session *s)
{
	struct vimport_job job = {}, older = {};
	uint32_t using, closed;

	igt_require_f(s->gpus > 1, "Needs two GPUs\n");
	l->fd = s->gpu[0];
	vexport_bo_init(&l->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	l->first = vimport_vm_create(l->fd);
	l->second = vimport_vm_create(l->fd);
	l->handle = vimport_import(l->fd, l->bo.dmabuf, DRM_VIMPORT_IMPORT_NO_P2P);
	vimport_vm_map(l->fd, l->first, l->handle, 0, VA, SIZE, 0);

	gate_close(&l->gate, 1, -1, 0, GATE_LONG, 0);
	closed = gate_syncobj(&l->gate, l->fd);
	vimport_job_delay(&older, 0);
	vimport_job_sync(&older, closed, 0, 0);
	l->older = vimport_submit(l->fd, l->second, &older, 0);
	syncobj_destroy(l->fd, closed);
	vimport_job_delay(&job, DELAY_NS);
	using = vimport_submit(l->fd, l->first, &job, 0);

	vexport_move(s->exporter, l->bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM,
		     DRM_VEXPORT_MOVE_ASYNC);
	vimport_vm_map(l->fd, l->second, l->handle, 0, VA, SIZE, 0);
	igt_assert_eq_u32(vexport_maps(s->exporter, l->bo.dmabuf), 1);
	igt_assert_eq(vimport_wait(l->fd, using), 0);
}

/* All of it must have been before the older job of the second one ended. */
static void late_check(struct late *l)
{
	igt_assert_f(gate_closed(&l->gate), "This machine is too slow to tell anything\n");
	igt_assert_eq(syncobj_wait_err(l->fd, &l->older, 1, 0, 0), -ETIME);
	gate_open(&l->gate);
}

static void late_end(struct late *l)
{
	igt_assert_eq(vimport_wait(l->fd, l->older), 0);
	vimport_vm_destroy(l->fd, l->first);
	vimport_vm_destroy(l->fd, l->second);
	gem_close(l->fd, l->handle);
	vexport_bo_fini(&l->bo);
}

static void older_job(struct vshare_session *s)
{
	struct late l;

	late_begin(&l, s);
	vexport_wait_given_back(s->exporter, l.bo.dmabuf);
	late_check(&l);
	late_end(&l);
}

static void moved_by_map(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct vimport_job job = {};
	struct late l;
	uint32_t done;

	late_begin(&l, s);
	vexport_wait_given_back(s->exporter, l.bo.dmabuf);
	/* The exporter has to move it once more, for an importer without p2p. */
	vimport_job_fill(&job, VA, SIZE, 1);
	done = vimport_submit(l.fd, l.second, &job, 0);
	vexport_query(s->exporter, l.bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_TT);
	late_check(&l);
	igt_assert_eq(vimport_wait(l.fd, done), 0);
	/* Nothing has changed since, so this one uses what that one brought. */
	fill(l.fd, l.second, &l.bo, VA, 2);
	late_end(&l);
}

static void too_many_mappings(struct vshare_session *s)
{
	struct drm_vimport_vm_bind args = {
		.op = DRM_VIMPORT_VM_BIND_OP_MAP,
		.va = VA,
		.size = PAGE,
	};
	struct vexport_bo bo;
	int fd = s->gpu[0];

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	args.vm_id = vimport_vm_create(fd);
	args.handle = vimport_import(fd, bo.dmabuf, 0);
	for (unsigned int i = 0; i < MAX_MAPPINGS; i++) {
		args.offset = i % (SIZE / PAGE) * PAGE;
		args.va += PAGE;
		igt_assert_eq(__vimport_vm_bind(fd, &args), 0);
	}
	args.va += PAGE;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, ENOSPC);
	/* Each of them works, also after a move, and one that goes makes room. */
	fill(fd, args.vm_id, &bo, VA + PAGE, 1);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	fill(fd, args.vm_id, &bo, VA + (MAX_MAPPINGS - SIZE / PAGE + 1) * PAGE, 2);
	vimport_vm_unmap(fd, args.vm_id, VA + 8 * PAGE, PAGE);
	igt_assert_eq(__vimport_vm_bind(fd, &args), 0);
	args.va += PAGE;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, ENOSPC);
	/* The limit is this address space's. */
	vimport_vm_map(fd, vimport_vm_create(fd), args.handle, 0, VA, SIZE, 0);
	vexport_bo_fini(&bo);
}

static void too_much_mapped(struct vshare_session *s)
{
	const uint64_t size = 16ull << 20, last = VA + MAX_MAPPED - size;
	struct drm_vimport_vm_bind args = {
		.op = DRM_VIMPORT_VM_BIND_OP_MAP,
		.va = VA + MAX_MAPPED,
		.size = PAGE,
	};
	struct vexport_bo bo;
	int fd = s->gpu[0];

	vexport_bo_init(&bo, s->exporter, size, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	args.vm_id = vimport_vm_create(fd);
	args.handle = vimport_import(fd, bo.dmabuf, 0);
	for (uint64_t va = VA; va <= last; va += size)
		vimport_vm_map(fd, args.vm_id, args.handle, 0, va, size, 0);
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, ENOSPC);
	/* All of it works, also after a move, and what goes makes room. */
	fill(fd, args.vm_id, &bo, VA, 1);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	fill(fd, args.vm_id, &bo, last, 2);
	vimport_vm_unmap(fd, args.vm_id, VA, size);
	igt_assert_eq(__vimport_vm_bind(fd, &args), 0);
	args.va += PAGE;
	args.size = size;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, ENOSPC);
	vexport_bo_fini(&bo);
}

static void too_many_vms(struct vshare_session *s)
{
	struct drm_vimport_vm_create args = {};
	unsigned int count = 0, files = 0;
	struct drm_vimport_info now;
	int fd[128];

	/* Each file has a limit of its own: open more until that is not what is met. */
	for (unsigned int before = ~0u; count != before; files++) {
		igt_assert_lt(files, ARRAY_SIZE(fd));
		fd[files] = vimport_open(0);
		before = count;
		for (; !__vimport_vm_create(fd[files], &args); count++)
			args = (struct drm_vimport_vm_create) {};
	}
	vshare_refused(s, fd[files - 1], DRM_IOCTL_VIMPORT_VM_CREATE, &args, ENOSPC);
	vimport_get_info(s->gpu[0], &now);
	igt_assert_lte(now.vms, s->start.gpu[0].vms + count);
	while (files)
		close(fd[--files]);
}

static const struct vshare_subtest subtests[] = {
	{ "unbind-gives-back", "A handle alone does not make the exporter keep pages.",
	  unbind_gives_back },
	{ "older-job", "A buffer that has moved is given back, whatever its address spaces are "
	  "busy with.", older_job },
	{ "moved-by-map", "A buffer that moves because it is mapped for a job is there for the "
	  "next one, too.", moved_by_map },
	{ "too-many-mappings", "Mappings of an address space are bounded in number.",
	  too_many_mappings },
	{ "too-much-mapped", "Mappings of an address space are bounded in size.",
	  too_much_mapped },
	{ "too-many-vms", "Address spaces of a GPU are bounded, in however many files.",
	  too_many_vms },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
