// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <glob.h>
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_starve.h"

/*
 * The kernel's own buddy allocator, which VRAM comes from, does not survive every
 * failure: when a second split of a block in alloc_from_freetree() fails, it frees a
 * block that is still in the tree of free ones. So of the slab caches only those of
 * kmalloc() fail, and of the pages never two in a row, which leaves the other caches
 * their fallback.
 */

#define SLAB			"/sys/kernel/debug/failslab"
#define PAGES			"/sys/kernel/debug/fail_page_alloc"
#define CACHES			"/sys/kernel/slab/kmalloc-*"

static const struct {
	const char *dir;
	unsigned int first;
} faults[STARVE_KINDS] = {
	[STARVE_SLAB] = { SLAB, 1 },
	[STARVE_PAGES] = { PAGES, 2 },
};

/**
 * starve_first - the smallest &starve.nth that a kind of allocation is good for
 * @kind: the kind
 */
unsigned int starve_first(enum starve_kind kind)
{
	return faults[kind].first;
}

const char *starve_name(enum starve_kind kind)
{
	return faults[kind].dir;
}

static bool set_knob(const char *dir, const char *knob, const char *value)
{
	char path[96];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, knob);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return done;
}

static unsigned int set_caches(const char *value)
{
	unsigned int set = 0;
	glob_t caches;

	if (glob(CACHES, 0, NULL, &caches))
		return 0;
	for (size_t i = 0; i < caches.gl_pathc; i++)
		set += set_knob(caches.gl_pathv[i], "failslab", value);
	globfree(&caches);
	return set;
}

/**
 * starve_stop - allocations succeed again, as an exit handler does it
 * @sig: unused
 */
void starve_stop(int sig)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++)
		set_knob(faults[i].dir, "probability", "0");
	set_caches("0");
}

/**
 * starve_prepare - get ready for starve_ioctl()
 *
 * Skips the subtest where the kernel cannot make allocations fail. starve_stop() is to
 * be an exit handler.
 */
void starve_prepare(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		igt_require_f(set_knob(faults[i].dir, "task-filter", "Y"),
			      "Needs %s, a kernel with fault injection\n", faults[i].dir);
		igt_assert(set_knob(faults[i].dir, "probability", "0"));
		igt_assert(set_knob(faults[i].dir, "times", "-1"));
		/* A stack in the kernel log for each would only look like a complaint. */
		igt_assert(set_knob(faults[i].dir, "verbose", "0"));
		igt_assert(set_knob(faults[i].dir, "ignore-gfp-wait", "N"));
	}
	igt_assert(set_knob(SLAB, "cache-filter", "Y"));
	igt_assert_lt(0, set_caches("1"));
	igt_assert(set_knob(PAGES, "ignore-gfp-highmem", "N"));
	igt_assert(set_knob(PAGES, "min-order", "0"));
}

/**
 * starve_ioctl - make an ioctl in which every n-th allocation fails
 * @starve: which allocations, and how often
 * @fd: file
 * @request: the ioctl
 * @arg: its argument
 *
 * Returns zero or -errno.
 */
int starve_ioctl(const struct starve *starve, int fd, unsigned long request, void *arg)
{
	const char *dir = faults[starve->kind].dir;
	int task = open("/proc/thread-self/make-it-fail", O_WRONLY | O_CLOEXEC);
	char interval[16];
	int ret;

	igt_assert_fd(task);
	snprintf(interval, sizeof(interval), "%u", starve->nth);
	igt_assert(set_knob(dir, "interval", interval));
	igt_assert(set_knob(dir, "probability", "100"));
	igt_assert_eq(pwrite(task, "1", 1, 0), 1);
	ret = ioctl(fd, request, arg) ? -errno : 0;
	igt_assert_eq(pwrite(task, "0", 1, 0), 1);
	igt_assert(set_knob(dir, "probability", "0"));
	close(task);
	return ret;
}
