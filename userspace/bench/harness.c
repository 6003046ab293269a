// SPDX-License-Identifier: MIT
/*
 * Rounds, medians and ratios. Things that are compared are measured in turns, so
 * that whatever slows the machine down for a while slows all of them down.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define NSEC_PER_SEC	1e9
#define SETTLE_NS	10000000

double clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

void settle(void)
{
	const struct timespec delay = { .tv_nsec = SETTLE_NS };

	nanosleep(&delay, NULL);
}

void series_add(struct bench *bench, struct series *series, double ns)
{
	if (bench->warming)
		return;
	if (series->count == series->room) {
		series->room = series->room ? 2 * series->room : 16;
		series->ns = realloc(series->ns, series->room * sizeof(*series->ns));
		if (!series->ns)
			abort();
	}
	series->ns[series->count++] = ns;
}

void series_free(struct series *series)
{
	free(series->ns);
	memset(series, 0, sizeof(*series));
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What a share of the values is not above, from 0 to 1; zero without values. */
static double quantile(const double *values, unsigned int count, double share)
{
	double sorted[count + 1], position = share * (count - 1);
	unsigned int below = position;

	if (!count)
		return 0;
	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	sorted[count] = sorted[count - 1];
	return sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]);
}

double series_median(const struct series *series)
{
	return quantile(series->ns, series->count, 0.5);
}

double series_spread(const struct series *series)
{
	double median = series_median(series);

	if (!median)
		return 0;
	return (quantile(series->ns, series->count, 0.75) -
		quantile(series->ns, series->count, 0.25)) / 2 / fabs(median);
}

double series_ratio(const struct series *a, const struct series *b, const struct series *c)
{
	double ratios[a->count + 1];

	for (unsigned int i = 0; i < a->count; i++)
		ratios[i] = a->ns[i] / (b->ns[i] + (c ? c->ns[i] : 0));
	return quantile(ratios, a->count, 0.5);
}

int bench_run(struct bench *bench, const bench_step *steps, void *const *contexts,
	      unsigned int count)
{
	int ret;

	for (unsigned int round = 0; round < bench->warmup + bench->rounds; round++) {
		bench->warming = round < bench->warmup;
		for (unsigned int i = 0; i < count; i++) {
			ret = steps[i](bench, contexts[i]);
			if (ret)
				return ret;
		}
	}
	return 0;
}
