// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vimport_space.h"
#include "igt_vshare.h"

#define PAGE			SPACE_PAGE
#define PAGE_WORDS		(PAGE / sizeof(uint64_t))

/* In the middle of the pages both upper levels go on with another table. */
#define FIRST_VA		((1ull << 30) - SPACE_PAGES / 2 * PAGE)

/* Where the engine puts what it reads: out of the way. */
#define SCRATCH_VA		(1ull << 34)

/* The first word of a page says which one it is, the second is what the engine writes. */
static uint64_t name_of(int buffer, unsigned int page)
{
	return 0x5bace00000000000 | (uint64_t)(buffer + 1) << 32 | page;
}

/**
 * space_va - address of a page
 * @at: which one
 */
uint64_t space_va(unsigned int at)
{
	return FIRST_VA + at * PAGE;
}

static void name_pages(struct space *space, int buffer)
{
	for (unsigned int page = 0; page < SPACE_BUFFER_PAGES; page++)
		space->mem[buffer][page * PAGE_WORDS] = name_of(buffer, page);
}

static void add_import(struct space *space, struct vshare_session *s, uint32_t placement, int i)
{
	vexport_bo_init(&space->bo[i], s->exporter, SPACE_BUFFER_PAGES * PAGE, placement,
			DRM_VEXPORT_GEM_MOVING);
	space->handle[i] = vimport_import(space->fd, space->bo[i].dmabuf, 0);
	space->mem[i] = space->bo[i].map;
	name_pages(space, i);
}

static void add_userptr(struct space *space, int i)
{
	space->mem[i] = userptr_alloc(SPACE_BUFFER_PAGES * PAGE);
	space->handle[i] = vimport_userptr(space->fd, space->mem[i], SPACE_BUFFER_PAGES * PAGE, 0);
	name_pages(space, i);
}

static void init(struct space *space, struct vshare_session *s, uint32_t placement, bool userptr)
{
	uint32_t scratch;

	*space = (struct space) { .fd = s->gpu[0] };
	space->vm = vimport_vm_create(space->fd);
	for (int i = 0; i < SPACE_BUFFERS; i++) {
		if (userptr && i == SPACE_USERPTR)
			add_userptr(space, i);
		else
			add_import(space, s, placement, i);
	}
	vexport_bo_init(&space->scratch, s->exporter, PAGE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	scratch = vimport_import(space->fd, space->scratch.dmabuf, 0);
	vimport_vm_map(space->fd, space->vm, scratch, 0, SCRATCH_VA, PAGE, 0);
	gem_close(space->fd, scratch);
	space_expect_unmap(space, 0, SPACE_PAGES);
}

/**
 * space_init - make an address space and its buffers
 * @space: what to fill in
 * @s: the session
 * @placement: where the buffers are
 */
void space_init(struct space *space, struct vshare_session *s, uint32_t placement)
{
	init(space, s, placement, false);
}

/**
 * space_init_userptr - the same with memory of this process as buffer %SPACE_USERPTR
 * @space: what to fill in
 * @s: the session
 * @placement: where the other buffers are
 */
void space_init_userptr(struct space *space, struct vshare_session *s, uint32_t placement)
{
	init(space, s, placement, true);
}

void space_fini(struct space *space)
{
	if (space->vm)
		vimport_vm_destroy(space->fd, space->vm);
	vexport_bo_fini(&space->scratch);
	for (int i = 0; i < SPACE_BUFFERS; i++) {
		if (space->handle[i])
			gem_close(space->fd, space->handle[i]);
		if (space->mem[i] != space->bo[i].map)
			munmap(space->mem[i], SPACE_BUFFER_PAGES * PAGE);
		else
			vexport_bo_fini(&space->bo[i]);
	}
}

/**
 * space_expect_map - what the pages must be from now on
 * @space: the space
 * @at: first page
 * @count: how many
 * @buffer: which buffer
 * @offset: page of it
 * @flags: mask of DRM_VIMPORT_VM_BIND_*
 */
void space_expect_map(struct space *space, unsigned int at, unsigned int count, int buffer,
		      unsigned int offset, uint32_t flags)
{
	igt_assert_lte(at + count, SPACE_PAGES);
	igt_assert_lte(offset + count, SPACE_BUFFER_PAGES);
	for (unsigned int i = 0; i < count; i++)
		space->page[at + i] = (struct space_page) {
			.buffer = buffer,
			.page = offset + i,
			.readonly = flags & DRM_VIMPORT_VM_BIND_READONLY,
		};
}

void space_expect_unmap(struct space *space, unsigned int at, unsigned int count)
{
	igt_assert_lte(at + count, SPACE_PAGES);
	for (unsigned int i = 0; i < count; i++)
		space->page[at + i] = (struct space_page) { .buffer = -1 };
}

/* Parameters as for space_expect_map(). */
void space_map(struct space *space, unsigned int at, unsigned int count, int buffer,
	       unsigned int offset, uint32_t flags)
{
	space_expect_map(space, at, count, buffer, offset, flags);
	vimport_vm_map(space->fd, space->vm, space->handle[buffer], offset * PAGE, space_va(at),
		       count * PAGE, flags);
}

void space_unmap(struct space *space, unsigned int at, unsigned int count)
{
	space_expect_unmap(space, at, count);
	vimport_vm_unmap(space->fd, space->vm, space_va(at), count * PAGE);
}

/**
 * __space_bind_async - map or unmap pages without a wait, and without expecting it
 * @space: the space
 * @at: first page
 * @count: how many
 * @buffer: which buffer, or -1 to unmap
 * @offset: page of it
 * @syncs: syncobjs
 * @sync_count: how many they are
 *
 * Returns zero or -errno.
 */
int __space_bind_async(struct space *space, unsigned int at, unsigned int count, int buffer,
		       unsigned int offset, const struct drm_vimport_sync *syncs,
		       unsigned int sync_count)
{
	struct drm_vimport_vm_bind args = {
		.vm_id = space->vm,
		.op = buffer < 0 ? DRM_VIMPORT_VM_BIND_OP_UNMAP : DRM_VIMPORT_VM_BIND_OP_MAP,
		.flags = DRM_VIMPORT_VM_BIND_ASYNC,
		.handle = buffer < 0 ? 0 : space->handle[buffer],
		.offset = offset * PAGE,
		.va = space_va(at),
		.size = count * PAGE,
		.syncs = sync_count ? to_user_pointer(syncs) : 0,
		.sync_count = sync_count,
		.sync_stride = sync_count ? sizeof(*syncs) : 0,
	};

	return __vimport_vm_bind(space->fd, &args);
}

/* With one syncobj, or NULL. */
void space_map_async(struct space *space, unsigned int at, unsigned int count, int buffer,
		     unsigned int offset, const struct drm_vimport_sync *sync)
{
	space_expect_map(space, at, count, buffer, offset, 0);
	igt_assert_eq(__space_bind_async(space, at, count, buffer, offset, sync, sync ? 1 : 0), 0);
}

void space_unmap_async(struct space *space, unsigned int at, unsigned int count,
		       const struct drm_vimport_sync *sync)
{
	space_expect_unmap(space, at, count);
	igt_assert_eq(__space_bind_async(space, at, count, -1, 0, sync, sync ? 1 : 0), 0);
}

/**
 * space_take_away - have pages of this process's memory replaced by new ones
 * @space: a space of space_init_userptr()
 * @page: first page of that buffer
 * @count: how many
 *
 * Whatever was submitted has written to the old ones when the kernel has taken them, so what
 * the new ones must hold is known: whoever still writes to the old ones loses it.
 */
void space_take_away(struct space *space, unsigned int page, unsigned int count)
{
	uint64_t *word = &space->mem[SPACE_USERPTR][page * PAGE_WORDS];
	struct held_pages old;

	igt_assert_lte(page + count, SPACE_BUFFER_PAGES);
	held_pages_init(&old, word, count * PAGE);
	igt_assert_eq(madvise(word, count * PAGE, MADV_DONTNEED), 0);
	for (; count--; page++, word += PAGE_WORDS) {
		word[0] = name_of(SPACE_USERPTR, page);
		word[1] = space->written[SPACE_USERPTR][page];
	}
	held_pages_fini(&old);
}

/**
 * space_hide - forbid the use of a page of this process's memory, and so of all of the buffer
 * @space: a space of space_init_userptr()
 * @page: page of that buffer
 */
void space_hide(struct space *space, unsigned int page)
{
	igt_assert_eq(mprotect(&space->mem[SPACE_USERPTR][page * PAGE_WORDS], PAGE, PROT_NONE), 0);
	space->hidden[SPACE_USERPTR] = true;
}

/* Undoes space_hide(). */
void space_show(struct space *space, unsigned int page)
{
	igt_assert_eq(mprotect(&space->mem[SPACE_USERPTR][page * PAGE_WORDS], PAGE,
			       PROT_READ | PROT_WRITE), 0);
	space->hidden[SPACE_USERPTR] = false;
}

static bool readable(const struct space *space, const struct space_page *page)
{
	return page->buffer >= 0 && !space->hidden[page->buffer];
}

/**
 * space_expect - how an access to a page must end
 * @space: the space
 * @at: the page
 *
 * Returns zero or -EFAULT.
 */
int space_expect(const struct space *space, unsigned int at)
{
	const struct space_page *page = &space->page[at];

	return readable(space, page) && !page->readonly ? 0 : -EFAULT;
}

/**
 * space_access - have the engine read one page and then write it
 * @space: the space
 * @at: the page
 * @delay_ns: how long the job takes before it does that
 *
 * The first thing that it may not do ends the job.
 *
 * Returns a syncobj for vimport_wait().
 */
uint32_t space_access(struct space *space, unsigned int at, uint64_t delay_ns)
{
	const struct space_page *page = &space->page[at];
	uint64_t va = space_va(at), value = ++space->sequence;
	struct vimport_job job = {};

	if (delay_ns)
		vimport_job_delay(&job, delay_ns);
	vimport_job_copy(&job, SCRATCH_VA + at * sizeof(uint64_t), va, sizeof(uint64_t));
	vimport_job_fill(&job, va + sizeof(uint64_t), sizeof(uint64_t), value);
	if (!space_expect(space, at))
		space->written[page->buffer][page->page] = value;
	return vimport_submit(space->fd, space->vm, &job, 0);
}

/**
 * space_check - have the engine read and write every page, and see what it did
 * @space: the space
 * @when: what was done last, for the message
 *
 * Each page must be that of the right buffer, or none, and be writable or not. No page
 * of any buffer that was not meant may have changed.
 */
void space_check(struct space *space, const char *when)
{
	uint32_t done[SPACE_PAGES];

	memset(space->scratch.map, 0, SPACE_PAGES * sizeof(uint64_t));
	for (unsigned int at = 0; at < SPACE_PAGES; at++)
		done[at] = space_access(space, at, 0);

	for (unsigned int at = 0; at < SPACE_PAGES; at++) {
		const struct space_page *page = &space->page[at];
		int ret = vimport_wait(space->fd, done[at]);
		uint64_t want = readable(space, page) ? name_of(page->buffer, page->page) : 0;

		igt_assert_f(ret == space_expect(space, at),
			     "%s: access to page %u ended with %d\n", when, at, ret);
		igt_assert_f(space->scratch.map[at] == want,
			     "%s: page %u shows %#" PRIx64 ", should be %#" PRIx64 "\n", when, at,
			     space->scratch.map[at], want);
	}

	for (int buffer = 0; buffer < SPACE_BUFFERS; buffer++) {
		/* What it holds can be seen when it is back. */
		for (unsigned int page = 0; page < SPACE_BUFFER_PAGES && !space->hidden[buffer];
		     page++) {
			const uint64_t *word = &space->mem[buffer][page * PAGE_WORDS];

			igt_assert_f(word[0] == name_of(buffer, page) &&
				     word[1] == space->written[buffer][page],
				     "%s: page %u of buffer %d holds %#" PRIx64 " and write %"
				     PRIu64 ", should hold write %" PRIu64 "\n", when, page, buffer,
				     word[0], word[1], space->written[buffer][page]);
		}
	}
}
