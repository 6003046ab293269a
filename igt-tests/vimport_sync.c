// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "sw_sync.h"

IGT_TEST_DESCRIPTION("The order of jobs: within an address space, through syncobjs, through the "
		     "buffers themselves; and the end of jobs whose owner goes away.");

#define SIZE			(64ull << 10)
#define PAGE			4096ull
#define DELAY_NS		(30 * NSEC_PER_MSEC)

/* For what happens soon if nothing is wrong. */
#define WAIT_MS			20000

/* What the documentation of EXEC allows in one address space. */
#define MAX_PENDING_JOBS	128

/* For what must happen before the jobs are over: four are what an address space may have. */
#define LONG_DELAY_NS		(400 * NSEC_PER_MSEC)
#define LONG_DELAYS		4

/* A buffer and one or two GPUs that have it mapped. */
struct setup {
	struct vexport_bo bo;
	struct vimport_gpu gpu[2];
	int gpus;
	struct dmabuf_oracle oracle;
};

static void begin(struct setup *t, struct vshare_session *s, int gpus)
{
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	for (t->gpus = 0; t->gpus < gpus; t->gpus++)
		vimport_gpu_init(&t->gpu[t->gpus], t->gpus, t->bo.dmabuf, SIZE, 0);
	dmabuf_oracle_init(&t->oracle, SIZE);
}

static void end(struct setup *t)
{
	dmabuf_oracle_check(&t->oracle, t->bo.map, "at the end");
	dmabuf_oracle_fini(&t->oracle);
	while (t->gpus)
		vimport_gpu_fini(&t->gpu[--t->gpus]);
	vexport_bo_fini(&t->bo);
}

/* A job that takes a while and then writes the whole buffer. */
static struct vimport_job slow_tag(struct setup *t, int gpu, uint64_t ns)
{
	struct vimport_job job = {};

	if (ns)
		vimport_job_delay(&job, ns);
	vimport_job_tag(&job, t->gpu[gpu].va, SIZE,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0 + gpu, 0, SIZE));
	return job;
}

static uint32_t submit(struct setup *t, int gpu, struct vimport_job job, uint32_t flags)
{
	return vimport_submit(t->gpu[gpu].fd, t->gpu[gpu].vm, &job, flags);
}

static void finish(struct setup *t, int gpu, uint32_t done)
{
	igt_assert_eq(vimport_wait(t->gpu[gpu].fd, done), 0);
}

static void order_in_vm(struct vshare_session *s)
{
	uint32_t done[16];
	struct setup t;

	begin(&t, s, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(done); i++) {
		struct vimport_job job = slow_tag(&t, 0, i % 4 ? 0 : NSEC_PER_MSEC);

		/* Each job uses what the one before has written. */
		vimport_job_copy(&job, t.gpu[0].va, t.gpu[0].va + SIZE / 2, PAGE);
		dmabuf_oracle_copy(&t.oracle, 0, SIZE / 2, PAGE);
		done[i] = submit(&t, 0, job, 0);
	}
	for (unsigned int i = ARRAY_SIZE(done); i-- > 0;)
		finish(&t, 0, done[i]);
	end(&t);
}

static void binary(struct vshare_session *s)
{
	struct vimport_job job;
	uint32_t first, other;
	struct setup t;

	begin(&t, s, 2);
	first = submit(&t, 0, slow_tag(&t, 0, DELAY_NS), 0);
	other = vimport_carry_fence(t.gpu[0].fd, first, t.gpu[1].fd);
	job = (struct vimport_job) {};
	vimport_job_copy(&job, t.gpu[1].va, t.gpu[1].va + SIZE / 2, SIZE / 2);
	dmabuf_oracle_copy(&t.oracle, 0, SIZE / 2, SIZE / 2);
	vimport_job_sync(&job, other, 0, 0);
	finish(&t, 1, submit(&t, 1, job, 0));
	finish(&t, 0, first);
	syncobj_destroy(t.gpu[1].fd, other);
	end(&t);
}

static void timeline(struct vshare_session *s)
{
	uint64_t point, last = 8;
	uint32_t syncobj, vms[2];
	struct setup t;

	begin(&t, s, 1);
	syncobj = syncobj_create(t.gpu[0].fd, 0);
	vms[0] = t.gpu[0].vm;
	vms[1] = vimport_vm_create(t.gpu[0].fd);
	vimport_vm_map(t.gpu[0].fd, vms[1], t.gpu[0].handle, 0, t.gpu[0].va, SIZE, 0);
	/* Only the timeline orders two address spaces. */
	for (point = 1; point <= last; point++) {
		struct vimport_job job = slow_tag(&t, 0, point % 2 ? 3 * NSEC_PER_MSEC : 0);

		if (point > 1)
			vimport_job_sync(&job, syncobj, point - 1, DRM_VIMPORT_SYNC_TIMELINE);
		vimport_job_sync(&job, syncobj, point,
				 DRM_VIMPORT_SYNC_TIMELINE | DRM_VIMPORT_SYNC_SIGNAL);
		igt_assert_eq(__vimport_exec(t.gpu[0].fd, vms[point % 2], &job, 0), 0);
	}
	igt_assert(syncobj_timeline_wait(t.gpu[0].fd, &syncobj, &last, 1, INT64_MAX, 0, NULL));
	syncobj_timeline_query(t.gpu[0].fd, &syncobj, &point, 1);
	igt_assert_eq_u64(point, last);
	syncobj_destroy(t.gpu[0].fd, syncobj);
	vimport_vm_destroy(t.gpu[0].fd, vms[1]);
	end(&t);
}

static void implicit_writers(struct vshare_session *s)
{
	uint32_t done[6];
	struct setup t;

	begin(&t, s, 2);
	for (unsigned int i = 0; i < ARRAY_SIZE(done); i++)
		done[i] = submit(&t, i % 2, slow_tag(&t, i % 2, i % 2 ? 0 : 5 * NSEC_PER_MSEC),
				 DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
	for (unsigned int i = 0; i < ARRAY_SIZE(done); i++)
		finish(&t, i % 2, done[i]);
	end(&t);
}

static void implicit_cpu_read(struct vshare_session *s)
{
	uint32_t done;
	struct setup t;

	begin(&t, s, 1);
	done = submit(&t, 0, slow_tag(&t, 0, DELAY_NS), DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
	prime_sync_start(t.bo.dmabuf, false);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after DMA_BUF_IOCTL_SYNC");
	prime_sync_end(t.bo.dmabuf, false);
	finish(&t, 0, done);
	end(&t);
}

static void implicit_sync_file(struct vshare_session *s)
{
	uint32_t done, closed;
	struct vimport_job job;
	struct gate gate;
	struct setup t;
	int fence;

	igt_require_f(s->gpus > 1, "Needs two GPUs\n");
	begin(&t, s, 1);
	gate_close(&gate, 1, -1, 0, GATE_LONG, 0);
	closed = gate_syncobj(&gate, t.gpu[0].fd);
	job = slow_tag(&t, 0, 0);
	vimport_job_sync(&job, closed, 0, 0);
	done = submit(&t, 0, job, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
	fence = dmabuf_export_sync_file(t.bo.dmabuf, DMA_BUF_SYNC_READ);
	igt_assert_eq(sync_fence_status(fence), 0);
	gate_open(&gate);
	syncobj_destroy(t.gpu[0].fd, closed);
	igt_assert_eq(sync_fence_wait(fence, WAIT_MS), 0);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after waiting for the buffer's sync_file");
	igt_assert_eq(sync_fence_status(fence), 1);
	close(fence);
	finish(&t, 0, done);
	end(&t);
}

static void explicit_invisible(struct vshare_session *s)
{
	uint32_t done;
	struct setup t;

	begin(&t, s, 1);
	done = submit(&t, 0, slow_tag(&t, 0, DELAY_NS), 0);
	igt_assert(!dmabuf_busy(t.bo.dmabuf, DMA_BUF_SYNC_READ));
	igt_assert(!dmabuf_busy(t.bo.dmabuf, DMA_BUF_SYNC_WRITE));
	finish(&t, 0, done);
	end(&t);
}

static void two_imports(struct vshare_session *s)
{
	const uint64_t other = 64 * SIZE;
	struct vimport_job job;
	uint32_t handle;
	struct setup t;

	begin(&t, s, 1);
	handle = vimport_import(t.gpu[0].fd, t.bo.dmabuf, DRM_VIMPORT_IMPORT_NO_P2P);
	vimport_vm_map(t.gpu[0].fd, t.gpu[0].vm, handle, 0, other, SIZE, 0);
	job = slow_tag(&t, 0, 0);
	vimport_job_copy(&job, t.gpu[0].va, other + SIZE / 2, SIZE / 2);
	dmabuf_oracle_copy(&t.oracle, 0, SIZE / 2, SIZE / 2);
	finish(&t, 0, submit(&t, 0, job, 0));
	vimport_vm_unmap(t.gpu[0].fd, t.gpu[0].vm, other, SIZE);
	gem_close(t.gpu[0].fd, handle);
	end(&t);
}

static void unbind_waits(struct vshare_session *s)
{
	uint32_t done;
	struct setup t;

	begin(&t, s, 1);
	done = submit(&t, 0, slow_tag(&t, 0, DELAY_NS), 0);
	vimport_vm_unmap(t.gpu[0].fd, t.gpu[0].vm, t.gpu[0].va, SIZE);
	igt_assert_eq(syncobj_wait_err(t.gpu[0].fd, &done, 1, 0, 0), 0);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after unbinding");
	finish(&t, 0, done);
	end(&t);
}

static void too_much_work(struct vshare_session *s)
{
	const uint64_t limit = 2 * NSEC_PER_SEC, ns = s->start.gpu[0].max_job_ns / 4 ?: 1;
	struct vimport_job job = {};
	uint64_t outstanding = 0;
	struct gate gate;
	uint32_t closed;
	struct setup t;
	int ret;

	igt_require_f(s->gpus > 1, "Needs two GPUs\n");
	begin(&t, s, 1);
	gate_close(&gate, 1, -1, 0, GATE_LONG, 0);
	closed = gate_syncobj(&gate, t.gpu[0].fd);
	vimport_job_delay(&job, ns);
	vimport_job_sync(&job, closed, 0, 0);
	while (!(ret = __vimport_exec(t.gpu[0].fd, t.gpu[0].vm, &job, 0))) {
		outstanding += ns;
		/* None of them can have begun. */
		igt_assert_lte_u64(outstanding, limit);
	}
	igt_assert_eq(ret, -EAGAIN);
	igt_assert(gate_closed(&gate));
	igt_assert_lte_u64(limit, outstanding + ns);
	/* The limit is this address space's, not the file's. */
	vimport_vm_destroy(t.gpu[0].fd, t.gpu[0].vm);
	t.gpu[0].vm = vimport_vm_create(t.gpu[0].fd);
	vimport_vm_map(t.gpu[0].fd, t.gpu[0].vm, t.gpu[0].handle, 0, t.gpu[0].va, SIZE, 0);
	finish(&t, 0, submit(&t, 0, slow_tag(&t, 0, 0), 0));
	gate_open(&gate);
	syncobj_destroy(t.gpu[0].fd, closed);
	end(&t);
}

static void too_many_jobs(struct vshare_session *s)
{
	struct vimport_job first = {}, nothing = {};
	unsigned int outstanding = 1;
	struct gate gate;
	uint32_t closed;
	struct setup t;
	int ret;

	begin(&t, s, 1);
	/* Other address spaces keep the engine busy for as long as it takes. */
	gate_close(&gate, 0, -1, 0, GATE_LONG, 0);
	closed = gate_syncobj(&gate, t.gpu[0].fd);
	vimport_job_delay(&first, 0);
	vimport_job_sync(&first, closed, 0, 0);
	igt_assert_eq(__vimport_exec(t.gpu[0].fd, t.gpu[0].vm, &first, 0), 0);

	vimport_job_delay(&nothing, 0);
	while (!(ret = __vimport_exec(t.gpu[0].fd, t.gpu[0].vm, &nothing, 0)))
		igt_assert_lte(++outstanding, MAX_PENDING_JOBS);
	igt_assert_eq(ret, -EAGAIN);
	igt_assert_eq(outstanding, MAX_PENDING_JOBS);
	igt_assert(gate_closed(&gate));

	/* Unbinding waits for all of them, and then there is room again. */
	gate_open(&gate);
	vimport_vm_unmap(t.gpu[0].fd, t.gpu[0].vm, t.gpu[0].va, SIZE);
	igt_assert_eq(__vimport_exec(t.gpu[0].fd, t.gpu[0].vm, &nothing, 0), 0);
	syncobj_destroy(t.gpu[0].fd, closed);
	end(&t);
}

/*
 * The fence of a job that must not run any more, as a file that outlives all. It is behind
 * @delays others.
 */
static int submit_doomed(struct setup *t, unsigned int delays)
{
	struct vimport_job first = {}, second = {};
	uint32_t done;
	int fence;

	vimport_job_delay(&first, LONG_DELAY_NS);
	while (delays--)
		igt_assert_eq(__vimport_exec(t->gpu[0].fd, t->gpu[0].vm, &first, 0), 0);
	vimport_job_fill(&second, t->gpu[0].va, SIZE, 0xdead);
	done = submit(t, 0, second, 0);
	fence = syncobj_handle_to_fd(t->gpu[0].fd, done,
				     DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
	syncobj_destroy(t->gpu[0].fd, done);
	return fence;
}

static void expect_cancelled(struct setup *t, int fence)
{
	igt_assert_eq(sync_fence_wait(fence, WAIT_MS), 0);
	igt_assert_eq(sync_fence_status(fence), -ECANCELED);
	dmabuf_oracle_check(&t->oracle, t->bo.map, "after the job was cancelled");
	close(fence);
}

static void vm_destroy_cancels(struct vshare_session *s)
{
	struct timespec start = {};
	struct setup t;
	int fence;

	begin(&t, s, 1);
	igt_nsec_elapsed(&start);
	fence = submit_doomed(&t, LONG_DELAYS);
	vimport_vm_destroy(t.gpu[0].fd, t.gpu[0].vm);
	/* It does not wait for those that run. */
	igt_assert_lt_u64(igt_nsec_elapsed(&start), LONG_DELAYS * LONG_DELAY_NS);
	expect_cancelled(&t, fence);

	t.gpu[0].vm = vimport_vm_create(t.gpu[0].fd);
	end(&t);
}

static void close_cancels(struct vshare_session *s)
{
	struct setup t;
	int fence;

	begin(&t, s, 1);
	fence = submit_doomed(&t, LONG_DELAYS);
	close(t.gpu[0].fd);
	t.gpus = 0;
	expect_cancelled(&t, fence);
	/* The buffer is nobody's prisoner. */
	vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	end(&t);
}

static void kill_cancels(struct vshare_session *s)
{
	struct igt_helper_process child = { .use_SIGKILL = true };
	struct setup t;
	ssize_t len;
	int ready[2];
	char byte;

	begin(&t, s, 0);
	igt_assert_eq(pipe(ready), 0);
	igt_fork_helper(&child) {
		vimport_gpu_init(&t.gpu[0], 0, t.bo.dmabuf, SIZE, 0);
		for (int i = 0; i < 4; i++)
			submit_doomed(&t, 1);
		igt_assert_eq(write(ready[1], "", 1), 1);
		pause();
	}
	/* So that a child that fails is an end of file here, and no hang. */
	close(ready[1]);
	len = read(ready[0], &byte, 1);
	igt_stop_helper(&child);
	close(ready[0]);
	igt_assert_eq(len, 1);
	/*
	 * What the first pair of jobs does is a race with the kill, and the
	 * second job of it writes if it wins; the leak check at the end of the
	 * subtest is what this is about, and that the buffer moves again.
	 */
	vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	if (READ_ONCE(t.bo.map[0]))
		dmabuf_oracle_fill(&t.oracle, 0, SIZE, 0xdead);
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "order-in-vm", "Jobs of one address space run in the order of their submission.",
	  order_in_vm },
	{ "binary", "A job waits for a job of another GPU.", binary },
	{ "timeline", "Points of a timeline order jobs of different address spaces.", timeline },
	{ "implicit-writers", "Implicit sync: the buffer itself orders its writers.",
	  implicit_writers },
	{ "implicit-cpu-read", "Implicit sync: a CPU reader waits for the writer.",
	  implicit_cpu_read },
	{ "implicit-sync-file", "Implicit sync: anyone can ask the buffer for its writer.",
	  implicit_sync_file },
	{ "explicit-invisible", "Without implicit sync nobody else is made to wait.",
	  explicit_invisible },
	{ "two-imports", "Two imports of one buffer are the same memory.", two_imports },
	{ "unbind-waits", "A mapping stays until the jobs that may use it are over.",
	  unbind_waits },
	{ "too-much-work", "Outstanding work is bounded.", too_much_work },
	{ "too-many-jobs", "Jobs are bounded, however little each of them does.",
	  too_many_jobs },
	{ "vm-destroy-cancels", "Destroying an address space ends its queued jobs soon.",
	  vm_destroy_cancels },
	{ "close-cancels", "Closing the file ends its queued jobs soon.", close_cancels },
	{ "kill-cancels", "A killed process leaves nothing running.", kill_cancels },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
