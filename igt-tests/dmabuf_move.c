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

IGT_TEST_DESCRIPTION("A buffer moves while another device has it mapped, has a job for it "
		     "waiting, or is writing to it: every byte is as the last writer left it.");

#define SIZE			(256ull << 10)
#define HALF			(SIZE / 2)
#define QUARTER			(SIZE / 4)

/*
 * How long a job stays in the middle. A move has to begin meanwhile: where the
 * CPU is slow, or an emulated one that stops now and then, it takes longer.
 */
#define DELAY_NS		(50 * NSEC_PER_MSEC)
#define MAX_DELAY_NS		(400 * NSEC_PER_MSEC)
#define MAX_ATTEMPTS		12

/* What fills VRAM until the buffer has to leave it. */
#define HOG_SIZE		(4ull << 20)

enum importer_state {
	IDLE,		/* has the buffer mapped, and nothing to do */
	QUEUED,		/* has a job that waits for another GPU */
	RUNNING,	/* is between two writes of one job */
};

static const char * const state_names[] = { "idle", "queued", "running" };

static const struct move {
	const char *name;
	uint32_t from, to, flags;
	/* The move is not asked for: other buffers push this one out. */
	bool evict;
	/* Without peer-to-peer the buffer is where the CPU is at every map. */
	bool no_p2p;
} moves[] = {
	{ .name = "relocate-tt", .from = DRM_VEXPORT_PLACEMENT_TT,
	  .to = DRM_VEXPORT_PLACEMENT_TT, .flags = DRM_VEXPORT_MOVE_RELOCATE, .no_p2p = true },
	{ .name = "relocate-vram", .from = DRM_VEXPORT_PLACEMENT_VRAM,
	  .to = DRM_VEXPORT_PLACEMENT_VRAM, .flags = DRM_VEXPORT_MOVE_RELOCATE },
	{ .name = "tt-to-vram", .from = DRM_VEXPORT_PLACEMENT_TT,
	  .to = DRM_VEXPORT_PLACEMENT_VRAM, .no_p2p = true },
	{ .name = "tt-to-system", .from = DRM_VEXPORT_PLACEMENT_TT,
	  .to = DRM_VEXPORT_PLACEMENT_SYSTEM, .no_p2p = true },
	{ .name = "vram-to-tt", .from = DRM_VEXPORT_PLACEMENT_VRAM,
	  .to = DRM_VEXPORT_PLACEMENT_TT },
	{ .name = "vram-to-system", .from = DRM_VEXPORT_PLACEMENT_VRAM,
	  .to = DRM_VEXPORT_PLACEMENT_SYSTEM },
	{ .name = "evict", .from = DRM_VEXPORT_PLACEMENT_VRAM, .evict = true },
};

/* A buffer with what the oracle knows of it, and the GPUs that import it. */
struct setup {
	struct vshare_session s;
	struct vexport_bo bo;
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu[2];
	int gpus;
	int hog;
	struct drm_vexport_bo_query start;
	struct drm_vimport_info gpu_start;
};

static struct vimport_job tag_job(struct setup *t, int gpu, size_t offset, size_t size)
{
	struct vimport_job job = {};

	vimport_job_tag(&job, t->gpu[gpu].va + offset, size,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0 + gpu, offset, size));
	return job;
}

static void run(struct setup *t, int gpu, struct vimport_job job)
{
	vimport_run(t->gpu[gpu].fd, t->gpu[gpu].vm, &job);
}

static uint32_t submit(struct setup *t, int gpu, struct vimport_job job)
{
	return vimport_submit(t->gpu[gpu].fd, t->gpu[gpu].vm, &job, 0);
}

static void finish(struct setup *t, int gpu, uint32_t done)
{
	igt_assert_eq(vimport_wait(t->gpu[gpu].fd, done), 0);
}

static void check(struct setup *t, const char *when)
{
	dmabuf_oracle_check(&t->oracle, t->bo.map, when);
}

static void begin(struct setup *t, uint32_t placement, int gpus, uint32_t import_flags)
{
	memset(t, 0, sizeof(*t));
	t->hog = -1;
	vshare_session_begin(&t->s);
	vexport_bo_init(&t->bo, t->s.exporter, SIZE, placement, DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&t->oracle, SIZE);
	for (t->gpus = 0; t->gpus < gpus; t->gpus++) {
		vimport_gpu_init(&t->gpu[t->gpus], t->gpus, t->bo.dmabuf, SIZE, import_flags);
		/* The first job maps the buffer: from here on the importer must be told. */
		run(t, t->gpus, tag_job(t, t->gpus, 0, SIZE));
	}
	check(t, "before any move");
	vexport_query(t->s.exporter, t->bo.dmabuf, &t->start);
	vimport_get_info(t->gpu[0].fd, &t->gpu_start);
}

static void end(struct setup *t)
{
	struct drm_vexport_bo_query query;

	check(t, "at the end");
	vexport_query(t->s.exporter, t->bo.dmabuf, &query);
	igt_assert_eq_u64(query.stale_words, 0);
	igt_assert_eq_u64(query.stale_moves, 0);
	dmabuf_oracle_fini(&t->oracle);
	while (t->gpus)
		vimport_gpu_fini(&t->gpu[--t->gpus]);
	if (t->hog >= 0)
		close(t->hog);
	vexport_bo_fini(&t->bo);
	vshare_session_end(&t->s);
}

/* A job that writes one half, stays in the middle for a while, writes the other. */
static struct vimport_job two_halves(struct setup *t, int gpu, uint64_t delay)
{
	struct vimport_job job = tag_job(t, gpu, 0, HALF);

	vimport_job_delay(&job, delay);
	vimport_job_tag(&job, t->gpu[gpu].va + HALF, HALF,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0 + gpu, HALF, HALF));
	return job;
}

static uint32_t start_running(struct setup *t, int gpu, uint64_t delay)
{
	const size_t last = HALF / sizeof(*t->bo.map) - 1;
	struct timespec since = {};
	uint32_t done;

	done = submit(t, gpu, two_halves(t, gpu, delay));
	while (READ_ONCE(t->bo.map[last]) != t->oracle.expect[last])
		igt_assert_lt_u64(igt_nsec_elapsed(&since), 30 * NSEC_PER_SEC);
	return done;
}

static uint32_t start_queued(struct setup *t, uint64_t delay, uint32_t *blocker)
{
	struct vimport_job job = {};
	uint32_t fence, done;

	/* The other GPU needs no buffer to be busy. */
	vimport_job_delay(&job, delay);
	*blocker = vimport_submit(t->s.gpu[1], vimport_vm_create(t->s.gpu[1]), &job, 0);
	fence = vimport_carry_fence(t->s.gpu[1], *blocker, t->gpu[0].fd);
	job = tag_job(t, 0, 0, SIZE);
	vimport_job_sync(&job, fence, 0, 0);
	done = submit(t, 0, job);
	syncobj_destroy(t->gpu[0].fd, fence);
	return done;
}

static uint64_t vram_free(struct setup *t)
{
	struct drm_vexport_info info;

	vexport_get_info(t->s.exporter, &info);
	return info.vram_size - info.vram_used;
}

/* Fills VRAM so far that the next buffer does not fit. Ours is the oldest in it. */
static void prepare_evict(struct setup *t)
{
	t->hog = vexport_open();
	while (vram_free(t) >= HOG_SIZE)
		vexport_gem_create(t->hog, HOG_SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
}

static void do_move(struct setup *t, const struct move *move)
{
	struct drm_vexport_bo_query query;

	if (move->evict)
		vexport_gem_create(t->hog, HOG_SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	else
		vexport_move(t->s.exporter, t->bo.dmabuf, move->to, move->flags);
	vexport_query(t->s.exporter, t->bo.dmabuf, &query);
	igt_assert_lt_u64(t->start.generation, query.generation);
	if (move->evict) {
		igt_assert_neq_u32(query.placement, DRM_VEXPORT_PLACEMENT_VRAM);
		igt_assert_lt_u64(t->start.evictions, query.evictions);
	} else {
		igt_assert_eq_u32(query.placement, move->to);
	}
}

/*
 * The importer was told of the move. Returns whether the exporter thinks that
 * it was busy then.
 */
static bool check_counters(struct setup *t)
{
	struct drm_vexport_bo_query query;
	struct drm_vimport_info info;

	vexport_query(t->s.exporter, t->bo.dmabuf, &query);
	igt_assert_lt_u64(t->start.notifies, query.notifies);
	vimport_get_info(t->gpu[0].fd, &info);
	igt_assert_lt_u64(t->gpu_start.invalidations, info.invalidations);
	igt_assert_lt_u64(t->gpu_start.revalidations, info.revalidations);
	return query.moves_busy > t->start.moves_busy;
}

/* Every kind of access after the move: write, read to write, read only. */
static void use_after_move(struct setup *t, int gpu)
{
	struct vimport_job job = tag_job(t, gpu, 0, QUARTER);
	const size_t result = SIZE - sizeof(uint64_t);
	uint64_t va = t->gpu[gpu].va;

	vimport_job_copy(&job, va + QUARTER, va, QUARTER);
	dmabuf_oracle_copy(&t->oracle, QUARTER, 0, QUARTER);
	vimport_job_checksum(&job, va + result, va, result);
	dmabuf_oracle_fill(&t->oracle, result, sizeof(uint64_t),
			   dmabuf_oracle_checksum(&t->oracle, 0, result));
	run(t, gpu, job);
	check(t, "after a job after the move");
}

/* Returns whether the exporter found the importer busy. */
static bool move_once(enum importer_state state, const struct move *move, uint32_t import_flags,
		      uint64_t delay)
{
	uint32_t done = 0, blocker = 0;
	struct setup t;
	bool busy;

	begin(&t, move->from, 1, import_flags);
	igt_assert_eq_u32(t.start.placement, move->from);
	if (move->evict)
		prepare_evict(&t);
	if (state == QUEUED)
		done = start_queued(&t, delay, &blocker);
	else if (state == RUNNING)
		done = start_running(&t, 0, delay);

	do_move(&t, move);

	if (blocker)
		igt_assert_eq(vimport_wait(t.s.gpu[1], blocker), 0);
	if (done)
		finish(&t, 0, done);
	check(&t, "after the move");
	use_after_move(&t, 0);
	busy = check_counters(&t);
	/* Once more, from where the importer has brought it meanwhile. */
	vexport_move(t.s.exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	use_after_move(&t, 0);
	end(&t);
	return busy;
}

static void move_while(enum importer_state state, const struct move *move, uint32_t import_flags)
{
	unsigned int attempts = 0;
	uint64_t delay = DELAY_NS;

	if (state == IDLE) {
		igt_assert(!move_once(state, move, import_flags, 0));
		return;
	}
	/* If the job was over before the move began, that was no test of this state. */
	while (!move_once(state, move, import_flags, delay)) {
		igt_assert_lt_u32(++attempts, MAX_ATTEMPTS);
		if (delay < MAX_DELAY_NS)
			delay *= 2;
	}
}

static void two_importers_one_busy(void)
{
	struct setup t;
	uint32_t done;

	for (int busy = 0; busy < 2; busy++) {
		begin(&t, DRM_VEXPORT_PLACEMENT_VRAM, 2, 0);
		done = start_running(&t, busy, DELAY_NS);
		vexport_move(t.s.exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		finish(&t, busy, done);
		check(&t, "after the move");
		use_after_move(&t, !busy);
		use_after_move(&t, busy);
		end(&t);
	}
}

static void no_exporter_handle(void)
{
	struct setup t;

	begin(&t, DRM_VEXPORT_PLACEMENT_VRAM, 1, 0);
	vexport_bo_close_handle(&t.bo);
	vexport_move(t.s.exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	use_after_move(&t, 0);
	check_counters(&t);
	end(&t);
}

static void second_vm(void)
{
	struct vimport_job job = {};
	struct setup t;
	uint32_t vm;

	begin(&t, DRM_VEXPORT_PLACEMENT_VRAM, 1, 0);
	/* The same import at another address of another address space. */
	vm = vimport_vm_create(t.gpu[0].fd);
	vimport_vm_map(t.gpu[0].fd, vm, t.gpu[0].handle, HALF, 16 * SIZE, HALF, 0);
	for (int i = 0; i < 3; i++) {
		uint64_t tag = dmabuf_oracle_tag(&t.oracle, DMABUF_WRITER_GPU0, HALF, HALF);

		job = (struct vimport_job) {};
		vimport_job_tag(&job, 16 * SIZE, HALF, tag);
		vimport_run(t.gpu[0].fd, vm, &job);
		check(&t, "after a job in the second address space");
		use_after_move(&t, 0);
		vexport_move(t.s.exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	}
	end(&t);
}

static void async_move(void)
{
	struct setup t;
	struct gate gate;
	uint32_t done, next;

	begin(&t, DRM_VEXPORT_PLACEMENT_VRAM, 1, 0);
	gate_close(&gate, 1, t.bo.dmabuf, SIZE, GATE_LONG, 0);
	done = start_running(&t, 0, MAX_DELAY_NS);
	vexport_move(t.s.exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT,
		     DRM_VEXPORT_MOVE_ASYNC);
	/* The copy waits for the jobs, so it cannot be over: it shows on the buffer. */
	igt_assert(dmabuf_busy(t.bo.dmabuf, DMA_BUF_SYNC_READ));
	/* Explicit sync only: nothing but the move's fence holds this one back. */
	next = submit(&t, 0, tag_job(&t, 0, QUARTER, QUARTER));
	igt_assert_eq(syncobj_wait_err(t.gpu[0].fd, &next, 1, 0, 0), -ETIME);
	igt_assert(gate_closed(&gate));
	gate_open(&gate);
	finish(&t, 0, next);
	igt_assert_eq(syncobj_wait_err(t.gpu[0].fd, &done, 1, 0, 0), 0);
	finish(&t, 0, done);
	check(&t, "after a job behind an asynchronous move");
	igt_assert(!dmabuf_busy(t.bo.dmabuf, DMA_BUF_SYNC_READ));

	/* The same with the other GPU, which no address space puts behind the move. */
	vimport_gpu_init(&t.gpu[1], 1, t.bo.dmabuf, SIZE, 0);
	t.gpus = 2;
	done = start_running(&t, 0, DELAY_NS);
	vexport_move(t.s.exporter, t.bo.dmabuf, 0,
		     DRM_VEXPORT_MOVE_ASYNC | DRM_VEXPORT_MOVE_RELOCATE);
	run(&t, 1, tag_job(&t, 1, HALF, QUARTER));
	finish(&t, 0, done);
	check(&t, "after another GPU's job behind an asynchronous move");
	end(&t);
}

/* The exporter finds stale writes on its own: nobody looks at the data here. */
static void verdict(void)
{
	struct drm_vexport_bo_query query;
	struct setup t;

	begin(&t, DRM_VEXPORT_PLACEMENT_VRAM, 1, 0);
	for (int i = 0; i < 3; i++) {
		vexport_move(t.s.exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		run(&t, 0, tag_job(&t, 0, 0, SIZE));
		vexport_query(t.s.exporter, t.bo.dmabuf, &query);
		igt_assert_eq_u64(query.stale_words, 0);
		igt_assert_eq_u64(query.stale_moves, 0);
	}
	end(&t);
}

/* A GPU that only reads what the CPU has written since the move. */
static void reader(void)
{
	const uint64_t from = 1ull << 30;
	struct vexport_bo moving;
	struct setup t;
	uint32_t handle;

	/* It writes to a second buffer, which stays. */
	begin(&t, DRM_VEXPORT_PLACEMENT_TT, 1, 0);
	vexport_bo_init(&moving, t.s.exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	handle = vimport_import(t.gpu[0].fd, moving.dmabuf, 0);
	vimport_vm_map(t.gpu[0].fd, t.gpu[0].vm, handle, 0, from, SIZE,
		       DRM_VIMPORT_VM_BIND_READONLY);
	for (int i = 0; i < 3; i++) {
		struct vimport_job job = {};

		dmabuf_oracle_store(&t.oracle, moving.map, 0, SIZE);
		vimport_job_copy(&job, t.gpu[0].va, from, SIZE);
		run(&t, 0, job);
		check(&t, "after a copy from a buffer that has moved");
		vexport_move(t.s.exporter, moving.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	}
	vimport_vm_unmap(t.gpu[0].fd, t.gpu[0].vm, from, SIZE);
	gem_close(t.gpu[0].fd, handle);
	vexport_bo_fini(&moving);
	end(&t);
}

/*
 * A dynamic importer's mapping pins on a kernel without DMABUF_MOVE_NOTIFY, and must
 * not on one with it. Which of the two this kernel is, is for the driver to say, and
 * for whoever runs the tests to know.
 */
static void core_policy(bool pins)
{
	struct drm_vexport_bo_query query;
	struct drm_vexport_bo_move move = { .flags = DRM_VEXPORT_MOVE_RELOCATE };
	struct vimport_job job = {};
	struct vimport_gpu gpu;
	struct vshare_session s;
	struct vexport_bo bo;
	uint32_t handle;

	vshare_session_begin(&s);
	igt_require_f(!!(s.start.exporter.caps & DRM_VEXPORT_CAP_IMPLICIT_PIN) == pins,
		      "The core of this kernel %s on map\n", pins ? "does not pin" : "pins");
	vexport_bo_init(&bo, s.exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	/* To be attached does not pin, to be mapped may. */
	handle = vimport_import(s.gpu[0], bo.dmabuf, 0);
	vexport_move(s.exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	gem_close(s.gpu[0], handle);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	vimport_job_fill(&job, gpu.va, SIZE, 0x1111);
	vimport_run(gpu.fd, gpu.vm, &job);
	vexport_query(s.exporter, bo.dmabuf, &query);
	igt_assert_eq(query.maps, 1);
	igt_assert_eq(query.pins, pins);
	move.fd = bo.dmabuf;
	if (pins)
		vshare_refused(&s, s.exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
	else
		igt_assert_eq(__vexport_move(s.exporter, &move), 0);
	/* Its pin goes with it, but a worker does that. */
	vimport_gpu_fini(&gpu);
	vexport_wait_attachments(s.exporter, bo.dmabuf, 0);
	vexport_move(s.exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert_eq_u64(bo.map[0], 0x1111);
	igt_assert_eq_u64(bo.map[SIZE / sizeof(*bo.map) - 1], 0x1111);
	vexport_bo_fini(&bo);
	vshare_session_end(&s);
}

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(moves); i++) {
		for (enum importer_state state = IDLE; state <= RUNNING; state++) {
			igt_describe_f("The %s importer's writes are where the buffer is after "
				       "%s.", state_names[state], moves[i].name);
			igt_subtest_f("%s-%s", state_names[state], moves[i].name)
				move_while(state, &moves[i], 0);
			if (!moves[i].no_p2p)
				continue;
			igt_describe_f("The same where the importer cannot reach peer-to-peer "
				       "memory.");
			igt_subtest_f("%s-%s-no-p2p", state_names[state], moves[i].name)
				move_while(state, &moves[i], DRM_VIMPORT_IMPORT_NO_P2P);
		}
	}

	igt_describe("Whoever is idle is told of a move that waits for somebody else.");
	igt_subtest("two-importers-one-busy")
		two_importers_one_busy();

	igt_describe("Importers are told although the exporter's last handle is gone.");
	igt_subtest("no-exporter-handle")
		no_exporter_handle();

	igt_describe("A move reaches every address space that has the buffer mapped.");
	igt_subtest("second-vm")
		second_vm();

	igt_describe("The exporter sees no write to storage that the buffer has left.");
	igt_subtest("verdict")
		verdict();

	igt_describe("An importer that only reads must be told of moves as well.");
	igt_subtest("reader")
		reader();

	igt_describe("A job submitted during a move runs after the copy.");
	igt_subtest("async-move")
		async_move();

	igt_describe("A buffer under the core's own rules stays while an importer maps it.");
	igt_subtest("core-pins")
		core_policy(true);

	igt_describe("A buffer under the core's own rules moves although it is mapped.");
	igt_subtest("core-leaves-alone")
		core_policy(false);

	igt_fixture
		vshare_session_check_last();
}
