// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dumb.h"
#include "igt_vexport.h"
#include "igt_vexport_table.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What programs use vgem for works with vexport, if it is loaded with dumb=1: "
		     "dumb buffers, CPU mappings of them, and sharing in both directions.");

#define PAGE			4096u

static void dumb_off(struct vshare_session *s)
{
	struct drm_mode_create_dumb args = { .width = 1, .height = 1, .bpp = 8 };
	struct drm_prime_handle prime = { .fd = vshare_open_foreign_dmabuf(PAGE) };
	int card = dumb_begin();

	dumb_set('N');
	vshare_refused(s, card, DRM_IOCTL_MODE_CREATE_DUMB, &args, EOPNOTSUPP);
	vshare_refused(s, card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime, EINVAL);
	close(prime.fd);
	close(card);
}

static void create_sizes(struct vshare_session *s)
{
	static const struct {
		uint32_t width, height, bpp, pitch;
		uint64_t size;
	} sizes[] = {
		{ 1, 1, 1, 1, PAGE },
		{ 1, 1, 32, 4, PAGE },
		{ 1024, 1024, 8, 1024, 1 << 20 },
		{ 1024, 1, 32, PAGE, PAGE },
		{ 1025, 1, 32, 4100, 2 * PAGE },
		{ 33, 100, 15, 66, 2 * PAGE },
	};
	int card = dumb_begin();

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct drm_mode_create_dumb buffer = dumb_create(card, sizes[i].width,
								 sizes[i].height, sizes[i].bpp);
		int dmabuf = prime_handle_to_fd(card, buffer.handle);

		igt_assert_eq_u32(buffer.pitch, sizes[i].pitch);
		igt_assert_eq_u64(buffer.size, sizes[i].size);
		igt_assert_eq_u64(prime_get_size(dmabuf), sizes[i].size);
		close(dmabuf);
		dumb_destroy(card, buffer.handle);
	}
	close(card);
}

static void create_refused(struct vshare_session *s)
{
	static const struct {
		struct drm_mode_create_dumb args;
		int err;
	} bad[] = {
		{ { .width = 0, .height = 1, .bpp = 8 }, EINVAL },
		{ { .width = 1, .height = 0, .bpp = 8 }, EINVAL },
		{ { .width = 1, .height = 1, .bpp = 0 }, EINVAL },
		{ { .width = 1, .height = 1, .bpp = 8, .flags = 1 }, EINVAL },
		{ { .width = 1u << 16, .height = 1u << 16, .bpp = 8 }, EINVAL },
	};
	int card = dumb_begin();

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_mode_create_dumb args = bad[i].args;

		vshare_refused(s, card, DRM_IOCTL_MODE_CREATE_DUMB, &args, bad[i].err);
	}
	close(card);
}

static void create_lazy(struct vshare_session *s)
{
	struct drm_vexport_info before, after;
	struct drm_mode_create_dumb buffer;
	int card = dumb_begin();
	uint64_t *words;

	vexport_get_info(s->exporter, &before);
	buffer = dumb_create(card, 1024, 1024, 32);
	vexport_get_info(s->exporter, &after);
	igt_assert_eq_u32(after.buffers, before.buffers + 1);
	igt_assert_eq_u32(after.storages, before.storages);

	words = dumb_map(card, &buffer);
	igt_assert_eq_u64(READ_ONCE(words[0]), 0);
	vexport_get_info(s->exporter, &after);
	igt_assert_eq_u32(after.storages, before.storages + 1);
	munmap(words, buffer.size);
	dumb_destroy(card, buffer.handle);
	close(card);
}

static void mmap_outlives_handle(struct vshare_session *s)
{
	int card = dumb_begin();
	struct drm_mode_create_dumb buffer = dumb_create(card, 256, 256, 32);
	uint64_t *words = dumb_map(card, &buffer);

	dumb_destroy(card, buffer.handle);
	for (uint64_t i = 0; i < buffer.size / sizeof(*words); i++)
		igt_assert_eq_u64(READ_ONCE(words[i]), 0);
	for (uint64_t i = 0; i < buffer.size / sizeof(*words); i++)
		WRITE_ONCE(words[i], ~i);
	for (uint64_t i = 0; i < buffer.size / sizeof(*words); i++)
		igt_assert_eq_u64(READ_ONCE(words[i]), ~i);
	munmap(words, buffer.size);
	close(card);
}

/* Data written through the dma-buf is in the dumb buffer, wherever that has moved. */
static void dmabuf_mmap(struct vshare_session *s)
{
	int card = dumb_begin(), dmabuf;
	struct drm_mode_create_dumb buffer = dumb_create(card, 256, 256, 32);
	uint64_t *words;

	dmabuf = prime_handle_to_fd_for_mmap(card, buffer.handle);
	words = vexport_dmabuf_mmap(dmabuf, buffer.size);
	for (uint64_t i = 0; i < buffer.size / sizeof(*words); i++)
		WRITE_ONCE(words[i], ~i);
	munmap(words, buffer.size);
	vexport_move(s->exporter, dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	close(dmabuf);

	words = dumb_map(card, &buffer);
	for (uint64_t i = 0; i < buffer.size / sizeof(*words); i++)
		igt_assert_eq_u64(READ_ONCE(words[i]), ~i);
	munmap(words, buffer.size);
	dumb_destroy(card, buffer.handle);
	close(card);
}

static void export_to_vgem(struct vshare_session *s)
{
	int card = dumb_begin(), vgem = vshare_open_vgem(), dmabuf, again;
	struct drm_mode_create_dumb buffer = dumb_create(card, 1024, 1, 32);
	uint32_t handle;
	uint64_t *words;

	words = dumb_map(card, &buffer);
	WRITE_ONCE(words[1], 0x1234);
	munmap(words, buffer.size);

	dmabuf = prime_handle_to_fd_for_mmap(card, buffer.handle);
	dumb_destroy(card, buffer.handle);
	handle = prime_fd_to_handle(vgem, dmabuf);
	close(dmabuf);

	/* Only the importer still has it. */
	again = prime_handle_to_fd(vgem, handle);
	words = vexport_dmabuf_mmap(again, buffer.size);
	igt_assert_eq_u64(READ_ONCE(words[1]), 0x1234);
	munmap(words, buffer.size);
	close(again);
	gem_close(vgem, handle);
	close(vgem);
	close(card);
}

/* What comes from another driver can be given on, and is still what it was. */
static void import_foreign(struct vshare_session *s)
{
	struct drm_vexport_gem_mmap_offset offset = {};
	struct drm_mode_map_dumb map_dumb = {};
	int card = dumb_begin(), again;
	int dmabuf = vshare_open_foreign_dmabuf(2 * PAGE);
	uint64_t inode = vexport_dmabuf_inode(dmabuf);
	uint64_t *words;
	uint32_t handle;

	words = vexport_dmabuf_mmap(dmabuf, 2 * PAGE);
	WRITE_ONCE(words[1], 0x4321);
	munmap(words, 2 * PAGE);

	handle = prime_fd_to_handle(card, dmabuf);
	igt_assert_eq_u32(prime_fd_to_handle(card, dmabuf), handle);
	close(dmabuf);

	offset.handle = handle;
	map_dumb.handle = handle;
	vshare_refused(s, card, DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET, &offset, EINVAL);
	vshare_refused(s, card, DRM_IOCTL_MODE_MAP_DUMB, &map_dumb, EINVAL);

	again = prime_handle_to_fd_for_mmap(card, handle);
	igt_assert_eq_u64(vexport_dmabuf_inode(again), inode);
	words = vexport_dmabuf_mmap(again, 2 * PAGE);
	igt_assert_eq_u64(READ_ONCE(words[1]), 0x4321);
	munmap(words, 2 * PAGE);
	close(again);
	gem_close(card, handle);
	close(card);
}

/* Nothing in fdinfo: the memory is not ours. The kernel prints what it can of it. */
static void import_fdinfo(struct vshare_session *s)
{
	int card = dumb_begin(), dmabuf = vshare_open_foreign_dmabuf(2 * PAGE);
	uint32_t handle = prime_fd_to_handle(card, dmabuf);
	char path[64], line[128];
	unsigned int totals = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", card);
	file = fopen(path, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "drm-total-", 10))
			continue;
		totals++;
		igt_assert_f(strstr(line, "\t0\n"), "%s", line);
	}
	fclose(file);
	igt_assert_lt_u32(0, totals);
	gem_close(card, handle);
	close(dmabuf);
	close(card);
}

static const struct vshare_subtest subtests[] = {
	{ "off", "Nothing of this is there unless it was asked for.", dumb_off },
	{ "create", "A dumb buffer has the pitch and the size that its format needs.",
	  create_sizes },
	{ "create-refused", "What makes no buffer is refused.", create_refused },
	{ "create-lazy", "A dumb buffer takes no memory before its first use.", create_lazy },
	{ "mmap-outlives-handle", "A mapping keeps its buffer, of zeroes at first.",
	  mmap_outlives_handle },
	{ "dmabuf-mmap", "The dma-buf is the same memory, also after a move.", dmabuf_mmap },
	{ "export", "Another driver can take a dumb buffer over.", export_to_vgem },
	{ "import", "Another driver's dma-buf can be taken and given on.", import_foreign },
	{ "import-fdinfo", "Another driver's memory is not ours to count.", import_fdinfo },
};

igt_main
{
	igt_fixture {
		igt_install_exit_handler(dumb_restore);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
