// SPDX-License-Identifier: MIT
/*
 * All devices of vexport. Ioctls on a dma-buf go to the device that exported it, so
 * each is asked in turn.
 */
#include <errno.h>
#include <unistd.h>

#include "cmd.h"
#include "exporter.h"

int exporters_open(struct exporters *exporters)
{
	int count = vshare_device_list("vexport", NULL, 0);

	exporters->count = 0;
	if (count <= 0) {
		complain_no_device("vexport", count);
		return count ? count : -ENODEV;
	}
	for (int i = 0; i < count && i < MAX_EXPORTERS; i++) {
		int dev = open_device("vexport", i);

		if (dev < 0)
			return dev;
		exporters->devs[exporters->count++] = dev;
	}
	return 0;
}

int exporters_find(const struct exporters *exporters, int dmabuf,
		   struct drm_vexport_bo_query *query)
{
	for (unsigned int i = 0; i < exporters->count; i++) {
		int ret = vshare_vexport_query(exporters->devs[i], dmabuf, query);

		if (ret != -EINVAL)
			return ret ? ret : exporters->devs[i];
	}
	return -EINVAL;
}
