// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>

#include "igt.h"
#include "igt_dumb.h"
#include "igt_foreign.h"
#include "igt_vexport.h"
#include "igt_vgem.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What IGT's own tests of vgem expect of vgem, and vexport_dumb does not say "
		     "yet, holds for vexport with dumb=1. The fences are vgem's, on vexport's "
		     "buffers: vexport lets nobody make fences.");

/* vgem lets go of a fence after ten seconds. */
#define EXPIRY_MS		60000

static void set_version(struct vshare_session *s)
{
	/* The interface of the core that a client wants, and any of the driver's. */
	drm_set_version_t version = {
		.drm_di_major = 1, .drm_di_minor = 4, .drm_dd_major = -1, .drm_dd_minor = -1,
	};
	int card = dumb_begin();

	do_ioctl(card, DRM_IOCTL_SET_VERSION, &version);
	igt_assert_eq(version.drm_di_major, 1);
	igt_assert_eq(version.drm_dd_major, 1);
	version.drm_di_major = 2;
	do_ioctl_err(card, DRM_IOCTL_SET_VERSION, &version, EINVAL);
	close(card);
}

static void second_client(struct vshare_session *s)
{
	int card = dumb_begin(), other = vshare_open_card("vexport"), render = vexport_open();
	struct drm_mode_create_dumb buffer = dumb_create(card, 64, 64, 32);
	struct drm_mode_map_dumb map = { .handle = buffer.handle };

	igt_assert_fd(other);
	/* A handle is one file's. */
	do_ioctl_err(other, DRM_IOCTL_MODE_MAP_DUMB, &map, ENOENT);
	close(other);
	close(render);
	munmap(dumb_map(card, &buffer), buffer.size);
	close(card);
}

/* Made at once, whatever the machine has; but not what it could never have. */
static void create_large(struct vshare_session *s)
{
	struct drm_mode_create_dumb args = { .width = 1 << 15, .height = 1 << 15, .bpp = 16 };
	struct drm_vexport_info info;
	struct sysinfo system;
	int card = dumb_begin();

	igt_assert_eq(sysinfo(&system), 0);
	if ((uint64_t)system.totalram * system.mem_unit < 1ull << 31) {
		vshare_refused(s, card, DRM_IOCTL_MODE_CREATE_DUMB, &args, ENOMEM);
	} else {
		do_ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &args);
		igt_assert_eq_u64(args.size, 1ull << 31);
		vexport_get_info(s->exporter, &info);
		igt_assert_eq_u32(info.storages, s->start.exporter.storages);
		dumb_destroy(card, args.handle);
	}
	close(card);
}

static bool is_busy(int dmabuf, bool for_writers)
{
	struct pollfd fd = { .fd = dmabuf, .events = for_writers ? POLLOUT : POLLIN };

	return !poll(&fd, 1, 0);
}

static void expect_busy(int dmabuf, bool readers, bool writers)
{
	igt_assert_eq(is_busy(dmabuf, false), readers);
	igt_assert_eq(is_busy(dmabuf, true), writers);
}

/* The buffer as vgem knows it, which it does only for as long as it is exported. */
static struct vgem_bo import(int vgem, int card, uint32_t handle)
{
	struct vgem_bo bo = {};
	int dmabuf = prime_handle_to_fd(card, handle);

	bo.handle = prime_fd_to_handle(vgem, dmabuf);
	close(dmabuf);
	return bo;
}

static void dmabuf_fence(struct vshare_session *s)
{
	int card = dumb_begin(), vgem = vshare_open_vgem(), dmabuf;
	struct drm_mode_create_dumb buffer = dumb_create(card, 1024, 1, 32);
	struct vgem_bo bo = import(vgem, card, buffer.handle);
	uint32_t fence;

	dmabuf = prime_handle_to_fd(card, buffer.handle);
	expect_busy(dmabuf, false, false);
	for (int write = 0; write < 2; write++) {
		fence = vgem_fence_attach(vgem, &bo, write ? VGEM_FENCE_WRITE : 0);
		expect_busy(dmabuf, write, true);
		vgem_fence_signal(vgem, fence);
		expect_busy(dmabuf, false, false);
	}
	close(dmabuf);
	gem_close(vgem, bo.handle);
	dumb_destroy(card, buffer.handle);
	close(vgem);
	close(card);
}

/* A fence is the buffer's: a dma-buf that is made later has it as well. */
static void dmabuf_fence_before(struct vshare_session *s)
{
	int card = dumb_begin(), vgem = vshare_open_vgem(), dmabuf;
	struct drm_mode_create_dumb buffer;
	struct vgem_bo bo;
	uint32_t fence;

	for (int write = 0; write < 2; write++) {
		buffer = dumb_create(card, 1024, 1, 32);
		bo = import(vgem, card, buffer.handle);
		fence = vgem_fence_attach(vgem, &bo, write ? VGEM_FENCE_WRITE : 0);
		gem_close(vgem, bo.handle);

		dmabuf = prime_handle_to_fd(card, buffer.handle);
		expect_busy(dmabuf, write, true);
		vgem_fence_signal(vgem, fence);
		expect_busy(dmabuf, false, false);
		close(dmabuf);
		dumb_destroy(card, buffer.handle);
	}
	close(vgem);
	close(card);
}

static void no_hang(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = {
		.flags = DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC |
			 DRM_VEXPORT_MOVE_OUT_FENCE,
	};
	int card = dumb_begin(), vgem = vshare_open_vgem();
	struct drm_mode_create_dumb buffer = dumb_create(card, 1024, 1, 32);
	struct vgem_bo bo = import(vgem, card, buffer.handle);
	struct pollfd done;

	move.fd = prime_handle_to_fd(card, buffer.handle);
	vgem_fence_attach(vgem, &bo, VGEM_FENCE_WRITE);
	gem_close(vgem, bo.handle);
	igt_assert_eq(__vexport_move(s->exporter, &move), 0);
	done = (struct pollfd) { .fd = move.out_fence, .events = POLLIN };
	igt_assert_eq(poll(&done, 1, 0), 0);
	igt_assert_eq(poll(&done, 1, EXPIRY_MS), 1);
	expect_busy(move.fd, false, false);
	close(move.out_fence);
	close(move.fd);
	dumb_destroy(card, buffer.handle);
	close(vgem);
	close(card);
}

/* The other way: vgem's buffer, written through vgem's mapping, given on by vexport. */
static void from_vgem(struct vshare_session *s)
{
	/* Only its primary node makes buffers. */
	int card = dumb_begin(), vgem = foreign_open(&foreign_drivers[0]), dmabuf, again;
	struct vgem_bo bo = { .width = 1024, .height = 2, .bpp = 32 };
	uint64_t *theirs, *words;
	uint32_t handle;

	vgem_create(vgem, &bo);
	theirs = vgem_mmap(vgem, &bo, PROT_READ | PROT_WRITE);
	dmabuf = prime_handle_to_fd_for_mmap(vgem, bo.handle);
	handle = prime_fd_to_handle(card, dmabuf);
	close(dmabuf);
	gem_close(vgem, bo.handle);

	again = prime_handle_to_fd_for_mmap(card, handle);
	words = vexport_dmabuf_mmap(again, bo.size);
	for (unsigned int i = 0; i < bo.size / sizeof(*words); i++)
		WRITE_ONCE((i & 1 ? theirs : words)[i], ~i);
	for (unsigned int i = 0; i < bo.size / sizeof(*words); i++)
		igt_assert_eq_u64(READ_ONCE((i & 1 ? words : theirs)[i]), ~i);
	munmap(words, bo.size);
	munmap(theirs, bo.size);
	close(again);
	gem_close(card, handle);
	close(vgem);
	close(card);
}

/* Every file at the top of a directory can be read to its end. */
static void read_files(const char *path, unsigned int at_least)
{
	unsigned int count = 0;
	struct dirent *entry;
	char text[4096];
	DIR *dir;

	dir = opendir(path);
	igt_assert_f(dir, "Cannot open %s: %m\n", path);
	while ((entry = readdir(dir))) {
		struct stat stat;
		ssize_t got;
		int file;

		if (fstatat(dirfd(dir), entry->d_name, &stat, 0) || !S_ISREG(stat.st_mode) ||
		    !(stat.st_mode & 0444))
			continue;
		file = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		igt_assert_f(file >= 0, "Cannot open %s/%s: %m\n", path, entry->d_name);
		while ((got = read(file, text, sizeof(text))) > 0)
			;
		igt_assert_f(!got, "Cannot read %s/%s: %m\n", path, entry->d_name);
		close(file);
		count++;
	}
	closedir(dir);
	igt_assert_lte_u32(at_least, count);
}

static unsigned int minor_of(int fd)
{
	struct stat node;

	igt_assert_eq(fstat(fd, &node), 0);
	return minor(node.st_rdev);
}

/* With something to tell: buffers of all kinds, and somebody else's. */
static void read_all(struct vshare_session *s, const char *format, unsigned int at_least)
{
	int card = dumb_begin(), vgem = vshare_open_vgem(), dmabuf;
	struct drm_mode_create_dumb buffer = dumb_create(card, 64, 64, 32);
	struct vgem_bo bo = import(vgem, card, buffer.handle);
	uint32_t handle;
	char path[64];

	dmabuf = vshare_open_foreign_dmabuf(1 << 16);
	handle = prime_fd_to_handle(card, dmabuf);
	snprintf(path, sizeof(path), format, minor_of(card));
	read_files(path, at_least);
	gem_close(card, handle);
	close(dmabuf);
	gem_close(vgem, bo.handle);
	dumb_destroy(card, buffer.handle);
	close(vgem);
	close(card);
}

static void debugfs(struct vshare_session *s)
{
	igt_require_f(!access("/sys/kernel/debug/dri", X_OK), "Needs debugfs, and root\n");
	/* The driver's two tables and the core's clients and names. */
	read_all(s, "/sys/kernel/debug/dri/%u", 4);
}

static void sysfs(struct vshare_session *s)
{
	read_all(s, "/sys/class/drm/card%u", 2);
}

static const struct vshare_subtest subtests[] = {
	{ "setversion", "A client can ask for the interface that it knows.", set_version },
	{ "second-client", "There can be several clients, of either node.", second_client },
	{ "create-large", "A buffer of two gibibytes takes no memory before its first use.",
	  create_large },
	{ "dmabuf-fence", "poll() waits for what others do with an exported buffer.",
	  dmabuf_fence },
	{ "dmabuf-fence-before", "That is so, too, if they did it before it was exported.",
	  dmabuf_fence_before },
	{ "nohang", "A fence that nobody signals holds a move up until it expires.", no_hang },
	{ "import", "vgem's buffer is the same memory for who has it from vexport.", from_vgem },
	{ "debugfs", "All files of debugfs can be read.", debugfs },
	{ "sysfs", "All files of sysfs can be read.", sysfs },
};

igt_main
{
	igt_fixture {
		igt_install_exit_handler(dumb_restore);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
