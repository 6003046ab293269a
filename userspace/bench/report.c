// SPDX-License-Identifier: MIT
/*
 * Figures, as a table for people and as JSON.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "../vshare/cmd.h"
#include "bench.h"

static struct row {
	const char *group;
	struct figure figure;
} *rows;
static unsigned int row_count;
static const char *current;

void report_group(const char *title)
{
	current = title;
}

struct figure *report_add(const struct series *series, uint64_t size, unsigned int importers,
			  const char *format, ...)
{
	struct row *row;
	va_list args;

	rows = realloc(rows, (row_count + 1) * sizeof(*rows));
	if (!rows)
		abort();
	row = &rows[row_count++];
	*row = (struct row) {
		.group = current,
		.figure = {
			.size = size,
			.importers = importers,
			.ns = series_median(series),
			.spread = series_spread(series),
		},
	};
	va_start(args, format);
	vsnprintf(row->figure.name, sizeof(row->figure.name), format, args);
	va_end(args);
	return &row->figure;
}

void report_ratio(struct figure *figure, double ratio, const char *against, enum bound bound,
		  double limit)
{
	figure->ratio = ratio;
	figure->against = against;
	figure->bound = bound;
	figure->limit = limit;
}

void report_count(struct figure *figure, double count, enum bound bound, double limit)
{
	report_ratio(figure, count, "one", bound, limit);
}

/* A difference of two large figures can be nothing but noise: then nothing is met. */
static bool is_noise(const struct figure *figure)
{
	return figure->ns <= 0 || figure->spread > 0.5;
}

static bool is_met(const struct figure *figure)
{
	return figure->bound == BOUND_AT_LEAST ? figure->ratio >= figure->limit :
						 figure->ratio <= figure->limit;
}

static void print_figure(const struct figure *figure)
{
	const char *unit = figure->size < MIB ? "KiB" : "MiB";

	printf("  %-36s %4llu %s %5u %12.1f %5.1f%%", figure->name,
	       figure->size / (figure->size < MIB ? KIB : MIB), unit, figure->importers,
	       figure->ns / 1000, 100 * figure->spread);
	if (figure->against)
		printf("  %6.3f of %s", figure->ratio, figure->against);
	if (figure->bound)
		printf(" (%s %.2f: %s)", figure->bound == BOUND_AT_MOST ? "at most" : "at least",
		       figure->limit,
		       is_noise(figure) ? "noise" : is_met(figure) ? "met" : "MISSED");
	putchar('\n');
}

void report_table(const struct bench *bench)
{
	printf("Medians of %u rounds; spread is half of the distance between the quartiles.\n",
	       bench->rounds);
	for (unsigned int i = 0; i < row_count; i++) {
		if (!i || rows[i].group != rows[i - 1].group)
			printf("\n%-38s %8s %5s %12s %6s\n", rows[i].group, "size", "by", "us",
			       "spread");
		print_figure(&rows[i].figure);
	}
}

static void put_figure(struct out *out, const struct row *row)
{
	const struct figure *figure = &row->figure;

	out_object(out, NULL);
	out_string(out, "group", row->group);
	out_string(out, "name", figure->name);
	out_u64(out, "size", figure->size);
	out_u64(out, "importers", figure->importers);
	out_real(out, "median_ns", figure->ns);
	out_real(out, "spread", figure->spread);
	if (figure->against) {
		out_real(out, "ratio", figure->ratio);
		out_string(out, "against", figure->against);
	}
	if (figure->bound) {
		out_real(out, figure->bound == BOUND_AT_MOST ? "at_most" : "at_least",
			 figure->limit);
		if (!is_noise(figure))
			out_bool(out, "met", is_met(figure));
	}
	out_end(out);
}

int report_json(const struct bench *bench, const char *path)
{
	FILE *file = path ? fopen(path, "we") : stdout;
	struct utsname system;
	struct out out;

	if (!file)
		return fail(-errno, "cannot write %s", path);
	uname(&system);
	out_init(&out, file, true);
	out_object(&out, NULL);
	out_string(&out, "kernel", system.release);
	out_u64(&out, "rounds", bench->rounds);
	out_array(&out, "figures");
	for (unsigned int i = 0; i < row_count; i++)
		put_figure(&out, &rows[i]);
	out_end(&out);
	out_end(&out);
	if (path && fclose(file))
		return fail(-errno, "cannot write %s", path);
	return 0;
}
