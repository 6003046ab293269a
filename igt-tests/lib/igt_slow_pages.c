// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/syscall.h>

#include "igt.h"
#include "igt_slow_pages.h"
#include "igt_syncobj.h"
#include "igt_vimport.h"

#define PAGE			4096ull
#define OTHER_VA		(1ull << 30)

/*
 * How long the pages are slow at most: what one address space may have to do. At the end
 * of it only the job that runs is waited for.
 */
#define JOBS			18
#define JOB_NS			(100 * NSEC_PER_MSEC)

/*
 * Has it begun to sleep where no signal wakes it? Nothing is allocated here: if that had to
 * map memory, it would wait for who looks pages up.
 */
static bool is_stuck(pid_t tid)
{
	char path[64], stat[256], *state;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert_fd(fd);
	len = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	igt_assert_lt(0, len);
	stat[len] = 0;
	state = strrchr(stat, ')');
	igt_assert(state);
	return state[2] == 'D';
}

static void wait_until_stuck(const struct slow_thread *thread)
{
	while (!READ_ONCE(thread->tid) || !is_stuck(thread->tid)) {
		igt_assert_f(!READ_ONCE(thread->done),
			     "Nobody had to wait, or this machine is too slow to tell\n");
		usleep(500);
	}
}

static void slow_thread_end(struct slow_thread *thread)
{
	pthread_join(thread->thread, NULL);
}

/**
 * slow_pages_init - have a file mapped
 * @slow: what to fill in
 * @fd: device file of the GPU
 * @at: where to map it, in place of what is there
 * @size: its size
 *
 * Who walks the mappings of a file comes to this one first, because it begins first in the
 * file: what is done to it is done when slow_pages_begin() returns.
 */
void slow_pages_init(struct slow_pages *slow, int fd, void *at, size_t size)
{
	memset(slow, 0, sizeof(*slow));
	slow->fd = fd;
	slow->size = size;
	slow->file = memfd_create("slow_pages", MFD_CLOEXEC);
	igt_assert_fd(slow->file);
	igt_assert_eq(ftruncate(slow->file, size), 0);
	igt_assert(mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, slow->file,
			0) == at);
	slow->other = mmap(NULL, size - PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, slow->file,
			   PAGE);
	igt_assert(slow->other != MAP_FAILED);
	slow->vm = vimport_vm_create(fd);
	slow->handle = vimport_userptr(fd, slow->other, size - PAGE, 0);
	vimport_vm_map(fd, slow->vm, slow->handle, 0, OTHER_VA, size - PAGE, 0);
}

/* Of the mapping that it was given nothing is undone. */
void slow_pages_fini(struct slow_pages *slow)
{
	if (slow->vm)
		vimport_vm_destroy(slow->fd, slow->vm);
	gem_close(slow->fd, slow->handle);
	munmap(slow->other, slow->size - PAGE);
	close(slow->file);
}

static void *punch(void *data)
{
	struct slow_pages *slow = data;

	WRITE_ONCE(slow->puncher.tid, syscall(SYS_gettid));
	slow->puncher.ret = fallocate(slow->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
				      slow->size - PAGE) ? -errno : 0;
	WRITE_ONCE(slow->puncher.done, true);
	return NULL;
}

/**
 * slow_pages_begin - have whoever faults a page in wait
 * @slow: the pages
 *
 * No job uses them. On return nothing of the file is mapped any more but its first page.
 */
void slow_pages_begin(struct slow_pages *slow)
{
	struct vimport_job job = {};

	vimport_job_delay(&job, JOB_NS);
	for (int i = 0; i < JOBS; i++)
		igt_assert_eq(__vimport_exec(slow->fd, slow->vm, &job, 0), 0);
	igt_assert_eq(pthread_create(&slow->puncher.thread, NULL, punch, slow), 0);
	wait_until_stuck(&slow->puncher);
}

/**
 * slow_pages_end - the test has done what it wanted to do meanwhile
 * @slow: the pages, which are like others from now on
 */
void slow_pages_end(struct slow_pages *slow)
{
	igt_assert_f(!READ_ONCE(slow->puncher.done), "This machine is too slow to tell anything\n");
	vimport_vm_destroy(slow->fd, slow->vm);
	slow->vm = 0;
	slow_thread_end(&slow->puncher);
	igt_assert_eq(slow->puncher.ret, 0);
}

static void *submit(void *data)
{
	struct slow_submit *submit = data;

	WRITE_ONCE(submit->thread.tid, syscall(SYS_gettid));
	submit->thread.ret = __vimport_exec(submit->fd, submit->vm, submit->job, 0);
	WRITE_ONCE(submit->thread.done, true);
	return NULL;
}

/**
 * slow_submit_begin - have a thread submit a job that has to wait for slow pages
 * @thread: what to fill in
 * @fd: device file of the GPU
 * @vm: address space
 * @job: the job; a syncobj is added to it
 *
 * Returns, when the thread waits, the syncobj for vimport_wait().
 */
uint32_t slow_submit_begin(struct slow_submit *thread, int fd, uint32_t vm,
			   struct vimport_job *job)
{
	uint32_t done = syncobj_create(fd, 0);

	*thread = (struct slow_submit) { .fd = fd, .vm = vm, .job = job };
	vimport_job_sync(job, done, 0, DRM_VIMPORT_SYNC_SIGNAL);
	igt_assert_eq(pthread_create(&thread->thread.thread, NULL, submit, thread), 0);
	wait_until_stuck(&thread->thread);
	return done;
}

/**
 * slow_submit_end - wait until the job is submitted
 * @thread: the thread
 */
void slow_submit_end(struct slow_submit *thread)
{
	slow_thread_end(&thread->thread);
	/* The driver does not try for ever. */
	igt_assert_f(thread->thread.ret != -EBUSY, "This machine is too slow to tell anything\n");
	igt_assert_eq(thread->thread.ret, 0);
}
