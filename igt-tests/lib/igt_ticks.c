// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <time.h>

#include "igt.h"
#include "igt_ticks.h"

/* Often enough for any wait that is worth being interrupted. */
#define PERIOD_NS		(10 * NSEC_PER_MSEC)

/* Not SIGALRM, which ends a subtest that hangs. */
#define TICK			SIGUSR2

static volatile sig_atomic_t ticks;
static timer_t timer;

static void on_tick(int sig)
{
	ticks++;
}

/**
 * ticks_start - interrupt this process again and again
 * @restart: whether interrupted calls begin again by themselves
 *
 * Signals that come while one is pending are lost: what cannot be interrupted is
 * followed by a single tick, however long it took.
 */
void ticks_start(bool restart)
{
	struct sigaction action = {
		.sa_handler = on_tick,
		.sa_flags = restart ? SA_RESTART : 0,
	};
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = TICK };
	struct itimerspec period = {
		.it_interval.tv_nsec = PERIOD_NS,
		.it_value.tv_nsec = PERIOD_NS,
	};

	ticks = 0;
	igt_assert_eq(sigaction(TICK, &action, NULL), 0);
	igt_assert_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	igt_assert_eq(timer_settime(timer, 0, &period, NULL), 0);
}

/**
 * ticks_stop - leave this process alone again
 *
 * Returns how often it was interrupted.
 */
unsigned int ticks_stop(void)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	igt_assert_eq(timer_delete(timer), 0);
	igt_assert_eq(sigaction(TICK, &action, NULL), 0);
	return ticks;
}
