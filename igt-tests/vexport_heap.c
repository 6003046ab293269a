// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/ioctl.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "igt.h"
#include "igt_vexport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The exporter's heap node: a program that can allocate from any dma-heap "
		     "gets a moving buffer by changing a path.");

#define HEAP			"/dev/dma_heap/vexport"
#define SIZE			(64u << 10)
#define PAGE			4096u

static int heap_open(void)
{
	int heap = open(HEAP, O_RDONLY | O_CLOEXEC);

	igt_assert_f(heap >= 0, "%s: %m\n", HEAP);
	return heap;
}

static int heap_alloc(int heap, uint64_t size, uint32_t fd_flags)
{
	struct dma_heap_allocation_data alloc = { .len = size, .fd_flags = fd_flags };

	do_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc);
	igt_assert_fd((int)alloc.fd);
	return alloc.fd;
}

static void alloc(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	int heap = heap_open(), dmabuf;
	uint64_t *map;

	/* Three bytes more than a page: a heap rounds up. */
	dmabuf = heap_alloc(heap, SIZE - PAGE + 3, O_RDWR | O_CLOEXEC);
	/* The buffer outlives the node that it came from. */
	close(heap);
	igt_assert_eq_u64(lseek(dmabuf, 0, SEEK_END), SIZE);
	igt_assert(fcntl(dmabuf, F_GETFD) & FD_CLOEXEC);
	map = vexport_dmabuf_mmap(dmabuf, SIZE);
	for (size_t i = 0; i < SIZE / sizeof(*map); i++)
		igt_assert_eq_u64(READ_ONCE(map[i]), 0);

	vexport_query(s->exporter, dmabuf, &query);
	igt_assert_eq_u64(query.size, SIZE);
	igt_assert_eq_u32(query.create_flags, DRM_VEXPORT_GEM_MOVING);
	munmap(map, SIZE);
	close(dmabuf);
}

static void moves(struct vshare_session *s)
{
	static const uint32_t route[] = {
		DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_PLACEMENT_SYSTEM, DRM_VEXPORT_PLACEMENT_TT,
	};
	int heap = heap_open(), dmabuf = heap_alloc(heap, SIZE, O_RDWR | O_CLOEXEC);
	uint64_t *map = vexport_dmabuf_mmap(dmabuf, SIZE);
	struct drm_vexport_bo_query query;

	prime_sync_start(dmabuf, true);
	for (size_t i = 0; i < SIZE / sizeof(*map); i++)
		map[i] = i * 3;
	prime_sync_end(dmabuf, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(route); i++) {
		vexport_move(s->exporter, dmabuf, route[i], 0);
		vexport_move(s->exporter, dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		vexport_query(s->exporter, dmabuf, &query);
		igt_assert_eq_u32(query.placement, route[i]);
		prime_sync_start(dmabuf, false);
		for (size_t word = 0; word < SIZE / sizeof(*map); word++)
			igt_assert_eq_u64(READ_ONCE(map[word]), word * 3);
		prime_sync_end(dmabuf, false);
	}
	igt_assert_lte_u64(2 * ARRAY_SIZE(route) - 1, query.generation);
	munmap(map, SIZE);
	close(dmabuf);
	close(heap);
}

static void read_only(struct vshare_session *s)
{
	int heap = heap_open(), dmabuf = heap_alloc(heap, SIZE, O_RDONLY);

	igt_assert_eq(fcntl(dmabuf, F_GETFD) & FD_CLOEXEC, 0);
	igt_assert_eq(fcntl(dmabuf, F_GETFL) & O_ACCMODE, O_RDONLY);
	igt_assert(mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED, dmabuf, 0) == MAP_FAILED);
	igt_assert_eq(errno, EACCES);
	close(dmabuf);
	close(heap);
}

static void refuse_alloc(struct vshare_session *s, struct dma_heap_allocation_data args, int err)
{
	int heap = heap_open();

	vshare_refused(s, heap, DMA_HEAP_IOCTL_ALLOC, &args, err);
	close(heap);
}

static void bad_size(struct vshare_session *s)
{
	static const uint64_t bad[] = { 0, UINT64_MAX, UINT64_MAX - PAGE + 2 };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refuse_alloc(s, (struct dma_heap_allocation_data) {
			.len = bad[i],
			.fd_flags = O_RDWR,
		}, EINVAL);
}

static void no_room(struct vshare_session *s)
{
	refuse_alloc(s, (struct dma_heap_allocation_data) {
		.len = 1ull << 44,
		.fd_flags = O_RDWR,
	}, ENOMEM);
}

static void bad_fd(struct vshare_session *s)
{
	refuse_alloc(s, (struct dma_heap_allocation_data) {
		.len = SIZE,
		.fd = 1,
		.fd_flags = O_RDWR,
	}, EINVAL);
}

static void bad_fd_flags(struct vshare_session *s)
{
	static const uint32_t bad[] = { O_NONBLOCK, O_APPEND, O_CREAT, 1u << 31 };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refuse_alloc(s, (struct dma_heap_allocation_data) {
			.len = SIZE,
			.fd_flags = O_RDWR | bad[i],
		}, EINVAL);
}

static void bad_heap_flags(struct vshare_session *s)
{
	static const uint64_t bad[] = { 1, 1ull << 32, 1ull << 63 };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refuse_alloc(s, (struct dma_heap_allocation_data) {
			.len = SIZE,
			.fd_flags = O_RDWR,
			.heap_flags = bad[i],
		}, EINVAL);
}

static void bad_request(struct vshare_session *s)
{
	int heap = heap_open();
	uint64_t arg[8] = {};

	vshare_refused(s, heap, _IOWR(DMA_HEAP_IOC_MAGIC, 0x3f, uint64_t), arg, ENOTTY);
	vshare_refused(s, heap, DRM_IOCTL_VEXPORT_INFO, arg, ENOTTY);
	close(heap);
}

static const struct vshare_subtest subtests[] = {
	{ "alloc", "A heap allocation is a zeroed buffer of whole pages, allowed to move.",
	  alloc },
	{ "moves", "A buffer of the heap keeps its data wherever it goes.", moves },
	{ "read-only", "The caller chooses how the descriptor may be used.", read_only },
	{ "bad-size", "No size and sizes beyond arithmetic are refused.", bad_size },
	{ "no-room", "What could never fit is refused before memory is spent on it.", no_room },
	{ "bad-fd", "The output member is empty on the way in, as for every heap.", bad_fd },
	{ "bad-fd-flags", "Only access mode and close-on-exec can be asked for.",
	  bad_fd_flags },
	{ "bad-heap-flags", "No flag of a heap exists yet.", bad_heap_flags },
	{ "bad-request", "The node speaks the heap's language and no other.", bad_request },
};

igt_main
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
