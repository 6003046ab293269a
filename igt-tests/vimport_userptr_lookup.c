// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_slow_pages.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Memory that changes while it is looked up for a job: what the job uses is "
		     "what was there at one point in time, and still is when it is published.");

/* What the driver looks up at a time. */
#define CHUNK			(2ull << 20)
#define CHUNK_WORDS		(CHUNK / sizeof(uint64_t))

enum { BEFORE = 1, MEANWHILE, AFTER };

/* What takes its time to be looked up, what changes then, and how many chunks there are. */
struct lookup {
	unsigned int count;
	unsigned int slow;
	unsigned int changed;
	/* The first chunk is a buffer of its own. */
	bool split;
};

static void run(struct vshare_session *s, const struct lookup *lookup)
{
	const size_t size = lookup->count * CHUNK, first = lookup->split ? CHUNK : size;
	uint64_t *mem = userptr_alloc(size), *change = mem + lookup->changed * CHUNK_WORDS;
	struct vimport_job before = {}, job = {};
	struct slow_submit submit;
	struct held_pages old;
	struct slow_pages slow;
	uint32_t done, rest = 0;
	struct userptr u;

	/* A huge page would be there again at once, in the same place perhaps. */
	madvise(mem, size, MADV_NOHUGEPAGE);
	slow_pages_init(&slow, s->gpu[0], mem + lookup->slow * CHUNK_WORDS, CHUNK);
	userptr_init(&u, s->gpu[0], mem, first, 0);
	if (lookup->split) {
		rest = vimport_userptr(u.fd, (char *)mem + first, size - first, 0);
		vimport_vm_map(u.fd, u.vm, rest, 0, u.va + first, size - first, 0);
	}
	vimport_job_fill(&before, u.va, size, BEFORE);
	vimport_run(u.fd, u.vm, &before);

	held_pages_init(&old, change, CHUNK);
	slow_pages_begin(&slow);
	vimport_job_fill(&job, u.va, size, AFTER);
	done = slow_submit_begin(&submit, u.fd, u.vm, &job);
	igt_assert_eq(madvise(change, CHUNK, MADV_DONTNEED), 0);
	for (size_t i = 0; i < CHUNK_WORDS; i++)
		change[i] = MEANWHILE;
	slow_pages_end(&slow);
	slow_submit_end(&submit);
	igt_assert_eq(vimport_wait(u.fd, done), 0);
	igt_assert_f(!userptr_holds(change, CHUNK, MEANWHILE),
		     "The job has written to pages that were gone before it was submitted\n");
	igt_assert(userptr_holds(mem, size, AFTER));

	held_pages_fini(&old);
	if (lookup->split)
		gem_close(u.fd, rest);
	userptr_fini(&u);
	slow_pages_fini(&slow);
	munmap(mem, size);
}

static void two_chunks(struct vshare_session *s)
{
	run(s, &(struct lookup) { .count = 2, .slow = 1, .changed = 0 });
}

static void three_chunks(struct vshare_session *s)
{
	run(s, &(struct lookup) { .count = 3, .slow = 1, .changed = 0 });
}

static void two_buffers(struct vshare_session *s)
{
	run(s, &(struct lookup) { .count = 2, .slow = 1, .changed = 0, .split = true });
}

static const struct vshare_subtest subtests[] = {
	{ "two-chunks", "The first part of a buffer changes while the last is looked up.",
	  two_chunks },
	{ "three-chunks", "The first part changes before the last is looked up.", three_chunks },
	{ "two-buffers", "One buffer has been looked up, and changes during the turn of another.",
	  two_buffers },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
