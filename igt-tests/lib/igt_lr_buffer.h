/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_LR_BUFFER_H
#define IGT_LR_BUFFER_H

#include <stdint.h>

#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

/**
 * struct lr_buffer - a faulting address space with a buffer that moves, and a job for it
 */
struct lr_buffer {
	/** @s: The session. */
	struct vshare_session *s;

	/** @bo: The buffer. */
	struct vexport_bo bo;

	/** @lr: The address space. */
	struct vimport_lr lr;

	/** @job: A job to fill in. */
	struct vimport_job job;
};

void lr_buffer_init(struct lr_buffer *t, struct vshare_session *s, uint64_t size);
void lr_buffer_fini(struct lr_buffer *t);
void lr_buffer_wait_for(struct lr_buffer *t, unsigned int word, uint64_t value);
void lr_buffer_store(struct lr_buffer *t, unsigned int word, uint64_t value);
uint64_t lr_buffer_submit(struct lr_buffer *t);

#endif /* IGT_LR_BUFFER_H */
