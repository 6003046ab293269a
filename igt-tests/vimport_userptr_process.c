// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_syncobj.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Memory belongs to a process and a device file to whoever has it: what "
		     "happens when processes share a file, become another program, end, or are killed.");

#define SIZE			(64ull << 10)
#define PAGE			4096ull

/* Jobs that are there first: no more than an address space may have, so that it is late. */
#define DELAY_NS		(480 * NSEC_PER_MSEC)
#define DELAYS			4

/* Exit statuses of a child. */
enum { FINE = 0, WRONG = 1 };

static uint64_t *alloc_shared(size_t size)
{
	uint64_t *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	igt_assert(mem != MAP_FAILED);
	return mem;
}

static int status_of(pid_t child)
{
	int status;

	igt_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

static void expect_fine(pid_t child)
{
	int status = status_of(child);

	igt_assert_f(WIFEXITED(status) && WEXITSTATUS(status) == FINE,
		     "The other process did not see what it should, status %#x\n", status);
}

/* The other process has the file, and even memory at the same addresses. */
static void other_process(struct vshare_session *s)
{
	struct vimport_job job = {};
	struct userptr u;
	pid_t child;

	userptr_init(&u, s->gpu[0], userptr_alloc(SIZE), SIZE, DRM_VIMPORT_USERPTR_PROBE);
	igt_assert_eq(userptr_fill(&u, 1), 0);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		vimport_job_fill(&job, u.va, SIZE, 2);
		if (__vimport_exec(u.fd, u.vm, &job, 0) != -EPERM)
			_exit(WRONG);
		/* Nor can it be had with less: any job of that address space could use it. */
		job = (struct vimport_job) {};
		vimport_job_delay(&job, 1);
		_exit(__vimport_exec(u.fd, u.vm, &job, 0) == -EPERM ? FINE : WRONG);
	}
	expect_fine(child);
	igt_assert(userptr_holds(u.mem, SIZE, 1));
	igt_assert_eq(userptr_fill(&u, 3), 0);
	igt_assert(userptr_holds(u.mem, SIZE, 3));

	/* An address space with nothing of that kind is anybody's who has the file. */
	vimport_vm_unmap(u.fd, u.vm, u.va, SIZE);
	child = fork();
	igt_assert(child >= 0);
	if (!child)
		_exit(__vimport_exec(u.fd, u.vm, &job, 0) == -EINVAL ? FINE : WRONG);
	expect_fine(child);
	vimport_job_delay(&job, 1);
	child = fork();
	igt_assert(child >= 0);
	if (!child)
		_exit(__vimport_exec(u.fd, u.vm, &job, 0) == 0 ? FINE : WRONG);
	expect_fine(child);
	munmap(u.mem, SIZE);
	userptr_fini(&u);
}

/* Two processes, one file: each has buffers of its own memory in it. */
static void shared_file(struct vshare_session *s)
{
	struct userptr u;
	pid_t child;

	userptr_init(&u, s->gpu[0], userptr_alloc(SIZE), SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 1), 0);
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		struct userptr mine;

		/* The very addresses at which the parent has a buffer. */
		userptr_init(&mine, u.fd, u.mem, SIZE, 0);
		if (userptr_fill(&mine, 2) || !userptr_holds(mine.mem, SIZE, 2))
			_exit(WRONG);
		_exit(FINE);
	}
	expect_fine(child);
	igt_assert(userptr_holds(u.mem, SIZE, 1));
	igt_assert_eq(userptr_fill(&u, 3), 0);
	igt_assert(userptr_holds(u.mem, SIZE, 3));
	munmap(u.mem, SIZE);
	userptr_fini(&u);
}

/*
 * A global name leads to a buffer from any file of the primary node, but not to memory of
 * whoever has made it.
 */
static void open_other(struct vshare_session *s)
{
	int fd = vshare_open_card("vimport"), other = vshare_open_card("vimport");
	struct drm_gem_flink flink = {};
	struct drm_gem_open open, again;
	struct userptr u;
	pid_t child;

	igt_require_f(fd >= 0 && other >= 0, "Needs a primary node of vimport\n");
	userptr_init(&u, fd, userptr_alloc(SIZE), SIZE, 0);
	flink.handle = u.handle;
	do_ioctl(fd, DRM_IOCTL_GEM_FLINK, &flink);
	open = (struct drm_gem_open) { .name = flink.name };
	again = open;
	vshare_refused(s, other, DRM_IOCTL_GEM_OPEN, &open, EPERM);
	child = fork();
	igt_assert(child >= 0);
	if (!child)
		_exit(ioctl(other, DRM_IOCTL_GEM_OPEN, &open) == -1 && errno == EPERM ? FINE :
		      WRONG);
	expect_fine(child);

	/* The file that has it may have it once more, and loses nothing by who was refused. */
	do_ioctl(fd, DRM_IOCTL_GEM_OPEN, &again);
	gem_close(fd, u.handle);
	close(other);
	igt_assert_eq(userptr_fill(&u, 1), 0);
	igt_assert(userptr_holds(u.mem, SIZE, 1));
	gem_close(fd, again.handle);
	vimport_vm_destroy(fd, u.vm);
	close(fd);
	munmap(u.mem, SIZE);
}

/* Who shares the file has the handle as well. What was mapped at these addresses stays. */
static void bind_other(struct vshare_session *s)
{
	void *shared[2] = { alloc_shared(SIZE), alloc_shared(SIZE) };
	struct drm_vimport_vm_bind bind;
	uint32_t handle;
	struct userptr u;
	pid_t child;

	userptr_init(&u, s->gpu[0], shared[0], SIZE, 0);
	handle = vimport_userptr(u.fd, shared[1], SIZE, 0);
	bind = (struct drm_vimport_vm_bind) {
		.vm_id = u.vm,
		.op = DRM_VIMPORT_VM_BIND_OP_MAP,
		.handle = handle,
		.va = u.va,
		.size = SIZE,
	};
	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		/* Nor without waiting, in an address space of its own, or only to read. */
		if (__vimport_vm_bind(u.fd, &bind) != -EPERM)
			_exit(WRONG);
		bind.flags = DRM_VIMPORT_VM_BIND_ASYNC;
		if (__vimport_vm_bind(u.fd, &bind) != -EPERM)
			_exit(WRONG);
		bind.flags = DRM_VIMPORT_VM_BIND_READONLY;
		bind.vm_id = vimport_vm_create(u.fd);
		if (__vimport_vm_bind(u.fd, &bind) != -EPERM)
			_exit(WRONG);
		vimport_vm_destroy(u.fd, bind.vm_id);
		_exit(FINE);
	}
	expect_fine(child);
	igt_assert_eq(userptr_fill(&u, 1), 0);
	igt_assert(userptr_holds(shared[0], SIZE, 1));
	igt_assert(userptr_holds(shared[1], SIZE, 0));
	/* It is no bad buffer. */
	igt_assert_eq(__vimport_vm_bind(u.fd, &bind), 0);
	igt_assert_eq(userptr_fill(&u, 2), 0);
	igt_assert(userptr_holds(shared[1], SIZE, 2));
	gem_close(u.fd, handle);
	userptr_fini(&u);
	for (int i = 0; i < 2; i++)
		munmap(shared[i], SIZE);
}

/*
 * A child that has a job under way, on memory that it shares with us, when @leave is
 * called. What the job writes is there when the child's memory has gone.
 */
static pid_t leave_busy(struct vshare_session *s, uint64_t *shared, void (*leave)(int fd),
			int ready)
{
	struct vimport_job job = {};
	struct userptr u;
	pid_t child;

	child = fork();
	igt_assert(child >= 0);
	if (child)
		return child;

	userptr_init(&u, s->gpu[0], shared, SIZE, 0);
	/* One that runs and some that wait. */
	vimport_job_delay(&job, DELAY_NS);
	for (int i = 0; i < DELAYS; i++)
		igt_assert_eq(__vimport_exec(u.fd, u.vm, &job, 0), 0);
	userptr_submit_fill(&u, 0, 7);
	if (*shared == 7)
		_exit(WRONG);
	leave(ready);
	_exit(WRONG);
}

static void leave_by_exit(int ready)
{
	_exit(FINE);
}

static void exit_busy(struct vshare_session *s)
{
	uint64_t *shared = alloc_shared(SIZE);

	expect_fine(leave_busy(s, shared, leave_by_exit, -1));
	igt_assert(userptr_holds(shared, SIZE, 7));
	munmap(shared, SIZE);
}

static void leave_by_waiting(int ready)
{
	igt_assert_eq(write(ready, "", 1), 1);
	for (;;)
		pause();
}

static void kill_busy(struct vshare_session *s)
{
	uint64_t *shared = alloc_shared(SIZE);
	int pipes[2], status;
	pid_t child;
	char byte;

	igt_assert_eq(pipe(pipes), 0);
	child = leave_busy(s, shared, leave_by_waiting, pipes[1]);
	igt_assert_eq(read(pipes[0], &byte, 1), 1);
	kill(child, SIGKILL);
	status = status_of(child);
	igt_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	igt_assert(userptr_holds(shared, SIZE, 7));
	close(pipes[0]);
	close(pipes[1]);
	munmap(shared, SIZE);
}

/* Descriptors that close on exec do so when the old memory has gone. */
static void leave_by_exec(int ready)
{
	execl("/bin/sleep", "sleep", "60", NULL);
}

static void exec_busy(struct vshare_session *s)
{
	uint64_t *shared = alloc_shared(SIZE);
	bool still_there, written;
	int pipes[2];
	pid_t child;
	char byte;

	igt_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	child = leave_busy(s, shared, leave_by_exec, -1);
	close(pipes[1]);
	igt_assert_eq(read(pipes[0], &byte, 1), 0);
	still_there = waitpid(child, NULL, WNOHANG) == 0;
	written = userptr_holds(shared, SIZE, 7);
	kill(child, SIGKILL);
	status_of(child);
	igt_assert_f(still_there, "The child did not become another program\n");
	igt_assert(written);
	close(pipes[0]);
	munmap(shared, SIZE);
}

/* The file outlives the memory, and with it a buffer of nothing, that nobody can use. */
static void owner_gone(struct vshare_session *s)
{
	struct vimport_job job = {};
	uint64_t *shared = alloc_shared(PAGE);
	struct userptr u = {};
	pid_t child;

	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		userptr_init(&u, s->gpu[0], userptr_alloc(SIZE), SIZE, 0);
		shared[0] = u.vm;
		shared[1] = u.va;
		_exit(userptr_fill(&u, 1) ? WRONG : FINE);
	}
	expect_fine(child);
	vimport_job_fill(&job, shared[1], SIZE, 2);
	igt_assert_eq(__vimport_exec(s->gpu[0], shared[0], &job, 0), -EPERM);
	vimport_vm_unmap(s->gpu[0], shared[0], shared[1], SIZE);
	igt_assert_eq(vimport_wait(s->gpu[0], vimport_submit(s->gpu[0], shared[0], &job, 0)),
		      -EFAULT);
	vimport_vm_destroy(s->gpu[0], shared[0]);
	munmap(shared, PAGE);
}

static uint64_t read_number(const char *path)
{
	unsigned long long number = 0;
	FILE *file = fopen(path, "r");

	igt_assert_f(file && fscanf(file, "%llu", &number) == 1, "%s: %m\n", path);
	fclose(file);
	return number;
}

#define CGROUP			"/sys/fs/cgroup"

static void charged(struct vshare_session *s)
{
	const unsigned int count = 4000;
	struct drm_vimport_userptr args = { .size = PAGE };
	char group[64], path[96];
	uint64_t before, after;
	FILE *procs;
	pid_t child;
	int fd;

	if (access(CGROUP "/cgroup.controllers", R_OK)) {
		mkdir(CGROUP, 0755);
		igt_require_f(!mount("none", CGROUP, "cgroup2", 0, NULL), "Needs cgroup2: %m\n");
	}
	procs = fopen(CGROUP "/cgroup.subtree_control", "w");
	igt_assert(procs);
	fputs("+memory", procs);
	igt_require_f(!fclose(procs), "Needs the memory controller: %m\n");
	snprintf(group, sizeof(group), CGROUP "/userptr%d", getpid());
	igt_assert_eq(mkdir(group, 0755), 0);

	child = fork();
	igt_assert(child >= 0);
	if (!child) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", group);
		procs = fopen(path, "w");
		igt_assert(procs && fprintf(procs, "%d\n", getpid()) > 0 && !fclose(procs));
		snprintf(path, sizeof(path), "%s/memory.current", group);
		fd = vimport_open(0);
		args.addr = to_user_pointer(userptr_alloc(PAGE));
		igt_assert_eq(__vimport_userptr(fd, &args), 0);
		before = read_number(path);
		for (unsigned int i = 0; i < count; i++)
			igt_assert_eq(__vimport_userptr(fd, &args), 0);
		after = read_number(path);
		igt_info("%u buffers are charged with %" PRIu64 " bytes each\n", count,
			 (after - before) / count);
		/* Less than what the structure of the notifier alone has. */
		_exit(after > before + count * 100ull ? FINE : WRONG);
	}
	expect_fine(child);
	/* What is left is freed by workers. */
	for (unsigned int i = 0; rmdir(group) && i < 100; i++)
		usleep(10000);
}

static const struct vshare_subtest subtests[] = {
	{ "other-process", "Who has the file, but not the memory, cannot use it.", other_process },
	{ "shared-file", "Processes that share a file each use memory of their own.", shared_file },
	{ "open-other", "No other file opens a buffer of memory by its global name.", open_other },
	{ "bind-other", "Who shares the file does not map a buffer of another's memory.",
	  bind_other },
	{ "exit-busy", "A process ends when the jobs that use its memory have ended.", exit_busy },
	{ "kill-busy", "The same if it is killed.", kill_busy },
	{ "exec-busy", "The same if it becomes another program.", exec_busy },
	{ "owner-gone", "What is left of a buffer without its memory can be tidied up.",
	  owner_gone },
	{ "charged", "What buffers cost the kernel is charged to the memory cgroup.", charged },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
