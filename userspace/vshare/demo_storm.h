/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _DEMO_STORM_H_
#define _DEMO_STORM_H_

#include <stdint.h>

/* What a move of a storm does. */
enum storm_kind {
	STORM_RELOCATE,
	STORM_VRAM,
	STORM_TT,
	STORM_SYSTEM,
	STORM_KINDS,
};

/* Moves of random kinds, the same for the same seed and buffers. */
struct storm {
	int dev;
	uint64_t random;

	/* Moves that gave a buffer a new generation, by kind. */
	uint64_t moves[STORM_KINDS];

	/* Moves that were refused, and why. */
	uint64_t refused_pinned;
	uint64_t refused_full;
};

/* One buffer of a storm. */
struct storm_buffer {
	int dmabuf;
	uint32_t placement;
	uint64_t generation;
};

extern const char * const storm_kind_names[STORM_KINDS];

void storm_init(struct storm *storm, int dev, uint64_t seed);

/* A number below limit. */
uint64_t storm_random(struct storm *storm, uint64_t limit);

/*
 * Moves a buffer once. A buffer that is pinned, or a target that is full, is
 * counted and is no error. Returns zero or a negative errno.
 */
int storm_move(struct storm *storm, struct storm_buffer *buffer);

uint64_t storm_moves(const struct storm *storm);

#endif /* _DEMO_STORM_H_ */
