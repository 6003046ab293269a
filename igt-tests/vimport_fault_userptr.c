// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/wait.h>

#include "igt.h"
#include "igt_lr_memory.h"
#include "igt_userptr.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A GPU that faults, on memory of a process: it may go, come and move under "
		     "its jobs, and waits for none of them.");

#define SIZE			LR_MEMORY_BO_SIZE
#define PAGE			4096ull
#define HUGE			(2ull << 20)
#define WORD			sizeof(uint64_t)

/* What it must not wait for does not come to an end before. */
#define AT_ONCE_NS		(20ull * NSEC_PER_SEC)

/* A job that has stored 1 everywhere waits; what is done then must not wait for it. */
static uint64_t start_paused(struct lr_memory *t)
{
	uint64_t done;

	lr_memory_fill(t, 0, t->size, 1);
	lr_memory_pause(t);
	lr_memory_fill(t, 0, t->size, 2);
	done = lr_memory_submit(t);
	vimport_lr_wait_word(&t->lr, LR_STARTED, 1);
	igt_assert(userptr_holds(t->mem, t->size, 1));
	return done;
}

static int finish(struct lr_memory *t, uint64_t done)
{
	igt_assert(!vimport_lr_done(&t->lr, done));
	*vimport_lr_word(&t->lr, LR_GO) = 1;
	return vimport_lr_wait(&t->lr, done);
}

static void data(struct vshare_session *s)
{
	struct drm_vimport_info before, after;
	struct lr_memory t;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	vimport_get_info(t.lr.gpu.fd, &before);
	lr_memory_fill(&t, 0, SIZE, 7);
	igt_assert_eq(lr_memory_run(&t), 0);
	igt_assert(userptr_holds(t.mem, SIZE, 7));
	vimport_get_info(t.lr.gpu.fd, &after);
	igt_assert_lt_u64(before.userptr_faults, after.userptr_faults);

	/* From one process's memory to a buffer, and back. */
	t.mem[5] = 8;
	vimport_job_copy(&t.job, t.lr.gpu.va, LR_MEMORY_VA, PAGE);
	vimport_job_copy(&t.job, LR_MEMORY_VA + SIZE - PAGE, t.lr.gpu.va, PAGE);
	igt_assert_eq(lr_memory_run(&t), 0);
	igt_assert_eq_u64(t.bo.map[5], 8);
	igt_assert_eq_u64(t.mem[(SIZE - PAGE) / WORD + 5], 8);
	lr_memory_fini(&t);
}

static void dontneed(struct vshare_session *s)
{
	struct timespec start = {};
	struct lr_memory t;
	uint64_t done;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	done = start_paused(&t);
	igt_nsec_elapsed(&start);
	igt_assert_eq(madvise(t.mem, SIZE, MADV_DONTNEED), 0);
	igt_assert_lt_u64(igt_nsec_elapsed(&start), AT_ONCE_NS);
	igt_assert(userptr_holds(t.mem, SIZE, 0));
	igt_assert_eq(finish(&t, done), 0);
	igt_assert(userptr_holds(t.mem, SIZE, 2));
	lr_memory_fini(&t);
}

static void unmap(struct vshare_session *s)
{
	struct timespec start = {};
	struct lr_memory t;
	uint64_t done;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	done = start_paused(&t);
	igt_nsec_elapsed(&start);
	munmap(t.mem, SIZE);
	igt_assert_lt_u64(igt_nsec_elapsed(&start), AT_ONCE_NS);
	igt_assert_eq(finish(&t, done), -EFAULT);
	lr_memory_expect_works(&t);

	/* What is mapped there next is what the buffer is then. */
	igt_assert(mmap(t.mem, SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == t.mem);
	lr_memory_fill(&t, 0, SIZE, 3);
	igt_assert_eq(lr_memory_run(&t), 0);
	igt_assert(userptr_holds(t.mem, SIZE, 3));
	lr_memory_fini(&t);
}

/* One page is missing in the midst: those before it can be used, it cannot. */
static void hole(struct vshare_session *s)
{
	const size_t at = 5 * PAGE;
	struct lr_memory t;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	munmap((char *)t.mem + at, PAGE);
	lr_memory_fill(&t, 0, at, 1);
	igt_assert_eq(lr_memory_run(&t), 0);
	igt_assert(userptr_holds(t.mem, at, 1));
	lr_memory_fill(&t, at - PAGE, 2 * PAGE, 2);
	igt_assert_eq(lr_memory_run(&t), -EFAULT);
	igt_assert(userptr_holds((char *)t.mem + at - PAGE, PAGE, 2));
	lr_memory_fill(&t, at + PAGE, PAGE, 3);
	igt_assert_eq(lr_memory_run(&t), 0);
	igt_assert(userptr_holds((char *)t.mem + at + PAGE, PAGE, 3));
	lr_memory_fini(&t);
}

/* The memory goes elsewhere, with what the job has stored; the addresses have other memory. */
static void remap(struct vshare_session *s)
{
	struct lr_memory t;
	uint64_t done;
	void *moved;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	done = start_paused(&t);
	moved = userptr_alloc(SIZE);
	moved = mremap(t.mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, moved);
	igt_assert(moved != MAP_FAILED);
	igt_assert(mmap(t.mem, SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == t.mem);
	igt_assert_eq(finish(&t, done), 0);
	igt_assert(userptr_holds(t.mem, SIZE, 2));
	igt_assert(userptr_holds(moved, SIZE, 1));
	munmap(moved, SIZE);
	lr_memory_fini(&t);
}

static void protect(struct vshare_session *s)
{
	struct lr_memory t;
	uint64_t done;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	done = start_paused(&t);
	igt_assert_eq(mprotect(t.mem, SIZE, PROT_READ), 0);
	igt_assert_eq(finish(&t, done), -EFAULT);
	igt_assert(userptr_holds(t.mem, SIZE, 1));
	lr_memory_expect_works(&t);
	igt_assert_eq(mprotect(t.mem, SIZE, PROT_READ | PROT_WRITE), 0);
	lr_memory_fill(&t, 0, SIZE, 3);
	igt_assert_eq(lr_memory_run(&t), 0);
	igt_assert(userptr_holds(t.mem, SIZE, 3));
	lr_memory_fini(&t);
}

static void read_only(struct vshare_session *s)
{
	uint64_t *mem = userptr_alloc(SIZE);
	struct lr_memory t;

	memset(mem, 0x11, SIZE);
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ), 0);
	lr_memory_init(&t, s, mem, SIZE, DRM_VIMPORT_USERPTR_READONLY);
	vimport_job_copy(&t.job, t.lr.gpu.va, LR_MEMORY_VA, PAGE);
	igt_assert_eq(lr_memory_run(&t), 0);
	igt_assert(userptr_holds(t.bo.map, PAGE, 0x1111111111111111));
	/* There is a translation now, and it does not help. */
	lr_memory_fill(&t, 0, WORD, 1);
	igt_assert_eq(lr_memory_run(&t), -EFAULT);
	igt_assert(userptr_holds(t.mem, SIZE, 0x1111111111111111));
	lr_memory_fini(&t);
}

/* After a fork each has its own: what the job stores then is the parent's. */
static void forked(struct vshare_session *s)
{
	struct lr_memory t;
	uint64_t done;
	int status;
	pid_t pid;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	done = start_paused(&t);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		while (!vimport_lr_done(&t.lr, done))
			usleep(1000);
		_exit(!userptr_holds(t.mem, SIZE, 1));
	}
	igt_assert_eq(finish(&t, done), 0);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_f(!status, "The child did not keep what it had\n");
	igt_assert(userptr_holds(t.mem, SIZE, 2));
	lr_memory_fini(&t);
}

static void huge(struct vshare_session *s)
{
	char *raw = userptr_alloc(2 * HUGE);
	uint64_t *mem = (uint64_t *)(((uintptr_t)raw + HUGE - 1) & ~(HUGE - 1));
	struct lr_memory t;
	uint64_t done;

	madvise(mem, HUGE, MADV_HUGEPAGE);
	memset(mem, 0x22, HUGE);
	lr_memory_init(&t, s, mem, HUGE, 0);
	done = start_paused(&t);
	/* Splits it. */
	igt_assert_eq(madvise((char *)mem + 3 * PAGE, PAGE, MADV_DONTNEED), 0);
	igt_assert(userptr_holds((char *)mem + 3 * PAGE, PAGE, 0));
	igt_assert_eq(finish(&t, done), 0);
	igt_assert(userptr_holds(mem, HUGE, 2));
	lr_memory_fini(&t);
	munmap(raw, 2 * HUGE);
}

/* Pages come and go while jobs store to them. */
static void storm(struct vshare_session *s)
{
	struct timespec start = {};
	unsigned int count = 0, jobs = 0;
	struct lr_memory t;
	uint64_t done;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	igt_nsec_elapsed(&start);
	while (igt_nsec_elapsed(&start) < NSEC_PER_SEC || jobs < 4) {
		for (int i = 0; i < VIMPORT_JOB_CMDS; i++)
			lr_memory_fill(&t, 0, SIZE, jobs + 1);
		done = lr_memory_submit(&t);
		while (!vimport_lr_done(&t.lr, done)) {
			size_t page = random() % (SIZE / PAGE) * PAGE;

			igt_assert_eq(madvise((char *)t.mem + page, PAGE, MADV_DONTNEED), 0);
			count++;
		}
		igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
		jobs++;
		/* Nothing is taken away now. */
		lr_memory_fill(&t, 0, SIZE, ~(uint64_t)jobs);
		igt_assert_eq(lr_memory_run(&t), 0);
		igt_assert(userptr_holds(t.mem, SIZE, ~(uint64_t)jobs));
	}
	igt_info("%u jobs, %u pages taken away\n", jobs, count);
	lr_memory_fini(&t);
}

/* The buffer moves and the pages go, in all orders, and what is copied is all there. */
static void mixed(struct vshare_session *s)
{
	struct lr_memory t;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	for (unsigned int i = 0; i < 40; i++) {
		uint64_t done;

		for (size_t word = 0; word < SIZE / WORD; word++)
			t.mem[word] = i + 1;
		vimport_job_copy(&t.job, t.lr.gpu.va, LR_MEMORY_VA, SIZE / 2);
		lr_memory_pause(&t);
		vimport_job_copy(&t.job, LR_MEMORY_VA + SIZE / 2, t.lr.gpu.va, SIZE / 2);
		done = lr_memory_submit(&t);
		vimport_lr_wait_word(&t.lr, LR_STARTED, 1);
		for (unsigned int step = 0; step < 2; step++) {
			if ((step ^ i) & 1)
				vexport_move(s->exporter, t.bo.dmabuf,
					     i & 2 ? DRM_VEXPORT_PLACEMENT_VRAM : 0,
					     i & 2 ? 0 : DRM_VEXPORT_MOVE_RELOCATE);
			else
				igt_assert_eq(madvise(t.mem, SIZE, MADV_DONTNEED), 0);
			/* In some rounds it goes on between the two. */
			if (i & 4)
				*vimport_lr_word(&t.lr, LR_GO) = 1;
		}
		*vimport_lr_word(&t.lr, LR_GO) = 1;
		igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
		igt_assert(userptr_holds(t.bo.map, SIZE / 2, i + 1));
		/* Taken away after the copy, perhaps. */
		if (!(i & 4))
			igt_assert(userptr_holds(t.mem + SIZE / 2 / WORD, SIZE / 2, i + 1));
		vexport_move(s->exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	}
	lr_memory_fini(&t);
}

/* A fenced address space has the same memory: its jobs are waited for, the others not. */
static void fenced_too(struct vshare_session *s)
{
	struct vimport_job job = {};
	uint64_t done, value;
	struct lr_memory t;
	uint32_t vm, syncobj;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	vm = vimport_vm_create(t.lr.gpu.fd);
	vimport_vm_map(t.lr.gpu.fd, vm, t.handle, 0, LR_MEMORY_VA, SIZE, 0);
	lr_memory_fill(&t, SIZE / 2, SIZE / 2, 1);
	lr_memory_pause(&t);
	lr_memory_fill(&t, SIZE / 2, SIZE / 2, 2);
	done = lr_memory_submit(&t);
	vimport_lr_wait_word(&t.lr, LR_STARTED, 1);
	vimport_job_delay(&job, 100 * NSEC_PER_MSEC);
	vimport_job_fill(&job, LR_MEMORY_VA, SIZE / 2, 3);
	syncobj = vimport_submit(t.lr.gpu.fd, vm, &job, 0);
	igt_assert_eq(madvise(t.mem, SIZE, MADV_DONTNEED), 0);
	igt_assert(userptr_holds(t.mem, SIZE, 0));
	igt_assert_eq(vimport_wait(t.lr.gpu.fd, syncobj), 0);
	value = t.mem[0];
	igt_assert_eq_u64(value, 0);
	igt_assert_eq(finish(&t, done), 0);
	igt_assert(userptr_holds(t.mem + SIZE / 2 / WORD, SIZE / 2, 2));
	vimport_vm_destroy(t.lr.gpu.fd, vm);
	lr_memory_fini(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "data", "Jobs read and write memory of a process.", data },
	{ "dontneed", "Memory is given up under a job, which then stores to what has come.",
	  dontneed },
	{ "unmap", "Memory that has gone ends the job, and only that.", unmap },
	{ "hole", "A page that is missing hurts only who touches it.", hole },
	{ "mremap", "Memory that is moved takes along what was stored, and nothing later.", remap },
	{ "mprotect", "Memory that has become read-only is not stored to.", protect },
	{ "read-only", "A read-only buffer is not stored to.", read_only },
	{ "fork", "Stores after a fork are the parent's.", forked },
	{ "thp", "A huge page is split under a job.", huge },
	{ "storm", "Pages come and go at any time.", storm },
	{ "mixed", "Pages go and buffers move, in all orders.", mixed },
	{ "fenced-too", "Memory that is in a fenced address space as well.", fenced_too },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
