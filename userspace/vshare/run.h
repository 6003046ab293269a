/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _RUN_H_
#define _RUN_H_

#include <stdbool.h>
#include <stdint.h>

#include "adopt.h"
#include "child.h"
#include "lease.h"

/* As timeout(1) and env(1) have it, so that they do not collide with CMD's own. */
enum run_status {
	RUN_BROKEN = 1,
	RUN_NOTHING_TESTED = 77,
	RUN_TROUBLE = 125,
	RUN_CANNOT_EXEC = 126,
	RUN_NOT_FOUND = 127,
	RUN_SIGNAL = 128,
};

/* What vshare run was asked for, and what came of it. */
struct run {
	uint64_t size;
	uint32_t placement;
	bool json;

	/* The name of the profile, or NULL. */
	const char *like;

	/* Whether CMD is given a buffer or makes its own. */
	bool give;

	struct child child;
	struct adopt adopt;
	struct leases leases;

	/* When CMD has ended: how, after which time, and what became of its buffers. */
	int status;
	uint64_t elapsed;
	struct adopt_verdict sum;
};

/* Prints report and verdict; returns what to exit with. */
int run_report(const struct run *run);

#endif /* _RUN_H_ */
