/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VIMPORT_LR_H
#define IGT_VIMPORT_LR_H

#include <stdbool.h>
#include <stdint.h>

#include "igt_vexport.h"
#include "igt_vimport.h"

/* Words that jobs may wait for, or store to, behind the fence. */
#define VIMPORT_LR_WORDS	8

/**
 * struct vimport_lr - a faulting address space that has one buffer mapped
 */
struct vimport_lr {
	/** @gpu: The GPU, the address space, and the buffer in it. */
	struct vimport_gpu gpu;

	/** @words: A second buffer: a fence in memory, and words. */
	struct vexport_bo words;

	/** @words_handle: Its handle. */
	uint32_t words_handle;

	/** @words_va: Its address. */
	uint64_t words_va;

	/** @value: Fence value of the last job that was submitted. */
	uint64_t value;
};

void vimport_lr_init(struct vimport_lr *lr, int exporter, int index, int dmabuf, uint64_t size,
		     uint32_t import_flags);
void vimport_lr_fini(struct vimport_lr *lr);
uint32_t vimport_lr_vm_create(int fd);

volatile struct drm_vimport_fence *vimport_lr_fence(struct vimport_lr *lr);
volatile uint64_t *vimport_lr_word(struct vimport_lr *lr, unsigned int word);
uint64_t vimport_lr_word_va(struct vimport_lr *lr, unsigned int word);

int __vimport_lr_exec(int fd, uint32_t vm, const struct vimport_job *job, uint64_t fence_va,
		      uint64_t fence_value);
uint64_t vimport_lr_submit(struct vimport_lr *lr, const struct vimport_job *job);
int __vimport_wait_fence(int fd, struct drm_vimport_wait_fence *wait);
int64_t vimport_deadline(uint64_t ns);
bool vimport_lr_done(struct vimport_lr *lr, uint64_t value);
int vimport_lr_wait(struct vimport_lr *lr, uint64_t value);
void vimport_lr_run(struct vimport_lr *lr, const struct vimport_job *job);
void vimport_lr_wait_word(struct vimport_lr *lr, unsigned int word, uint64_t value);

#endif /* IGT_VIMPORT_LR_H */
