// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_syncobj.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Threads of one process make buffers of its memory, use them, take the memory "
		     "away, drop the buffers and die, all at the same time.");

#define PAGE			4096ull
#define SIZE			(16 * PAGE)
#define WORDS			(SIZE / sizeof(uint64_t))
#define RACE_NS			(2 * NSEC_PER_SEC)
#define FORKS			12

/* Of so many jobs one is waited for, so that there is always something to take away. */
#define LOOK_ROUNDS		8

struct race {
	int fd;
	bool stop;
	pthread_barrier_t start;
	uint64_t *mem;
};

/* One of the threads of a race. */
struct racer {
	struct race *race;
	pthread_t thread;
	unsigned int rounds;
};

typedef void *(*thread_fn)(void *data);

static void race_begin(struct race *race, int fd)
{
	memset(race, 0, sizeof(*race));
	race->fd = fd;
	race->mem = userptr_alloc(SIZE);
}

static void start_threads(struct race *race, struct racer *racers, const thread_fn *fn,
			  unsigned int count)
{
	pthread_barrier_init(&race->start, NULL, count);
	for (unsigned int i = 0; i < count; i++) {
		racers[i] = (struct racer) { .race = race };
		igt_assert_eq(pthread_create(&racers[i].thread, NULL, fn[i], &racers[i]), 0);
	}
}

static bool all_got_somewhere(const struct racer *racers, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (!READ_ONCE(racers[i].rounds))
			return false;
	return true;
}

/* All of them get somewhere, whatever the others do. */
static void run_threads(struct race *race, const thread_fn *fn, unsigned int count)
{
	struct timespec since = {};
	struct racer racers[8];
	uint64_t ns;

	igt_assert_lte_u32(count, ARRAY_SIZE(racers));
	start_threads(race, racers, fn, count);
	do {
		usleep(10000);
		ns = igt_nsec_elapsed(&since);
	} while (ns < RACE_NS || (ns < VSHARE_SETTLE_NS && !all_got_somewhere(racers, count)));
	WRITE_ONCE(race->stop, true);
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(racers[i].thread, NULL);
		igt_info("Thread %u: %u rounds\n", i, racers[i].rounds);
		igt_assert_f(racers[i].rounds, "Thread %u did not get through one round\n", i);
	}
	pthread_barrier_destroy(&race->start);
}

static void race_end(struct race *race)
{
	munmap(race->mem, SIZE);
}

static void begin_rounds(struct racer *racer)
{
	pthread_barrier_wait(&racer->race->start);
}

/* To be asked at the end of a round. One that ends when the race is over was no race. */
static bool another_round(struct racer *racer)
{
	if (READ_ONCE(racer->race->stop))
		return false;
	WRITE_ONCE(racer->rounds, racer->rounds + 1);
	return true;
}

/* The last one leaves and the first comes again, unless somebody else is there. */
static void *make_and_close(void *data)
{
	struct racer *racer = data;
	struct race *race = racer->race;

	begin_rounds(racer);
	do
		gem_close(race->fd, vimport_userptr(race->fd, race->mem, SIZE, 0));
	while (another_round(racer));
	return NULL;
}

/* The same with memory that nobody else has, and the GPU has to get at that. */
static void *make_and_fill(void *data)
{
	struct racer *racer = data;
	void *mem = userptr_alloc(SIZE);
	struct userptr u;

	begin_rounds(racer);
	do {
		userptr_init(&u, racer->race->fd, mem, SIZE, 0);
		igt_assert_eq(userptr_fill(&u, racer->rounds + 1), 0);
		igt_assert(userptr_holds(mem, SIZE, racer->rounds + 1));
		userptr_fini(&u);
		/* What is found next time is not what was left there. */
		igt_assert_eq(madvise(mem, SIZE / 2, MADV_DONTNEED), 0);
	} while (another_round(racer));
	munmap(mem, SIZE);
	return NULL;
}

/* A file of its own, which goes with all that is in it. */
static void *make_and_leave(void *data)
{
	struct racer *racer = data;

	begin_rounds(racer);
	do {
		int fd = vimport_open(0);

		for (int i = 0; i < 8; i++)
			vimport_userptr(fd, racer->race->mem + i * 512, PAGE, 0);
		close(fd);
	} while (another_round(racer));
	return NULL;
}

/*
 * Jobs may find the memory changing all the time, but nothing else. Of what they have
 * written there nothing may be left, so they also write to memory that nobody takes away,
 * and that is looked at now and then.
 */
static void *use(void *data)
{
	struct racer *racer = data;
	struct race *race = racer->race;
	uint64_t *own = userptr_alloc(PAGE);
	struct userptr u;
	uint32_t handle;

	userptr_init(&u, race->fd, race->mem, SIZE, 0);
	handle = vimport_userptr(u.fd, own, PAGE, 0);
	vimport_vm_map(u.fd, u.vm, handle, 0, u.va + SIZE, PAGE, 0);
	begin_rounds(racer);
	do {
		bool look = racer->rounds % LOOK_ROUNDS == 0;
		uint32_t done = syncobj_create(u.fd, 0);
		struct vimport_job job = {};
		int ret;

		vimport_job_fill(&job, u.va, SIZE + PAGE, racer->rounds + 1);
		vimport_job_sync(&job, done, 0, DRM_VIMPORT_SYNC_SIGNAL);
		do
			ret = __vimport_exec(u.fd, u.vm, &job, 0);
		while ((ret == -EAGAIN || (look && ret == -EBUSY)) && !usleep(1000));
		igt_assert_f(!ret || ret == -EBUSY, "A job is refused: %s\n", strerror(-ret));
		if (look) {
			igt_assert_eq(vimport_wait(u.fd, done), 0);
			igt_assert(userptr_holds(own, PAGE, racer->rounds + 1));
		} else {
			syncobj_destroy(u.fd, done);
		}
	} while (another_round(racer));
	userptr_fini(&u);
	gem_close(race->fd, handle);
	munmap(own, PAGE);
	return NULL;
}

static void *take_away(void *data)
{
	struct racer *racer = data;
	struct race *race = racer->race;

	begin_rounds(racer);
	do {
		igt_assert_eq(madvise(race->mem, SIZE, MADV_DONTNEED), 0);
		/* Something has to be there to be taken away. */
		race->mem[0] = 0;
		sched_yield();
	} while (another_round(racer));
	return NULL;
}

static void *take_away_half(void *data)
{
	struct racer *racer = data;
	struct race *race = racer->race;

	begin_rounds(racer);
	do {
		igt_assert_eq(madvise(race->mem + WORDS / 2, SIZE / 2, MADV_DONTNEED), 0);
		race->mem[WORDS / 2] = 0;
		sched_yield();
	} while (another_round(racer));
	return NULL;
}

/* The memory that was taken away all the time works as if nothing had happened. */
static void expect_works(struct race *race)
{
	struct userptr u;

	userptr_init(&u, race->fd, race->mem, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 3), 0);
	igt_assert(userptr_holds(race->mem, SIZE, 3));
	userptr_fini(&u);
}

static void registration(struct vshare_session *s)
{
	const thread_fn threads[] = { make_and_close, make_and_close, make_and_fill, make_and_leave,
				      take_away };
	struct race race;

	race_begin(&race, s->gpu[0]);
	run_threads(&race, threads, ARRAY_SIZE(threads));
	expect_works(&race);
	race_end(&race);
}

static void everything(struct vshare_session *s)
{
	const thread_fn threads[] = { make_and_close, make_and_fill, make_and_leave, use, use,
				      take_away, take_away_half };
	struct race race;

	race_begin(&race, s->gpu[0]);
	run_threads(&race, threads, ARRAY_SIZE(threads));
	expect_works(&race);
	race_end(&race);
}

/* Two invalidations of one buffer overlap: it is not to be used before both are over. */
static void nested(struct vshare_session *s)
{
	const thread_fn threads[] = { use, take_away, take_away_half };
	struct race race;

	race_begin(&race, s->gpu[0]);
	run_threads(&race, threads, ARRAY_SIZE(threads));
	expect_works(&race);
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
	struct racer racers[ARRAY_SIZE(threads)];
	int status;

	for (unsigned int i = 0; i < FORKS; i++) {
		struct race race;
		pid_t child = fork();

		igt_assert(child >= 0);
		if (!child) {
			race_begin(&race, vimport_open(0));
			start_threads(&race, racers, threads, ARRAY_SIZE(threads));
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
