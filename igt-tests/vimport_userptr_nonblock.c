// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Who takes memory from a dying process must not wait: it is told to leave "
		     "alone what a GPU may be using, and nothing happens to that.");

#define SIZE			(64ull << 10)

/* How long a slow machine may take to have a process begin to wait. */
#define STUCK_NS		(10 * NSEC_PER_SEC)

/* What the victim's memory is for. */
enum use { UNUSED, USED, BUSY };

/*
 * A process that is being killed and still has its memory, because it cannot die: it
 * waits in the kernel for a GPU that uses other memory of its, shared memory, which is
 * not taken away before its end. The GPU waits for the gate.
 */
static void victim(struct vshare_session *s, uint64_t *mem, enum use use, int ready,
		   const struct gate *gate)
{
	uint32_t closed = gate_syncobj(gate, s->gpu[0]);
	struct vimport_job stalled = {}, late = {};
	struct userptr u, stall;
	uint64_t *shared;

	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(shared != MAP_FAILED);
	userptr_init(&stall, s->gpu[0], shared, SIZE, 0);
	userptr_init(&u, s->gpu[0], mem, SIZE, 0);
	for (size_t i = 0; i < SIZE / sizeof(*mem); i++)
		mem[i] = 1;
	if (use != UNUSED)
		igt_assert_eq(userptr_fill(&u, 1), 0);

	vimport_job_delay(&stalled, 0);
	vimport_job_sync(&stalled, closed, 0, 0);
	igt_assert_eq(__vimport_exec(stall.fd, stall.vm, &stalled, 0), 0);
	vimport_job_fill(&late, u.va, u.size, 2);
	vimport_job_sync(&late, closed, 0, 0);
	if (use == BUSY)
		igt_assert_eq(__vimport_exec(u.fd, u.vm, &late, 0), 0);

	igt_assert_eq(write(ready, "", 1), 1);
	madvise(shared, SIZE, MADV_DONTNEED);
	_exit(0);
}

/* Has the process begun to wait in the kernel? */
static bool is_stuck(pid_t pid)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "r");
	igt_assert(stat && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1);
	fclose(stat);
	return state == 'D';
}

static void run(struct vshare_session *s, enum use use)
{
	uint64_t *mem = userptr_alloc(SIZE), *seen = malloc(SIZE);
	struct timespec since = {};
	int ready[2], pidfd, view, ret, err;
	struct gate gate;
	char byte, path[64];
	ssize_t got;
	pid_t child;
	bool stuck;

	igt_require_f(s->gpus > 1, "Needs two GPUs\n");
	gate_close(&gate, 1, -1, 0, GATE_LONG, 0);
	igt_assert_eq(pipe(ready), 0);
	child = fork();
	igt_assert(child >= 0);
	if (!child)
		victim(s, mem, use, ready[1], &gate);
	igt_assert_eq(read(ready[0], &byte, 1), 1);
	pidfd = syscall(SYS_pidfd_open, child, 0);
	igt_assert_fd(pidfd);
	snprintf(path, sizeof(path), "/proc/%d/mem", child);
	view = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert_fd(view);
	while (!is_stuck(child))
		igt_assert_lt_u64(igt_nsec_elapsed(&since), STUCK_NS);

	kill(child, SIGKILL);
	ret = syscall(SYS_process_mrelease, pidfd, 0) ? -errno : 0;
	/* Of what was taken nothing can be read, not even zeroes. */
	got = pread(view, seen, SIZE, (uintptr_t)mem);
	err = errno;
	stuck = is_stuck(child);
	gate_open(&gate);
	igt_assert_eq(waitpid(child, NULL, 0), child);
	igt_assert_f(stuck, "This machine is too slow to tell anything\n");
	if (use == UNUSED) {
		igt_assert_eq(ret, 0);
		igt_assert_f(got < 0 && err == EIO, "The memory was not taken\n");
	} else {
		igt_assert_eq(ret, -EAGAIN);
		igt_assert_f(got == (ssize_t)SIZE, "The memory was taken\n");
		igt_assert(userptr_holds(seen, SIZE, 1));
	}

	close(view);
	close(pidfd);
	close(ready[0]);
	close(ready[1]);
	free(seen);
	munmap(mem, SIZE);
}

static void unused(struct vshare_session *s)
{
	run(s, UNUSED);
}

static void used(struct vshare_session *s)
{
	run(s, USED);
}

static void busy(struct vshare_session *s)
{
	run(s, BUSY);
}

static const struct vshare_subtest subtests[] = {
	{ "unused", "Memory that no GPU has used can be taken: there is nothing to wait for.",
	  unused },
	{ "used", "Memory that a GPU could still reach is left alone.", used },
	{ "busy", "Memory that jobs are going to use is left alone.", busy },
};

igt_main_args("", vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
