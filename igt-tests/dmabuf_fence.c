// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <poll.h>
#include <sys/ioctl.h>

#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_ticks.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"
#include "sw_sync.h"

IGT_TEST_DESCRIPTION("Whoever asks a dma-buf whether it may be read or written, by poll(), by a "
		     "sync_file or before CPU access, is told of the fences that concern them, "
		     "and a move concerns everybody.");

#define SIZE			(64ull << 10)

/* What is blocked has not got through in this time. Others get as long as it takes. */
#define BLOCKED_MS		50
#define WAIT_MS			20000

/* Those who may have to wait for what is going on with a buffer. */
enum user {
	POLLS_IN = 1 << 0,
	POLLS_OUT = 1 << 1,
	EXPORT_READ = 1 << 2,
	EXPORT_WRITE = 1 << 3,
	SYNC_READ = 1 << 4,
	SYNC_WRITE = 1 << 5,
	JOB_EXPLICIT = 1 << 6,
	JOB_IMPLICIT = 1 << 7,	/* a writer */
};

#define READERS			(POLLS_IN | EXPORT_READ | SYNC_READ)
#define WRITERS			(POLLS_OUT | EXPORT_WRITE | SYNC_WRITE | JOB_IMPLICIT)

static const char * const user_names[] = {
	"POLLIN", "POLLOUT", "a sync_file for reading", "a sync_file for writing",
	"DMA_BUF_SYNC_READ", "DMA_BUF_SYNC_WRITE", "a job with explicit synchronisation",
	"a job with implicit synchronisation",
};

/* A buffer that one GPU is busy with, and another one that comes second. */
struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct vimport_gpu second;
	struct gate gate;
};

static void run_second(struct setup *t)
{
	struct vimport_job job = {};

	vimport_job_fill(&job, t->second.va, SIZE, 1);
	vimport_run(t->second.fd, t->second.vm, &job);
}

static void begin(struct setup *t, struct vshare_session *s)
{
	t->s = s;
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&t->second, 1, t->bo.dmabuf, SIZE, 0);
	/* Nothing is left to be mapped when it comes to waiting. */
	run_second(t);
}

static void end(struct setup *t)
{
	vimport_gpu_fini(&t->second);
	vexport_bo_fini(&t->bo);
}

static void close_on_buffer(struct setup *t, unsigned int jobs, uint32_t exec_flags)
{
	gate_close(&t->gate, 0, t->bo.dmabuf, SIZE, jobs, exec_flags);
}

static void idle(struct setup *t)
{
	gate_close(&t->gate, 0, -1, 0, GATE_LONG, 0);
}

static void explicit_job(struct setup *t)
{
	close_on_buffer(t, GATE_LONG, 0);
}

static void implicit_job(struct setup *t)
{
	close_on_buffer(t, GATE_LONG, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
}

static void imported_read(struct setup *t)
{
	idle(t);
	dmabuf_import_sync_file(t->bo.dmabuf, DMA_BUF_SYNC_READ, t->gate.fence);
}

static void imported_write(struct setup *t)
{
	idle(t);
	dmabuf_import_sync_file(t->bo.dmabuf, DMA_BUF_SYNC_WRITE, t->gate.fence);
}

/* The job that holds the move up concerns nobody but the exporter. */
static void move(struct setup *t)
{
	close_on_buffer(t, GATE_LONG, 0);
	vexport_move(t->s->exporter, t->bo.dmabuf, 0,
		     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
}

static void move_to_tt(struct setup *t)
{
	close_on_buffer(t, GATE_LONG, 0);
	vexport_move(t->s->exporter, t->bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT,
		     DRM_VEXPORT_MOVE_ASYNC);
}

static const struct state {
	const char *name;
	const char *describe;
	void (*begin)(struct setup *t);
	/* Who has to wait: a mask of enum user. */
	unsigned int blocked;
} states[] = {
	{ "idle", "Nobody waits for a GPU that is busy with something else.", idle, 0 },
	{ "explicit-job", "Nobody waits for a job that has asked for nothing.", explicit_job, 0 },
	{ "implicit-job", "Everybody who takes part in implicit synchronisation waits for a "
	  "writer that does.", implicit_job, READERS | WRITERS },
	{ "imported-read", "A fence that was imported for a reader holds writers up.",
	  imported_read, WRITERS },
	{ "imported-write", "A fence that was imported for a writer holds everybody up who "
	  "takes part.", imported_write, READERS | WRITERS },
	{ "move", "Whoever wants the buffer in any way waits for a move.", move,
	  READERS | WRITERS | JOB_EXPLICIT },
	{ "move-to-tt", "The same for a move to another placement.", move_to_tt,
	  READERS | WRITERS | JOB_EXPLICIT },
};

static bool poll_blocks(int dmabuf, short events, int timeout_ms)
{
	struct pollfd fd = { .fd = dmabuf, .events = events };
	int ret = poll(&fd, 1, timeout_ms);

	igt_assert_lte(0, ret);
	if (ret)
		igt_assert_eq(fd.revents, events);
	return !ret;
}

static int cpu_access(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0;
}

static bool cpu_access_blocks(int dmabuf, uint64_t flags)
{
	int ret;

	ticks_start(false);
	ret = cpu_access(dmabuf, flags | DMA_BUF_SYNC_START);
	ticks_stop();
	if (ret == -EINTR)
		return true;
	igt_assert_eq(ret, 0);
	igt_assert_eq(cpu_access(dmabuf, flags | DMA_BUF_SYNC_END), 0);
	return false;
}

/* A job of the second GPU, as a sync_file. */
static int submit(struct setup *t, uint32_t exec_flags)
{
	struct vimport_job job = {};
	uint32_t done;
	int fence;

	vimport_job_fill(&job, t->second.va, SIZE, 2);
	done = vimport_submit(t->second.fd, t->second.vm, &job, exec_flags);
	fence = syncobj_handle_to_fd(t->second.fd, done,
				     DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
	syncobj_destroy(t->second.fd, done);
	return fence;
}

static bool job_blocks(int fence, bool expected)
{
	return sync_fence_wait(fence, expected ? BLOCKED_MS : WAIT_MS);
}

static void expect(struct setup *t, enum user who, bool blocks, unsigned int blocked)
{
	const char *name = user_names[__builtin_ctz(who)];

	igt_assert_f(gate_closed(&t->gate), "The other GPU was done before %s was tried: this "
		     "machine is too slow, or it did not wait\n", name);
	if (blocked & who)
		igt_assert_f(blocks, "%s did not wait\n", name);
	else
		igt_assert_f(!blocks, "%s waited\n", name);
}

static void run_state(struct vshare_session *s, const struct state *state)
{
	const unsigned int blocked = state->blocked;
	int job_explicit, job_implicit, dmabuf;
	struct setup t;

	begin(&t, s);
	dmabuf = t.bo.dmabuf;
	state->begin(&t);
	expect(&t, POLLS_IN, poll_blocks(dmabuf, POLLIN, 0), blocked);
	expect(&t, POLLS_OUT, poll_blocks(dmabuf, POLLOUT, 0), blocked);
	expect(&t, EXPORT_READ, dmabuf_busy(dmabuf, DMA_BUF_SYNC_READ), blocked);
	expect(&t, EXPORT_WRITE, dmabuf_busy(dmabuf, DMA_BUF_SYNC_WRITE), blocked);
	expect(&t, SYNC_READ, cpu_access_blocks(dmabuf, DMA_BUF_SYNC_READ), blocked);
	expect(&t, SYNC_WRITE, cpu_access_blocks(dmabuf, DMA_BUF_SYNC_WRITE), blocked);

	/* The jobs come last: they add fences of their own. */
	job_explicit = submit(&t, 0);
	expect(&t, JOB_EXPLICIT, job_blocks(job_explicit, blocked & JOB_EXPLICIT), blocked);
	job_implicit = submit(&t, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
	expect(&t, JOB_IMPLICIT, job_blocks(job_implicit, blocked & JOB_IMPLICIT), blocked);

	/* Once the gate is open nobody waits any more. */
	gate_open(&t.gate);
	igt_assert_eq(sync_fence_wait(job_explicit, WAIT_MS), 0);
	igt_assert_eq(sync_fence_wait(job_implicit, WAIT_MS), 0);
	igt_assert(!poll_blocks(dmabuf, POLLIN, WAIT_MS));
	igt_assert(!poll_blocks(dmabuf, POLLOUT, WAIT_MS));
	igt_assert(!dmabuf_busy(dmabuf, DMA_BUF_SYNC_RW));
	igt_assert_eq_u64(t.bo.map[0], 2);
	close(job_explicit);
	close(job_implicit);
	end(&t);
}

static void poll_wakes(struct vshare_session *s)
{
	static const short events[] = { POLLIN, POLLOUT };
	struct setup t;

	begin(&t, s);
	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++) {
		close_on_buffer(&t, GATE_JOBS, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
		igt_assert(poll_blocks(t.bo.dmabuf, events[i], 0));
		igt_assert(!poll_blocks(t.bo.dmabuf, events[i], WAIT_MS));
		igt_assert(!gate_closed(&t.gate));
		gate_open(&t.gate);
	}
	end(&t);
}

static void sync_restarts(struct vshare_session *s)
{
	unsigned int interrupted;
	struct setup t;
	int ret;

	begin(&t, s);
	close_on_buffer(&t, GATE_JOBS, DRM_VIMPORT_EXEC_IMPLICIT_SYNC);
	ticks_start(true);
	ret = cpu_access(t.bo.dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	interrupted = ticks_stop();
	igt_assert_eq(ret, 0);
	/* It was interrupted, again and again, and has waited to the end all the same. */
	igt_assert_lt(2, interrupted);
	igt_assert(!gate_closed(&t.gate));
	igt_assert_eq(cpu_access(t.bo.dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ), 0);
	gate_open(&t.gate);
	end(&t);
}

static void move_waits_imported(struct vshare_session *s)
{
	static const uint32_t flags[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE };
	struct setup t;

	begin(&t, s);
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
		uint32_t placement = i / ARRAY_SIZE(flags) ? DRM_VEXPORT_PLACEMENT_TT :
							     DRM_VEXPORT_PLACEMENT_VRAM;

		gate_close(&t.gate, 0, -1, 0, GATE_JOBS, 0);
		dmabuf_import_sync_file(t.bo.dmabuf, flags[i % ARRAY_SIZE(flags)], t.gate.fence);
		igt_assert(gate_closed(&t.gate));
		vexport_move(s->exporter, t.bo.dmabuf, placement,
			     placement == DRM_VEXPORT_PLACEMENT_VRAM ?
			     DRM_VEXPORT_MOVE_RELOCATE : 0);
		igt_assert(!gate_closed(&t.gate));
		gate_open(&t.gate);
		vexport_move(s->exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	}
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "poll-wakes", "Who waits in poll() is woken when the last writer is done.", poll_wakes },
	{ "sync-restarts", "A wait before CPU access begins again after a signal, and lasts as "
	  "long as it has to.", sync_restarts },
	{ "move-waits-imported", "A move waits for a fence that was imported, as for a job.",
	  move_waits_imported },
};

igt_main_args("", vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		igt_describe(states[i].describe);
		igt_subtest(states[i].name) {
			struct vshare_session s;

			vshare_session_begin(&s);
			run_state(&s, &states[i]);
			vshare_session_end(&s);
		}
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
