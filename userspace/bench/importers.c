// SPDX-License-Identifier: MIT
/*
 * What one more importer costs a move, and what the quarantine does.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define TT		DRM_VEXPORT_PLACEMENT_TT
#define PARAMETER	"/sys/module/vexport/parameters/quarantine"

/* Moves to fresh pages, by buffers that differ in how many have them mapped. */
struct crowd {
	struct buffer buffer;
	struct series whole;
};

static int step_relocate(struct bench *bench, void *context)
{
	struct crowd *crowd = context;
	double start, end;
	int ret;

	ret = buffer_map(&crowd->buffer);
	if (ret)
		return ret;
	start = clock_ns();
	ret = buffer_move(&crowd->buffer, TT, TT);
	end = clock_ns();
	if (ret)
		return fail(ret, "the buffer cannot move");
	series_add(bench, &crowd->whole, end - start);
	return 0;
}

static void close_crowds(struct crowd *crowds, unsigned int count)
{
	while (count--) {
		series_free(&crowds[count].whole);
		buffer_close(&crowds[count].buffer);
	}
}

/* Crowds of these sizes, measured in turns; on success to be closed. */
static int run_crowds(struct bench *bench, struct crowd *crowds, uint64_t size,
		      const unsigned int *importers, unsigned int count)
{
	bench_step steps[count];
	void *contexts[count];
	unsigned int opened;
	int ret = 0;

	memset(crowds, 0, count * sizeof(*crowds));
	for (opened = 0; opened < count; opened++) {
		ret = buffer_open(&crowds[opened].buffer, size, TT, importers[opened]);
		if (ret)
			break;
		steps[opened] = step_relocate;
		contexts[opened] = &crowds[opened];
	}
	if (!ret)
		ret = bench_run(bench, steps, contexts, count);
	if (ret)
		close_crowds(crowds, opened);
	return ret;
}

static int sweep(struct bench *bench, uint64_t size)
{
	static const unsigned int importers[] = { 0, 1, 2, 8, 64 };
	unsigned int count = bench->quick ? 3 : ARRAY_SIZE(importers);
	struct crowd crowds[ARRAY_SIZE(importers)];
	int ret;

	ret = run_crowds(bench, crowds, size, importers, count);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < count; i++)
		report_ratio(report_add(&crowds[i].whole, size, importers[i],
					"tt to fresh tt: whole"),
			     series_ratio(&crowds[i].whole, &crowds[0].whole, NULL),
			     "no importer", BOUND_NONE, 0);
	close_crowds(crowds, count);
	return 0;
}

/* What each of the last four importers of a crowd costs. */
static void marginal(struct bench *bench, const struct crowd *fewer, const struct crowd *more,
		     struct series *cost)
{
	unsigned int added = more->buffer.count - fewer->buffer.count;

	for (unsigned int i = 0; i < more->whole.count; i++)
		series_add(bench, cost, (more->whole.ns[i] - fewer->whole.ns[i]) / added);
}

static int margins(struct bench *bench, uint64_t size)
{
	static const unsigned int importers[] = { 4, 8, 60, 64 };
	struct series eighth = { 0 }, last = { 0 };
	struct crowd crowds[ARRAY_SIZE(importers)];
	struct figure *figure;
	int ret;

	ret = run_crowds(bench, crowds, size, importers, ARRAY_SIZE(importers));
	if (ret)
		return ret;
	marginal(bench, &crowds[0], &crowds[1], &eighth);
	marginal(bench, &crowds[2], &crowds[3], &last);
	report_add(&eighth, size, 8, "cost of the 8th importer");
	figure = report_add(&last, size, 64, "cost of the 64th importer");
	/* On a noisy clock there may be nothing that it could be compared with. */
	if (series_median(&eighth) > 0 && series_spread(&eighth) < 0.5)
		report_ratio(figure, series_median(&last) / series_median(&eighth), "the 8th",
			     BOUND_AT_MOST, 1.2);
	close_crowds(crowds, ARRAY_SIZE(importers));
	series_free(&eighth);
	series_free(&last);
	return 0;
}

int bench_importers(struct bench *bench)
{
	static const uint64_t sizes[] = { 64 * KIB, MIB, 16 * MIB };
	unsigned int count = bench->quick ? 1 : ARRAY_SIZE(sizes);
	int ret = 0;

	report_group("a move, by the number of importers that have the buffer mapped");
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = sweep(bench, sizes[i]);
	for (unsigned int i = 0; !ret && !bench->quick && i < count; i++)
		ret = margins(bench, sizes[i]);
	return ret;
}

static int write_switch(char value)
{
	int file = open(PARAMETER, O_WRONLY | O_CLOEXEC);
	int ret = file >= 0 && write(file, &value, 1) == 1 ? 0 : -errno;

	if (file >= 0)
		close(file);
	return ret;
}

static int step_watched(struct bench *bench, void *context)
{
	int ret = write_switch('Y');

	return ret ? ret : step_relocate(bench, context);
}

static int step_unwatched(struct bench *bench, void *context)
{
	int ret = write_switch('N');

	return ret ? ret : step_relocate(bench, context);
}

static int watch(struct bench *bench, uint64_t size)
{
	static const bench_step steps[] = { step_unwatched, step_watched };
	static const unsigned int importers[] = { 1, 1 };
	struct crowd crowds[2];
	void *const contexts[] = { &crowds[0], &crowds[1] };
	int ret;

	memset(crowds, 0, sizeof(crowds));
	for (unsigned int i = 0; i < ARRAY_SIZE(crowds); i++) {
		ret = buffer_open(&crowds[i].buffer, size, TT, importers[i]);
		if (ret) {
			close_crowds(crowds, i);
			return ret;
		}
	}
	ret = bench_run(bench, steps, contexts, ARRAY_SIZE(steps));
	if (!ret) {
		report_add(&crowds[0].whole, size, 1, "tt to fresh tt: quarantine off");
		report_ratio(report_add(&crowds[1].whole, size, 1,
					"tt to fresh tt: quarantine on"),
			     series_ratio(&crowds[1].whole, &crowds[0].whole, NULL), "off",
			     BOUND_NONE, 0);
	}
	close_crowds(crowds, ARRAY_SIZE(crowds));
	return ret;
}

/* The switch as it was found, 'Y' or 'N'; zero if it cannot be moved. */
static char read_switch(void)
{
	int file = open(PARAMETER, O_RDWR | O_CLOEXEC);
	char value = 0;

	if (file < 0)
		return 0;
	if (read(file, &value, 1) != 1)
		value = 0;
	close(file);
	return value;
}

/* Nobody wants it to stay off because a benchmark was interrupted. */
static volatile char switch_before;

static void restore_switch(int sig)
{
	write_switch(switch_before);
	_exit(128 + sig);
}

int bench_quarantine(struct bench *bench)
{
	static const uint64_t sizes[] = { 64 * KIB, MIB, 16 * MIB };
	unsigned int count = bench->quick ? 1 : ARRAY_SIZE(sizes);
	int ret = 0;

	switch_before = read_switch();
	if (!switch_before) {
		fail(0, "the quarantine's cost is left out: " PARAMETER
			 " cannot be written; run as root");
		return 0;
	}
	signal(SIGINT, restore_switch);
	signal(SIGTERM, restore_switch);
	report_group("a move, with the quarantine off and on");
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = watch(bench, sizes[i]);
	write_switch(switch_before);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	return ret;
}
