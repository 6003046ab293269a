// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>

#include "igt.h"
#include "igt_unplug.h"

#define DRIVER			"/sys/bus/platform/drivers/vexport"
#define DEVICE			"vexport0"

/* How long the last of what a device had may take to be freed. */
#define RELEASE_NS		(20ull * NSEC_PER_SEC)

static bool tell_driver(const char *what)
{
	char path[64];
	bool done;
	int file;

	snprintf(path, sizeof(path), DRIVER "/%s", what);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	done = write(file, DEVICE, strlen(DEVICE)) == (ssize_t)strlen(DEVICE);
	close(file);
	return done;
}

static bool is_plugged(void)
{
	return !access(DRIVER "/" DEVICE, F_OK);
}

/**
 * unplug - take the device away from its driver
 *
 * Skips the subtest for somebody who is not root.
 */
void unplug(void)
{
	int fd;

	igt_require_f(!access(DRIVER "/unbind", W_OK), "Needs root and " DRIVER "/unbind\n");
	igt_assert_f(tell_driver("unbind"), "Unbinding " DEVICE " failed: %m\n");
	igt_assert(!is_plugged());
	fd = __vexport_open();
	igt_assert_f(fd < 0, "There is still a node of the device\n");
}

/**
 * plug - give the device back to its driver
 */
void plug(void)
{
	igt_assert_f(tell_driver("bind"), "Binding " DEVICE " failed: %m\n");
	igt_assert(is_plugged());
	close(vexport_open());
}

/* Whatever became of the subtest: the next one needs the device. */
static void plug_again(int sig)
{
	if (!is_plugged())
		tell_driver("bind");
}

/**
 * unplug_drop - give up a buffer whose device is gone
 * @bo: the buffer; its handle can only be closed with the file
 */
void unplug_drop(struct vexport_bo *bo)
{
	munmap(bo->map, bo->size);
	close(bo->dmabuf);
	memset(bo, 0, sizeof(*bo));
}

/**
 * unplug_free_memory - bytes of memory that nobody uses
 *
 * What each CPU keeps at hand is free, too. /proc/meminfo does not count that, and it is
 * as much as a whole VRAM when one has just been freed.
 */
uint64_t unplug_free_memory(void)
{
	uint64_t pages = 0, count;
	char line[128];
	FILE *file;

	file = fopen("/proc/zoneinfo", "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " pages free %" SCNu64, &count) == 1 ||
		    sscanf(line, " count: %" SCNu64, &count) == 1)
			pages += count;
	fclose(file);
	igt_assert_lt_u64(0, pages);
	return pages * sysconf(_SC_PAGESIZE);
}

/* A device that is not released keeps its VRAM, which nothing else is as large as. */
static void expect_released(uint64_t before, uint64_t vram_size)
{
	struct timespec since = {};
	uint64_t now;

	do {
		now = unplug_free_memory();
		if (now + vram_size / 2 > before)
			return;
		usleep(2000);
	} while (igt_nsec_elapsed(&since) < RELEASE_NS);
	igt_assert_f(false, "%" PRIu64 " KiB are gone: a device was not released\n",
		     (before - now) >> 10);
}

/**
 * unplug_run_subtests - run a table of subtests that unplug the exporter
 * @table: the subtests; each may leave the device plugged or not
 * @count: how many
 */
void unplug_run_subtests(const struct vshare_subtest *table, unsigned int count)
{
	struct vshare_session s;
	uint64_t before;

	igt_fixture {
		igt_install_exit_handler(plug_again);
	}

	for (unsigned int i = 0; i < count; i++) {
		igt_describe(table[i].describe);
		igt_subtest(table[i].name) {
			plug_again(0);
			/* A device of its own, so that all counters begin at zero. */
			unplug();
			plug();
			vshare_session_begin(&s);
			before = unplug_free_memory();
			table[i].run(&s);
			plug_again(0);
			vshare_session_end(&s);
			expect_released(before, s.start.exporter.vram_size);
		}
	}
}
