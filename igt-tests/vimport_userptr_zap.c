// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_syncobj.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Whatever takes memory of a process away waits for the jobs that use it, and "
		     "jobs that come later use what is there then.");

#define PAGE			4096ull
#define SIZE			(64ull << 10)
#define HUGE			(2ull << 20)

/*
 * Longer than it takes to submit a job and to begin the call that has to wait for it, or
 * else, on a machine that is slow, twice that, and so on up to what a job may take.
 */
#define DELAY_NS		(120 * NSEC_PER_MSEC)
#define MAX_DELAY_NS		(480 * NSEC_PER_MSEC)

/* How long pages may be busy. */
#define COLLAPSE_NS		(20 * NSEC_PER_SEC)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

/* What the words of the memory are: of the job before, of that under way, and after. */
enum { BEFORE = 1, DURING, AFTER, AGAIN };

enum kind { ANON, SHARED, HUGE_PAGE, SMALL_PAGES };

struct zap {
	struct userptr u;
	enum kind kind;

	/** @file: The memory if it is shared, else -1. */
	int file;

	/** @view: All of the memory, mapped once more, if it is shared. */
	uint64_t *view;

	/** @moved: Where the memory is now, if it has been moved. */
	uint64_t *moved;

	/** @ask, @answer: Pipes to a process that tells what memory it sees, or zero. */
	int ask, answer;
};

struct source {
	const char *name;
	enum kind kind;

	/** @run: Take the memory away. */
	void (*run)(struct zap *z);

	/** @check: Look at the old memory when the call has returned, or NULL. */
	void (*check)(struct zap *z);

	/** @after: What a job gets then. */
	int after;

	/** @undo: Make the memory usable again, or NULL. */
	void (*undo)(struct zap *z);
};

static void shared_has_it(struct zap *z)
{
	igt_assert(userptr_holds(z->view, z->u.size, DURING));
}

static void all_zero(struct zap *z)
{
	igt_assert(userptr_holds(z->u.mem, z->u.size, 0));
}

static void still_there(struct zap *z)
{
	igt_assert(userptr_holds(z->u.mem, z->u.size, DURING));
}

static void map_over(void *mem, size_t size)
{
	igt_assert(mmap(mem, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
}

static void run_munmap(struct zap *z)
{
	igt_assert_eq(munmap(z->u.mem, z->u.size), 0);
}

static void undo_munmap(struct zap *z)
{
	map_over(z->u.mem, z->u.size);
}

static void run_munmap_page(struct zap *z)
{
	igt_assert_eq(munmap((void *)z->u.mem + z->u.size / 2, PAGE), 0);
}

static void undo_munmap_page(struct zap *z)
{
	map_over((void *)z->u.mem + z->u.size / 2, PAGE);
}

static void run_map_fixed(struct zap *z)
{
	map_over(z->u.mem, z->u.size);
}

static void run_dontneed(struct zap *z)
{
	igt_assert_eq(madvise(z->u.mem, z->u.size, MADV_DONTNEED), 0);
}

/* The huge page goes to pieces, and one of them goes altogether. */
static void run_dontneed_page(struct zap *z)
{
	igt_assert_eq(madvise((void *)z->u.mem + HUGE / 2, PAGE, MADV_DONTNEED), 0);
}

static void check_dontneed_page(struct zap *z)
{
	igt_assert(userptr_holds(z->u.mem, HUGE / 2, DURING));
	igt_assert(userptr_holds((void *)z->u.mem + HUGE / 2, PAGE, 0));
	igt_assert(userptr_holds((void *)z->u.mem + HUGE / 2 + PAGE, HUGE / 2 - PAGE, DURING));
}

static void run_collapse(struct zap *z)
{
	struct timespec since = {};
	int ret;

	/* That is its way to say that somebody else has one of the pages in his hands. */
	do
		ret = madvise(z->u.mem, z->u.size, MADV_COLLAPSE);
	while (ret && (errno == EAGAIN || errno == ENOMEM) &&
	       igt_nsec_elapsed(&since) < COLLAPSE_NS && !usleep(1000));
	igt_require_f(!ret || errno != EINVAL, "Needs MADV_COLLAPSE and huge pages\n");
	igt_assert_f(!ret, "MADV_COLLAPSE failed: %m\n");
}

static void run_mremap(struct zap *z)
{
	void *new = userptr_alloc(z->u.size);

	z->moved = mremap(z->u.mem, z->u.size, z->u.size, MREMAP_MAYMOVE | MREMAP_FIXED, new);
	igt_assert(z->moved == new);
}

static void check_mremap(struct zap *z)
{
	igt_assert(userptr_holds(z->moved, z->u.size, DURING));
}

static void run_mremap_onto(struct zap *z)
{
	void *other = userptr_alloc(z->u.size);

	memset(other, 0, z->u.size);
	igt_assert(mremap(other, z->u.size, z->u.size, MREMAP_MAYMOVE | MREMAP_FIXED,
			  z->u.mem) == z->u.mem);
}

static void check_onto(struct zap *z)
{
	all_zero(z);
	shared_has_it(z);
}

static void child_main(struct zap *z, int asked, int answer)
{
	uint64_t value;

	while (read(asked, &value, sizeof(value)) == sizeof(value)) {
		bool same = userptr_holds(z->u.mem, z->u.size, value);

		if (write(answer, &same, sizeof(same)) != sizeof(same))
			break;
	}
	_exit(0);
}

static void run_fork(struct zap *z)
{
	int ask[2], answer[2];
	pid_t child;

	igt_assert_eq(pipe(ask), 0);
	igt_assert_eq(pipe(answer), 0);
	child = fork();
	if (!child) {
		/* A grandchild, which nobody has to wait for if the test fails. */
		if (fork())
			_exit(0);
		close(ask[1]);
		child_main(z, ask[0], answer[1]);
	}
	igt_assert_eq(waitpid(child, NULL, 0), child);
	close(ask[0]);
	close(answer[1]);
	z->ask = ask[1];
	z->answer = answer[0];
}

static void child_sees(struct zap *z, uint64_t value)
{
	bool same = false;

	igt_assert_eq(write(z->ask, &value, sizeof(value)), sizeof(value));
	igt_assert_eq(read(z->answer, &same, sizeof(same)), sizeof(same));
	igt_assert_f(same, "The child does not see what was there when it was made\n");
}

static void check_fork(struct zap *z)
{
	still_there(z);
	child_sees(z, DURING);
}

static void run_truncate(struct zap *z)
{
	igt_assert_eq(ftruncate(z->file, 0), 0);
}

static void undo_truncate(struct zap *z)
{
	igt_assert_eq(ftruncate(z->file, z->u.size), 0);
	igt_assert(userptr_holds(z->view, z->u.size, 0));
}

static void run_punch_hole(struct zap *z)
{
	igt_assert_eq(fallocate(z->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				z->u.size), 0);
}

static void run_protect(struct zap *z)
{
	igt_assert_eq(mprotect(z->u.mem, z->u.size, PROT_READ), 0);
}

static void run_protect_none(struct zap *z)
{
	igt_assert_eq(mprotect(z->u.mem, z->u.size, PROT_NONE), 0);
}

static void undo_protect(struct zap *z)
{
	igt_assert_eq(mprotect(z->u.mem, z->u.size, PROT_READ | PROT_WRITE), 0);
	still_there(z);
}

static void run_clear_refs(struct zap *z)
{
	int refs = open("/proc/self/clear_refs", O_WRONLY);

	igt_require_f(refs >= 0 && write(refs, "4", 1) == 1, "Needs CONFIG_MEM_SOFT_DIRTY\n");
	close(refs);
}

static const struct source sources[] = {
	{ "munmap", SHARED, run_munmap, shared_has_it, -EFAULT, undo_munmap },
	{ "munmap-page", SHARED, run_munmap_page, shared_has_it, -EFAULT, undo_munmap_page },
	{ "map-fixed", SHARED, run_map_fixed, check_onto, 0, NULL },
	{ "dontneed", ANON, run_dontneed, all_zero, 0, NULL },
	{ "dontneed-shared", SHARED, run_dontneed, shared_has_it, 0, NULL },
	{ "mremap", SHARED, run_mremap, check_mremap, -EFAULT, undo_munmap },
	{ "mremap-onto", SHARED, run_mremap_onto, check_onto, 0, NULL },
	{ "fork", ANON, run_fork, check_fork, 0, NULL },
	{ "truncate", SHARED, run_truncate, NULL, -EFAULT, undo_truncate },
	{ "punch-hole", SHARED, run_punch_hole, all_zero, 0, NULL },
	{ "protect", ANON, run_protect, still_there, -EFAULT, undo_protect },
	{ "protect-none", ANON, run_protect_none, NULL, -EFAULT, undo_protect },
	{ "soft-dirty", ANON, run_clear_refs, still_there, 0, NULL },
	{ "thp-split", HUGE_PAGE, run_dontneed_page, check_dontneed_page, 0, NULL },
	{ "thp-collapse", SMALL_PAGES, run_collapse, still_there, 0, NULL },
};

/* How many kilobytes of the memory are in huge pages? */
static unsigned long huge_kb(const void *mem)
{
	unsigned long start, end, kb = 0;
	bool found = false;
	char line[256];
	FILE *maps = fopen("/proc/self/smaps", "r");

	igt_assert(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			found = start == (unsigned long)mem;
		else if (found && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			break;
	}
	fclose(maps);
	return kb;
}

static void *alloc_huge(enum kind kind)
{
	void *mem = userptr_alloc(3 * HUGE), *aligned = (void *)ALIGN((uintptr_t)mem, HUGE);

	/* A mapping of its own, so that it is found in smaps. */
	munmap(mem, aligned - mem);
	munmap(aligned + HUGE, 2 * HUGE - (aligned - mem));
	madvise(aligned, HUGE, kind == HUGE_PAGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(aligned, 0, HUGE);
	/* If there was none at hand it takes a compaction. */
	for (int i = 0; kind == HUGE_PAGE && huge_kb(aligned) != HUGE >> 10 && i < 10; i++)
		madvise(aligned, HUGE, MADV_COLLAPSE);
	igt_require_f(kind != HUGE_PAGE || huge_kb(aligned) == HUGE >> 10,
		      "Needs a huge page\n");
	return aligned;
}

static void begin(struct zap *z, int fd, enum kind kind)
{
	size_t size = kind == ANON || kind == SHARED ? SIZE : HUGE;
	void *mem;

	memset(z, 0, sizeof(*z));
	z->kind = kind;
	z->file = -1;
	if (kind == SHARED) {
		z->file = memfd_create("userptr", MFD_CLOEXEC);
		igt_assert_fd(z->file);
		igt_assert_eq(ftruncate(z->file, size), 0);
		mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, z->file, 0);
		igt_assert(mem != MAP_FAILED);
		z->view = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, z->file, 0);
		igt_assert(z->view != MAP_FAILED);
	} else if (kind == ANON) {
		mem = userptr_alloc(size);
	} else {
		mem = alloc_huge(kind);
	}
	userptr_init(&z->u, fd, mem, size, 0);
	igt_assert_eq(userptr_fill(&z->u, BEFORE), 0);
	igt_assert(userptr_holds(mem, size, BEFORE));
	if (kind == SMALL_PAGES)
		madvise(mem, size, MADV_HUGEPAGE);
}

static void end(struct zap *z)
{
	if (z->ask) {
		close(z->ask);
		close(z->answer);
	}
	munmap(z->u.mem, z->u.size);
	if (z->view)
		munmap(z->view, z->u.size);
	if (z->moved)
		munmap(z->moved, z->u.size);
	if (z->file >= 0)
		close(z->file);
	userptr_fini(&z->u);
}

enum state { IDLE, QUEUED, RUNNING, STATES };

static const char * const state_names[] = { "idle", "queued", "running" };

/* A job that is to write DURING, or has already. */
static uint32_t submit(const struct zap *z, enum state state)
{
	uint32_t done;

	for (uint64_t ns = DELAY_NS; ns <= MAX_DELAY_NS; ns *= 2) {
		struct vimport_job delay = {};

		if (state == QUEUED) {
			vimport_job_delay(&delay, ns);
			igt_assert_eq(__vimport_exec(z->u.fd, z->u.vm, &delay, 0), 0);
		}
		done = userptr_submit_fill(&z->u, state == RUNNING ? ns : 0, DURING);
		if (state == IDLE) {
			igt_assert(syncobj_wait(z->u.fd, &done, 1, INT64_MAX, 0, NULL));
			return done;
		}
		/* Let it begin. */
		usleep(10 * USEC_PER_MSEC);
		if (syncobj_wait_err(z->u.fd, &done, 1, 0, 0) == -ETIME)
			return done;
		syncobj_destroy(z->u.fd, done);
		igt_assert_eq(userptr_fill(&z->u, BEFORE), 0);
	}
	igt_assert_f(false, "This machine is too slow to tell anything\n");
	return 0;
}

static void run(struct vshare_session *s, const struct source *source, enum state state)
{
	struct zap z;
	uint32_t done;

	begin(&z, s->gpu[0], source->kind);
	done = submit(&z, state);
	source->run(&z);
	igt_assert_f(!syncobj_wait_err(z.u.fd, &done, 1, 0, 0),
		     "The memory was taken away under a job\n");
	igt_assert_eq(vimport_wait(z.u.fd, done), 0);
	if (source->check)
		source->check(&z);

	igt_assert_eq(userptr_fill(&z.u, AFTER), source->after);
	if (!source->after)
		igt_assert(userptr_holds(z.u.mem, z.u.size, AFTER));
	if (source->after && source->check)
		source->check(&z);
	if (source->kind == SHARED && (source->run == run_map_fixed ||
				       source->run == run_mremap_onto))
		shared_has_it(&z);
	if (z.ask)
		child_sees(&z, DURING);

	if (source->undo) {
		source->undo(&z);
		igt_assert_eq(userptr_fill(&z.u, AGAIN), 0);
		igt_assert(userptr_holds(z.u.mem, z.u.size, AGAIN));
	}
	end(&z);
}

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	struct vshare_session s;

	igt_fixture
		close(vimport_open(0));

	for (unsigned int i = 0; i < ARRAY_SIZE(sources); i++) {
		for (enum state state = 0; state < STATES; state++) {
			igt_describe_f("%s of memory that %s.", sources[i].name,
				       state == IDLE ? "the GPU has used" :
				       state == QUEUED ? "a job is going to use" :
				       "a job is using");
			igt_subtest_f("%s-%s", sources[i].name, state_names[state]) {
				vshare_session_begin(&s);
				run(&s, &sources[i], state);
				vshare_session_end(&s);
			}
		}
	}
	igt_fixture
		vshare_session_check_last();
}
