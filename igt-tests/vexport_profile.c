// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_vexport.h"
#include "igt_vexport_profile.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A buffer can be made difficult for its importers: who may do that, and that "
		     "each of the difficulties is really there.");

#define SIZE			PROFILE_SIZE
#define PAGE			4096u
#define NOBODY			65534
#define SOON_NS			(30 * NSEC_PER_SEC)

#define TT			DRM_VEXPORT_PLACEMENT_TT
#define VRAM			DRM_VEXPORT_PLACEMENT_VRAM
#define NASTY(name)		DRM_VEXPORT_NASTY_##name

/* Every bit with what it asks for. */
static const struct drm_vexport_bo_profile each[] = {
	{ .nasty = NASTY(PAGELESS) },
	{ .nasty = NASTY(PAGELESS_VRAM) },
	{ .nasty = NASTY(P2P_ONLY) },
	{ .nasty = NASTY(FRAGMENTED), .max_segment = PAGE },
	{ .nasty = NASTY(MAXIMAL) },
	{ .nasty = NASTY(NOTIFY_TWICE) },
	{ .nasty = NASTY(NOTIFY_EARLY) },
	{ .nasty = NASTY(NOTIFY_SPURIOUS), .every = 2 },
	{ .nasty = NASTY(MAP_SLOW), .map_delay_us = 1 },
	{ .nasty = NASTY(MAP_BUSY), .every = 2 },
	{ .nasty = NASTY(MAP_INTR), .every = 2 },
	{ .nasty = NASTY(MAP_TO_TT), .every = 2 },
	{ .nasty = NASTY(MAP_TO_VRAM) },
};

/* A job that may be refused, by one call that nobody makes again. */
static int try_once(struct vimport_gpu *gpu)
{
	struct drm_vimport_cmd cmd = {
		.op = DRM_VIMPORT_OP_FILL, .va = gpu->va, .size = SIZE, .value = 1,
	};
	struct drm_vimport_exec exec = {
		.vm_id = gpu->vm, .cmds = to_user_pointer(&cmd), .cmd_count = 1,
		.cmd_stride = sizeof(cmd),
	};

	return ioctl(gpu->fd, DRM_IOCTL_VIMPORT_EXEC, &exec) ? -errno : 0;
}

static void expect_profile(int fd, const struct vexport_bo *bo,
			   const struct drm_vexport_bo_profile *wanted)
{
	struct drm_vexport_bo_profile profile;

	vexport_get_profile(fd, bo->dmabuf, &profile);
	igt_assert_eq_u32(profile.nasty, wanted->nasty);
	igt_assert_eq_u32(profile.map_delay_us, wanted->map_delay_us);
	igt_assert_eq_u32(profile.max_segment, wanted->max_segment);
	igt_assert_eq_u32(profile.every, wanted->every);
	for (unsigned int i = 0; i < ARRAY_SIZE(profile.acted); i++)
		igt_assert_eq_u64(profile.acted[i], 0);
}

static void set_and_get(struct vshare_session *s)
{
	static const struct drm_vexport_bo_profile more[] = {
		{ .nasty = NASTY(FRAGMENTED) | NASTY(MAP_SLOW) | NASTY(MAP_BUSY),
		  .max_segment = 4 * PAGE, .map_delay_us = DRM_VEXPORT_PROFILE_MAX_DELAY_US,
		  .every = DRM_VEXPORT_PROFILE_MAX_EVERY },
		{},
	};
	int other = vexport_open();
	struct vexport_bo bo;

	profile_create(s, &bo, TT);
	expect_profile(s->exporter, &bo, &more[1]);
	for (unsigned int i = 0; i < ARRAY_SIZE(each); i++) {
		vexport_set_profile(s->exporter, bo.dmabuf, &each[i]);
		expect_profile(other, &bo, &each[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(more); i++) {
		vexport_set_profile(s->exporter, bo.dmabuf, &more[i]);
		expect_profile(other, &bo, &more[i]);
	}
	vexport_bo_fini(&bo);
	close(other);
}

/* A profile that is in force, so that a call that is refused too late would show. */
static void refuse_args(struct vshare_session *s, struct drm_vexport_bo_profile args, int err)
{
	const struct drm_vexport_bo_profile before = { .nasty = NASTY(MAP_BUSY), .every = 7 };
	struct vexport_bo bo;

	profile_create(s, &bo, TT);
	vexport_set_profile(s->exporter, bo.dmabuf, &before);
	args.fd = bo.dmabuf;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_PROFILE, &args, err);
	expect_profile(s->exporter, &bo, &before);
	vexport_bo_fini(&bo);
}

static void bad_fd(struct vshare_session *s)
{
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int foreign = vshare_open_foreign_dmabuf(SIZE);

	for (uint32_t flags = 0; flags <= DRM_VEXPORT_PROFILE_GET; flags++) {
		const struct {
			int fd, err;
		} bad[] = {
			{ -1, EBADF }, { INT32_MAX, EBADF }, { file, EINVAL },
			{ s->exporter, EINVAL }, { foreign, EINVAL },
		};

		for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
			struct drm_vexport_bo_profile args = { .fd = bad[i].fd, .flags = flags };

			vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_PROFILE, &args,
				       bad[i].err);
		}
	}
	close(foreign);
	close(file);
}

static void bad_flags(struct vshare_session *s)
{
	for (uint32_t bad = DRM_VEXPORT_PROFILE_GET << 1; bad; bad <<= 1) {
		refuse_args(s, PROFILE(.flags = bad), EINVAL);
		refuse_args(s, PROFILE(.flags = bad | DRM_VEXPORT_PROFILE_GET), EINVAL);
	}
}

static void bad_nasty(struct vshare_session *s)
{
	for (uint32_t bad = NASTY(MAP_TO_VRAM) << 1; bad; bad <<= 1) {
		refuse_args(s, PROFILE(.nasty = bad), EINVAL);
		refuse_args(s, PROFILE(.nasty = bad | NASTY(PAGELESS)), EINVAL);
	}
	refuse_args(s, PROFILE(.nasty = NASTY(FRAGMENTED) | NASTY(MAXIMAL), .max_segment = PAGE),
		    EINVAL);
}

static void bad_numbers(struct vshare_session *s)
{
	static const struct drm_vexport_bo_profile bad[] = {
		/* out of bounds */
		{ .nasty = NASTY(MAP_SLOW), .map_delay_us = DRM_VEXPORT_PROFILE_MAX_DELAY_US + 1 },
		{ .nasty = NASTY(MAP_SLOW), .map_delay_us = UINT32_MAX },
		{ .nasty = NASTY(FRAGMENTED), .max_segment = 1 },
		{ .nasty = NASTY(FRAGMENTED), .max_segment = PAGE + 1 },
		{ .nasty = NASTY(FRAGMENTED), .max_segment = UINT32_MAX },
		{ .nasty = NASTY(MAP_BUSY), .every = 1 },
		{ .nasty = NASTY(MAP_BUSY), .every = DRM_VEXPORT_PROFILE_MAX_EVERY + 1 },
		{ .nasty = NASTY(MAP_BUSY), .every = UINT32_MAX },
		/* missing */
		{ .nasty = NASTY(MAP_SLOW) },
		{ .nasty = NASTY(FRAGMENTED) },
		{ .nasty = NASTY(NOTIFY_SPURIOUS) },
		{ .nasty = NASTY(MAP_BUSY) },
		{ .nasty = NASTY(MAP_INTR) },
		{ .nasty = NASTY(MAP_TO_TT) },
		/* not asked for */
		{ .map_delay_us = 1 },
		{ .max_segment = PAGE },
		{ .every = 2 },
		{ .nasty = NASTY(PAGELESS), .map_delay_us = 1 },
		{ .nasty = NASTY(MAXIMAL), .max_segment = PAGE },
		{ .nasty = NASTY(MAP_TO_VRAM), .every = 2 },
		{ .flags = DRM_VEXPORT_PROFILE_GET, .nasty = NASTY(PAGELESS) },
		{ .flags = DRM_VEXPORT_PROFILE_GET, .map_delay_us = 1 },
		{ .flags = DRM_VEXPORT_PROFILE_GET, .max_segment = PAGE },
		{ .flags = DRM_VEXPORT_PROFILE_GET, .every = 2 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refuse_args(s, bad[i], EINVAL);
}

static void rights(struct vshare_session *s)
{
	const struct drm_vexport_bo_profile easy = {};
	int other = vexport_open();
	struct vexport_bo bo;

	profile_create(s, &bo, TT);
	/* A handle of another file's does not make that file the creator. */
	gem_close(other, prime_fd_to_handle(other, bo.dmabuf));
	igt_fork(child, 1) {
		igt_assert_eq(setuid(NOBODY), 0);
		for (unsigned int i = 0; i < ARRAY_SIZE(each); i++) {
			struct drm_vexport_bo_profile args = each[i];

			args.fd = bo.dmabuf;
			vshare_refused(s, other, DRM_IOCTL_VEXPORT_BO_PROFILE, &args, EPERM);
		}
		/* To ask is free. */
		expect_profile(other, &bo, &easy);
		/* Handed on, the file that created the buffer is the right to it. */
		vexport_set_profile(s->exporter, bo.dmabuf, &each[0]);
	}
	igt_waitchildren();
	expect_profile(other, &bo, &each[0]);

	/* The administrator needs no such file. */
	vexport_set_profile(other, bo.dmabuf, &easy);
	expect_profile(s->exporter, &bo, &easy);
	vexport_bo_fini(&bo);
	close(other);
}

struct told {
	uint64_t by_exporter, at_gpu, generation;
};

static struct told told(struct vshare_session *s, const struct vexport_bo *bo,
			const struct vimport_gpu *gpu)
{
	struct drm_vexport_bo_query query;
	struct drm_vimport_info info;

	vexport_query(s->exporter, bo->dmabuf, &query);
	vimport_get_info(gpu->fd, &info);
	return (struct told) { query.notifies, info.invalidations, query.generation };
}

static void notify_twice(struct vshare_session *s)
{
	struct told before, after;
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	profile_create(s, &bo, VRAM);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	profile_use(s, &gpu, &bo);
	for (unsigned int times = 1; times <= 2; times++) {
		before = told(s, &bo, &gpu);
		profile_relocate(s, &bo);
		after = told(s, &bo, &gpu);
		igt_assert_eq_u64(after.generation, before.generation + 1);
		igt_assert_eq_u64(after.by_exporter, before.by_exporter + times);
		igt_assert_eq_u64(after.at_gpu, before.at_gpu + times);
		igt_assert_eq_u64(profile_acted(s, &bo, NASTY(NOTIFY_TWICE)), times - 1);
		profile_use(s, &gpu, &bo);
		profile_set(s, &bo, .nasty = NASTY(NOTIFY_TWICE));
	}
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

static void notify_early(struct vshare_session *s)
{
	struct vimport_gpu gpu[2];
	struct told before, after;
	struct vexport_bo bo;

	profile_create(s, &bo, VRAM);
	vimport_gpu_init(&gpu[0], 0, bo.dmabuf, SIZE, 0);
	profile_use(s, &gpu[0], &bo);
	profile_set(s, &bo, .nasty = NASTY(NOTIFY_EARLY));

	before = told(s, &bo, &gpu[0]);
	vimport_gpu_init(&gpu[1], 1, bo.dmabuf, SIZE, 0);
	after = told(s, &bo, &gpu[0]);
	igt_assert_eq_u64(after.generation, before.generation);
	igt_assert_eq_u64(after.by_exporter, before.by_exporter + 1);
	igt_assert_eq_u64(after.at_gpu, before.at_gpu + 1);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(NOTIFY_EARLY)), 1);

	/* Both map again, neither for the first time. */
	profile_relocate(s, &bo);
	profile_use(s, &gpu[0], &bo);
	profile_use(s, &gpu[1], &bo);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(NOTIFY_EARLY)), 1);
	vimport_gpu_fini(&gpu[1]);
	vimport_gpu_fini(&gpu[0]);
	vexport_bo_fini(&bo);
}

static void notify_spurious(struct vshare_session *s)
{
	struct timespec since = {};
	struct told before, after;
	uint64_t moves = 0, times;
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	profile_create(s, &bo, VRAM);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	profile_set(s, &bo, .nasty = NASTY(NOTIFY_SPURIOUS), .every = 2);
	before = told(s, &bo, &gpu);
	while (profile_acted(s, &bo, NASTY(NOTIFY_SPURIOUS)) < 3) {
		profile_relocate(s, &bo);
		moves++;
		profile_use(s, &gpu, &bo);
		/* That it did not move does not mean that the mapping is still good. */
		profile_use(s, &gpu, &bo);
		igt_assert_lt_u64(igt_nsec_elapsed(&since), SOON_NS);
	}
	/* It happens behind our back. */
	do {
		times = profile_acted(s, &bo, NASTY(NOTIFY_SPURIOUS));
		after = told(s, &bo, &gpu);
	} while (times != profile_acted(s, &bo, NASTY(NOTIFY_SPURIOUS)));
	igt_assert_eq_u64(after.generation, before.generation + moves);
	igt_assert_eq_u64(after.by_exporter, before.by_exporter + moves + times);
	igt_assert_eq_u64(after.at_gpu, before.at_gpu + moves + times);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

static void map_slow(struct vshare_session *s)
{
	const uint32_t delay_us = 50000;
	struct timespec since = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	profile_create(s, &bo, VRAM);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	profile_set(s, &bo, .nasty = NASTY(MAP_SLOW), .map_delay_us = delay_us);
	profile_relocate(s, &bo);
	igt_nsec_elapsed(&since);
	igt_assert_eq(try_once(&gpu), 0);
	igt_assert_lte_u64(delay_us * 1000ull, igt_nsec_elapsed(&since));
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(MAP_SLOW)), 1);
	profile_use(s, &gpu, &bo);
	igt_assert_eq_u64(profile_acted(s, &bo, NASTY(MAP_SLOW)), 1);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

static void map_refused(struct vshare_session *s, uint32_t nasty, int even, int odd)
{
	const unsigned int every = 3;
	struct drm_vexport_bo_query query;
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	profile_create(s, &bo, VRAM);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	profile_set(s, &bo, .nasty = nasty, .every = every);
	for (unsigned int map = 1; map <= 4 * every; map++) {
		profile_relocate(s, &bo);
		igt_assert_eq(try_once(&gpu), map % every ? 0 : map / every % 2 ? odd : even);
		if (map % every)
			continue;
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq_u32(query.maps, 0);
		igt_assert_eq_u32(query.pins, 0);
		/* Whoever tries again succeeds. */
		profile_use(s, &gpu, &bo);
		map++;
	}
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

static void map_busy(struct vshare_session *s)
{
	map_refused(s, NASTY(MAP_BUSY), -EBUSY, -EBUSY);
}

static void map_intr(struct vshare_session *s)
{
	map_refused(s, NASTY(MAP_INTR), -EINTR, -EINTR);
}

static void map_busy_intr(struct vshare_session *s)
{
	map_refused(s, NASTY(MAP_BUSY) | NASTY(MAP_INTR), -EBUSY, -EINTR);
}

static uint32_t placement(struct vshare_session *s, const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query query;

	vexport_query(s->exporter, bo->dmabuf, &query);
	return query.placement;
}

static void map_to_tt(struct vshare_session *s)
{
	struct vimport_gpu gpu[2];
	struct told before, after;
	struct vexport_bo bo;

	profile_create(s, &bo, VRAM);
	for (unsigned int i = 0; i < 2; i++)
		vimport_gpu_init(&gpu[i], i, bo.dmabuf, SIZE, 0);
	profile_set(s, &bo, .nasty = NASTY(MAP_TO_TT), .every = 2);
	for (unsigned int round = 0; round < 3; round++) {
		/* Every other map, of each of the two. */
		for (unsigned int map = 1; map < 4; map++) {
			profile_relocate(s, &bo);
			profile_use(s, &gpu[map % 2], &bo);
			igt_assert_eq_u32(placement(s, &bo), VRAM);
		}
		/* The one that did not map this time had mapped before: both lose it. */
		profile_relocate(s, &bo);
		before = told(s, &bo, &gpu[1]);
		profile_use(s, &gpu[0], &bo);
		after = told(s, &bo, &gpu[1]);
		igt_assert_eq_u32(placement(s, &bo), TT);
		igt_assert_eq_u64(after.generation, before.generation + 1);
		igt_assert_eq_u64(after.at_gpu, before.at_gpu + 1);
		igt_assert_eq_u64(profile_acted(s, &bo, NASTY(MAP_TO_TT)), round + 1);
		profile_use(s, &gpu[1], &bo);
		vexport_move(s->exporter, bo.dmabuf, VRAM, 0);
	}
	vimport_gpu_fini(&gpu[1]);
	vimport_gpu_fini(&gpu[0]);
	vexport_bo_fini(&bo);
}

static void map_to_vram(struct vshare_session *s)
{
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t handle;

	profile_create(s, &bo, TT);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	profile_set(s, &bo, .nasty = NASTY(MAP_TO_VRAM));
	for (uint32_t from = DRM_VEXPORT_PLACEMENT_SYSTEM; from <= TT; from++) {
		vexport_move(s->exporter, bo.dmabuf, VRAM, 0);
		vexport_move(s->exporter, bo.dmabuf, from, 0);
		profile_use(s, &gpu, &bo);
		igt_assert_eq_u32(placement(s, &bo), VRAM);
		igt_assert_eq_u64(profile_acted(s, &bo, NASTY(MAP_TO_VRAM)), from + 1);
	}
	/* As long as somebody cannot reach it there, it stays. */
	handle = vimport_import(s->gpu[1], bo.dmabuf, DRM_VIMPORT_IMPORT_NO_P2P);
	vexport_move(s->exporter, bo.dmabuf, TT, 0);
	profile_use(s, &gpu, &bo);
	igt_assert_eq_u32(placement(s, &bo), TT);
	gem_close(s->gpu[1], handle);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

/* Moves for the sake of one importer take the buffer from others: that has to end. */
static void settles(struct vshare_session *s)
{
	const unsigned int imports = 4;
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t handle[4];

	profile_create(s, &bo, VRAM);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	for (unsigned int i = 0; i < imports; i++) {
		handle[i] = vimport_import(gpu.fd, bo.dmabuf, 0);
		vimport_vm_map(gpu.fd, gpu.vm, handle[i], 0, gpu.va + (i + 1) * SIZE, SIZE, 0);
	}
	profile_set(s, &bo, .nasty = NASTY(MAP_TO_TT) | NASTY(MAP_TO_VRAM), .every = 2);
	for (unsigned int i = 0; i < 6 * imports; i++) {
		profile_relocate(s, &bo);
		/* All five must be valid at a time. */
		profile_use(s, &gpu, &bo);
	}
	igt_assert_lt_u64(0, profile_acted(s, &bo, NASTY(MAP_TO_TT)));
	igt_assert_lt_u64(0, profile_acted(s, &bo, NASTY(MAP_TO_VRAM)));
	for (unsigned int i = 0; i < imports; i++) {
		vimport_vm_unmap(gpu.fd, gpu.vm, gpu.va + (i + 1) * SIZE, SIZE);
		gem_close(gpu.fd, handle[i]);
	}
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

/* To pin a buffer is to be left alone. */
static void pinned(struct vshare_session *s)
{
	int vgem = vshare_open_vgem();
	struct told before, after;
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t handle;

	profile_create(s, &bo, TT);
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	profile_set(s, &bo, .nasty = NASTY(NOTIFY_TWICE) | NASTY(NOTIFY_EARLY) |
		    NASTY(NOTIFY_SPURIOUS) | NASTY(MAP_TO_TT) | NASTY(MAP_TO_VRAM), .every = 2);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	before = told(s, &bo, &gpu);
	igt_assert_eq_u64(before.by_exporter, 0);
	profile_use(s, &gpu, &bo);
	/* What would come soon must have come by now. */
	usleep(20000);
	after = told(s, &bo, &gpu);
	igt_assert_eq_u64(after.by_exporter, 0);
	igt_assert_eq_u64(after.generation, before.generation);
	vimport_gpu_fini(&gpu);
	gem_close(vgem, handle);
	close(vgem);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "set-and-get", "What was set is what one gets, through any file.", set_and_get },
	{ "bad-fd", "Only descriptors of this device's dma-bufs name a buffer.", bad_fd },
	{ "bad-flags", "Unknown flags are refused.", bad_flags },
	{ "bad-nasty", "Unknown bits, and bits that exclude one another, are refused.",
	  bad_nasty },
	{ "bad-numbers", "Numbers are within bounds, and there if and only if a bit asks for them.",
	  bad_numbers },
	{ "rights", "Only the file that created a buffer, or the administrator, may spoil it.",
	  rights },
	{ "notify-twice", "An importer is told twice of each move.", notify_twice },
	{ "notify-early", "An importer is told of a move before it has mapped.", notify_early },
	{ "notify-spurious", "An importer is told of moves that are none.", notify_spurious },
	{ "map-slow", "A map takes its time.", map_slow },
	{ "map-busy", "Every n-th map is busy, and the next one is not.", map_busy },
	{ "map-intr", "Every n-th map is interrupted, and the next one is not.", map_intr },
	{ "map-busy-intr", "Maps fail in turns.", map_busy_intr },
	{ "map-to-tt", "Every n-th map takes the buffer out of VRAM, and from others.", map_to_tt },
	{ "map-to-vram", "A map brings the buffer to VRAM if all can reach it.", map_to_vram },
	{ "settles", "Importers that are valid together become so, however much is moved.",
	  settles },
	{ "pinned", "A buffer that is pinned is left alone.", pinned },
};

igt_main
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
		close(vimport_open(1));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
