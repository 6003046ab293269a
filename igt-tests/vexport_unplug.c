// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <linux/dma-heap.h>

#include "igt.h"
#include "igt_unplug.h"
#include "igt_vexport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The exporter's device goes away under its clients: they get -ENODEV, but no "
		     "signal, nothing hangs, and all is freed when they have closed their files.");

#define SIZE			(64u << 10)
#define WORDS			(SIZE / sizeof(uint64_t))
#define PAGE			4096u
#define HEAP			"/dev/dma_heap/vexport"
#define CYCLES			10
#define CHILDREN		3
#define RACE_NS			(20 * NSEC_PER_SEC)

/* How soon whatever does not hang is over, on a machine that is slow. */
#define SOON_NS			(30 * NSEC_PER_SEC)

/* Many steps of a storm. */
#define QUIET_US		(100 * USEC_PER_MSEC)

static void again_and_again(struct vshare_session *s)
{
	struct vexport_bo bo;
	int fd;

	close(s->exporter);
	for (int i = 0; i < CYCLES; i++) {
		unplug();
		plug();
		fd = vexport_open();
		vexport_bo_init(&bo, fd, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		vexport_move(fd, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
		vexport_bo_fini(&bo);
		close(fd);
	}
	s->exporter = vexport_open();
}

static void expect_no_device(int fd, unsigned long request, void *arg)
{
	errno = 0;
	igt_assert_f(ioctl(fd, request, arg) == -1 && errno == ENODEV,
		     "ioctl %#lx gave \"%s\", not \"No such device\"\n", request,
		     strerror(errno));
}

static void ioctls(struct vshare_session *s)
{
	struct drm_prime_handle prime = {};
	struct drm_gem_close gem_close = {};
	struct vexport_bo bo;
	uint64_t args[32] = {};

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	unplug();
	prime.handle = bo.handle;
	gem_close.handle = bo.handle;
	expect_no_device(s->exporter, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	prime.fd = bo.dmabuf;
	expect_no_device(s->exporter, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	expect_no_device(s->exporter, DRM_IOCTL_GEM_CLOSE, &gem_close);
	for (unsigned int nr = DRM_COMMAND_BASE; nr < DRM_COMMAND_END; nr++)
		expect_no_device(s->exporter, DRM_IOWR(nr, args), args);
	unplug_drop(&bo);
}

/* Nobody knows what happens to be in a mapping now, but it is there. */
static void expect_usable(uint64_t *map, uint64_t value)
{
	for (unsigned int i = 0; i < WORDS; i += PAGE / sizeof(*map) / 2) {
		igt_assert_f(vexport_touch(&map[i], false), "A read gave SIGBUS\n");
		igt_assert_f(vexport_touch(&map[i], true), "A write gave SIGBUS\n");
		WRITE_ONCE(map[i], value);
		igt_assert_eq_u64(READ_ONCE(map[i]), value);
	}
}

static void mmaps(struct vshare_session *s)
{
	struct vexport_bo bos[3];
	uint64_t *gem[3], *late;
	int status;

	for (uint32_t place = 0; place < 3; place++) {
		vexport_bo_init(&bos[place], s->exporter, SIZE, place, 0);
		gem[place] = vexport_gem_mmap(s->exporter, bos[place].handle, SIZE);
		memset(place & 1 ? gem[place] : bos[place].map, 0x55, SIZE);
	}
	unplug();
	for (uint32_t place = 0; place < 3; place++) {
		expect_usable(gem[place], place + 1);
		expect_usable(bos[place].map, place + 1);
		late = vexport_dmabuf_mmap(bos[place].dmabuf, SIZE);
		expect_usable(late, place + 1);
		munmap(late, SIZE);
	}
	/* One client's words must not turn up in another one's buffer. */
	for (uint32_t place = 0; place < 3; place++)
		igt_assert_eq_u64(READ_ONCE(gem[place][0]), place + 1);
	if (!fork()) {
		expect_usable(bos[0].map, 7);
		_exit(0);
	}
	igt_assert(wait(&status) > 0 && !status);

	for (uint32_t place = 0; place < 3; place++) {
		munmap(gem[place], SIZE);
		unplug_drop(&bos[place]);
	}
}

/* To touch a buffer that is revoked is an error only while there is a device. */
static void mmap_revoked(struct vshare_session *s)
{
	struct vexport_bo bo;

	for (uint32_t state = DRM_VEXPORT_REVOKE_TEMPORARY;
	     state <= DRM_VEXPORT_REVOKE_PERMANENT; state++) {
		vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		igt_assert_eq(vexport_revoke(s->exporter, bo.dmabuf, state, 0), 0);
		igt_assert(!vexport_touch(bo.map, false));
		unplug();
		expect_usable(bo.map, state);
		unplug_drop(&bo);
		plug();
		close(s->exporter);
		s->exporter = vexport_open();
	}
}

/* While the device still has users, for then it would keep what it took. */
static void mmap_many(struct vshare_session *s)
{
	const uint64_t size = 32 << 20;
	struct vexport_bo bo;
	uint64_t *map, before;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	unplug();
	before = unplug_free_memory();
	for (uint64_t i = 0; i < size / PAGE; i++) {
		map = vexport_dmabuf_mmap(bo.dmabuf, PAGE);
		WRITE_ONCE(map[0], i);
		munmap(map, PAGE);
	}
	igt_assert_lt_u64(before, unplug_free_memory() + size / 2);
	unplug_drop(&bo);
}

static void ptrace_sees(struct vshare_session *s)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t words[2], secret = 0x5ec4e7, value = 0xabcdef;
	struct vexport_bo bo;

	igt_assert_fd(mem);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (unsigned int i = 0; i < WORDS; i++)
		WRITE_ONCE(bo.map[i], secret);
	unplug();
	/* Before the first fault, and across the end of a page. */
	igt_assert_eq(pread(mem, words, sizeof(words), (uintptr_t)&bo.map[511]), sizeof(words));
	igt_assert_eq_u64(words[0] | words[1], 0);
	igt_assert_eq(pwrite(mem, &value, sizeof(value), (uintptr_t)&bo.map[3]), sizeof(value));
	igt_assert_eq_u64(READ_ONCE(bo.map[3]), value);
	WRITE_ONCE(bo.map[4], value + 1);
	igt_assert_eq(pread(mem, words, sizeof(words), (uintptr_t)&bo.map[3]), sizeof(words));
	igt_assert_eq_u64(words[0], value);
	igt_assert_eq_u64(words[1], value + 1);
	unplug_drop(&bo);
	close(mem);
}

static void heap(struct vshare_session *s)
{
	struct dma_heap_allocation_data alloc = { .len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	int fd = open(HEAP, O_RDONLY | O_CLOEXEC);
	uint64_t *map;

	igt_assert_fd(fd);
	do_ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &alloc);
	map = vexport_dmabuf_mmap(alloc.fd, SIZE);
	unplug();
	igt_assert_eq(open(HEAP, O_RDONLY | O_CLOEXEC), -1);
	expect_usable(map, 1);
	munmap(map, SIZE);
	close(alloc.fd);
	alloc = (struct dma_heap_allocation_data){ .len = SIZE };
	expect_no_device(fd, DMA_HEAP_IOCTL_ALLOC, &alloc);
	plug();
	/* The old file stays an old file. */
	expect_no_device(fd, DMA_HEAP_IOCTL_ALLOC, &alloc);
	close(fd);
}

static int open_table(int fd, const char *name)
{
	struct stat node;
	char path[96];

	igt_assert_eq(fstat(fd, &node), 0);
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/%s", minor(node.st_rdev), name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void files(struct vshare_session *s)
{
	static const char * const names[] = { "buffers", "attachments", "clients", "name" };
	int table[ARRAY_SIZE(names)], info;
	struct vexport_bo bo;
	char path[64], text[512];

	igt_require_f(!access("/sys/kernel/debug/dri", X_OK), "Needs debugfs, and root\n");
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", s->exporter);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		table[i] = open_table(s->exporter, names[i]);
		igt_assert_f(table[i] >= 0, "debugfs has no %s\n", names[i]);
		/* Not to its end: there would be more to read. */
		igt_assert_lt(0, read(table[i], text, 8));
	}
	info = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert_fd(info);
	unplug();
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		igt_assert_eq(read(table[i], text, sizeof(text)), -1);
		close(table[i]);
	}
	igt_assert_eq(open_table(s->exporter, "buffers"), -1);
	/* The file is still a file: there is just nothing of the driver's to tell. */
	igt_assert_lt(0, read(info, text, sizeof(text) - 1));
	igt_assert(!strstr(text, "drm-total"));
	close(info);
	unplug_drop(&bo);
}

static uint64_t storm_steps(int storm)
{
	struct drm_vexport_storm_counters now;

	igt_assert_eq(read(storm, &now, sizeof(now)), sizeof(now));
	return now.steps;
}

static void storm(struct vshare_session *s)
{
	struct drm_vexport_storm args = {
		.fd_count = 1,
		.kinds = DRM_VEXPORT_STORM_RELOCATE | DRM_VEXPORT_STORM_VRAM |
			 DRM_VEXPORT_STORM_TT,
		.rate = 1000,
	};
	struct timespec since = {};
	struct vexport_bo bo;
	uint64_t before;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	args.fds = to_user_pointer(&bo.dmabuf);
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	while (storm_steps(args.storm_fd) < 20)
		igt_assert_lt_u64(igt_nsec_elapsed(&since), SOON_NS);
	unplug();
	/* The step that was on its way may still have to be counted. */
	do {
		igt_assert_f(igt_nsec_elapsed(&since) < SOON_NS, "The storm goes on\n");
		before = storm_steps(args.storm_fd);
		usleep(QUIET_US);
	} while (storm_steps(args.storm_fd) != before);
	unplug_drop(&bo);
	plug();
	/* Neither a new device nor the last close of anything else wakes it up. */
	usleep(QUIET_US);
	igt_assert_eq_u64(storm_steps(args.storm_fd), before);
	close(args.storm_fd);
}

/* A revoke waits for somebody who will never let go: without a device it gives up. */
static void revoke_waits(struct vshare_session *s)
{
	int vgem = vshare_open_vgem(), status;
	struct drm_vexport_bo_query query;
	struct timespec since = {};
	struct vexport_bo bo;
	uint32_t handle;
	pid_t child;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	child = fork();
	if (!child) {
		struct drm_vexport_bo_revoke revoke = {
			.fd = bo.dmabuf,
			.state = DRM_VEXPORT_REVOKE_TEMPORARY,
			.timeout_nsec = INT64_MAX,
		};

		_exit(-__vexport_revoke(s->exporter, &revoke));
	}
	do {
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_lt_u64(igt_nsec_elapsed(&since), SOON_NS);
	} while (!query.revoked);
	/* It sleeps by now, or will soon: both have to end. */
	usleep(QUIET_US);
	igt_assert_eq(waitpid(child, &status, WNOHANG), 0);
	unplug();
	while (!waitpid(child, &status, WNOHANG)) {
		if (igt_nsec_elapsed(&since) > SOON_NS) {
			kill(child, SIGKILL);
			igt_assert_f(false, "The revoke still waits\n");
		}
		usleep(1000);
	}
	igt_assert(WIFEXITED(status));
	igt_assert_eq(WEXITSTATUS(status), ENODEV);
	gem_close(vgem, handle);
	close(vgem);
	unplug_drop(&bo);
}

/* A buffer of a device that is gone is none of the new device's. */
static void next_device(struct vshare_session *s)
{
	struct drm_vexport_bo_query query = {};
	struct vexport_bo old, bo;
	struct drm_vexport_info info;
	int fd;

	vexport_bo_init(&old, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	unplug();
	plug();
	fd = vexport_open();
	vexport_get_info(fd, &info);
	igt_assert_eq_u32(info.buffers, 0);
	query.fd = old.dmabuf;
	igt_assert_eq(__vexport_query(fd, &query), -EINVAL);
	vexport_bo_init(&bo, fd, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	WRITE_ONCE(bo.map[0], 1);
	expect_usable(old.map, 2);
	igt_assert_eq_u64(READ_ONCE(bo.map[0]), 1);
	vexport_bo_fini(&bo);
	close(fd);
	unplug_drop(&old);
}

/* Whatever fails, fails: the device may be gone by then. */
static void use_device(void)
{
	struct drm_vexport_gem_create create = { .size = SIZE };
	struct drm_prime_handle prime = { .flags = DRM_RDWR | DRM_CLOEXEC, .fd = -1 };
	struct drm_vexport_bo_move move = { .flags = DRM_VEXPORT_MOVE_ASYNC };
	int fd = __vexport_open();
	uint64_t *map;

	create.placement = rand() % 3;
	if (fd < 0 || __vexport_gem_create(fd, &create))
		goto out;
	prime.handle = create.handle;
	if (drmIoctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		goto out;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, prime.fd, 0);
	move.fd = prime.fd;
	for (int i = 0; map != MAP_FAILED && i < 8; i++) {
		vexport_touch(&map[i * PAGE / sizeof(*map)], i & 1);
		move.placement = rand() % 3;
		__vexport_move(fd, &move);
	}
	munmap(map, SIZE);
	close(prime.fd);
out:
	close(fd);
}

static void races(struct vshare_session *s)
{
	struct timespec since = {};
	pid_t children[CHILDREN];
	int status;

	close(s->exporter);
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		if (!children[i]) {
			srand(i);
			while (getppid() != 1)
				use_device();
			_exit(0);
		}
	}
	/* Where everything takes long there are fewer of them, each with more in it. */
	for (int i = 0; i < CYCLES && igt_nsec_elapsed(&since) < RACE_NS; i++) {
		usleep(20 * USEC_PER_MSEC);
		igt_assert(!waitpid(-1, &status, WNOHANG));
		unplug();
		usleep(rand() % 5000);
		plug();
	}
	for (int i = 0; i < CHILDREN; i++) {
		kill(children[i], SIGKILL);
		igt_assert_eq(waitpid(children[i], &status, 0), children[i]);
		igt_assert(WIFSIGNALED(status));
		igt_assert_eq(WTERMSIG(status), SIGKILL);
	}
	s->exporter = vexport_open();
}

static const struct vshare_subtest subtests[] = {
	{ "again-and-again", "A device that comes back is as good as new.", again_and_again },
	{ "ioctls", "Every ioctl gives -ENODEV.", ioctls },
	{ "mmap", "CPU mappings can be read and written, and show no other buffer.", mmaps },
	{ "mmap-revoked", "That is so for a buffer that was revoked, too.", mmap_revoked },
	{ "mmap-many", "Who maps a buffer again and again takes no memory by it.", mmap_many },
	{ "ptrace", "A debugger sees what the process sees.", ptrace_sees },
	{ "heap", "The heap's open file gives -ENODEV, its buffers can be touched.", heap },
	{ "files", "Files of debugfs end, and fdinfo tells no numbers.", files },
	{ "storm", "A storm is over, and can be closed.", storm },
	{ "revoke-waits", "Nobody waits any more for importers to let go.", revoke_waits },
	{ "next-device", "Another device has nothing to do with the first one's buffers.",
	  next_device },
	{ "races", "Clients may be anywhere when it happens.", races },
};

igt_main
{
	unplug_run_subtests(subtests, ARRAY_SIZE(subtests));
}
