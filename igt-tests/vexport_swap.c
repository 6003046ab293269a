// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>

#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_gate.h"
#include "igt_swap.h"
#include "igt_syncobj.h"
#include "igt_ttm.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The kernel takes a buffer's pages away and puts the content into swap: it "
		     "comes back whole, and importers know of it.");

#define SIZE			(256u << 10)
#define DELAY_NS		(100 * NSEC_PER_MSEC)

/* How many pages all of TTM may have, before it swaps out by itself. */
#define PAGES_LIMIT		"/sys/module/ttm/parameters/pages_limit"

static char saved_limit[32];

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	igt_require_f(fd >= 0, "Needs %s and root: %m\n", path);
	len = read(fd, text, size - 1);
	igt_assert_lte(0, len);
	text[len] = '\0';
	close(fd);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	igt_require_f(fd >= 0, "Needs %s and root: %m\n", path);
	igt_assert_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void restore_limit(int sig)
{
	int fd;

	if (!saved_limit[0])
		return;
	fd = open(PAGES_LIMIT, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, saved_limit, strlen(saved_limit)) < 0)
		igt_warn("%s is still low: write %s to it\n", PAGES_LIMIT, saved_limit);
	close(fd);
	saved_limit[0] = '\0';
}

static uint32_t storages(struct vshare_session *s)
{
	struct drm_vexport_info info;

	vexport_get_info(s->exporter, &info);
	return info.storages - s->start.exporter.storages;
}

static void content(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct dmabuf_oracle oracle;
	struct vexport_bo bo;
	uint64_t *gem;

	dmabuf_oracle_init(&oracle, SIZE);
	for (uint32_t place = DRM_VEXPORT_PLACEMENT_SYSTEM; place <= DRM_VEXPORT_PLACEMENT_TT;
	     place++) {
		vexport_bo_init(&bo, s->exporter, SIZE, place, 0);
		gem = vexport_gem_mmap(s->exporter, bo.handle, SIZE);
		for (int i = 0; i < 3; i++) {
			dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
			ttm_swap_out(s);
			vexport_query(s->exporter, bo.dmabuf, &query);
			igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_SYSTEM);
			/* The mappings that exist bring it back, to other pages. */
			dmabuf_oracle_check(&oracle, i & 1 ? gem : bo.map, "back from swap");
			igt_assert_eq(storages(s), 1);
			vexport_move(s->exporter, bo.dmabuf, place, 0);
		}
		munmap(gem, SIZE);
		vexport_bo_fini(&bo);
	}
	dmabuf_oracle_fini(&oracle);
}

static void moved_while_away(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct dmabuf_oracle oracle;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	dmabuf_oracle_init(&oracle, SIZE);
	for (uint32_t place = 0; place < 4; place++) {
		bool relocate = place > DRM_VEXPORT_PLACEMENT_VRAM;

		vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
		dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
		ttm_swap_out(s);
		vexport_move(s->exporter, bo.dmabuf, place,
			     relocate ? DRM_VEXPORT_MOVE_RELOCATE : 0);
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq_u32(query.placement, relocate ? 0 : place);
		dmabuf_oracle_check(&oracle, bo.map, "after a move from swap");
	}
	vexport_bo_fini(&bo);
	dmabuf_oracle_fini(&oracle);
}

static void never_touched(struct vshare_session *s)
{
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	ttm_swap_out(s);
	for (size_t i = 0; i < SIZE / sizeof(*bo.map); i++)
		igt_assert_eq_u64(bo.map[i], 0);
	vexport_bo_fini(&bo);
}

static void importer(struct vshare_session *s)
{
	struct drm_vexport_bo_query before, query;
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	dmabuf_oracle_init(&oracle, SIZE);
	for (int i = 0; i < 4; i++) {
		struct vimport_job job = {};
		uint32_t done;

		/* A job is on its way when the pages are taken, but for the last time. */
		if (i < 3)
			vimport_job_delay(&job, DELAY_NS);
		vimport_job_tag(&job, gpu.va, SIZE,
				dmabuf_oracle_tag(&oracle, DMABUF_WRITER_GPU0, 0, SIZE));
		done = vimport_submit(gpu.fd, gpu.vm, &job, 0);
		if (i == 3) {
			igt_assert_eq(vimport_wait(gpu.fd, done), 0);
			done = 0;
		}
		vexport_query(s->exporter, bo.dmabuf, &before);
		igt_assert_eq_u32(before.placement, DRM_VEXPORT_PLACEMENT_TT);
		for (int tries = 0; ; tries++) {
			igt_assert_lt(tries, TTM_MAX_SHRINKS);
			ttm_shrink();
			vexport_query(s->exporter, bo.dmabuf, &query);
			/* It has no pages but those that the importer may still have mapped. */
			if (query.placement == DRM_VEXPORT_PLACEMENT_SYSTEM &&
			    storages(s) == query.quarantined / SIZE)
				break;
		}
		igt_assert_lt_u64(before.notifies, query.notifies);
		dmabuf_oracle_check(&oracle, bo.map, "back from swap");
		if (done)
			igt_assert_eq(vimport_wait(gpu.fd, done), 0);
		igt_assert_eq_u64(query.stale_words, 0);
	}
	vimport_gpu_fini(&gpu);
	/* What it had mapped goes with it, but a worker does that. */
	vexport_wait_attachments(s->exporter, bo.dmabuf, 0);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u64(query.stale_words | query.quarantined, 0);
	vexport_bo_fini(&bo);
	dmabuf_oracle_fini(&oracle);
}

static void spares_pinned(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	int vgem = vshare_open_vgem();
	struct vexport_bo bo;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	for (int i = 0; i < TTM_MAX_SHRINKS; i++)
		ttm_shrink();
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_TT);
	igt_assert_eq_u64(query.generation, 0);
	igt_assert_eq(storages(s), 1);

	gem_close(vgem, handle);
	ttm_swap_out(s);
	vexport_bo_fini(&bo);
	close(vgem);
}

#define PRESSURE_BUFFERS	6
#define PRESSURE_SIZE		(2u << 20)
#define PRESSURE_PAGES		"1024"

static void pressure(struct vshare_session *s)
{
	struct dmabuf_oracle oracle[PRESSURE_BUFFERS];
	struct vexport_bo bo[PRESSURE_BUFFERS];
	unsigned int away = 0;

	read_file(PAGES_LIMIT, saved_limit, sizeof(saved_limit));
	write_file(PAGES_LIMIT, PRESSURE_PAGES);
	for (int i = 0; i < PRESSURE_BUFFERS; i++) {
		vexport_bo_init(&bo[i], s->exporter, PRESSURE_SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
		dmabuf_oracle_init(&oracle[i], PRESSURE_SIZE);
		dmabuf_oracle_store(&oracle[i], bo[i].map, 0, PRESSURE_SIZE);
	}
	/* The limit is good for two of them. */
	igt_assert_lte(storages(s), 2);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < PRESSURE_BUFFERS; i++) {
			away += storages(s) < PRESSURE_BUFFERS;
			dmabuf_oracle_check(&oracle[i], bo[i].map, "back from swap");
			dmabuf_oracle_store(&oracle[i], bo[i].map, PRESSURE_SIZE / 2,
					    PRESSURE_SIZE / 2);
		}
	}
	igt_assert_eq(away, 2 * PRESSURE_BUFFERS);
	restore_limit(0);
	for (int i = 0; i < PRESSURE_BUFFERS; i++) {
		vexport_bo_fini(&bo[i]);
		dmabuf_oracle_fini(&oracle[i]);
	}
}

/* The kernel asks all its shrinkers, as it does when memory is short. */
static void drop_objects(void)
{
	write_file("/proc/sys/vm/drop_caches", "2");
}

static void reclaim(struct vshare_session *s)
{
	struct drm_vexport_bo_query query, now;
	struct dmabuf_oracle oracle;
	struct vimport_job job = {};
	struct timespec since = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t opened, done;
	struct gate gate;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&oracle, SIZE);
	dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);

	/* Where there is no swap, nothing would be won. */
	drop_objects();
	usleep(DELAY_NS / NSEC_PER_USEC);
	igt_assert_eq(storages(s), 1);

	swap_start();
	while (storages(s)) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), 20 * NSEC_PER_SEC);
		drop_objects();
	}
	dmabuf_oracle_check(&oracle, bo.map, "back from swap");

	/* A buffer that a GPU uses stays where it is, and the GPU is not told of anything. */
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	/* To ask all shrinkers may take long: the job does not end before that. */
	gate_close(&gate, 0, -1, 0, GATE_LONG, 0);
	opened = gate_syncobj(&gate, gpu.fd);
	vimport_job_sync(&job, opened, 0, 0);
	vimport_job_tag(&job, gpu.va, SIZE,
			dmabuf_oracle_tag(&oracle, DMABUF_WRITER_GPU0, 0, SIZE));
	done = vimport_submit(gpu.fd, gpu.vm, &job, 0);
	vexport_query(s->exporter, bo.dmabuf, &query);
	drop_objects();
	usleep(DELAY_NS / NSEC_PER_USEC);
	igt_assert_eq(storages(s), 1);
	vexport_query(s->exporter, bo.dmabuf, &now);
	igt_assert_eq_u64(now.notifies, query.notifies);
	igt_assert(gate_closed(&gate));
	syncobj_destroy(gpu.fd, opened);
	gate_open(&gate);
	igt_assert_eq(vimport_wait(gpu.fd, done), 0);
	dmabuf_oracle_check(&oracle, bo.map, "after a job that nobody disturbed");
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
	dmabuf_oracle_fini(&oracle);
	swap_stop(0);
}

static const struct vshare_subtest subtests[] = {
	{ "content", "What was in the pages is in others when somebody looks again.", content },
	{ "moved-while-away", "A buffer that is swapped out can be moved.", moved_while_away },
	{ "never-touched", "Zeroes come back as zeroes.", never_touched },
	{ "importer", "A GPU is told, its job waited for, and its next job finds the new pages.",
	  importer },
	{ "spares-pinned", "The pages that a static importer holds stay.", spares_pinned },
	{ "reclaim", "When memory is short, buffers that nobody uses go to swap.", reclaim },
	{ "pressure", "More buffers than TTM has pages for take turns.", pressure },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		igt_install_exit_handler(restore_limit);
		igt_install_exit_handler(swap_stop);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
