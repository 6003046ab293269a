// SPDX-License-Identifier: MIT
/*
 * What the probe says in the end: a row for each rule, and a verdict.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "importer.h"
#include "probe.h"
#include "run.h"

/* The numbers are those of docs/contract.rst. */
static const struct {
	const char *name;
	const char *contract;
	const char *text;
	/* Why nothing has been found out, if nobody says it better. */
	const char *untested;
} rules[PROBE_RULES] = {
	[PROBE_SIZE] = { "size", "C23", "the buffer is of whole pages", "" },
	[PROBE_ERRNO] = { "errors", "-", "errors are those that programs know",
			  "there was no error" },
	[PROBE_P2P_FLAG] = { "peer-to-peer", "C26", "peer-to-peer may be taken back, not given",
			     "nobody can attach" },
	[PROBE_ALIGNED] = { "aligned", "C23", "addresses and lengths are of whole pages",
			    "nobody can map" },
	[PROBE_WHOLE] = { "whole", "C23", "an sg table covers all of the buffer",
			  "nobody can map" },
	[PROBE_FRESH] = { "fresh-table", "C23", "each map makes an sg table of its own",
			  "nobody can map twice" },
	[PROBE_OWN] = { "own-table", "C23", "each importer has an sg table of its own",
			"no two importers can map" },
	[PROBE_REACH] = { "reach", "C26", "without peer-to-peer it is in memory",
			  "nobody can map" },
	[PROBE_STATIC_READY] = { "static-ready", "C25", "a static importer need wait for nothing",
				 "the exporter refuses static importers" },
	[PROBE_PIN_READY] = { "pin-ready", "C19", "what is pinned need be waited for no more",
			      "the exporter refuses to pin" },
	[PROBE_DATA] = { "data", "C34", "CPU and GPU find what the other has written", "" },
	[PROBE_TOLD] = { "told", "C7", "importers are told when the buffer moves", "" },
	[PROBE_NEW_PLACE] = { "new-place", "C9", "a map after the move names the new place", "" },
	[PROBE_FENCE_ENDS] = { "fence-ends", "C31", "fences of a move signal in bounded time", "" },
	[PROBE_MOVED_DATA] = { "moved-data", "C35", "no data is lost by a move", "" },
	[PROBE_PIN_HOLDS] = { "pin-holds", "C18", "what is pinned does not move", "" },
	[PROBE_PIN_BALANCE] = { "pin-balance", "C18", "the last unpin lets it move", "" },
	[PROBE_STATIC_PINS] = { "static-pins", "C21", "under a static importer it stays", "" },
	[PROBE_STATIC_BALANCE] = { "static-balance", "C21", "when that has gone, it moves", "" },
	[PROBE_LOCKS] = { "locks", "C1-C5", "the reservation is held where it must be",
			  "that cannot be seen from here: lockdep tells" },
};

static const char * const result_names[] = {
	[PROBE_UNTESTED] = "untested",
	[PROBE_HELD] = "held",
	[PROBE_BROKEN] = "BROKEN",
};

void probe_say(struct probe *probe, enum probe_rule rule, enum probe_result result,
	       const char *format, ...)
{
	struct probe_finding *finding = &probe->finding[rule];
	va_list args;

	/* The first that broke it is told of, and the last of what is no worse. */
	if (result < finding->result || finding->result == PROBE_BROKEN)
		return;
	finding->result = result;
	va_start(args, format);
	vsnprintf(finding->detail, sizeof(finding->detail), format, args);
	va_end(args);
}

static const char *detail(const struct probe *probe, enum probe_rule rule)
{
	const char *said = probe->finding[rule].detail;

	return *said ? said : rules[rule].untested;
}

static void print_table(const struct probe *probe)
{
	printf("%-9s %-15s %-6s %-43s %s\n", "RESULT", "RULE", "", "WHAT IT SAYS", "WHAT WAS SEEN");
	for (enum probe_rule rule = 0; rule < PROBE_RULES; rule++)
		printf("%-9s %-15s %-6s %-43s %s\n", result_names[probe->finding[rule].result],
		       rules[rule].name, rules[rule].contract, rules[rule].text,
		       detail(probe, rule));
}

static void put_rules(struct out *out, const struct probe *probe)
{
	static const char * const names[] = {
		[PROBE_UNTESTED] = "untested",
		[PROBE_HELD] = "held",
		[PROBE_BROKEN] = "broken",
	};

	out_array(out, "rules");
	for (enum probe_rule rule = 0; rule < PROBE_RULES; rule++) {
		out_object(out, NULL);
		out_string(out, "rule", rules[rule].name);
		out_string(out, "contract", rules[rule].contract);
		out_string(out, "text", rules[rule].text);
		out_string(out, "result", names[probe->finding[rule].result]);
		out_string(out, "detail", detail(probe, rule));
		out_end(out);
	}
	out_end(out);
}

static unsigned int count(const struct probe *probe, enum probe_result result)
{
	unsigned int number = 0;

	for (enum probe_rule rule = 0; rule < PROBE_RULES; rule++)
		number += probe->finding[rule].result == result;
	return number;
}

/* Of an exporter that lets nobody map, nothing worth a verdict is known. */
static enum verdict judge(const struct probe *probe)
{
	if (count(probe, PROBE_BROKEN))
		return VERDICT_BROKEN;
	return probe->mapped ? VERDICT_CLEAN : VERDICT_UNTESTED;
}

int probe_report(const struct probe *probe, bool json)
{
	enum verdict verdict = judge(probe);
	struct out out;

	if (!json)
		print_table(probe);
	out_init(&out, stdout, json);
	out_object(&out, NULL);
	out_string(&out, "verdict", verdict_name(verdict));
	out_string(&out, "exporter", probe->exporter);
	out_string(&out, "device", probe->as ? probe->as : "vimport0");
	out_u64(&out, "size", probe->size);
	out_bool(&out, "can_pin", probe->dynamic);
	out_bool(&out, "moved", probe->moves);
	out_u64(&out, "held", count(probe, PROBE_HELD));
	out_u64(&out, "broken", count(probe, PROBE_BROKEN));
	out_u64(&out, "untested", count(probe, PROBE_UNTESTED));
	if (json)
		put_rules(&out, probe);
	out_end(&out);

	if (verdict == VERDICT_UNTESTED)
		return RUN_NOTHING_TESTED;
	return verdict == VERDICT_CLEAN ? EXIT_OK : EXIT_BAD;
}
