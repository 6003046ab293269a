// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vimport_lr.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Jobs that would take for ever end when their address space does, whatever "
		     "they are doing, and their fences say so.");

#define SIZE			(1ull << 20)
#define WORD			sizeof(uint64_t)

/* Half of what the jobs below take, and the gate. */
#define AT_ONCE_NS		(10ull * NSEC_PER_SEC)

enum { STARTED, GO };

struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct vimport_lr lr;
	struct vimport_job job;
	/* Between a process that is to be killed, and the one that does it. */
	bool prepared, go, ready;
};

static void begin(struct setup *t, struct vshare_session *s)
{
	*t = (struct setup) { .s = s };
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	vimport_lr_init(&t->lr, s->exporter, 0, t->bo.dmabuf, SIZE, 0);
}

static void end(struct setup *t)
{
	vimport_lr_fini(&t->lr);
	vexport_bo_fini(&t->bo);
}

static uint64_t submit(struct setup *t)
{
	uint64_t value = vimport_lr_submit(&t->lr, &t->job);

	t->job = (struct vimport_job) {};
	return value;
}

static void wait_for(struct setup *t, unsigned int word, uint64_t value)
{
	vimport_job_wait(&t->job, vimport_lr_word_va(&t->lr, word), value);
}

static void store(struct setup *t, unsigned int word, uint64_t value)
{
	vimport_job_fill(&t->job, vimport_lr_word_va(&t->lr, word), WORD, value);
}

/* What a job does when its address space goes. */
enum unfinished { RUNNING, WAITING, QUEUED, BLOCKED, PARKED, DELAYED, UNFINISHED };

static const char * const unfinished_names[] = {
	"running", "waiting", "queued", "blocked", "parked", "delayed",
};

/* Has a job that does not end by itself before the gate opens. */
static uint64_t leave_unfinished(struct setup *t, enum unfinished what, struct gate *gate)
{
	uint32_t syncobj;

	switch (what) {
	case RUNNING:
		/* Many times what is looked at below. */
		for (int i = 0; i < 100; i++) {
			t->job = (struct vimport_job) {};
			for (int j = 0; j < VIMPORT_JOB_CMDS; j++)
				vimport_job_checksum(&t->job, vimport_lr_word_va(&t->lr, GO),
						     t->lr.gpu.va, SIZE);
			vimport_lr_submit(&t->lr, &t->job);
		}
		break;
	case WAITING:
		wait_for(t, GO, 1);
		break;
	case QUEUED:
		wait_for(t, GO, 1);
		submit(t);
		store(t, STARTED, 1);
		break;
	case BLOCKED:
		syncobj = syncobj_create(t->lr.gpu.fd, 0);
		syncobj_import_sync_file(t->lr.gpu.fd, syncobj, gate->fence);
		vimport_job_sync(&t->job, syncobj, 0, 0);
		store(t, STARTED, 1);
		break;
	case PARKED:
		vexport_move(t->s->exporter, t->bo.dmabuf, 0,
			     DRM_VEXPORT_MOVE_ASYNC | DRM_VEXPORT_MOVE_RELOCATE);
		vimport_job_fill(&t->job, t->lr.gpu.va, WORD, 1);
		break;
	case DELAYED:
		for (int i = 0; i < 50; i++) {
			t->job = (struct vimport_job) {};
			vimport_job_delay(&t->job, 400 * NSEC_PER_MSEC);
			vimport_lr_submit(&t->lr, &t->job);
		}
		break;
	case UNFINISHED:
		break;
	}
	return submit(t);
}

/* The fence of the last job says that it was cancelled, which a CPU sees. */
static void expect_cancelled(struct setup *t, uint64_t value)
{
	volatile struct drm_vimport_fence *fence = vimport_lr_fence(&t->lr);
	struct timespec since = {};

	while (fence->value < value) {
		igt_assert_f(igt_nsec_elapsed(&since) < 20 * NSEC_PER_SEC,
			     "A job has not ended, though its address space has\n");
		usleep(1000);
	}
	igt_assert_eq(fence->error, -ECANCELED);
	igt_assert_eq_u64(*vimport_lr_word(&t->lr, STARTED), 0);
}

static void end_unfinished(struct vshare_session *s, void (*put_end)(struct setup *t))
{
	for (enum unfinished what = 0; what < UNFINISHED; what++) {
		struct timespec start = {};
		struct gate gate;
		struct setup t;
		uint64_t done;

		igt_require(s->gpus > 1);
		igt_debug("%s\n", unfinished_names[what]);
		begin(&t, s);
		gate_close(&gate, 1, t.bo.dmabuf, SIZE, GATE_LONG, 0);
		done = leave_unfinished(&t, what, &gate);
		usleep(5000);
		igt_assert(!vimport_lr_done(&t.lr, done));
		igt_nsec_elapsed(&start);
		put_end(&t);
		igt_assert_lt_u64(igt_nsec_elapsed(&start), AT_ONCE_NS);
		/* A fault that is being served is served first. */
		if (what == PARKED)
			gate_open(&gate);
		expect_cancelled(&t, done);
		if (what != PARKED)
			gate_open(&gate);
		if (fcntl(t.lr.gpu.fd, F_GETFD) >= 0)
			close(t.lr.gpu.fd);
		vexport_bo_fini(&t.lr.words);
		vexport_bo_fini(&t.bo);
	}
}

static void close_file(struct setup *t)
{
	close(t->lr.gpu.fd);
}

static void destroy_vm(struct setup *t)
{
	vimport_vm_destroy(t->lr.gpu.fd, t->lr.gpu.vm);
}

static void destroyed(struct vshare_session *s)
{
	end_unfinished(s, destroy_vm);
}

static void closed(struct vshare_session *s)
{
	end_unfinished(s, close_file);
}

/*
 * Only what nobody but the kill can end: a slow machine takes so long to make the process,
 * and to kill it, that the others may be done by then.
 */
static void killed(struct vshare_session *s)
{
	for (enum unfinished what = WAITING; what <= QUEUED; what++) {
		struct setup *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		struct vimport_lr mine;
		struct gate gate;
		int status;
		pid_t pid;

		igt_assert(t != MAP_FAILED);
		igt_require(s->gpus > 1);
		igt_debug("%s\n", unfinished_names[what]);
		begin(t, s);
		mine = t->lr;
		/* As late as can be, for it opens by itself; but here the child needs it. */
		if (what == BLOCKED)
			gate_close(&gate, 1, t->bo.dmabuf, SIZE, GATE_JOBS, 0);
		pid = fork();
		igt_assert(pid >= 0);
		if (!pid) {
			/* A file of its own, with the same buffers. */
			t->lr.gpu.fd = vimport_open(0);
			t->lr.gpu.vm = vimport_lr_vm_create(t->lr.gpu.fd);
			vimport_vm_map(t->lr.gpu.fd, t->lr.gpu.vm,
				       vimport_import(t->lr.gpu.fd, t->bo.dmabuf, 0), 0,
				       t->lr.gpu.va, SIZE, 0);
			vimport_vm_map(t->lr.gpu.fd, t->lr.gpu.vm,
				       vimport_import(t->lr.gpu.fd, t->lr.words.dmabuf, 0), 0,
				       t->lr.words_va, t->lr.words.size, 0);
			WRITE_ONCE(t->prepared, true);
			while (!READ_ONCE(t->go))
				usleep(500);
			leave_unfinished(t, what, &gate);
			WRITE_ONCE(t->ready, true);
			for (;;)
				pause();
		}
		while (!READ_ONCE(t->prepared))
			usleep(1000);
		if (what != BLOCKED)
			gate_close(&gate, 1, t->bo.dmabuf, SIZE, GATE_JOBS, 0);
		WRITE_ONCE(t->go, true);
		while (!READ_ONCE(t->ready))
			usleep(1000);
		usleep(5000);
		kill(pid, SIGKILL);
		igt_assert_eq(waitpid(pid, &status, 0), pid);
		igt_assert(WIFSIGNALED(status));
		if (what == PARKED)
			gate_open(&gate);
		expect_cancelled(t, t->lr.value);
		if (what != PARKED)
			gate_open(&gate);
		t->lr = mine;
		end(t);
		munmap(t, sizeof(*t));
	}
}

static const struct vshare_subtest subtests[] = {
	{ "destroyed", "A job ends with its address space.", destroyed },
	{ "closed", "It ends with its file.", closed },
	{ "killed", "It ends with its process.", killed },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
