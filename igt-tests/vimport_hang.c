// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "sw_sync.h"

IGT_TEST_DESCRIPTION("Jobs that hang: how long others have to wait for them, what becomes of what "
		     "was queued behind them, and that everybody else goes on.");

#define SIZE			(64ull << 10)
#define HALF			(SIZE / 2)

/* What the documentation of EXEC gives a job, and what a slow machine may add. */
#define TIMEOUT_NS		(5 * NSEC_PER_SEC)
#define LATE_NS			(40 * NSEC_PER_SEC)

/* A buffer, and GPU 0 with a queue more, where a job hangs. */
struct setup {
	struct vexport_bo bo;
	struct vimport_gpu gpu;
	uint32_t queue;
	struct dmabuf_oracle oracle;
	uint64_t resets;
};

static uint64_t resets(struct setup *t)
{
	struct drm_vimport_info info;

	vimport_get_info(t->gpu.fd, &info);
	return info.resets;
}

static void misbehave(struct setup *t, uint32_t bugs)
{
	struct drm_vimport_misbehave args = { .bugs = bugs };

	igt_require_f(!drmIoctl(t->gpu.fd, DRM_IOCTL_VIMPORT_MISBEHAVE, &args),
		      "Load vimport.ko with misbehave=1 and be root: %m\n");
}

static void begin(struct setup *t, struct vshare_session *s)
{
	memset(t, 0, sizeof(*t));
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&t->gpu, 0, t->bo.dmabuf, SIZE, 0);
	misbehave(t, 0);
	t->queue = vimport_queue_create(t->gpu.fd, t->gpu.vm);
	dmabuf_oracle_init(&t->oracle, SIZE);
	t->resets = resets(t);
}

static void end(struct setup *t)
{
	dmabuf_oracle_check(&t->oracle, t->bo.map, "at the end");
	dmabuf_oracle_fini(&t->oracle);
	vimport_gpu_fini(&t->gpu);
	vexport_bo_fini(&t->bo);
}

static uint32_t submit(struct setup *t, uint32_t queue, struct vimport_job job)
{
	job.queue = queue;
	return vimport_submit(t->gpu.fd, t->gpu.vm, &job, 0);
}

/* If the reset lets it go on, it writes what nobody expects. */
static uint32_t submit_hang(struct setup *t)
{
	struct vimport_job job = {};
	uint32_t done;

	misbehave(t, DRM_VIMPORT_BUG_HANG);
	vimport_job_fill(&job, t->gpu.va, SIZE, 0xdead);
	done = submit(t, t->queue, job);
	misbehave(t, 0);
	return done;
}

static struct vimport_job tag_job(struct setup *t, size_t offset, size_t size)
{
	struct vimport_job job = {};

	vimport_job_tag(&job, t->gpu.va + offset, size,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0, offset, size));
	return job;
}

static void wait_long(struct setup *t, uint32_t syncobj)
{
	struct timespec since = {};

	while (syncobj_wait_err(t->gpu.fd, &syncobj, 1, 0, 0) == -ETIME)
		igt_assert(igt_nsec_elapsed(&since) < LATE_NS && !usleep(1000));
}

static void expect_banned(struct setup *t)
{
	struct vimport_job job = {};

	igt_assert_eq(vimport_queue_query(t->gpu.fd, t->queue).flags, DRM_VIMPORT_QUEUE_BANNED);
	vimport_job_fill(&job, t->gpu.va, SIZE, 0xdead);
	job.queue = t->queue;
	igt_assert_eq(__vimport_exec(t->gpu.fd, t->gpu.vm, &job, 0), -ECANCELED);
}

static void banned(struct vshare_session *s)
{
	struct timespec start = {};
	struct vimport_job job = {};
	uint32_t hung, behind;
	struct setup t;

	begin(&t, s);
	igt_nsec_elapsed(&start);
	hung = submit_hang(&t);
	vimport_job_fill(&job, t.gpu.va, SIZE, 0xdead);
	behind = submit(&t, t.queue, job);

	wait_long(&t, hung);
	igt_assert_lte_u64(TIMEOUT_NS, igt_nsec_elapsed(&start));
	igt_assert_eq(vimport_wait(t.gpu.fd, hung), -ETIME);
	igt_assert_eq(vimport_wait(t.gpu.fd, behind), -ECANCELED);
	igt_assert_eq_u64(resets(&t), t.resets + 1);
	expect_banned(&t);
	igt_assert_eq_u64(vimport_queue_query(t.gpu.fd, t.queue).errors, 2);
	end(&t);
}

/* Of the same address space, of another one, and of the queue it began with. */
static void others_go_on(struct vshare_session *s)
{
	uint32_t hung, other, done[2];
	struct vimport_job job;
	struct setup t;

	begin(&t, s);
	other = vimport_vm_create(t.gpu.fd);
	vimport_vm_map(t.gpu.fd, other, t.gpu.handle, 0, t.gpu.va, SIZE, 0);
	/* The hung job was also the first one to need the buffer. */
	hung = submit_hang(&t);
	done[0] = submit(&t, 0, tag_job(&t, 0, HALF));
	job = tag_job(&t, HALF, HALF);
	done[1] = vimport_submit(t.gpu.fd, other, &job, 0);

	wait_long(&t, hung);
	for (int i = 0; i < 2; i++)
		igt_assert_eq(vimport_wait(t.gpu.fd, done[i]), 0);
	igt_assert_eq(vimport_wait(t.gpu.fd, hung), -ETIME);
	expect_banned(&t);
	/* Nobody else had to be reset for it. */
	igt_assert_eq_u64(resets(&t), t.resets + 1);
	igt_assert_eq(vimport_wait(t.gpu.fd, submit(&t, 0, tag_job(&t, 0, SIZE))), 0);
	vimport_vm_destroy(t.gpu.fd, other);
	end(&t);
}

/* Neighbours that never stop submitting must not keep a job that hangs alive. */
static void busy_neighbours(struct vshare_session *s)
{
	struct timespec start = {};
	uint32_t hung, other;
	struct setup t;
	int ret = 0;

	begin(&t, s);
	other = vimport_vm_create(t.gpu.fd);
	hung = submit_hang(&t);
	igt_nsec_elapsed(&start);
	while (syncobj_wait_err(t.gpu.fd, &hung, 1, 0, 0) == -ETIME) {
		struct vimport_job job = {};

		igt_assert_lt_u64(igt_nsec_elapsed(&start), LATE_NS);
		vimport_job_delay(&job, 0);
		ret = __vimport_exec(t.gpu.fd, other, &job, 0);
		igt_assert(!ret || ret == -EAGAIN);
		usleep(500000);
	}
	igt_assert_eq(vimport_wait(t.gpu.fd, hung), -ETIME);
	vimport_vm_destroy(t.gpu.fd, other);
	end(&t);
}

static void moves(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	uint32_t hung;
	struct setup t;

	begin(&t, s);
	igt_assert_eq(vimport_wait(t.gpu.fd, submit(&t, 0, tag_job(&t, 0, SIZE))), 0);
	hung = submit_hang(&t);
	/* Waits for the reset. */
	vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert_eq(vimport_wait(t.gpu.fd, hung), -ETIME);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after a move that waited for a reset");
	vexport_verdict(s->exporter, t.bo.dmabuf, 1000, &verdict);
	igt_assert_eq_u64(verdict.stale_words, 0);
	end(&t);
}

static void first_queue(struct vshare_session *s)
{
	struct drm_vimport_queue_query query = {};
	struct vimport_job job = {};
	uint32_t queue, hung;
	struct setup t;

	begin(&t, s);
	queue = t.queue;
	t.queue = 0;
	hung = submit_hang(&t);
	wait_long(&t, hung);
	igt_assert_eq(vimport_wait(t.gpu.fd, hung), -ETIME);
	query.vm_id = t.gpu.vm;
	igt_assert_eq(__vimport_queue_query(t.gpu.fd, &query), 0);
	igt_assert_eq(query.flags, DRM_VIMPORT_QUEUE_BANNED);
	vimport_job_fill(&job, t.gpu.va, SIZE, 0xdead);
	igt_assert_eq(__vimport_exec(t.gpu.fd, t.gpu.vm, &job, 0), -ECANCELED);

	/* Mapping and unmapping is not a matter of queues. */
	vimport_vm_unmap(t.gpu.fd, t.gpu.vm, t.gpu.va, SIZE);
	vimport_vm_map(t.gpu.fd, t.gpu.vm, t.gpu.handle, 0, t.gpu.va, SIZE, 0);
	igt_assert_eq(vimport_wait(t.gpu.fd, submit(&t, queue, tag_job(&t, 0, SIZE))), 0);
	end(&t);
}

static void closed(struct vshare_session *s)
{
	int fence, status;
	struct setup t;
	uint32_t hung;

	begin(&t, s);
	hung = submit_hang(&t);
	fence = syncobj_handle_to_fd(t.gpu.fd, hung,
				     DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
	close(t.gpu.fd);
	igt_assert_eq(sync_fence_wait(fence, LATE_NS / NSEC_PER_MSEC), 0);
	/* Unless it has not even begun. */
	status = sync_fence_status(fence);
	igt_assert(status == -ETIME || status == -ECANCELED);
	close(fence);
	vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after its user has gone");
	dmabuf_oracle_fini(&t.oracle);
	vexport_bo_fini(&t.bo);
}

static const struct vshare_subtest subtests[] = {
	{ "banned", "A job that hangs ends after five seconds, and its queue with it.", banned },
	{ "others-go-on", "Other queues and address spaces lose nothing.", others_go_on },
	{ "busy-neighbours", "Whoever keeps submitting does not prolong it.", busy_neighbours },
	{ "moves", "A buffer that a hung job has mapped moves when the GPU is reset.", moves },
	{ "first-queue", "The queue that an address space began with is no exception, and its "
	  "mappings stay.", first_queue },
	{ "closed", "A job that hangs ends also if nobody has the file any more.", closed },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
