// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_gate.h"
#include "igt_space_random.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_space.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Memory of a process that is mapped in pieces: each piece shows the right "
		     "pages, whichever the process gives up, and whatever is bound when.");

#define RO			DRM_VIMPORT_VM_BIND_READONLY
#define MEMORY			SPACE_USERPTR
#define IMPORT			(!SPACE_USERPTR)

/* What the cases below have mapped, and what they do to the middle of it. */
#define AT			3
#define COUNT			18
#define OFFSET			7
#define MIDDLE			10
#define MIDDLE_COUNT		4

/* Pages of the memory that are mapped before the middle, in it, and after it. */
#define PAGE_BEFORE		(OFFSET + 1)
#define PAGE_IN			(OFFSET + MIDDLE - AT + 1)
#define PAGE_AFTER		(OFFSET + COUNT - 3)

/* Where they are. */
#define AT_BEFORE		(AT + 1)
#define AT_IN			(MIDDLE + 1)
#define AT_AFTER		(AT + COUNT - 3)

static void begin(struct space *space, struct vshare_session *s)
{
	space_init_userptr(space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	space_map(space, AT, COUNT, MEMORY, OFFSET, 0);
	space_check(space, "mapped");
}

/* The page tables follow each page of the memory that goes, and lose all if one is missing. */
static void check(struct space *space, struct vshare_session *s, const char *when)
{
	static const unsigned int pages[] = { PAGE_BEFORE, PAGE_IN, PAGE_AFTER };
	char what[80];

	space_check(space, when);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		space_take_away(space, pages[i], 1);
		snprintf(what, sizeof(what), "%s, and page %u is a new one", when, pages[i]);
		space_check(space, what);
		space_hide(space, pages[i]);
		snprintf(what, sizeof(what), "%s, and page %u is gone", when, pages[i]);
		space_check(space, what);
		space_show(space, pages[i]);
		snprintf(what, sizeof(what), "%s, and page %u is back", when, pages[i]);
		space_check(space, what);
	}
	space_take_away(space, 0, SPACE_BUFFER_PAGES);
	vexport_move(s->exporter, space->bo[IMPORT].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	snprintf(what, sizeof(what), "%s, and all is new", when);
	space_check(space, what);
}

static void middle(struct vshare_session *s)
{
	struct space space;

	begin(&space, s);
	check(&space, s, "mapped");
	/* What is not mapped goes as well. */
	space_take_away(&space, 0, OFFSET);
	space_take_away(&space, OFFSET + COUNT, SPACE_BUFFER_PAGES - OFFSET - COUNT);
	space_check(&space, "what is not mapped is new");
	space_fini(&space);
}

static void unmap(struct vshare_session *s)
{
	struct space space;

	begin(&space, s);
	space_unmap(&space, MIDDLE, MIDDLE_COUNT);
	check(&space, s, "unmapped");
	space_fini(&space);
}

/* @offset: page of the buffer that comes to the middle. */
static void map_over(struct vshare_session *s, int buffer, unsigned int offset, uint32_t flags)
{
	struct space space;

	begin(&space, s);
	space_map(&space, MIDDLE, MIDDLE_COUNT, buffer, offset, flags);
	check(&space, s, "mapped over");
	/* From the last piece into the middle, and what was there goes to both ends. */
	space_map(&space, MIDDLE + 2, 4, MEMORY, 0, 0);
	space_map(&space, 0, 2, MEMORY, OFFSET + MIDDLE - AT, 0);
	check(&space, s, "and over that");
	space_unmap(&space, 0, SPACE_PAGES);
	check(&space, s, "unmapped");
	space_fini(&space);
}

static void other_buffer(struct vshare_session *s)
{
	map_over(s, IMPORT, 2, 0);
}

static void other_offset(struct vshare_session *s)
{
	map_over(s, MEMORY, SPACE_BUFFER_PAGES - MIDDLE_COUNT, 0);
}

static void same_readonly(struct vshare_session *s)
{
	map_over(s, MEMORY, OFFSET + MIDDLE - AT, RO);
}

static void into_import(struct vshare_session *s)
{
	struct space space;

	space_init_userptr(&space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	space_map(&space, AT, COUNT, IMPORT, 4, 0);
	space_map(&space, MIDDLE, MIDDLE_COUNT, MEMORY, PAGE_IN, 0);
	check(&space, s, "in the middle of an import");
	space_map(&space, MIDDLE + 1, 1, IMPORT, 30, 0);
	check(&space, s, "in two pieces");
	space_fini(&space);
}

static void random_step(struct space *space, struct vshare_session *s, unsigned int i)
{
	unsigned int page = random() % SPACE_BUFFER_PAGES;

	if (i % 4 == 1)
		space_take_away(space, page, 1 + random() % (SPACE_BUFFER_PAGES - page));
	if (i % 16 == 7)
		vexport_move(s->exporter, space->bo[IMPORT].dmabuf, 0,
			     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
}

static void random_binds(struct vshare_session *s)
{
	struct space space;

	space_init_userptr(&space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	srandom(11);
	space_random_binds(&space, s, 240, random_step);
	space_fini(&space);
}

static void random_async(struct vshare_session *s)
{
	struct space space;

	space_init_userptr(&space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	srandom(13);
	space_random_async(&space, s, 40, random_step);
	space_fini(&space);
}

/* Work of another GPU, which has one engine: the last gate opens after the time of all. */
struct gates {
	struct gate gate[4];
	struct drm_vimport_sync closed;
};

static void close_gates(struct gates *gates, int fd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gates->gate); i++)
		gate_close(&gates->gate[i], 1, -1, 0, GATE_JOBS, 0);
	gates->closed = (struct drm_vimport_sync) { .handle = syncobj_create(fd, 0) };
	syncobj_import_sync_file(fd, gates->closed.handle, gates->gate[i - 1].fence);
}

static void open_gates(struct gates *gates, int fd)
{
	igt_assert_f(gate_closed(&gates->gate[ARRAY_SIZE(gates->gate) - 1]),
		     "A notifier has waited for a bind, or this machine is too slow to tell\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(gates->gate); i++)
		gate_open(&gates->gate[i]);
	syncobj_destroy(fd, gates->closed.handle);
}

static void expect_done(struct space *space, uint32_t done)
{
	igt_assert_f(!syncobj_wait_err(space->fd, &done, 1, 0, 0),
		     "The memory was taken away under a job\n");
	igt_assert_eq(vimport_wait(space->fd, done), 0);
}

/* The notifier comes when a bind waits: for the jobs before it, and not for the bind. */
static void async_split(struct vshare_session *s)
{
	struct gates gates;
	struct space space;
	uint32_t done[4];

	begin(&space, s);
	close_gates(&gates, space.fd);
	done[0] = space_access(&space, AT_IN, 20 * NSEC_PER_MSEC);
	space_unmap_async(&space, MIDDLE, MIDDLE_COUNT, &gates.closed);
	/*
	 * Beside what is left of the first, with other pages, while the memory is in use: whoever
	 * takes it away must wait for the job that is older than this, and not for the bind.
	 */
	space_map_async(&space, AT, 3, MEMORY, PAGE_IN, NULL);
	space_take_away(&space, PAGE_AFTER, 1);
	expect_done(&space, done[0]);
	space_take_away(&space, PAGE_BEFORE, 1);
	space_take_away(&space, PAGE_IN, 1);
	space_take_away(&space, PAGE_IN, 2);
	space_take_away(&space, PAGE_AFTER, 1);

	/* All of these wait, and who takes memory away waits for them from now on. */
	done[0] = space_access(&space, AT_BEFORE, 0);
	done[1] = space_access(&space, AT_AFTER, 0);
	done[2] = space_access(&space, AT_IN, 0);
	done[3] = space_access(&space, MIDDLE - 1, 0);
	open_gates(&gates, space.fd);
	for (unsigned int i = 0; i < ARRAY_SIZE(done); i++)
		igt_assert_eq(vimport_wait(space.fd, done[i]), i == 2 ? -EFAULT : 0);
	check(&space, s, "split");
	space_fini(&space);
}

/* All of it is on its way out, or was replaced, and what is used next is another buffer. */
static void async_leaving(struct vshare_session *s)
{
	struct gates gates;
	struct space space;
	uint32_t done;

	begin(&space, s);
	close_gates(&gates, space.fd);
	done = space_access(&space, AT_AFTER, 20 * NSEC_PER_MSEC);
	space_map_async(&space, 0, SPACE_PAGES, IMPORT, 0, &gates.closed);
	space_take_away(&space, PAGE_AFTER, 1);
	expect_done(&space, done);
	space_hide(&space, PAGE_AFTER);
	space_show(&space, PAGE_AFTER);
	space_take_away(&space, 0, SPACE_BUFFER_PAGES);
	done = space_access(&space, AT_AFTER, 0);
	open_gates(&gates, space.fd);
	igt_assert_eq(vimport_wait(space.fd, done), 0);
	space_check(&space, "replaced");
	space_map_async(&space, MIDDLE, MIDDLE_COUNT, MEMORY, PAGE_IN, NULL);
	check(&space, s, "mapped again");
	space_fini(&space);
}

/* What a bind that waits is going to map may change as it likes before a job needs it. */
static void async_coming(struct vshare_session *s)
{
	struct gates gates;
	struct space space;
	uint32_t done;

	space_init_userptr(&space, s, DRM_VEXPORT_PLACEMENT_VRAM);
	close_gates(&gates, space.fd);
	space_map_async(&space, AT, COUNT, MEMORY, OFFSET, &gates.closed);
	space_take_away(&space, 0, SPACE_BUFFER_PAGES);
	space_hide(&space, PAGE_IN);
	done = space_access(&space, AT_AFTER, 0);
	open_gates(&gates, space.fd);
	igt_assert_eq(vimport_wait(space.fd, done), -EFAULT);
	space_show(&space, PAGE_IN);
	check(&space, s, "mapped");
	space_fini(&space);
}

static const struct vshare_subtest subtests[] = {
	{ "middle", "Neither the first pages of a buffer are mapped nor the last.", middle },
	{ "unmap", "The middle is unmapped.", unmap },
	{ "map-over-other-buffer", "An import comes to the middle.", other_buffer },
	{ "map-over-other-offset", "Other pages of the same memory come to the middle.",
	  other_offset },
	{ "map-over-readonly", "The middle cannot be written any more.", same_readonly },
	{ "into-import", "Memory comes to the middle of an import.", into_import },
	{ "random", "Whatever the order, each page is what it was made last.", random_binds },
	{ "async-random", "The same with jobs between, and nobody waits.", random_async },
	{ "async-split", "Pages go while the middle is on its way out.", async_split },
	{ "async-leaving", "Pages go while all of it is on its way out.", async_leaving },
	{ "async-coming", "Pages go while they are about to be mapped.", async_coming },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
