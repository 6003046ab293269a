// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/syscall.h>

#include "igt.h"
#include "igt_userptr.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Buffers that are memory of a process: what they can be made of, who may use "
		     "them, and that they pin nothing.");

#define SIZE			(256ull << 10)
#define PAGE			4096ull
#define HUGE			(2ull << 20)
#define MAX_SIZE		(4ull << 30)
#define MAX_RANGES		131072

static void expect(struct vshare_session *s, struct drm_vimport_userptr args, int err)
{
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_USERPTR, &args, err);
}

static void write_and_read(struct vshare_session *s)
{
	void *untouched = userptr_alloc(PAGE);
	struct userptr u;
	uint64_t hash;

	/* Memory that the CPU has not touched, and that it has. */
	userptr_init(&u, s->gpu[0], userptr_alloc(SIZE), SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 1), 0);
	igt_assert(userptr_holds(u.mem, SIZE, 1));
	/* Not by way of the page of zeroes, which others have as well. */
	igt_assert(userptr_holds(untouched, PAGE, 0));
	munmap(untouched, PAGE);
	for (size_t i = 0; i < SIZE / sizeof(*u.mem); i++)
		u.mem[i] = i;
	igt_assert_eq(userptr_read(&u, &hash), 0);
	igt_assert_eq_u64(hash, userptr_hash(u.mem, SIZE));
	munmap(u.mem, SIZE);
	userptr_fini(&u);
}

/*
 * Two huge pages that begin, seen from the buffer, anywhere. The kernel may have them side
 * by side in one of the two orders, in which it would not matter where the first one ends.
 */
static void huge_pages_in_order(struct vshare_session *s, bool upwards)
{
	char *map = userptr_alloc(3 * HUGE), *huge = (char *)ALIGN((uintptr_t)map, HUGE);
	size_t skip = 3 * PAGE, size = 2 * HUGE - skip - 5 * PAGE;
	struct userptr u;
	uint64_t hash;

	madvise(huge, 2 * HUGE, MADV_HUGEPAGE);
	memset(upwards ? huge : huge + HUGE, 0, HUGE);
	memset(upwards ? huge + HUGE : huge, 0, HUGE);
	userptr_init(&u, s->gpu[0], huge + skip, size, 0);
	for (size_t i = 0; i < size / sizeof(*u.mem); i++)
		u.mem[i] = i;
	igt_assert_eq(userptr_read(&u, &hash), 0);
	igt_assert_eq_u64(hash, userptr_hash(u.mem, size));
	igt_assert_eq(userptr_fill(&u, 1), 0);
	igt_assert(userptr_holds(huge, skip, 0));
	igt_assert(userptr_holds(u.mem, size, 1));
	igt_assert(userptr_holds(huge + skip + size, 5 * PAGE, 0));
	munmap(map, 3 * HUGE);
	userptr_fini(&u);
}

static void huge_pages(struct vshare_session *s)
{
	huge_pages_in_order(s, true);
	huge_pages_in_order(s, false);
}

static void bad_input(struct vshare_session *s)
{
	struct drm_vimport_userptr args = {
		.addr = to_user_pointer(userptr_alloc(SIZE)),
		.size = SIZE,
	}, bad;

	bad = args;
	bad.size = 0;
	expect(s, bad, EINVAL);
	bad.size = SIZE - 1;
	expect(s, bad, EINVAL);
	bad.size = PAGE / 2;
	expect(s, bad, EINVAL);
	bad = args;
	bad.addr += 8;
	expect(s, bad, EINVAL);
	bad = args;
	bad.flags = 1 << 2;
	expect(s, bad, EINVAL);
	bad.flags = 1u << 31;
	expect(s, bad, EINVAL);
	bad = args;
	bad.size = MAX_SIZE + PAGE;
	expect(s, bad, E2BIG);

	/* Of the kernel, in the hole between the two, and around the end. */
	bad = args;
	bad.addr = 0xffffffff81000000;
	expect(s, bad, EFAULT);
	bad.addr = 1ull << 63;
	expect(s, bad, EFAULT);
	bad.addr = 1ull << 60;
	expect(s, bad, EFAULT);
	bad.addr = -PAGE;
	expect(s, bad, EFAULT);
	bad.addr = PAGE;
	bad.size = -PAGE;
	expect(s, bad, EFAULT);
	munmap(from_user_pointer(args.addr), SIZE);
}

static void unmapped(struct vshare_session *s)
{
	void *mem = userptr_alloc(SIZE), *again;
	/* Now, or it would get the addresses that are given up below. */
	uint64_t *elsewhere = userptr_alloc(SIZE);
	struct drm_vimport_userptr args = {
		.addr = to_user_pointer(mem),
		.size = SIZE,
		.flags = DRM_VIMPORT_USERPTR_PROBE,
	};
	struct vimport_job job = {};
	struct userptr u, other;

	/* A hole in the middle is enough. */
	munmap(mem + SIZE / 2, PAGE);
	expect(s, args, EFAULT);
	munmap(mem, SIZE);
	expect(s, args, EFAULT);
	args.flags |= DRM_VIMPORT_USERPTR_READONLY;
	expect(s, args, EFAULT);

	/* Only who touches it gets to know, and others in the address space work. */
	userptr_init(&u, s->gpu[0], mem, SIZE, 0);
	other = u;
	other.va += SIZE;
	other.mem = elsewhere;
	other.handle = vimport_userptr(u.fd, other.mem, SIZE, 0);
	vimport_vm_map(u.fd, u.vm, other.handle, 0, other.va, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 1), -EFAULT);
	igt_assert_eq(userptr_fill(&other, 2), 0);
	igt_assert(userptr_holds(other.mem, SIZE, 2));
	vimport_job_copy(&job, other.va, u.va, PAGE);
	igt_assert_eq(vimport_wait(u.fd, vimport_submit(u.fd, u.vm, &job, 0)), -EFAULT);

	/* Nobody is told of a mapping that comes: it is looked for. */
	again = mmap(mem, SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	igt_assert(again == mem);
	igt_assert_eq(userptr_fill(&u, 3), 0);
	igt_assert(userptr_holds(mem, SIZE, 3));

	munmap(mem, SIZE);
	munmap(other.mem, SIZE);
	gem_close(u.fd, other.handle);
	userptr_fini(&u);
}

static void permissions(struct vshare_session *s)
{
	void *mem = userptr_alloc(SIZE);
	struct drm_vimport_userptr args = {
		.addr = to_user_pointer(mem),
		.size = SIZE,
		.flags = DRM_VIMPORT_USERPTR_PROBE,
	};
	struct userptr u;
	uint64_t hash;

	memset(mem, 0x11, SIZE);
	igt_assert_eq(mprotect(mem + SIZE / 2, SIZE / 2, PROT_READ), 0);
	expect(s, args, EFAULT);
	userptr_init(&u, s->gpu[0], mem, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 1), -EFAULT);
	igt_assert(userptr_holds(mem, SIZE, 0x1111111111111111));
	userptr_fini(&u);

	userptr_init(&u, s->gpu[0], mem, SIZE,
		     DRM_VIMPORT_USERPTR_PROBE | DRM_VIMPORT_USERPTR_READONLY);
	igt_assert_eq(userptr_read(&u, &hash), 0);
	igt_assert_eq_u64(hash, userptr_hash(mem, SIZE));
	userptr_fini(&u);

	igt_assert_eq(mprotect(mem, PAGE, PROT_NONE), 0);
	args.flags |= DRM_VIMPORT_USERPTR_READONLY;
	expect(s, args, EFAULT);
	munmap(mem, SIZE);
}

static void read_only(struct vshare_session *s)
{
	struct drm_vimport_vm_bind bind = {
		.op = DRM_VIMPORT_VM_BIND_OP_MAP,
		.size = SIZE,
	};
	struct userptr u;
	uint64_t hash;

	/* Memory that the CPU may write, and has. */
	userptr_init(&u, s->gpu[0], userptr_alloc(SIZE), SIZE, DRM_VIMPORT_USERPTR_READONLY);
	memset(u.mem, 0x22, SIZE);
	igt_assert_eq(userptr_fill(&u, 2), -EFAULT);
	igt_assert(userptr_holds(u.mem, SIZE, 0x2222222222222222));
	igt_assert_eq(userptr_read(&u, &hash), 0);
	igt_assert_eq_u64(hash, userptr_hash(u.mem, SIZE));

	/* Untouched: all of it is the page of zeroes, which everybody has. */
	igt_assert_eq(madvise(u.mem, SIZE, MADV_DONTNEED), 0);
	igt_assert_eq(userptr_read(&u, &hash), 0);
	igt_assert_eq_u64(hash, userptr_hash(u.mem, SIZE));
	igt_assert_eq(userptr_fill(&u, 1), -EFAULT);
	igt_assert(userptr_holds(u.mem, SIZE, 0));

	bind.vm_id = u.vm;
	bind.handle = u.handle;
	bind.va = u.va + SIZE;
	vshare_refused(s, u.fd, DRM_IOCTL_VIMPORT_VM_BIND, &bind, EINVAL);
	munmap(u.mem, SIZE);
	userptr_fini(&u);
}

static void device_memory(struct vshare_session *s)
{
	struct drm_vimport_userptr args = { .flags = DRM_VIMPORT_USERPTR_PROBE };
	struct vexport_bo bo;
	struct userptr u;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	bo.map[0] = 5;
	args.addr = to_user_pointer(bo.map);
	args.size = SIZE;
	expect(s, args, EFAULT);
	args.flags |= DRM_VIMPORT_USERPTR_READONLY;
	expect(s, args, EFAULT);
	userptr_init(&u, s->gpu[0], bo.map, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 1), -EFAULT);
	igt_assert_eq_u64(bo.map[0], 5);
	userptr_fini(&u);
	vexport_bo_fini(&bo);
}

/* The kernel itself has no mapping of this memory: whoever follows it anyway crashes. */
static void secret_memory(struct vshare_session *s)
{
	struct drm_vimport_userptr args = { .flags = DRM_VIMPORT_USERPTR_PROBE, .size = SIZE };
	int secret = syscall(SYS_memfd_secret, 0);
	struct userptr u;
	uint64_t *mem;

	igt_require_f(secret >= 0, "Needs memfd_secret()\n");
	igt_assert_eq(ftruncate(secret, SIZE), 0);
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, secret, 0);
	igt_assert(mem != MAP_FAILED);
	memset(mem, 0x33, SIZE);
	args.addr = to_user_pointer(mem);
	expect(s, args, EFAULT);
	userptr_init(&u, s->gpu[0], mem, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 1), -EFAULT);
	igt_assert(userptr_holds(mem, SIZE, 0x3333333333333333));
	userptr_fini(&u);
	munmap(mem, SIZE);
	close(secret);
}

static void not_exportable(struct vshare_session *s)
{
	struct drm_prime_handle args = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int fd = s->gpu[0];
	struct userptr u;

	userptr_init(&u, fd, userptr_alloc(SIZE), SIZE, DRM_VIMPORT_USERPTR_PROBE);
	args.handle = u.handle;
	vshare_refused(s, fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args, EPERM);
	/* No offset of the device file is a buffer of this kind. */
	for (uint64_t page = 0; page < 64; page++)
		igt_assert(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd,
				(0x100000 + page) * PAGE) == MAP_FAILED);
	munmap(u.mem, SIZE);
	userptr_fini(&u);
}

/* One page, many buffers: nothing says that they must not overlap. */
static void limit(struct vshare_session *s)
{
	void *mem = userptr_alloc(PAGE);
	struct drm_vimport_userptr args = { .addr = to_user_pointer(mem), .size = PAGE };
	struct timespec start = {};
	uint32_t first = 0;
	int fd = s->gpu[0];

	igt_require_f(access("/sys/kernel/debug/kmemleak", F_OK),
		      "Takes minutes on a kernel that keeps a record of every allocation\n");
	igt_nsec_elapsed(&start);
	for (unsigned int i = 0; i < MAX_RANGES; i++) {
		igt_assert_eq(__vimport_userptr(fd, &args), 0);
		first = first ?: args.handle;
	}
	igt_info("%u buffers in %" PRIu64 " ms\n", MAX_RANGES,
		 igt_nsec_elapsed(&start) / NSEC_PER_MSEC);
	expect(s, args, ENOSPC);
	gem_close(fd, first);
	igt_assert_eq(__vimport_userptr(fd, &args), 0);
	expect(s, args, ENOSPC);
	/* The limit is this file's. */
	fd = vimport_open(0);
	igt_assert_eq(__vimport_userptr(fd, &args), 0);
	close(fd);
	munmap(mem, PAGE);
}

static const struct vshare_subtest subtests[] = {
	{ "write-and-read", "What the GPU writes, the CPU reads, and the other way round.",
	  write_and_read },
	{ "huge-pages", "So they do if it is huge pages, the first and last of them in part.",
	  huge_pages },
	{ "bad-input", "Ranges that are no ranges of pages of a process are refused.", bad_input },
	{ "unmapped", "Where nothing is mapped is found out at once if asked for, else by who "
	  "touches it.", unmapped },
	{ "permissions", "What the process may not do, its GPU may not do for it.", permissions },
	{ "read-only", "A buffer that is read-only cannot be written, whatever the memory is.",
	  read_only },
	{ "device-memory", "Memory of a device that is mapped is not memory.", device_memory },
	{ "secret-memory", "Memory that is secret from the kernel is left alone.", secret_memory },
	{ "not-exportable", "Memory of a process cannot be shared as a dma-buf, nor mapped.",
	  not_exportable },
	{ "limit", "A file can have many buffers, but not any number.", limit },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
