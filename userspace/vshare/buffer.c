// SPDX-License-Identifier: MIT
/*
 * vshare query, move and revoke: one call about one buffer.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "cmd.h"
#include "target.h"

/* More than anybody waits at a terminal. */
#define MAX_TIMEOUT	3600

static const char * const revoke_names[] = {
	[DRM_VEXPORT_REVOKE_NONE] = "none",
	[DRM_VEXPORT_REVOKE_TEMPORARY] = "temporary",
	[DRM_VEXPORT_REVOKE_PERMANENT] = "permanent",
};

static const char *revoke_name(uint32_t state)
{
	return state < ARRAY_SIZE(revoke_names) ? revoke_names[state] : "unknown";
}

static void put_query(struct out *out, const struct drm_vexport_bo_query *query)
{
	out_u64(out, "size", query->size);
	out_string(out, "placement", placement_name(query->placement));
	out_bool(out, "moving", query->create_flags & DRM_VEXPORT_GEM_MOVING);
	out_string(out, "revoked", revoke_name(query->revoked));
	out_u64(out, "dmabufs", query->dmabufs);
	out_u64(out, "attachments", query->attachments);
	out_u64(out, "pins", query->pins);
	out_u64(out, "maps", query->maps);
	out_u64(out, "generation", query->generation);
	out_u64(out, "moves_touched", query->moves_touched);
	out_u64(out, "moves_busy", query->moves_busy);
	out_u64(out, "evictions", query->evictions);
	out_u64(out, "notifies", query->notifies);
	out_u64(out, "stale_moves", query->stale_moves);
	out_u64(out, "stale_words", query->stale_words);
	out_u64(out, "quarantined", query->quarantined);
}

int verb_query(int argc, char **argv)
{
	static const struct option options[] = {
		TARGET_FD,
		TARGET_PID,
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct target target = { 0 };
	bool json = false;
	struct out out;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j')
			json = true;
		else if (!target_option(&target, opt, optarg))
			return usage("query");
	}
	if (optind != argc || !target_named(&target, 1))
		return usage("query");
	if (!target_open(&target))
		return EXIT_BAD;

	out_init(&out, stdout, json);
	out_object(&out, NULL);
	put_query(&out, &target.query);
	out_end(&out);
	return target.query.stale_words ? EXIT_BAD : EXIT_OK;
}

int verb_move(int argc, char **argv)
{
	static const struct option options[] = {
		TARGET_FD,
		TARGET_PID,
		{ "to", required_argument, NULL, 't' },
		{ "async", no_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	uint32_t placement = 0, flags = 0;
	struct target target = { 0 };
	const char *to = NULL;
	uint64_t generation;
	bool json = false;
	struct out out;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'a')
			flags |= DRM_VEXPORT_MOVE_ASYNC;
		else if (opt == 't')
			to = optarg;
		else if (opt == 'j')
			json = true;
		else if (!target_option(&target, opt, optarg))
			return usage("move");
	}
	if (optind != argc || !target_named(&target, 1) || !to)
		return usage("move");
	if (!strcmp(to, "relocate"))
		flags |= DRM_VEXPORT_MOVE_RELOCATE;
	else if (!parse_placement("--to", to, &placement))
		return usage("move");
	if (!target_open(&target))
		return EXIT_BAD;

	ret = vshare_vexport_move(target.dev, target.dmabufs[0], placement, flags, &generation);
	if (ret == -EBUSY)
		complain(0, "the buffer is pinned: an importer needs it where it is");
	else if (ret == -ENODEV)
		complain(0, "the buffer is revoked: see `vshare revoke --to none`");
	else if (ret == -ENOMEM)
		complain(0, "there is no room in %s", to);
	else if (ret)
		complain(ret, "cannot move the buffer");
	if (ret)
		return EXIT_BAD;

	out_init(&out, stdout, json);
	out_object(&out, NULL);
	out_u64(&out, "generation", generation);
	out_end(&out);
	return EXIT_OK;
}

static bool parse_revoke(const char *option, const char *text, uint32_t *state)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(revoke_names); i++) {
		if (!strcmp(revoke_names[i], text)) {
			*state = i;
			return true;
		}
	}
	complain(0, "%s wants temporary, permanent or none, not \"%s\"", option, text);
	return false;
}

int verb_revoke(int argc, char **argv)
{
	static const struct option options[] = {
		TARGET_FD,
		TARGET_PID,
		{ "to", required_argument, NULL, 't' },
		{ "timeout", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct target target = { 0 };
	uint64_t timeout = 5;
	bool json = false, to = false, ok;
	uint32_t state = 0, maps;
	struct out out;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		ok = true;
		if (opt == 't')
			to = parse_revoke("--to", optarg, &state);
		else if (opt == 's')
			ok = parse_number("--timeout", optarg, 0, MAX_TIMEOUT, &timeout);
		else if (opt == 'j')
			json = true;
		else
			ok = target_option(&target, opt, optarg);
		if (!ok || (opt == 't' && !to))
			return usage("revoke");
	}
	if (optind != argc || !target_named(&target, 1) || !to)
		return usage("revoke");
	if (!target_open(&target))
		return EXIT_BAD;

	ret = vshare_vexport_revoke(target.dev, target.dmabufs[0], state, timeout * NSEC_PER_SEC,
				    &maps);
	if (ret == -EPERM)
		complain(0,
			 "to hold a descriptor is not enough to revoke the buffer: run as root (CAP_SYS_ADMIN), or let the program that created it do so");
	else if (ret == -ENODEV)
		complain(0, "the buffer is revoked for good: nothing can bring it back");
	else if (ret)
		complain(ret, "cannot revoke the buffer");
	if (ret)
		return EXIT_BAD;

	out_init(&out, stdout, json);
	out_object(&out, NULL);
	out_string(&out, "revoked", revoke_name(state));
	out_u64(&out, "maps", maps);
	out_end(&out);
	if (state == DRM_VEXPORT_REVOKE_NONE || !maps)
		return EXIT_OK;
	complain(0, "importers have not let go within %u s", (unsigned int)timeout);
	return EXIT_BAD;
}
