/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_LR_MEMORY_H
#define IGT_LR_MEMORY_H

#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

#define LR_MEMORY_VA		(1ull << 32)
#define LR_MEMORY_BO_SIZE	(256ull << 10)

/* Words that a job is paused with. */
enum { LR_STARTED, LR_GO };

/**
 * struct lr_memory - a faulting address space with memory of this process
 */
struct lr_memory {
	/** @s: The session. */
	struct vshare_session *s;

	/** @bo: A buffer that moves, in it as well. */
	struct vexport_bo bo;

	/** @lr: The address space. */
	struct vimport_lr lr;

	/** @mem: The memory, at LR_MEMORY_VA. */
	uint64_t *mem;

	/** @size: Its size. */
	size_t size;

	/** @handle: The buffer that it is. */
	uint32_t handle;

	/** @job: A job to fill in. */
	struct vimport_job job;
};

void lr_memory_init(struct lr_memory *t, struct vshare_session *s, void *mem, size_t size,
		    uint32_t flags);
void lr_memory_fini(struct lr_memory *t);
void lr_memory_fill(struct lr_memory *t, size_t offset, size_t size, uint64_t value);
void lr_memory_pause(struct lr_memory *t);
uint64_t lr_memory_submit(struct lr_memory *t);
int lr_memory_run(struct lr_memory *t);
void lr_memory_expect_works(struct lr_memory *t);

#endif /* IGT_LR_MEMORY_H */
