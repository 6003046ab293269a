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
#define STORM_NS		(1 * NSEC_PER_SEC)

/* A storm that hardly blows proves nothing: on a slow machine it takes longer. */
#define MIN_MOVES		20
#define MIN_JOBS		20
#define MAX_STORM_NS		(120 * NSEC_PER_SEC)

/* Writers share a buffer: each has one slice of it to itself. */
#define SLICES			DMABUF_WRITER_COUNT

struct storm {
	struct vshare_session s;
	unsigned int count;
	struct vexport_bo *bos;
	struct dmabuf_oracle *oracles;
	/* Shared with the children. */
	struct {
		uint64_t moves, work[2];
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
	igt_info("%" PRIu64 " moves, %" PRIu64 " and %" PRIu64 " writes\n", t->shared->moves,
		 t->shared->work[0], t->shared->work[1]);
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

/*
 * A GPU that submits a job has all of its buffers locked, and what is locked is not evicted.
 * If that is all that is in VRAM, there is no room at that time.
 */
static uint64_t move_into_vram(struct storm *t, int dmabuf, uint64_t last)
{
	struct drm_vexport_bo_move move = {
		.fd = dmabuf,
		.placement = DRM_VEXPORT_PLACEMENT_VRAM,
	};
	int ret = __vexport_move(t->s.exporter, &move);

	if (ret == -ENOMEM)
		return last;
	igt_assert_eq(ret, 0);
	return move.generation;
}

/*
 * Moves any of the buffers anywhere, so that all kinds of moves come up. To
 * oversubscribe it moves into VRAM only: what does not fit any more leaves it.
 */
static void mover(struct storm *t, bool oversubscribe)
{
	uint64_t *last = calloc(t->count, sizeof(*last)), generation;

	srandom(1);
	while (storming(t)) {
		unsigned int i = random() % t->count, kind = random() % 8;
		int dmabuf = t->bos[i].dmabuf;

		if (oversubscribe)
			generation = move_into_vram(t, dmabuf, last[i]);
		else if (kind < 4)
			generation = vexport_move(t->s.exporter, dmabuf, 0,
						  DRM_VEXPORT_MOVE_RELOCATE);
		else
			generation = vexport_move(t->s.exporter, dmabuf, kind % 3, 0);
		/* It may have been there already. */
		if (generation != last[i])
			WRITE_ONCE(t->shared->moves, t->shared->moves + 1);
		last[i] = generation;
	}
	free(last);
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
		WRITE_ONCE(t->shared->work[index], t->shared->work[index] + 1);
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
		WRITE_ONCE(t->shared->work[1], t->shared->work[1] + 1);
	}
}

static void wait_for_storm(struct storm *t, uint64_t ns, uint64_t moves, uint64_t work)
{
	struct timespec since = {};
	uint64_t elapsed;
	bool enough;

	do {
		usleep(20 * USEC_PER_MSEC);
		elapsed = igt_nsec_elapsed(&since);
		enough = READ_ONCE(t->shared->moves) >= moves &&
			 READ_ONCE(t->shared->work[0]) >= work &&
			 READ_ONCE(t->shared->work[1]) >= work;
	} while (!vshare_child_has_ended() && elapsed < (enough ? ns : MAX_STORM_NS));
	WRITE_ONCE(t->shared->stop, true);
	igt_waitchildren();
	igt_assert_f(enough, "The storm was too weak: %" PRIu64 " moves, %" PRIu64 " and %" PRIu64
		     " writes\n", t->shared->moves, t->shared->work[0], t->shared->work[1]);
}

static void gpus(uint32_t import_flags, uint64_t ns)
{
	struct storm t;

	begin(&t, 1, SIZE);
	igt_fork(child, 3) {
		if (child < 2)
			gpu_writer(&t, child, import_flags);
		else
			mover(&t, false);
	}
	wait_for_storm(&t, ns, MIN_MOVES, MIN_JOBS);
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
			mover(&t, false);
	}
	wait_for_storm(&t, STORM_NS, MIN_MOVES, MIN_JOBS);
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
			mover(&t, false);
	}
	wait_for_storm(&t, STORM_NS, MIN_MOVES, MIN_JOBS);
	end(&t);
}

static void oversubscribe(void)
{
	const size_t size = 1ull << 20;
	struct drm_vexport_info before, after;
	struct storm t;
	int exporter = vexport_open();

	vexport_get_info(exporter, &before);
	close(exporter);
	igt_require_f(before.vram_size <= 256ull << 20, "Needs at most 256 MiB of VRAM\n");
	begin(&t, before.vram_size / size * 5 / 4, size);
	vexport_get_info(t.s.exporter, &before);
	igt_fork(child, 3) {
		if (child < 2)
			gpu_writer(&t, child, 0);
		else
			mover(&t, true);
	}
	/* Each of these moves makes two copies of 1 MiB and waits for both GPUs. */
	wait_for_storm(&t, STORM_NS, MIN_MOVES / 2, MIN_JOBS / 4);
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
		gpus(0, 2 * STORM_NS);

	igt_describe("The same where no GPU can reach peer-to-peer memory.");
	igt_subtest("gpus-no-p2p")
		gpus(DRM_VIMPORT_IMPORT_NO_P2P, STORM_NS);

	igt_describe("Jobs that use several moving buffers at once, with importers of both kinds.");
	igt_subtest("many-buffers")
		many_buffers();

	igt_describe("The CPU writes through a mapping that is torn away all the time.");
	igt_subtest("cpu")
		cpu();

	igt_describe("More buffers than VRAM holds push each other out while GPUs use them.");
	igt_subtest("oversubscribe")
		oversubscribe();

	igt_fixture
		vshare_session_check_last();
}
