/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _LEASE_H_
#define _LEASE_H_

#include <stdbool.h>
#include <stdint.h>

#include "vshare.h"

/* Buffers at a time, and leases: one for 64 of them, or what is left, of each device. */
#define LEASE_MAX_BUFFERS	256
#define LEASE_MAX_STORMS	(LEASE_MAX_BUFFERS / DRM_VEXPORT_STORM_MAX_FDS + 8)

/* All ways that a storm may move a buffer. */
#define LEASE_ALL_KINDS \
	(DRM_VEXPORT_STORM_RELOCATE | DRM_VEXPORT_STORM_SYSTEM | DRM_VEXPORT_STORM_TT | \
	 DRM_VEXPORT_STORM_VRAM | DRM_VEXPORT_STORM_EVICT)

/* A buffer that is to be moved. */
struct lease_buffer {
	int dev;
	int dmabuf;
};

/* The kernel's storms over a set of buffers; the set changes by starting them again. */
struct leases {
	uint32_t kinds;
	uint32_t rate;
	uint64_t seed;

	int storms[LEASE_MAX_STORMS];
	unsigned int count;

	/* Since the beginning, and what those have done that have ended. */
	unsigned int started;
	struct drm_vexport_storm_counters ended;
};

/* A list of kinds such as "relocate,vram". False, having complained. */
bool parse_kinds(const char *option, const char *text, uint32_t *kinds);

/* A seed for those who did not give one; never zero. */
uint64_t lease_choose_seed(void);

/* Returns zero or, having complained, a negative errno. */
int leases_start(struct leases *leases, const struct lease_buffer *buffers, unsigned int count);
int leases_read(const struct leases *leases, struct drm_vexport_storm_counters *sum);
int leases_end(struct leases *leases);

#endif /* _LEASE_H_ */
