// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Threads of one process make buffers of its memory, use them, take the memory "
		     "away, drop the buffers and die, all at the same time.");

#define PAGE			4096ull
#define SIZE			(16 * PAGE)
#define WORDS			(SIZE / sizeof(uint64_t))
#define THREADS			4
#define RACE_NS			(2 * NSEC_PER_SEC)
#define FORKS			12

struct race {
	int fd;
	bool stop;
	pthread_barrier_t start;
	uint64_t *mem;
	unsigned int rounds;
};

typedef void *(*thread_fn)(void *data);

static void race_begin(struct race *race, int fd)
{
	memset(race, 0, sizeof(*race));
	race->fd = fd;
	race->mem = userptr_alloc(SIZE);
}

static void run_threads(struct race *race, const thread_fn *fn, unsigned int count)
{
	pthread_t thread[8];

	igt_assert_lte_u32(count, ARRAY_SIZE(thread));
	pthread_barrier_init(&race->start, NULL, count);
	for (unsigned int i = 0; i < count; i++)
		igt_assert_eq(pthread_create(&thread[i], NULL, fn[i], race), 0);
	usleep(RACE_NS / NSEC_PER_USEC);
	WRITE_ONCE(race->stop, true);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&race->start);
	igt_info("%u rounds\n", race->rounds);
}

static void race_end(struct race *race)
{
	munmap(race->mem, SIZE);
}

static bool going_on(struct race *race)
{
	__atomic_add_fetch(&race->rounds, 1, __ATOMIC_RELAXED);
	return !READ_ONCE(race->stop);
}

/* The last one leaves and the first comes again, unless somebody else is there. */
static void *make_and_close(void *data)
{
	struct race *race = data;

	pthread_barrier_wait(&race->start);
	while (going_on(race))
		gem_close(race->fd, vimport_userptr(race->fd, race->mem, SIZE, 0));
	return NULL;
}

/* A file of its own, which goes with all that is in it. */
static void *make_and_leave(void *data)
{
	struct race *race = data;

	pthread_barrier_wait(&race->start);
	while (going_on(race)) {
		int fd = vimport_open(0);

		for (int i = 0; i < 8; i++)
			vimport_userptr(fd, race->mem + i * 512, PAGE, 0);
		close(fd);
	}
	return NULL;
}

/* Jobs may find the memory changing all the time, but nothing else. */
static void *use(void *data)
{
	struct race *race = data;
	struct userptr u;

	userptr_init(&u, race->fd, race->mem, SIZE, 0);
	pthread_barrier_wait(&race->start);
	while (going_on(race)) {
		struct vimport_job job = {};
		int ret;

		vimport_job_fill(&job, u.va, SIZE, 1);
		ret = __vimport_exec(u.fd, u.vm, &job, 0);
		if (ret == -EAGAIN)
			usleep(1000);
		else
			igt_assert_f(!ret || ret == -EBUSY, "A job is refused: %s\n",
				     strerror(-ret));
	}
	userptr_fini(&u);
	return NULL;
}

static void *take_away(void *data)
{
	struct race *race = data;

	pthread_barrier_wait(&race->start);
	while (going_on(race)) {
		madvise(race->mem, SIZE, MADV_DONTNEED);
		/* Something has to be there to be taken away. */
		race->mem[0] = 0;
		sched_yield();
	}
	return NULL;
}

static void *take_away_half(void *data)
{
	struct race *race = data;

	pthread_barrier_wait(&race->start);
	while (going_on(race)) {
		madvise(race->mem + WORDS / 2, SIZE / 2, MADV_DONTNEED);
		race->mem[WORDS / 2] = 0;
		sched_yield();
	}
	return NULL;
}

static void registration(struct vshare_session *s)
{
	const thread_fn threads[] = { make_and_close, make_and_close, make_and_leave, take_away };
	struct race race;

	race_begin(&race, s->gpu[0]);
	run_threads(&race, threads, ARRAY_SIZE(threads));
	race_end(&race);
}

static void everything(struct vshare_session *s)
{
	const thread_fn threads[] = { make_and_close, make_and_leave, use, use, take_away,
				      take_away_half };
	struct race race;

	race_begin(&race, s->gpu[0]);
	run_threads(&race, threads, ARRAY_SIZE(threads));
	race_end(&race);
}

/* Two invalidations of one buffer overlap: it is not to be used before both are over. */
static void nested(struct vshare_session *s)
{
	const thread_fn threads[] = { use, take_away, take_away_half };
	struct race race;
	struct userptr u;

	race_begin(&race, s->gpu[0]);
	run_threads(&race, threads, ARRAY_SIZE(threads));
	/* All of it works as if nothing had happened. */
	userptr_init(&u, race.fd, race.mem, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 3), 0);
	igt_assert(userptr_holds(race.mem, SIZE, 3));
	userptr_fini(&u);
	race_end(&race);
}

/* Memory that is one file's or another's, by turns, and both of them to look at. */
struct switch_files {
	int file[2];
	uint64_t *view[2];
	void *mem;
	struct userptr u;
};

static void switch_open(struct switch_files *f, int fd)
{
	memset(f, 0, sizeof(*f));
	for (int i = 0; i < 2; i++) {
		f->file[i] = memfd_create("userptr", MFD_CLOEXEC);
		igt_assert_fd(f->file[i]);
		igt_assert_eq(ftruncate(f->file[i], SIZE), 0);
		f->view[i] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->file[i], 0);
		igt_assert(f->view[i] != MAP_FAILED);
	}
	f->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->file[0], 0);
	igt_assert(f->mem != MAP_FAILED);
	userptr_init(&f->u, fd, f->mem, SIZE, 0);
}

static void switch_to(const struct switch_files *f, int i)
{
	igt_assert(mmap(f->mem, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			f->file[i], 0) == f->mem);
}

static void switch_close(struct switch_files *f)
{
	for (int i = 0; i < 2; i++) {
		munmap(f->view[i], SIZE);
		close(f->file[i]);
	}
	munmap(f->mem, SIZE);
	userptr_fini(&f->u);
}

/*
 * The memory is one file, then another, and so on, while the GPU writes to it without
 * a pause. When mmap() has returned nothing of the GPU's may come to the file that was there
 * before.
 */
static void stale_write(struct vshare_session *s)
{
	uint64_t *before = malloc(SIZE), value = 0;
	struct timespec start = {};
	unsigned int rounds = 0, written = 0;
	struct switch_files f;

	switch_open(&f, s->gpu[0]);
	igt_nsec_elapsed(&start);
	while (igt_nsec_elapsed(&start) < RACE_NS) {
		struct vimport_job job = {};
		int old = rounds % 2;

		vimport_job_fill(&job, f.u.va, SIZE, ++value);
		while (__vimport_exec(f.u.fd, f.u.vm, &job, 0) == -EAGAIN)
			usleep(500);
		if (rounds % 3)
			usleep(rounds % 50 * 20);
		switch_to(&f, !old);
		/* All that was submitted is there, and nothing else comes. */
		igt_assert(userptr_holds(f.view[old], SIZE, value));
		memcpy(before, f.view[!old], SIZE);
		job.cmds[0].value = ++value;
		while (__vimport_exec(f.u.fd, f.u.vm, &job, 0) == -EAGAIN)
			usleep(500);
		usleep(200);
		igt_assert_f(userptr_holds(f.view[old], SIZE, value - 1),
			     "The GPU writes to what was mapped before, in round %u\n", rounds);
		written += memcmp(before, f.view[!old], SIZE) != 0;
		rounds++;
	}
	igt_info("%u rounds, seen at once in the new memory in %u\n", rounds, written);
	free(before);
	switch_close(&f);
}

struct switcher {
	int fd;
	uint32_t vm;
	uint64_t va;
	bool stop;
	unsigned int jobs;
};

static void *write_on_and_on(void *data)
{
	struct switcher *sw = data;

	for (uint64_t value = 1; !READ_ONCE(sw->stop); value++) {
		struct vimport_job job = {};

		vimport_job_fill(&job, sw->va, SIZE, value);
		if (!__vimport_exec(sw->fd, sw->vm, &job, 0))
			sw->jobs++;
		else
			usleep(500);
	}
	return NULL;
}

/* The same with jobs that are being submitted at any moment. */
static void publish(struct vshare_session *s)
{
	uint64_t *then = malloc(SIZE);
	struct timespec start = {};
	unsigned int rounds = 0;
	struct switcher sw = {};
	pthread_t thread;
	struct switch_files f;

	switch_open(&f, s->gpu[0]);
	sw.fd = f.u.fd;
	sw.vm = f.u.vm;
	sw.va = f.u.va;
	igt_assert_eq(pthread_create(&thread, NULL, write_on_and_on, &sw), 0);

	igt_nsec_elapsed(&start);
	/* On a slow machine it may take some time until there is a moment for a job. */
	for (; igt_nsec_elapsed(&start) < RACE_NS || !READ_ONCE(sw.jobs); rounds++) {
		int old = rounds % 2;

		usleep(rounds % 40 * 50);
		switch_to(&f, !old);
		memcpy(then, f.view[old], SIZE);
		usleep(4000);
		igt_assert_f(!memcmp(then, f.view[old], SIZE),
			     "The GPU writes to what was mapped before, in round %u\n", rounds);
	}
	WRITE_ONCE(sw.stop, true);
	pthread_join(thread, NULL);
	igt_info("%u rounds, %u jobs\n", rounds, sw.jobs);
	free(then);
	switch_close(&f);
}

/* In a new process the first buffer is the first of its memory's, by any of the threads. */
static void process_ends(struct vshare_session *s, int signal)
{
	const thread_fn threads[] = { make_and_close, use, take_away, make_and_leave };
	pthread_t thread[ARRAY_SIZE(threads)];
	int status;

	for (unsigned int i = 0; i < FORKS; i++) {
		struct race race;
		pid_t child = fork();

		igt_assert(child >= 0);
		if (!child) {
			race_begin(&race, vimport_open(0));
			pthread_barrier_init(&race.start, NULL, ARRAY_SIZE(threads));
			for (unsigned int t = 0; t < ARRAY_SIZE(threads); t++)
				if (pthread_create(&thread[t], NULL, threads[t], &race))
					_exit(1);
			usleep(20000 + i * 5000);
			if (!signal)
				_exit(0);
			for (;;)
				pause();
		}
		if (signal) {
			usleep(40000 + i * 5000);
			kill(child, signal);
		}
		igt_assert_eq(waitpid(child, &status, 0), child);
		igt_assert_eq(status, signal);
	}
}

static void process_exits(struct vshare_session *s)
{
	process_ends(s, 0);
}

static void process_killed(struct vshare_session *s)
{
	process_ends(s, SIGKILL);
}

static const struct vshare_subtest subtests[] = {
	{ "registration", "Buffers come and go while memory is taken away.", registration },
	{ "nested", "Two threads take parts of one buffer away at once.", nested },
	{ "everything", "Buffers come, go and are used while memory is taken away.", everything },
	{ "stale-write", "What is submitted before a new mapping goes to the old memory, what "
	  "comes after it to the new.", stale_write },
	{ "publish", "A job that is being submitted while the mapping changes writes to the old "
	  "memory before, or to the new.", publish },
	{ "process-exits", "A process ends while its threads do all of that.", process_exits },
	{ "process-killed", "The same if it is killed.", process_killed },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
