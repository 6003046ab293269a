// SPDX-License-Identifier: MIT
/*
 * vshare storm: have the kernel move buffers until somebody ends the command.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>

#include "cmd.h"
#include "lease.h"
#include "target.h"

#define MAX_SECONDS	(365 * 24 * 3600)

static void block_signals(sigset_t *mask)
{
	sigemptyset(mask);
	sigaddset(mask, SIGHUP);
	sigaddset(mask, SIGINT);
	sigaddset(mask, SIGTERM);
	sigprocmask(SIG_BLOCK, mask, NULL);
}

/* Until a signal comes, or as long as was asked for. */
static void wait_for_end(const sigset_t *mask, uint64_t seconds)
{
	uint64_t deadline = now_ns() + seconds * NSEC_PER_SEC, time;

	if (!seconds) {
		while (sigwaitinfo(mask, NULL) < 0 && errno == EINTR)
			;
		return;
	}
	while ((time = now_ns()) < deadline) {
		struct timespec left = {
			(deadline - time) / NSEC_PER_SEC, (deadline - time) % NSEC_PER_SEC,
		};

		if (sigtimedwait(mask, NULL, &left) >= 0 || errno != EINTR)
			return;
	}
}

static void put_storm(bool json, const struct leases *leases)
{
	struct out out;

	out_init(&out, stdout, json);
	out_object(&out, NULL);
	out_u64(&out, "seed", leases->seed);
	out_u64(&out, "rate", leases->rate);
	out_u64(&out, "steps", leases->ended.steps);
	out_u64(&out, "moves", leases->ended.moves);
	out_u64(&out, "idle", leases->ended.idle);
	out_u64(&out, "busy", leases->ended.busy);
	out_u64(&out, "failed", leases->ended.failed);
	out_end(&out);
}

int verb_storm(int argc, char **argv)
{
	static const struct option options[] = {
		TARGET_FD,
		TARGET_PID,
		{ "rate", required_argument, NULL, 'r' },
		{ "kinds", required_argument, NULL, 'k' },
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct lease_buffer buffers[DRM_VEXPORT_STORM_MAX_FDS];
	struct leases leases = { .kinds = LEASE_ALL_KINDS, .seed = lease_choose_seed() };
	uint64_t rate = 100, seconds = 0;
	struct target target = { 0 };
	bool json = false, ok;
	sigset_t mask;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
			ok = parse_number("--rate", optarg, 1, DRM_VEXPORT_STORM_MAX_RATE, &rate);
			break;
		case 'k':
			ok = parse_kinds("--kinds", optarg, &leases.kinds);
			break;
		case 's':
			ok = parse_number("--seed", optarg, 1, INT64_MAX, &leases.seed);
			break;
		case 't':
			ok = parse_number("--seconds", optarg, 1, MAX_SECONDS, &seconds);
			break;
		case 'j':
			json = true;
			ok = true;
			break;
		default:
			ok = target_option(&target, opt, optarg);
		}
		if (!ok)
			return usage("storm");
	}
	if (optind != argc || !target_named(&target, ARRAY_SIZE(buffers)))
		return usage("storm");
	if (!target_open(&target))
		return EXIT_BAD;

	for (unsigned int i = 0; i < target.count; i++)
		buffers[i] = (struct lease_buffer) { target.dev, target.dmabufs[i] };
	leases.rate = rate;
	block_signals(&mask);
	if (leases_start(&leases, buffers, target.count))
		return EXIT_BAD;

	/* At once: who is killed has no last words. */
	fprintf(stderr, "vshare: %" PRIu64 " moves per second, seed %" PRIu64 "\n", rate,
		leases.seed);
	wait_for_end(&mask, seconds);
	if (leases_end(&leases))
		return EXIT_BAD;
	put_storm(json, &leases);
	return EXIT_OK;
}
