// SPDX-License-Identifier: MIT
/*
 * The table of verbs, and what all of them use.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "target.h"

static int verb_help(int argc, char **argv);

static const struct verb verbs[] = {
	{ "list", verb_list, "[--json]",
	  "show the devices, their nodes and counters" },
	{ "query", verb_query, TARGET_USAGE " [--json]",
	  "state and verdict of a buffer" },
	{ "verdict", verb_verdict, TARGET_USAGE " [--timeout SECONDS] [--json]",
	  "what the importers of a buffer have done" },
	{ "move", verb_move, TARGET_USAGE " --to vram|tt|system|relocate [--async] [--json]",
	  "move a buffer" },
	{ "revoke", verb_revoke,
	  TARGET_USAGE " --to temporary|permanent|none [--timeout SECONDS] [--json]",
	  "take a buffer away from everybody, or give it back" },
	{ "storm", verb_storm,
	  TARGET_USAGE "... [--rate HZ] [--kinds LIST] [--seed N] [--seconds N] [--json]",
	  "have buffers moved until this is ended" },
	{ "run", verb_run,
	  "[--storm HZ] [--kinds LIST] [--seed N] [--size BYTES] [--placement P]\n"
	  "             [--like NAME] [--as-heap NAME] [--json] -- CMD [ARG|{fd}]...",
	  "run a program whose buffers keep moving; exit with the verdict" },
	{ "probe", verb_probe,
	  "[--pid P] --fd N | --alloc-cmd CMD | --from udmabuf|heap:NAME|dumb:DRIVER|vexport\n"
	  "             [--size BYTES] [--move-cmd CMD] [--patience SECONDS]\n"
	  "             [--as DEVICE] [--json]",
	  "see, rule by rule, whether an exporter keeps the contract" },
	{ "demo", verb_demo, "[--seconds N | --moves N] [--size BYTES] [--seed N] [--json]",
	  "move buffers while software GPUs write to them; count what is lost" },
	{ "help", verb_help, "[VERB]",
	  "show this, or how to use one verb" },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

static void print_verb(FILE *file, const struct verb *verb)
{
	fprintf(file, "  vshare %s %s\n        %s\n", verb->name, verb->args, verb->summary);
}

static void print_help(FILE *file)
{
	fprintf(file, "vshare: buffers that move while other devices write to them\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		print_verb(file, &verbs[i]);
	fprintf(file, "\nSee vshare(1).\n");
}

static int verb_help(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		print_help(stdout);
		return EXIT_OK;
	}
	verb = find_verb(argv[1]);
	if (!verb) {
		complain(0, "there is no verb \"%s\": see `vshare help`", argv[1]);
		return EXIT_USAGE;
	}
	print_verb(stdout, verb);
	return EXIT_OK;
}

int usage(const char *name)
{
	const struct verb *verb = find_verb(name);

	fprintf(stderr, "usage: vshare %s %s\n", verb->name, verb->args);
	return EXIT_USAGE;
}

void complain(int error, const char *format, ...)
{
	va_list args;

	/* A line of progress, if there is one, gives way. */
	fputs(isatty(STDERR_FILENO) ? "\r\033[Kvshare: " : "vshare: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error < 0 ? -error : error));
	fputc('\n', stderr);
}

void complain_no_device(const char *driver, int error)
{
	if (error == -EACCES || error == -EPERM)
		complain(0,
			 "no permission for the render nodes in /dev/dri: run as root, or join their group");
	else if (!error || error == -ENODEV)
		complain(0, "no %s device: load the module with `modprobe %s`", driver, driver);
	else
		complain(error, "cannot look for %s devices in /dev/dri", driver);
}

int open_device(const char *driver, unsigned int nth)
{
	int dev = vshare_device_open(driver, nth);

	if (dev < 0)
		complain_no_device(driver, dev);
	return dev;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static bool parse(const char *text, bool suffix, uint64_t *value)
{
	unsigned int shift = 0;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno || end == text || strchr(text, '-'))
		return false;
	if (suffix && *end) {
		const char *units = "KMG", *unit = strchr(units, *end);

		if (!unit)
			return false;
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (*end || *value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

bool parse_number(const char *option, const char *text, uint64_t min, uint64_t max,
		  uint64_t *value)
{
	if (parse(text, false, value) && *value >= min && *value <= max)
		return true;
	complain(0, "%s wants a number from %llu to %llu, not \"%s\"", option,
		 (unsigned long long)min, (unsigned long long)max, text);
	return false;
}

bool parse_size(const char *option, const char *text, uint64_t *value)
{
	if (parse(text, true, value) && *value)
		return true;
	complain(0, "%s wants a number of bytes such as 65536, 64K or 1M, not \"%s\"", option,
		 text);
	return false;
}

static const char * const placement_names[] = {
	[DRM_VEXPORT_PLACEMENT_SYSTEM] = "system",
	[DRM_VEXPORT_PLACEMENT_TT] = "tt",
	[DRM_VEXPORT_PLACEMENT_VRAM] = "vram",
};

const char *placement_name(uint32_t placement)
{
	return placement < ARRAY_SIZE(placement_names) ? placement_names[placement] : "unknown";
}

bool parse_placement(const char *option, const char *text, uint32_t *placement)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(placement_names); i++) {
		if (!strcmp(placement_names[i], text)) {
			*placement = i;
			return true;
		}
	}
	complain(0, "%s wants vram, tt or system, not \"%s\"", option, text);
	return false;
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	int ret;

	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		argv[1] = "help";
	verb = find_verb(argv[1]);
	if (!verb) {
		complain(0, "there is no verb \"%s\": see `vshare help`", argv[1]);
		return EXIT_USAGE;
	}
	if (argc == 3 && !strcmp(argv[2], "--help")) {
		print_verb(stdout, verb);
		return EXIT_OK;
	}
	ret = verb->run(argc - 1, argv + 1);

	/* A full disk or a closed pipe must not pass for output that was written. */
	if (fflush(stdout) && !ret) {
		complain(errno, "cannot write the output");
		ret = EXIT_BAD;
	}
	return ret;
}
