// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <stdlib.h>

#include "igt.h"
#include "igt_space_random.h"
#include "igt_vimport.h"

#define RO			DRM_VIMPORT_VM_BIND_READONLY

/* Rounds of space_random_async(), and how much of each at the most is not waited for. */
#define ROUNDS			8
#define MAX_JOBS		64

/* Where the next bind goes. */
static void choose_pages(unsigned int *at, unsigned int *count)
{
	*at = random() % SPACE_PAGES;
	*count = 1 + random() % (SPACE_PAGES - *at);
}

/**
 * space_random_binds - map and unmap pages at random, and look at all of them now and then
 * @space: the space
 * @s: the session, for @step
 * @count: how many binds
 * @step: what else to do after each
 *
 * Which ones follows from srandom(), which the caller has called.
 */
void space_random_binds(struct space *space, struct vshare_session *s, unsigned int count,
			space_random_step *step)
{
	char when[32];

	for (unsigned int i = 0; i < count; i++) {
		unsigned int at, pages;

		choose_pages(&at, &pages);
		if (random() % 3)
			space_map(space, at, pages, random() % SPACE_BUFFERS,
				  random() % (SPACE_BUFFER_PAGES - pages + 1),
				  random() % 4 ? 0 : RO);
		else
			space_unmap(space, at, pages);
		step(space, s, i);
		if (i % 8)
			continue;
		snprintf(when, sizeof(when), "after %u binds", i + 1);
		space_check(space, when);
	}
}

/**
 * space_random_async - the same with a job behind each bind, and nobody waits in between
 * @space: the space
 * @s: the session, for @step
 * @count: how many binds, and jobs, before all of them are waited for
 * @step: what else to do after each job
 *
 * Each job must end as what was mapped when it was submitted says.
 */
void space_random_async(struct space *space, struct vshare_session *s, unsigned int count,
			space_random_step *step)
{
	struct {
		uint32_t done;
		int expect;
	} jobs[MAX_JOBS];

	igt_assert_lte(count, MAX_JOBS);
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < count; i++) {
			unsigned int at, pages;

			choose_pages(&at, &pages);
			if (random() % 4)
				space_map_async(space, at, pages, random() % SPACE_BUFFERS,
						random() % (SPACE_BUFFER_PAGES - pages + 1), NULL);
			else
				space_unmap_async(space, at, pages, NULL);
			at = random() % SPACE_PAGES;
			jobs[i].expect = space_expect(space, at);
			jobs[i].done = space_access(space, at, i % 8 ? 0 : 2 * NSEC_PER_MSEC);
			step(space, s, i);
		}
		for (unsigned int i = 0; i < count; i++)
			igt_assert_eq(vimport_wait(space->fd, jobs[i].done), jobs[i].expect);
		space_check(space, "after a round");
	}
}
