// SPDX-License-Identifier: MIT
/*
 * Find devices by the name of their DRM driver, and open them.
 *
 * The nodes are read from /dev/dri and not from drmGetDevices2(), which folds
 * platform devices with the same modalias into one: all but one of a driver's
 * software devices would be missing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xf86drm.h>

#include "vshare.h"

#define DRI_DIR		"/dev/dri"
#define FIRST_RENDER	128
#define MAX_RENDER	64

static int node_minor(const char *name)
{
	unsigned int minor;
	char rest;

	if (sscanf(name, "renderD%u%c", &minor, &rest) != 1 ||
	    minor < FIRST_RENDER || minor >= FIRST_RENDER + MAX_RENDER)
		return -1;
	return minor;
}

/* Returns a descriptor if the node belongs to the driver. */
static int open_node(const char *node, const char *driver, struct vshare_device *device)
{
	drmVersionPtr version;
	int fd, ret = -ENODEV;

	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	version = drmGetVersion(fd);
	if (version && !strcmp(version->name, driver)) {
		snprintf(device->node, sizeof(device->node), "%s", node);
		device->major = version->version_major;
		device->minor = version->version_minor;
		device->patch = version->version_patchlevel;
		ret = fd;
	}
	drmFreeVersion(version);
	if (ret < 0)
		close(fd);
	return ret;
}

static int compare_index(const void *a, const void *b)
{
	const struct vshare_device *da = a, *db = b;

	return da->index < db->index ? -1 : da->index > db->index;
}

/* Without permission for a node it may or may not have been one of the driver's. */
static int find(const char *driver, struct vshare_device found[MAX_RENDER])
{
	bool present[MAX_RENDER] = { false };
	bool denied = false;
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	dir = opendir(DRI_DIR);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		int minor = node_minor(entry->d_name);

		if (minor >= 0)
			present[minor - FIRST_RENDER] = true;
	}
	closedir(dir);

	for (int i = 0; i < MAX_RENDER; i++) {
		struct vshare_device *device = &found[count];
		struct drm_vimport_info info;
		char node[sizeof(device->node)];
		int fd;

		if (!present[i])
			continue;
		snprintf(node, sizeof(node), DRI_DIR "/renderD%d", FIRST_RENDER + i);
		fd = open_node(node, driver, device);
		if (fd < 0) {
			denied |= fd == -EACCES || fd == -EPERM;
			continue;
		}
		device->index = count++;
		if (!strcmp(driver, "vimport") && !vshare_vimport_info(fd, &info))
			device->index = info.gpu;
		close(fd);
	}
	if (!count && denied)
		return -EACCES;
	qsort(found, count, sizeof(*found), compare_index);
	return count;
}

int vshare_device_list(const char *driver, struct vshare_device *devices, unsigned int max)
{
	struct vshare_device found[MAX_RENDER];
	int count = find(driver, found);

	for (int i = 0; i < count && (unsigned int)i < max; i++)
		devices[i] = found[i];
	return count;
}

int vshare_device_open(const char *driver, unsigned int nth)
{
	struct vshare_device found[MAX_RENDER];
	int count = find(driver, found);

	if (count < 0)
		return count;
	if (nth >= (unsigned int)count)
		return -ENODEV;
	return open_node(found[nth].node, driver, &found[nth]);
}

int vshare_handle_close(int dev, uint32_t handle)
{
	return drmCloseBufferHandle(dev, handle) ? -errno : 0;
}
