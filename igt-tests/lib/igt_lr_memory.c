// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_lr_memory.h"
#include "igt_userptr.h"

/**
 * lr_memory_init - make a faulting address space with memory and a buffer
 * @t: what to fill in
 * @s: the session
 * @mem: the memory
 * @size: its size
 * @flags: mask of DRM_VIMPORT_USERPTR_*
 */
void lr_memory_init(struct lr_memory *t, struct vshare_session *s, void *mem, size_t size,
		    uint32_t flags)
{
	*t = (struct lr_memory) { .s = s, .mem = mem, .size = size };
	vexport_bo_init(&t->bo, s->exporter, LR_MEMORY_BO_SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	vimport_lr_init(&t->lr, s->exporter, 0, t->bo.dmabuf, LR_MEMORY_BO_SIZE, 0);
	t->handle = vimport_userptr(t->lr.gpu.fd, mem, size, flags);
	vimport_vm_map(t->lr.gpu.fd, t->lr.gpu.vm, t->handle, 0, LR_MEMORY_VA, size,
		       flags & DRM_VIMPORT_USERPTR_READONLY ? DRM_VIMPORT_VM_BIND_READONLY : 0);
}

/* Undoes lr_memory_init(), and unmaps the memory. */
void lr_memory_fini(struct lr_memory *t)
{
	vimport_lr_fini(&t->lr);
	vexport_bo_fini(&t->bo);
	munmap(t->mem, t->size);
}

void lr_memory_fill(struct lr_memory *t, size_t offset, size_t size, uint64_t value)
{
	vimport_job_fill(&t->job, LR_MEMORY_VA + offset, size, value);
}

/* The job says that it has come this far, and waits until it is told to go on. */
void lr_memory_pause(struct lr_memory *t)
{
	*vimport_lr_word(&t->lr, LR_STARTED) = 0;
	*vimport_lr_word(&t->lr, LR_GO) = 0;
	vimport_job_fill(&t->job, vimport_lr_word_va(&t->lr, LR_STARTED), sizeof(uint64_t), 1);
	vimport_job_wait(&t->job, vimport_lr_word_va(&t->lr, LR_GO), 1);
}

uint64_t lr_memory_submit(struct lr_memory *t)
{
	uint64_t value = vimport_lr_submit(&t->lr, &t->job);

	t->job = (struct vimport_job) {};
	return value;
}

int lr_memory_run(struct lr_memory *t)
{
	return vimport_lr_wait(&t->lr, lr_memory_submit(t));
}

/* Whatever has happened, the address space is as good as it was. */
void lr_memory_expect_works(struct lr_memory *t)
{
	vimport_job_fill(&t->job, t->lr.gpu.va, LR_MEMORY_BO_SIZE, 42);
	igt_assert_eq(lr_memory_run(t), 0);
	igt_assert(userptr_holds(t->bo.map, LR_MEMORY_BO_SIZE, 42));
}
