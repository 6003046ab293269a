// SPDX-License-Identifier: MIT
/*
 * What can be found out about an exporter as long as the buffer stays where it is.
 */
#include <inttypes.h>

#include "probe.h"

static const char *kind_name(uint32_t flags)
{
	if (!(flags & DRM_VIMPORT_RAW_DYNAMIC))
		return "static";
	return flags & DRM_VIMPORT_RAW_P2P ? "peer-to-peer" : "dynamic";
}

/* Who cannot do peer-to-peer must be given memory. */
static void check_reach(struct probe *probe, uint32_t flags, const struct drm_vimport_raw *map)
{
	if (flags & DRM_VIMPORT_RAW_P2P)
		return;
	if (map->unreachable == UINT32_MAX)
		probe_say(probe, PROBE_REACH, PROBE_UNTESTED,
			  "the device is behind an IOMMU, its addresses do not tell");
	else if (map->unreachable)
		probe_say(probe, PROBE_REACH, PROBE_BROKEN,
			  "%u entries for a %s importer are no memory", map->unreachable,
			  kind_name(flags));
	else
		probe_say(probe, PROBE_REACH, PROBE_HELD, "all of it is memory");
}

/* Two tables at a time are two; nobody says so of two tables one after the other. */
static void check_fresh(struct probe *probe, uint32_t id, uint32_t flags)
{
	struct drm_vimport_raw map, unmap;

	if (!probe_map(probe, id, DRM_VIMPORT_RAW_SECOND, &map, NULL)) {
		if (!map.result)
			probe_say(probe, PROBE_FRESH, PROBE_UNTESTED,
				  "a kernel with CONFIG_DMABUF_DEBUG might not survive that");
		return;
	}
	if (map.cached)
		probe_say(probe, PROBE_FRESH, PROBE_UNTESTED,
			  "the core of this kernel keeps the table itself");
	else if (map.shared)
		probe_say(probe, PROBE_FRESH, PROBE_BROKEN,
			  "a %s importer that maps twice is given one table twice",
			  kind_name(flags));
	else
		probe_say(probe, PROBE_FRESH, PROBE_HELD, "as a %s importer", kind_name(flags));
	probe_op(probe, id, DRM_VIMPORT_RAW_UNMAP, DRM_VIMPORT_RAW_SECOND, &unmap);
}

/* A second importer, meanwhile. It may not like the first, which is no rule's business. */
static void check_own(struct probe *probe, uint32_t flags)
{
	struct drm_vimport_raw map, unmap;
	uint32_t other = probe_attach(probe, flags, probe->as);

	if (!other)
		return;
	if (probe_map(probe, other, 0, &map, NULL)) {
		if (map.shared)
			probe_say(probe, PROBE_OWN, PROBE_BROKEN,
				  "two %s importers are given one table", kind_name(flags));
		else
			probe_say(probe, PROBE_OWN, PROBE_HELD, "two importers, two tables");
		probe_op(probe, other, DRM_VIMPORT_RAW_UNMAP, 0, &unmap);
	}
	probe_detach(probe, other);
}

/* A static importer is called when all moves are over, and its pin waits, too. */
static void check_ready(struct probe *probe, enum probe_rule rule,
			const struct drm_vimport_raw *args)
{
	if (args->fences)
		probe_say(probe, rule, PROBE_BROKEN, "%u KERNEL fences are pending", args->fences);
	else
		probe_say(probe, rule, PROBE_HELD, "no KERNEL fence is pending");
}

static void look_as(struct probe *probe, uint32_t flags)
{
	uint32_t id = probe_attach(probe, flags, probe->as);
	struct drm_vimport_raw args, unmap;

	if (!id)
		return;
	if (probe_map(probe, id, 0, &args, NULL)) {
		check_reach(probe, flags, &args);
		if (!flags)
			check_ready(probe, PROBE_STATIC_READY, &args);
		check_fresh(probe, id, flags);
		check_own(probe, flags);
		probe_op(probe, id, DRM_VIMPORT_RAW_UNMAP, 0, &unmap);
	}
	if (flags && probe->dynamic && probe_op(probe, id, DRM_VIMPORT_RAW_PIN, 0, &args)) {
		check_ready(probe, PROBE_PIN_READY, &args);
		probe_op(probe, id, DRM_VIMPORT_RAW_UNPIN, 0, &args);
	}
	probe_detach(probe, id);
}

void probe_rest(struct probe *probe)
{
	if (probe->size % PROBE_PAGE)
		probe_say(probe, PROBE_SIZE, PROBE_BROKEN, "%" PRIu64 " bytes", probe->size);
	else
		probe_say(probe, PROBE_SIZE, PROBE_HELD, "%" PRIu64 " bytes", probe->size);

	look_as(probe, 0);
	look_as(probe, DRM_VIMPORT_RAW_DYNAMIC);
	look_as(probe, DRM_VIMPORT_RAW_DYNAMIC | DRM_VIMPORT_RAW_P2P);
	if (!probe->dynamic)
		probe_say(probe, PROBE_PIN_READY, PROBE_UNTESTED,
			  "the exporter has no pins, and moves nothing");
}
