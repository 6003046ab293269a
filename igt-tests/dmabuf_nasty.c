// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "vshare.h"

IGT_TEST_DESCRIPTION("Whatever an exporter may do to its importers, no write is lost: two GPUs "
		     "write to a buffer that is difficult, in every way there is, while it moves.");

#define SIZE			(128ull << 10)
#define GPUS			2
#define SHARE			(SIZE / GPUS)
#define HALF			(SHARE / 2)
#define DELAY_NS		(2 * NSEC_PER_MSEC)

/* Each mover makes this many moves at least, with jobs on their way. */
#define ROUNDS			3
#define STORM_RATE		300
#define STORM_MOVES		30
#define STORM_NS		(60 * NSEC_PER_SEC)

/* Of every so many maps one succeeds at the least. */
#define MAX_TRIES		1000

#define RELOCATE		UINT32_MAX

/* What a bit asks for, if it asks for something. */
static const struct drm_vexport_bo_profile numbers = {
	.map_delay_us = 300, .max_segment = 4096, .every = 2,
};

struct setup {
	struct vshare_session s;
	struct vexport_bo bo;
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu[GPUS];
};

static void begin(struct setup *t, const struct drm_vexport_bo_profile *profile)
{
	memset(t, 0, sizeof(*t));
	vshare_session_begin(&t->s);
	vexport_bo_init(&t->bo, t->s.exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&t->oracle, SIZE);
	vexport_set_profile(t->s.exporter, t->bo.dmabuf, profile);
	for (int i = 0; i < GPUS; i++)
		vimport_gpu_init(&t->gpu[i], i, t->bo.dmabuf, SIZE, 0);
}

/*
 * Each bit must have had its chance, or it proves nothing that the data is right. Peer to
 * peer only shows on others, and a preset may have it, too.
 */
static void expect_acted(struct setup *t, const struct drm_vexport_bo_profile *profile)
{
	struct drm_vimport_import import = {
		.fd = t->bo.dmabuf, .flags = DRM_VIMPORT_IMPORT_NO_P2P,
	};
	struct drm_vexport_bo_profile now;

	if (profile->nasty & DRM_VEXPORT_NASTY_P2P_ONLY)
		igt_assert_eq(__vimport_import(t->gpu[0].fd, &import), -EOPNOTSUPP);
	vexport_get_profile(t->s.exporter, t->bo.dmabuf, &now);
	for (unsigned int bit = 0; vshare_nasty_name(bit); bit++) {
		if (profile->nasty & 1u << bit)
			igt_assert_f(now.acted[bit], "%s has not acted once\n",
				     vshare_nasty_name(bit));
		else
			igt_assert_eq_u64(now.acted[bit], 0);
	}
}

/* For as long as this is not so a storm goes on: there may be few maps in many moves. */
static bool have_acted(struct setup *t, const struct drm_vexport_bo_profile *profile)
{
	struct drm_vexport_bo_profile now;

	vexport_get_profile(t->s.exporter, t->bo.dmabuf, &now);
	for (unsigned int bit = 0; vshare_nasty_name(bit); bit++) {
		if (profile->nasty & ~DRM_VEXPORT_NASTY_P2P_ONLY & 1u << bit && !now.acted[bit])
			return false;
	}
	return true;
}

static void end(struct setup *t, const struct drm_vexport_bo_profile *profile)
{
	struct drm_vexport_bo_query query;

	dmabuf_oracle_check(&t->oracle, t->bo.map, "at the end");
	vexport_query(t->s.exporter, t->bo.dmabuf, &query);
	igt_assert_eq_u64(query.stale_words, 0);
	igt_assert_eq_u64(query.stale_moves, 0);
	expect_acted(t, profile);
	for (int i = 0; i < GPUS; i++)
		vimport_gpu_fini(&t->gpu[i]);
	dmabuf_oracle_fini(&t->oracle);
	vexport_bo_fini(&t->bo);
	vshare_session_end(&t->s);
}

/* Writes half of the GPU's share, stays for a while, and writes the other half. */
static uint32_t submit(struct setup *t, int i)
{
	uint32_t done = syncobj_create(t->gpu[i].fd, 0);
	struct vimport_job job = {};
	unsigned int tries = 0;
	int ret;

	for (size_t offset = i * SHARE; offset < (i + 1) * SHARE; offset += HALF) {
		vimport_job_tag(&job, t->gpu[i].va + offset, HALF,
				dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0 + i, offset,
						  HALF));
		if (offset == i * SHARE)
			vimport_job_delay(&job, DELAY_NS);
	}
	vimport_job_sync(&job, done, 0, DRM_VIMPORT_SYNC_SIGNAL);
	do {
		ret = __vimport_exec(t->gpu[i].fd, t->gpu[i].vm, &job, 0);
	} while (ret == -EBUSY && ++tries < MAX_TRIES);
	igt_assert_f(!ret, "Submitting a job failed: %s\n", strerror(-ret));
	return done;
}

static void finish(struct setup *t, const uint32_t *done, const char *when)
{
	for (int i = 0; i < GPUS; i++)
		igt_assert_eq(vimport_wait(t->gpu[i].fd, done[i]), 0);
	dmabuf_oracle_check(&t->oracle, t->bo.map, when);
}

static void moving(const struct drm_vexport_bo_profile *profile)
{
	static const uint32_t moves[] = {
		RELOCATE, DRM_VEXPORT_PLACEMENT_TT, RELOCATE, DRM_VEXPORT_PLACEMENT_SYSTEM,
		DRM_VEXPORT_PLACEMENT_VRAM, RELOCATE, RELOCATE,
	};
	uint32_t done[GPUS];
	struct setup t;

	begin(&t, profile);
	for (unsigned int i = 0; i < ROUNDS * ARRAY_SIZE(moves); i++) {
		uint32_t to = moves[i % ARRAY_SIZE(moves)];

		for (int gpu = 0; gpu < GPUS; gpu++)
			done[gpu] = submit(&t, gpu);
		vexport_move(t.s.exporter, t.bo.dmabuf, to,
			     to == RELOCATE ? DRM_VEXPORT_MOVE_RELOCATE : 0);
		finish(&t, done, "after a move");
	}
	end(&t, profile);
}

static void storm(const struct drm_vexport_bo_profile *profile)
{
	struct drm_vexport_storm_counters counters;
	struct drm_vexport_storm args = {
		.fd_count = 1, .rate = STORM_RATE, .seed = 4,
		.kinds = DRM_VEXPORT_STORM_RELOCATE | DRM_VEXPORT_STORM_SYSTEM |
			 DRM_VEXPORT_STORM_TT | DRM_VEXPORT_STORM_VRAM | DRM_VEXPORT_STORM_EVICT,
	};
	struct timespec since = {};
	uint32_t done[GPUS];
	struct setup t;
	int32_t fd;

	begin(&t, profile);
	fd = t.bo.dmabuf;
	args.fds = to_user_pointer(&fd);
	do_ioctl(t.s.exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	do {
		for (int gpu = 0; gpu < GPUS; gpu++)
			done[gpu] = submit(&t, gpu);
		finish(&t, done, "in the storm");
		igt_assert_eq(read(args.storm_fd, &counters, sizeof(counters)), sizeof(counters));
		igt_assert_f(igt_nsec_elapsed(&since) < STORM_NS,
			     "Few moves, or something that has not acted once\n");
	} while (counters.moves < STORM_MOVES || !have_acted(&t, profile));
	close(args.storm_fd);
	end(&t, profile);
}

static void both(const char *name, const struct drm_vexport_bo_profile *profile)
{
	igt_describe_f("No write is lost while somebody moves a buffer that is %s.", name);
	igt_subtest_f("moving-%s", name)
		moving(profile);

	igt_describe_f("No write is lost in a storm around a buffer that is %s.", name);
	igt_subtest_f("storm-%s", name)
		storm(profile);
}

static struct drm_vexport_bo_profile profile_of(unsigned int bit)
{
	struct drm_vexport_bo_profile profile = { .nasty = 1u << bit };

	if (profile.nasty == DRM_VEXPORT_NASTY_MAP_SLOW)
		profile.map_delay_us = numbers.map_delay_us;
	if (profile.nasty == DRM_VEXPORT_NASTY_FRAGMENTED)
		profile.max_segment = numbers.max_segment;
	if (profile.nasty & (DRM_VEXPORT_NASTY_NOTIFY_SPURIOUS | DRM_VEXPORT_NASTY_MAP_BUSY |
			     DRM_VEXPORT_NASTY_MAP_INTR | DRM_VEXPORT_NASTY_MAP_TO_TT))
		profile.every = numbers.every;
	return profile;
}

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
		close(vimport_open(1));
	}

	for (unsigned int bit = 0; vshare_nasty_name(bit); bit++) {
		struct drm_vexport_bo_profile profile = profile_of(bit);

		both(vshare_nasty_name(bit), &profile);
	}

	for (unsigned int i = 0; vshare_profile_name(i); i++) {
		char name[32];
		struct drm_vexport_bo_profile profile;

		igt_assert_eq(vshare_profile_find(vshare_profile_name(i), &profile), 0);
		snprintf(name, sizeof(name), "like-%s", vshare_profile_name(i));
		both(name, &profile);
	}
}
