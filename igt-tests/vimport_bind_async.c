// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <xf86drm.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_space_random.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_space.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Binds that take turns with jobs: each job finds what was mapped when it was "
		     "submitted, nobody waits in the call, and the exporter waits for no bind.");

#define PAGE			SPACE_PAGE
#define SIGNAL			DRM_VIMPORT_SYNC_SIGNAL
#define TIMELINE		DRM_VIMPORT_SYNC_TIMELINE

/* A job that is likely to run while something else happens. */
#define LONG_DELAY_NS		(400 * NSEC_PER_MSEC)

/* What the documentation of VM_BIND and EXEC allows in one address space. */
#define MAX_PENDING		128
#define MAX_MAPPED		(4ull << 30)

/* A space, and work of another GPU to wait for: nothing keeps this GPU from its jobs. */
struct setup {
	struct space space;
	struct gate gate;
	/* In-sync that signals when the gate opens. */
	struct drm_vimport_sync closed;
};

static void begin(struct setup *t, struct vshare_session *s)
{
	space_init(&t->space, s, DRM_VEXPORT_PLACEMENT_VRAM);
}

static void close_gate(struct setup *t)
{
	gate_close(&t->gate, 1, -1, 0, GATE_LONG, 0);
	t->closed = (struct drm_vimport_sync) { .handle = gate_syncobj(&t->gate, t->space.fd) };
}

/* Whoever waits for the jobs that are there waits for the gate from now on. */
static void block(struct setup *t)
{
	struct vimport_job job = {};

	vimport_job_delay(&job, 0);
	vimport_job_sync(&job, t->closed.handle, 0, 0);
	igt_assert_eq(__vimport_exec(t->space.fd, t->space.vm, &job, 0), 0);
}

static void expect_closed(struct setup *t)
{
	igt_assert_f(gate_closed(&t->gate),
		     "Whoever must not wait has waited, or this machine is too slow to tell\n");
}

static void end(struct setup *t)
{
	syncobj_destroy(t->space.fd, t->closed.handle);
	space_check(&t->space, "at the end");
	space_fini(&t->space);
}

static void out_syncs(struct vshare_session *s)
{
	struct drm_vimport_sync syncs[2];
	struct space space;
	uint64_t point = 7;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_TT);
	syncs[0] = (struct drm_vimport_sync) { syncobj_create(space.fd, 0), SIGNAL, 0 };
	syncs[1] = (struct drm_vimport_sync) { syncobj_create(space.fd, 0), SIGNAL | TIMELINE,
					       point };
	space_expect_map(&space, 4, 8, 0, 2, 0);
	igt_assert_eq(__space_bind_async(&space, 4, 8, 0, 2, syncs, 2), 0);
	igt_assert(syncobj_timeline_wait(space.fd, &syncs[1].handle, &point, 1, INT64_MAX, 0,
					 NULL));
	igt_assert_eq(vimport_wait(space.fd, syncs[0].handle), 0);
	syncobj_destroy(space.fd, syncs[1].handle);
	space_check(&space, "mapped");
	/* Without anything to signal or to wait for, too. */
	space_unmap_async(&space, 6, 2, NULL);
	space_check(&space, "unmapped");
	space_fini(&space);
}

/* @timeline: the in-sync is a point of a timeline. */
static void in_sync(struct vshare_session *s, bool timeline)
{
	struct drm_vimport_sync syncs[2];
	uint32_t before, after;
	struct setup t;

	begin(&t, s);
	space_map(&t.space, 4, 8, 0, 0, 0);
	close_gate(&t);
	syncs[0] = t.closed;
	if (timeline) {
		syncs[0] = (struct drm_vimport_sync) { syncobj_create(t.space.fd, 0), TIMELINE, 3 };
		igt_assert_eq(drmSyncobjTransfer(t.space.fd, syncs[0].handle, 3, t.closed.handle, 0,
						 0), 0);
	}
	syncs[1] = (struct drm_vimport_sync) { syncobj_create(t.space.fd, 0), SIGNAL, 0 };
	before = space_access(&t.space, 5, 0);
	space_expect_unmap(&t.space, 4, 4);
	igt_assert_eq(__space_bind_async(&t.space, 4, 4, -1, 0, syncs, 2), 0);
	after = space_access(&t.space, 5, 0);

	/* Who was there first is not held up. */
	igt_assert_eq(vimport_wait(t.space.fd, before), 0);
	igt_assert_eq(syncobj_wait_err(t.space.fd, &syncs[1].handle, 1, 0, 0), -ETIME);
	igt_assert_eq(syncobj_wait_err(t.space.fd, &after, 1, 0, 0), -ETIME);
	expect_closed(&t);
	gate_open(&t.gate);
	igt_assert_eq(vimport_wait(t.space.fd, syncs[1].handle), 0);
	igt_assert_eq(vimport_wait(t.space.fd, after), -EFAULT);
	if (timeline)
		syncobj_destroy(t.space.fd, syncs[0].handle);
	end(&t);
}

static void in_sync_binary(struct vshare_session *s)
{
	in_sync(s, false);
}

static void in_sync_timeline(struct vshare_session *s)
{
	in_sync(s, true);
}

static void order(struct vshare_session *s)
{
	uint32_t done[SPACE_BUFFER_PAGES];
	struct setup t;

	begin(&t, s);
	close_gate(&t);
	/* One address, another page for each job; the first bind holds all of them up. */
	for (unsigned int i = 0; i < ARRAY_SIZE(done); i++) {
		space_map_async(&t.space, 8, 1, i % 2, i, i ? NULL : &t.closed);
		done[i] = space_access(&t.space, 8, 0);
	}
	space_unmap_async(&t.space, 8, 1, NULL);
	expect_closed(&t);
	gate_open(&t.gate);
	for (unsigned int i = 0; i < ARRAY_SIZE(done); i++)
		igt_assert_eq(vimport_wait(t.space.fd, done[i]), 0);
	end(&t);
}

static void running(struct vshare_session *s)
{
	uint32_t done[2];
	struct setup t;

	begin(&t, s);
	space_map(&t.space, 4, 8, 0, 0, 0);
	space_check(&t.space, "mapped");
	close_gate(&t);
	done[0] = space_access(&t.space, 6, LONG_DELAY_NS);
	block(&t);
	space_map_async(&t.space, 5, 3, 1, 9, NULL);
	done[1] = space_access(&t.space, 6, 0);
	expect_closed(&t);
	gate_open(&t.gate);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(vimport_wait(t.space.fd, done[i]), 0);
	end(&t);
}

static void unmap_busy(struct vshare_session *s)
{
	struct setup t;
	uint32_t done;

	begin(&t, s);
	space_map(&t.space, 4, 8, 0, 0, 0);
	close_gate(&t);
	done = space_access(&t.space, 6, LONG_DELAY_NS);
	block(&t);
	space_unmap_async(&t.space, 0, SPACE_PAGES, NULL);
	/* The jobs still need it, so the exporter does not get it back yet. */
	usleep(LONG_DELAY_NS / 4 / 1000);
	igt_assert_eq_u32(vexport_maps(s->exporter, t.space.bo[0].dmabuf), 1);
	expect_closed(&t);
	gate_open(&t.gate);
	igt_assert_eq(vimport_wait(t.space.fd, done), 0);
	vexport_wait_given_back(s->exporter, t.space.bo[0].dmabuf);
	end(&t);
}

static void kept(struct vshare_session *s)
{
	struct vimport_job job = {};
	struct space space;
	uint32_t done;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	space_map(&space, 4, 8, 0, 0, 0);
	/* Uses both ends before, while and after the middle goes. */
	for (int i = 0; i < 3; i++) {
		vimport_job_fill(&job, space_va(4) + 16, 8, i);
		vimport_job_fill(&job, space_va(11) + 16, 8, i);
		if (i < 2)
			vimport_job_delay(&job, LONG_DELAY_NS / 4);
	}
	done = vimport_submit(space.fd, space.vm, &job, 0);
	space_unmap_async(&space, 6, 4, NULL);
	space_map_async(&space, 5, 1, 1, 0, NULL);
	igt_assert_eq(vimport_wait(space.fd, done), 0);
	space_check(&space, "the middle gone");
	space_fini(&space);
}

static void random_step(struct space *space, struct vshare_session *s, unsigned int i)
{
	if (i % 8 == 3)
		vexport_move(s->exporter, space->bo[random() % SPACE_BUFFERS].dmabuf, 0,
			     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
}

static void random_binds(struct vshare_session *s)
{
	struct space space;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	srandom(7);
	space_random_async(&space, s, 48, random_step);
	space_fini(&space);
}

/* Who takes away what a pending bind has not taken out of the page table is not held up. */
static void move_leaving(struct vshare_session *s)
{
	struct setup t;
	uint32_t done;

	begin(&t, s);
	space_map(&t.space, 4, 8, 0, 0, 0);
	space_check(&t.space, "mapped");
	close_gate(&t);
	done = space_access(&t.space, 6, 5 * NSEC_PER_MSEC);
	/* Once all of it, once a part: one buffer has nothing left, one has. */
	space_map_async(&t.space, 0, SPACE_PAGES, 1, 0, &t.closed);
	vexport_move(s->exporter, t.space.bo[0].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert_eq(syncobj_wait_err(t.space.fd, &done, 1, 0, 0), 0);
	space_unmap_async(&t.space, 8, 8, NULL);
	vexport_move(s->exporter, t.space.bo[1].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	vexport_move(s->exporter, t.space.bo[0].dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	expect_closed(&t);
	gate_open(&t.gate);
	igt_assert_eq(vimport_wait(t.space.fd, done), 0);
	vexport_wait_given_back(s->exporter, t.space.bo[0].dmabuf);
	end(&t);
}

/* What a pending bind waits for is not the affair of who moves what was mapped since then. */
static void move_mapped(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	close_gate(&t);
	space_map_async(&t.space, 4, 4, 0, 0, &t.closed);
	space_map(&t.space, 12, 8, 1, 0, 0);
	for (int i = 0; i < SPACE_BUFFERS; i++)
		vexport_move(s->exporter, t.space.bo[i].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	expect_closed(&t);
	gate_open(&t.gate);
	end(&t);
}

static void not_needed(struct vshare_session *s)
{
	struct setup t;
	uint32_t done;

	begin(&t, s);
	space_map(&t.space, 4, 8, 0, 0, 0);
	space_map(&t.space, 12, 8, 1, 0, 0);
	space_check(&t.space, "mapped");
	close_gate(&t);
	space_unmap_async(&t.space, 4, 8, &t.closed);
	/* Who asks for it now is refused; whoever has it lets go, before the bind has run. */
	igt_assert_eq_u32(vexport_bo_revoke(&t.space.bo[0], DRM_VEXPORT_REVOKE_TEMPORARY), 0);
	done = space_access(&t.space, 14, 0);
	expect_closed(&t);
	gate_open(&t.gate);
	igt_assert_eq(vimport_wait(t.space.fd, done), 0);
	vexport_bo_revoke(&t.space.bo[0], DRM_VEXPORT_REVOKE_NONE);
	end(&t);
}

static void move_behind(struct vshare_session *s)
{
	uint32_t done[2];
	struct setup t;

	begin(&t, s);
	space_map(&t.space, 4, 8, 0, 0, 0);
	close_gate(&t);
	done[0] = space_access(&t.space, 6, 0);
	space_map_async(&t.space, 5, 3, 1, 0, &t.closed);
	/* Brings translations that are old before the bind lets it run. */
	done[1] = space_access(&t.space, 10, 0);
	for (int i = 0; i < SPACE_BUFFERS; i++)
		vexport_move(s->exporter, t.space.bo[i].dmabuf, 0,
			     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
	expect_closed(&t);
	gate_open(&t.gate);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(vimport_wait(t.space.fd, done[i]), 0);
	end(&t);
}

static void too_many(struct vshare_session *s)
{
	unsigned int count = 0;
	struct setup t;
	int ret;

	begin(&t, s);
	close_gate(&t);
	space_map_async(&t.space, 4, 2, 0, 0, &t.closed);
	do {
		ret = __space_bind_async(&t.space, 4, 2, 0, 0, NULL, 0);
		igt_assert_lte(++count, MAX_PENDING);
	} while (!ret);
	igt_assert_eq(ret, -EAGAIN);
	igt_assert_eq(count, MAX_PENDING);
	/* A job counts as well. */
	igt_assert_eq(__vimport_exec(t.space.fd, t.space.vm, &(struct vimport_job) {
		.cmds = { { .op = DRM_VIMPORT_OP_DELAY } }, .cmd_count = 1 }, 0), -EAGAIN);
	expect_closed(&t);
	gate_open(&t.gate);
	/* To wait is one way to have room again. */
	space_unmap(&t.space, 4, 2);
	space_map_async(&t.space, 4, 2, 0, 0, NULL);
	end(&t);
}

static void too_much(struct vshare_session *s)
{
	const uint64_t size = 64ull << 20, va = 1ull << 32;
	const unsigned int most = MAX_MAPPED / size;
	struct drm_vimport_vm_bind args = { .size = size };
	struct vexport_bo bo;
	unsigned int count;
	struct setup t;
	int ret;

	begin(&t, s);
	vexport_bo_init(&bo, s->exporter, size, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	args.vm_id = t.space.vm;
	args.handle = vimport_import(t.space.fd, bo.dmabuf, 0);
	/* One less than there may be, because of the page that the space has for itself. */
	for (args.va = va; args.va < va + (most - 1) * size; args.va += size)
		igt_assert_eq(__vimport_vm_bind(t.space.fd, &args), 0);
	/* As much may be on its way out. */
	close_gate(&t);
	args.flags = DRM_VIMPORT_VM_BIND_ASYNC;
	args.syncs = to_user_pointer(&t.closed);
	args.sync_count = 1;
	args.sync_stride = sizeof(t.closed);
	for (count = 0; count <= most; count++) {
		args.va = va + count % (most - 1) * size;
		ret = __vimport_vm_bind(t.space.fd, &args);
		if (ret)
			break;
	}
	igt_assert_eq(ret, -EAGAIN);
	igt_assert_eq(count, most);
	expect_closed(&t);
	gate_open(&t.gate);
	vimport_vm_unmap(t.space.fd, t.space.vm, va, MAX_MAPPED);
	gem_close(t.space.fd, args.handle);
	vexport_bo_fini(&bo);
	end(&t);
}

/* Binds and jobs that wait for the gate. */
static void submit_pending(struct setup *t)
{
	space_map(&t->space, 4, 8, 0, 0, 0);
	close_gate(t);
	space_map_async(&t->space, 6, 4, 1, 0, &t->closed);
	syncobj_destroy(t->space.fd, space_access(&t->space, 7, 0));
	space_unmap_async(&t->space, 0, SPACE_PAGES, NULL);
	space_map_async(&t->space, 6, 4, 0, 3, NULL);
}

static void destroy(struct vshare_session *s)
{
	struct drm_vimport_sync out;
	struct setup t;

	begin(&t, s);
	submit_pending(&t);
	out = (struct drm_vimport_sync) { syncobj_create(t.space.fd, 0), SIGNAL, 0 };
	space_unmap_async(&t.space, 6, 1, &out);
	vimport_vm_destroy(t.space.fd, t.space.vm);
	t.space.vm = 0;
	expect_closed(&t);
	gate_open(&t.gate);
	vimport_wait(t.space.fd, out.handle);
	for (int i = 0; i < SPACE_BUFFERS; i++)
		vexport_wait_given_back(s->exporter, t.space.bo[i].dmabuf);
	syncobj_destroy(t.space.fd, t.closed.handle);
	space_fini(&t.space);
}

static void closed(struct vshare_session *s)
{
	struct vshare_session own = *s;
	struct setup t;

	own.gpu[0] = vimport_open(0);
	begin(&t, &own);
	submit_pending(&t);
	close(own.gpu[0]);
	expect_closed(&t);
	/* Nobody is told that the jobs are cancelled before they could run. */
	gate_open(&t.gate);
	for (int i = 0; i < SPACE_BUFFERS; i++) {
		vexport_wait_given_back(s->exporter, t.space.bo[i].dmabuf);
		vexport_move(s->exporter, t.space.bo[i].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		vexport_bo_fini(&t.space.bo[i]);
	}
	vexport_bo_fini(&t.space.scratch);
}

static void killed(struct vshare_session *s)
{
	struct igt_helper_process child = { .use_SIGKILL = true };
	int ready[2];
	ssize_t len;
	char byte;

	igt_assert_eq(pipe(ready), 0);
	igt_fork_helper(&child) {
		struct vshare_session own = *s;
		struct setup t;

		own.gpu[0] = vimport_open(0);
		begin(&t, &own);
		submit_pending(&t);
		igt_assert_eq(write(ready[1], "", 1), 1);
		pause();
	}
	close(ready[1]);
	len = read(ready[0], &byte, 1);
	igt_stop_helper(&child);
	close(ready[0]);
	/* Anything that it has left is found at the end of the subtest. */
	igt_assert_eq(len, 1);
}

static void bad_syncs(struct vshare_session *s)
{
	struct drm_vimport_sync sync, many[65];
	struct drm_vimport_vm_bind good, args;
	struct space space;
	const struct {
		uint32_t flags;
		uint64_t point;
	} bad[] = {
		{ SIGNAL | TIMELINE << 1, 0 }, { SIGNAL | 1u << 31, 0 }, { SIGNAL, 1 },
		{ SIGNAL | TIMELINE, 0 },
		/* Nobody has submitted what it would wait for. */
		{ 0, 0 }, { TIMELINE, 1 },
	};

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_TT);
	space_map(&space, 4, 8, 0, 0, 0);
	sync = (struct drm_vimport_sync) { syncobj_create(space.fd, 0), SIGNAL, 0 };
	good = (struct drm_vimport_vm_bind) {
		.vm_id = space.vm,
		.op = DRM_VIMPORT_VM_BIND_OP_UNMAP,
		.flags = DRM_VIMPORT_VM_BIND_ASYNC,
		.va = space_va(6),
		.size = 2 * PAGE,
		.syncs = to_user_pointer(&sync),
		.sync_count = 1,
		.sync_stride = sizeof(sync),
	};
	args = good;
	args.flags = 0;
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	for (int stride = 0; stride <= 24; stride += stride == 8 ? 16 : 8) {
		args = good;
		args.sync_stride = stride;
		vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	}
	args = good;
	args.sync_count = 0;
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	args.syncs = 0;
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	args = good;
	args.syncs = 8;
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EFAULT);
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = sync;
	args = good;
	args.syncs = to_user_pointer(many);
	args.sync_count = ARRAY_SIZE(many);
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	/* A good one before a bad one is not left with a fence. */
	many[1].handle = UINT32_MAX;
	args.sync_count = 2;
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, ENOENT);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		many[1] = (struct drm_vimport_sync) { sync.handle, bad[i].flags, bad[i].point };
		vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	}
	igt_assert_eq(syncobj_wait_err(space.fd, &sync.handle, 1, 0, 0), -EINVAL);
	syncobj_destroy(space.fd, sync.handle);
	space_check(&space, "refused");
	space_fini(&space);
}

static const struct vshare_subtest subtests[] = {
	{ "out-syncs", "A bind says when it is done, to binary syncobjs and to timelines.",
	  out_syncs },
	{ "in-sync-binary", "A bind, and the jobs behind it, wait; the jobs before it do not.",
	  in_sync_binary },
	{ "in-sync-timeline", "The same with a point of a timeline.", in_sync_timeline },
	{ "order", "Binds and jobs take effect in the order of their submission.", order },
	{ "running-job", "A running job keeps what it has, the next one finds what is new.",
	  running },
	{ "unmap-busy", "To unmap what a job uses takes no time, and nothing from the job.",
	  unmap_busy },
	{ "kept", "Pages that stay can be used all the time.", kept },
	{ "random", "No write is lost or lands in the wrong place, whatever is bound when.",
	  random_binds },
	{ "move-leaving", "A buffer moves without waiting for the bind that unmaps it.",
	  move_leaving },
	{ "move-mapped", "What was mapped behind a bind that waits moves at once.", move_mapped },
	{ "not-needed", "No job needs a buffer that was unmapped before.", not_needed },
	{ "move-behind", "What moves while jobs wait for a bind is found where it is.",
	  move_behind },
	{ "too-many", "Binds that wait are bounded, like jobs.", too_many },
	{ "too-much", "What is on its way out is bounded.", too_much },
	{ "destroy", "An address space dies with binds pending.", destroy },
	{ "close", "A file is closed with binds pending.", closed },
	{ "kill", "A process is killed with binds pending.", killed },
	{ "bad-syncs", "Syncobjs are checked before anything is changed.", bad_syncs },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
