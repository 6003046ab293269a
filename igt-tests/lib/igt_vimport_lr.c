// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>
#include <time.h>

#include "igt.h"
#include "igt_vimport_lr.h"

#define WORDS_SIZE		4096u
#define WORDS_VA		(1ull << 30)

/* Longer than any job of these tests takes, also on a slow emulated CPU. */
#define WAIT_NS			(20ull * NSEC_PER_SEC)

uint32_t vimport_lr_vm_create(int fd)
{
	struct drm_vimport_vm_create create = { .flags = DRM_VIMPORT_VM_CREATE_FAULTING };

	igt_assert_eq(__vimport_vm_create(fd, &create), 0);
	igt_assert(create.vm_id);
	return create.vm_id;
}

/**
 * vimport_lr_init - open a GPU and map one buffer in a new, faulting address space
 * @lr: what to fill in
 * @exporter: device file of the exporter, for the fence's buffer
 * @index: which GPU, from zero
 * @dmabuf: the buffer
 * @size: its size
 * @import_flags: mask of DRM_VIMPORT_IMPORT_*
 */
void vimport_lr_init(struct vimport_lr *lr, int exporter, int index, int dmabuf, uint64_t size,
		     uint32_t import_flags)
{
	struct vimport_gpu *gpu = &lr->gpu;

	gpu->fd = vimport_open(index);
	gpu->va = 1ull << 20;
	gpu->size = size;
	gpu->vm = vimport_lr_vm_create(gpu->fd);
	gpu->handle = vimport_import(gpu->fd, dmabuf, import_flags);
	vimport_vm_map(gpu->fd, gpu->vm, gpu->handle, 0, gpu->va, size, 0);

	vexport_bo_init(&lr->words, exporter, WORDS_SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	memset(lr->words.map, 0, WORDS_SIZE);
	lr->words_va = WORDS_VA;
	lr->words_handle = vimport_import(gpu->fd, lr->words.dmabuf, 0);
	vimport_vm_map(gpu->fd, gpu->vm, lr->words_handle, 0, lr->words_va, WORDS_SIZE, 0);
	lr->value = 0;
}

void vimport_lr_fini(struct vimport_lr *lr)
{
	gem_close(lr->gpu.fd, lr->words_handle);
	vimport_gpu_fini(&lr->gpu);
	vexport_bo_fini(&lr->words);
}

/* The fence in memory that all jobs of vimport_lr_submit() store, for the CPU. */
volatile struct drm_vimport_fence *vimport_lr_fence(struct vimport_lr *lr)
{
	return (volatile struct drm_vimport_fence *)lr->words.map;
}

volatile uint64_t *vimport_lr_word(struct vimport_lr *lr, unsigned int word)
{
	igt_assert_lt(word, VIMPORT_LR_WORDS);
	return &lr->words.map[sizeof(struct drm_vimport_fence) / sizeof(uint64_t) + word];
}

uint64_t vimport_lr_word_va(struct vimport_lr *lr, unsigned int word)
{
	igt_assert_lt(word, VIMPORT_LR_WORDS);
	return lr->words_va + sizeof(struct drm_vimport_fence) + word * sizeof(uint64_t);
}

/**
 * __vimport_lr_exec - submit a job to a faulting address space
 * @fd: device file of the GPU
 * @vm: address space
 * @job: the job
 * @fence_va: where its fence goes
 * @fence_value: value of the fence
 *
 * Returns zero or -errno, as __vimport_job_exec() does.
 */
int __vimport_lr_exec(int fd, uint32_t vm, const struct vimport_job *job, uint64_t fence_va,
		      uint64_t fence_value)
{
	return __vimport_job_exec(fd, job, (struct drm_vimport_exec) {
		.vm_id = vm,
		.fence_va = fence_va,
		.fence_value = fence_value,
	});
}

/**
 * vimport_lr_submit - submit a job that stores the next fence value at its end
 * @lr: address space
 * @job: the job
 *
 * Returns the value, for vimport_lr_wait().
 */
uint64_t vimport_lr_submit(struct vimport_lr *lr, const struct vimport_job *job)
{
	int ret = __vimport_lr_exec(lr->gpu.fd, lr->gpu.vm, job, lr->words_va, ++lr->value);

	igt_assert_f(!ret, "Submitting a job failed: %s\n", strerror(-ret));
	return lr->value;
}

int __vimport_wait_fence(int fd, struct drm_vimport_wait_fence *wait)
{
	return ioctl(fd, DRM_IOCTL_VIMPORT_WAIT_FENCE, wait) ? -errno : 0;
}

/* So many nanoseconds from now. */
int64_t vimport_deadline(uint64_t ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec + ns;
}

/* Whether a job has ended, now. */
bool vimport_lr_done(struct vimport_lr *lr, uint64_t value)
{
	return vimport_lr_fence(lr)->value >= value;
}

/**
 * vimport_lr_wait - wait for a job
 * @lr: address space
 * @value: what vimport_lr_submit() returned
 *
 * Returns the error of the last job that has ended, which is this one, or a later one.
 */
int vimport_lr_wait(struct vimport_lr *lr, uint64_t value)
{
	struct drm_vimport_wait_fence wait = {
		.addr = to_user_pointer(lr->words.map),
		.value = value,
		.timeout_ns = vimport_deadline(WAIT_NS),
	};
	int ret;

	do {
		ret = __vimport_wait_fence(lr->gpu.fd, &wait);
	} while (ret == -EINTR);
	igt_assert_f(!ret, "A job did not end: %s\n", strerror(-ret));
	return wait.error;
}

void vimport_lr_run(struct vimport_lr *lr, const struct vimport_job *job)
{
	igt_assert_eq(vimport_lr_wait(lr, vimport_lr_submit(lr, job)), 0);
}

/* Wait until a job has stored a value to a word, or a larger one. */
void vimport_lr_wait_word(struct vimport_lr *lr, unsigned int word, uint64_t value)
{
	struct timespec since = {};

	while (*vimport_lr_word(lr, word) < value) {
		igt_assert_f(igt_nsec_elapsed(&since) < WAIT_NS,
			     "A job did not store a word in twenty seconds\n");
		usleep(500);
	}
}
