/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_USERPTR_H
#define IGT_USERPTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct userptr - memory of this process that a GPU has mapped
 */
struct userptr {
	/** @fd: Device file of the GPU, the session's. */
	int fd;

	/** @vm: Address space. */
	uint32_t vm;

	/** @handle: The buffer. */
	uint32_t handle;

	/** @mem: The memory. */
	uint64_t *mem;

	/** @size: Its size. */
	size_t size;

	/** @va: Where it is for the GPU. */
	uint64_t va;
};

/**
 * struct held_pages - pages that nobody else gets, though they are not mapped any more
 */
struct held_pages {
	/** @pipe: What they are in. */
	int pipe[2];
};

void held_pages_init(struct held_pages *held, void *mem, size_t size);
void held_pages_fini(struct held_pages *held);

void *userptr_alloc(size_t size);
void userptr_init(struct userptr *u, int fd, void *mem, size_t size, uint32_t flags);
void userptr_fini(struct userptr *u);
int userptr_fill(const struct userptr *u, uint64_t value);
uint32_t userptr_submit_fill(const struct userptr *u, uint64_t delay_ns, uint64_t value);
int userptr_read(const struct userptr *u, uint64_t *hash);
uint64_t userptr_hash(const uint64_t *mem, size_t size);
bool userptr_holds(const void *mem, size_t size, uint64_t value);

#endif /* IGT_USERPTR_H */
