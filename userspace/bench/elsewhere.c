// SPDX-License-Identifier: MIT
/*
 * What registered ranges cost a process where it has not registered anything: the kernel
 * has to find out, at each change of the mapping, that none of them is concerned.
 * As they are a property of a process, each number of them has a process of its own.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* Ranges are pages with one in between, or the kernel could take them for one. */
#define RANGE		(4 * KIB)
#define RANGES_QUICK	100
#define RANGES		100000

/* None, one, many. */
#define COUNT		3

/* A process that drops memory when it is told to. */
struct dropper {
	pid_t pid;
	int socket;
	unsigned int ranges;
	struct series series;
};

struct drop {
	uint64_t size;
	struct dropper *dropper;
};

static double drop_touched(char *memory, uint64_t size)
{
	double start;

	for (uint64_t i = 0; i < size; i += RANGE)
		memory[i] = 1;
	settle();
	start = clock_ns();
	if (madvise(memory, size, MADV_DONTNEED))
		return -errno;
	return clock_ns() - start;
}

/* As many below the memory as above it: a look at one end of them does not suffice. */
static int register_around(char *map, unsigned int ranges, char *memory)
{
	int gpu = vshare_device_open("vimport", 0), ret;
	uint32_t handle;

	if (gpu < 0)
		return gpu;
	for (unsigned int i = 0; i < ranges; i++) {
		char *range = map + 2 * RANGE * i;

		ret = vshare_vimport_userptr(gpu, range < memory ? range : range + MIB, RANGE, 0,
					     &handle);
		if (ret)
			return ret;
	}
	return 0;
}

/* Answers each size with how long it took, or a negative errno; never returns. */
static void __attribute__((noreturn)) be_dropper(const struct dropper *dropper)
{
	uint64_t around = 2 * RANGE * dropper->ranges, size = 0;
	char *map, *memory;
	double answer = 0;

	map = mmap(NULL, around + MIB, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		_exit(1);
	madvise(map, around + MIB, MADV_NOHUGEPAGE);
	memory = map + 2 * RANGE * ((dropper->ranges + 1) / 2);
	if (dropper->ranges)
		answer = register_around(map, dropper->ranges, memory);
	do {
		if (size)
			answer = drop_touched(memory, size);
		if (write(dropper->socket, &answer, sizeof(answer)) != sizeof(answer))
			_exit(1);
	} while (read(dropper->socket, &size, sizeof(size)) == sizeof(size));
	_exit(0);
}

static int read_answer(struct dropper *dropper, double *ns)
{
	if (read(dropper->socket, ns, sizeof(*ns)) != sizeof(*ns))
		return -EPIPE;
	return *ns < 0 ? (int)*ns : 0;
}

static int open_dropper(struct dropper *dropper, unsigned int ranges)
{
	int sockets[2];
	double ns;

	*dropper = (struct dropper) { .ranges = ranges, .socket = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	dropper->pid = fork();
	if (!dropper->pid) {
		/* Or it would wait for itself when this process is gone. */
		close(sockets[0]);
		dropper->socket = sockets[1];
		be_dropper(dropper);
	}
	close(sockets[1]);
	dropper->socket = sockets[0];
	return dropper->pid < 0 ? -errno : read_answer(dropper, &ns);
}

static void close_dropper(struct dropper *dropper)
{
	if (dropper->socket >= 0)
		close(dropper->socket);
	if (dropper->pid > 0)
		waitpid(dropper->pid, NULL, 0);
}

static int step_drop(struct bench *bench, void *context)
{
	struct drop *drop = context;
	struct dropper *dropper = drop->dropper;
	double ns;
	int ret;

	/* It may be gone: that is said here, and not by a signal. */
	if (send(dropper->socket, &drop->size, sizeof(drop->size), MSG_NOSIGNAL) < 0)
		return fail(-errno, "a process with %u ranges", dropper->ranges);
	ret = read_answer(dropper, &ns);
	if (ret)
		return fail(ret, "a process with %u ranges", dropper->ranges);
	series_add(bench, &dropper->series, ns);
	return 0;
}

static int one_size(struct bench *bench, struct dropper *droppers, uint64_t size)
{
	struct drop drops[COUNT];
	bench_step steps[COUNT];
	void *contexts[COUNT];
	int ret;

	for (unsigned int i = 0; i < COUNT; i++) {
		drops[i] = (struct drop) { .size = size, .dropper = &droppers[i] };
		contexts[i] = &drops[i];
		steps[i] = step_drop;
	}
	ret = bench_run(bench, steps, contexts, COUNT);
	for (unsigned int i = 0; !ret && i < COUNT; i++) {
		struct dropper *dropper = &droppers[i];
		struct figure *figure = report_add(&dropper->series, size, 0, "%u ranges elsewhere",
						   dropper->ranges);

		if (i)
			report_ratio(figure, series_ratio(&dropper->series,
							  &droppers[i - 1].series, NULL),
				     i == 1 ? "none" : "one",
				     i == 1 ? BOUND_NONE : BOUND_AT_MOST, 1.1);
	}
	for (unsigned int i = 0; i < COUNT; i++)
		series_free(&droppers[i].series);
	return ret;
}

int bench_elsewhere(struct bench *bench)
{
	const unsigned int ranges[COUNT] = { 0, 1, bench->quick ? RANGES_QUICK : RANGES };
	static const uint64_t sizes[] = { 4 * KIB, MIB };
	struct dropper droppers[COUNT];
	unsigned int opened;
	int ret = 0;

	report_group("MADV_DONTNEED of other memory");
	for (opened = 0; !ret && opened < COUNT; opened++) {
		ret = open_dropper(&droppers[opened], ranges[opened]);
		if (ret)
			fail(ret, "no process with %u ranges", ranges[opened]);
	}
	for (unsigned int i = 0; !ret && i < (bench->quick ? 1 : ARRAY_SIZE(sizes)); i++)
		ret = one_size(bench, droppers, sizes[i]);
	while (opened--)
		close_dropper(&droppers[opened]);
	return ret;
}
