// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Buffers move for as long as somebody holds the storm's descriptor, as "
		     "the seed says, and at no cost that a client may not cause.");

#define SIZE			(128u << 10)
#define ALL_KINDS		(DRM_VEXPORT_STORM_RELOCATE | DRM_VEXPORT_STORM_SYSTEM | \
				 DRM_VEXPORT_STORM_TT | DRM_VEXPORT_STORM_VRAM | \
				 DRM_VEXPORT_STORM_EVICT)
#define MAX_STORMS		8
#define WAIT_NS			(60ull * NSEC_PER_SEC)

/* Many times what is between two steps, so that a storm that goes on is seen. */
#define QUIET_US		(200 * USEC_PER_MSEC)

static struct drm_vexport_storm storm_args(const int *fds, uint32_t count, uint32_t rate)
{
	return (struct drm_vexport_storm) {
		.fds = to_user_pointer(fds),
		.fd_count = count,
		.kinds = ALL_KINDS,
		.rate = rate,
	};
}

static int start(struct vshare_session *s, const struct vexport_bo *bo, uint32_t rate)
{
	struct drm_vexport_storm args = storm_args(&bo->dmabuf, 1, rate);

	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	igt_assert_fd(args.storm_fd);
	return args.storm_fd;
}

static struct drm_vexport_storm_counters counters(int storm)
{
	struct drm_vexport_storm_counters now;

	igt_assert_eq(read(storm, &now, sizeof(now)), sizeof(now));
	return now;
}

static struct drm_vexport_storm_counters wait_for_steps(int storm)
{
	struct drm_vexport_storm_counters now;
	struct timespec since = {};

	do {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
		usleep(1000);
		now = counters(storm);
	} while (!now.steps);
	return now;
}

static uint64_t generation(struct vshare_session *s, const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query query;

	vexport_query(s->exporter, bo->dmabuf, &query);
	return query.generation;
}

static void wait_for_moves(struct vshare_session *s, const struct vexport_bo *bo, uint64_t moves)
{
	uint64_t from = generation(s, bo);
	struct timespec since = {};

	while (generation(s, bo) < from + moves) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
		usleep(1000);
	}
}

static void expect_quiet(struct vshare_session *s, const struct vexport_bo *bo)
{
	uint64_t before = generation(s, bo);

	usleep(QUIET_US);
	igt_assert_eq_u64(generation(s, bo), before);
}

static void moves(struct vshare_session *s)
{
	struct drm_vexport_storm_counters now;
	struct dmabuf_oracle oracle;
	struct timespec since = {};
	struct vexport_bo bo;
	int storm;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	dmabuf_oracle_init(&oracle, SIZE);
	dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
	storm = start(s, &bo, 500);
	do {
		/* The CPU writes, too, where the buffer happens to be. */
		dmabuf_oracle_store(&oracle, bo.map, 0, SIZE / 4);
		dmabuf_oracle_check(&oracle, bo.map, "in a storm");
		now = counters(storm);
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
	} while (now.moves < 100);
	igt_assert_eq_u64(now.failed | now.busy, 0);
	close(storm);
	expect_quiet(s, &bo);
	igt_assert_lte_u64(100, generation(s, &bo));
	dmabuf_oracle_check(&oracle, bo.map, "after a storm");
	dmabuf_oracle_fini(&oracle);
	vexport_bo_fini(&bo);
}

static void under_gpu(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	int storm;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	dmabuf_oracle_init(&oracle, SIZE);
	storm = start(s, &bo, 500);
	for (int i = 0; i < 60; i++) {
		struct vimport_job job = {};

		vimport_job_tag(&job, gpu.va, SIZE,
				dmabuf_oracle_tag(&oracle, DMABUF_WRITER_GPU0, 0, SIZE));
		vimport_run(gpu.fd, gpu.vm, &job);
		dmabuf_oracle_check(&oracle, bo.map, "after a job in a storm");
	}
	wait_for_moves(s, &bo, 1);
	close(storm);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u64(query.stale_words, 0);
	igt_assert_lt_u64(0, query.notifies);
	dmabuf_oracle_fini(&oracle);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

static void counts(struct vshare_session *s)
{
	struct drm_vexport_storm args;
	struct drm_vexport_storm_counters now;
	struct vimport_job job = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	char small[sizeof(now) - 1];

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	args = storm_args(&bo.dmabuf, 1, 500);
	/* It is there already. */
	args.kinds = DRM_VEXPORT_STORM_TT;
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	now = wait_for_steps(args.storm_fd);
	/* What has become of a step is counted a moment before the step. */
	igt_assert_lte_u64(now.steps, now.idle);
	igt_assert_eq_u64(now.moves | now.busy | now.failed, 0);
	igt_assert_eq(read(args.storm_fd, small, sizeof(small)), -1);
	igt_assert_eq(errno, EINVAL);
	close(args.storm_fd);

	/* It is too large for VRAM. */
	vexport_bo_fini(&bo);
	vexport_bo_init(&bo, s->exporter, s->start.exporter.vram_size + SIZE,
			DRM_VEXPORT_PLACEMENT_SYSTEM, 0);
	args = storm_args(&bo.dmabuf, 1, 500);
	args.kinds = DRM_VEXPORT_STORM_VRAM;
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	now = wait_for_steps(args.storm_fd);
	igt_assert_lte_u64(now.steps, now.failed);
	igt_assert_eq_u64(now.moves | now.busy | now.idle, 0);
	close(args.storm_fd);
	vexport_bo_fini(&bo);

	/* It is pinned, where the core pins at all. */
	if (!(s->start.exporter.caps & DRM_VEXPORT_CAP_IMPLICIT_PIN))
		return;
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	vimport_job_fill(&job, gpu.va, SIZE, 1);
	vimport_run(gpu.fd, gpu.vm, &job);
	args = storm_args(&bo.dmabuf, 1, 500);
	args.kinds = DRM_VEXPORT_STORM_RELOCATE;
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	now = wait_for_steps(args.storm_fd);
	igt_assert_lte_u64(now.steps, now.busy);
	igt_assert_eq_u64(now.moves | now.failed | now.idle, 0);
	close(args.storm_fd);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

#define DRAWN			24
#define DRAW_RATE		20

/*
 * Where each of the first steps has taken two buffers. A step is looked at only in
 * the first half of the time until the next, from the last look that did not find it on;
 * -1 where that was missed.
 */
static void record(struct vshare_session *s, uint64_t seed, unsigned int rate, int places[DRAWN])
{
	struct drm_vexport_bo_query query[2];
	struct timespec since = {};
	struct drm_vexport_storm args;
	struct vexport_bo bos[2];
	int fds[2];

	for (int i = 0; i < 2; i++) {
		vexport_bo_init(&bos[i], s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
		fds[i] = bos[i].dmabuf;
	}
	args = storm_args(fds, 2, rate);
	args.kinds &= ~DRM_VEXPORT_STORM_EVICT;
	args.seed = seed;
	igt_nsec_elapsed(&since);
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	igt_assert_eq_u64(args.seed, seed);
	for (int i = 0; i < DRAWN; i++)
		places[i] = -1;
	for (uint64_t last = 0; last < DRAWN;) {
		struct timespec looked = {};
		uint64_t steps;

		usleep(1000);
		igt_nsec_elapsed(&looked);
		steps = counters(args.storm_fd).steps;
		for (int i = 0; i < 2; i++)
			vexport_query(s->exporter, fds[i], &query[i]);
		if (steps == last + 1 && steps <= DRAWN &&
		    igt_nsec_elapsed(&since) < NSEC_PER_SEC / rate / 2)
			places[last] = query[0].placement << 24 | query[1].placement << 16 |
				       (query[0].generation & 0xff) << 8 |
				       (query[1].generation & 0xff);
		last = steps;
		since = looked;
	}
	close(args.storm_fd);
	for (int i = 0; i < 2; i++)
		vexport_bo_fini(&bos[i]);
}

static void seed_repeats(struct vshare_session *s)
{
	int first[DRAWN], again[DRAWN], other[DRAWN];
	unsigned int same, others, different, rate;

	/* Where looks take long, many are too late: then there has to be more time for each. */
	for (rate = DRAW_RATE; ; rate /= 2) {
		igt_assert_f(rate, "Hardly any step was seen\n");
		same = 0;
		others = 0;
		different = 0;
		record(s, 0x5eed, rate, first);
		record(s, 0x5eed, rate, again);
		record(s, 0x5eee, rate, other);
		for (int i = 0; i < DRAWN; i++) {
			if (first[i] < 0)
				continue;
			if (again[i] >= 0) {
				igt_assert_eq_u32(again[i], first[i]);
				same++;
			}
			others += other[i] >= 0;
			different += other[i] >= 0 && other[i] != first[i];
		}
		if (same > DRAWN / 3 && others > DRAWN / 2)
			break;
	}
	igt_assert_lt(DRAWN / 4, different);
}

static void seed_chosen(struct vshare_session *s)
{
	struct drm_vexport_storm args[2];
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (int i = 0; i < 2; i++) {
		args[i] = storm_args(&bo.dmabuf, 1, 10);
		do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args[i]);
		igt_assert_neq_u64(args[i].seed, 0);
	}
	igt_assert_neq_u64(args[0].seed, args[1].seed);
	for (int i = 0; i < 2; i++)
		close(args[i].storm_fd);
	vexport_bo_fini(&bo);
}

static void ends_with_close(struct vshare_session *s)
{
	struct vexport_bo bo;
	int storm, copy, other;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	/* The DRM file that it was started through has nothing to do with it. */
	other = s->exporter;
	s->exporter = vexport_open();
	storm = start(s, &bo, 500);
	close(s->exporter);
	s->exporter = other;
	wait_for_moves(s, &bo, 3);

	copy = dup(storm);
	close(storm);
	wait_for_moves(s, &bo, 3);
	close(copy);
	expect_quiet(s, &bo);
	vexport_bo_fini(&bo);
}

static void ends_with_kill(struct vshare_session *s)
{
	struct igt_helper_process helper = { .use_SIGKILL = true };
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	igt_fork_helper(&helper) {
		start(s, &bo, 500);
		for (;;)
			pause();
	}
	wait_for_moves(s, &bo, 3);
	igt_stop_helper(&helper);
	/* It may be in the middle of a step while the parent is told. */
	usleep(QUIET_US);
	expect_quiet(s, &bo);
	vexport_bo_fini(&bo);
}

static void holds_buffers(struct vshare_session *s)
{
	struct drm_vexport_storm_counters now;
	struct drm_vexport_info info;
	struct vexport_bo bo;
	struct timespec since = {};
	int storm;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	storm = start(s, &bo, 500);
	vexport_bo_fini(&bo);
	now = counters(storm);
	while (counters(storm).moves <= now.moves) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
		usleep(1000);
	}
	vexport_get_info(s->exporter, &info);
	igt_assert_eq(info.buffers, s->start.exporter.buffers + 1);
	/* What is left after this is found at the end of every subtest. */
	close(storm);
}

#define BIG			(2u << 20)
#define SAMPLES			8
#define STEPS			10

static uint64_t shortest_move(struct vshare_session *s, const struct vexport_bo *bo)
{
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < SAMPLES; i++) {
		struct timespec one = {};
		uint64_t ns;

		igt_nsec_elapsed(&one);
		vexport_move(s->exporter, bo->dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		ns = igt_nsec_elapsed(&one);
		shortest = ns < shortest ? ns : shortest;
	}
	return shortest;
}

static void rests(struct vshare_session *s)
{
	uint64_t before, after, shortest, steps, took;
	struct drm_vexport_storm args;
	struct timespec since = {};
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, BIG, DRM_VEXPORT_PLACEMENT_TT, 0);
	before = shortest_move(s, &bo);
	args = storm_args(&bo.dmabuf, 1, DRM_VEXPORT_STORM_MAX_RATE);
	args.kinds = DRM_VEXPORT_STORM_RELOCATE;
	igt_nsec_elapsed(&since);
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	do {
		usleep(1000);
		steps = counters(args.storm_fd).steps;
		took = igt_nsec_elapsed(&since);
		igt_assert_lt_u64(took, WAIT_NS);
	} while (steps < STEPS);
	close(args.storm_fd);
	/* The host may have been busy with something else before, and not any more. */
	after = shortest_move(s, &bo);
	shortest = after < before ? after : before;
	igt_info("A move takes %" PRIu64 " us, %" PRIu64 " steps took %" PRIu64 " us\n",
		 shortest / 1000, steps, took / 1000);
	/* No step is much shorter than the shortest move, and as long is the rest after it. */
	igt_assert_lt_u64((2 * steps - 1) * shortest, took * 5 / 4);
	vexport_bo_fini(&bo);
}

static void limit(struct vshare_session *s)
{
	struct drm_vexport_storm args;
	int storms[MAX_STORMS];
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	args = storm_args(&bo.dmabuf, 1, 1);
	/* Nothing to do, for the counters are compared. */
	args.kinds = DRM_VEXPORT_STORM_TT;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MAX_STORMS; i++) {
			do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
			storms[i] = args.storm_fd;
		}
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_STORM, &args, ENOSPC);
		for (int i = 0; i < MAX_STORMS; i++)
			close(storms[i]);
	}
	vexport_bo_fini(&bo);
}

static void refuse(struct vshare_session *s, struct drm_vexport_storm args, int err)
{
	int before = vshare_next_fd();

	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_STORM, &args, err);
	igt_assert_eq(vshare_next_fd(), before);
}

static void bad_arguments(struct vshare_session *s)
{
	struct drm_vexport_storm good, bad;
	int fds[DRM_VEXPORT_STORM_MAX_FDS + 1];
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = bo.dmabuf;
	good = storm_args(fds, 2, 10);
	for (uint32_t bit = DRM_VEXPORT_STORM_EVICT << 1; bit; bit <<= 1) {
		bad = good;
		bad.kinds |= bit;
		refuse(s, bad, EINVAL);
	}
	for (uint32_t bit = 1; bit; bit <<= 1) {
		bad = good;
		bad.flags = bit;
		refuse(s, bad, EINVAL);
	}
	bad = good;
	bad.kinds = 0;
	refuse(s, bad, EINVAL);
	bad = good;
	bad.pad = 1;
	refuse(s, bad, EINVAL);
	bad = good;
	bad.rate = 0;
	refuse(s, bad, EINVAL);
	bad.rate = DRM_VEXPORT_STORM_MAX_RATE + 1;
	refuse(s, bad, EINVAL);
	bad = good;
	bad.fd_count = 0;
	refuse(s, bad, EINVAL);
	bad.fd_count = ARRAY_SIZE(fds);
	refuse(s, bad, EINVAL);
	bad = good;
	bad.fds = 0;
	refuse(s, bad, EFAULT);
	/* The second of two: what was taken of the first is given back. */
	fds[1] = -1;
	refuse(s, good, EBADF);
	fds[1] = s->exporter;
	refuse(s, good, EINVAL);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "moves", "Every kind of move keeps what is in the buffer.", moves },
	{ "under-gpu", "A GPU that is told of the moves loses no write.", under_gpu },
	{ "counts", "The counters tell what has become of each step.", counts },
	{ "seed-repeats", "The same seed draws the same moves, another draws others.",
	  seed_repeats },
	{ "seed-chosen", "Who gives no seed is told one.", seed_chosen },
	{ "ends-with-close", "It lasts until the last copy of its descriptor is closed.",
	  ends_with_close },
	{ "ends-with-kill", "It ends when whoever holds it is killed.", ends_with_kill },
	{ "holds-buffers", "Its buffers live as long as it does, and no longer.",
	  holds_buffers },
	{ "rests", "It takes no more than half of the time.", rests },
	{ "limit", "There is a limit to how many there are.", limit },
	{ "bad-arguments", "Arguments that make no sense start nothing and leave nothing.",
	  bad_arguments },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
