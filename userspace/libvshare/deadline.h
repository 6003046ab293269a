/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _DEADLINE_H_
#define _DEADLINE_H_

#include <stdint.h>
#include <time.h>

/*
 * Time-outs of vexport are points in time, so that a call which a signal has ended
 * waits no longer when it is made again.
 */
static inline int64_t deadline(uint64_t timeout)
{
	struct timespec now;
	uint64_t time;

	clock_gettime(CLOCK_MONOTONIC, &now);
	time = now.tv_sec * 1000000000ull + now.tv_nsec;
	return timeout > INT64_MAX - time ? INT64_MAX : (int64_t)(time + timeout);
}

#endif /* _DEADLINE_H_ */
