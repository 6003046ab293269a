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

/* The last of a few chunks takes its time; @changed: the one that changes then. */
static void chunks(struct vshare_session *s, unsigned int count, unsigned int changed)
{
	uint64_t *mem = userptr_alloc(count * CHUNK), *change = mem + changed * CHUNK_WORDS;
	uint64_t *last = mem + (count - 1) * CHUNK_WORDS;
	struct held_pages old;
	struct slow_submit submit;
	struct vimport_job job = {};
	struct slow_pages slow;
	struct userptr u;
	uint32_t done;

	/* A huge page would be there again at once, in the same place perhaps. */
	madvise(mem, count * CHUNK, MADV_NOHUGEPAGE);
	slow_pages_init(&slow, s->gpu[0], last, CHUNK);
	userptr_init(&u, s->gpu[0], mem, count * CHUNK, 0);
	igt_assert_eq(userptr_fill(&u, BEFORE), 0);

	held_pages_init(&old, change, CHUNK);
	slow_pages_begin(&slow);
	vimport_job_fill(&job, u.va, u.size, AFTER);
	done = slow_submit_begin(&submit, u.fd, u.vm, &job);
	igt_assert_eq(madvise(change, CHUNK, MADV_DONTNEED), 0);
	for (size_t i = 0; i < CHUNK_WORDS; i++)
		change[i] = MEANWHILE;
	slow_pages_end(&slow);
	slow_submit_end(&submit);
	igt_assert_eq(vimport_wait(u.fd, done), 0);
	igt_assert_f(!userptr_holds(change, CHUNK, MEANWHILE),
		     "The job has written to pages that were gone before it was submitted\n");
	igt_assert(userptr_holds(mem, u.size, AFTER));

	held_pages_fini(&old);
	userptr_fini(&u);
	slow_pages_fini(&slow);
	munmap(mem, count * CHUNK);
}

static void two_chunks(struct vshare_session *s)
{
	chunks(s, 2, 0);
}

static void three_chunks(struct vshare_session *s)
{
	chunks(s, 3, 1);
}

static const struct vshare_subtest subtests[] = {
	{ "two-chunks", "The first part of a buffer changes while the second is looked up.",
	  two_chunks },
	{ "three-chunks", "The second part changes while the third is looked up.", three_chunks },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
