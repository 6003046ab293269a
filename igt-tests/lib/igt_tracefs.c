// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/stat.h>

#include "igt.h"
#include "igt_tracefs.h"

/**
 * tracefs_write - write to a file of tracefs, which must succeed
 * @path: the file; what it held is replaced
 * @text: what to write
 */
void tracefs_write(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	igt_assert_f(file >= 0, "Cannot open %s: %m\n", path);
	igt_assert_eq(write(file, text, strlen(text)), strlen(text));
	close(file);
}

/**
 * tracefs_remove_ours - have nothing left of %TRACEFS_OURS
 * @sig: not looked at; it is an exit handler, too
 */
void tracefs_remove_ours(int sig)
{
	rmdir(TRACEFS_OURS);
}

/**
 * tracefs_make_ours - make %TRACEFS_OURS, with no event on
 *
 * Skips the subtest if there is no tracefs.
 */
void tracefs_make_ours(void)
{
	igt_require_f(!access(TRACEFS "/instances", W_OK),
		      "Needs tracefs at " TRACEFS ", and root\n");
	tracefs_remove_ours(0);
	igt_assert_f(!mkdir(TRACEFS_OURS, 0700), "Cannot make " TRACEFS_OURS ": %m\n");
	/* The usual clock is not the same on all CPUs. */
	tracefs_write(TRACEFS_OURS "/trace_clock", "mono");
}
