// SPDX-License-Identifier: MIT
/*
 * Who writes where. Every GPU has every buffer bound, so each move has to tell
 * all of them, but each writes to a slice of its own:
 *
 *	buffer  | slice of GPU 0                     | slice of GPU 1 ...
 *	        | lane 0 | .. | lane 3 | copy | hash |
 *
 * A lane has one job in flight at a time, and is verified between two jobs
 * while jobs on the other lanes run; that is how verification does not race
 * with writers and moves meet writers all the same. Lanes and slices do not
 * end on page boundaries: neighbours share pages.
 *
 * A job tags the two halves of a lane with consecutive sequence numbers, so
 * that a lane of which only one half was written by the last job shows.
 */
#include <stdio.h>

#include "demo.h"

#define SEQUENCE	(1ull << DRM_VIMPORT_TAG_INDEX_BITS)

static size_t slice_size(const struct demo_config *config)
{
	return config->size / config->gpus & ~(size_t)7;
}

/* Two halves of whole words each. */
size_t demo_lane_size(const struct demo_config *config)
{
	return (slice_size(config) - sizeof(uint64_t)) / (DEMO_LANES + 1) & ~(size_t)15;
}

size_t demo_lane_offset(const struct demo_config *config, unsigned int gpu, unsigned int lane)
{
	return gpu * slice_size(config) + lane * demo_lane_size(config);
}

size_t demo_checksum_offset(const struct demo_config *config, unsigned int gpu)
{
	return demo_lane_offset(config, gpu, DEMO_LANES + 1);
}

static size_t half_words(const struct demo_config *config)
{
	return demo_lane_size(config) / 2 / sizeof(uint64_t);
}

void demo_lane_job(const struct demo_config *config, struct vshare_job *job, uint64_t va,
		   uint64_t tag, uint64_t delay)
{
	size_t half = demo_lane_size(config) / 2;

	vshare_job_tag(job, va, half, tag);
	if (delay)
		vshare_job_delay(job, delay);
	vshare_job_tag(job, va + half, half, tag + SEQUENCE);
}

/*
 * Returns how many words at offset are not as the job with this tag left them,
 * and describes the first of them. Nothing has been written if the tag is zero.
 */
size_t demo_lane_verify(const struct demo_config *config, const void *map, size_t offset,
			uint64_t tag, char *text, size_t len)
{
	size_t count = half_words(config), wrong[2];
	struct vshare_tag_diff diff[2];
	char found[96], expected[96];

	if (!tag)
		return 0;
	for (int half = 0; half < 2; half++) {
		size_t start = offset / sizeof(uint64_t) + half * count;
		size_t index;

		wrong[half] = vshare_tag_verify((const uint64_t *)map + start, count,
						tag + half * SEQUENCE, &diff[half]);
		if (!wrong[half] || *text)
			continue;
		index = start + diff[half].index;
		vshare_tag_describe(diff[half].found, index, found, sizeof(found));
		vshare_tag_describe(diff[half].expected, index, expected, sizeof(expected));
		snprintf(text, len, "word %zu holds %s, should hold %s", index, found, expected);
	}
	return wrong[0] + wrong[1];
}

uint64_t demo_lane_checksum(const struct demo_config *config, uint64_t tag)
{
	uint64_t hash = vshare_checksum_tag(VSHARE_CHECKSUM_INIT, half_words(config), tag);

	return vshare_checksum_tag(hash, half_words(config), tag + SEQUENCE);
}
