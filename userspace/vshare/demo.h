/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _DEMO_H_
#define _DEMO_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "demo_storm.h"
#include "vshare.h"

#define DEMO_MAX_GPUS	16
#define DEMO_BUFFERS	3

/* Lanes that a GPU writes to, and the one that it copies another's lane to. */
#define DEMO_LANES	4
#define DEMO_COPY	DEMO_LANES

/* No wait of the demo is longer than this. */
#define DEMO_PATIENCE_NS	(10ull * 1000 * 1000 * 1000)

/* One run of the demo, with a correct or with a misbehaving importer. */
struct demo_config {
	const char *name;
	bool misbehave;
	unsigned int gpus;
	uint64_t size;
	uint64_t seed;

	/* Ends after this many moves under a writer, or after a time if that is set. */
	uint64_t moves;
	uint64_t seconds;

	/* Seconds after which the moves will not be reached any more. */
	uint64_t limit;
};

/*
 * A lane that its owner holds still while the next GPU copies it and computes
 * its checksum. Only the owner turns IDLE to OFFERED and DONE to IDLE, only
 * the checker OFFERED to DONE; the members belong to whoever may do that next.
 */
enum demo_offer_state {
	DEMO_OFFER_IDLE,
	DEMO_OFFER_OFFERED,
	DEMO_OFFER_DONE,
};

struct demo_offer {
	atomic_uint state;
	unsigned int buffer;
	unsigned int lane;
	uint64_t tag;
};

enum demo_gpu_phase {
	DEMO_GPU_STARTING,
	DEMO_GPU_READY,
	DEMO_GPU_DONE,
};

/* What the process of one GPU tells the others. */
struct demo_gpu_board {
	atomic_uint phase;
	atomic_ullong words_verified;
	atomic_ullong words_stale;
	struct demo_offer offer;

	/* Valid once the phase is DONE: what it left in each lane, zero if nothing. */
	uint64_t last[DEMO_BUFFERS][DEMO_LANES + 1];

	/* Why the process gave up, and the first word that was not as it should be. */
	char error[160];
	char first_stale[240];
};

/* Shared by all processes of a run. */
struct demo_board {
	atomic_bool stop;
	struct demo_gpu_board gpu[DEMO_MAX_GPUS];
};

/* What a run has shown. */
struct demo_result {
	double seconds;
	uint64_t moves;
	uint64_t kinds[STORM_KINDS];

	/*
	 * Of the exporter: moves under a pending fence; of these, moves between
	 * whose end and the next move of the buffer it saw a stale write; and
	 * all words of such writes.
	 */
	uint64_t moves_busy;
	uint64_t moves_caught;
	uint64_t quarantine_words;

	/* Of the GPUs. */
	uint64_t invalidations;
	uint64_t jobs;
	uint64_t bytes_written;

	/* Of those who looked at the data. */
	uint64_t words_verified;
	uint64_t words_stale;
	char first_stale[240];
};

/*
 * demo_lane.c: who writes where
 */
size_t demo_lane_size(const struct demo_config *config);
size_t demo_lane_offset(const struct demo_config *config, unsigned int gpu, unsigned int lane);
size_t demo_checksum_offset(const struct demo_config *config, unsigned int gpu);
void demo_lane_job(const struct demo_config *config, struct vshare_job *job, uint64_t va,
		   uint64_t tag, uint64_t delay);
size_t demo_lane_verify(const struct demo_config *config, const void *map, size_t offset,
			uint64_t tag, char *text, size_t len);
uint64_t demo_lane_checksum(const struct demo_config *config, uint64_t tag);

/*
 * demo_gpu.c: the process of one GPU. Returns its exit status.
 */
int demo_gpu_main(const struct demo_config *config, struct demo_board *board, unsigned int gpu,
		  int sock);

/*
 * demo_workers.c: these processes, seen from the one that owns the exporter.
 * Functions that return bool return false having complained.
 */
struct demo_worker {
	pid_t pid;
	int sock;
};

struct demo_workers {
	const struct demo_config *config;
	struct demo_board *board;
	struct demo_worker worker[DEMO_MAX_GPUS];
};

bool demo_workers_start(struct demo_workers *workers, const struct demo_config *config);

/* Waits until all have imported their buffers. */
bool demo_workers_wait(struct demo_workers *workers);

/* False if one has ended badly; *left counts those that go on. */
bool demo_workers_check(struct demo_workers *workers, unsigned int *left);

/* Returns when all have ended; those that do not are killed. */
bool demo_workers_stop(struct demo_workers *workers);

/*
 * demo_run.c: the process that owns the exporter. Returns false, having
 * complained, if the run did not come to its end.
 */
bool demo_run(const struct demo_config *config, struct demo_result *result);

#endif /* _DEMO_H_ */
