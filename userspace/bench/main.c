// SPDX-License-Identifier: MIT
/*
 * vshare-bench: what moving and sharing buffers costs, next to what it has to cost.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define DEFAULT_ROUNDS	15
#define DEFAULT_WARMUP	3

static const struct group {
	const char *name;
	int (*run)(struct bench *bench);
	const char *about;
} groups[] = {
	{ "move", bench_move, "a whole move, and the copy in it, against bare copies" },
	{ "importers", bench_importers, "a move with 0 to 64 importers" },
	{ "quarantine", bench_quarantine, "a move with the quarantine off and on" },
	{ "share", bench_share, "create to close, against udmabuf and the system heap" },
	{ "job", bench_job, "an empty job until its waiter is awake, against an eventfd" },
	{ "userptr", bench_userptr, "memory of a process, against io_uring's fixed buffers" },
};

int fail(int error, const char *format, ...)
{
	va_list args;

	fputs("vshare-bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(-error));
	fputc('\n', stderr);
	return error;
}

static int usage(FILE *file, int status)
{
	fprintf(file,
		"usage: vshare-bench [--rounds N] [--warmup N] [--quick] [--json[=FILE]] [GROUP]...\n\n"
		"  --rounds N     measure each thing N times (default: %u)\n"
		"  --warmup N     before that, N times for nothing (default: %u)\n"
		"  --quick        smallest sizes, to see that it works\n"
		"  --json         print JSON instead of a table; with FILE write it there, too\n\n",
		DEFAULT_ROUNDS, DEFAULT_WARMUP);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		fprintf(file, "  %-12s   %s\n", groups[i].name, groups[i].about);
	return status;
}

static bool is_wanted(const char *name, char **names)
{
	bool any = *names;

	for (; *names; names++) {
		if (!strcmp(name, *names))
			return true;
	}
	return !any;
}

static bool is_group(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!strcmp(name, groups[i].name))
			return true;
	}
	return false;
}

static bool parse_count(const char *text, unsigned int min, unsigned int *count)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value < min || value > 100000)
		return false;
	*count = value;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "warmup", required_argument, NULL, 'w' },
		{ "quick", no_argument, NULL, 'q' },
		{ "json", optional_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct bench bench = { .warmup = DEFAULT_WARMUP, .rounds = DEFAULT_ROUNDS };
	const char *json_file = NULL;
	bool json = false;
	int opt, ret = 0;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h')
			return usage(stdout, 0);
		else if (opt == 'q')
			bench.quick = true;
		else if (opt == 'j')
			json = true, json_file = optarg;
		else if (!(opt == 'r' && parse_count(optarg, 1, &bench.rounds)) &&
			 !(opt == 'w' && parse_count(optarg, 0, &bench.warmup)))
			return usage(stderr, 2);
	}
	for (int i = optind; i < argc; i++) {
		if (!is_group(argv[i]))
			return usage(stderr, 2);
	}

	for (size_t i = 0; !ret && i < ARRAY_SIZE(groups); i++) {
		if (is_wanted(groups[i].name, argv + optind))
			ret = groups[i].run(&bench);
	}
	if (!json || json_file)
		report_table(&bench);
	if (json && report_json(&bench, json_file))
		ret = -EIO;
	/* A figure that is too high is no failure; one that is missing is. */
	return ret ? 1 : 0;
}
