// SPDX-License-Identifier: MIT
/*
 * The process that owns the exporter: hands buffers to the processes of the
 * GPUs, and moves them as fast as it can.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd.h"
#include "demo.h"

/* How often the counters are read, and how often they are printed into a file. */
#define TICK_NS		(100 * NSEC_PER_MSEC)
#define LINE_NS		NSEC_PER_SEC

/* A GPU whose counters are read, and what they were at first. */
struct gauge {
	int dev;
	struct drm_vimport_info before;
};

struct run {
	const struct demo_config *config;
	struct demo_result *result;
	struct demo_workers workers;
	struct gauge gauge[DEMO_MAX_GPUS];
	int dev;
	struct storm storm;
	struct storm_buffer buffer[DEMO_BUFFERS];

	/* Verdict just after the last move of each buffer, if that met a writer. */
	struct drm_vexport_bo_query after[DEMO_BUFFERS];
	bool busy[DEMO_BUFFERS];

	uint64_t started;
	uint64_t printed;
};

static bool make_buffers(struct run *run)
{
	const struct demo_config *config = run->config;

	run->dev = open_device("vexport", 0);
	if (run->dev < 0)
		return false;
	storm_init(&run->storm, run->dev, config->seed);
	for (int b = 0; b < DEMO_BUFFERS; b++) {
		uint64_t size = config->size;
		int fd = vshare_vexport_alloc(run->dev, &size, DRM_VEXPORT_PLACEMENT_VRAM,
					      DRM_VEXPORT_GEM_MOVING);

		if (fd < 0) {
			complain(fd, "cannot create a buffer of %" PRIu64 " bytes", config->size);
			return false;
		}
		run->buffer[b].dmabuf = fd;
		run->buffer[b].placement = DRM_VEXPORT_PLACEMENT_VRAM;
		for (unsigned int gpu = 0; gpu < config->gpus; gpu++) {
			int ret = vshare_dmabuf_send(run->workers.worker[gpu].sock, fd);

			if (ret) {
				complain(ret, "cannot hand a buffer to GPU %u", gpu);
				return false;
			}
		}
	}
	return true;
}

static bool open_gpus(struct run *run)
{
	for (unsigned int gpu = 0; gpu < run->config->gpus; gpu++) {
		struct gauge *gauge = &run->gauge[gpu];
		int ret;

		gauge->dev = open_device("vimport", gpu);
		if (gauge->dev < 0)
			return false;
		ret = vshare_vimport_info(gauge->dev, &gauge->before);
		if (ret) {
			complain(ret, "cannot read the counters of GPU %u", gpu);
			return false;
		}
	}
	return true;
}

/* Reading the verdict of a buffer also checks the storage that it has left so far. */
static bool read_counters(struct run *run)
{
	struct demo_result *result = run->result;
	struct drm_vexport_bo_query query;
	struct drm_vimport_info info;
	int ret = 0;

	result->moves_busy = 0;
	result->quarantine_words = 0;
	for (int b = 0; !ret && b < DEMO_BUFFERS; b++) {
		ret = vshare_vexport_query(run->dev, run->buffer[b].dmabuf, &query);
		if (ret)
			break;
		result->moves_busy += query.moves_busy;
		result->quarantine_words += query.stale_words;
	}
	result->invalidations = 0;
	result->jobs = 0;
	result->bytes_written = 0;
	result->words_verified = 0;
	result->words_stale = 0;
	for (unsigned int gpu = 0; !ret && gpu < run->config->gpus; gpu++) {
		const struct drm_vimport_info *before = &run->gauge[gpu].before;
		struct demo_gpu_board *board = &run->workers.board->gpu[gpu];

		ret = vshare_vimport_info(run->gauge[gpu].dev, &info);
		if (ret)
			break;
		result->invalidations += info.invalidations - before->invalidations;
		result->jobs += info.jobs - before->jobs;
		result->bytes_written += info.bytes_written - before->bytes_written;
		result->words_verified += atomic_load(&board->words_verified);
		result->words_stale += atomic_load(&board->words_stale);
	}
	result->moves = storm_moves(&run->storm);
	result->seconds = (double)(now_ns() - run->started) / NSEC_PER_SEC;
	if (ret)
		complain(ret, "cannot read the counters");
	return !ret;
}

static void show_progress(struct run *run, bool last)
{
	const struct demo_result *result = run->result;
	bool tty = isatty(STDERR_FILENO);
	uint64_t time = now_ns();

	if (!tty && !last && time - run->printed < LINE_NS)
		return;
	run->printed = time;
	fprintf(stderr, "%s%s importer: %" PRIu64 " moves, %" PRIu64,
		tty ? "\r\033[K" : "", run->config->name, result->moves, result->moves_busy);
	if (!run->config->seconds)
		fprintf(stderr, "/%" PRIu64, run->config->moves);
	fprintf(stderr, " under a writer; %" PRIu64 " jobs, %.1f MiB verified, %" PRIu64
		" stale words%s", result->jobs, result->words_verified * 8.0 / (1 << 20),
		result->words_stale, !tty || last ? "\n" : "");
}

static bool finished(const struct run *run)
{
	if (run->config->seconds)
		return run->result->seconds >= run->config->seconds;
	return run->result->moves_busy >= run->config->moves;
}

/*
 * Was the last move caught, if it met a writer? What is seen while a move is
 * made could be the fault of the one before, so only what comes after counts.
 */
static int judge_last_move(struct run *run, unsigned int b, struct drm_vexport_bo_query *query)
{
	int ret = vshare_vexport_query(run->dev, run->buffer[b].dmabuf, query);

	if (!ret && run->busy[b])
		run->result->moves_caught += query->stale_words > run->after[b].stale_words;
	run->busy[b] = false;
	return ret;
}

static int move_buffer(struct run *run, unsigned int b)
{
	struct drm_vexport_bo_query before;
	int ret;

	ret = judge_last_move(run, b, &before);
	if (!ret)
		ret = storm_move(&run->storm, &run->buffer[b]);
	if (!ret)
		ret = vshare_vexport_query(run->dev, run->buffer[b].dmabuf, &run->after[b]);
	if (!ret)
		run->busy[b] = run->after[b].moves_busy > before.moves_busy;
	return ret;
}

static bool move_buffers(struct run *run)
{
	const struct demo_config *config = run->config;
	uint64_t tick = now_ns() + TICK_NS;
	unsigned int left;
	int ret;

	for (;;) {
		ret = move_buffer(run, storm_random(&run->storm, DEMO_BUFFERS));
		if (ret) {
			complain(ret, "cannot move a buffer");
			return false;
		}
		if (now_ns() < tick)
			continue;
		tick = now_ns() + TICK_NS;
		if (!read_counters(run) || !demo_workers_check(&run->workers, &left))
			return false;
		show_progress(run, false);
		if (finished(run))
			return true;
		if (!config->seconds && run->result->seconds > config->limit) {
			complain(0, "only %" PRIu64 " of %" PRIu64 " moves found a writer within %"
				 PRIu64 " s (%" PRIu64 " moves, %" PRIu64 " refused as pinned)",
				 run->result->moves_busy, config->moves, config->limit,
				 run->result->moves, run->storm.refused_pinned);
			return false;
		}
	}
}

/* The first that a GPU's process saw tells more than what is left in the end. */
static void take_first_stale(struct run *run)
{
	struct demo_result *result = run->result;

	for (unsigned int gpu = 0; gpu < run->config->gpus && !*result->first_stale; gpu++)
		memcpy(result->first_stale, run->workers.board->gpu[gpu].first_stale,
		       sizeof(result->first_stale));
}

/* All writers are gone: each lane must be as its owner has left it. */
static bool verify_rest(struct run *run)
{
	const struct demo_config *config = run->config;
	struct demo_result *result = run->result;

	for (int b = 0; b < DEMO_BUFFERS; b++) {
		int dmabuf = run->buffer[b].dmabuf;
		void *map;
		int ret;

		ret = vshare_dmabuf_mmap(dmabuf, config->size, &map);
		if (!ret)
			ret = vshare_dmabuf_begin(dmabuf, false);
		if (ret) {
			complain(ret, "cannot read a buffer");
			return false;
		}
		for (unsigned int i = 0; i < config->gpus * (DEMO_LANES + 1); i++) {
			unsigned int gpu = i / (DEMO_LANES + 1), lane = i % (DEMO_LANES + 1);
			uint64_t tag = run->workers.board->gpu[gpu].last[b][lane];

			if (!tag)
				continue;
			result->words_verified += demo_lane_size(config) / sizeof(uint64_t);
			result->words_stale +=
				demo_lane_verify(config, map, demo_lane_offset(config, gpu, lane),
						 tag, result->first_stale,
						 sizeof(result->first_stale));
		}
		vshare_dmabuf_end(dmabuf, false);
		munmap(map, config->size);
	}
	return true;
}

static void close_run(struct run *run)
{
	for (int b = 0; b < DEMO_BUFFERS; b++) {
		if (run->buffer[b].dmabuf >= 0)
			close(run->buffer[b].dmabuf);
	}
	for (unsigned int gpu = 0; gpu < run->config->gpus; gpu++) {
		if (run->gauge[gpu].dev >= 0)
			close(run->gauge[gpu].dev);
	}
	if (run->dev >= 0)
		close(run->dev);
	if (run->workers.board)
		munmap(run->workers.board, sizeof(*run->workers.board));
}

bool demo_run(const struct demo_config *config, struct demo_result *result)
{
	struct run run = { .config = config, .result = result, .dev = -1 };
	bool good;

	memset(result, 0, sizeof(*result));
	for (unsigned int gpu = 0; gpu < config->gpus; gpu++)
		run.gauge[gpu].dev = -1;
	for (int b = 0; b < DEMO_BUFFERS; b++)
		run.buffer[b].dmabuf = -1;

	good = demo_workers_start(&run.workers, config) && open_gpus(&run) &&
	       make_buffers(&run) && demo_workers_wait(&run.workers);
	run.started = now_ns();
	good = good && move_buffers(&run);

	/* The last words are counted when nobody is left to write more of them. */
	good = demo_workers_stop(&run.workers) && good;
	if (good) {
		take_first_stale(&run);
		good = read_counters(&run) && verify_rest(&run);
		show_progress(&run, true);
	}
	memcpy(result->kinds, run.storm.moves, sizeof(result->kinds));
	close_run(&run);
	return good;
}
