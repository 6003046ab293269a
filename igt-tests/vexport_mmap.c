// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_ticks.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("CPU mappings of a buffer that moves: they follow it, whole or in part, in "
		     "this process and in others, and give away no more than was mapped.");

#define PAGE			4096u
#define PAGES			256u
#define SIZE			(PAGES * PAGE)
#define WORDS_PER_PAGE		(PAGE / sizeof(uint64_t))

/* What one fault has to bring at least, and faults that are none of the buffer's. */
#define PAGES_PER_FAULT		16u
#define OTHER_FAULTS		4u

/* All ways to leave storage, the last one back to the start. */
static const struct step {
	uint32_t placement, flags;
} steps[] = {
	{ DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_MOVE_RELOCATE },
	{ DRM_VEXPORT_PLACEMENT_TT, 0 },
	{ DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_MOVE_RELOCATE },
	{ DRM_VEXPORT_PLACEMENT_SYSTEM, 0 },
	{ DRM_VEXPORT_PLACEMENT_VRAM, 0 },
};

static void step(struct vshare_session *s, const struct vexport_bo *bo, unsigned int i)
{
	vexport_move(s->exporter, bo->dmabuf, steps[i].placement, steps[i].flags);
}

static void begin(struct vexport_bo *bo, struct vshare_session *s)
{
	vexport_bo_init(bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_GEM_MOVING);
}

/* Each page has a word that says which page it is, and for the how-many-th time. */
static uint64_t mark(unsigned int page, unsigned int round)
{
	return (uint64_t)(round + 1) << 32 | page;
}

static void store_marks(uint64_t *map, unsigned int first, unsigned int end, unsigned int round)
{
	for (unsigned int page = first; page < end; page++)
		WRITE_ONCE(map[page * WORDS_PER_PAGE], mark(page, round));
}

static void check_marks(const uint64_t *map, unsigned int first, unsigned int end,
			unsigned int round)
{
	for (unsigned int page = first; page < end; page++)
		igt_assert_eq_u64(READ_ONCE(map[page * WORDS_PER_PAGE]), mark(page, round));
}

static long count_faults(const uint64_t *map)
{
	struct rusage before, after;
	uint64_t sum = 0;

	getrusage(RUSAGE_SELF, &before);
	for (unsigned int page = 0; page < PAGES; page++)
		sum += READ_ONCE(map[page * WORDS_PER_PAGE]);
	getrusage(RUSAGE_SELF, &after);
	igt_assert_eq_u64(sum, 0);
	return after.ru_minflt - before.ru_minflt;
}

static void faults(struct vshare_session *s)
{
	struct vexport_bo bo;
	uint64_t *gem;
	long count;

	begin(&bo, s);
	gem = vexport_gem_mmap(s->exporter, bo.handle, SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		for (int which = 0; which < 2; which++) {
			const uint64_t *map = which ? gem : bo.map;

			count = count_faults(map);
			igt_debug("%u pages, %ld faults\n", PAGES, count);
			/* The move has taken every page away, and a fault brings several. */
			igt_assert_lte(PAGES / 64, count);
			igt_assert_lte(count, PAGES / PAGES_PER_FAULT + OTHER_FAULTS);
			igt_assert_lte(count_faults(map), OTHER_FAULTS);
		}
		step(s, &bo, i);
	}
	munmap(gem, SIZE);
	vexport_bo_fini(&bo);
}

/* A move that cannot be over yet. */
static void hold_up_move(struct gate *gate, struct vshare_session *s, const struct vexport_bo *bo)
{
	gate_close(gate, 0, bo->dmabuf, SIZE, GATE_JOBS, 0);
	vexport_move(s->exporter, bo->dmabuf, 0,
		     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
	igt_assert(gate_closed(gate));
}

static void fault_waits(struct vshare_session *s)
{
	unsigned int interrupted;
	struct vexport_bo bo;
	struct gate gate;
	uint64_t *gem;

	begin(&bo, s);
	gem = vexport_gem_mmap(s->exporter, bo.handle, SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		uint64_t *map = i % 2 ? gem : bo.map;

		store_marks(bo.map, 0, PAGES, i);
		hold_up_move(&gate, s, &bo);
		ticks_start(true);
		check_marks(map, 0, PAGES, i);
		interrupted = ticks_stop();
		igt_assert(!gate_closed(&gate));
		/* Who waits for the page does not miss signals. */
		igt_assert_lt(2, interrupted);
		gate_open(&gate);
		step(s, &bo, i);
	}
	munmap(gem, SIZE);
	vexport_bo_fini(&bo);
}

static bool is_mapped(const uint64_t *map, unsigned int page)
{
	return !msync((char *)map + page * PAGE, PAGE, MS_ASYNC);
}

static void partial_unmap(struct vshare_session *s)
{
	static const unsigned int holes[][2] = { { 0, 3 }, { 64, 65 }, { 100, 140 }, { 250, 256 } };
	struct vexport_bo bo;
	uint64_t *map;

	begin(&bo, s);
	map = vexport_dmabuf_mmap(bo.dmabuf, SIZE);
	store_marks(map, 0, PAGES, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(holes); i++)
		munmap((char *)map + holes[i][0] * PAGE, (holes[i][1] - holes[i][0]) * PAGE);

	for (unsigned int round = 0; round < ARRAY_SIZE(steps); round++) {
		step(s, &bo, round);
		for (unsigned int i = 0; i < ARRAY_SIZE(holes); i++) {
			unsigned int next = i + 1 < ARRAY_SIZE(holes) ? holes[i + 1][0] : PAGES;

			check_marks(map, holes[i][1], next, round);
			store_marks(map, holes[i][1], next, round + 1);
			for (unsigned int page = holes[i][0]; page < holes[i][1]; page++)
				igt_assert(!is_mapped(map, page));
			store_marks(bo.map, holes[i][0], holes[i][1], round + 1);
		}
		check_marks(bo.map, 0, PAGES, round + 1);
	}
	munmap(map, SIZE);
	vexport_bo_fini(&bo);
}

static void remapped(struct vshare_session *s)
{
	struct vexport_bo bo;
	uint64_t *map, *moved;

	begin(&bo, s);
	map = vexport_dmabuf_mmap(bo.dmabuf, SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		store_marks(map, 0, PAGES, i);
		moved = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		igt_assert(moved != MAP_FAILED);
		igt_assert(mremap(map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, moved) == moved);
		step(s, &bo, i);
		check_marks(moved, 0, PAGES, i);
		map = moved;
	}
	/* It does not grow beyond the buffer. */
	igt_assert(mremap(map, SIZE, SIZE + PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	munmap(map, SIZE);
	vexport_bo_fini(&bo);
}

static void private_refused(struct vshare_session *s)
{
	struct vexport_bo bo;
	uint64_t offset;

	begin(&bo, s);
	offset = vexport_gem_mmap_offset(s->exporter, bo.handle);
	igt_assert(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, bo.dmabuf, 0) ==
		   MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	igt_assert(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, s->exporter, offset) ==
		   MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	vexport_bo_fini(&bo);
}

static void give_turn(const int *to)
{
	igt_assert_eq(write(to[1], "", 1), 1);
}

static void take_turn(const int *from)
{
	char byte;

	igt_assert_eq(read(from[0], &byte, 1), 1);
}

static void fork_follows(struct vshare_session *s)
{
	int to_child[2], to_parent[2];
	struct vexport_bo bo;

	begin(&bo, s);
	igt_assert_eq(pipe(to_child), 0);
	igt_assert_eq(pipe(to_parent), 0);
	store_marks(bo.map, 0, PAGES, 0);
	igt_fork(child, 1) {
		close(to_child[1]);
		for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
			/* Of the place that the buffer has left nothing is to be seen. */
			take_turn(to_child);
			check_marks(bo.map, 0, PAGES, 2 * i + 1);
			store_marks(bo.map, 0, PAGES, 2 * i + 2);
			give_turn(to_parent);
		}
	}
	/* So that a child that fails is an end of file here, and no hang. */
	close(to_parent[1]);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		step(s, &bo, i);
		check_marks(bo.map, 0, PAGES, 2 * i);
		store_marks(bo.map, 0, PAGES, 2 * i + 1);
		give_turn(to_child);
		take_turn(to_parent);
	}
	igt_waitchildren();
	check_marks(bo.map, 0, PAGES, 2 * ARRAY_SIZE(steps));
	close(to_child[0]);
	close(to_child[1]);
	close(to_parent[0]);
	vexport_bo_fini(&bo);
}

static void peek_all(pid_t pid, const uint64_t *map, unsigned int round)
{
	for (unsigned int page = 0; page < PAGES; page += 15) {
		errno = 0;
		igt_assert_eq_u64(ptrace(PTRACE_PEEKDATA, pid, &map[page * WORDS_PER_PAGE], NULL),
				  mark(page, round));
		igt_assert_eq(errno, 0);
	}
}

static void ptrace_follows(struct vshare_session *s)
{
	struct igt_helper_process child = { .use_SIGKILL = true };
	struct iovec local, remote;
	struct vexport_bo bo;
	struct gate gate;
	uint64_t word;
	int status;

	begin(&bo, s);
	igt_fork_helper(&child)
		pause();
	igt_assert_eq(ptrace(PTRACE_ATTACH, child.pid, NULL, NULL), 0);
	igt_assert_eq(waitpid(child.pid, &status, __WALL), child.pid);
	igt_assert(WIFSTOPPED(status));
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		store_marks(bo.map, 0, PAGES, i);
		step(s, &bo, i);
		peek_all(child.pid, bo.map, i);
		igt_assert_eq(ptrace(PTRACE_POKEDATA, child.pid, &bo.map[i], (void *)~0ul), 0);
		igt_assert_eq_u64(READ_ONCE(bo.map[i]), ~0ull);

		/* Nobody may look before the move is over, nor give up because of a signal. */
		store_marks(bo.map, 0, PAGES, i + 1);
		hold_up_move(&gate, s, &bo);
		ticks_start(true);
		peek_all(child.pid, bo.map, i + 1);
		ticks_stop();
		igt_assert(!gate_closed(&gate));
		gate_open(&gate);
	}
	/* Pages that are to move cannot be had by whoever would hold them. */
	local = (struct iovec) { .iov_base = &word, .iov_len = sizeof(word) };
	remote = (struct iovec) { .iov_base = bo.map, .iov_len = sizeof(word) };
	igt_assert_eq(process_vm_readv(child.pid, &local, 1, &remote, 1, 0), -1);
	igt_assert_eq(errno, EFAULT);

	igt_assert_eq(ptrace(PTRACE_DETACH, child.pid, NULL, NULL), 0);
	igt_stop_helper(&child);
	vexport_bo_fini(&bo);
}

/* The first two pages of a buffer with another page behind them, as /proc shows it. */
static void proc_mem_ends(struct vshare_session *s)
{
	const off_t two = 2 * PAGE / sizeof(uint64_t);
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t *map, words[4];
	struct vexport_bo bo;

	igt_assert_fd(mem);
	begin(&bo, s);
	store_marks(bo.map, 0, PAGES, 0);
	map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	igt_assert(map != MAP_FAILED);
	igt_assert(mmap(map, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, bo.dmabuf,
			0) == map);
	map[two - 1] = 1;
	map[two] = 2;
	igt_assert_eq(pread(mem, words, sizeof(words), to_user_pointer(&map[two - 2])),
		      sizeof(words));
	igt_assert_eq_u64(words[1], 1);
	igt_assert_eq_u64(words[2], 2);

	words[1] = 3;
	words[2] = 4;
	igt_assert_eq(pwrite(mem, words, sizeof(words), to_user_pointer(&map[two - 2])),
		      sizeof(words));
	igt_assert_eq_u64(map[two - 1], 3);
	igt_assert_eq_u64(map[two], 4);
	/* The third page of the buffer was never mapped here. */
	check_marks(bo.map, 2, PAGES, 0);

	munmap(map, 3 * PAGE);
	vexport_bo_fini(&bo);
	close(mem);
}

static void proc_mem_readonly(struct vshare_session *s)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t *map, word;
	struct vexport_bo bo;
	int readonly;

	igt_assert_fd(mem);
	begin(&bo, s);
	store_marks(bo.map, 0, PAGES, 0);
	igt_assert_eq(drmPrimeHandleToFD(s->exporter, bo.handle, DRM_CLOEXEC, &readonly), 0);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, readonly, 0);
	igt_assert(map != MAP_FAILED);
	igt_assert_eq(pread(mem, &word, sizeof(word), to_user_pointer(map)), sizeof(word));
	igt_assert_eq_u64(word, mark(0, 0));
	word = ~0ull;
	igt_assert_eq(pwrite(mem, &word, sizeof(word), to_user_pointer(map)), -1);
	igt_assert_eq(errno, EIO);
	check_marks(bo.map, 0, PAGES, 0);
	munmap(map, SIZE);
	close(readonly);
	vexport_bo_fini(&bo);
	close(mem);
}

static const struct vshare_subtest subtests[] = {
	{ "faults", "A move takes every page away, and a fault brings several back.", faults },
	{ "fault-waits", "A fault waits for a move, and signals come through meanwhile.",
	  fault_waits },
	{ "partial-unmap", "What is left of a mapping follows the buffer.", partial_unmap },
	{ "remapped", "A mapping follows the buffer after it got another address.", remapped },
	{ "private-refused", "There are no private copies of memory that moves.",
	  private_refused },
	{ "fork", "A child's mapping follows the buffer, too.", fork_follows },
	{ "ptrace", "A debugger sees what the debugged process would see.", ptrace_follows },
	{ "proc-mem-ends", "Access through /proc ends where the mapping does.", proc_mem_ends },
	{ "proc-mem-readonly", "Access through /proc does not write to what is read-only.",
	  proc_mem_readonly },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
