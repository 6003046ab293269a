// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <pthread.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A buffer that is memory of the process is found by its address as long as it "
		     "has a handle, and no longer, whatever else is going on.");

#define PAGE			4096ull
#define PAGES			16
#define SIZE			(PAGES * PAGE)
#define MANY			100000
#define SOME			4000
#define RACE_NS			(2 * NSEC_PER_SEC)

static int find(int fd, const void *addr, uint64_t size, uint32_t flags, uint32_t *handle,
		uint64_t *offset)
{
	struct drm_vimport_userptr_find args = {
		.addr = to_user_pointer(addr),
		.size = size,
		.flags = flags,
	};
	int ret = __vimport_userptr_find(fd, &args);

	*handle = args.handle;
	*offset = args.offset;
	return ret;
}

static void expect_none(int fd, const void *addr, uint64_t size, uint32_t flags)
{
	uint64_t offset;
	uint32_t handle;

	igt_assert_eq(find(fd, addr, size, flags, &handle, &offset), -ENOENT);
}

/* Which buffer it is can be told from where it begins and from how much of it can be mapped. */
static void expect_found(int fd, const void *addr, uint64_t size, uint32_t flags,
			 const void *start, uint64_t whole)
{
	struct drm_vimport_vm_bind bind = {
		.vm_id = vimport_vm_create(fd),
		.flags = flags & DRM_VIMPORT_USERPTR_READONLY ? DRM_VIMPORT_VM_BIND_READONLY : 0,
		.va = 1ull << 30,
		.size = whole + PAGE,
	};
	uint64_t offset;

	igt_assert_eq(find(fd, addr, size, flags, &bind.handle, &offset), 0);
	igt_assert(bind.handle);
	igt_assert_eq_u64(offset, addr - start);
	igt_assert_eq(__vimport_vm_bind(fd, &bind), -EINVAL);
	bind.size = whole;
	igt_assert_eq(__vimport_vm_bind(fd, &bind), 0);
	gem_close(fd, bind.handle);
	vimport_vm_destroy(fd, bind.vm_id);
}

static void covers(struct vshare_session *s)
{
	void *mem = userptr_alloc(SIZE);
	int fd = s->gpu[0];
	uint32_t handle;

	expect_none(fd, mem, SIZE, 0);
	handle = vimport_userptr(fd, mem + PAGE, SIZE - 2 * PAGE, 0);
	expect_found(fd, mem + PAGE, SIZE - 2 * PAGE, 0, mem + PAGE, SIZE - 2 * PAGE);
	expect_found(fd, mem + PAGE, 1, 0, mem + PAGE, SIZE - 2 * PAGE);
	expect_found(fd, mem + SIZE - PAGE - 1, 1, 0, mem + PAGE, SIZE - 2 * PAGE);
	expect_found(fd, mem + 5 * PAGE + 3, 2 * PAGE, 0, mem + PAGE, SIZE - 2 * PAGE);
	/* One byte too early, too late, or too much. */
	expect_none(fd, mem + PAGE - 1, 1, 0);
	expect_none(fd, mem + SIZE - PAGE, 1, 0);
	expect_none(fd, mem + PAGE - 1, PAGE, 0);
	expect_none(fd, mem + SIZE - 2 * PAGE, PAGE + 1, 0);
	expect_none(fd, mem, SIZE, 0);
	/* Other files, and other GPUs, have buffers of their own. */
	if (s->gpus > 1)
		expect_none(s->gpu[1], mem + PAGE, 1, 0);
	fd = vimport_open(0);
	expect_none(fd, mem + PAGE, 1, 0);
	close(fd);
	gem_close(s->gpu[0], handle);
	expect_none(s->gpu[0], mem + PAGE, 1, 0);
	munmap(mem, SIZE);
}

static void bad_input(struct vshare_session *s)
{
	struct drm_vimport_userptr_find args = {
		.addr = to_user_pointer(userptr_alloc(SIZE)),
		.size = SIZE,
	}, bad;
	int fd = s->gpu[0];

	vimport_userptr(fd, from_user_pointer(args.addr), SIZE, 0);
	bad = args;
	bad.size = 0;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_USERPTR_FIND, &bad, EINVAL);
	bad.size = -PAGE;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_USERPTR_FIND, &bad, EINVAL);
	bad = args;
	bad.flags = DRM_VIMPORT_USERPTR_PROBE;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_USERPTR_FIND, &bad, EINVAL);
	bad.flags = 1u << 31;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_USERPTR_FIND, &bad, EINVAL);
	bad = args;
	bad.addr = 0;
	bad.size = ~0ull;
	vshare_refused(s, fd, DRM_IOCTL_VIMPORT_USERPTR_FIND, &bad, ENOENT);
	munmap(from_user_pointer(args.addr), SIZE);
}

static void which(struct vshare_session *s)
{
	void *mem = userptr_alloc(SIZE);
	const uint32_t readonly = DRM_VIMPORT_USERPTR_READONLY;
	uint32_t older, newer, small;
	int fd = s->gpu[0];

	/* Two of the same size: found with the lower address is the older one. */
	older = vimport_userptr(fd, mem, SIZE - PAGE, 0);
	newer = vimport_userptr(fd, mem + PAGE, SIZE - PAGE, 0);
	expect_found(fd, mem + 4 * PAGE, PAGE, 0, mem, SIZE - PAGE);
	small = vimport_userptr(fd, mem + 4 * PAGE, 2 * PAGE, 0);
	expect_found(fd, mem + 4 * PAGE, PAGE, 0, mem + 4 * PAGE, 2 * PAGE);
	expect_found(fd, mem + 5 * PAGE, 2 * PAGE, 0, mem, SIZE - PAGE);
	gem_close(fd, small);
	gem_close(fd, older);
	expect_found(fd, mem + 4 * PAGE, PAGE, 0, mem + PAGE, SIZE - PAGE);

	/* One that is read-only is no answer for who wants to write. */
	small = vimport_userptr(fd, mem + 4 * PAGE, 2 * PAGE, readonly);
	expect_found(fd, mem + 4 * PAGE, PAGE, 0, mem + PAGE, SIZE - PAGE);
	expect_found(fd, mem + 4 * PAGE, PAGE, readonly, mem + 4 * PAGE, 2 * PAGE);
	gem_close(fd, newer);
	expect_none(fd, mem + 4 * PAGE, PAGE, 0);
	gem_close(fd, small);
	expect_none(fd, mem + 4 * PAGE, PAGE, readonly);
	munmap(mem, SIZE);
}

/* What has been found is held, and found again for as long. */
static void held(struct vshare_session *s)
{
	uint32_t found, again;
	uint64_t offset;
	struct userptr u;
	int fd = s->gpu[0];

	userptr_init(&u, fd, userptr_alloc(SIZE), SIZE, 0);
	igt_assert_eq(find(fd, u.mem, SIZE, 0, &found, &offset), 0);
	igt_assert_neq_u32(found, u.handle);
	gem_close(fd, u.handle);
	igt_assert_eq(find(fd, u.mem, SIZE, 0, &again, &offset), 0);
	gem_close(fd, found);
	igt_assert_eq(userptr_fill(&u, 1), 0);
	vimport_vm_unmap(fd, u.vm, u.va, SIZE);
	vimport_vm_map(fd, u.vm, again, 0, u.va, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 2), 0);
	igt_assert(userptr_holds(u.mem, SIZE, 2));
	/* A mapping is no handle: the buffer lives, but has no name any more. */
	gem_close(fd, again);
	expect_none(fd, u.mem, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 3), 0);
	vimport_vm_destroy(fd, u.vm);
	munmap(u.mem, SIZE);
}

static void other_process(struct vshare_session *s)
{
	void *mem = userptr_alloc(SIZE);
	int fd = s->gpu[0], status;
	uint32_t handle = vimport_userptr(fd, mem, SIZE, 0), mine;
	uint64_t offset;
	pid_t child = fork();

	igt_assert(child >= 0);
	if (!child) {
		/* The parent's buffer is at these addresses, but not of this memory. */
		if (find(fd, mem, SIZE, 0, &mine, &offset) != -ENOENT)
			_exit(1);
		mine = vimport_userptr(fd, mem, PAGE, 0);
		_exit(find(fd, mem, PAGE, 0, &mine, &offset) ? 2 : 0);
	}
	igt_assert_eq(waitpid(child, &status, 0), child);
	igt_assert_eq(status, 0);
	/* The child's is smaller, and would be the better answer. */
	expect_found(fd, mem, PAGE, 0, mem, SIZE);
	gem_close(fd, handle);
	expect_none(fd, mem, PAGE, 0);
	munmap(mem, SIZE);
}

static void find_of(struct vshare_session *s, unsigned int count)
{
	void *mem = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct drm_vimport_info before, after;
	struct timespec start = {};
	int fd = s->gpu[0];

	igt_assert(mem != MAP_FAILED);
	vimport_get_info(fd, &before);
	igt_nsec_elapsed(&start);
	for (unsigned int i = 0; i < count; i++)
		vimport_userptr(fd, mem + i * PAGE, PAGE, 0);
	vimport_get_info(fd, &after);
	igt_assert_eq_u32(after.userptrs - before.userptrs, count);
	igt_info("Made %u in %" PRIu64 " ms\n", count, igt_nsec_elapsed(&start) / NSEC_PER_MSEC);
	for (unsigned int i = 0; i < count; i += count / 50)
		expect_found(fd, mem + i * PAGE, PAGE, 0, mem + i * PAGE, PAGE);
	expect_none(fd, mem + PAGE - 1, 2, 0);

	start = (struct timespec) {};
	igt_nsec_elapsed(&start);
	munmap(mem, count * PAGE);
	igt_info("Unmapped in %" PRIu64 " ms\n", igt_nsec_elapsed(&start) / NSEC_PER_MSEC);
	expect_found(fd, mem, PAGE, 0, mem, PAGE);
}

static void many(struct vshare_session *s)
{
	igt_require_f(access("/sys/kernel/debug/kmemleak", F_OK),
		      "Takes minutes on a kernel that keeps a record of every allocation\n");
	find_of(s, MANY);
}

static void some(struct vshare_session *s)
{
	find_of(s, SOME);
}

struct unmapper {
	pthread_t thread;
	void *mem;
	bool done;
};

static void *unmap_thread(void *data)
{
	struct unmapper *unmapper = data;

	munmap(unmapper->mem, SIZE);
	WRITE_ONCE(unmapper->done, true);
	return NULL;
}

/*
 * While something is being unmapped, the kernel puts off what is registered and removed.
 * That is not to be seen.
 */
static void deferred(struct vshare_session *s)
{
	struct unmapper unmapper = { .mem = userptr_alloc(SIZE) };
	struct vimport_job job = {};
	void *mem = userptr_alloc(SIZE);
	uint32_t handle, closed;
	int fd = s->gpu[0];
	struct gate gate;
	struct userptr u;

	igt_require_f(s->gpus > 1, "Needs two GPUs\n");
	userptr_init(&u, fd, unmapper.mem, SIZE, 0);
	gate_close(&gate, 1, -1, 0, GATE_LONG, 0);
	closed = gate_syncobj(&gate, fd);
	vimport_job_sync(&job, closed, 0, 0);
	vimport_job_fill(&job, u.va, u.size, 1);
	igt_assert_eq(__vimport_exec(fd, u.vm, &job, 0), 0);
	igt_assert_eq(pthread_create(&unmapper.thread, NULL, unmap_thread, &unmapper), 0);
	usleep(50 * USEC_PER_MSEC);

	for (int i = 0; i < 3; i++) {
		handle = vimport_userptr(fd, mem, SIZE, 0);
		expect_found(fd, mem, SIZE, 0, mem, SIZE);
		gem_close(fd, handle);
		expect_none(fd, mem, SIZE, 0);
	}
	igt_assert_f(!READ_ONCE(unmapper.done), "This machine is too slow to tell anything\n");
	gate_open(&gate);
	syncobj_destroy(fd, closed);
	pthread_join(unmapper.thread, NULL);
	munmap(mem, SIZE);
	userptr_fini(&u);
}

struct seeker {
	pthread_t thread;
	int fd;
	void *mem;
	bool stop;
	unsigned int tries;
	unsigned int hits;
};

/* Finds, and lets go of what it has found. */
static void *seek_thread(void *data)
{
	struct seeker *seeker = data;
	uint64_t offset;
	uint32_t handle;

	while (!READ_ONCE(seeker->stop)) {
		if (!find(seeker->fd, seeker->mem, SIZE, 0, &handle, &offset)) {
			__atomic_add_fetch(&seeker->hits, 1, __ATOMIC_SEQ_CST);
			gem_close(seeker->fd, handle);
		}
		__atomic_add_fetch(&seeker->tries, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/*
 * The only handle is closed while somebody finds the buffer. If it is not to be found when
 * that is over, nobody has found it, or will.
 */
static void against_close(struct vshare_session *s)
{
	struct seeker seeker = { .fd = s->gpu[0], .mem = userptr_alloc(SIZE) };
	unsigned int rounds, gone = 0, tries, hits;
	struct timespec start = {};
	uint64_t offset;
	uint32_t handle;

	igt_assert_eq(pthread_create(&seeker.thread, NULL, seek_thread, &seeker), 0);
	igt_nsec_elapsed(&start);
	/* Until both have happened: who seeks may not have got a turn at the right moment. */
	for (rounds = 0; igt_nsec_elapsed(&start) < RACE_NS || !gone ||
	     !__atomic_load_n(&seeker.hits, __ATOMIC_SEQ_CST); rounds++) {
		handle = vimport_userptr(seeker.fd, seeker.mem, SIZE, 0);
		if (rounds % 2)
			usleep(rounds % 100);
		gem_close(seeker.fd, handle);
		if (!find(seeker.fd, seeker.mem, SIZE, 0, &handle, &offset)) {
			gem_close(seeker.fd, handle);
			continue;
		}
		hits = __atomic_load_n(&seeker.hits, __ATOMIC_SEQ_CST);
		tries = __atomic_load_n(&seeker.tries, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&seeker.tries, __ATOMIC_SEQ_CST) - tries < 2)
			sched_yield();
		igt_assert_eq_u32(__atomic_load_n(&seeker.hits, __ATOMIC_SEQ_CST), hits);
		gone++;
	}
	seeker.stop = true;
	pthread_join(seeker.thread, NULL);
	igt_info("%u rounds, gone after %u, found by the other %u times\n", rounds, gone,
		 seeker.hits);
	munmap(seeker.mem, SIZE);
}

static const struct vshare_subtest subtests[] = {
	{ "covers", "What is found covers all of the range, and is of this file.", covers },
	{ "bad-input", "Ranges that are none are refused.", bad_input },
	{ "which", "Of several the smallest is found, and of these the oldest.", which },
	{ "held", "What has been found stays until it is closed.", held },
	{ "other-process", "Nobody finds a buffer of another process's memory.", other_process },
	{ "some", "A process can have a few thousand of them.", some },
	{ "many", "A process can have a hundred thousand of them.", many },
	{ "deferred", "The order of the program is the order of what is found, also during an "
	  "invalidation.", deferred },
	{ "against-close", "A buffer is found or gone, for all threads alike.", against_close },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
