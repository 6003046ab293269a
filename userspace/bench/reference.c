// SPDX-License-Identifier: MIT
/*
 * What the parts of a move cost by themselves, from the module vshare_bench, and in
 * a move, from vexport's events.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench.h"
#include "vshare_bench.h"

#define DEVICE		"/dev/vshare-bench"
#define TRACEFS		"/sys/kernel/tracing"
/* A trace of our own, so that nobody else's is disturbed. */
#define INSTANCE	TRACEFS "/instances/vshare-bench"

#define CALIBRATION_NS	20e6

static double ns_per_tick;

int reference_measure(const struct buffer *src, const struct buffer *dst,
		      struct reference *reference)
{
	struct vshare_bench_reference args = { .src = src->dmabuf, .dst = dst->dmabuf };
	static int device = -1;
	static bool said;

	if (device < 0)
		device = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0) {
		if (!said)
			fail(0, DEVICE
				 " cannot be opened: build with `make modules VSHARE_BENCH=y` and load vshare_bench.ko as root to compare with bare copies");
		said = true;
		return -ENODEV;
	}
	if (ioctl(device, VSHARE_BENCH_REFERENCE, &args))
		return fail(-errno, "no bare copy of %llu bytes",
				(unsigned long long)src->size);
	reference->copy = args.copy_ns;
	reference->alloc = args.alloc_ns;
	reference->place = args.place_ns;
	return 0;
}

static int write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret = 0;

	if (file < 0)
		return -errno;
	if (write(file, text, strlen(text)) < 0)
		ret = -errno;
	close(file);
	return ret;
}

static void calibrate(void)
{
	unsigned long long first = __rdtsc();
	double start = clock_ns();

	while (clock_ns() < start + CALIBRATION_NS)
		;
	ns_per_tick = (clock_ns() - start) / (__rdtsc() - first);
}

int trace_open(void)
{
	static bool said;
	int ret;

	rmdir(INSTANCE);
	ret = mkdir(INSTANCE, 0700) ? -errno : 0;
	/* The only clock that is printed with more than microseconds. */
	if (!ret)
		ret = write_file(INSTANCE "/trace_clock", "x86-tsc");
	if (!ret)
		ret = write_file(INSTANCE "/events/vexport/vexport_move_idle/enable", "1");
	if (!ret)
		ret = write_file(INSTANCE "/events/vexport/vexport_move_copied/enable", "1");
	if (ret) {
		if (!said)
			fail(0, "no events in " TRACEFS
				 ": mount tracefs there and run as root to see the copies in moves");
		said = true;
		rmdir(INSTANCE);
		return -ENODEV;
	}
	calibrate();
	return 0;
}

void trace_close(void)
{
	rmdir(INSTANCE);
}

int trace_clear(void)
{
	return write_file(INSTANCE "/trace", "");
}

/* The clock stands before the name of the event, after a blank. */
static double ticks(char *line, const char *event)
{
	char *name = *line == '#' ? NULL : strstr(line, event), *blank;

	if (!name)
		return 0;
	*name = '\0';
	blank = strrchr(line, ' ');
	return blank ? strtod(blank, NULL) : 0;
}

int trace_copy(double *ns)
{
	FILE *file = fopen(INSTANCE "/trace", "re");
	double idle = 0, copied = 0;
	char line[512];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (!idle)
			idle = ticks(line, ": vexport_move_idle:");
		else if (!copied)
			copied = ticks(line, ": vexport_move_copied:");
	}
	fclose(file);
	if (!copied)
		return fail(-ENOMSG, "a move left no events");
	*ns = (copied - idle) * ns_per_tick;
	return 0;
}
