// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "sw_sync.h"

IGT_TEST_DESCRIPTION("Queues: what is in order and what is not, what they share, and what goes "
		     "when one of them goes.");

#define SIZE			(64ull << 10)
#define PAGE			4096ull
#define WORD			8ull
#define HALF			(SIZE / 2)

/* What the documentation of QUEUE_CREATE allows in a file. */
#define MAX_QUEUES		64

/* A buffer, GPU 0 with two queues more, and what keeps jobs from running. */
struct setup {
	struct vexport_bo bo;
	struct vimport_gpu gpu;
	uint32_t queue[2];
	struct dmabuf_oracle oracle;
	struct gate gate;
	uint32_t gate_sync;
};

static void begin(struct setup *t, struct vshare_session *s)
{
	memset(t, 0, sizeof(*t));
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&t->gpu, 0, t->bo.dmabuf, SIZE, 0);
	for (int i = 0; i < 2; i++)
		t->queue[i] = vimport_queue_create(t->gpu.fd, t->gpu.vm);
	dmabuf_oracle_init(&t->oracle, SIZE);
}

static void open_gate(struct setup *t)
{
	if (!t->gate_sync)
		return;
	syncobj_destroy(t->gpu.fd, t->gate_sync);
	gate_open(&t->gate);
	t->gate_sync = 0;
}

static void end(struct setup *t)
{
	open_gate(t);
	dmabuf_oracle_check(&t->oracle, t->bo.map, "at the end");
	dmabuf_oracle_fini(&t->oracle);
	vimport_gpu_fini(&t->gpu);
	vexport_bo_fini(&t->bo);
}

/* The gate is work of the other GPU, so that the engine of this one is free. */
static void close_gate(struct setup *t, unsigned int jobs)
{
	gate_close(&t->gate, 1, -1, 0, jobs, 0);
	t->gate_sync = gate_syncobj(&t->gate, t->gpu.fd);
}

static void tag(struct setup *t, struct vimport_job *job, enum dmabuf_writer writer,
		size_t offset, size_t size)
{
	vimport_job_tag(job, t->gpu.va + offset, size,
			dmabuf_oracle_tag(&t->oracle, writer, offset, size));
}

static uint32_t submit(struct setup *t, uint32_t queue, struct vimport_job job, uint32_t flags)
{
	job.queue = queue;
	return vimport_submit(t->gpu.fd, t->gpu.vm, &job, flags);
}

/* A job that waits for the gate, and then writes a part of the buffer. */
static uint32_t submit_gated(struct setup *t, uint32_t queue, size_t offset, size_t size)
{
	struct vimport_job job = {};

	tag(t, &job, DMABUF_WRITER_GPU1, offset, size);
	vimport_job_sync(&job, t->gate_sync, 0, 0);
	return submit(t, queue, job, 0);
}

static void finish(struct setup *t, uint32_t done)
{
	igt_assert_eq(vimport_wait(t->gpu.fd, done), 0);
}

static void in_order(struct vshare_session *s)
{
	uint32_t done[16];
	struct setup t;

	begin(&t, s);
	for (unsigned int i = 0; i < ARRAY_SIZE(done); i++) {
		struct vimport_job job = {};

		vimport_job_delay(&job, i % 4 ? 0 : NSEC_PER_MSEC);
		tag(&t, &job, DMABUF_WRITER_GPU0, 0, SIZE);
		done[i] = submit(&t, t.queue[0], job, 0);
	}
	for (unsigned int i = ARRAY_SIZE(done); i-- > 0;)
		finish(&t, done[i]);
	igt_assert_eq_u64(vimport_queue_query(t.gpu.fd, t.queue[0]).jobs, ARRAY_SIZE(done));
	end(&t);
}

/* The job that waits was also the first one to need the buffer. */
static void independent(struct vshare_session *s)
{
	struct vimport_job job = {};
	uint32_t gated;
	struct setup t;

	begin(&t, s);
	close_gate(&t, GATE_LONG);
	gated = submit_gated(&t, t.queue[0], 0, HALF);
	for (int i = 0; i < 2; i++) {
		job = (struct vimport_job) {};
		tag(&t, &job, DMABUF_WRITER_GPU0, HALF, HALF);
		finish(&t, submit(&t, i ? t.queue[1] : 0, job, 0));
	}
	igt_assert(gate_closed(&t.gate));
	dmabuf_oracle_check_range(&t.oracle, t.bo.map, HALF, HALF, "behind a job that waits");
	open_gate(&t);
	finish(&t, gated);
	end(&t);
}

/* The first waits for the gate, and each of the others for the one before. */
static void timeline(struct vshare_session *s)
{
	struct vimport_job free = {};
	uint64_t point, last = 8;
	uint32_t syncobj;
	struct setup t;

	begin(&t, s);
	close_gate(&t, GATE_LONG);
	syncobj = syncobj_create(t.gpu.fd, 0);
	for (point = 1; point <= last; point++) {
		struct vimport_job job = { .queue = t.queue[point % 2] };

		vimport_job_delay(&job, point % 2 ? 3 * NSEC_PER_MSEC : 0);
		tag(&t, &job, DMABUF_WRITER_GPU0, 0, SIZE);
		if (point > 1)
			vimport_job_sync(&job, syncobj, point - 1, DRM_VIMPORT_SYNC_TIMELINE);
		else
			vimport_job_sync(&job, t.gate_sync, 0, 0);
		vimport_job_sync(&job, syncobj, point,
				 DRM_VIMPORT_SYNC_TIMELINE | DRM_VIMPORT_SYNC_SIGNAL);
		igt_assert_eq(__vimport_exec(t.gpu.fd, t.gpu.vm, &job, 0), 0);
	}
	/* One that waits for nothing overtakes all that must wait. */
	vimport_job_delay(&free, NSEC_PER_MSEC);
	finish(&t, submit(&t, 0, free, 0));
	igt_assert_f(!t.bo.map[0], "A job has not waited for its point\n");
	igt_assert(gate_closed(&t.gate));
	open_gate(&t);
	igt_assert(syncobj_timeline_wait(t.gpu.fd, &syncobj, &last, 1, INT64_MAX, 0, NULL));
	syncobj_timeline_query(t.gpu.fd, &syncobj, &point, 1);
	igt_assert_eq_u64(point, last);
	syncobj_destroy(t.gpu.fd, syncobj);
	end(&t);
}

static void implicit(struct vshare_session *s)
{
	struct vimport_job job = {};
	uint32_t gated, done;
	struct setup t;

	begin(&t, s);
	/* It opens by itself. */
	close_gate(&t, GATE_JOBS);
	tag(&t, &job, DMABUF_WRITER_GPU1, 0, SIZE);
	vimport_job_sync(&job, t.gate_sync, 0, 0);
	gated = submit(&t, t.queue[0], job, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
	job = (struct vimport_job) {};
	tag(&t, &job, DMABUF_WRITER_GPU0, 0, SIZE);
	done = submit(&t, t.queue[1], job, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
	finish(&t, done);
	finish(&t, gated);
	end(&t);
}

/*
 * A job that is older than a mapping, but ends after all that are younger, writes to
 * it. The move must wait for that job, or it writes to where the buffer was.
 */
static void stray(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct vimport_job job = {};
	uint32_t gated;
	struct setup t;

	begin(&t, s);
	/* It opens by itself, when the move waits for it. */
	close_gate(&t, 4 * GATE_JOBS);
	vimport_vm_unmap(t.gpu.fd, t.gpu.vm, t.gpu.va, SIZE);
	gated = submit_gated(&t, t.queue[0], 0, HALF);
	vimport_vm_map(t.gpu.fd, t.gpu.vm, t.gpu.handle, 0, t.gpu.va, SIZE, 0);
	tag(&t, &job, DMABUF_WRITER_GPU0, HALF, HALF);
	finish(&t, submit(&t, t.queue[1], job, 0));
	igt_assert(gate_closed(&t.gate));

	vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	finish(&t, gated);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after a job that is older than the mapping");
	vexport_verdict(s->exporter, t.bo.dmabuf, 1000, &verdict);
	igt_assert_eq_u64(verdict.stale_words, 0);
	end(&t);
}

/* Translations of a move that one queue has had made are there for the other. */
static void moves(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	for (int i = 0; i < 32; i++) {
		uint32_t done[2];

		vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		for (int half = 0; half < 2; half++) {
			struct vimport_job job = {};

			tag(&t, &job, DMABUF_WRITER_GPU0, half * HALF, HALF);
			done[half] = submit(&t, t.queue[(i + half) % 2], job, 0);
		}
		if (i % 2)
			vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		finish(&t, done[0]);
		finish(&t, done[1]);
		dmabuf_oracle_check(&t.oracle, t.bo.map, "after a move");
	}
	end(&t);
}

static void add(struct vshare_session *s)
{
	const unsigned int jobs = 32;
	uint32_t done[32];
	struct setup t;

	begin(&t, s);
	for (unsigned int i = 0; i < jobs; i++) {
		struct vimport_job job = {};

		vimport_job_add(&job, t.gpu.va + PAGE - WORD, 2 * PAGE, i % 2 ? 3 : -1);
		done[i] = submit(&t, t.queue[i % 2], job, 0);
	}
	for (unsigned int i = 0; i < jobs; i++)
		finish(&t, done[i]);
	dmabuf_oracle_fill(&t.oracle, PAGE - WORD, 2 * PAGE, jobs / 2 * 2);
	end(&t);
}

static void counts(struct vshare_session *s)
{
	struct drm_vimport_queue_query query = {};
	struct vimport_job job = {};
	struct setup t;

	begin(&t, s);
	vimport_job_fill(&job, t.gpu.va + SIZE, WORD, 1);
	igt_assert_eq(vimport_wait(t.gpu.fd, submit(&t, t.queue[0], job, 0)), -EFAULT);
	/* A fault is the job's affair: the queue goes on. */
	job = (struct vimport_job) {};
	tag(&t, &job, DMABUF_WRITER_GPU0, 0, SIZE);
	finish(&t, submit(&t, t.queue[0], job, 0));

	query = vimport_queue_query(t.gpu.fd, t.queue[0]);
	igt_assert_eq_u64(query.jobs, 2);
	igt_assert_eq_u64(query.errors, 1);
	igt_assert_eq(query.flags, 0);
	igt_assert_eq_u64(vimport_queue_query(t.gpu.fd, t.queue[1]).jobs, 0);
	query = (struct drm_vimport_queue_query) { .vm_id = t.gpu.vm };
	igt_assert_eq(__vimport_queue_query(t.gpu.fd, &query), 0);
	igt_assert_eq_u64(query.jobs, 0);
	end(&t);
}

static void shared_limit(struct vshare_session *s)
{
	const uint64_t limit = 2 * NSEC_PER_SEC, ns = s->start.gpu[0].max_job_ns / 2;
	struct vimport_job job = {};
	uint64_t outstanding = 0;
	unsigned int i = 0;
	struct setup t;
	int ret;

	begin(&t, s);
	close_gate(&t, GATE_LONG);
	vimport_job_delay(&job, ns);
	vimport_job_sync(&job, t.gate_sync, 0, 0);
	do {
		job.queue = t.queue[i++ % 2];
		ret = __vimport_exec(t.gpu.fd, t.gpu.vm, &job, 0);
		outstanding += ret ? 0 : ns;
		igt_assert_lte_u64(outstanding, limit);
	} while (!ret);
	igt_assert_eq(ret, -EAGAIN);
	/* All of them still wait, or there would be room. */
	igt_assert(gate_closed(&t.gate));
	vimport_vm_destroy(t.gpu.fd, t.gpu.vm);
	t.gpu.vm = vimport_vm_create(t.gpu.fd);
	end(&t);
}

/*
 * Everybody's munmap() may have to wait for what is outstanding on the GPU, so more address
 * spaces are not more of it either, beyond some point.
 */
static void gpu_limit(struct vshare_session *s)
{
	const uint64_t limit = 30 * NSEC_PER_SEC, ns = s->start.gpu[0].max_job_ns;
	struct vimport_job job = {}, later = {};
	struct timespec since = {};
	uint64_t outstanding = 0;
	struct setup t;
	uint32_t vm[20];
	int ret;

	begin(&t, s);
	close_gate(&t, GATE_LONG);
	vimport_job_delay(&job, ns - NSEC_PER_MSEC);
	vimport_job_sync(&job, t.gate_sync, 0, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(vm); i++) {
		vm[i] = vimport_vm_create(t.gpu.fd);
		while (!(ret = __vimport_exec(t.gpu.fd, vm[i], &job, 0)))
			outstanding += job.cmds[0].value;
		igt_assert_eq(ret, -EAGAIN);
	}
	igt_assert_lte_u64(outstanding, limit);
	igt_assert_lte_u64(limit, outstanding + 2 * ns);
	/* All of them still wait, or there would be room. */
	igt_assert(gate_closed(&t.gate));

	/* A job that is cancelled still waits for what it would have waited for. */
	open_gate(&t);
	for (unsigned int i = 0; i < ARRAY_SIZE(vm); i++)
		vimport_vm_destroy(t.gpu.fd, vm[i]);
	vimport_job_delay(&later, ns - NSEC_PER_MSEC);
	do {
		ret = __vimport_exec(t.gpu.fd, t.gpu.vm, &later, 0);
	} while (ret == -EAGAIN && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS && !usleep(500));
	igt_assert_eq(ret, 0);
	end(&t);
}

static void destroy_cancels(struct vshare_session *s)
{
	struct vimport_job job = {}, doomed = {};
	uint32_t done;
	struct setup t;

	begin(&t, s);
	close_gate(&t, GATE_LONG);
	vimport_job_fill(&doomed, t.gpu.va, SIZE, 0xdead);
	vimport_job_sync(&doomed, t.gate_sync, 0, 0);
	done = submit(&t, t.queue[0], doomed, 0);
	vimport_queue_destroy(t.gpu.fd, t.queue[0]);
	igt_assert(gate_closed(&t.gate));

	/* The address space, and its other queues, know nothing of it. */
	tag(&t, &job, DMABUF_WRITER_GPU0, 0, SIZE);
	finish(&t, submit(&t, t.queue[1], job, 0));
	igt_assert(gate_closed(&t.gate));
	job.queue = t.queue[0];
	igt_assert_eq(__vimport_exec(t.gpu.fd, t.gpu.vm, &job, 0), -ENOENT);
	open_gate(&t);
	igt_assert_eq(vimport_wait(t.gpu.fd, done), -ECANCELED);
	end(&t);
}

static void vm_takes_queues(struct vshare_session *s)
{
	struct drm_vimport_queue_query query = {};
	struct drm_vimport_queue_create create;
	struct setup t;
	uint32_t other;

	begin(&t, s);
	other = vimport_vm_create(t.gpu.fd);
	query.queue_id = vimport_queue_create(t.gpu.fd, other);
	vimport_vm_destroy(t.gpu.fd, t.gpu.vm);
	igt_assert_eq(__vimport_queue_destroy(t.gpu.fd, t.queue[0]), -ENOENT);
	igt_assert_eq(__vimport_queue_destroy(t.gpu.fd, t.queue[1]), -ENOENT);
	igt_assert_eq(__vimport_queue_query(t.gpu.fd, &query), 0);
	create = (struct drm_vimport_queue_create) { .vm_id = t.gpu.vm };
	igt_assert_eq(__vimport_queue_create(t.gpu.fd, &create), -ENOENT);
	t.gpu.vm = other;
	end(&t);
}

static void refuse_create(struct vshare_session *s, struct setup *t, uint32_t vm, uint32_t flags,
			  uint32_t pad, int err)
{
	struct drm_vimport_queue_create create = { .vm_id = vm, .flags = flags, .pad = pad };

	vshare_refused(s, t->gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_CREATE, &create, err);
}

static void bad_queue(struct vshare_session *s)
{
	struct drm_vimport_queue_destroy destroy = {};
	struct drm_vimport_queue_query query = {};
	struct setup t;

	begin(&t, s);
	refuse_create(s, &t, 0, 0, 0, ENOENT);
	refuse_create(s, &t, t.gpu.vm + 1, 0, 0, ENOENT);
	for (uint32_t bad = 1; bad; bad <<= 1) {
		refuse_create(s, &t, t.gpu.vm, bad, 0, EINVAL);
		refuse_create(s, &t, t.gpu.vm, 0, bad, EINVAL);
	}
	for (int i = 2; i < MAX_QUEUES; i++)
		vimport_queue_create(t.gpu.fd, t.gpu.vm);
	refuse_create(s, &t, t.gpu.vm, 0, 0, ENOSPC);

	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_DESTROY, &destroy, ENOENT);
	destroy.queue_id = MAX_QUEUES + 1;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_DESTROY, &destroy, ENOENT);
	destroy = (struct drm_vimport_queue_destroy) { .queue_id = t.queue[0], .pad = 1 };
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_DESTROY, &destroy, EINVAL);

	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_QUERY, &query, EINVAL);
	query = (struct drm_vimport_queue_query) { .queue_id = t.queue[0], .vm_id = t.gpu.vm };
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_QUERY, &query, EINVAL);
	query = (struct drm_vimport_queue_query) { .queue_id = t.queue[0], .pad = 1 };
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_QUERY, &query, EINVAL);
	query = (struct drm_vimport_queue_query) { .queue_id = MAX_QUEUES + 1 };
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_QUERY, &query, ENOENT);
	query = (struct drm_vimport_queue_query) { .vm_id = t.gpu.vm + 1 };
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_QUEUE_QUERY, &query, ENOENT);
	end(&t);
}

static void bad_exec(struct vshare_session *s)
{
	struct vimport_job job = {};
	struct drm_vimport_exec good, exec;
	uint32_t other;
	struct setup t;

	begin(&t, s);
	other = vimport_vm_create(t.gpu.fd);
	vimport_job_add(&job, t.gpu.va, WORD, 1);
	good = (struct drm_vimport_exec) {
		.vm_id = t.gpu.vm,
		.cmds = to_user_pointer(job.cmds),
		.cmd_count = 1,
		.cmd_stride = sizeof(job.cmds[0]),
		.queue_id = t.queue[0],
	};
	exec = good;
	exec.queue_id = t.queue[1] + 1;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &exec, ENOENT);
	exec = good;
	exec.vm_id = other;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &exec, ENOENT);
	exec = good;
	exec.pad = 1;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &exec, EINVAL);
	/* What only userspace can fulfil must not be behind a dma_fence. */
	exec = good;
	exec.fence_va = t.gpu.va;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &exec, EINVAL);
	exec = good;
	exec.fence_value = 1;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &exec, EINVAL);
	job.cmds[0].op = DRM_VIMPORT_OP_WAIT;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &good, EINVAL);

	job.cmds[0].op = DRM_VIMPORT_OP_ADD;
	job.cmds[0].src = t.gpu.va;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &good, EINVAL);
	job.cmds[0].src = 0;
	job.cmds[0].va += 4;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &good, EINVAL);
	vimport_vm_destroy(t.gpu.fd, other);
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "in-order", "Jobs of one queue run in the order of their submission.", in_order },
	{ "independent", "A queue does not wait for what another one waits for, even for the "
	  "sake of translations.", independent },
	{ "timeline", "Points of a timeline order jobs of different queues.", timeline },
	{ "implicit", "Implicit sync orders jobs of different queues.", implicit },
	{ "stray", "A job that is older than a mapping keeps the buffer in place all the same.",
	  stray },
	{ "moves", "Whichever queue comes first after a move, both write to the new place.",
	  moves },
	{ "add", "Additions of two queues to the same words all count.", add },
	{ "counts", "A queue knows how its jobs have ended, and outlives a fault.", counts },
	{ "shared-limit", "More queues are not more outstanding work.", shared_limit },
	{ "gpu-limit", "Nor are more address spaces, beyond half a minute of it.", gpu_limit },
	{ "destroy-cancels", "Destroying a queue ends its queued jobs, and nobody else's.",
	  destroy_cancels },
	{ "vm-takes-queues", "Queues go with their address space.", vm_takes_queues },
	{ "bad-queue", "Malformed calls about queues are refused.", bad_queue },
	{ "bad-exec", "No job for a queue that does not fit, and none that waits for memory.",
	  bad_exec },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
