// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_gate.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What an importer gets when it maps a buffer is where the buffer is now, its "
		     "own, in its reach, and to be had however often the buffer moves.");

#define SIZE			(256ull << 10)
#define WAIT_NS			(20 * NSEC_PER_SEC)

/* Not a power of two, so that no allocator gives it in one piece. */
#define ODD_PAGES		7
#define PAGE			4096ull

static struct drm_vexport_bo_query query(const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query now;

	vexport_query(bo->fd, bo->dmabuf, &now);
	return now;
}

static uint64_t invalidations(const struct vimport_gpu *gpu)
{
	struct drm_vimport_info info;

	vimport_get_info(gpu->fd, &info);
	return info.invalidations;
}

static uint64_t revalidations(const struct vimport_gpu *gpu)
{
	struct drm_vimport_info info;

	vimport_get_info(gpu->fd, &info);
	return info.revalidations;
}

/* A job that writes the whole buffer; everybody must see what it wrote. */
static void write_all(const struct vimport_gpu *gpu, const struct vexport_bo *bo,
		      struct dmabuf_oracle *oracle, const char *when)
{
	struct vimport_job job = {};

	vimport_job_tag(&job, gpu->va, bo->size,
			dmabuf_oracle_tag(oracle, DMABUF_WRITER_GPU0, 0, bo->size));
	vimport_run(gpu->fd, gpu->vm, &job);
	dmabuf_oracle_check(oracle, bo->map, when);
}

static uint64_t vram_free(int fd)
{
	struct drm_vexport_info info;

	vexport_get_info(fd, &info);
	return info.vram_size - info.vram_used;
}

static uint64_t evicted(int fd)
{
	struct drm_vexport_info info;

	vexport_get_info(fd, &info);
	return info.evictions;
}

/* Leaves nothing of the VRAM. The buffers go when the file that is returned is closed. */
static int fill_vram(void)
{
	int hog = vexport_open();
	uint64_t size = 4u << 20;

	while (size >= PAGE) {
		if (vram_free(hog) >= size)
			vexport_gem_create(hog, size, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		else
			size /= 2;
	}
	igt_assert_eq_u64(vram_free(hog), 0);
	return hog;
}

/*
 * The place that a buffer leaves is all that is free of the VRAM. Who gets VRAM then
 * gets that place, and would see every write that still goes there.
 */
static void new_place(struct vshare_session *s)
{
	struct dmabuf_oracle oracle, after;
	struct vexport_bo bo, next;
	struct vimport_gpu gpu;
	uint64_t evictions;
	int hog;

	dmabuf_oracle_init(&oracle, SIZE);
	dmabuf_oracle_init(&after, SIZE);
	for (uint32_t to = DRM_VEXPORT_PLACEMENT_SYSTEM; to <= DRM_VEXPORT_PLACEMENT_TT; to++) {
		struct timespec since = {};

		vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
				DRM_VEXPORT_GEM_MOVING);
		hog = fill_vram();
		igt_assert_eq_u32(query(&bo).placement, DRM_VEXPORT_PLACEMENT_VRAM);
		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
		write_all(&gpu, &bo, &oracle, "before the move");

		vexport_move(s->exporter, bo.dmabuf, to, 0);
		/*
		 * The importer lets go of the old place by itself. The exporter may still
		 * watch it then, but not if somebody needs it.
		 */
		while (query(&bo).maps || vram_free(hog) + query(&bo).quarantined < SIZE) {
			igt_assert_lt_u64(igt_nsec_elapsed(&since), WAIT_NS);
			usleep(1000);
		}
		evictions = evicted(hog);
		vexport_bo_init(&next, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		igt_assert_eq_u64(vram_free(hog), 0);
		igt_assert_eq_u64(evicted(hog), evictions);
		dmabuf_oracle_store(&after, next.map, 0, SIZE);

		for (int i = 0; i < 2; i++) {
			write_all(&gpu, &bo, &oracle, "in the new place");
			dmabuf_oracle_check(&after, next.map, "in the old place");
			vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		}
		igt_assert_eq_u64(query(&bo).stale_words, 0);
		vimport_gpu_fini(&gpu);
		close(hog);
		vexport_bo_fini(&next);
		vexport_bo_fini(&bo);
	}
	dmabuf_oracle_fini(&after);
	dmabuf_oracle_fini(&oracle);
}

#define RACE_JOBS		40
#define RACE_MOVES		40

/* What the children tell the parent. */
struct race {
	bool stop;
	uint64_t jobs[2], moves;
};

/*
 * Two importers in one address space of which only one reaches VRAM: each job asks for
 * two new mappings, and to serve the one may take the other away.
 */
static void race_map(const struct vexport_bo *bo, int index, struct race *race)
{
	struct vimport_gpu gpu;
	uint32_t other;

	vimport_gpu_init(&gpu, index, bo->dmabuf, SIZE, 0);
	other = vimport_import(gpu.fd, bo->dmabuf, DRM_VIMPORT_IMPORT_NO_P2P);
	vimport_vm_map(gpu.fd, gpu.vm, other, 0, gpu.va + SIZE, SIZE, 0);
	while (!READ_ONCE(race->stop)) {
		struct vimport_job job = {};

		vimport_job_fill(&job, gpu.va + (race->jobs[index] & 1 ? SIZE : 0), SIZE, 1);
		vimport_run(gpu.fd, gpu.vm, &job);
		race->jobs[index]++;
	}
	gem_close(gpu.fd, other);
	vimport_gpu_fini(&gpu);
}

static void race_move(const struct vexport_bo *bo, struct race *race)
{
	for (uint32_t i = 0; !READ_ONCE(race->stop); i++) {
		vexport_move(bo->fd, bo->dmabuf, i % 3,
			     DRM_VEXPORT_MOVE_ASYNC | (i & 1 ? DRM_VEXPORT_MOVE_RELOCATE : 0));
		race->moves++;
	}
}

static void remap_at_once(struct vshare_session *s)
{
	struct race *race = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				 -1, 0);
	struct timespec since = {};
	struct vexport_bo bo;

	igt_assert(race != MAP_FAILED);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	igt_fork(child, 3) {
		if (child < 2)
			race_map(&bo, child, race);
		else
			race_move(&bo, race);
	}
	igt_nsec_elapsed(&since);
	/* Nobody keeps anybody else from getting on. */
	while (READ_ONCE(race->jobs[0]) < RACE_JOBS || READ_ONCE(race->jobs[1]) < RACE_JOBS ||
	       READ_ONCE(race->moves) < RACE_MOVES) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), 6 * WAIT_NS);
		usleep(10000);
	}
	WRITE_ONCE(race->stop, true);
	igt_waitchildren();
	igt_info("%" PRIu64 " and %" PRIu64 " jobs, %" PRIu64 " moves\n", race->jobs[0],
		 race->jobs[1], race->moves);
	for (size_t i = 0; i < SIZE / sizeof(*bo.map); i++)
		igt_assert_eq_u64(bo.map[i], 1);
	igt_assert_eq_u64(query(&bo).stale_words, 0);
	munmap(race, PAGE);
	vexport_bo_fini(&bo);
}

#define TIMES			4

static void move_times(const struct vexport_bo *bo)
{
	for (uint32_t i = 0; i < TIMES; i++)
		vexport_move(bo->fd, bo->dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
}

static void told_again(struct vshare_session *s)
{
	uint64_t told, mapped;
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	dmabuf_oracle_init(&oracle, SIZE);
	for (uint32_t from = DRM_VEXPORT_PLACEMENT_TT; from <= DRM_VEXPORT_PLACEMENT_VRAM;
	     from++) {
		vexport_bo_init(&bo, s->exporter, SIZE, from, DRM_VEXPORT_GEM_MOVING);
		dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);

		/* With a mapping that nobody has used yet. */
		told = invalidations(&gpu);
		move_times(&bo);
		igt_assert_eq_u64(invalidations(&gpu), told + TIMES);
		dmabuf_oracle_check(&oracle, bo.map, "after moves before the first job");
		write_all(&gpu, &bo, &oracle, "in the first job");

		/* Again and again, of which only the first takes something away. */
		told = invalidations(&gpu);
		mapped = revalidations(&gpu);
		move_times(&bo);
		igt_assert_eq_u64(invalidations(&gpu), told + TIMES);
		igt_assert_lte_u32(query(&bo).maps, 1);
		dmabuf_oracle_check(&oracle, bo.map, "after moves without a job between them");
		write_all(&gpu, &bo, &oracle, "in the job behind them");
		igt_assert_eq_u64(revalidations(&gpu), mapped + 1);

		/* With nothing mapped at all any more. */
		vimport_vm_unmap(gpu.fd, gpu.vm, gpu.va, SIZE);
		igt_assert_eq_u32(query(&bo).maps, 0);
		told = invalidations(&gpu);
		move_times(&bo);
		igt_assert_eq_u64(invalidations(&gpu), told + TIMES);
		igt_assert_eq_u32(query(&bo).maps, 0);
		vimport_vm_map(gpu.fd, gpu.vm, gpu.handle, 0, gpu.va, SIZE, 0);
		write_all(&gpu, &bo, &oracle, "mapped once more");

		igt_assert_eq_u64(query(&bo).stale_words, 0);
		vimport_gpu_fini(&gpu);
		vexport_bo_fini(&bo);
	}
	dmabuf_oracle_fini(&oracle);
}

/* Two attachments of one device: nothing that the one does changes what the other has. */
static void own_sg_table(struct vshare_session *s)
{
	const uint64_t size = ODD_PAGES * PAGE;
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu[2];
	struct vexport_bo bo;

	dmabuf_oracle_init(&oracle, size);
	for (uint32_t from = DRM_VEXPORT_PLACEMENT_TT; from <= DRM_VEXPORT_PLACEMENT_VRAM;
	     from++) {
		vexport_bo_init(&bo, s->exporter, size, from, DRM_VEXPORT_GEM_MOVING);
		for (int i = 0; i < 2; i++)
			vimport_gpu_init(&gpu[i], 0, bo.dmabuf, size, 0);
		for (int round = 0; round < 4; round++) {
			struct vimport_gpu *leaver = &gpu[round & 1], *other = &gpu[!(round & 1)];

			write_all(leaver, &bo, &oracle, "by the one");
			write_all(other, &bo, &oracle, "by the other");
			igt_assert_eq_u32(query(&bo).maps, 2);
			vimport_vm_unmap(leaver->fd, leaver->vm, leaver->va, size);
			igt_assert_eq_u32(query(&bo).maps, 1);
			write_all(other, &bo, &oracle, "by the one that is left");
			if (round & 2)
				vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
			vimport_vm_map(leaver->fd, leaver->vm, leaver->handle, 0, leaver->va,
				       size, 0);
			/* The same place, and one more table that says so. */
			write_all(leaver, &bo, &oracle, "by the one that is back");
			write_all(other, &bo, &oracle, "by the one that has stayed");
			igt_assert_eq_u32(query(&bo).maps, 2);
		}
		igt_assert_eq_u64(query(&bo).stale_words, 0);
		for (int i = 0; i < 2; i++)
			vimport_gpu_fini(&gpu[i]);
		vexport_bo_fini(&bo);
	}
	dmabuf_oracle_fini(&oracle);
}

static void expect_place(const struct vexport_bo *bo, uint32_t placement)
{
	igt_assert_eq_u32(query(bo).placement, placement);
}

static void reach_of_all(struct vshare_session *s)
{
	struct dmabuf_oracle oracle;
	struct vimport_gpu near, far;
	struct vexport_bo bo;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&oracle, SIZE);
	vimport_gpu_init(&near, 0, bo.dmabuf, SIZE, 0);
	write_all(&near, &bo, &oracle, "in VRAM");
	expect_place(&bo, DRM_VEXPORT_PLACEMENT_VRAM);

	/* That one attaches which does not reach VRAM takes nothing from the other ... */
	handle = vimport_import(s->gpu[1], bo.dmabuf, DRM_VIMPORT_IMPORT_NO_P2P);
	write_all(&near, &bo, &oracle, "as before");
	expect_place(&bo, DRM_VEXPORT_PLACEMENT_VRAM);
	/* ... but whoever maps from now on, maps what both can reach. */
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	write_all(&near, &bo, &oracle, "where the other reaches it, too");
	expect_place(&bo, DRM_VEXPORT_PLACEMENT_TT);
	gem_close(s->gpu[1], handle);

	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	write_all(&near, &bo, &oracle, "in VRAM, alone");
	expect_place(&bo, DRM_VEXPORT_PLACEMENT_VRAM);
	/* To map is to have it brought. */
	vimport_gpu_init(&far, 1, bo.dmabuf, SIZE, DRM_VIMPORT_IMPORT_NO_P2P);
	expect_place(&bo, DRM_VEXPORT_PLACEMENT_TT);
	write_all(&near, &bo, &oracle, "by the one from which it was taken");
	write_all(&far, &bo, &oracle, "by the one that it was brought to");
	expect_place(&bo, DRM_VEXPORT_PLACEMENT_TT);
	vimport_gpu_fini(&far);
	vimport_gpu_fini(&near);
	vexport_bo_fini(&bo);
	dmabuf_oracle_fini(&oracle);
}

/* A static importer looks at no fence: what it gets must have arrived, and stay. */
static void pinned_is_ready(struct vshare_session *s)
{
	int vgem = vshare_open_vgem();
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	struct gate gate;
	uint32_t handle;

	dmabuf_oracle_init(&oracle, SIZE);
	for (uint32_t from = DRM_VEXPORT_PLACEMENT_TT; from <= DRM_VEXPORT_PLACEMENT_VRAM;
	     from++) {
		vexport_bo_init(&bo, s->exporter, SIZE, from, DRM_VEXPORT_GEM_MOVING);
		dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
		/* A copy that cannot begin before the other GPU's job has ended. */
		gate_close(&gate, 1, bo.dmabuf, SIZE, GATE_JOBS, 0);
		vexport_move(s->exporter, bo.dmabuf, 0,
			     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
		igt_assert(dmabuf_busy(bo.dmabuf, DMA_BUF_SYNC_READ));
		handle = prime_fd_to_handle(vgem, bo.dmabuf);
		igt_assert(!dmabuf_busy(bo.dmabuf, DMA_BUF_SYNC_READ));
		igt_assert(!gate_closed(&gate));
		gate_open(&gate);
		dmabuf_oracle_check(&oracle, bo.map, "when it is pinned");

		/* It does not reach VRAM, so that is not where the buffer is pinned. */
		expect_place(&bo, DRM_VEXPORT_PLACEMENT_TT);
		igt_assert_lt_u32(0, query(&bo).pins);
		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
		write_all(&gpu, &bo, &oracle, "beside somebody who pins");
		expect_place(&bo, DRM_VEXPORT_PLACEMENT_TT);
		vimport_gpu_fini(&gpu);
		gem_close(vgem, handle);
		vexport_bo_fini(&bo);
	}
	dmabuf_oracle_fini(&oracle);
	close(vgem);
}

static const struct vshare_subtest subtests[] = {
	{ "new-place", "Who maps again after a move gets the new place, and nothing of the old.",
	  new_place },
	{ "remap-at-once", "Importers that want the buffer back at once get on, and so do moves.",
	  remap_at_once },
	{ "told-again", "To be told of a move more than once, or with nothing to lose, does no "
	  "harm.", told_again },
	{ "own-sg-table", "Each mapping is its owner's, who may give it back at any time.",
	  own_sg_table },
	{ "reach-of-all", "A buffer is where every device that is attached reaches it.",
	  reach_of_all },
	{ "pinned-is-ready", "Who pins a buffer gets one that has arrived, in its reach.",
	  pinned_is_ready },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
