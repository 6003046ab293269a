// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_lr_buffer.h"
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

/* What a job does when its address space goes. */
enum unfinished { RUNNING, WAITING, QUEUED, BLOCKED, PARKED, DELAYED, UNFINISHED };

static const char * const unfinished_names[] = {
	"running", "waiting", "queued", "blocked", "parked", "delayed",
};

/* Has a job that does not end by itself before the gate opens. */
static uint64_t leave_unfinished(struct lr_buffer *t, enum unfinished what, struct gate *gate)
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
		lr_buffer_wait_for(t, GO, 1);
		break;
	case QUEUED:
		lr_buffer_wait_for(t, GO, 1);
		lr_buffer_submit(t);
		lr_buffer_store(t, STARTED, 1);
		break;
	case BLOCKED:
		syncobj = syncobj_create(t->lr.gpu.fd, 0);
		syncobj_import_sync_file(t->lr.gpu.fd, syncobj, gate->fence);
		vimport_job_sync(&t->job, syncobj, 0, 0);
		lr_buffer_store(t, STARTED, 1);
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
	return lr_buffer_submit(t);
}

/* The fence of the last job says that it was cancelled, which a CPU sees. */
static void expect_cancelled(struct lr_buffer *t, uint64_t value)
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

static void end_unfinished(struct vshare_session *s, void (*put_end)(struct lr_buffer *t))
{
	for (enum unfinished what = 0; what < UNFINISHED; what++) {
		struct timespec start = {};
		struct lr_buffer t;
		struct gate gate;
		uint64_t done;

		igt_require(s->gpus > 1);
		igt_debug("%s\n", unfinished_names[what]);
		lr_buffer_init(&t, s, SIZE);
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

static void close_file(struct lr_buffer *t)
{
	close(t->lr.gpu.fd);
}

static void destroy_vm(struct lr_buffer *t)
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

/* What a process that is to be killed shares with the one that does it. */
struct victim {
	struct lr_buffer buffer;
	bool prepared, go, ready;
};

/*
 * Only what nobody but the kill can end: a slow machine takes so long to make the process,
 * and to kill it, that the others may be done by then.
 */
static void killed(struct vshare_session *s)
{
	for (enum unfinished what = WAITING; what <= QUEUED; what++) {
		struct victim *victim = mmap(NULL, sizeof(*victim), PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		struct lr_buffer *t = &victim->buffer;
		struct vimport_lr mine;
		struct gate gate;
		int status;
		pid_t pid;

		igt_assert(victim != MAP_FAILED);
		igt_require(s->gpus > 1);
		igt_debug("%s\n", unfinished_names[what]);
		lr_buffer_init(t, s, SIZE);
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
			WRITE_ONCE(victim->prepared, true);
			while (!READ_ONCE(victim->go))
				usleep(500);
			leave_unfinished(t, what, &gate);
			WRITE_ONCE(victim->ready, true);
			for (;;)
				pause();
		}
		while (!READ_ONCE(victim->prepared))
			usleep(1000);
		if (what != BLOCKED)
			gate_close(&gate, 1, t->bo.dmabuf, SIZE, GATE_JOBS, 0);
		WRITE_ONCE(victim->go, true);
		while (!READ_ONCE(victim->ready))
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
		lr_buffer_fini(t);
		munmap(victim, sizeof(*victim));
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
