// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A buffer is taken away from another device, which has it mapped, has a job "
		     "for it waiting, or is writing to it: what was submitted ends, nothing new "
		     "begins, and what comes back is as the last writer left it.");

#define SIZE			(256u << 10)
#define HALF			(SIZE / 2)
#define PAGE			4096u

#define NONE			DRM_VEXPORT_REVOKE_NONE
#define TEMPORARY		DRM_VEXPORT_REVOKE_TEMPORARY
#define PERMANENT		DRM_VEXPORT_REVOKE_PERMANENT

#define SOON_NS			(30 * NSEC_PER_SEC)
#define DELAY_NS		(400 * NSEC_PER_MSEC)

enum importer_state { IDLE, QUEUED, RUNNING };

/* A buffer with what the oracle knows of it, and a GPU that has written to it. */
struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu;
};

static struct vimport_job tag_job(struct setup *t, size_t offset, size_t size)
{
	struct vimport_job job = {};

	vimport_job_tag(&job, t->gpu.va + offset, size,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0, offset, size));
	return job;
}

static void begin(struct setup *t, struct vshare_session *s, uint32_t placement, uint32_t flags)
{
	struct vimport_job job;

	t->s = s;
	vexport_bo_init(&t->bo, s->exporter, SIZE, placement, flags);
	dmabuf_oracle_init(&t->oracle, SIZE);
	vimport_gpu_init(&t->gpu, 0, t->bo.dmabuf, SIZE, 0);
	job = tag_job(t, 0, SIZE);
	vimport_run(t->gpu.fd, t->gpu.vm, &job);
	dmabuf_oracle_check(&t->oracle, t->bo.map, "before the revoke");
}

static void end(struct setup *t)
{
	struct drm_vexport_bo_query query;

	vexport_query(t->s->exporter, t->bo.dmabuf, &query);
	igt_assert_eq_u64(query.stale_words, 0);
	vimport_gpu_fini(&t->gpu);
	vexport_bo_fini(&t->bo);
	dmabuf_oracle_fini(&t->oracle);
}

static bool is_done(struct setup *t, uint32_t *done)
{
	return syncobj_wait_err(t->gpu.fd, done, 1, 0, 0) == 0;
}

/* A job that is between two writes when this returns. */
static uint32_t start_running(struct setup *t)
{
	const size_t last = HALF / sizeof(*t->bo.map) - 1;
	struct vimport_job job = tag_job(t, 0, HALF);
	struct timespec since = {};
	uint32_t done;

	vimport_job_delay(&job, DELAY_NS);
	vimport_job_tag(&job, t->gpu.va + HALF, HALF,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0, HALF, HALF));
	done = vimport_submit(t->gpu.fd, t->gpu.vm, &job, 0);
	while (READ_ONCE(t->bo.map[last]) != t->oracle.expect[last])
		igt_assert_lt_u64(igt_nsec_elapsed(&since), SOON_NS);
	return done;
}

/* A job that waits for another GPU when this returns. */
static uint32_t start_queued(struct setup *t)
{
	struct vimport_job job = {};
	uint32_t blocker, fence, done;

	igt_require_f(t->s->gpus > 1, "Needs two GPUs of vimport\n");
	vimport_job_delay(&job, DELAY_NS);
	blocker = vimport_submit(t->s->gpu[1], vimport_vm_create(t->s->gpu[1]), &job, 0);
	fence = vimport_carry_fence(t->s->gpu[1], blocker, t->gpu.fd);
	job = tag_job(t, 0, SIZE);
	vimport_job_sync(&job, fence, 0, 0);
	done = vimport_submit(t->gpu.fd, t->gpu.vm, &job, 0);
	syncobj_destroy(t->gpu.fd, fence);
	syncobj_destroy(t->s->gpu[1], blocker);
	return done;
}

/* The importer has been told, has let go, and gets nothing new. */
static void expect_revoked(struct setup *t, uint64_t notifies)
{
	struct vimport_job job = {};
	struct drm_vexport_bo_query query;

	vexport_query(t->s->exporter, t->bo.dmabuf, &query);
	igt_assert_lt_u64(notifies, query.notifies);
	igt_assert_eq_u32(query.maps, 0);
	vimport_job_fill(&job, t->gpu.va, SIZE, 0);
	igt_assert_eq(__vimport_exec(t->gpu.fd, t->gpu.vm, &job, 0), -ENODEV);
	igt_assert(!vexport_touch(t->bo.map, false));
}

/* Returns whether the job, if there is one, was not over before the revoke began. */
static bool revoke_once(struct vshare_session *s, enum importer_state importer, uint32_t state,
			uint32_t placement, uint32_t flags)
{
	struct drm_vexport_bo_query before;
	struct vimport_job job;
	uint32_t done = 0;
	bool busy = true;
	struct setup t;

	begin(&t, s, placement, flags);
	vexport_query(s->exporter, t.bo.dmabuf, &before);
	igt_assert_eq_u32(before.maps, 1);
	if (importer == RUNNING)
		done = start_running(&t);
	else if (importer == QUEUED)
		done = start_queued(&t);
	if (done)
		busy = !is_done(&t, &done);

	/* What had been submitted runs to its end, whatever the time-out for the rest. */
	if (done) {
		vexport_revoke(s->exporter, t.bo.dmabuf, state, 0);
		igt_assert(is_done(&t, &done));
		igt_assert_eq(vimport_wait(t.gpu.fd, done), 0);
	}
	igt_assert_eq_u32(vexport_bo_revoke(&t.bo, state), 0);
	expect_revoked(&t, before.notifies);

	if (state == TEMPORARY) {
		vexport_bo_revoke(&t.bo, NONE);
		dmabuf_oracle_check(&t.oracle, t.bo.map, "when the buffer is back");
		job = tag_job(&t, 0, HALF);
		vimport_run(t.gpu.fd, t.gpu.vm, &job);
		dmabuf_oracle_check(&t.oracle, t.bo.map, "after a job with what came back");
	}
	end(&t);
	return busy;
}

static void revoke_importer(struct vshare_session *s, enum importer_state importer)
{
	for (unsigned int i = 0; i < 8; i++) {
		uint32_t placement = i & 1 ? DRM_VEXPORT_PLACEMENT_VRAM : DRM_VEXPORT_PLACEMENT_TT;
		/* Without it some kernels pin for the mapping. That is no obstacle here. */
		uint32_t flags = i & 2 ? DRM_VEXPORT_GEM_MOVING : 0;
		unsigned int attempts = 0;

		while (!revoke_once(s, importer, i & 4 ? PERMANENT : TEMPORARY, placement, flags))
			igt_assert_lt(++attempts, 10);
	}
}

static void importer_idle(struct vshare_session *s)
{
	revoke_importer(s, IDLE);
}

static void importer_queued(struct vshare_session *s)
{
	revoke_importer(s, QUEUED);
}

static void importer_running(struct vshare_session *s)
{
	revoke_importer(s, RUNNING);
}

/* Who comes only now: to attach takes nothing, to map does. */
static void importer_new(struct vshare_session *s)
{
	struct drm_vimport_import import = {};
	struct vimport_job job = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_bo_revoke(&bo, TEMPORARY);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	vimport_job_fill(&job, gpu.va, SIZE, 0x1111);
	igt_assert_eq(__vimport_exec(gpu.fd, gpu.vm, &job, 0), -ENODEV);
	vexport_bo_revoke(&bo, NONE);
	vimport_run(gpu.fd, gpu.vm, &job);
	igt_assert_eq_u64(bo.map[SIZE / sizeof(*bo.map) - 1], 0x1111);

	vexport_bo_revoke(&bo, PERMANENT);
	import.fd = bo.dmabuf;
	vshare_refused(s, gpu.fd, DRM_IOCTL_VIMPORT_IMPORT, &import, ENODEV);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

/* A job that is not to run now. Whether it does is not looked at but by its traces. */
static void try_job(struct setup *t)
{
	uint32_t done = syncobj_create(t->gpu.fd, 0);
	struct vimport_job job = {};

	vimport_job_fill(&job, t->gpu.va, SIZE, 0x2222);
	vimport_job_sync(&job, done, 0, DRM_VIMPORT_SYNC_SIGNAL);
	if (__vimport_exec(t->gpu.fd, t->gpu.vm, &job, 0))
		syncobj_destroy(t->gpu.fd, done);
	else
		vimport_wait(t->gpu.fd, done);
}

static void data(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_GEM_MOVING);
	vexport_revoke(s->exporter, t.bo.dmabuf, TEMPORARY, 0);
	try_job(&t);
	vexport_bo_revoke(&t.bo, NONE);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after a job while it was revoked");
	end(&t);
}

static void verdict(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct setup t;

	for (uint32_t flags = 0; flags <= DRM_VEXPORT_GEM_MOVING; flags++) {
		begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM, flags);
		vexport_revoke(s->exporter, t.bo.dmabuf, PERMANENT, 0);
		try_job(&t);
		vexport_query(s->exporter, t.bo.dmabuf, &query);
		igt_assert_eq_u64(query.stale_words, 0);
		igt_assert_eq_u64(query.stale_moves, 0);
		end(&t);
	}
}

/* How long three parties get into each other's way, and how often at least. */
#define RACE_NS			(3 * NSEC_PER_SEC)
#define MAX_RACE_NS		(120 * NSEC_PER_SEC)
#define MIN_ROUNDS		20

/* What the children tell the parent. */
struct race {
	bool stop;
	uint64_t revokes, moves, refused_moves, jobs, refused_jobs;
};

static void race_write(struct setup *t, struct race *race)
{
	struct vimport_job job;
	int ret = 0;

	/* The last job is one that ran: the oracle knows nothing of one that did not. */
	while (!READ_ONCE(race->stop) || ret) {
		uint32_t done = syncobj_create(t->gpu.fd, 0);

		job = tag_job(t, 0, SIZE);
		vimport_job_sync(&job, done, 0, DRM_VIMPORT_SYNC_SIGNAL);
		ret = __vimport_exec(t->gpu.fd, t->gpu.vm, &job, 0);
		igt_assert_f(!ret || ret == -ENODEV, "A job was refused: %s\n", strerror(-ret));
		if (ret) {
			race->refused_jobs++;
			syncobj_destroy(t->gpu.fd, done);
			continue;
		}
		igt_assert_eq(vimport_wait(t->gpu.fd, done), 0);
		race->jobs++;
	}
}

static void race_move(struct setup *t, struct race *race)
{
	for (uint32_t i = 0; !READ_ONCE(race->stop); i++) {
		struct drm_vexport_bo_move move = {
			.fd = t->bo.dmabuf,
			.placement = i % 4 < 3 ? i % 4 : 0,
			.flags = i % 4 < 3 ? DRM_VEXPORT_MOVE_ASYNC : DRM_VEXPORT_MOVE_RELOCATE,
		};
		int ret = __vexport_move(t->s->exporter, &move);

		igt_assert_f(!ret || ret == -ENODEV, "A move failed: %s\n", strerror(-ret));
		if (ret)
			race->refused_moves++;
		else
			race->moves++;
	}
}

static void race_revoke(struct setup *t, struct race *race)
{
	while (!READ_ONCE(race->stop)) {
		igt_assert_eq_u32(vexport_bo_revoke(&t->bo, TEMPORARY), 0);
		igt_assert(!vexport_touch(t->bo.map, true));
		usleep(1000);
		vexport_bo_revoke(&t->bo, NONE);
		usleep(1000);
		race->revokes++;
	}
}

static void races(struct vshare_session *s)
{
	struct race *race = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				 -1, 0);
	struct timespec since = {};
	struct setup t;

	igt_assert(race != MAP_FAILED);
	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_GEM_MOVING);
	igt_fork(child, 3) {
		if (child == 0)
			race_write(&t, race);
		else if (child == 1)
			race_move(&t, race);
		else
			race_revoke(&t, race);
	}
	igt_nsec_elapsed(&since);
	while (!vshare_child_has_ended() &&
	       (igt_nsec_elapsed(&since) < RACE_NS || READ_ONCE(race->revokes) < MIN_ROUNDS ||
		READ_ONCE(race->moves) < MIN_ROUNDS || READ_ONCE(race->jobs) < MIN_ROUNDS ||
		!READ_ONCE(race->refused_moves) || !READ_ONCE(race->refused_jobs))) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), MAX_RACE_NS);
		usleep(10000);
	}
	WRITE_ONCE(race->stop, true);
	igt_waitchildren();
	igt_info("%" PRIu64 " revokes; %" PRIu64 " moves, %" PRIu64 " refused; %" PRIu64
		 " jobs, %" PRIu64 " refused\n", race->revokes, race->moves, race->refused_moves,
		 race->jobs, race->refused_jobs);
	igt_assert_lt_u64(0, race->refused_moves);
	igt_assert_lt_u64(0, race->refused_jobs);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after the race");
	munmap(race, PAGE);
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "importer-idle", "An importer that does nothing lets go when it is told.",
	  importer_idle },
	{ "importer-queued", "A job that waits is let run before its buffer is gone.",
	  importer_queued },
	{ "importer-running", "A job that runs is let end before its buffer is gone.",
	  importer_running },
	{ "importer-new", "An importer that comes too late gets no pages.", importer_new },
	{ "data", "No job writes to a buffer while it is revoked.", data },
	{ "verdict", "The exporter sees no write to what is gone for good.", verdict },
	{ "races", "Moves, jobs and revokes of one buffer in any order lose no byte.", races },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
