// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("One process moves buffers as fast as it can while others write to them: "
		     "each writer finds its own words, always, and nobody else's.");

#define SIZE			(256ull << 10)
#define CHUNK			(16ull << 10)
#define STORM_MS		1000

/* Far fewer than any run makes; a storm that hardly blows proves nothing. */
#define MIN_MOVES		20
#define MIN_JOBS		20

/* Writers share a buffer: each has one slice of it to itself. */
#define SLICES			DMABUF_WRITER_COUNT

struct storm {
	struct vshare_session s;
	unsigned int count;
	struct vexport_bo *bos;
	struct dmabuf_oracle *oracles;
	/* Shared with the children. */
	struct {
		uint64_t moves, jobs[2], stores;
		bool stop;
	} *shared;
};

static void begin(struct storm *t, unsigned int count, size_t size)
{
	vshare_session_begin(&t->s);
	igt_require_f(t->s.gpus > 1, "Needs two GPUs of vimport\n");
	t->count = count;
	t->bos = calloc(count, sizeof(*t->bos));
	t->oracles = calloc(count, sizeof(*t->oracles));
	t->shared = mmap(NULL, sizeof(*t->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(t->shared != MAP_FAILED);
	for (unsigned int i = 0; i < count; i++) {
		vexport_bo_init(&t->bos[i], t->s.exporter, size, DRM_VEXPORT_PLACEMENT_VRAM,
				DRM_VEXPORT_GEM_MOVING);
		dmabuf_oracle_init(&t->oracles[i], size);
	}
}

/* Checks everything that the children have left, in the parent. */
static void end(struct storm *t)
{
	struct drm_vexport_bo_query query;

	for (unsigned int i = 0; i < t->count; i++) {
		dmabuf_oracle_check(&t->oracles[i], t->bos[i].map, "after the storm");
		vexport_query(t->s.exporter, t->bos[i].dmabuf, &query);
		igt_assert_eq_u64(query.stale_words, 0);
		igt_assert_eq_u64(query.stale_moves, 0);
		vexport_bo_fini(&t->bos[i]);
		dmabuf_oracle_fini(&t->oracles[i]);
	}
	igt_info("%" PRIu64 " moves, %" PRIu64 " and %" PRIu64 " jobs, %" PRIu64 " CPU writes\n",
		 t->shared->moves, t->shared->jobs[0], t->shared->jobs[1], t->shared->stores);
	igt_assert_lte_u64(MIN_MOVES, t->shared->moves);
	munmap(t->shared, sizeof(*t->shared));
	free(t->bos);
	free(t->oracles);
	vshare_session_end(&t->s);
}

static bool storming(struct storm *t)
{
	return !READ_ONCE(t->shared->stop);
}

static size_t random_chunk(size_t size)
{
	return random() % (size / SLICES / CHUNK) * CHUNK;
}

static size_t slice(size_t size, enum dmabuf_writer writer)
{
	return size / SLICES * writer;
}

/* Moves any of the buffers anywhere; all kinds of moves come up. */
static void mover(struct storm *t)
{
	srandom(1);
	while (storming(t)) {
		struct vexport_bo *bo = &t->bos[random() % t->count];
		unsigned int kind = random() % 8;

		if (kind < 4)
			vexport_move(t->s.exporter, bo->dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		else
			vexport_move(t->s.exporter, bo->dmabuf, kind % 3, 0);
		WRITE_ONCE(t->shared->moves, t->shared->moves + 1);
	}
}

/* Only moves into VRAM: what does not fit any more has to leave it. */
static void pusher(struct storm *t)
{
	srandom(1);
	while (storming(t)) {
		vexport_move(t->s.exporter, t->bos[random() % t->count].dmabuf,
			     DRM_VEXPORT_PLACEMENT_VRAM, 0);
		WRITE_ONCE(t->shared->moves, t->shared->moves + 1);
	}
}

/* One address space with all the buffers in it, one slice of each to write. */
static void gpu_writer(struct storm *t, int index, uint32_t import_flags)
{
	enum dmabuf_writer writer = DMABUF_WRITER_GPU0 + index;
	const size_t size = t->bos[0].size, mine = slice(size, writer);
	int fd = vimport_open(index);
	uint32_t vm = vimport_vm_create(fd);

	srandom(index + 2);
	for (unsigned int i = 0; i < t->count; i++)
		vimport_vm_map(fd, vm, vimport_import(fd, t->bos[i].dmabuf, import_flags), 0,
			       (i + 1) * size, size, 0);
	while (storming(t)) {
		unsigned int i = random() % t->count;
		size_t first = mine + random_chunk(size), second = mine + random_chunk(size);
		uint64_t va = (i + 1) * size;
		struct vimport_job job = {};

		vimport_job_tag(&job, va + first, CHUNK,
				dmabuf_oracle_tag(&t->oracles[i], writer, first, CHUNK));
		if (second != first) {
			vimport_job_copy(&job, va + second, va + first, CHUNK);
			dmabuf_oracle_copy(&t->oracles[i], second, first, CHUNK);
		}
		vimport_run(fd, vm, &job);
		/* A move between the job and this look at it is the point. */
		dmabuf_oracle_check_range(&t->oracles[i], t->bos[i].map, mine, size / SLICES,
					  "in the storm");
		WRITE_ONCE(t->shared->jobs[index], t->shared->jobs[index] + 1);
	}
	close(fd);
}

static void cpu_writer(struct storm *t)
{
	const size_t size = t->bos[0].size, mine = slice(size, DMABUF_WRITER_CPU);

	srandom(9);
	while (storming(t)) {
		unsigned int i = random() % t->count;

		dmabuf_oracle_store(&t->oracles[i], t->bos[i].map, mine + random_chunk(size),
				    CHUNK);
		dmabuf_oracle_check_range(&t->oracles[i], t->bos[i].map, mine, size / SLICES,
					  "in the storm");
		WRITE_ONCE(t->shared->stores, t->shared->stores + 1);
	}
}

static void wait_for_storm(struct storm *t, unsigned int ms)
{
	usleep(ms * USEC_PER_MSEC);
	WRITE_ONCE(t->shared->stop, true);
	igt_waitchildren();
}

static void gpus(uint32_t import_flags, unsigned int ms)
{
	struct storm t;

	begin(&t, 1, SIZE);
	igt_fork(child, 3) {
		if (child < 2)
			gpu_writer(&t, child, import_flags);
		else
			mover(&t);
	}
	wait_for_storm(&t, ms);
	igt_assert_lte_u64(MIN_JOBS, t.shared->jobs[0]);
	igt_assert_lte_u64(MIN_JOBS, t.shared->jobs[1]);
	end(&t);
}

static void many_buffers(void)
{
	struct storm t;

	begin(&t, 6, SIZE);
	igt_fork(child, 3) {
		if (child < 2)
			gpu_writer(&t, child, child ? DRM_VIMPORT_IMPORT_NO_P2P : 0);
		else
			mover(&t);
	}
	wait_for_storm(&t, STORM_MS);
	end(&t);
}

static void cpu(void)
{
	struct storm t;

	begin(&t, 1, SIZE);
	igt_fork(child, 3) {
		if (child == 0)
			gpu_writer(&t, 0, 0);
		else if (child == 1)
			cpu_writer(&t);
		else
			mover(&t);
	}
	wait_for_storm(&t, STORM_MS);
	igt_assert_lte_u64(MIN_JOBS, t.shared->stores);
	end(&t);
}

static void oversubscribe(void)
{
	const size_t size = 4ull << 20;
	struct drm_vexport_info before, after;
	struct storm t;
	int exporter = vexport_open();

	vexport_get_info(exporter, &before);
	close(exporter);
	igt_require_f(before.vram_size <= 256ull << 20, "Needs at most 256 MiB of VRAM\n");
	begin(&t, before.vram_size / size * 5 / 4, size);
	igt_fork(child, 3) {
		if (child < 2)
			gpu_writer(&t, child, 0);
		else
			pusher(&t);
	}
	wait_for_storm(&t, STORM_MS);
	vexport_get_info(t.s.exporter, &after);
	igt_assert_lt_u64(before.evictions, after.evictions);
	end(&t);
}

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	igt_describe("Two GPUs write to one buffer that never stays anywhere.");
	igt_subtest("gpus")
		gpus(0, 2 * STORM_MS);

	igt_describe("The same where no GPU can reach peer-to-peer memory.");
	igt_subtest("gpus-no-p2p")
		gpus(DRM_VIMPORT_IMPORT_NO_P2P, STORM_MS);

	igt_describe("Jobs that use several moving buffers at once, with importers of both kinds.");
	igt_subtest("many-buffers")
		many_buffers();

	igt_describe("The CPU writes through a mapping that is torn away all the time.");
	igt_subtest("cpu")
		cpu();

	igt_describe("More buffers than VRAM holds push each other out while GPUs use them.");
	igt_subtest("oversubscribe")
		oversubscribe();
}
