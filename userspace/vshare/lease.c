// SPDX-License-Identifier: MIT
/*
 * The kernel's storms. A storm is a descriptor and moves the same buffers for as long
 * as that is open, so a set of buffers that changes gets new storms. Each draws from
 * a seed of its own, counted on from the first.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cmd.h"
#include "lease.h"

/* By bit of DRM_VEXPORT_STORM_*. */
static const char * const kind_names[] = { "relocate", "system", "tt", "vram", "evict" };

/* Which of the names the text begins with, as a mask; zero if none. */
static uint32_t first_kind(const char *text, size_t len)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kind_names); i++) {
		if (strlen(kind_names[i]) == len && !strncmp(kind_names[i], text, len))
			return 1u << i;
	}
	return 0;
}

bool parse_kinds(const char *option, const char *text, uint32_t *kinds)
{
	const char *next = text;

	*kinds = 0;
	for (;;) {
		size_t len = strcspn(next, ",");
		uint32_t kind = first_kind(next, len);

		if (!kind)
			break;
		*kinds |= kind;
		next += len;
		if (!*next++)
			return true;
	}
	complain(0, "%s wants a list of relocate, system, tt, vram and evict, not \"%s\"", option,
		 text);
	return false;
}

/* Short, because somebody will want to type it again. */
uint64_t lease_choose_seed(void)
{
	uint32_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = now_ns();
	return seed ? seed : 1;
}

static int start_one(struct leases *leases, int dev, const int *dmabufs, unsigned int count,
		     unsigned int all)
{
	/* Each buffer has the same share of the moves. */
	uint32_t rate = (uint64_t)leases->rate * count / all;
	uint64_t seed = leases->seed + leases->started;
	int storm;

	storm = vshare_vexport_storm(dev, dmabufs, count, leases->kinds, rate ? rate : 1, &seed);
	if (storm == -ENOSPC)
		complain(0,
			 "the device has as many storms as it may have: end another `vshare run` or `vshare storm`");
	else if (storm < 0)
		complain(storm, "cannot start a storm");
	if (storm < 0)
		return storm;
	leases->storms[leases->count++] = storm;
	leases->started++;
	return 0;
}

int leases_start(struct leases *leases, const struct lease_buffer *buffers, unsigned int count)
{
	bool taken[LEASE_MAX_BUFFERS] = { false };
	int dmabufs[DRM_VEXPORT_STORM_MAX_FDS];

	for (unsigned int first = 0; first < count; first++) {
		unsigned int picked = 0;
		int ret;

		if (taken[first])
			continue;
		for (unsigned int i = first; i < count && picked < ARRAY_SIZE(dmabufs); i++) {
			if (taken[i] || buffers[i].dev != buffers[first].dev)
				continue;
			taken[i] = true;
			dmabufs[picked++] = buffers[i].dmabuf;
		}
		ret = start_one(leases, buffers[first].dev, dmabufs, picked, count);
		if (ret)
			return ret;
	}
	return 0;
}

int leases_read(const struct leases *leases, struct drm_vexport_storm_counters *sum)
{
	*sum = leases->ended;
	for (unsigned int i = 0; i < leases->count; i++) {
		struct drm_vexport_storm_counters now;
		int ret = vshare_vexport_storm_read(leases->storms[i], &now);

		if (ret) {
			complain(ret, "cannot read what a storm has done");
			return ret;
		}
		sum->steps += now.steps;
		sum->moves += now.moves;
		sum->idle += now.idle;
		sum->busy += now.busy;
		sum->failed += now.failed;
	}
	return 0;
}

int leases_end(struct leases *leases)
{
	struct drm_vexport_storm_counters sum;
	int ret = leases_read(leases, &sum);

	if (!ret)
		leases->ended = sum;
	for (unsigned int i = 0; i < leases->count; i++)
		close(leases->storms[i]);
	leases->count = 0;
	return ret;
}
