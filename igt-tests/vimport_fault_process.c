// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_lr_memory.h"
#include "igt_userptr.h"
#include "igt_vexport.h"
#include "igt_vexport_profile.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("GPU faults on memory that its process holds back, or leaves: one job waits, "
		     "and nobody for it, and in the end it ends.");

#define SIZE			(64ull << 10)
#define PAGE			4096ull
#define WORD			sizeof(uint64_t)

/* What it must not wait for does not come to an end before. */
#define AT_ONCE_NS		(20ull * NSEC_PER_SEC)

static void other_process(struct vshare_session *s)
{
	struct lr_memory t;
	int status;
	pid_t pid;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		vimport_job_delay(&t.job, 1);
		_exit(__vimport_lr_exec(t.lr.gpu.fd, t.lr.gpu.vm, &t.job, 0, 0) != -EPERM);
	}
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert_f(!status, "Another process could submit a job\n");
	lr_memory_expect_works(&t);
	lr_memory_fini(&t);
}

static int uffd_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	igt_require_f(fd >= 0, "Needs userfaultfd\n");
	do_ioctl(fd, UFFDIO_API, &api);
	return fd;
}

static int uffd_register(void *mem, size_t size)
{
	struct uffdio_register reg = {
		.range = { .start = to_user_pointer(mem), .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = uffd_open();

	do_ioctl(fd, UFFDIO_REGISTER, &reg);
	return fd;
}

static void uffd_expect(int fd)
{
	struct uffd_msg msg;

	/* Blocks until somebody has asked for a page. */
	igt_assert_eq(read(fd, &msg, sizeof(msg)), sizeof(msg));
	igt_assert_eq(msg.event, UFFD_EVENT_PAGEFAULT);
}

static void uffd_bring(int fd, void *page)
{
	struct uffdio_zeropage zero = {
		.range = { .start = to_user_pointer(page), .len = PAGE },
	};

	do_ioctl(fd, UFFDIO_ZEROPAGE, &zero);
}

static void run_fenced(struct lr_memory *t, unsigned int jobs)
{
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	profile_create(t->s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, PROFILE_SIZE, 0);
	while (jobs--)
		profile_use(t->s, &gpu, &bo);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

/* A page that userspace holds back: nobody waits for it but this one job. */
static void held_back(struct vshare_session *s)
{
	struct vimport_lr other;
	struct vimport_job job = {};
	struct timespec start = {};
	struct lr_memory t;
	uint64_t done;
	int uffd;

	lr_memory_init(&t, s, userptr_alloc(PAGE), PAGE, 0);
	uffd = uffd_register(t.mem, PAGE);
	lr_memory_fill(&t, WORD, WORD, 5);
	done = lr_memory_submit(&t);
	uffd_expect(uffd);
	run_fenced(&t, 2);
	/* Nor do other faulting address spaces. */
	vimport_lr_init(&other, s->exporter, 0, t.bo.dmabuf, LR_MEMORY_BO_SIZE, 0);
	vimport_job_fill(&job, other.gpu.va, LR_MEMORY_BO_SIZE, 6);
	vimport_lr_run(&other, &job);
	igt_nsec_elapsed(&start);
	vimport_lr_fini(&other);
	/* Nor binds of its own. */
	vimport_vm_unmap(t.lr.gpu.fd, t.lr.gpu.vm, t.lr.gpu.va, LR_MEMORY_BO_SIZE);
	vimport_vm_map(t.lr.gpu.fd, t.lr.gpu.vm, t.lr.gpu.handle, 0, t.lr.gpu.va,
		       LR_MEMORY_BO_SIZE, 0);
	igt_assert_lt_u64(igt_nsec_elapsed(&start), AT_ONCE_NS);
	igt_assert(!vimport_lr_done(&t.lr, done));
	uffd_bring(uffd, t.mem);
	igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
	igt_assert_eq_u64(t.mem[1], 5);
	igt_assert_eq_u64(t.mem[2], 0);
	close(uffd);
	lr_memory_fini(&t);
}

/* The mapping changes while the page is waited for. */
static void held_back_unbound(struct vshare_session *s)
{
	struct lr_memory t;
	uint64_t done;
	int uffd;

	lr_memory_init(&t, s, userptr_alloc(PAGE), PAGE, 0);
	uffd = uffd_register(t.mem, PAGE);
	lr_memory_fill(&t, 0, WORD, 5);
	done = lr_memory_submit(&t);
	uffd_expect(uffd);
	vimport_vm_unmap(t.lr.gpu.fd, t.lr.gpu.vm, LR_MEMORY_VA, PAGE);
	gem_close(t.lr.gpu.fd, t.handle);
	uffd_bring(uffd, t.mem);
	igt_assert_eq(vimport_lr_wait(&t.lr, done), -EFAULT);
	igt_assert_eq_u64(t.mem[0], 0);
	lr_memory_expect_works(&t);
	close(uffd);
	lr_memory_fini(&t);
}

static void held_back_destroyed(struct vshare_session *s)
{
	volatile struct drm_vimport_fence *fence;
	struct timespec start = {};
	struct lr_memory t;
	uint64_t done;
	int uffd;

	lr_memory_init(&t, s, userptr_alloc(PAGE), PAGE, 0);
	fence = vimport_lr_fence(&t.lr);
	uffd = uffd_register(t.mem, PAGE);
	lr_memory_fill(&t, 0, WORD, 5);
	done = lr_memory_submit(&t);
	uffd_expect(uffd);
	igt_nsec_elapsed(&start);
	vimport_vm_destroy(t.lr.gpu.fd, t.lr.gpu.vm);
	gem_close(t.lr.gpu.fd, t.handle);
	close(t.lr.gpu.fd);
	igt_assert_lt_u64(igt_nsec_elapsed(&start), AT_ONCE_NS);
	uffd_bring(uffd, t.mem);
	while (fence->value < done)
		usleep(1000);
	igt_assert_eq(fence->error, -ECANCELED);
	igt_assert_eq_u64(t.mem[0], 0);
	close(uffd);
	vexport_bo_fini(&t.lr.words);
	vexport_bo_fini(&t.bo);
	munmap(t.mem, t.size);
}

/* What a process is doing when it ends. */
enum leaving { WAITING, HELD_BACK, LEAVING };

/* Its memory is its own, its words are shared. */
static void child_starts(struct lr_memory *t, enum leaving how)
{
	struct vimport_gpu *gpu = &t->lr.gpu;

	t->mem = userptr_alloc(PAGE);
	t->size = PAGE;
	gpu->fd = vimport_open(0);
	gpu->vm = vimport_lr_vm_create(gpu->fd);
	vimport_vm_map(gpu->fd, gpu->vm, vimport_import(gpu->fd, t->lr.words.dmabuf, 0), 0,
		       t->lr.words_va, t->lr.words.size, 0);
	vimport_vm_map(gpu->fd, gpu->vm, vimport_userptr(gpu->fd, t->mem, PAGE, 0), 0, LR_MEMORY_VA,
		       PAGE, 0);
	if (how == WAITING) {
		lr_memory_fill(t, 0, PAGE, 1);
		lr_memory_pause(t);
		lr_memory_fill(t, 0, PAGE, 2);
		lr_memory_submit(t);
		vimport_lr_wait_word(&t->lr, LR_STARTED, 1);
	} else {
		int uffd = uffd_register(t->mem, PAGE);

		lr_memory_fill(t, 0, PAGE, 1);
		lr_memory_submit(t);
		uffd_expect(uffd);
	}
}

static void process_ends(struct vshare_session *s, bool killed)
{
	for (enum leaving how = 0; how < LEAVING; how++) {
		struct lr_memory *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		volatile struct drm_vimport_fence *fence;
		struct timespec since = {};
		struct vimport_lr mine;
		int status, ready[2];
		char byte;
		pid_t pid;

		igt_assert(t != MAP_FAILED);
		lr_memory_init(t, s, userptr_alloc(SIZE), SIZE, 0);
		mine = t->lr;
		fence = vimport_lr_fence(&mine);
		igt_assert_eq(pipe(ready), 0);
		pid = fork();
		igt_assert(pid >= 0);
		if (!pid) {
			child_starts(t, how);
			if (write(ready[1], "", 1) != 1)
				_exit(1);
			if (!killed)
				_exit(0);
			for (;;)
				pause();
		}
		igt_assert_eq(read(ready[0], &byte, 1), 1);
		if (killed)
			kill(pid, SIGKILL);
		igt_assert_eq(waitpid(pid, &status, 0), pid);
		while (fence->value < 1) {
			igt_assert(igt_nsec_elapsed(&since) < 30 * NSEC_PER_SEC);
			usleep(1000);
		}
		/* The memory may have gone before the file. */
		if (how == WAITING || fence->error != -EFAULT)
			igt_assert_eq(fence->error, -ECANCELED);
		close(ready[0]);
		close(ready[1]);
		t->lr = mine;
		vimport_lr_fini(&t->lr);
		vexport_bo_fini(&t->bo);
		munmap(t, sizeof(*t));
	}
}

static void exited(struct vshare_session *s)
{
	process_ends(s, false);
}

static void killed(struct vshare_session *s)
{
	process_ends(s, true);
}

/* The file stays open in the program that takes the process over; the memory is gone. */
static void execed(struct vshare_session *s)
{
	volatile struct drm_vimport_fence *fence;
	struct lr_memory t;
	int status, fd;
	uint64_t done;
	pid_t pid;

	lr_memory_init(&t, s, userptr_alloc(SIZE), SIZE, 0);
	fence = vimport_lr_fence(&t.lr);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		t.lr.value = 0;
		child_starts(&t, WAITING);
		fd = dup(t.lr.gpu.fd);
		fcntl(fd, F_SETFD, 0);
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	done = 1;
	vimport_lr_wait_word(&t.lr, LR_STARTED, 1);
	/* Until it is another program. */
	for (int i = 0; i < 10000; i++) {
		char path[40], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		file = fopen(path, "r");
		igt_assert(file && fgets(name, sizeof(name), file));
		fclose(file);
		if (!strcmp(name, "sleep\n"))
			break;
		usleep(1000);
	}
	igt_assert(fence->value < done);
	*vimport_lr_word(&t.lr, LR_GO) = 1;
	igt_assert_eq(vimport_lr_wait(&t.lr, done), -EFAULT);
	kill(pid, SIGKILL);
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSIGNALED(status));
	lr_memory_fini(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "other-process", "Who has not the memory submits no job.", other_process },
	{ "held-back", "A page that does not come holds up nobody else.", held_back },
	{ "held-back-unbound", "When it comes, the mapping has gone.", held_back_unbound },
	{ "held-back-destroyed", "When it comes, the address space has gone.",
	  held_back_destroyed },
	{ "exit", "Jobs end when their process does.", exited },
	{ "kill", "Jobs end when their process is killed.", killed },
	{ "exec", "Memory of a program that is no more is not stored to.", execed },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
