/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _ADOPT_H_
#define _ADOPT_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "storm.h"

/* More than a program needs; descriptors that we may have open allow for it. */
#define ADOPT_MAX_BUFFERS	256

/* As many as the module can have. */
#define ADOPT_MAX_DEVICES	8

/* A buffer of ours, or one that a program made and we hold too. */
struct adopt_buffer {
	struct storm_buffer storm;

	/* The device that exported it. */
	int dev;

	/* These name a dma-buf for ever; a descriptor's number may be used again. */
	dev_t st_dev;
	ino_t st_ino;

	/* The last scan found it open in the program. */
	bool open;
};

/* What the exporter has to say about a number of buffers. */
struct adopt_verdict {
	uint64_t buffers;
	uint64_t moves_busy;
	uint64_t notifies;
	uint64_t stale_moves;
	uint64_t stale_words;
};

/* The buffers that a program works with. */
struct adopt {
	int devs[ADOPT_MAX_DEVICES];
	unsigned int dev_count;

	/* Whose buffers are adopted. */
	pid_t pid;
	int pidfd;

	struct adopt_buffer buffers[ADOPT_MAX_BUFFERS];
	unsigned int count;

	/* The program had more open than there is room for. */
	bool crowded;

	/* Of the buffers that are no longer held. */
	struct adopt_verdict dropped;
};

/* Opens the exporters. Returns zero or, having complained, a negative errno. */
int adopt_init(struct adopt *adopt);

/*
 * Takes a descriptor over: it is closed if it is not a buffer of vexport, or if
 * there are too many. Returns zero or a negative errno.
 */
int adopt_add(struct adopt *adopt, int dmabuf);

/* From now on scans look at this child. Returns zero or a negative errno. */
int adopt_follow(struct adopt *adopt, pid_t pid);

/*
 * Adopts buffers that the program has opened, and drops those that nobody else
 * holds any more. Returns zero or a negative errno: -EPERM if its descriptors
 * may not be taken.
 */
int adopt_scan(struct adopt *adopt);

/* Sums up all buffers that ever were held. Returns zero or a negative errno. */
int adopt_verdict(struct adopt *adopt, struct adopt_verdict *verdict);

#endif /* _ADOPT_H_ */
