/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _PROBE_H_
#define _PROBE_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd.h"

/* How long the buffer's allocator may take, and whoever is to be told of a move. */
#define PROBE_ALLOC_NS		(30 * NSEC_PER_SEC)
/* How long after the move command, unless somebody wants another time. */
#define PROBE_PATIENCE		2
#define PROBE_FENCE_NS		(10 * NSEC_PER_SEC)

#define PROBE_PAGE		4096ull

/* What is looked at, in the order of the report; the table in probe_report.c says more. */
enum probe_rule {
	PROBE_SIZE,
	PROBE_ERRNO,
	PROBE_P2P_FLAG,
	PROBE_ALIGNED,
	PROBE_WHOLE,
	PROBE_FRESH,
	PROBE_OWN,
	PROBE_REACH,
	PROBE_STATIC_READY,
	PROBE_PIN_READY,
	PROBE_DATA,
	PROBE_TOLD,
	PROBE_NEW_PLACE,
	PROBE_FENCE_ENDS,
	PROBE_MOVED_DATA,
	PROBE_PIN_HOLDS,
	PROBE_PIN_BALANCE,
	PROBE_STATIC_PINS,
	PROBE_STATIC_BALANCE,
	PROBE_LOCKS,
	PROBE_RULES,
};

/* In the order of their weight: what is found later does not take back what was worse. */
enum probe_result {
	PROBE_UNTESTED,
	PROBE_HELD,
	PROBE_BROKEN,
};

struct probe_finding {
	enum probe_result result;
	char detail[160];
};

/* Where the buffer comes from, and what moves it. */
struct probe_source {
	/* What the command line says; one of the first three. */
	uint64_t fd;
	bool has_fd;
	uint64_t pid;
	const char *alloc_cmd;
	const char *from;
	uint64_t size;
	const char *move_cmd;
	uint64_t patience;

	/* The program that holds the buffer, and its standard input, or zero and -1. */
	pid_t holder;
	int hold;

	/* The device that moves it, or -1. */
	int mover;
};

struct probe {
	struct probe_source source;

	/* On behalf of which device, or NULL for the GPU itself. */
	const char *as;

	int gpu;
	int dmabuf;
	uint64_t size;
	char exporter[64];

	/* The exporter has operations to pin and unpin. */
	bool dynamic;

	/* A move was seen, so that one that does not happen means something. */
	bool moves;

	/* Whether anybody could attach and map, as a static and as a dynamic importer. */
	bool mapped;

	struct probe_finding finding[PROBE_RULES];
};

/* The entries of an sg table. */
struct probe_table {
	struct drm_vimport_raw_segment *segments;
	uint32_t count;
};

/*
 * probe_source.c
 */

/* Gets the buffer. False, having complained. */
bool probe_source_open(struct probe *probe);
void probe_source_close(struct probe *probe);

/* Can it be moved at all? And have it moved: false if whoever was asked to says no. */
bool probe_source_moves(const struct probe *probe);
bool probe_source_move(struct probe *probe);

/*
 * probe_raw.c: operations, the results of which are checked for what all must keep
 */

/* Returns the attachment, or zero if the exporter refuses it; that is noted. */
uint32_t probe_attach(struct probe *probe, uint32_t flags, const char *device);
void probe_detach(struct probe *probe, uint32_t id);

/* One operation; false if the exporter refuses it. args is filled in. */
bool probe_op(struct probe *probe, uint32_t id, uint32_t op, uint32_t flags,
	      struct drm_vimport_raw *args);

/* Maps, and checks the table; it is to be freed, if it is wanted. */
bool probe_map(struct probe *probe, uint32_t id, uint32_t flags, struct drm_vimport_raw *args,
	       struct probe_table *table);
void probe_table_free(struct probe_table *table);
bool probe_table_same(const struct probe_table *one, const struct probe_table *other);

/*
 * probe_rules.c and probe_move.c: the rules, without a move and with one
 */
void probe_rest(struct probe *probe);
void probe_moves(struct probe *probe);

/*
 * probe_data.c: what the GPU and a CPU see of each other
 */
void probe_data(struct probe *probe, enum probe_rule rule);

/*
 * probe_report.c
 */
void probe_say(struct probe *probe, enum probe_rule rule, enum probe_result result,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Prints all of it, and returns what to exit with. */
int probe_report(const struct probe *probe, bool json);

#endif /* _PROBE_H_ */
