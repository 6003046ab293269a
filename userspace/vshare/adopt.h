/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _ADOPT_H_
#define _ADOPT_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exporter.h"
#include "importer.h"
#include "lease.h"

/* More than a program needs; descriptors that we may have open allow for it. */
#define ADOPT_MAX_BUFFERS	LEASE_MAX_BUFFERS

#define ADOPT_PROFILE_BITS \
	(sizeof(((struct drm_vexport_bo_profile *)0)->acted) / sizeof(uint64_t))

/* A buffer of ours, or one that a program made and we hold too. */
struct adopt_buffer {
	int dmabuf;

	/* The device that exported it. */
	int dev;

	/* These name a dma-buf for ever; a descriptor's number may be used again. */
	dev_t st_dev;
	ino_t st_ino;

	/* The last scan found it open in the program. */
	bool open;

	/* A storm holds it, too. */
	bool leased;
};

/* What the exporter has to say about a number of buffers. */
struct adopt_verdict {
	uint64_t buffers;
	uint64_t moves;
	uint64_t moves_mapped;
	uint64_t moves_touched;

	/* As testing_moves() has it, and how many buffers a device has imported. */
	uint64_t testing_moves;
	unsigned int imported;
	uint64_t moves_busy;
	uint64_t notifies;
	uint64_t stale_moves;
	uint64_t stale_words;

	/* Mask of enum drm_vexport_rule: those that were broken. */
	uint64_t broken;

	/* Rows of importers that have broken a rule, and how many of these there were. */
	struct drm_vexport_attachment_info suspects[MAX_IMPORTERS];
	unsigned int suspect_count;

	/* How often each bit of the profile has acted. */
	uint64_t acted[ADOPT_PROFILE_BITS];
};

/* The buffers that a program works with. */
struct adopt {
	struct exporters exporters;

	/* Whose buffers are adopted. */
	pid_t pid;

	/* What they are like from then on. */
	struct drm_vexport_bo_profile profile;

	struct adopt_buffer buffers[ADOPT_MAX_BUFFERS];
	unsigned int count;

	/* Buffers have come or gone since the storms were started. */
	bool changed;

	/* The program had more open than there is room for. */
	bool crowded;

	/* Of the buffers that are no longer held. */
	struct adopt_verdict dropped;
};

/*
 * Opens the exporters; all else is zero, but the profile. Returns zero or, having
 * complained, a negative errno.
 */
int adopt_init(struct adopt *adopt);

/*
 * Takes a descriptor over: it is closed if it is not a buffer of vexport, or if
 * there are too many. Returns zero or a negative errno: -EACCES if it may not be
 * given the profile.
 */
int adopt_add(struct adopt *adopt, int dmabuf);

/*
 * Adopts buffers that the program has opened, and drops those that nobody else
 * holds any more. Returns zero or a negative errno: -EPERM if its descriptors
 * may not be taken, -EACCES as adopt_add() does.
 */
int adopt_scan(struct adopt *adopt);

/* Storms over all buffers that are held now. Both return as leases_start() does. */
int adopt_lease(struct adopt *adopt, struct leases *leases);
int adopt_unlease(struct adopt *adopt, struct leases *leases);

/*
 * Sums up all buffers that ever were held, after waiting until the deadline for those who
 * still have something mapped that was moved. Returns zero or a negative errno.
 */
int adopt_verdict(struct adopt *adopt, uint64_t deadline, struct adopt_verdict *verdict);

#endif /* _ADOPT_H_ */
