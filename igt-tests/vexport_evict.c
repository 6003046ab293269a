// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Everything leaves the VRAM at a word from root, unharmed, but for what is "
		     "pinned there.");

#define SIZE			(256u << 10)
#define BUFFERS			8
#define NOBODY			65534
#define ROUNDS			40
/* An eviction has to begin while the importer is busy: as much work as it may have. */
#define DELAY_NS		(400 * NSEC_PER_MSEC)
#define MORE_JOBS		3

static struct drm_vexport_evict evict(int fd)
{
	struct drm_vexport_evict args = {};

	do_ioctl(fd, DRM_IOCTL_VEXPORT_EVICT, &args);
	return args;
}

static void expect_query(struct vshare_session *s, const struct vexport_bo *bo,
			 uint32_t placement, uint64_t evictions)
{
	struct drm_vexport_bo_query query;

	vexport_query(s->exporter, bo->dmabuf, &query);
	igt_assert_eq_u32(query.placement, placement);
	igt_assert_eq_u64(query.evictions, evictions);
}

static void everything_leaves(struct vshare_session *s)
{
	struct dmabuf_oracle oracle[BUFFERS];
	struct vexport_bo bos[BUFFERS], elsewhere;
	struct drm_vexport_evict counts;
	struct drm_vexport_info info;
	uint32_t handle;

	vexport_bo_init(&elsewhere, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (int i = 0; i < BUFFERS; i++) {
		vexport_bo_init(&bos[i], s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		dmabuf_oracle_init(&oracle[i], SIZE);
		dmabuf_oracle_store(&oracle[i], bos[i].map, 0, SIZE);
	}
	/* The one without a dma-buf, and one whose handle is gone, leave as well. */
	handle = vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_bo_close_handle(&bos[0]);

	counts = evict(s->exporter);
	igt_assert_eq(counts.evicted, BUFFERS + 1);
	igt_assert_eq(counts.skipped, 0);
	vexport_get_info(s->exporter, &info);
	igt_assert_eq_u64(info.evictions - s->start.exporter.evictions, BUFFERS + 1);
	igt_assert_eq_u64(info.vram_used, s->start.exporter.vram_used);
	expect_query(s, &elsewhere, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (int i = 0; i < BUFFERS; i++) {
		expect_query(s, &bos[i], DRM_VEXPORT_PLACEMENT_TT, 1);
		dmabuf_oracle_check(&oracle[i], bos[i].map, "after an eviction");
	}

	/* Nothing is left to do. */
	counts = evict(s->exporter);
	igt_assert_eq(counts.evicted | counts.skipped, 0);

	for (int i = 0; i < BUFFERS; i++) {
		dmabuf_oracle_fini(&oracle[i]);
		vexport_bo_fini(&bos[i]);
	}
	gem_close(s->exporter, handle);
	vexport_bo_fini(&elsewhere);
}

static void skips_pinned(struct vshare_session *s)
{
	struct drm_vexport_evict counts;
	struct vimport_job job = {};
	struct vexport_bo bos[3];
	struct vimport_gpu gpu;

	igt_require_f(s->start.exporter.caps & DRM_VEXPORT_CAP_IMPLICIT_PIN,
		      "Needs a kernel whose core pins for importers that reach VRAM\n");
	for (int i = 0; i < 3; i++)
		vexport_bo_init(&bos[i], s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	/* In the middle, so that one comes before and one after it in any order. */
	vimport_gpu_init(&gpu, 0, bos[1].dmabuf, SIZE, 0);
	vimport_job_fill(&job, gpu.va, SIZE, 0x77);
	vimport_run(gpu.fd, gpu.vm, &job);
	counts = evict(s->exporter);
	igt_assert_eq(counts.evicted, 2);
	igt_assert_eq(counts.skipped, 1);
	expect_query(s, &bos[0], DRM_VEXPORT_PLACEMENT_TT, 1);
	expect_query(s, &bos[1], DRM_VEXPORT_PLACEMENT_VRAM, 0);
	expect_query(s, &bos[2], DRM_VEXPORT_PLACEMENT_TT, 1);

	/* Its pin goes with it, but a worker does that. */
	vimport_gpu_fini(&gpu);
	vexport_wait_attachments(s->exporter, bos[1].dmabuf, 0);
	counts = evict(s->exporter);
	igt_assert_eq(counts.evicted, 1);
	igt_assert_eq(counts.skipped, 0);
	igt_assert_eq_u64(bos[1].map[0], 0x77);
	for (int i = 0; i < 3; i++)
		vexport_bo_fini(&bos[i]);
}

static void waits_for_importers(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct drm_vexport_evict counts;
	struct vimport_job job = {}, more = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t done;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	vimport_job_fill(&job, gpu.va, SIZE / 2, 1);
	vimport_job_delay(&job, DELAY_NS);
	vimport_job_fill(&job, gpu.va + SIZE / 2, SIZE / 2, 2);
	done = vimport_submit(gpu.fd, gpu.vm, &job, 0);
	vimport_job_delay(&more, DELAY_NS);
	for (int i = 0; i < MORE_JOBS; i++)
		igt_assert_eq(__vimport_exec(gpu.fd, gpu.vm, &more, 0), 0);
	counts = evict(s->exporter);
	igt_assert_eq(counts.evicted, 1);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_TT);
	igt_assert_lt_u64(0, query.notifies);
	igt_assert_eq_u64(query.moves_busy, 1);
	igt_assert_eq_u64(query.stale_words, 0);
	igt_assert_eq_u64(bo.map[0], 1);
	igt_assert_eq_u64(bo.map[SIZE / sizeof(*bo.map) - 1], 2);
	igt_assert_eq(vimport_wait(gpu.fd, done), 0);

	/* The next job finds it where it is now. */
	job = (struct vimport_job) {};
	vimport_job_fill(&job, gpu.va, SIZE, 3);
	vimport_run(gpu.fd, gpu.vm, &job);
	igt_assert_eq_u64(bo.map[0], 3);
	igt_assert_eq_u64(bo.map[SIZE / sizeof(*bo.map) - 1], 3);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

/* Others create, move and drop buffers all the time. */
static void races(struct vshare_session *s)
{
	struct igt_helper_process helper = { .use_SIGKILL = true };
	struct dmabuf_oracle oracle;
	struct vexport_bo bo;

	dmabuf_oracle_init(&oracle, SIZE);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
	igt_fork_helper(&helper) {
		int fd = vexport_open();

		for (;;) {
			uint32_t handle = vexport_gem_create(fd, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
							     0);

			vexport_move(fd, bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
			gem_close(fd, handle);
		}
	}
	for (int i = 0; i < ROUNDS; i++) {
		evict(s->exporter);
		dmabuf_oracle_check(&oracle, bo.map, "while it comes and goes");
	}
	igt_stop_helper(&helper);
	vexport_bo_fini(&bo);
	dmabuf_oracle_fini(&oracle);
}

static void root_only(struct vshare_session *s)
{
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	igt_fork(child, 1) {
		struct drm_vexport_evict args = {};

		igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_EVICT, &args, EPERM);
	}
	igt_waitchildren();
	expect_query(s, &bo, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_bo_fini(&bo);
}

static void bad_flags(struct vshare_session *s)
{
	for (uint32_t bad = 1; bad; bad <<= 1) {
		struct drm_vexport_evict args = { .flags = bad };

		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_EVICT, &args, EINVAL);
	}
}

static void bad_pad(struct vshare_session *s)
{
	struct drm_vexport_evict args = { .pad = 1 };

	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_EVICT, &args, EINVAL);
}

static const struct vshare_subtest subtests[] = {
	{ "everything-leaves", "All buffers go to TT with what is in them, and VRAM is empty.",
	  everything_leaves },
	{ "skips-pinned", "What is pinned stays and is counted, and the others leave.",
	  skips_pinned },
	{ "waits-for-importers", "Importers are told, and their jobs waited for.",
	  waits_for_importers },
	{ "races", "Buffers that come and go meanwhile do no harm.", races },
	{ "root-only", "Others have no say in where everybody's buffers are.", root_only },
	{ "bad-flags", "Unknown flags are refused.", bad_flags },
	{ "bad-pad", "Padding is reserved.", bad_pad },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
