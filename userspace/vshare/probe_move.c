// SPDX-License-Identifier: MIT
/*
 * What an exporter does when the buffer moves, and what keeps it from that. A move is
 * believed when it is seen: somebody was told, or the buffer is elsewhere.
 */
#include <unistd.h>

#include "probe.h"

#define POLL_US		1000

#define DYNAMIC		DRM_VIMPORT_RAW_DYNAMIC
#define P2P		(DRM_VIMPORT_RAW_DYNAMIC | DRM_VIMPORT_RAW_P2P)

/*
 * Where the buffer is, as the GPU sees it, whose addresses are those of memory. It is
 * an importer that has peer-to-peer, so that to look does not move the buffer. False if
 * it cannot be told.
 */
static bool find_place(struct probe *probe, struct probe_table *place)
{
	uint32_t id = probe_attach(probe, P2P, NULL);
	struct drm_vimport_raw args;
	bool found;

	if (!id)
		return false;
	found = probe_map(probe, id, 0, &args, place);
	if (found)
		probe_op(probe, id, DRM_VIMPORT_RAW_UNMAP, 0, &args);
	probe_detach(probe, id);
	return found;
}

static uint32_t notifies(struct probe *probe, uint32_t id)
{
	struct drm_vimport_raw args;

	return probe_op(probe, id, DRM_VIMPORT_RAW_QUERY, 0, &args) ? args.notifies : 0;
}

/* Who is asked to move may only have begun when he says that it is done. */
static bool wait_told(struct probe *probe, uint32_t id, uint32_t before)
{
	uint64_t deadline = now_ns() + probe->source.patience * NSEC_PER_SEC;

	while (notifies(probe, id) == before) {
		if (now_ns() > deadline)
			return false;
		usleep(POLL_US);
	}
	return true;
}

/* What came of a move: whether anybody says so, and whether it was seen. */
struct outcome {
	bool asked;
	bool told;
	bool elsewhere;
};

/* Has the buffer moved while an attachment, or none, looks on. */
static struct outcome move(struct probe *probe, uint32_t id)
{
	struct probe_table before = { 0 }, after = { 0 };
	uint32_t count = id ? notifies(probe, id) : 0;
	struct outcome outcome = { 0 };
	bool known;

	known = find_place(probe, &before);
	/* To look may have told the others of something. */
	if (id)
		count = notifies(probe, id);
	outcome.asked = probe_source_move(probe);
	if (id)
		outcome.told = wait_told(probe, id, count);
	if (known && find_place(probe, &after))
		outcome.elsewhere = !probe_table_same(&before, &after);
	probe_table_free(&before);
	probe_table_free(&after);
	return outcome;
}

static void check_fences_end(struct probe *probe, uint32_t id)
{
	uint64_t start = now_ns();
	struct drm_vimport_raw args;

	while (probe_op(probe, id, DRM_VIMPORT_RAW_QUERY, 0, &args) && args.fences) {
		if (now_ns() - start > PROBE_FENCE_NS) {
			probe_say(probe, PROBE_FENCE_ENDS, PROBE_BROKEN,
				  "%u KERNEL fences are pending after %llu s", args.fences,
				  PROBE_FENCE_NS / NSEC_PER_SEC);
			return;
		}
		usleep(POLL_US);
	}
	probe_say(probe, PROBE_FENCE_ENDS, PROBE_HELD, "after at most %llu ms",
		  (now_ns() - start) / NSEC_PER_MSEC + 1);
}

/* One importer has it mapped, and maps again after the move. */
static void check_told(struct probe *probe, uint32_t flags)
{
	struct probe_table old = { 0 }, new = { 0 };
	uint32_t id = probe_attach(probe, flags, NULL);
	struct drm_vimport_raw args;
	struct outcome outcome;

	if (!id)
		return;
	if (!probe_map(probe, id, 0, &args, &old))
		goto out_detach;
	outcome = move(probe, id);
	check_fences_end(probe, id);
	probe_op(probe, id, DRM_VIMPORT_RAW_UNMAP, 0, &args);
	if (!outcome.told && !outcome.elsewhere) {
		probe_say(probe, PROBE_TOLD, PROBE_UNTESTED, outcome.asked ?
			  "the buffer did not move while it was mapped" :
			  "whoever moves the buffer says that it cannot be, while it is mapped");
		goto out_detach;
	}

	probe->moves = true;
	if (outcome.told)
		probe_say(probe, PROBE_TOLD, PROBE_HELD, "each importer that is dynamic");
	else
		probe_say(probe, PROBE_TOLD, PROBE_BROKEN,
			  "the buffer moved, and an importer that had it mapped was not told");
	if (!probe_map(probe, id, 0, &args, &new))
		goto out_detach;
	if (outcome.elsewhere && probe_table_same(&old, &new))
		probe_say(probe, PROBE_NEW_PLACE, PROBE_BROKEN,
			  "the table that is made after the move names the old place");
	else if (outcome.elsewhere)
		probe_say(probe, PROBE_NEW_PLACE, PROBE_HELD, "the next table names another place");
	else
		probe_say(probe, PROBE_NEW_PLACE, PROBE_UNTESTED,
			  "the move has left the buffer in its pages");
	probe_op(probe, id, DRM_VIMPORT_RAW_UNMAP, 0, &args);

out_detach:
	probe_table_free(&old);
	probe_table_free(&new);
	probe_detach(probe, id);
}

/* Nobody has it mapped: is there a move at all, against which those may be held that fail? */
static void check_moves(struct probe *probe)
{
	uint32_t id = probe_attach(probe, P2P, NULL);
	struct outcome outcome;

	if (!id)
		return;
	outcome = move(probe, id);
	probe->moves |= outcome.told || outcome.elsewhere;
	check_fences_end(probe, id);
	probe_detach(probe, id);
}

/* It must not move now; id is one of those that keep it from that. */
static bool check_holds(struct probe *probe, enum probe_rule rule, uint32_t id, const char *why)
{
	struct outcome outcome = move(probe, id);

	if (outcome.elsewhere)
		probe_say(probe, rule, PROBE_BROKEN, "the buffer moved %s", why);
	else if (outcome.told)
		probe_say(probe, rule, PROBE_BROKEN, "an importer was told of a move %s", why);
	else
		probe_say(probe, rule, PROBE_HELD, "it stays %s", why);
	return !outcome.elsewhere && !outcome.told;
}

/* And now it must. */
static void check_lets_go(struct probe *probe, enum probe_rule rule, const char *why)
{
	uint32_t id = probe_attach(probe, P2P, NULL);
	struct outcome outcome = move(probe, id);

	if (outcome.told || outcome.elsewhere)
		probe_say(probe, rule, PROBE_HELD, "it moves again %s", why);
	else
		probe_say(probe, rule, PROBE_BROKEN, "it does not move any more %s", why);
	if (id)
		probe_detach(probe, id);
}

static void check_pins(struct probe *probe)
{
	struct drm_vimport_raw args;
	bool pinned[2] = { false, false };
	uint32_t id[2];

	for (int i = 0; i < 2; i++) {
		id[i] = probe_attach(probe, DYNAMIC, probe->as);
		pinned[i] = id[i] && probe_op(probe, id[i], DRM_VIMPORT_RAW_PIN, 0, &args);
	}
	if (pinned[0] && pinned[1]) {
		check_holds(probe, PROBE_PIN_HOLDS, id[0], "while two importers pin it");
		probe_op(probe, id[0], DRM_VIMPORT_RAW_UNPIN, 0, &args);
		pinned[0] = false;
		check_holds(probe, PROBE_PIN_HOLDS, id[1],
			    "while one importer of two still pins it");
	} else {
		probe_say(probe, PROBE_PIN_HOLDS, PROBE_UNTESTED, "the exporter refuses to pin");
	}
	for (int i = 0; i < 2; i++) {
		if (pinned[i])
			probe_op(probe, id[i], DRM_VIMPORT_RAW_UNPIN, 0, &args);
		if (id[i])
			probe_detach(probe, id[i]);
	}
	if (id[0] && id[1])
		check_lets_go(probe, PROBE_PIN_BALANCE, "after as many unpins as pins");
}

static void check_static(struct probe *probe)
{
	uint32_t id = probe_attach(probe, 0, probe->as);
	struct drm_vimport_raw args;

	if (!id) {
		probe_say(probe, PROBE_STATIC_PINS, PROBE_UNTESTED,
			  "the exporter refuses static importers");
		return;
	}
	if (probe_map(probe, id, 0, &args, NULL)) {
		check_holds(probe, PROBE_STATIC_PINS, id, "while a static importer has it mapped");
		probe_op(probe, id, DRM_VIMPORT_RAW_UNMAP, 0, &args);
	}
	probe_detach(probe, id);
	check_lets_go(probe, PROBE_STATIC_BALANCE, "after the static importer has gone");
}

static void say_all_untested(struct probe *probe, const char *why)
{
	for (enum probe_rule rule = PROBE_TOLD; rule <= PROBE_STATIC_BALANCE; rule++)
		probe_say(probe, rule, PROBE_UNTESTED, "%s", why);
}

void probe_moves(struct probe *probe)
{
	if (!probe_source_moves(probe)) {
		say_all_untested(probe, probe->dynamic ? "nobody moves the buffer: see --move-cmd" :
				 "the exporter has no pins, and moves nothing");
		return;
	}
	check_moves(probe);
	check_told(probe, DYNAMIC);
	check_told(probe, P2P);
	if (!probe->moves) {
		say_all_untested(probe, "the buffer did not move when it was asked to");
		return;
	}
	probe_data(probe, PROBE_MOVED_DATA);
	check_pins(probe);
	check_static(probe);
}
