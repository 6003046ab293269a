/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_GATE_H
#define IGT_GATE_H

#include <stdbool.h>
#include <stdint.h>

/* As much work as an address space of vimport may have outstanding, and less. */
#define GATE_JOBS		4

/* The work of several of them, for what a slow machine has to do before: twenty seconds. */
#define GATE_VMS		12
#define GATE_LONG		(GATE_VMS * GATE_JOBS)

/**
 * struct gate - work of a GPU that is not over before the test has seen what waits for it
 */
struct gate {
	/** @fd: The GPU's device file. */
	int fd;

	/** @vm: Address spaces that the jobs are in, one after the other. */
	uint32_t vm[GATE_VMS];

	/** @vms: How many they are. */
	unsigned int vms;

	/** @handle: The buffer that they are visible on, or zero. */
	uint32_t handle;

	/** @fence: sync_file of the last of them. */
	int fence;
};

void gate_close(struct gate *gate, int gpu, int dmabuf, uint64_t size, unsigned int jobs,
		uint32_t exec_flags);
bool gate_closed(const struct gate *gate);
uint32_t gate_syncobj(const struct gate *gate, int fd);
void gate_open(struct gate *gate);

#endif /* IGT_GATE_H */
