// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_lr_buffer.h"

/**
 * lr_buffer_init - make a faulting address space of the first GPU with a buffer
 * @t: what to fill in
 * @s: the session
 * @size: size of the buffer
 */
void lr_buffer_init(struct lr_buffer *t, struct vshare_session *s, uint64_t size)
{
	*t = (struct lr_buffer) { .s = s };
	vexport_bo_init(&t->bo, s->exporter, size, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	vimport_lr_init(&t->lr, s->exporter, 0, t->bo.dmabuf, size, 0);
}

void lr_buffer_fini(struct lr_buffer *t)
{
	vimport_lr_fini(&t->lr);
	vexport_bo_fini(&t->bo);
}

/* The job waits until a word behind the fence is that large. */
void lr_buffer_wait_for(struct lr_buffer *t, unsigned int word, uint64_t value)
{
	vimport_job_wait(&t->job, vimport_lr_word_va(&t->lr, word), value);
}

/* The job stores to a word behind the fence. */
void lr_buffer_store(struct lr_buffer *t, unsigned int word, uint64_t value)
{
	vimport_job_fill(&t->job, vimport_lr_word_va(&t->lr, word), sizeof(uint64_t), value);
}

/**
 * lr_buffer_submit - submit the job, and begin an empty one
 * @t: address space and job
 *
 * Returns the value, for vimport_lr_wait().
 */
uint64_t lr_buffer_submit(struct lr_buffer *t)
{
	uint64_t value = vimport_lr_submit(&t->lr, &t->job);

	t->job = (struct vimport_job) {};
	return value;
}
