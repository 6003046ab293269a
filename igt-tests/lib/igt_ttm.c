// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>

#include "igt.h"
#include "igt_ttm.h"
#include "igt_vexport.h"
#include "igt_vshare.h"

#define TT_SHRINK		"/sys/kernel/debug/ttm/tt_shrink"
#define MAX_BUFFERS		1000

/**
 * ttm_shrink - have TTM swap out one buffer of some device
 *
 * Skips the subtest where there is no debugfs. Returns how many pages it had, zero or
 * less if there is none to swap out.
 */
int ttm_shrink(void)
{
	int fd = open(TT_SHRINK, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t len;

	igt_require_f(fd >= 0, "Needs %s: %m; mount debugfs and be root\n", TT_SHRINK);
	/* To read it is what does it. */
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	igt_assert_lt(0, len);
	text[len] = '\0';
	return atoi(text);
}

/**
 * ttm_shrink_all - have everything swapped out that can be, of all devices
 *
 * Skips the subtest where there is no debugfs.
 */
void ttm_shrink_all(void)
{
	for (int i = 0; ttm_shrink() > 0; i++)
		igt_assert_f(i < MAX_BUFFERS, "TTM always finds something to swap out\n");
}

/**
 * ttm_swap_out - have all buffers swapped out that this subtest has
 * @s: the session
 *
 * None of them may be in VRAM or have an importer: then it has no pages of its own
 * while it is swapped out.
 */
void ttm_swap_out(const struct vshare_session *s)
{
	struct drm_vexport_info info;

	for (int i = 0;; i++) {
		vexport_get_info(s->exporter, &info);
		if (info.storages <= s->start.exporter.storages)
			return;
		igt_assert_lt(i, TTM_MAX_SHRINKS);
		ttm_shrink();
	}
}
