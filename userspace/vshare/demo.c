// SPDX-License-Identifier: MIT
/*
 * vshare demo: a correct importer loses nothing, a misbehaving one is caught.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "demo.h"

#define DEFAULT_MOVES	1000
#define DEFAULT_SIZE	(128 << 10)
#define MIN_SIZE	4096
#define MAX_SIZE	(8 << 20)
#define TIME_LIMIT	300

/* The misbehaving half shows enough with fewer moves, but a share of few says nothing. */
#define MISBEHAVE_PART	5
#define MISBEHAVE_MIN	20

/* Of the misbehaving importer's moves under a writer, percent that must be caught. */
#define CAUGHT_GOAL	25

static bool parse_options(int argc, char **argv, struct demo_config *config, bool *json)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "moves", required_argument, NULL, 'm' },
		{ "size", required_argument, NULL, 'z' },
		{ "seed", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	bool moves = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		bool ok = true;

		if (opt == 's')
			ok = parse_number("--seconds", optarg, 1, 86400, &config->seconds);
		else if (opt == 'm')
			ok = parse_number("--moves", optarg, 1, UINT32_MAX, &config->moves);
		else if (opt == 'z')
			ok = parse_size("--size", optarg, &config->size);
		else if (opt == 'r')
			ok = parse_number("--seed", optarg, 0, UINT64_MAX, &config->seed);
		else if (opt == 'j')
			*json = true;
		else
			ok = false;
		if (!ok)
			return false;
		moves |= opt == 'm';
	}
	if (config->size < MIN_SIZE || config->size > MAX_SIZE || config->size % MIN_SIZE) {
		complain(0, "--size wants whole pages of %d bytes, at most %d bytes", MIN_SIZE,
			 MAX_SIZE);
		return false;
	}
	return optind == argc && !(moves && config->seconds);
}

/* What would spoil the second half is found out before the first. */
static bool check_devices(struct demo_config *config)
{
	int count, dev, ret;

	count = vshare_device_list("vexport", NULL, 0);
	if (count <= 0) {
		complain_no_device("vexport", count);
		return false;
	}
	count = vshare_device_list("vimport", NULL, 0);
	if (count <= 0) {
		complain_no_device("vimport", count);
		return false;
	}
	if (count < 2) {
		complain(0, "one vimport device is not enough: load the module with `gpus=2`");
		return false;
	}
	config->gpus = count < DEMO_MAX_GPUS ? count : DEMO_MAX_GPUS;

	dev = open_device("vimport", 0);
	if (dev < 0)
		return false;
	ret = vshare_vimport_misbehave(dev, 0);
	close(dev);
	if (ret) {
		complain(ret,
			 "the importer may not misbehave: run as root and load the module with `modprobe vimport misbehave=1`");
		return false;
	}
	return true;
}

static bool correct_is_good(const struct demo_config *config, const struct demo_result *result)
{
	uint64_t wanted = config->seconds ? 1 : config->moves;

	if (result->words_stale)
		complain(0, "FAIL: the correct importer lost writes; first: %s",
			 result->first_stale);
	if (result->quarantine_words)
		complain(0, "FAIL: the correct importer wrote %" PRIu64
			 " words to storage that a buffer had left", result->quarantine_words);
	if (result->moves_busy < wanted)
		complain(0, "FAIL: only %" PRIu64 " moves found a writer", result->moves_busy);
	if (!result->words_verified)
		complain(0, "FAIL: nothing was verified");
	return !result->words_stale && !result->quarantine_words && result->words_verified &&
	       result->moves_busy >= wanted;
}

static bool misbehaving_is_seen(const struct demo_result *result)
{
	if (!result->words_stale)
		complain(0, "FAIL: the misbehaving importer lost writes that no verifier saw");
	if (result->moves_caught * 100 < result->moves_busy * CAUGHT_GOAL)
		complain(0, "FAIL: of %" PRIu64 " moves under the misbehaving writer only %" PRIu64
			 " were caught, not %d %%", result->moves_busy, result->moves_caught,
			 CAUGHT_GOAL);
	return result->words_stale &&
	       result->moves_caught * 100 >= result->moves_busy * CAUGHT_GOAL;
}

static void put_row(const struct demo_config *config, const struct demo_result *result)
{
	printf("%-12s %7" PRIu64 " %9" PRIu64 " %8" PRIu64 " %7" PRIu64 " %8.1f %9.1f %10" PRIu64
	       " %7" PRIu64 "\n", config->name, result->moves, result->moves_busy,
	       result->invalidations, result->jobs, result->bytes_written / 1048576.0,
	       result->words_verified * 8 / 1048576.0, result->words_stale,
	       result->moves_caught);
}

static void put_table(const struct demo_config config[2], const struct demo_result result[2])
{
	printf("\n%-12s %7s %9s %8s %7s %8s %9s %10s %7s\n", "", "", "moves", "invali-", "",
	       "MiB", "MiB", "stale", "moves");
	printf("%-12s %7s %9s %8s %7s %8s %9s %10s %7s\n", "importer", "moves", "at writer",
	       "dations", "jobs", "written", "verified", "writes", "caught");
	put_row(&config[0], &result[0]);
	put_row(&config[1], &result[1]);
	printf("\nA stale write is a word that was not as its last writer had left it. The first,\n"
	       "by the importer that ignores invalidations:\n  %s.\n"
	       "Of the moves at this writer the exporter has caught %.0f %%.\n",
	       *result[1].first_stale ? result[1].first_stale : "none",
	       result[1].moves_busy ? 100.0 * result[1].moves_caught / result[1].moves_busy : 0);
}

static void put_json(const struct demo_config config[2], const struct demo_result result[2],
		     bool passed)
{
	struct out out;

	out_init(&out, stdout, true);
	out_object(&out, NULL);
	out_bool(&out, "passed", passed);
	out_u64(&out, "gpus", config->gpus);
	out_u64(&out, "buffers", DEMO_BUFFERS);
	out_u64(&out, "size", config->size);
	out_u64(&out, "seed", config->seed);
	out_array(&out, "runs");
	for (int i = 0; i < 2; i++) {
		out_object(&out, NULL);
		out_string(&out, "importer", config[i].name);
		out_u64(&out, "milliseconds", result[i].seconds * 1000);
		out_u64(&out, "moves", result[i].moves);
		out_object(&out, "kinds");
		for (int kind = 0; kind < STORM_KINDS; kind++)
			out_u64(&out, storm_kind_names[kind], result[i].kinds[kind]);
		out_end(&out);
		out_u64(&out, "moves_busy", result[i].moves_busy);
		out_u64(&out, "invalidations", result[i].invalidations);
		out_u64(&out, "jobs", result[i].jobs);
		out_u64(&out, "bytes_written", result[i].bytes_written);
		out_u64(&out, "bytes_verified", result[i].words_verified * 8);
		out_u64(&out, "stale_words", result[i].words_stale);
		out_u64(&out, "moves_caught", result[i].moves_caught);
		out_u64(&out, "quarantine_words", result[i].quarantine_words);
		out_end(&out);
	}
	out_end(&out);
	out_end(&out);
}

int verb_demo(int argc, char **argv)
{
	struct demo_config config[2] = {
		{
			.name = "correct",
			.size = DEFAULT_SIZE,
			.seed = time(NULL),
			.moves = DEFAULT_MOVES,
			.limit = TIME_LIMIT,
		},
	};
	struct demo_result result[2];
	bool json = false, passed;

	if (!parse_options(argc, argv, &config[0], &json))
		return usage("demo");
	if (!check_devices(&config[0]))
		return EXIT_BAD;
	config[1] = config[0];
	config[1].name = "misbehaving";
	config[1].misbehave = true;
	config[1].moves = config[0].moves / MISBEHAVE_PART;
	if (config[1].moves < MISBEHAVE_MIN)
		config[1].moves = MISBEHAVE_MIN;

	fprintf(stderr, "%u GPUs, %d buffers of %" PRIu64 " KiB that all of them write to, seed %"
		PRIu64 "\n", config->gpus, DEMO_BUFFERS, config->size >> 10, config->seed);
	if (!demo_run(&config[0], &result[0]) || !demo_run(&config[1], &result[1]))
		return EXIT_BAD;

	passed = correct_is_good(&config[0], &result[0]);
	passed &= misbehaving_is_seen(&result[1]);
	if (json)
		put_json(config, result, passed);
	else
		put_table(config, result);
	return passed ? EXIT_OK : EXIT_BAD;
}
