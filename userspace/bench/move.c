// SPDX-License-Identifier: MIT
/*
 * Moves: the whole, the copy in it, and both without a driver around them.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"

#define TT	DRM_VEXPORT_PLACEMENT_TT
#define VRAM	DRM_VEXPORT_PLACEMENT_VRAM

struct kind {
	const char *name;
	uint32_t from;
	uint32_t to;
};

static const struct kind kinds[] = {
	{ "tt to fresh tt", TT, TT },
	{ "tt to vram", TT, VRAM },
	{ "vram to tt", VRAM, TT },
	{ "vram to fresh vram", VRAM, VRAM },
};

/* One kind of move of one size. */
struct move {
	const struct kind *kind;
	struct buffer buffer;
	/* Where the bare copy goes: as large, and where the move goes. */
	struct buffer spare;
	struct series whole;
	struct series in_move;
	struct series copy;
	struct series alloc;
};

/* The very pages that the move is going to copy next. */
static int step_reference(struct bench *bench, void *context)
{
	struct move *move = context;
	struct reference reference;
	int ret;

	ret = buffer_bring(&move->buffer, move->kind->from);
	if (!ret)
		ret = reference_measure(&move->buffer, &move->spare, &reference);
	if (ret)
		return ret == -ENODEV ? 0 : ret;
	series_add(bench, &move->copy, reference.copy);
	/* In VRAM a place is found without looking at a page. */
	series_add(bench, &move->alloc,
		   move->kind->to == VRAM ? reference.place : reference.alloc);
	return 0;
}

static int step_move(struct bench *bench, void *context)
{
	struct move *move = context;
	double start, end;
	int ret;

	ret = buffer_bring(&move->buffer, move->kind->from);
	if (!ret)
		ret = buffer_map(&move->buffer);
	if (ret)
		return ret;
	start = clock_ns();
	ret = buffer_move(&move->buffer, move->kind->from, move->kind->to);
	end = clock_ns();
	if (ret)
		return fail(ret, "the buffer cannot move: %s", move->kind->name);
	series_add(bench, &move->whole, end - start);
	return 0;
}

static int step_traced(struct bench *bench, void *context)
{
	struct move *move = context;
	double ns;
	int ret;

	ret = buffer_bring(&move->buffer, move->kind->from);
	if (!ret)
		ret = buffer_map(&move->buffer);
	if (!ret)
		ret = trace_clear();
	if (!ret)
		ret = buffer_move(&move->buffer, move->kind->from, move->kind->to);
	if (!ret)
		ret = trace_copy(&ns);
	if (ret)
		return ret;
	series_add(bench, &move->in_move, ns);
	return 0;
}

static int open_move(struct move *move, const struct kind *kind, uint64_t size,
		     unsigned int importers)
{
	int ret;

	memset(move, 0, sizeof(*move));
	move->kind = kind;
	ret = buffer_open(&move->buffer, size, kind->from, importers);
	if (ret)
		return ret;
	ret = buffer_open(&move->spare, size, kind->to, 0);
	if (ret)
		buffer_close(&move->buffer);
	return ret;
}

static void close_move(struct move *move)
{
	buffer_close(&move->spare);
	buffer_close(&move->buffer);
	series_free(&move->whole);
	series_free(&move->in_move);
	series_free(&move->copy);
	series_free(&move->alloc);
}

/* The moves that a tracepoint looks into are not those whose whole is measured. */
static int copy_alone(struct bench *bench, struct move *move, uint64_t size)
{
	static const bench_step steps[] = { step_reference, step_traced };
	void *const contexts[] = { move, move };
	struct figure *figure;
	int ret;

	if (trace_open())
		return 0;
	ret = bench_run(bench, steps, contexts, ARRAY_SIZE(steps));
	trace_close();
	if (ret)
		return ret;
	figure = report_add(&move->in_move, size, 1, "%s: copy in it", move->kind->name);
	/* The reference's speed is what counts: its time over ours. */
	if (move->copy.count)
		report_ratio(figure, series_ratio(&move->copy, &move->in_move, NULL),
			     "speed of a bare copy", BOUND_AT_LEAST, 0.9);
	series_free(&move->copy);
	series_free(&move->alloc);
	return 0;
}

static void report_move(struct move *move, uint64_t size)
{
	struct figure *figure;

	if (move->copy.count) {
		report_add(&move->copy, size, 0, "%s: bare copy", move->kind->name);
		report_add(&move->alloc, size, 0, "%s: bare allocation", move->kind->name);
	}
	figure = report_add(&move->whole, size, 1, "%s: whole", move->kind->name);
	if (move->copy.count)
		report_ratio(figure, series_ratio(&move->whole, &move->copy, &move->alloc),
			     "bare copy + allocation",
			     size >= MIB ? BOUND_AT_MOST : BOUND_NONE, 1.1);
}

static int one_move(struct bench *bench, const struct kind *kind, uint64_t size)
{
	static const bench_step steps[] = { step_reference, step_move };
	struct move move;
	void *const contexts[] = { &move, &move };
	int ret;

	ret = open_move(&move, kind, size, 1);
	if (ret)
		return ret;
	ret = copy_alone(bench, &move, size);
	if (!ret)
		ret = bench_run(bench, steps, contexts, ARRAY_SIZE(steps));
	if (!ret)
		report_move(&move, size);
	close_move(&move);
	return ret;
}

/* Nothing may have to be evicted: the buffer, its spare and where it is going to. */
static bool fits(const struct kind *kind, uint64_t size)
{
	uint64_t in_vram = (kind->from == VRAM) + 2 * (kind->to == VRAM);

	return in_vram * size <= vram_size();
}

int bench_move(struct bench *bench)
{
	static const uint64_t sizes[] = { 64 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB };
	unsigned int count = bench->quick ? 1 : ARRAY_SIZE(sizes);
	int ret = 0;

	report_group("a move, with one importer that has the buffer mapped");
	for (unsigned int k = 0; !ret && k < ARRAY_SIZE(kinds); k++) {
		for (unsigned int i = 0; !ret && i < count; i++) {
			if (fits(&kinds[k], sizes[i]))
				ret = one_move(bench, &kinds[k], sizes[i]);
		}
	}
	return ret;
}
