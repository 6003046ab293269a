// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>

#include "igt.h"
#include "igt_dumb.h"
#include "igt_vshare.h"

#define PARAMETER		"/sys/module/vexport/parameters/dumb"

static char parameter_before;

/**
 * dumb_set - switch dumb buffers of vexport on or off
 * @value: 'Y' or 'N'
 *
 * Skips the subtest for somebody who is not root. Returns what it was before.
 */
char dumb_set(char value)
{
	int file = open(PARAMETER, O_RDWR | O_CLOEXEC);
	char before = 'N';

	igt_require_f(file >= 0, "Needs root, to switch dumb buffers on: " PARAMETER "\n");
	igt_assert_eq(read(file, &before, 1), 1);
	igt_assert_eq(pwrite(file, &value, 1, 0), 1);
	close(file);
	return before;
}

/**
 * dumb_restore - switch dumb buffers to what they were before dumb_begin()
 * @sig: unused
 *
 * For igt_install_exit_handler().
 */
void dumb_restore(int sig)
{
	int file = open(PARAMETER, O_WRONLY | O_CLOEXEC);

	if (file < 0 || !parameter_before)
		return;
	if (write(file, &parameter_before, 1) != 1)
		igt_info("The parameter dumb could not be set back\n");
	close(file);
}

/**
 * dumb_begin - switch dumb buffers on, and open the node that has them
 */
int dumb_begin(void)
{
	char before = dumb_set('Y');
	int card;

	if (!parameter_before)
		parameter_before = before;
	/* The core lets nobody make dumb buffers on a render node. */
	card = vshare_open_card("vexport");
	igt_assert_f(card >= 0, "vexport has no primary node\n");
	return card;
}

struct drm_mode_create_dumb dumb_create(int fd, uint32_t width, uint32_t height, uint32_t bpp)
{
	struct drm_mode_create_dumb args = { .width = width, .height = height, .bpp = bpp };

	do_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &args);
	igt_assert(args.handle);
	return args;
}

uint64_t *dumb_map(int fd, const struct drm_mode_create_dumb *buffer)
{
	struct drm_mode_map_dumb args = { .handle = buffer->handle };
	uint64_t *words;

	do_ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &args);
	words = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, args.offset);
	igt_assert_f(words != MAP_FAILED, "mmap() of a dumb buffer failed: %m\n");
	return words;
}

void dumb_destroy(int fd, uint32_t handle)
{
	struct drm_mode_destroy_dumb args = { .handle = handle };

	do_ioctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &args);
}
