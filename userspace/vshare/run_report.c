// SPDX-License-Identifier: MIT
/*
 * What vshare run has to say in the end. The verdict is a line of its own, because
 * the program may exit with the same numbers as we do.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd.h"
#include "run.h"

static enum verdict judge(const struct run *run)
{
	return verdict_of(run->sum.stale_words, run->sum.broken, run->sum.testing_moves);
}

/* What a shell makes of it. */
static int command_status(const struct run *run)
{
	if (WIFSIGNALED(run->status))
		return RUN_SIGNAL + WTERMSIG(run->status);
	return WEXITSTATUS(run->status);
}

/* A broken contract outweighs what CMD thinks of itself; else its failure is passed on. */
static int exit_status(const struct run *run, enum verdict verdict)
{
	if (verdict == VERDICT_STALE || verdict == VERDICT_BROKEN)
		return RUN_BROKEN;
	if (command_status(run))
		return command_status(run);
	return verdict == VERDICT_UNTESTED ? RUN_NOTHING_TESTED : EXIT_OK;
}

static void print_numbers(const struct run *run)
{
	const struct drm_vexport_storm_counters *storm = &run->leases.ended;
	const struct adopt_verdict *sum = &run->sum;

	fprintf(stderr, "vshare: %" PRIu64 " moves of %" PRIu64 " buffer%s in %.1f s: %" PRIu64
		" while a device had it mapped, %" PRIu64 " while a CPU had, %" PRIu64
		" under a pending fence\n", sum->moves, sum->buffers,
		sum->buffers == 1 ? "" : "s", (double)run->elapsed / NSEC_PER_SEC,
		sum->moves_mapped, sum->moves_touched, sum->moves_busy);
	fprintf(stderr, "vshare: storm of %" PRIu64 " steps (seed %" PRIu64 "): %" PRIu64
		" moved, %" PRIu64 " had nothing to do, %" PRIu64 " found a pin, %" PRIu64
		" failed\n", (uint64_t)storm->steps, run->leases.seed,
		(uint64_t)storm->moves, (uint64_t)storm->idle, (uint64_t)storm->busy,
		(uint64_t)storm->failed);
	if (run->adopt.crowded)
		fprintf(stderr, "vshare: %s had more than %d buffers: the others were left alone\n",
			run->child.cmd[0], ADOPT_MAX_BUFFERS);
}

static void print_profile(const struct run *run)
{
	fprintf(stderr, "vshare: like %s:", run->like);
	for (unsigned int i = 0; vshare_nasty_name(i); i++) {
		if (run->adopt.profile.nasty & 1u << i)
			fprintf(stderr, " %s %" PRIu64, vshare_nasty_name(i), run->sum.acted[i]);
	}
	fputc('\n', stderr);
}

static void print_command(const struct run *run)
{
	const char *name = run->child.cmd[0];

	if (WIFSIGNALED(run->status))
		complain(0, "%s was killed by signal %d (%s)", name, WTERMSIG(run->status),
			 strsignal(WTERMSIG(run->status)));
	else if (WEXITSTATUS(run->status))
		complain(0, "%s exited with %d", name, WEXITSTATUS(run->status));
}

#define QUARANTINE	"/sys/module/vexport/parameters/quarantine"

static bool quarantine_is_off(void)
{
	FILE *file = fopen(QUARANTINE, "r");
	int value = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return value == 'N';
}

static void print_untested(const struct run *run)
{
	const char *name = run->child.cmd[0];

	if (!run->sum.buffers && run->child.as_heap)
		complain(0,
			 "verdict: nothing was tested: %s did not allocate from /dev/dma_heap/%s, or its descriptors were not open for some 10 ms; of a script, run the program itself",
			 name, run->child.as_heap);
	else if (!run->sum.buffers)
		complain(0,
			 "verdict: nothing was tested: no buffer of vexport was seen in %s. Let it allocate from /dev/dma_heap/vexport, or use --as-heap, and keep the descriptor open for some 10 ms; or take a buffer as its argument {fd}; of a script, run the program itself",
			 name);
	else if (quarantine_is_off())
		complain(0,
			 "verdict: nothing was tested: the quarantine is off, so nobody looked; write Y to %s",
			 QUARANTINE);
	else if (run->sum.moves)
		complain(0,
			 "verdict: nothing was tested: no buffer moved while a %s had it mapped; let %s use it for longer, or raise --storm",
			 run->sum.imported ? "device" : "device or a CPU", name);
	else
		complain(0, "verdict: nothing was tested: no buffer moved while %s ran; %s", name,
			 run->leases.ended.busy ? "its importer pins" :
			 "let it run longer, or raise --storm");
}

/* Who of several it was is not always known, so each that may have been is told of. */
static void print_suspects(const struct run *run)
{
	for (unsigned int i = 0; i < run->sum.suspect_count; i++) {
		const struct drm_vexport_attachment_info *row = &run->sum.suspects[i];
		struct out out;

		fprintf(stderr, "vshare: importer %s (attachment %" PRIu64 "), ", row->device,
			(uint64_t)row->id);
		out_init(&out, stderr, false);
		out_mask(&out, "rules_broken", row->rules, vshare_rule_name);
	}
}

static void print_verdict(const struct run *run, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_CLEAN:
		complain(0, "verdict: clean");
		break;
	case VERDICT_STALE:
		complain(0, "verdict: stale writes: %" PRIu64 " words after %" PRIu64
			 " moves went to storage that the buffer had left",
			 run->sum.stale_words, run->sum.stale_moves);
		break;
	case VERDICT_BROKEN:
		complain(0, "verdict: the contract was broken: see above");
		break;
	case VERDICT_UNTESTED:
		print_untested(run);
		break;
	}
}

static void put_json(const struct run *run, enum verdict verdict)
{
	const struct drm_vexport_storm_counters *storm = &run->leases.ended;
	const struct adopt_verdict *sum = &run->sum;
	struct out out;

	out_init(&out, stdout, true);
	out_object(&out, NULL);
	out_string(&out, "verdict", verdict_name(verdict));
	out_u64(&out, "exit_status", exit_status(run, verdict));
	out_u64(&out, "command_status", command_status(run));
	out_u64(&out, "command_signal", WIFSIGNALED(run->status) ? WTERMSIG(run->status) : 0);
	out_u64(&out, "milliseconds", run->elapsed / NSEC_PER_MSEC);
	out_u64(&out, "buffers", sum->buffers);
	out_u64(&out, "moves", sum->moves);
	out_u64(&out, "moves_mapped", sum->moves_mapped);
	out_u64(&out, "moves_touched", sum->moves_touched);
	out_u64(&out, "moves_busy", sum->moves_busy);
	out_u64(&out, "imported", sum->imported);
	out_u64(&out, "notifies", sum->notifies);
	out_u64(&out, "stale_moves", sum->stale_moves);
	out_u64(&out, "stale_words", sum->stale_words);
	out_mask(&out, "rules_broken", sum->broken, vshare_rule_name);
	out_array(&out, "suspects");
	for (unsigned int i = 0; i < sum->suspect_count; i++)
		put_importer(&out, &sum->suspects[i]);
	out_end(&out);
	out_object(&out, "storm");
	out_u64(&out, "seed", run->leases.seed);
	out_u64(&out, "rate", run->leases.rate);
	out_u64(&out, "steps", storm->steps);
	out_u64(&out, "moves", storm->moves);
	out_u64(&out, "idle", storm->idle);
	out_u64(&out, "busy", storm->busy);
	out_u64(&out, "failed", storm->failed);
	out_end(&out);
	out_string(&out, "like", run->like ? run->like : "none");
	out_object(&out, "acted");
	for (unsigned int i = 0; vshare_nasty_name(i); i++)
		out_u64(&out, vshare_nasty_name(i), sum->acted[i]);
	out_end(&out);
	out_end(&out);
}

int run_report(const struct run *run)
{
	enum verdict verdict = judge(run);

	if (run->sum.buffers)
		print_numbers(run);
	if (run->sum.buffers && run->adopt.profile.nasty)
		print_profile(run);
	print_command(run);
	print_suspects(run);
	print_verdict(run, verdict);
	if (run->json)
		put_json(run, verdict);
	return exit_status(run, verdict);
}
