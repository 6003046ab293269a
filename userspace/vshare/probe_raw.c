// SPDX-License-Identifier: MIT
/*
 * Operations of an importer, one at a time. Whatever comes back is looked at here, so
 * that no rule forgets what every answer must keep.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

/* Errors below are between kernel functions; above are no errors at all. */
#define FIRST_INTERNAL_ERRNO	512
#define MAX_ERRNO		4095

static const char *op_name(uint32_t op)
{
	static const char * const names[] = {
		[DRM_VIMPORT_RAW_ATTACH] = "attach",
		[DRM_VIMPORT_RAW_PIN] = "pin",
		[DRM_VIMPORT_RAW_MAP] = "map",
		[DRM_VIMPORT_RAW_UNMAP] = "unmap",
		[DRM_VIMPORT_RAW_UNPIN] = "unpin",
		[DRM_VIMPORT_RAW_DETACH] = "detach",
		[DRM_VIMPORT_RAW_QUERY] = "query",
	};

	return names[op];
}

static const char *describe(int error)
{
	static char text[64];

	if (error > -FIRST_INTERNAL_ERRNO && error < 0)
		snprintf(text, sizeof(text), "%s", strerror(-error));
	else
		snprintf(text, sizeof(text), "%d", error);
	return text;
}

static bool judge(struct probe *probe, const struct drm_vimport_raw *args, int ret)
{
	/* Not in this kernel: who asks for it knows. */
	if (ret == -EOPNOTSUPP)
		return false;
	/* It was checked when the probe began; this is no answer of the exporter's. */
	if (ret) {
		complain(ret, "cannot %s", op_name(args->op));
		return false;
	}
	if (!args->result)
		return true;
	if (args->result > 0 || args->result <= -FIRST_INTERNAL_ERRNO)
		probe_say(probe, PROBE_ERRNO, PROBE_BROKEN,
			  "to %s gives %d, which no program knows",
			  op_name(args->op), args->result);
	else
		probe_say(probe, PROBE_ERRNO, PROBE_HELD, "to %s gives \"%s\"", op_name(args->op),
			  describe(args->result));
	return false;
}

uint32_t probe_attach(struct probe *probe, uint32_t flags, const char *device)
{
	struct drm_vimport_raw args = {
		.op = DRM_VIMPORT_RAW_ATTACH,
		.flags = flags,
		.fd = probe->dmabuf,
		.device = (uintptr_t)device,
	};
	int ret = vshare_vimport_raw(probe->gpu, &args);

	if (!judge(probe, &args, ret))
		return 0;
	if (args.peer2peer && !(flags & DRM_VIMPORT_RAW_P2P))
		probe_say(probe, PROBE_P2P_FLAG, PROBE_BROKEN,
			  "it is set for an importer that has none");
	else if (flags & DRM_VIMPORT_RAW_P2P)
		probe_say(probe, PROBE_P2P_FLAG, PROBE_HELD, "an importer that has it %s",
			  args.peer2peer ? "keeps it" : "has it taken back");
	else
		probe_say(probe, PROBE_P2P_FLAG, PROBE_HELD, "none for an importer that has none");
	return args.id;
}

bool probe_op(struct probe *probe, uint32_t id, uint32_t op, uint32_t flags,
	      struct drm_vimport_raw *args)
{
	*args = (struct drm_vimport_raw) { .op = op, .flags = flags, .id = id };
	return judge(probe, args, vshare_vimport_raw(probe->gpu, args));
}

void probe_detach(struct probe *probe, uint32_t id)
{
	struct drm_vimport_raw args;

	probe_op(probe, id, DRM_VIMPORT_RAW_DETACH, 0, &args);
}

void probe_table_free(struct probe_table *table)
{
	free(table->segments);
	*table = (struct probe_table) { 0 };
}

/* One piece that is told as two is the same. */
static void join(struct probe_table *table)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		struct drm_vimport_raw_segment *last = &table->segments[count - 1];

		if (count && last->addr + last->size == table->segments[i].addr)
			last->size += table->segments[i].size;
		else
			table->segments[count++] = table->segments[i];
	}
	table->count = count;
}

bool probe_table_same(const struct probe_table *one, const struct probe_table *other)
{
	return one->count == other->count &&
	       !memcmp(one->segments, other->segments, one->count * sizeof(*one->segments));
}

static void check_table(struct probe *probe, const struct probe_table *table)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		uint64_t addr = table->segments[i].addr, size = table->segments[i].size;

		if (addr % PROBE_PAGE || size % PROBE_PAGE)
			probe_say(probe, PROBE_ALIGNED, PROBE_BROKEN,
				  "entry %u is %#" PRIx64 ", %#" PRIx64 " bytes", i, addr, size);
		sum += size;
	}
	probe_say(probe, PROBE_ALIGNED, PROBE_HELD, "%u entr%s", table->count,
		  table->count == 1 ? "y" : "ies");
	probe_say(probe, PROBE_WHOLE, sum < probe->size ? PROBE_BROKEN : PROBE_HELD,
		  "%" PRIu64 " of %" PRIu64 " bytes", sum, probe->size);
}

/*
 * How many entries there will be is not known before: as many as there are pages, and
 * if the buffer is not of whole pages, one more.
 */
bool probe_map(struct probe *probe, uint32_t id, uint32_t flags, struct drm_vimport_raw *args,
	       struct probe_table *table)
{
	uint32_t room = probe->size / PROBE_PAGE + 1;
	struct probe_table all = { .segments = calloc(room, sizeof(*all.segments)) };

	*args = (struct drm_vimport_raw) {
		.op = DRM_VIMPORT_RAW_MAP,
		.flags = flags,
		.id = id,
		.segments = (uintptr_t)all.segments,
		.segment_count = all.segments ? room : 0,
	};
	if (!judge(probe, args, vshare_vimport_raw(probe->gpu, args))) {
		free(all.segments);
		return false;
	}
	probe->mapped = true;
	if (args->segment_count > room)
		probe_say(probe, PROBE_ALIGNED, PROBE_BROKEN,
			  "%u entries, more than the buffer has pages", args->segment_count);
	all.count = args->segment_count < room ? args->segment_count : room;
	if (all.segments)
		check_table(probe, &all);
	join(&all);
	if (table)
		*table = all;
	else
		free(all.segments);
	return true;
}
