// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <linux/dma-heap.h>

#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_ttm.h"
#include "igt_vexport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The exporter takes a buffer away, for some time or for good: who may do it, "
		     "that the CPU does not get at it any more, and that nothing is lost that "
		     "comes back.");

#define SIZE			(256u << 10)
#define PAGE			4096u
#define WORDS_PER_PAGE		(PAGE / sizeof(uint64_t))

#define NONE			DRM_VEXPORT_REVOKE_NONE
#define TEMPORARY		DRM_VEXPORT_REVOKE_TEMPORARY
#define PERMANENT		DRM_VEXPORT_REVOKE_PERMANENT

#define NOBODY			65534

static const uint32_t placements[] = {
	DRM_VEXPORT_PLACEMENT_SYSTEM,
	DRM_VEXPORT_PLACEMENT_TT,
	DRM_VEXPORT_PLACEMENT_VRAM,
};

static void refuse(struct vshare_session *s, int fd, struct drm_vexport_bo_revoke args, int err)
{
	vshare_refused(s, fd, DRM_IOCTL_VEXPORT_BO_REVOKE, &args, err);
}

/* A buffer in use, so that a call that is refused too late would show. */
static void refuse_args(struct vshare_session *s, struct drm_vexport_bo_revoke args, int err)
{
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	bo.map[0] = 1;
	args.fd = bo.dmabuf;
	refuse(s, s->exporter, args, err);
	vexport_bo_expect_revoked(&bo, NONE);
	igt_assert_eq_u64(bo.map[0], 1);
	vexport_bo_fini(&bo);
}

static void bad_fd(struct vshare_session *s)
{
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC), foreign;

	for (uint32_t state = NONE; state <= PERMANENT; state++) {
		const struct drm_vexport_bo_revoke bad[] = {
			{ .state = state, .fd = -1 }, { .state = state, .fd = INT32_MAX },
		};

		for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
			refuse(s, s->exporter, bad[i], EBADF);
		refuse(s, s->exporter, (struct drm_vexport_bo_revoke) {
			.state = state, .fd = file }, EINVAL);
		refuse(s, s->exporter, (struct drm_vexport_bo_revoke) {
			.state = state, .fd = s->exporter }, EINVAL);
	}
	close(file);
	foreign = vshare_open_foreign_dmabuf(SIZE);
	refuse(s, s->exporter, (struct drm_vexport_bo_revoke) {
		.state = TEMPORARY, .fd = foreign }, EINVAL);
	close(foreign);
}

static void bad_state(struct vshare_session *s)
{
	static const uint32_t bad[] = { PERMANENT + 1, 4, 1u << 16, UINT32_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refuse_args(s, (struct drm_vexport_bo_revoke) { .state = bad[i] }, EINVAL);
}

static void bad_flags(struct vshare_session *s)
{
	for (uint32_t bad = 1; bad; bad <<= 1)
		refuse_args(s, (struct drm_vexport_bo_revoke) {
			.state = PERMANENT, .flags = bad }, EINVAL);
}

static void bad_timeout(struct vshare_session *s)
{
	static const int64_t bad[] = { 1, INT64_MAX, -1, INT64_MIN };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refuse_args(s, (struct drm_vexport_bo_revoke) { .timeout_nsec = bad[i] }, EINVAL);
}

static int heap_alloc(void)
{
	struct dma_heap_allocation_data alloc = { .len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/vexport", O_RDONLY | O_CLOEXEC);

	igt_assert_fd(heap);
	do_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc);
	close(heap);
	return alloc.fd;
}

static void rights(struct vshare_session *s)
{
	int other = vexport_open(), heap = heap_alloc();
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	/* A handle of another file's does not make that file the creator. */
	gem_close(other, prime_fd_to_handle(other, bo.dmabuf));
	igt_fork(child, 1) {
		igt_assert_eq(setuid(NOBODY), 0);
		for (uint32_t state = NONE; state <= PERMANENT; state++) {
			struct drm_vexport_bo_revoke args = { .fd = bo.dmabuf, .state = state };

			refuse(s, other, args, EPERM);
			args.fd = heap;
			refuse(s, s->exporter, args, EPERM);
		}
		vexport_bo_expect_revoked(&bo, NONE);
		/* Handed on, the file that created the buffer is the right to revoke it. */
		vexport_revoke(s->exporter, bo.dmabuf, TEMPORARY, 0);
		vexport_revoke(s->exporter, bo.dmabuf, NONE, 0);
	}
	igt_waitchildren();

	/* The administrator needs no such file. */
	vexport_revoke(other, bo.dmabuf, PERMANENT, 0);
	vexport_bo_expect_revoked(&bo, PERMANENT);
	vexport_revoke(other, heap, PERMANENT, 0);
	close(heap);
	close(other);
	vexport_bo_fini(&bo);
}

static void expect_no_access(uint64_t *map)
{
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	uint64_t word;

	igt_assert_fd(mem);
	for (size_t page = 0; page < SIZE / PAGE; page++) {
		igt_assert(!vexport_touch(map + page * WORDS_PER_PAGE, false));
		igt_assert(!vexport_touch(map + page * WORDS_PER_PAGE, true));
	}
	/* Not by way of ptrace either, which does not fault. */
	igt_assert_eq(pread(mem, &word, sizeof(word), (uintptr_t)map), -1);
	close(mem);
}

static void cpu(struct vshare_session *s, uint32_t state)
{
	uint64_t *gem, *late;
	struct dmabuf_oracle oracle;
	struct vexport_bo bo;

	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		dmabuf_oracle_init(&oracle, SIZE);
		vexport_bo_init(&bo, s->exporter, SIZE, placements[i], 0);
		gem = vexport_gem_mmap(s->exporter, bo.handle, SIZE);
		dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
		/* The one mapping has all its pages by now, the other only some. */
		igt_assert(vexport_touch(gem, false));
		igt_assert_eq_u32(vexport_bo_revoke(&bo, state), 0);
		vexport_bo_expect_revoked(&bo, state);
		late = vexport_dmabuf_mmap(bo.dmabuf, SIZE);
		expect_no_access(bo.map);
		expect_no_access(gem);
		expect_no_access(late);
		if (state == TEMPORARY) {
			igt_assert_eq_u32(vexport_bo_revoke(&bo, NONE), 0);
			dmabuf_oracle_check(&oracle, bo.map, "when the buffer is back");
			dmabuf_oracle_check(&oracle, gem, "through the GEM handle");
			dmabuf_oracle_check(&oracle, late, "through a later mapping");
		}
		munmap(late, SIZE);
		munmap(gem, SIZE);
		vexport_bo_fini(&bo);
		dmabuf_oracle_fini(&oracle);
	}
}

static void cpu_temporary(struct vshare_session *s)
{
	cpu(s, TEMPORARY);
}

static void cpu_permanent(struct vshare_session *s)
{
	cpu(s, PERMANENT);
}

static void refuse_moves(struct vshare_session *s, const struct vexport_bo *bo)
{
	struct drm_vexport_bo_move move = { .fd = bo->dmabuf };

	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		move.placement = placements[i];
		move.flags = 0;
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, ENODEV);
		move.flags = DRM_VEXPORT_MOVE_ASYNC;
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, ENODEV);
	}
	move.placement = 0;
	move.flags = DRM_VEXPORT_MOVE_RELOCATE;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, ENODEV);
}

static void no_move(struct vshare_session *s)
{
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	bo.map[0] = 1;
	vexport_bo_revoke(&bo, TEMPORARY);
	refuse_moves(s, &bo);
	vexport_bo_revoke(&bo, NONE);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert_eq_u64(bo.map[0], 1);
	vexport_bo_revoke(&bo, PERMANENT);
	refuse_moves(s, &bo);
	vexport_bo_fini(&bo);
}

#define HOG_SIZE		(4u << 20)

static void evicted(struct vshare_session *s)
{
	unsigned int hogs = s->start.exporter.vram_size / HOG_SIZE;
	struct drm_vexport_bo_query query;
	struct dmabuf_oracle oracle;
	struct vexport_bo bo;

	dmabuf_oracle_init(&oracle, SIZE);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
	vexport_bo_revoke(&bo, TEMPORARY);
	/* The handles are closed with the session. */
	while (hogs--)
		vexport_gem_create(s->exporter, HOG_SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u64(query.evictions, 1);
	igt_assert(!vexport_touch(bo.map, false));
	vexport_bo_revoke(&bo, NONE);
	dmabuf_oracle_check(&oracle, bo.map, "after an eviction while it was revoked");
	vexport_bo_fini(&bo);
	dmabuf_oracle_fini(&oracle);
}

static void transitions(struct vshare_session *s)
{
	/* From a row's state to a column's: allowed? */
	static const bool allowed[3][3] = { { 1, 1, 1 }, { 1, 1, 1 }, { 0, 0, 1 } };
	struct vexport_bo bo;

	for (uint32_t pair = 0; pair < 9; pair++) {
		uint32_t from = pair / 3, to = pair % 3;
		struct drm_vexport_bo_revoke args = { .state = to };

		vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		vexport_bo_revoke(&bo, from);
		args.fd = bo.dmabuf;
		if (allowed[from][to])
			vexport_bo_revoke(&bo, to);
		else
			refuse(s, s->exporter, args, ENODEV);
		vexport_bo_expect_revoked(&bo, allowed[from][to] ? to : from);
		igt_assert_eq(vexport_touch(bo.map, true), allowed[from][to] && to == NONE);
		vexport_bo_fini(&bo);
	}
}

static void permanent_frees(struct vshare_session *s)
{
	struct drm_vexport_info before, after;
	struct drm_vexport_bo_query query;
	struct vexport_bo bo;

	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		/* The last buffer may go a moment after it was closed. */
		do {
			vexport_get_info(s->exporter, &before);
		} while (before.buffers > s->start.exporter.buffers ||
			 before.storages > s->start.exporter.storages);
		vexport_bo_init(&bo, s->exporter, SIZE, placements[i], 0);
		bo.map[0] = 1;
		vexport_bo_revoke(&bo, PERMANENT);
		vexport_get_info(s->exporter, &after);
		/* The buffer is there, its memory is not. */
		igt_assert_eq(after.buffers, before.buffers + 1);
		igt_assert_eq(after.storages, before.storages);
		igt_assert_eq_u64(after.vram_used, before.vram_used);
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq_u64(query.size, SIZE);
		igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_SYSTEM);
		vexport_bo_fini(&bo);
	}
}

#define SWAP_SIZE		(16u << 20)

/* Where TTM keeps what it has swapped out. */
static uint64_t shmem_bytes(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");

	igt_assert(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "Shmem: %lu kB", &kib) != 1)
		;
	fclose(file);
	return kib * 1024ull;
}

static void permanent_frees_swap(struct vshare_session *s)
{
	uint64_t before, swapped, after;
	struct drm_vexport_info info;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SWAP_SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	memset(bo.map, 0xa5, SWAP_SIZE);
	before = shmem_bytes();
	ttm_swap_out(s);
	swapped = shmem_bytes();
	/* A quarter is for what others do meanwhile with memory of that kind. */
	igt_assert_lte_u64(before + SWAP_SIZE / 4 * 3, swapped);
	vexport_bo_revoke(&bo, PERMANENT);
	after = shmem_bytes();
	igt_assert_lte_u64(after, before + SWAP_SIZE / 4);
	vexport_get_info(s->exporter, &info);
	igt_assert_eq(info.storages, s->start.exporter.storages);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "bad-fd", "Only descriptors of this device's dma-bufs name a buffer.", bad_fd },
	{ "bad-state", "Unknown states are refused.", bad_state },
	{ "bad-flags", "Unknown flags are refused.", bad_flags },
	{ "bad-timeout", "Where nothing is waited for there is no time-out.", bad_timeout },
	{ "rights", "Only the file that created a buffer, or the administrator, may take it away.",
	  rights },
	{ "cpu-temporary", "The CPU gets SIGBUS, and then the same bytes again.", cpu_temporary },
	{ "cpu-permanent", "The CPU gets SIGBUS for ever.", cpu_permanent },
	{ "no-move", "A revoked buffer goes nowhere.", no_move },
	{ "evicted", "A revoked buffer makes room for others and keeps its bytes.", evicted },
	{ "transitions", "What is gone for good does not come back; all else may be undone.",
	  transitions },
	{ "permanent-frees", "What is gone for good needs no memory.", permanent_frees },
	{ "permanent-frees-swap", "What is gone for good needs no swap space either.",
	  permanent_frees_swap },
};

igt_main
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
