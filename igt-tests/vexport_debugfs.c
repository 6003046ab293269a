// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <signal.h>

#include "igt.h"
#include "igt_vexport.h"
#include "igt_vexport_table.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The tables in debugfs show the buffers and attachments that there are, and "
		     "looking at them disturbs nobody.");

#define SIZE			(64u << 10)

/* How long tables are read while everything changes. */
#define RACE_NS			(2ull * NSEC_PER_SEC)
#define RACERS			3

static const uint32_t placements[] = {
	DRM_VEXPORT_PLACEMENT_SYSTEM,
	DRM_VEXPORT_PLACEMENT_TT,
	DRM_VEXPORT_PLACEMENT_VRAM,
};

static int find(struct vexport_table *table, struct vshare_session *s, uint64_t inode)
{
	vexport_table_read(table, s->exporter, "buffers");
	return vexport_table_find_dmabuf(table, inode);
}

/* The row of a buffer says what BO_QUERY says. */
static void check_buffer(struct vshare_session *s, const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query query;
	struct vexport_table table;
	int row;

	vexport_query(s->exporter, bo->dmabuf, &query);
	row = find(&table, s, vexport_dmabuf_inode(bo->dmabuf));
	igt_assert_f(row >= 0, "The buffer has no row\n");
	igt_assert_eq_u64(vexport_table_u64(&table, row, "size"), query.size);
	igt_assert(!strcmp(vexport_table_text(&table, row, "placement"),
			   vexport_placement_name(query.placement)));
	igt_assert(!strcmp(vexport_table_text(&table, row, "policy"),
			   query.create_flags & DRM_VEXPORT_GEM_MOVING ? "moving" : "core"));
	igt_assert_eq_u64(vexport_table_u64(&table, row, "generation"), query.generation);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "attachments"), query.attachments);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "pins"), query.pins);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "maps"), query.maps);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "moves-busy"), query.moves_busy);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "evictions"), query.evictions);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "notifies"), query.notifies);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "stale-moves"), query.stale_moves);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "stale-words"), query.stale_words);
	igt_assert_eq_u64(vexport_table_u64(&table, row, "quarantined"), query.quarantined);
	vexport_table_free(&table);
}

static void buffers(struct vshare_session *s)
{
	struct vexport_bo bo[ARRAY_SIZE(placements)];
	uint64_t inode[ARRAY_SIZE(placements)];
	struct vexport_table table;
	unsigned int rows;

	find(&table, s, 0);
	rows = table.rows;
	vexport_table_free(&table);

	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		vexport_bo_init(&bo[i], s->exporter, (i + 1) * SIZE, placements[i],
				i & 1 ? DRM_VEXPORT_GEM_MOVING : 0);
		inode[i] = vexport_dmabuf_inode(bo[i].dmabuf);
		check_buffer(s, &bo[i]);
	}
	vexport_move(s->exporter, bo[0].dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_move(s->exporter, bo[1].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++)
		check_buffer(s, &bo[i]);

	/* Without a handle it is still a buffer. */
	vexport_bo_close_handle(&bo[0]);
	check_buffer(s, &bo[0]);

	find(&table, s, 0);
	igt_assert_eq_u32(table.rows, rows + ARRAY_SIZE(placements));
	vexport_table_free(&table);
	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		vexport_bo_fini(&bo[i]);
		igt_assert_eq(find(&table, s, inode[i]), -1);
		vexport_table_free(&table);
	}
	find(&table, s, 0);
	igt_assert_eq_u32(table.rows, rows);
	vexport_table_free(&table);
}

struct attached {
	unsigned int rows, pins, maps, hard, dynamic, p2p;
};

/* Adds up what the table says of the buffer, which must be what BO_QUERY says. */
static struct attached attached(struct vshare_session *s, const struct vexport_bo *bo)
{
	uint64_t id = vexport_buffer_id(s->exporter, bo->dmabuf);
	struct drm_vexport_bo_query query, before;
	struct attached sum = {};
	struct vexport_table table;

	/* An importer that was told of a move gives its sg table back when it likes. */
	vexport_query(s->exporter, bo->dmabuf, &query);
	do {
		before = query;
		vexport_table_read(&table, s->exporter, "attachments");
		vexport_query(s->exporter, bo->dmabuf, &query);
		if (query.maps != before.maps)
			vexport_table_free(&table);
	} while (query.maps != before.maps);

	for (unsigned int row = 0; row < table.rows; row++) {
		if (vexport_table_u64(&table, row, "buffer") != id)
			continue;
		igt_assert_eq_u64(vexport_table_u64(&table, row, "dmabuf"),
				  vexport_dmabuf_inode(bo->dmabuf));
		sum.rows++;
		sum.pins += vexport_table_u64(&table, row, "pins");
		sum.maps += vexport_table_u64(&table, row, "maps");
		sum.hard += vexport_table_u64(&table, row, "hard");
		sum.p2p += !strcmp(vexport_table_text(&table, row, "vram"), "yes");
		if (strcmp(vexport_table_text(&table, row, "kind"), "dynamic"))
			continue;
		sum.dynamic++;
		igt_assert_f(strstr(vexport_table_text(&table, row, "importer"), "vimport"),
			     "The importer is called '%s'\n",
			     vexport_table_text(&table, row, "importer"));
	}
	vexport_table_free(&table);
	igt_assert_eq_u32(sum.rows, query.attachments);
	igt_assert_eq_u32(sum.maps, query.maps);
	igt_assert_eq_u32(sum.hard, query.pins);
	return sum;
}

/* The importer lets go of a buffer in a worker, once its last job is freed. */
static void settle(struct vshare_session *s, const struct vexport_bo *bo, unsigned int rows)
{
	struct timespec since = {};
	struct drm_vexport_bo_query query;

	igt_nsec_elapsed(&since);
	do {
		usleep(500);
		vexport_query(s->exporter, bo->dmabuf, &query);
	} while (query.attachments > rows && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS);
	igt_assert_eq_u32(attached(s, bo).rows, rows);
}

static void attachments(struct vshare_session *s)
{
	struct drm_vexport_info info;
	struct vimport_gpu gpu[2];
	struct attached now;
	struct vexport_bo bo;
	bool core_pins;

	vexport_get_info(s->exporter, &info);
	core_pins = info.caps & DRM_VEXPORT_CAP_IMPLICIT_PIN;
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	igt_assert_eq_u32(attached(s, &bo).rows, 0);

	vimport_gpu_init(&gpu[0], 0, bo.dmabuf, SIZE, 0);
	vimport_gpu_init(&gpu[1], 1, bo.dmabuf, SIZE, DRM_VIMPORT_IMPORT_NO_P2P);
	now = attached(s, &bo);
	igt_assert_eq_u32(now.rows, 2);
	igt_assert_eq_u32(now.dynamic, 2);
	igt_assert_eq_u32(now.p2p, 1);

	/* A job maps what it writes to, once. */
	for (unsigned int i = 0; i < ARRAY_SIZE(gpu); i++) {
		struct vimport_job job = {};

		vimport_job_fill(&job, gpu[i].va, SIZE, 1);
		vimport_run(gpu[i].fd, gpu[i].vm, &job);
	}
	now = attached(s, &bo);
	igt_assert_eq_u32(now.maps, 2);
	igt_assert_eq_u32(now.pins, core_pins ? 2 : 0);
	igt_assert_eq_u32(now.hard, 0);

	vimport_gpu_fini(&gpu[1]);
	settle(s, &bo, 1);
	vimport_gpu_fini(&gpu[0]);
	settle(s, &bo, 0);
	vexport_bo_fini(&bo);
}

static void static_importer(struct vshare_session *s)
{
	int vgem = vshare_open_vgem();
	struct attached now;
	struct vexport_bo bo;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	now = attached(s, &bo);
	igt_assert_eq_u32(now.rows, 1);
	igt_assert_eq_u32(now.dynamic, 0);
	igt_assert_eq_u32(now.p2p, 0);
	igt_assert_eq_u32(now.maps, 1);
	igt_assert_eq_u32(now.hard, 1);
	check_buffer(s, &bo);

	gem_close(vgem, handle);
	igt_assert_eq_u32(attached(s, &bo).rows, 0);
	check_buffer(s, &bo);
	vexport_bo_fini(&bo);
	close(vgem);
}

/* Buffers and attachments come, move and go as fast as one process can do it. */
static void race(int child)
{
	struct timespec since = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	int fd = vexport_open();

	igt_nsec_elapsed(&since);
	for (unsigned int i = child; igt_nsec_elapsed(&since) < RACE_NS; i++) {
		struct vimport_job job = {};

		vexport_bo_init(&bo, fd, SIZE, placements[i % ARRAY_SIZE(placements)],
				DRM_VEXPORT_GEM_MOVING);
		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
		vexport_bo_close_handle(&bo);
		vimport_job_fill(&job, gpu.va, SIZE, i);
		vimport_run(gpu.fd, gpu.vm, &job);
		vexport_move(fd, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		vexport_bo_fini(&bo);
		vimport_gpu_fini(&gpu);
	}
	close(fd);
}

static void race_with_owners(struct vshare_session *s)
{
	struct timespec since = {};
	struct vexport_table table;
	unsigned int reads = 0, seen = 0;

	igt_fork(child, RACERS)
		race(child);
	igt_nsec_elapsed(&since);
	while (igt_nsec_elapsed(&since) < RACE_NS) {
		vexport_table_read(&table, s->exporter, reads & 1 ? "attachments" : "buffers");
		seen += table.rows;
		reads++;
		vexport_table_free(&table);
	}
	igt_waitchildren();
	igt_info("%u rows in %u reads\n", seen, reads);
	igt_assert_lt_u32(0, seen);
}

static const struct vshare_subtest subtests[] = {
	{ "buffers", "Every buffer has a row for as long as it exists, and the row is true.",
	  buffers },
	{ "attachments", "Every attachment has a row, with its pins and mappings.", attachments },
	{ "static-importer", "An importer that is not told of moves is seen to pin.",
	  static_importer },
	{ "race", "Tables can be read while buffers and attachments come and go.",
	  race_with_owners },
};

igt_main
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
