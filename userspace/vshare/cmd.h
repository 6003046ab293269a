/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _CMD_H_
#define _CMD_H_

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vshare.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define NSEC_PER_SEC	1000000000ull
#define NSEC_PER_MSEC	1000000ull

/* What the command exits with; run has more of its own, see the manual. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_BAD = 1,
	EXIT_USAGE = 2,
};

/* One word after "vshare". */
struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *summary;
};

int verb_list(int argc, char **argv);
int verb_query(int argc, char **argv);
int verb_move(int argc, char **argv);
int verb_verdict(int argc, char **argv);
int verb_revoke(int argc, char **argv);
int verb_storm(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_demo(int argc, char **argv);
int verb_probe(int argc, char **argv);

/* Prints how to use a verb to stderr; returns EXIT_USAGE. */
int usage(const char *verb);

/* Prints "vshare: ..." and, for an error other than zero, what it means. */
void complain(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Opens a device; if that fails says what to do, and returns a negative errno. */
int open_device(const char *driver, unsigned int nth);

/* Say what to do if vshare_device_list() or _open() returned this for a driver. */
void complain_no_device(const char *driver, int error);

/* Time that never goes back. */
uint64_t now_ns(void);

/* Numbers on the command line. A size may end in K, M or G. False, having complained. */
bool parse_number(const char *option, const char *text, uint64_t min, uint64_t max,
		  uint64_t *value);
bool parse_size(const char *option, const char *text, uint64_t *value);

/* Names of placements and kinds of moves. */
const char *placement_name(uint32_t placement);
bool parse_placement(const char *option, const char *text, uint32_t *placement);

/*
 * out.c: a tree of named values, printed as JSON or for people.
 */
struct out_level {
	const char *name;
	unsigned int count;
	bool array;
};

struct out {
	FILE *file;
	bool json;
	unsigned int depth;
	struct out_level level[5];
};

void out_init(struct out *out, FILE *file, bool json);
void out_object(struct out *out, const char *name);
void out_array(struct out *out, const char *name);
void out_end(struct out *out);
void out_u64(struct out *out, const char *name, uint64_t value);
void out_real(struct out *out, const char *name, double value);
void out_bool(struct out *out, const char *name, bool value);
void out_string(struct out *out, const char *name, const char *value);

/* The names of the bits of a mask: an array, or a list for people. */
void out_mask(struct out *out, const char *name, uint64_t mask,
	      const char *(*name_of)(unsigned int bit));

#endif /* _CMD_H_ */
