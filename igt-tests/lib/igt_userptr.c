// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/uio.h>

#include "igt.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

/* Not zero, so that an address that got lost is not taken for a good one. */
#define GPU_VA			(1ull << 30)

/**
 * held_pages_init - hold the pages that memory has now
 * @held: what to fill in
 * @mem: the memory, which has been touched
 * @size: its size
 *
 * Or what comes in their place may be the same pages, and a write to the old ones would seem
 * to be one to the new ones.
 */
void held_pages_init(struct held_pages *held, void *mem, size_t size)
{
	struct iovec iov = { .iov_base = mem, .iov_len = size };

	igt_assert_eq(pipe2(held->pipe, O_CLOEXEC), 0);
	igt_assert_lte((int)size, fcntl(held->pipe[1], F_SETPIPE_SZ, (int)size));
	igt_assert_eq(vmsplice(held->pipe[1], &iov, 1, SPLICE_F_NONBLOCK), (ssize_t)size);
}

void held_pages_fini(struct held_pages *held)
{
	close(held->pipe[0]);
	close(held->pipe[1]);
}

/**
 * userptr_alloc - anonymous memory of this process
 * @size: its size
 */
void *userptr_alloc(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	igt_assert(mem != MAP_FAILED);
	return mem;
}

/**
 * userptr_init - make a buffer of memory, in an address space of its own
 * @u: what to fill in
 * @fd: device file of the GPU
 * @mem: the memory
 * @size: its size
 * @flags: mask of DRM_VIMPORT_USERPTR_*
 */
void userptr_init(struct userptr *u, int fd, void *mem, size_t size, uint32_t flags)
{
	u->fd = fd;
	u->mem = mem;
	u->size = size;
	u->va = GPU_VA;
	u->vm = vimport_vm_create(fd);
	u->handle = vimport_userptr(fd, mem, size, flags);
	vimport_vm_map(fd, u->vm, u->handle, 0, u->va, size,
		       flags & DRM_VIMPORT_USERPTR_READONLY ? DRM_VIMPORT_VM_BIND_READONLY : 0);
}

/**
 * userptr_fini - undo userptr_init(), but for the memory
 * @u: the buffer
 */
void userptr_fini(struct userptr *u)
{
	vimport_vm_destroy(u->fd, u->vm);
	gem_close(u->fd, u->handle);
	memset(u, 0, sizeof(*u));
}

/**
 * userptr_submit_fill - have the GPU fill the memory
 * @u: the buffer
 * @delay_ns: for how long the job does nothing before
 * @value: what every word is to be
 *
 * Returns a syncobj for vimport_wait().
 */
uint32_t userptr_submit_fill(const struct userptr *u, uint64_t delay_ns, uint64_t value)
{
	struct vimport_job job = {};

	if (delay_ns)
		vimport_job_delay(&job, delay_ns);
	vimport_job_fill(&job, u->va, u->size, value);
	return vimport_submit(u->fd, u->vm, &job, 0);
}

/**
 * userptr_fill - have the GPU fill the memory, and wait for it
 * @u: the buffer
 * @value: what every word is to be
 *
 * Returns what the job's fence says.
 */
int userptr_fill(const struct userptr *u, uint64_t value)
{
	return vimport_wait(u->fd, userptr_submit_fill(u, 0, value));
}

/**
 * userptr_read - have the GPU read the memory
 * @u: the buffer
 * @hash: what it makes of it
 *
 * Returns what the job's fence says.
 */
int userptr_read(const struct userptr *u, uint64_t *hash)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	const uint64_t va = u->va + u->size + (1ull << 30);
	uint64_t *result = userptr_alloc(page);
	struct vimport_job job = {};
	uint32_t handle;
	int ret;

	handle = vimport_userptr(u->fd, result, page, 0);
	vimport_vm_map(u->fd, u->vm, handle, 0, va, page, 0);
	vimport_job_checksum(&job, va, u->va, u->size);
	ret = vimport_wait(u->fd, vimport_submit(u->fd, u->vm, &job, 0));
	*hash = *result;
	vimport_vm_unmap(u->fd, u->vm, va, page);
	gem_close(u->fd, handle);
	munmap(result, page);
	return ret;
}

/**
 * userptr_hash - what the GPU makes of memory
 * @mem: the memory
 * @size: its size
 */
uint64_t userptr_hash(const uint64_t *mem, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size / sizeof(*mem); i++)
		hash = (hash ^ mem[i]) * 0x100000001b3ull;
	return hash;
}

/**
 * userptr_holds - whether every word of memory is the same
 * @mem: the memory
 * @size: its size
 * @value: the word
 */
bool userptr_holds(const void *mem, size_t size, uint64_t value)
{
	const uint64_t *word = mem;

	for (size_t i = 0; i < size / sizeof(*word); i++) {
		if (word[i] == value)
			continue;
		igt_info("Word %zu is %#" PRIx64 ", not %#" PRIx64 "\n", i, word[i], value);
		return false;
	}
	return true;
}
