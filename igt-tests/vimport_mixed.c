// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <pthread.h>

#include "igt.h"
#include "igt_syncobj.h"
#include "igt_userptr.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("An address space has a buffer of another device and memory of the process: "
		     "one moves while the other is taken away, in any order, under jobs that copy "
		     "from one to the other.");

#define SIZE			(64ull << 10)
#define DELAY_NS		(150 * NSEC_PER_MSEC)
#define RACE_NS			(3 * NSEC_PER_SEC)
#define BUSY_NS			(30 * NSEC_PER_SEC)
#define BO_VA			(1ull << 20)

/* What the words are: of the job before, of that under way, and after. */
enum { BEFORE = 1, DURING, AFTER };

struct mixed {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct userptr u;
	uint32_t import;
};

static void begin(struct mixed *m, struct vshare_session *s)
{
	m->s = s;
	vexport_bo_init(&m->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	userptr_init(&m->u, s->gpu[0], userptr_alloc(SIZE), SIZE, 0);
	m->import = vimport_import(m->u.fd, m->bo.dmabuf, 0);
	vimport_vm_map(m->u.fd, m->u.vm, m->import, 0, BO_VA, SIZE, 0);
}

static void end(struct mixed *m)
{
	munmap(m->u.mem, SIZE);
	gem_close(m->u.fd, m->import);
	userptr_fini(&m->u);
	vexport_bo_fini(&m->bo);
}

/* The buffer is filled, and the memory becomes a copy of it. */
static uint32_t submit(struct mixed *m, uint64_t delay_ns, uint64_t value)
{
	uint32_t done = syncobj_create(m->u.fd, 0);
	struct timespec since = {};
	struct vimport_job job = {};
	int ret;

	if (delay_ns)
		vimport_job_delay(&job, delay_ns);
	vimport_job_fill(&job, BO_VA, SIZE, value);
	vimport_job_copy(&job, m->u.va, BO_VA, SIZE);
	vimport_job_sync(&job, done, 0, DRM_VIMPORT_SYNC_SIGNAL);
	/* On a slow machine a second may not be enough to meet a moment without a change. */
	do
		ret = __vimport_exec(m->u.fd, m->u.vm, &job, 0);
	while (ret == -EBUSY && igt_nsec_elapsed(&since) < BUSY_NS);
	igt_assert_f(!ret, "Submitting a job failed: %s\n", strerror(-ret));
	return done;
}

static void expect(struct mixed *m, uint64_t value)
{
	igt_assert(userptr_holds(m->bo.map, SIZE, value));
	igt_assert(userptr_holds(m->u.mem, SIZE, value));
}

static void evict(struct mixed *m)
{
	vexport_move(m->s->exporter, m->bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
}

static void evict_async(struct mixed *m)
{
	vexport_move(m->s->exporter, m->bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT,
		     DRM_VEXPORT_MOVE_ASYNC);
}

static void zap(struct mixed *m)
{
	igt_assert_eq(madvise(m->u.mem, SIZE, MADV_DONTNEED), 0);
}

static void *evict_thread(void *data)
{
	evict(data);
	return NULL;
}

static void *zap_thread(void *data)
{
	zap(data);
	return NULL;
}

static void evict_then_zap(struct mixed *m)
{
	evict(m);
	zap(m);
}

static void zap_then_evict(struct mixed *m)
{
	zap(m);
	evict(m);
}

/* The exporter's copy has not been made yet, it waits for the job as the zap does. */
static void evict_async_then_zap(struct mixed *m)
{
	evict_async(m);
	zap(m);
}

/* The exporter waits while it holds the reservation, and the notifier waits beside it. */
static void evict_during_zap(struct mixed *m)
{
	pthread_t thread;

	igt_assert_eq(pthread_create(&thread, NULL, zap_thread, m), 0);
	usleep(5000);
	evict(m);
	pthread_join(thread, NULL);
}

static void zap_during_evict(struct mixed *m)
{
	pthread_t thread;

	igt_assert_eq(pthread_create(&thread, NULL, evict_thread, m), 0);
	usleep(5000);
	zap(m);
	pthread_join(thread, NULL);
}

static const struct order {
	const char *name;
	void (*run)(struct mixed *m);
} orders[] = {
	{ "evict-then-zap", evict_then_zap },
	{ "zap-then-evict", zap_then_evict },
	{ "evict-async-then-zap", evict_async_then_zap },
	{ "evict-during-zap", evict_during_zap },
	{ "zap-during-evict", zap_during_evict },
};

static const char * const states[] = { "idle", "queued", "running" };

static void run(struct vshare_session *s, const struct order *order, unsigned int state)
{
	struct vimport_job delay = {};
	struct mixed m;
	uint32_t done;

	begin(&m, s);
	igt_assert_eq(vimport_wait(m.u.fd, submit(&m, 0, BEFORE)), 0);
	expect(&m, BEFORE);
	if (state == 1) {
		vimport_job_delay(&delay, DELAY_NS);
		igt_assert_eq(__vimport_exec(m.u.fd, m.u.vm, &delay, 0), 0);
	}
	done = submit(&m, state == 2 ? DELAY_NS : 0, DURING);
	if (state == 0)
		igt_assert(syncobj_wait(m.u.fd, &done, 1, INT64_MAX, 0, NULL));

	order->run(&m);
	igt_assert_f(!syncobj_wait_err(m.u.fd, &done, 1, 0, 0),
		     "The memory was taken away under a job\n");
	igt_assert_eq(vimport_wait(m.u.fd, done), 0);
	/* The buffer has moved with what the job wrote, the memory is new. */
	igt_assert(userptr_holds(m.bo.map, SIZE, DURING));
	igt_assert(userptr_holds(m.u.mem, SIZE, 0));

	igt_assert_eq(vimport_wait(m.u.fd, submit(&m, 0, AFTER)), 0);
	expect(&m, AFTER);
	end(&m);
}

static bool stop;

static void *evict_on_and_on(void *data)
{
	while (!READ_ONCE(stop)) {
		evict(data);
		sched_yield();
	}
	return NULL;
}

static void *zap_on_and_on(void *data)
{
	while (!READ_ONCE(stop)) {
		zap(data);
		usleep(300);
	}
	return NULL;
}

/* No job is lost, none is refused for good, and at the end all is as the last one left it. */
static void all_at_once(struct vshare_session *s)
{
	struct timespec start = {};
	unsigned int jobs = 0;
	pthread_t thread[2];
	struct mixed m;
	uint64_t value;

	begin(&m, s);
	stop = false;
	igt_assert_eq(pthread_create(&thread[0], NULL, evict_on_and_on, &m), 0);
	igt_assert_eq(pthread_create(&thread[1], NULL, zap_on_and_on, &m), 0);
	igt_nsec_elapsed(&start);
	for (value = 1; igt_nsec_elapsed(&start) < RACE_NS; value++) {
		igt_assert_eq(vimport_wait(m.u.fd, submit(&m, 0, value)), 0);
		igt_assert(userptr_holds(m.bo.map, SIZE, value));
		jobs++;
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	igt_assert_eq(vimport_wait(m.u.fd, submit(&m, 0, value)), 0);
	expect(&m, value);
	igt_info("%u jobs\n", jobs);
	igt_assert(jobs);
	end(&m);
}

/* The address space goes while both are under way. */
static void destroyed_busy(struct vshare_session *s)
{
	struct mixed m;
	uint32_t done;

	begin(&m, s);
	done = submit(&m, DELAY_NS, DURING);
	evict_async(&m);
	vimport_vm_destroy(m.u.fd, m.u.vm);
	gem_close(m.u.fd, m.u.handle);
	zap(&m);
	igt_assert_f(!syncobj_wait_err(m.u.fd, &done, 1, 0, 0),
		     "The memory was taken away under a job\n");
	syncobj_destroy(m.u.fd, done);
	igt_assert(userptr_holds(m.u.mem, SIZE, 0));
	munmap(m.u.mem, SIZE);
	gem_close(m.u.fd, m.import);
	vexport_bo_fini(&m.bo);
}

static const struct vshare_subtest subtests[] = {
	{ "all-at-once", "Jobs make progress while both come and go all the time.", all_at_once },
	{ "destroyed-busy", "The address space is destroyed while both are under way.",
	  destroyed_busy },
};

igt_main
{
	struct vshare_session s;

	igt_fixture
		close(vimport_open(0));

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		for (unsigned int state = 0; state < ARRAY_SIZE(states); state++) {
			igt_describe_f("%s, and the GPU is %s.", orders[i].name,
				       state == 0 ? "idle" : state == 1 ? "about to use both" :
				       "using both");
			igt_subtest_f("%s-%s", orders[i].name, states[state]) {
				vshare_session_begin(&s);
				run(&s, &orders[i], state);
				vshare_session_end(&s);
			}
		}
	}
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
