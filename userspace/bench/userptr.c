// SPDX-License-Identifier: MIT
/*
 * Memory of this process, given to a device and taken back: a userptr buffer, whose
 * pages are looked up and watched, next to a buffer of io_uring's, whose pages are pinned.
 * Both sides are two system calls on the same memory, which has been written to before.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

#define HUGE_SIZE	(2 * MIB)

struct registration {
	int gpu;
	/* Negative if there is none. */
	int ring;
	char *memory;
	uint64_t size;
	/* Where the memory is in. */
	void *map;
	uint64_t mapped;
	struct series userptr, fixed;
};

static int step_userptr(struct bench *bench, void *context)
{
	struct registration *reg = context;
	uint32_t handle;
	double start;
	int ret;

	settle();
	start = clock_ns();
	ret = vshare_vimport_userptr(reg->gpu, reg->memory, reg->size,
				     DRM_VIMPORT_USERPTR_PROBE, &handle);
	if (!ret)
		ret = vshare_handle_close(reg->gpu, handle);
	if (ret)
		return fail(ret, "a userptr buffer of %llu bytes", (unsigned long long)reg->size);
	series_add(bench, &reg->userptr, clock_ns() - start);
	return 0;
}

/* No library: it would be one more thing to build, for three calls. */
static int ring_register(int ring, unsigned int op, const void *arg, unsigned int count)
{
	return syscall(__NR_io_uring_register, ring, op, arg, count) < 0 ? -errno : 0;
}

static int step_fixed(struct bench *bench, void *context)
{
	struct registration *reg = context;
	const struct iovec range = { .iov_base = reg->memory, .iov_len = reg->size };
	double start;
	int ret;

	settle();
	start = clock_ns();
	ret = ring_register(reg->ring, IORING_REGISTER_BUFFERS, &range, 1);
	if (!ret)
		ret = ring_register(reg->ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
	if (ret)
		return fail(ret, "a fixed buffer of %llu bytes", (unsigned long long)reg->size);
	series_add(bench, &reg->fixed, clock_ns() - start);
	return 0;
}

static int open_ring(void)
{
	struct io_uring_params params = { 0 };
	int ring = syscall(__NR_io_uring_setup, 1, &params);

	return ring < 0 ? fail(-errno, "io_uring is left out") : ring;
}

/* Bytes of this process that are in huge pages of the kernel's own choosing. */
static unsigned long long huge_bytes(void)
{
	FILE *rollup = fopen("/proc/self/smaps_rollup", "re");
	unsigned long long kib = 0;
	char line[256];

	while (rollup && fgets(line, sizeof(line), rollup)) {
		if (sscanf(line, "AnonHugePages: %llu kB", &kib) == 1)
			break;
	}
	if (rollup)
		fclose(rollup);
	return kib * KIB;
}

/*
 * Memory that has been written to, all of it in huge pages or none. Of a huge page more
 * than the size may be there.
 */
static int map_touched(struct registration *reg, uint64_t size, bool huge)
{
	uint64_t whole = (size + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
	unsigned long long before = huge_bytes();

	reg->size = size;
	reg->mapped = whole + HUGE_SIZE;
	reg->map = mmap(NULL, reg->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	if (reg->map == MAP_FAILED)
		return -errno;
	reg->memory = (char *)reg->map + (-(uintptr_t)reg->map & (HUGE_SIZE - 1));
	/* A kernel without huge pages knows neither advice, and the figure is what tells. */
	madvise(reg->map, reg->mapped, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(reg->memory, 1, huge ? whole : size);
	if (huge_bytes() - before == (huge ? whole : 0))
		return 0;
	munmap(reg->map, reg->mapped);
	return -EOPNOTSUPP;
}

static int one_size(struct bench *bench, struct registration *reg, const char *name)
{
	static const bench_step steps[] = { step_userptr, step_fixed };
	void *contexts[] = { reg, reg };
	struct figure *figure;
	int ret;

	ret = bench_run(bench, steps, contexts, reg->ring < 0 ? 1 : 2);
	if (!ret) {
		figure = report_add(&reg->userptr, reg->size, 1, "userptr, %s", name);
		if (reg->ring >= 0) {
			report_ratio(figure, series_ratio(&reg->userptr, &reg->fixed, NULL),
				     "io_uring's",
				     reg->size >= MIB ? BOUND_AT_MOST : BOUND_NONE, 1);
			report_add(&reg->fixed, reg->size, 1, "io_uring, %s", name);
		}
	}
	series_free(&reg->userptr);
	series_free(&reg->fixed);
	return ret;
}

static int all_sizes(struct bench *bench, struct registration *reg, bool huge)
{
	static const uint64_t sizes[] = { 64 * KIB, MIB, 16 * MIB };
	unsigned int count = bench->quick ? 1 : ARRAY_SIZE(sizes);
	const char *name = huge ? "huge pages" : "4 KiB pages";
	int ret = 0;

	for (unsigned int i = 0; !ret && i < count; i++) {
		ret = map_touched(reg, sizes[i], huge);
		if (ret) {
			fail(ret, "%llu bytes in %s are left out", (unsigned long long)sizes[i],
			     name);
			ret = 0;
			continue;
		}
		ret = one_size(bench, reg, name);
		munmap(reg->map, reg->mapped);
	}
	return ret;
}

int bench_userptr(struct bench *bench)
{
	struct registration reg = { .gpu = vshare_device_open("vimport", 0) };
	int ret;

	report_group("register, look up, close");
	if (reg.gpu < 0)
		return fail(reg.gpu, "no GPU: load vimport.ko");
	reg.ring = open_ring();
	ret = all_sizes(bench, &reg, false);
	if (!ret)
		ret = all_sizes(bench, &reg, true);
	if (reg.ring >= 0)
		close(reg.ring);
	close(reg.gpu);
	return ret ? ret : bench_elsewhere(bench);
}
