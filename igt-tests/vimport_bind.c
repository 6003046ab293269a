// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_space_random.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_space.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Mappings that replace others, and unmapping of any range: each page of the "
		     "address space shows what was mapped there last, and nothing else changes.");

#define PAGE			SPACE_PAGE
#define RO			DRM_VIMPORT_VM_BIND_READONLY

/* A unit of the cases below in pages, and where they begin in address space and buffers. */
#define UNIT			4u
#define AT			6u
#define OFFSET			5u

/* What the documentation of VM_BIND allows in one address space. */
#define MAX_MAPPINGS		1024

/* A mapping in units. */
struct range {
	int buffer;
	unsigned int at, size, offset;
	uint32_t flags;
};

/*
 * How a new mapping can lie to an old one: the cases of drm_gpuvm's documentation, "Split
 * and Merge", in its order, and what it does not draw.
 */
static const struct {
	const char *name, *describe;
	struct range old, new;
} cases[] = {
	{ "same", "the same mapping again",
	  { 0, 0, 2, 0, 0 }, { 0, 0, 2, 0, 0 } },
	{ "same-other-offset", "another part of the same buffer",
	  { 0, 0, 2, 0, 0 }, { 0, 0, 2, 1, 0 } },
	{ "same-other-buffer", "another buffer",
	  { 0, 0, 2, 0, 0 }, { 1, 0, 2, 0, 0 } },
	{ "longer", "more of the same buffer",
	  { 0, 0, 1, 0, 0 }, { 0, 0, 2, 0, 0 } },
	{ "left-other-buffer", "another buffer in front of the rest",
	  { 0, 0, 2, 0, 0 }, { 1, 0, 1, 0, 0 } },
	{ "left", "the front of it again",
	  { 0, 0, 2, 0, 0 }, { 0, 0, 1, 0, 0 } },
	{ "right-other-buffer", "another buffer behind the rest",
	  { 0, 0, 2, 0, 0 }, { 1, 1, 1, 2, 0 } },
	{ "right", "the back of it again",
	  { 0, 0, 2, 0, 0 }, { 0, 1, 1, 1, 0 } },
	{ "end-and-behind-other-buffer", "another buffer from the middle on",
	  { 0, 0, 2, 0, 0 }, { 1, 1, 2, 2, 0 } },
	{ "end-and-behind", "the same buffer from the middle on",
	  { 0, 0, 2, 0, 0 }, { 0, 1, 2, 1, 0 } },
	{ "centre-other-buffer", "another buffer in the middle",
	  { 0, 0, 3, 0, 0 }, { 1, 1, 1, 2, 0 } },
	{ "centre", "the middle of it again",
	  { 0, 0, 3, 0, 0 }, { 0, 1, 1, 1, 0 } },
	{ "with-before", "the same buffer from in front",
	  { 0, 1, 1, 1, 0 }, { 0, 0, 2, 0, 0 } },
	{ "with-both-sides", "the same buffer on both sides",
	  { 0, 1, 1, 1, 0 }, { 0, 0, 3, 0, 0 } },
	{ "start-and-before-other-buffer", "another buffer up to the middle",
	  { 0, 1, 2, 0, 0 }, { 1, 0, 2, 2, 0 } },
	{ "start-and-before", "the same buffer up to the middle",
	  { 0, 1, 2, 1, 0 }, { 0, 0, 2, 0, 0 } },
	{ "with-both-sides-other-buffer", "another buffer on both sides",
	  { 0, 1, 1, 1, 0 }, { 1, 0, 3, 0, 0 } },
	{ "centre-other-offset", "another part of the same buffer in the middle",
	  { 0, 0, 3, 0, 0 }, { 0, 1, 1, 3, 0 } },
	{ "now-readonly", "the middle without permission to write",
	  { 0, 0, 3, 0, 0 }, { 0, 1, 1, 1, RO } },
	{ "now-writable", "the middle with permission to write",
	  { 0, 0, 3, 0, RO }, { 0, 1, 1, 1, 0 } },
	{ "beside", "the same buffer right behind",
	  { 0, 0, 1, 0, 0 }, { 0, 1, 1, 1, 0 } },
};

static void map_range(struct space *space, const struct range *r)
{
	space_map(space, AT + r->at * UNIT, r->size * UNIT, r->buffer, OFFSET + r->offset * UNIT,
		  r->flags);
}

/* What was mapped where is right, also after each buffer has moved and is mapped anew. */
static void check(struct space *space, struct vshare_session *s, const char *when)
{
	char moved[80];

	space_check(space, when);
	for (int i = 0; i < SPACE_BUFFERS; i++)
		vexport_move(s->exporter, space->bo[i].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	snprintf(moved, sizeof(moved), "%s, and moved", when);
	space_check(space, moved);
}

/*
 * A GPU counts the tables of all its address spaces. Those of the subtest before go, with
 * theirs, a moment after their file.
 */
static void wait_alone(int fd)
{
	struct timespec since = {};
	struct drm_vimport_info info;

	do {
		vimport_get_info(fd, &info);
	} while (info.vms && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS && !usleep(500));
	igt_assert_eq_u32(info.vms, 0);
}

/* @used: whether jobs have used the old mapping, so that it is in page table and TLB. */
static void map_over(struct vshare_session *s, const struct range *old, const struct range *new,
		     bool used)
{
	struct drm_vimport_info before, after;
	struct space space;

	wait_alone(s->gpu[0]);
	space_init(&space, s, DRM_VEXPORT_PLACEMENT_TT);
	vimport_get_info(space.fd, &before);
	map_range(&space, old);
	if (used)
		space_check(&space, "the old mapping");
	map_range(&space, new);
	check(&space, s, "replaced");
	/* What is there, however many pieces it is of, goes as a whole. */
	space_unmap(&space, 0, SPACE_PAGES);
	space_check(&space, "unmapped");
	vimport_get_info(space.fd, &after);
	igt_assert_eq_u32(after.tables, before.tables);
	for (int i = 0; i < SPACE_BUFFERS; i++) {
		struct drm_vexport_bo_query query;

		vexport_query(s->exporter, space.bo[i].dmabuf, &query);
		igt_assert_eq_u32(query.maps, 0);
	}
	space_fini(&space);
}

/* Ranges to unmap, in pages, while [8, 12) and [14, 20) are mapped. */
static const struct {
	const char *name, *describe;
	unsigned int at, count;
} unmaps[] = {
	{ "exact", "just one mapping", 8, 4 },
	{ "front", "the front of a mapping", 14, 2 },
	{ "front-and-before", "the front of a mapping and what is before it", 13, 3 },
	{ "back", "the back of a mapping", 18, 2 },
	{ "back-and-behind", "the back of a mapping and what is behind it", 17, 5 },
	{ "centre", "a hole in a mapping", 15, 3 },
	{ "page", "one page of a mapping", 10, 1 },
	{ "two", "the end of a mapping, and the beginning of the next", 10, 6 },
	{ "all", "everything", 0, SPACE_PAGES },
	{ "nothing", "where nothing is", 12, 2 },
};

static void unmap_range(struct vshare_session *s, unsigned int at, unsigned int count)
{
	struct space space;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_TT);
	space_map(&space, 8, 4, 0, 3, 0);
	space_map(&space, 14, 6, 1, 7, RO);
	space_check(&space, "mapped");
	space_unmap(&space, at, count);
	check(&space, s, "unmapped");
	space_fini(&space);
}

static void several(struct vshare_session *s)
{
	struct space space;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_TT);
	/* A piece of the first, all of three, a hole, a piece of the last. */
	space_map(&space, 2, 4, 0, 0, 0);
	space_map(&space, 6, 3, 1, 1, RO);
	space_map(&space, 9, 3, 0, 9, 0);
	space_map(&space, 12, 1, 1, 20, 0);
	space_map(&space, 15, 6, 0, 15, RO);
	space_check(&space, "mapped");
	space_map(&space, 4, 14, 1, 2, 0);
	check(&space, s, "replaced");
	space_fini(&space);
}

static void random_step(struct space *space, struct vshare_session *s, unsigned int i)
{
	if (i % 16 == 7)
		vexport_move(s->exporter, space->bo[random() % SPACE_BUFFERS].dmabuf, 0,
			     DRM_VEXPORT_MOVE_RELOCATE);
}

static void random_binds(struct vshare_session *s)
{
	struct drm_vimport_info before, after;
	struct space space;

	wait_alone(s->gpu[0]);
	space_init(&space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	vimport_get_info(space.fd, &before);
	srandom(5);
	space_random_binds(&space, s, 400, random_step);
	space_unmap(&space, 0, SPACE_PAGES);
	vimport_get_info(space.fd, &after);
	igt_assert_eq_u32(after.tables, before.tables);
	space_fini(&space);
}

/* Splitting makes mappings, too. */
static void limit(struct vshare_session *s)
{
	struct drm_vimport_vm_bind args;
	struct vexport_bo bo;
	uint32_t handle, vm;
	int fd = s->gpu[0];

	vexport_bo_init(&bo, s->exporter, 8 * PAGE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	handle = vimport_import(fd, bo.dmabuf, 0);
	vm = vimport_vm_create(fd);
	/* One less than there may be, and the last of them has more than a page. */
	for (unsigned int i = 0; i < MAX_MAPPINGS - 1; i++)
		vimport_vm_map(fd, vm, handle, 0, (8 + i * 8) * PAGE, 8 * PAGE, 0);
	vimport_vm_unmap(fd, vm, 10 * PAGE, PAGE);
	args = (struct drm_vimport_vm_bind) {
		.vm_id = vm,
		.op = DRM_VIMPORT_VM_BIND_OP_UNMAP,
		.va = 12 * PAGE,
		.size = PAGE,
	};
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, ENOSPC);
	args.op = DRM_VIMPORT_VM_BIND_OP_MAP;
	args.handle = handle;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, ENOSPC);
	/* What makes no more of them is allowed: the end of one, and one for one. */
	vimport_vm_unmap(fd, vm, 8 * PAGE, PAGE);
	vimport_vm_map(fd, vm, handle, 0, 16 * PAGE, 8 * PAGE, RO);
	/* Of two, one is gone, then there is room for a split. */
	vimport_vm_map(fd, vm, handle, 0, 24 * PAGE, 8 * PAGE, 0);
	vimport_vm_unmap(fd, vm, 32 * PAGE, 8 * PAGE);
	args.op = DRM_VIMPORT_VM_BIND_OP_UNMAP;
	args.handle = 0;
	igt_assert_eq(__vimport_vm_bind(fd, &args), 0);
	vimport_vm_destroy(fd, vm);
	gem_close(fd, handle);
	vexport_bo_fini(&bo);
}

static void waits(struct vshare_session *s)
{
	struct vimport_job job = {};
	struct space space;
	uint32_t done;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_TT);
	space_map(&space, 4, 8, 0, 0, 0);
	vimport_job_delay(&job, 30 * NSEC_PER_MSEC);
	vimport_job_fill(&job, space_va(4) + 8, 8, ++space.sequence);
	space.written[0][0] = space.sequence;
	done = vimport_submit(space.fd, space.vm, &job, 0);
	/* Has the job fault, or write to the other buffer, unless it is waited for. */
	space_map(&space, 4, 2, 1, 0, 0);
	igt_assert_eq(vimport_wait(space.fd, done), 0);
	space_check(&space, "replaced while busy");
	space_fini(&space);
}

static void flush(struct vshare_session *s)
{
	struct vimport_job job = {};
	struct space space;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	space_map(&space, 0, SPACE_PAGES, 0, 0, 0);
	/* The last thing that the engine does is to use what is going to go. */
	vimport_job_fill(&job, space_va(10) + 16, 8, 1);
	vimport_job_fill(&job, space_va(13) + 16, 8, 1);
	vimport_run(space.fd, space.vm, &job);
	space_unmap(&space, 10, 4);
	space_check(&space, "unmapped after use");
	space_fini(&space);
}

static void close_in_pieces(struct vshare_session *s)
{
	struct space space;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_TT);
	space_map(&space, 2, 20, 0, 0, 0);
	/* Each piece keeps the buffer. */
	gem_close(space.fd, space.handle[0]);
	space.handle[0] = 0;
	space_unmap(&space, 10, 3);
	space_map(&space, 4, 2, 1, 0, 0);
	check(&space, s, "in pieces");
	space_fini(&space);
}

/*
 * What is pinned there leaves room in VRAM for two of five buffers. Each move, and each
 * map, brings one there and takes the room from others; two GPUs want all five for each job.
 */
static void vram_too_small(struct vshare_session *s)
{
	const struct drm_vexport_bo_profile profile = { .nasty = DRM_VEXPORT_NASTY_MAP_TO_VRAM };
	const uint64_t size = 2ull << 20, va = 1ull << 32;
	struct drm_vimport_info before, after;
	unsigned int good[2] = {};
	struct vexport_bo bo[5], filler;
	uint64_t expect = 0;
	uint32_t vm[2];

	igt_require(s->gpus >= 2);
	vexport_bo_init(&filler, s->exporter, s->start.exporter.vram_size - 5 * size / 2,
			DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_GEM_MOVING);
	vimport_import(s->gpu[0], filler.dmabuf, DRM_VIMPORT_IMPORT_PINNED);
	for (int gpu = 0; gpu < 2; gpu++)
		vm[gpu] = vimport_vm_create(s->gpu[gpu]);
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++) {
		vexport_bo_init(&bo[i], s->exporter, size, DRM_VEXPORT_PLACEMENT_TT,
				DRM_VEXPORT_GEM_MOVING);
		vexport_set_profile(s->exporter, bo[i].dmabuf, &profile);
		for (int gpu = 0; gpu < 2; gpu++)
			vimport_vm_map(s->gpu[gpu], vm[gpu],
				       vimport_import(s->gpu[gpu], bo[i].dmabuf, 0), 0,
				       va + i * size, size, 0);
	}
	vimport_get_info(s->gpu[0], &before);
	for (unsigned int i = 0; i < 8; i++) {
		int gpu = i % 2, ret;
		uint32_t done = syncobj_create(s->gpu[gpu], 0);
		struct vimport_job job = {};

		vexport_move(s->exporter, bo[i % ARRAY_SIZE(bo)].dmabuf,
			     DRM_VEXPORT_PLACEMENT_VRAM, 0);
		for (unsigned int j = 0; j < ARRAY_SIZE(bo); j++)
			vimport_job_fill(&job, va + (j + 1) * size - 8, 8, i + 1);
		vimport_job_sync(&job, done, 0, DRM_VIMPORT_SYNC_SIGNAL);
		ret = __vimport_exec(s->gpu[gpu], vm[gpu], &job, 0);
		igt_assert_f(!ret || ret == -EBUSY || ret == -ENOMEM || ret == -ENOSPC,
			     "job %u: %s\n", i, strerror(-ret));
		if (ret) {
			syncobj_destroy(s->gpu[gpu], done);
			continue;
		}
		igt_assert_eq(vimport_wait(s->gpu[gpu], done), 0);
		expect = i + 1;
		good[gpu]++;
		for (unsigned int j = 0; j < ARRAY_SIZE(bo); j++)
			igt_assert_eq_u64(bo[j].map[size / 8 - 1], expect);
	}
	vimport_get_info(s->gpu[0], &after);
	igt_info("%u and %u of 4 jobs ran, %llu revalidations\n", good[0], good[1],
		 (unsigned long long)(after.revalidations - before.revalidations));
	igt_assert_lt(0, good[0]);
	igt_assert_lt(0, good[1]);
	/* Or nobody has taken anything from anybody. */
	igt_assert_lt_u64(4, after.revalidations - before.revalidations);
	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++)
		vexport_bo_fini(&bo[i]);
	vexport_bo_fini(&filler);
}

static void bad_syncs(struct vshare_session *s)
{
	struct drm_vimport_vm_bind good = { .op = DRM_VIMPORT_VM_BIND_OP_UNMAP }, args;
	struct space space;

	space_init(&space, s, DRM_VEXPORT_PLACEMENT_TT);
	good.vm_id = space.vm;
	good.va = space_va(0);
	good.size = PAGE;
	args = good;
	args.syncs = to_user_pointer(&args);
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	args = good;
	args.sync_count = 1;
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	args = good;
	args.sync_stride = sizeof(struct drm_vimport_sync);
	vshare_refused(s, space.fd, DRM_IOCTL_VIMPORT_VM_BIND, &args, EINVAL);
	igt_assert_eq(__vimport_vm_bind(space.fd, &good), 0);
	space_fini(&space);
}

static const struct vshare_subtest subtests[] = {
	{ "map-over-several", "A mapping replaces pieces of others, and all that lie between.",
	  several },
	{ "random", "Whatever the order, each page is what it was made last.", random_binds },
	{ "limit", "Splitting mappings is no way around their limit.", limit },
	{ "busy", "What a job may use stays until it is over.", waits },
	{ "flush", "What is unmapped cannot be reached through the TLB.", flush },
	{ "close-in-pieces", "Every piece of a mapping keeps its buffer.", close_in_pieces },
	{ "vram-too-small", "With more than fits where it should be jobs run, or are refused.",
	  vram_too_small },
	{ "bad-syncs", "Who waits for the call has nothing to say about syncobjs.", bad_syncs },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	struct vshare_session s;

	igt_fixture
		close(vimport_open(0));

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		igt_describe_f("Mapped over a mapping: %s.", cases[i].describe);
		igt_subtest_f("map-over-%s", cases[i].name) {
			vshare_session_begin(&s);
			map_over(&s, &cases[i].old, &cases[i].new, false);
			map_over(&s, &cases[i].old, &cases[i].new, true);
			vshare_session_end(&s);
		}
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(unmaps); i++) {
		igt_describe_f("Unmapped: %s.", unmaps[i].describe);
		igt_subtest_f("unmap-%s", unmaps[i].name) {
			vshare_session_begin(&s);
			unmap_range(&s, unmaps[i].at, unmaps[i].count);
			vshare_session_end(&s);
		}
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
