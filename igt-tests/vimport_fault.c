// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_gate.h"
#include "igt_vexport.h"
#include "igt_vexport_profile.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A GPU that faults: buffers move while its jobs run or wait, nobody waits for "
		     "them, and their stores are found where the buffer is.");

#define SIZE			(256ull << 10)
#define LARGE			(4ull << 20)
#define PAGE			4096ull
#define WORD			sizeof(uint64_t)

/*
 * What needs no more than itself may take this long on a slow machine. What it must not wait
 * for does not come to an end before.
 */
#define AT_ONCE_NS		(20ull * NSEC_PER_SEC)

/* Words behind the fence. */
enum { STARTED, GO };

/* One GPU, one buffer with the oracle's idea of it, and a job to fill in. */
struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct vimport_lr lr;
	struct dmabuf_oracle oracle;
	struct vimport_job job;
};

static void begin_size(struct setup *t, struct vshare_session *s, uint64_t size,
		       uint32_t placement)
{
	*t = (struct setup) { .s = s };
	vexport_bo_init(&t->bo, s->exporter, size, placement, DRM_VEXPORT_GEM_MOVING);
	vimport_lr_init(&t->lr, s->exporter, 0, t->bo.dmabuf, size, 0);
	dmabuf_oracle_init(&t->oracle, size);
}

static void begin(struct setup *t, struct vshare_session *s)
{
	begin_size(t, s, SIZE, DRM_VEXPORT_PLACEMENT_TT);
}

static void check(struct setup *t, const char *when)
{
	struct drm_vexport_bo_query query;

	dmabuf_oracle_check(&t->oracle, t->bo.map, when);
	vexport_query(t->s->exporter, t->bo.dmabuf, &query);
	igt_assert_eq_u64(query.stale_words, 0);
}

static void end(struct setup *t)
{
	check(t, "at the end");
	dmabuf_oracle_fini(&t->oracle);
	vimport_lr_fini(&t->lr);
	vexport_bo_fini(&t->bo);
}

static void tag(struct setup *t, size_t offset, size_t size)
{
	vimport_job_tag(&t->job, t->lr.gpu.va + offset, size,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0, offset, size));
}

static uint64_t submit(struct setup *t)
{
	uint64_t value = vimport_lr_submit(&t->lr, &t->job);

	t->job = (struct vimport_job) {};
	return value;
}

static void run(struct setup *t)
{
	igt_assert_eq(vimport_lr_wait(&t->lr, submit(t)), 0);
}

/* The job says that it has come this far, and waits until it is told to go on. */
static void pause_job(struct setup *t)
{
	*vimport_lr_word(&t->lr, STARTED) = 0;
	*vimport_lr_word(&t->lr, GO) = 0;
	vimport_job_fill(&t->job, vimport_lr_word_va(&t->lr, STARTED), WORD, 1);
	vimport_job_wait(&t->job, vimport_lr_word_va(&t->lr, GO), 1);
}

static void wait_paused(struct setup *t)
{
	vimport_lr_wait_word(&t->lr, STARTED, 1);
}

static void go_on(struct setup *t)
{
	*vimport_lr_word(&t->lr, GO) = 1;
}

static void commands(struct vshare_session *s)
{
	const uint64_t ns = 20 * NSEC_PER_MSEC;
	struct timespec start = {};
	struct setup t;

	begin(&t, s);
	tag(&t, 0, SIZE);
	vimport_job_fill(&t.job, t.lr.gpu.va + WORD, PAGE, 0x0123456789abcdef);
	dmabuf_oracle_fill(&t.oracle, WORD, PAGE, 0x0123456789abcdef);
	vimport_job_copy(&t.job, t.lr.gpu.va + SIZE / 2 + 3 * WORD, t.lr.gpu.va + 7 * WORD,
			 SIZE / 4);
	dmabuf_oracle_copy(&t.oracle, SIZE / 2 + 3 * WORD, 7 * WORD, SIZE / 4);
	vimport_job_checksum(&t.job, t.lr.gpu.va + SIZE - PAGE, t.lr.gpu.va + WORD,
			     5 * PAGE + 3 * WORD);
	dmabuf_oracle_fill(&t.oracle, SIZE - PAGE, WORD,
			   dmabuf_oracle_checksum(&t.oracle, WORD, 5 * PAGE + 3 * WORD));
	vimport_job_delay(&t.job, ns);
	igt_nsec_elapsed(&start);
	run(&t);
	igt_assert_lte_u64(ns, igt_nsec_elapsed(&start));
	end(&t);
}

static void counters(struct vshare_session *s)
{
	struct drm_vimport_info before, after;
	struct setup t;

	begin(&t, s);
	vimport_get_info(t.lr.gpu.fd, &before);
	tag(&t, 0, PAGE);
	run(&t);
	vimport_get_info(t.lr.gpu.fd, &after);
	igt_assert_eq_u64(after.jobs, before.jobs + 1);
	igt_assert_eq_u64(after.job_errors, before.job_errors);
	igt_assert_eq_u64(after.bytes_written, before.bytes_written + PAGE);
	/* The buffer, and the fence. */
	igt_assert_eq_u64(after.gpu_faults, before.gpu_faults + 2);
	end(&t);
}

static const struct {
	uint32_t from, to, flags;
} moves[] = {
	{ DRM_VEXPORT_PLACEMENT_TT, 0, DRM_VEXPORT_MOVE_RELOCATE },
	{ DRM_VEXPORT_PLACEMENT_VRAM, 0, DRM_VEXPORT_MOVE_RELOCATE },
	{ DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_PLACEMENT_VRAM, 0 },
	{ DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_PLACEMENT_TT, 0 },
	{ DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_PLACEMENT_SYSTEM, 0 },
};

/* Half of the stores before, half of them after the move, which the job outlasts. */
static void move_waiting(struct vshare_session *s)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(moves); i++) {
		struct timespec start = {};
		struct setup t;
		uint64_t done;

		begin_size(&t, s, SIZE, moves[i].from);
		tag(&t, 0, SIZE / 2);
		pause_job(&t);
		tag(&t, SIZE / 4, SIZE / 2);
		done = submit(&t);
		wait_paused(&t);
		igt_nsec_elapsed(&start);
		vexport_move(s->exporter, t.bo.dmabuf, moves[i].to, moves[i].flags);
		igt_assert_lt_u64(igt_nsec_elapsed(&start), AT_ONCE_NS);
		igt_assert(!vimport_lr_done(&t.lr, done));
		go_on(&t);
		igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
		end(&t);
	}
}

/* Large jobs, and moves that come at any of their stores. */
static void move_storing(struct vshare_session *s)
{
	unsigned int count = 0;
	struct setup t;
	uint64_t done;

	begin_size(&t, s, LARGE, DRM_VEXPORT_PLACEMENT_VRAM);
	/* Until there were some: who moves may not be there before the jobs are over. */
	do {
		for (int i = 0; i < 4; i++) {
			for (int j = 0; j < 4; j++)
				tag(&t, 0, LARGE);
			/* What was there before is read, so a move that loses it shows, too. */
			vimport_job_copy(&t.job, t.lr.gpu.va + LARGE / 2, t.lr.gpu.va, LARGE / 4);
			dmabuf_oracle_copy(&t.oracle, LARGE / 2, 0, LARGE / 4);
			done = submit(&t);
		}
		while (!vimport_lr_done(&t.lr, done)) {
			vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
			count++;
			/* A job that is always moved under takes for ever, and may. */
			usleep(2000);
		}
		igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
	} while (count < 2);
	igt_info("%u moves\n", count);
	end(&t);
}

static void storm(struct vshare_session *s)
{
	struct drm_vexport_storm args = {
		.fd_count = 2,
		.kinds = DRM_VEXPORT_STORM_RELOCATE | DRM_VEXPORT_STORM_TT |
			 DRM_VEXPORT_STORM_VRAM | DRM_VEXPORT_STORM_EVICT,
		.rate = 200,
		.seed = 1,
	};
	struct timespec start = {};
	struct vimport_gpu fenced;
	unsigned int jobs = 0;
	struct setup t;
	int fds[2];

	begin_size(&t, s, SIZE, DRM_VEXPORT_PLACEMENT_VRAM);
	vimport_gpu_init(&fenced, 0, t.bo.dmabuf, SIZE, 0);
	fds[0] = t.bo.dmabuf;
	fds[1] = t.lr.words.dmabuf;
	args.fds = to_user_pointer(fds);
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	igt_nsec_elapsed(&start);
	while (igt_nsec_elapsed(&start) < 2 * NSEC_PER_SEC || jobs < 10) {
		struct vimport_job job = {};
		uint64_t done;

		/* A fenced job has the other half of the same buffer. */
		tag(&t, 0, SIZE / 2);
		vimport_job_tag(&job, fenced.va + SIZE / 2, SIZE / 2,
				dmabuf_oracle_tag(&t.oracle, DMABUF_WRITER_GPU1, SIZE / 2,
						  SIZE / 2));
		done = submit(&t);
		vimport_run(fenced.fd, fenced.vm, &job);
		igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
		check(&t, "in a storm");
		jobs++;
	}
	close(args.storm_fd);
	igt_info("%u jobs\n", jobs);
	vimport_gpu_fini(&fenced);
	end(&t);
}

/* Runs the job, which must end with a fault, and then one that must not. */
static void run_to_fault(struct setup *t)
{
	struct drm_vimport_info before, after;

	vimport_get_info(t->lr.gpu.fd, &before);
	/* Behind the fault: must never be written. */
	vimport_job_fill(&t->job, t->lr.gpu.va + SIZE - PAGE, PAGE, 0xdead);
	igt_assert_eq(vimport_lr_wait(&t->lr, submit(t)), -EFAULT);
	vimport_get_info(t->lr.gpu.fd, &after);
	igt_assert_eq_u64(after.job_errors, before.job_errors + 1);
	check(t, "after a fault");

	tag(t, 0, PAGE);
	run(t);
}

static void fault_unmapped(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	tag(&t, 0, PAGE);
	vimport_job_fill(&t.job, t.lr.gpu.va - PAGE, WORD, 1);
	run_to_fault(&t);
	vimport_job_copy(&t.job, t.lr.gpu.va, t.lr.gpu.va + SIZE, PAGE);
	run_to_fault(&t);
	vimport_job_checksum(&t.job, t.lr.gpu.va, t.lr.gpu.va - PAGE, WORD);
	run_to_fault(&t);
	vimport_job_wait(&t.job, t.lr.gpu.va - PAGE, 0);
	run_to_fault(&t);
	/* The second half of a command. */
	vimport_job_tag(&t.job, t.lr.gpu.va + SIZE - PAGE, 2 * PAGE,
			dmabuf_oracle_tag(&t.oracle, DMABUF_WRITER_GPU0, SIZE - PAGE, PAGE));
	igt_assert_eq(vimport_lr_wait(&t.lr, submit(&t)), -EFAULT);
	end(&t);
}

static void fault_read_only(struct vshare_session *s)
{
	struct setup t;
	uint64_t va;

	begin(&t, s);
	va = t.lr.gpu.va + 2 * SIZE;
	vimport_vm_map(t.lr.gpu.fd, t.lr.gpu.vm, t.lr.gpu.handle, 0, va, SIZE,
		       DRM_VIMPORT_VM_BIND_READONLY);
	vimport_job_fill(&t.job, va, WORD, 1);
	run_to_fault(&t);
	/* Also if the translation is there already. */
	vimport_job_checksum(&t.job, t.lr.gpu.va, va, PAGE);
	dmabuf_oracle_fill(&t.oracle, 0, WORD, dmabuf_oracle_checksum(&t.oracle, 0, PAGE));
	vimport_job_copy(&t.job, va, t.lr.gpu.va + PAGE, PAGE);
	run_to_fault(&t);
	end(&t);
}

/* A fence that has no memory is not stored; what comes behind it is not held up. */
static void fault_fence(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	tag(&t, 0, PAGE);
	igt_assert_eq(__vimport_lr_exec(t.lr.gpu.fd, t.lr.gpu.vm, &t.job, t.lr.gpu.va - PAGE, 1),
		      0);
	t.job = (struct vimport_job) {};
	tag(&t, PAGE, PAGE);
	run(&t);
	check(&t, "after a fence that nobody sees");

	/* No fence at all. */
	tag(&t, 2 * PAGE, PAGE);
	igt_assert_eq(__vimport_lr_exec(t.lr.gpu.fd, t.lr.gpu.vm, &t.job, 0, 0), 0);
	t.job = (struct vimport_job) {};
	tag(&t, 3 * PAGE, PAGE);
	run(&t);
	end(&t);
}

static void unbind_waiting(struct vshare_session *s)
{
	struct timespec start = {};
	struct setup t;
	uint64_t done;

	begin(&t, s);
	tag(&t, 0, SIZE / 2);
	pause_job(&t);
	vimport_job_fill(&t.job, t.lr.gpu.va, PAGE, 0xdead);
	done = submit(&t);
	wait_paused(&t);
	igt_nsec_elapsed(&start);
	vimport_vm_unmap(t.lr.gpu.fd, t.lr.gpu.vm, t.lr.gpu.va, SIZE);
	igt_assert_lt_u64(igt_nsec_elapsed(&start), AT_ONCE_NS);
	go_on(&t);
	igt_assert_eq(vimport_lr_wait(&t.lr, done), -EFAULT);
	check(&t, "after its mapping has gone");

	/* The same, but by then there is a new mapping. */
	vimport_vm_map(t.lr.gpu.fd, t.lr.gpu.vm, t.lr.gpu.handle, 0, t.lr.gpu.va, SIZE, 0);
	tag(&t, 0, PAGE);
	pause_job(&t);
	tag(&t, SIZE / 2, SIZE / 4);
	done = submit(&t);
	wait_paused(&t);
	vimport_vm_unmap(t.lr.gpu.fd, t.lr.gpu.vm, t.lr.gpu.va, SIZE);
	vimport_vm_map(t.lr.gpu.fd, t.lr.gpu.vm, t.lr.gpu.handle, 0, t.lr.gpu.va, SIZE, 0);
	go_on(&t);
	igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
	end(&t);
}

static void revoked(struct vshare_session *s)
{
	struct setup t;
	uint64_t done;

	begin(&t, s);
	tag(&t, 0, SIZE);
	run(&t);
	check(&t, "before it is revoked");
	pause_job(&t);
	vimport_job_fill(&t.job, t.lr.gpu.va, PAGE, 1);
	done = submit(&t);
	wait_paused(&t);
	vexport_revoke(s->exporter, t.bo.dmabuf, DRM_VEXPORT_REVOKE_TEMPORARY, 10000);
	go_on(&t);
	igt_assert_lt(vimport_lr_wait(&t.lr, done), 0);
	vexport_revoke(s->exporter, t.bo.dmabuf, DRM_VEXPORT_REVOKE_NONE, 0);
	tag(&t, 0, PAGE);
	run(&t);
	end(&t);
}

/* An exporter that is busy, each second time that it is asked. */
static void busy_map(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	profile_set(s, &t.bo, .nasty = DRM_VEXPORT_NASTY_MAP_BUSY, .every = 2);
	for (int i = 0; i < 4; i++) {
		tag(&t, 0, SIZE);
		run(&t);
		vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	}
	igt_assert_lt_u64(0, profile_acted(s, &t.bo, DRM_VEXPORT_NASTY_MAP_BUSY));
	end(&t);
}

/* A fenced address space on the same GPU, with a buffer of its own. */
struct fenced {
	struct vexport_bo bo;
	struct vimport_gpu gpu;
};

static void fenced_init(struct fenced *fenced, struct vshare_session *s)
{
	profile_create(s, &fenced->bo, DRM_VEXPORT_PLACEMENT_TT);
	vimport_gpu_init(&fenced->gpu, 0, fenced->bo.dmabuf, PROFILE_SIZE, 0);
	profile_use(s, &fenced->gpu, &fenced->bo);
}

static void fenced_fini(struct fenced *fenced)
{
	vimport_gpu_fini(&fenced->gpu);
	vexport_bo_fini(&fenced->bo);
}

/*
 * The exporter's copy waits for a job of the other GPU, and the fault for the copy:
 * a store before that would be lost.
 */
static void fenced_while_parked(struct vshare_session *s)
{
	struct fenced fenced;
	struct gate gate;
	struct setup t;
	uint64_t done;

	igt_require(s->gpus > 1);
	begin(&t, s);
	fenced_init(&fenced, s);
	tag(&t, 0, SIZE);
	run(&t);
	gate_close(&gate, 1, t.bo.dmabuf, SIZE, GATE_LONG, 0);
	vexport_move(s->exporter, t.bo.dmabuf, 0,
		     DRM_VEXPORT_MOVE_ASYNC | DRM_VEXPORT_MOVE_RELOCATE);
	tag(&t, 0, SIZE / 2);
	done = submit(&t);
	profile_use(s, &fenced.gpu, &fenced.bo);
	igt_assert(!vimport_lr_done(&t.lr, done));
	igt_assert(gate_closed(&gate));
	gate_open(&gate);
	igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
	fenced_fini(&fenced);
	end(&t);
}

static void fenced_while_waiting(struct vshare_session *s)
{
	struct fenced fenced;
	struct setup t;
	uint64_t done;

	begin(&t, s);
	fenced_init(&fenced, s);
	pause_job(&t);
	done = submit(&t);
	wait_paused(&t);
	profile_use(s, &fenced.gpu, &fenced.bo);
	igt_assert(!vimport_lr_done(&t.lr, done));
	go_on(&t);
	igt_assert_eq(vimport_lr_wait(&t.lr, done), 0);
	fenced_fini(&fenced);
	end(&t);
}

static void fenced_while_storing(struct vshare_session *s)
{
	struct fenced fenced;
	struct setup t;
	uint64_t done;

	begin_size(&t, s, LARGE, DRM_VEXPORT_PLACEMENT_TT);
	fenced_init(&fenced, s);
	for (int i = 0; i < 16; i++) {
		t.job = (struct vimport_job) {};
		for (int j = 0; j < VIMPORT_JOB_CMDS - 1; j++)
			vimport_job_checksum(&t.job, vimport_lr_word_va(&t.lr, j % 4),
					     t.lr.gpu.va, LARGE);
		done = submit(&t);
	}
	/* Not before the first of them has its pages, and the engine. */
	while (!*vimport_lr_word(&t.lr, 0))
		usleep(100);
	profile_use(s, &fenced.gpu, &fenced.bo);
	igt_assert_f(!vimport_lr_done(&t.lr, done),
		     "A fenced job ran only when all others had ended\n");
	fenced_fini(&fenced);
	/* For this half of a gigabyte nobody has to wait. */
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "commands", "A faulting GPU does what commands say.", commands },
	{ "counters", "Jobs, bytes and faults are counted.", counters },
	{ "move-waiting", "No move waits for a job that waits, which then stores to the new place.",
	  move_waiting },
	{ "move-storing", "Moves under a job lose none of its stores.", move_storing },
	{ "storm", "A storm loses no store either.", storm },
	{ "fault-unmapped", "A job that accesses nothing ends, the address space goes on.",
	  fault_unmapped },
	{ "fault-read-only", "No fault makes a read-only mapping writable.", fault_read_only },
	{ "fault-fence", "A fence without memory hurts nobody.", fault_fence },
	{ "unbind-waiting", "Unmapping waits for no job, and is seen by the next access.",
	  unbind_waiting },
	{ "revoked", "What cannot be mapped ends the job, and only that.", revoked },
	{ "busy-map", "An exporter that is busy is asked again.", busy_map },
	{ "fenced-while-parked", "A parked job does not hold the engine.", fenced_while_parked },
	{ "fenced-while-waiting", "A job that waits for memory does not hold the engine.",
	  fenced_while_waiting },
	{ "fenced-while-storing", "Jobs that have fences go first.", fenced_while_storing },
};

igt_main_args("", vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
