// SPDX-License-Identifier: MIT
/*
 * Moves of random kinds.
 */
#include <errno.h>

#include "demo_storm.h"
#include "vshare.h"

const char * const storm_kind_names[STORM_KINDS] = {
	[STORM_RELOCATE] = "relocate",
	[STORM_VRAM] = "vram",
	[STORM_TT] = "tt",
	[STORM_SYSTEM] = "system",
};

static const uint32_t kind_placement[STORM_KINDS] = {
	[STORM_VRAM] = DRM_VEXPORT_PLACEMENT_VRAM,
	[STORM_TT] = DRM_VEXPORT_PLACEMENT_TT,
	[STORM_SYSTEM] = DRM_VEXPORT_PLACEMENT_SYSTEM,
};

void storm_init(struct storm *storm, int dev, uint64_t seed)
{
	*storm = (struct storm) { .dev = dev, .random = seed };
}

/* SplitMix64: any seed will do, zero included. */
uint64_t storm_random(struct storm *storm, uint64_t limit)
{
	uint64_t z = storm->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) % limit;
}

/* A move to where the buffer is already would do nothing. */
static enum storm_kind pick(struct storm *storm, uint32_t placement)
{
	enum storm_kind kind;

	do {
		kind = storm_random(storm, STORM_KINDS);
	} while (kind != STORM_RELOCATE && kind_placement[kind] == placement);
	return kind;
}

int storm_move(struct storm *storm, struct storm_buffer *buffer)
{
	enum storm_kind kind = pick(storm, buffer->placement);
	uint64_t generation;
	int ret;

	if (kind == STORM_RELOCATE)
		ret = vshare_vexport_move(storm->dev, buffer->dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE,
					  &generation);
	else
		ret = vshare_vexport_move(storm->dev, buffer->dmabuf, kind_placement[kind], 0,
					  &generation);
	if (ret == -EBUSY) {
		storm->refused_pinned++;
		return 0;
	}
	if (ret == -ENOMEM) {
		storm->refused_full++;
		return 0;
	}
	if (ret)
		return ret;

	if (generation != buffer->generation)
		storm->moves[kind]++;
	buffer->generation = generation;
	if (kind != STORM_RELOCATE)
		buffer->placement = kind_placement[kind];
	return 0;
}

uint64_t storm_moves(const struct storm *storm)
{
	uint64_t moves = 0;

	for (int kind = 0; kind < STORM_KINDS; kind++)
		moves += storm->moves[kind];
	return moves;
}
