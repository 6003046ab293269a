/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _BENCH_H_
#define _BENCH_H_

#include <stdbool.h>
#include <stdint.h>

#include "vshare.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define KIB			1024ull
#define MIB			(1024 * KIB)

/*
 * harness.c: how often, in what order, and what comes out
 */

/* What one thing took, round by round, in nanoseconds. */
struct series {
	double *ns;
	unsigned int count;
	unsigned int room;
};

struct bench {
	unsigned int warmup;
	unsigned int rounds;
	/* Sizes that show only that it works. */
	bool quick;
	/* What is measured now is thrown away. */
	bool warming;
};

/* Measures once what is compared with its neighbours. Zero or a negative errno. */
typedef int (*bench_step)(struct bench *bench, void *context);

double clock_ns(void);

/* Let workers finish what the last step has left them, so that the next does not pay. */
void settle(void);

void series_add(struct bench *bench, struct series *series, double ns);
void series_free(struct series *series);
double series_median(const struct series *series);

/* Half of the distance between the quartiles, as a part of the median. */
double series_spread(const struct series *series);

/* Median, over the rounds, of a / (b + c); c may be NULL. */
double series_ratio(const struct series *a, const struct series *b, const struct series *c);

/* Each round does all steps with their contexts, one after the other: A B A B. */
int bench_run(struct bench *bench, const bench_step *steps, void *const *contexts,
	      unsigned int count);

/* Prints "vshare-bench: ..." and what a negative errno means; returns it. */
int fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * report.c: a line for each figure
 */

enum bound { BOUND_NONE, BOUND_AT_MOST, BOUND_AT_LEAST };

struct figure {
	/* What was done, and which part of it this is. */
	char name[48];
	uint64_t size;
	unsigned int importers;
	double ns;
	double spread;
	/* How it compares; NULL if with nothing. */
	const char *against;
	double ratio;
	enum bound bound;
	double limit;
};

void report_group(const char *title);
struct figure *report_add(const struct series *series, uint64_t size, unsigned int importers,
			  const char *format, ...) __attribute__((format(printf, 4, 5)));
void report_ratio(struct figure *figure, double ratio, const char *against, enum bound bound,
		  double limit);
/* A number beside the time, instead of a ratio. */
void report_count(struct figure *figure, double count, enum bound bound, double limit);
void report_table(const struct bench *bench);
int report_json(const struct bench *bench, const char *path);

/*
 * buffer.c: a buffer of vexport that GPUs of vimport have mapped
 */

#define MAX_IMPORTERS	64

/* An attachment and an address space of its own. */
struct importer {
	uint32_t handle;
	uint32_t vm;
	uint32_t done;
	struct vshare_job *job;
};

struct buffer {
	int exporter;
	int gpu;
	int dmabuf;
	uint64_t size;
	unsigned int count;
	struct importer importers[MAX_IMPORTERS];
};

int buffer_open(struct buffer *buffer, uint64_t size, uint32_t placement, unsigned int importers);
void buffer_close(struct buffer *buffer);

/* Have each importer map the buffer where it is now, and do nothing else any more. */
int buffer_map(struct buffer *buffer);

/* Move it, or give it fresh pages if it is there. */
int buffer_move(struct buffer *buffer, uint32_t from, uint32_t to);
int buffer_bring(struct buffer *buffer, uint32_t placement);

/* Of the exporter, zero without one. */
uint64_t vram_size(void);

/*
 * reference.c: the same work without a driver around it, and a look into a move
 */
struct reference {
	double copy;
	/* Pages of the system's, and a place in memory of a device. */
	double alloc;
	double place;
};

/* -ENODEV, said once, if the module vshare_bench is not loaded. */
int reference_measure(const struct buffer *src, const struct buffer *dst,
		      struct reference *reference);

/* Time of the copies in moves, from vexport's events. -ENODEV, said once, without tracefs. */
int trace_open(void);
void trace_close(void);
int trace_clear(void);
int trace_copy(double *ns);

/*
 * What can be measured
 */
int bench_move(struct bench *bench);
int bench_importers(struct bench *bench);
int bench_quarantine(struct bench *bench);
int bench_share(struct bench *bench);
int bench_job(struct bench *bench);
int bench_userptr(struct bench *bench);

/* The second part of that, elsewhere.c. */
int bench_elsewhere(struct bench *bench);

#endif /* _BENCH_H_ */
