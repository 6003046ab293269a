// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Importers of all kinds come to one buffer and leave it: it is where all of "
		     "them can reach it, each finds the data there, and nothing is left behind.");

#define SIZE			(64ull << 10)
#define VA			(1ull << 20)
#define FILES			8
#define FEW			FILES
#define MANY			64
#define SLICE			(4ull << 10)
#define DELAY_NS		(50 * NSEC_PER_MSEC)

#define TT			DRM_VEXPORT_PLACEMENT_TT
#define VRAM			DRM_VEXPORT_PLACEMENT_VRAM
#define NO_P2P			DRM_VIMPORT_IMPORT_NO_P2P

static void expect_place(struct vshare_session *s, const struct vexport_bo *bo,
			 uint32_t placement)
{
	struct drm_vexport_bo_query query;

	vexport_query(s->exporter, bo->dmabuf, &query);
	igt_assert_f(query.placement == placement, "The buffer is in %s, not in %s\n",
		     vexport_placement_name(query.placement), vexport_placement_name(placement));
	igt_assert_eq_u64(query.stale_words, 0);
}

static void init_moving(struct vshare_session *s, struct vexport_bo *bo, uint64_t size)
{
	vexport_bo_init(bo, s->exporter, size, VRAM, DRM_VEXPORT_GEM_MOVING);
}

static void fill(const struct vimport_gpu *gpu, const struct vexport_bo *bo, uint64_t value)
{
	struct vimport_job job = {};

	vimport_job_fill(&job, gpu->va, bo->size, value);
	vimport_run(gpu->fd, gpu->vm, &job);
	for (size_t i = 0; i < bo->size / sizeof(*bo->map); i++)
		igt_assert_eq_u64(bo->map[i], value);
}

/* The first importer is in the middle of a job, or not, when the second comes. */
static void second_without_p2p(struct vshare_session *s, bool busy)
{
	struct drm_vexport_bo_query before, after;
	struct vimport_gpu first, second;
	struct vimport_job job = {};
	struct vexport_bo bo;
	uint32_t done = 0;

	init_moving(s, &bo, SIZE);
	vimport_gpu_init(&first, 0, bo.dmabuf, SIZE, 0);
	fill(&first, &bo, 1);
	expect_place(s, &bo, VRAM);

	/* To attach is not to map yet: the first one need not be disturbed. */
	vexport_query(s->exporter, bo.dmabuf, &before);
	second.handle = vimport_import(s->gpu[1], bo.dmabuf, NO_P2P);
	vexport_query(s->exporter, bo.dmabuf, &after);
	igt_assert_eq_u64(after.notifies, before.notifies);
	gem_close(s->gpu[1], second.handle);

	if (busy) {
		vimport_job_fill(&job, first.va, SIZE / 2, 2);
		vimport_job_delay(&job, DELAY_NS);
		vimport_job_fill(&job, first.va + SIZE / 2, SIZE / 2, 3);
		done = vimport_submit(first.fd, first.vm, &job, 0);
	}
	vimport_gpu_init(&second, 1, bo.dmabuf, SIZE, NO_P2P);
	job = (struct vimport_job) {};
	vimport_job_fill(&job, second.va, SIZE / 4, 4);
	vimport_run(second.fd, second.vm, &job);
	expect_place(s, &bo, TT);
	igt_assert_eq_u64(bo.map[0], 4);
	if (busy) {
		igt_assert_eq(vimport_wait(first.fd, done), 0);
		/* All of the job's writes came before, and all have been brought along. */
		igt_assert_eq_u64(bo.map[SIZE / 4 / sizeof(*bo.map)], 2);
		igt_assert_eq_u64(bo.map[SIZE / sizeof(*bo.map) - 1], 3);
	}
	fill(&first, &bo, 5);
	expect_place(s, &bo, TT);

	/* It may be sent to VRAM, but for as long as both are there no use leaves it there. */
	vexport_move(s->exporter, bo.dmabuf, VRAM, 0);
	fill(&first, &bo, 6);
	expect_place(s, &bo, TT);
	fill(&second, &bo, 7);

	/* Without the second it may stay. */
	vimport_gpu_fini(&second);
	vexport_wait_attachments(s->exporter, bo.dmabuf, 1);
	vexport_move(s->exporter, bo.dmabuf, VRAM, 0);
	fill(&first, &bo, 8);
	expect_place(s, &bo, VRAM);
	vimport_gpu_fini(&first);
	vexport_bo_fini(&bo);
}

static void second_idle(struct vshare_session *s)
{
	second_without_p2p(s, false);
}

static void second_busy(struct vshare_session *s)
{
	second_without_p2p(s, true);
}

static void p2p_comes_second(struct vshare_session *s)
{
	struct vimport_gpu first, second;
	struct vexport_bo bo;

	init_moving(s, &bo, SIZE);
	vimport_gpu_init(&first, 0, bo.dmabuf, SIZE, NO_P2P);
	fill(&first, &bo, 1);
	expect_place(s, &bo, TT);
	vimport_gpu_init(&second, 1, bo.dmabuf, SIZE, 0);
	fill(&second, &bo, 2);
	expect_place(s, &bo, TT);
	vexport_move(s->exporter, bo.dmabuf, VRAM, 0);
	fill(&second, &bo, 3);
	expect_place(s, &bo, TT);
	fill(&first, &bo, 4);

	vimport_gpu_fini(&first);
	vexport_wait_attachments(s->exporter, bo.dmabuf, 1);
	fill(&second, &bo, 5);
	expect_place(s, &bo, TT);
	vexport_move(s->exporter, bo.dmabuf, VRAM, 0);
	fill(&second, &bo, 6);
	expect_place(s, &bo, VRAM);
	vimport_gpu_fini(&second);
	vexport_bo_fini(&bo);
}

static void static_comes_second(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = { .placement = VRAM };
	int vgem = vshare_open_vgem();
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t handle;

	init_moving(s, &bo, SIZE);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	for (int i = 0; i < 3; i++) {
		fill(&gpu, &bo, 3 * i + 1);
		expect_place(s, &bo, VRAM);
		handle = prime_fd_to_handle(vgem, bo.dmabuf);
		expect_place(s, &bo, TT);
		fill(&gpu, &bo, 3 * i + 2);
		move.fd = bo.dmabuf;
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
		gem_close(vgem, handle);
		vexport_move(s->exporter, bo.dmabuf, VRAM, 0);
	}
	fill(&gpu, &bo, 99);
	expect_place(s, &bo, VRAM);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
	close(vgem);
}

/*
 * Many importers of one buffer: several in one address space, several address spaces
 * in one file, several files, two GPUs. Each owns a slice and reads its neighbour's.
 */
struct importer {
	int fd;
	uint32_t vm, handle;
	uint64_t va;
};

struct crowd {
	struct vshare_session *s;
	struct vexport_bo bo, result;
	struct dmabuf_oracle oracle, result_oracle;
	int files[FILES];
	struct importer importer[MANY];
	int count;
};

/*
 * Debugging of the DMA API takes the ninth mapping of a page for a leak and warns,
 * whoever the exporter is.
 */
static void require_many_mappings(void)
{
	igt_require_f(access("/sys/kernel/debug/dma-api", F_OK),
		      "This kernel's debugging of the DMA API allows eight mappings of a page\n");
}

static void crowd_begin(struct crowd *c, struct vshare_session *s, int count)
{
	uint32_t vm = 0, result = 0;
	int n = 0;

	c->s = s;
	c->count = count;
	init_moving(s, &c->bo, count * SLICE);
	vexport_bo_init(&c->result, s->exporter, count * SLICE, TT, DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&c->oracle, c->bo.size);
	dmabuf_oracle_init(&c->result_oracle, c->bo.size);
	for (int file = 0; file < FILES; file++) {
		int fd = vimport_open(file % 2);

		c->files[file] = fd;
		result = vimport_import(fd, c->result.dmabuf, 0);
		for (int i = 0; i < count / FILES; i++, n++) {
			/* Two imports in each address space. */
			if (i % 2 == 0) {
				vm = vimport_vm_create(fd);
				vimport_vm_map(fd, vm, result, 0, VA, c->bo.size, 0);
			}
			c->importer[n] = (struct importer) {
				.fd = fd,
				.vm = vm,
				.handle = vimport_import(fd, c->bo.dmabuf, 0),
				.va = VA + (i % 2 + 1) * c->bo.size,
			};
			vimport_vm_map(fd, vm, c->importer[n].handle, 0, c->importer[n].va,
				       c->bo.size, 0);
		}
	}
	igt_assert_eq(n, count);
}

/* All submit before anybody is waited for. */
static void crowd_work(struct crowd *c, const char *when)
{
	const int per_file = c->count / FILES;
	uint32_t done[MANY];

	for (int i = 0; i < c->count; i++) {
		struct importer *importer = &c->importer[i];
		struct vimport_job job = {};

		vimport_job_tag(&job, importer->va + i * SLICE, SLICE,
				dmabuf_oracle_tag(&c->oracle,
						  DMABUF_WRITER_GPU0 + i / per_file % 2,
						  i * SLICE, SLICE));
		done[i] = vimport_submit(importer->fd, importer->vm, &job, 0);
	}
	for (int i = 0; i < c->count; i++)
		igt_assert_eq(vimport_wait(c->importer[i].fd, done[i]), 0);
	dmabuf_oracle_check(&c->oracle, c->bo.map, when);

	/* And each sees what its neighbour has written. */
	for (int i = 0; i < c->count; i++) {
		struct importer *importer = &c->importer[i];
		size_t from = (i + 1) % c->count * SLICE;
		struct vimport_job job = {};

		vimport_job_copy(&job, VA + i * SLICE, importer->va + from, SLICE);
		memcpy(&c->result_oracle.expect[i * SLICE / sizeof(uint64_t)],
		       &c->oracle.expect[from / sizeof(uint64_t)], SLICE);
		done[i] = vimport_submit(importer->fd, importer->vm, &job, 0);
	}
	for (int i = 0; i < c->count; i++)
		igt_assert_eq(vimport_wait(c->importer[i].fd, done[i]), 0);
	dmabuf_oracle_check(&c->result_oracle, c->result.map, when);
}

static uint64_t invalidations(struct vshare_session *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < s->gpus; i++) {
		struct drm_vimport_info info;

		vimport_get_info(s->gpu[i], &info);
		sum += info.invalidations;
	}
	return sum;
}

static void crowd_end(struct crowd *c)
{
	for (int file = 0; file < FILES; file++)
		close(c->files[file]);
	vexport_wait_attachments(c->s->exporter, c->bo.dmabuf, 0);
	dmabuf_oracle_check(&c->oracle, c->bo.map, "when all importers had gone");
	dmabuf_oracle_fini(&c->oracle);
	dmabuf_oracle_fini(&c->result_oracle);
	vexport_bo_fini(&c->result);
	vexport_bo_fini(&c->bo);
}

static void importers(struct vshare_session *s, int count)
{
	static const struct {
		const char *when;
		uint32_t placement, flags;
	} moves[] = {
		{ "after a relocation in VRAM", 0, DRM_VEXPORT_MOVE_RELOCATE },
		{ "after a move to TT", TT, 0 },
		{ "after a relocation in TT", 0, DRM_VEXPORT_MOVE_RELOCATE },
		{ "after a move to VRAM", VRAM, 0 },
		{ "after a move to SYSTEM", DRM_VEXPORT_PLACEMENT_SYSTEM, 0 },
		{ "after a move back to VRAM", VRAM, 0 },
	};
	struct drm_vexport_bo_query query;
	uint64_t callbacks;
	struct crowd c;

	crowd_begin(&c, s, count);
	crowd_work(&c, "before any move");
	for (unsigned int i = 0; i < ARRAY_SIZE(moves); i++) {
		vexport_query(s->exporter, c.bo.dmabuf, &query);
		igt_assert_eq_u32(query.attachments, count);
		igt_assert_eq_u32(query.maps, count);
		igt_assert_eq_u32(query.pins, 0);
		callbacks = invalidations(s);
		vexport_move(s->exporter, c.bo.dmabuf, moves[i].placement, moves[i].flags);
		igt_assert_eq_u64(invalidations(s), callbacks + count);
		crowd_work(&c, moves[i].when);
	}
	vexport_query(s->exporter, c.bo.dmabuf, &query);
	igt_assert_eq_u64(query.stale_words, 0);
	igt_assert_eq_u64(query.generation, ARRAY_SIZE(moves) + 1);
	crowd_end(&c);
}

static void few_importers(struct vshare_session *s)
{
	importers(s, FEW);
}

static void many_importers(struct vshare_session *s)
{
	require_many_mappings();
	importers(s, MANY);
}

static void static_importers(struct vshare_session *s, int count)
{
	struct drm_vexport_bo_move move = { .flags = DRM_VEXPORT_MOVE_RELOCATE };
	struct drm_vexport_bo_query query;
	struct vexport_bo bo;
	int vgem[MANY];
	uint64_t *map;

	init_moving(s, &bo, SIZE);
	move.fd = bo.dmabuf;
	/* One file has one import of a buffer: these are as many files. */
	for (int i = 0; i < count; i++) {
		vgem[i] = vshare_open_vgem();
		prime_fd_to_handle(vgem[i], bo.dmabuf);
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq_u32(query.attachments, i + 1);
	}
	map = vexport_dmabuf_mmap(bo.dmabuf, SIZE);
	for (int i = 0; i < count; i++) {
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
		map[i] = i + 1;
		close(vgem[i]);
		vexport_wait_attachments(s->exporter, bo.dmabuf, count - i - 1);
	}
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u32(query.pins | query.maps, 0);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	for (int i = 0; i < count; i++)
		igt_assert_eq_u64(map[i], i + 1);
	munmap(map, SIZE);
	vexport_bo_fini(&bo);
}

static void few_static(struct vshare_session *s)
{
	static_importers(s, FEW);
}

static void many_static(struct vshare_session *s)
{
	require_many_mappings();
	static_importers(s, MANY);
}

static const struct vshare_subtest subtests[] = {
	{ "second-idle", "A buffer in VRAM leaves it when an importer maps it that cannot reach "
	  "VRAM.", second_idle },
	{ "second-busy", "So it does while the first importer is writing to it.", second_busy },
	{ "p2p-comes-second", "A buffer stays out of VRAM for as long as one importer needs that.",
	  p2p_comes_second },
	{ "static-comes-second", "A static importer brings a buffer out of VRAM, again and again.",
	  static_comes_second },
	{ "few-importers", "Each of eight importers of one buffer is told of every move, and "
	  "finds the data.", few_importers },
	{ "many-importers", "Each of 64 importers of one buffer is told of every move, and finds "
	  "the data.", many_importers },
	{ "few-static", "Only the last of eight static importers lets a buffer go.", few_static },
	{ "many-static", "Only the last of 64 static importers lets a buffer go.", many_static },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
