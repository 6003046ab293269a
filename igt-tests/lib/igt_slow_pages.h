/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_SLOW_PAGES_H
#define IGT_SLOW_PAGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vimport_job;

/**
 * struct slow_thread - a thread that is going to sleep in the kernel
 */
struct slow_thread {
	/** @thread: The thread. */
	pthread_t thread;

	/** @tid: Its number, or zero if it has not begun. */
	pid_t tid;

	/** @done: It is back. */
	bool done;

	/** @ret: Zero or -errno. */
	int ret;
};

/**
 * struct slow_pages - memory of a file, which whoever faults in has to wait for
 *
 * A hole is being punched into the file, which waits for a GPU that uses another mapping
 * of it. All but the first page are slow.
 */
struct slow_pages {
	/** @fd: Device file of the GPU; not owned. */
	int fd;

	/** @file: The file. */
	int file;

	/** @size: Its size. */
	size_t size;

	/** @other: The other mapping. */
	void *other;

	/** @vm: Address space that @other is mapped in. */
	uint32_t vm;

	/** @handle: What it is mapped as. */
	uint32_t handle;

	/** @puncher: Who makes the hole. */
	struct slow_thread puncher;
};

/**
 * struct slow_submit - a thread that submits one job
 */
struct slow_submit {
	/** @thread: The thread. */
	struct slow_thread thread;

	/** @fd: Device file of the GPU. */
	int fd;

	/** @vm: Address space. */
	uint32_t vm;

	/** @job: The job. */
	struct vimport_job *job;
};

void slow_pages_init(struct slow_pages *slow, int fd, void *at, size_t size);
void slow_pages_fini(struct slow_pages *slow);
void slow_pages_begin(struct slow_pages *slow);
void slow_pages_end(struct slow_pages *slow);

uint32_t slow_submit_begin(struct slow_submit *submit, int fd, uint32_t vm,
			   struct vimport_job *job);
void slow_submit_end(struct slow_submit *submit);

#endif /* IGT_SLOW_PAGES_H */
