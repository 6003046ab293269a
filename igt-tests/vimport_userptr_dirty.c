// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sched.h>

#include "igt.h"
#include "igt_swap.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What the GPU has written is not lost when memory is short: pages that it can "
		     "write to count as written, whatever the CPU's page table says.");

#define SIZE			(256ull << 10)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif

/* How much of the memory is there? */
static unsigned int present(void *mem)
{
	unsigned char vec[SIZE / 4096];
	unsigned int count = 0;

	igt_assert_eq(mincore(mem, SIZE, vec), 0);
	for (unsigned int i = 0; i < SIZE / 4096; i++)
		count += vec[i] & 1;
	return count;
}

/*
 * Pages that another CPU has just put on its list, to be sorted in later, cannot be paged
 * out, and that CPU may have nothing more to sort for a long time.
 */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	igt_assert_lte(0, cpu);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	igt_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Some pages may be busy at the first try. */
static void page_out(void *mem)
{
	struct timespec since = {};

	do
		igt_assert_eq(madvise(mem, SIZE, MADV_PAGEOUT), 0);
	while (present(mem) && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS && !usleep(10000));
	igt_assert_f(!present(mem), "%u pages do not go\n", present(mem));
}

static void read_all(const volatile uint64_t *mem)
{
	for (size_t i = 0; i < SIZE / sizeof(*mem); i += 512)
		(void)mem[i];
}

static void expect_kept(struct vshare_session *s, uint64_t *mem)
{
	struct userptr u;

	userptr_init(&u, s->gpu[0], mem, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 2), 0);
	page_out(mem);
	igt_assert(userptr_holds(mem, SIZE, 2));
	/* And once more, from where it has been. */
	igt_assert_eq(userptr_fill(&u, 3), 0);
	page_out(mem);
	igt_assert_eq(userptr_fill(&u, 4), 0);
	igt_assert(userptr_holds(mem, SIZE, 4));
	munmap(mem, SIZE);
	userptr_fini(&u);
}

static void anonymous(struct vshare_session *s)
{
	swap_start();
	expect_kept(s, userptr_alloc(SIZE));
	swap_stop(0);
}

/* Pages of a hole that have only been read are mapped for writing, too, and are clean. */
static void shared(struct vshare_session *s)
{
	uint64_t *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	igt_assert(mem != MAP_FAILED);
	swap_start();
	read_all(mem);
	expect_kept(s, mem);
	swap_stop(0);
}

/* Given up, but not gone: who writes to such a page has it back. */
static void given_up(struct vshare_session *s)
{
	uint64_t *mem = userptr_alloc(SIZE);

	swap_start();
	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	memset(mem, 1, SIZE);
	igt_assert_eq(madvise(mem, SIZE, MADV_FREE), 0);
	expect_kept(s, mem);
	swap_stop(0);
}

/* Back from swap to be read, and then made writable: memory and swap are the same yet. */
static void unprotected(struct vshare_session *s)
{
	uint64_t *mem = userptr_alloc(SIZE);

	swap_start();
	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	memset(mem, 1, SIZE);
	page_out(mem);
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ), 0);
	read_all(mem);
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ | PROT_WRITE), 0);
	expect_kept(s, mem);
	swap_stop(0);
}

static const struct vshare_subtest subtests[] = {
	{ "anonymous", "Memory of the process alone survives swap.", anonymous },
	{ "shared", "So does shared memory that only the GPU has written to.", shared },
	{ "given-up", "So does memory that was given up with MADV_FREE before.", given_up },
	{ "unprotected", "So does memory that was read-only in the meantime.", unprotected },
};

igt_main
{
	igt_fixture {
		close(vimport_open(0));
		stay_on_this_cpu();
		igt_install_exit_handler(swap_stop);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
