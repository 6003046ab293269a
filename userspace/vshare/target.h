/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _TARGET_H_
#define _TARGET_H_

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "exporter.h"

/* The options that name a buffer, for a table of struct option. */
#define TARGET_FD	{ "fd", required_argument, NULL, 'f' }
#define TARGET_PID	{ "pid", required_argument, NULL, 'p' }

/* The same for usage. */
#define TARGET_USAGE	"[--pid P] --fd N"

/* Buffers that the command line names by descriptors, inherited or another process's. */
struct target {
	uint64_t pid;
	uint64_t fds[DRM_VEXPORT_STORM_MAX_FDS];
	unsigned int count;

	struct exporters exporters;
	/* Descriptors of ours, and the device that exported the first of them. */
	int dmabufs[DRM_VEXPORT_STORM_MAX_FDS];
	int dev;
	struct drm_vexport_bo_query query;
};

/* Takes an option of these two. False if it is none of them or, having complained, bad. */
bool target_option(struct target *target, int opt, const char *arg);

/* Was as much named as a verb for up to max buffers needs? Complains of too much. */
bool target_named(const struct target *target, unsigned int max);

/*
 * Opens what was named, and asks the exporter about the first. All buffers must be of
 * one device. False, having complained.
 */
bool target_open(struct target *target);

/* What to do about it if another process's descriptors may not be taken. */
const char *target_advice(void);

#endif /* _TARGET_H_ */
