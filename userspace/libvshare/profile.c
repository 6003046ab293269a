// SPDX-License-Identifier: MIT
/*
 * Profiles: make a buffer behave as those of other exporters do, or worse.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <xf86drm.h>

#include "vshare.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * What is behind the first three is in docs/how-it-works.md. Of what an importer may
 * meet, "nasty" leaves out what would keep it away, and what excludes something else.
 */
static const struct {
	const char *name;
	struct drm_vexport_bo_profile profile;
} presets[] = {
	{ "none", { 0 } },
	{ "amdgpu", { .nasty = DRM_VEXPORT_NASTY_PAGELESS_VRAM | DRM_VEXPORT_NASTY_MAP_TO_VRAM } },
	{ "xe", { .nasty = DRM_VEXPORT_NASTY_PAGELESS_VRAM | DRM_VEXPORT_NASTY_NOTIFY_EARLY |
			   DRM_VEXPORT_NASTY_MAP_TO_VRAM } },
	{ "vfio", { .nasty = DRM_VEXPORT_NASTY_PAGELESS | DRM_VEXPORT_NASTY_P2P_ONLY |
			     DRM_VEXPORT_NASTY_MAXIMAL } },
	{ "nasty", {
		.nasty = DRM_VEXPORT_NASTY_PAGELESS | DRM_VEXPORT_NASTY_FRAGMENTED |
			 DRM_VEXPORT_NASTY_NOTIFY_TWICE | DRM_VEXPORT_NASTY_NOTIFY_EARLY |
			 DRM_VEXPORT_NASTY_NOTIFY_SPURIOUS | DRM_VEXPORT_NASTY_MAP_SLOW |
			 DRM_VEXPORT_NASTY_MAP_BUSY | DRM_VEXPORT_NASTY_MAP_INTR |
			 DRM_VEXPORT_NASTY_MAP_TO_TT | DRM_VEXPORT_NASTY_MAP_TO_VRAM,
		.map_delay_us = 500,
		.max_segment = 4096,
		.every = 5,
	} },
};

static const char * const nasty_names[] = {
	"pageless", "pageless-vram", "p2p-only", "fragmented", "maximal", "notify-twice",
	"notify-early", "notify-spurious", "map-slow", "map-busy", "map-intr", "map-to-tt",
	"map-to-vram",
};

int vshare_profile_find(const char *name, struct drm_vexport_bo_profile *profile)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(presets); i++) {
		if (strcmp(name, presets[i].name))
			continue;
		*profile = presets[i].profile;
		return 0;
	}
	return -ENOENT;
}

const char *vshare_profile_name(unsigned int nth)
{
	return nth < ARRAY_SIZE(presets) ? presets[nth].name : NULL;
}

const char *vshare_nasty_name(unsigned int bit)
{
	return bit < ARRAY_SIZE(nasty_names) ? nasty_names[bit] : NULL;
}

int vshare_vexport_set_profile(int dev, int dmabuf, const struct drm_vexport_bo_profile *profile)
{
	struct drm_vexport_bo_profile args = {
		.fd = dmabuf,
		.nasty = profile->nasty,
		.map_delay_us = profile->map_delay_us,
		.max_segment = profile->max_segment,
		.every = profile->every,
	};

	return drmIoctl(dev, DRM_IOCTL_VEXPORT_BO_PROFILE, &args) ? -errno : 0;
}

int vshare_vexport_get_profile(int dev, int dmabuf, struct drm_vexport_bo_profile *profile)
{
	struct drm_vexport_bo_profile args = { .fd = dmabuf, .flags = DRM_VEXPORT_PROFILE_GET };

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_BO_PROFILE, &args))
		return -errno;
	*profile = args;
	return 0;
}
