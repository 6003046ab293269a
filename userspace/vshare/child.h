/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _CHILD_H_
#define _CHILD_H_

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A program to run, and what to change for it. */
struct child {
	char **cmd;

	/* A descriptor that it inherits, or -1. */
	int keep;

	/* The dma-heap that vexport's stands in for, or NULL. */
	const char *as_heap;

	/* Its standard output is our standard error. */
	bool out_to_err;

	pid_t pid;

	/* What we wait for, and what the signals were before we blocked these. */
	sigset_t mask;
	sigset_t old_mask;
};

/*
 * Starts the program, and returns when it runs. Returns zero or, having complained,
 * what to exit with: enum run_status.
 */
int child_start(struct child *child);

/*
 * Waits until the deadline or a signal, which is passed on. Returns true when the
 * program has ended, with what waitpid(2) says of it.
 */
bool child_wait(struct child *child, uint64_t deadline, int *status);

#endif /* _CHILD_H_ */
