// SPDX-License-Identifier: MIT
/*
 * vshare verdict: what the importers of a buffer have done, and how that is judged.
 */
#include <getopt.h>

#include "importer.h"
#include "run.h"
#include "target.h"

#define MAX_TIMEOUT	3600

const char *verdict_name(enum verdict verdict)
{
	static const char * const names[] = {
		[VERDICT_CLEAN] = "clean",
		[VERDICT_STALE] = "stale",
		[VERDICT_BROKEN] = "broken",
		[VERDICT_UNTESTED] = "untested",
	};

	return names[verdict];
}

uint64_t testing_moves(const struct drm_vexport_bo_verdict *verdict,
		       const struct drm_vexport_bo_query *query, unsigned int importers)
{
	return importers ? verdict->moves_mapped : query->moves_touched;
}

enum verdict verdict_of(uint64_t stale_words, uint64_t broken, uint64_t testing_moves)
{
	if (stale_words)
		return VERDICT_STALE;
	if (broken)
		return VERDICT_BROKEN;
	return testing_moves ? VERDICT_CLEAN : VERDICT_UNTESTED;
}

uint64_t broken_rules(const struct drm_vexport_bo_verdict *verdict)
{
	return verdict->rules & ~verdict->rules_legal;
}

void put_importer(struct out *out, const struct drm_vexport_attachment_info *row)
{
	out_object(out, NULL);
	out_string(out, "device", row->device);
	out_u64(out, "id", row->id);
	out_u64(out, "dmabuf", row->dmabuf);
	out_bool(out, "dynamic", row->flags & DRM_VEXPORT_ATTACHMENT_DYNAMIC);
	out_bool(out, "peer_to_peer", row->flags & DRM_VEXPORT_ATTACHMENT_P2P);
	out_bool(out, "gone", row->flags & DRM_VEXPORT_ATTACHMENT_GONE);
	out_mask(out, "rules", row->rules, vshare_rule_name);
	out_u64(out, "stale_words", row->stale_words);
	out_u64(out, "notifies", row->notifies);
	out_u64(out, "maps", row->maps);
	out_u64(out, "maps_total", row->maps_total);
	out_u64(out, "pins", row->pins);
	out_u64(out, "hard_pins", row->hard_pins);
	out_u64(out, "owed", row->owed);
	out_u64(out, "unmap_last_nsec", row->unmap_last_nsec);
	out_u64(out, "unmap_max_nsec", row->unmap_max_nsec);
	out_end(out);
}

static void put_stale(struct out *out, const char *name,
		      const struct drm_vexport_stale_write *stale)
{
	out_object(out, name);
	out_u64(out, "generation", stale->generation);
	out_u64(out, "offset", stale->offset);
	out_u64(out, "age_nsec", stale->age_nsec);
	out_end(out);
}

static void put_verdict(struct out *out, enum verdict judgement,
			const struct drm_vexport_bo_verdict *verdict, uint64_t touched,
			const struct drm_vexport_attachment_info *rows, unsigned int count)
{
	out_object(out, NULL);
	out_string(out, "verdict", verdict_name(judgement));
	out_u64(out, "buffer", verdict->buffer);
	out_u64(out, "moves", verdict->moves);
	out_u64(out, "moves_mapped", verdict->moves_mapped);
	out_u64(out, "moves_touched", touched);
	out_u64(out, "notifies", verdict->notifies);
	out_mask(out, "rules", verdict->rules, vshare_rule_name);
	out_mask(out, "rules_legal", verdict->rules_legal, vshare_rule_name);
	out_u64(out, "stale_moves", verdict->stale_moves);
	out_u64(out, "stale_words", verdict->stale_words);
	if (verdict->stale_words) {
		put_stale(out, "stale_first", &verdict->stale_first);
		put_stale(out, "stale_last", &verdict->stale_last);
	}
	out_u64(out, "draining", verdict->draining);
	out_u64(out, "quarantined", verdict->quarantined);
	out_array(out, "importers");
	for (unsigned int i = 0; i < count; i++)
		put_importer(out, &rows[i]);
	out_end(out);
	out_end(out);
}

int verb_verdict(int argc, char **argv)
{
	static const struct option options[] = {
		TARGET_FD,
		TARGET_PID,
		{ "timeout", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct drm_vexport_attachment_info rows[MAX_IMPORTERS];
	struct drm_vexport_bo_verdict verdict;
	struct target target = { 0 };
	enum verdict judgement;
	uint64_t timeout = 1;
	bool json = false;
	struct out out;
	int opt, count;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j')
			json = true;
		else if (opt == 's' ?
			 !parse_number("--timeout", optarg, 0, MAX_TIMEOUT, &timeout) :
			 !target_option(&target, opt, optarg))
			return usage("verdict");
	}
	if (optind != argc || !target_named(&target, 1))
		return usage("verdict");
	if (!target_open(&target))
		return EXIT_BAD;
	count = vshare_vexport_verdict(target.dev, target.dmabufs[0], timeout * NSEC_PER_SEC,
				       &verdict, rows, MAX_IMPORTERS);
	if (count < 0) {
		complain(count, "cannot ask for the verdict");
		return EXIT_BAD;
	}
	if (count > MAX_IMPORTERS) {
		complain(0, "of %d importers the first %d are shown", count, MAX_IMPORTERS);
		count = MAX_IMPORTERS;
	}

	judgement = verdict_of(verdict.stale_words, broken_rules(&verdict),
			       testing_moves(&verdict, &target.query, count));
	out_init(&out, stdout, json);
	put_verdict(&out, judgement, &verdict, target.query.moves_touched, rows, count);
	if (judgement == VERDICT_UNTESTED)
		return RUN_NOTHING_TESTED;
	return judgement == VERDICT_CLEAN ? EXIT_OK : EXIT_BAD;
}
