// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The verdict tells what each importer of a buffer has done, and which rules "
		     "it has broken. With --bug it must tell just that bug.");

#define SIZE			(256ull << 10)
#define MAX_ROWS		32
#define MAX_GONE		16

/* For what must happen soon, however slow the machine is. */
#define PATIENCE_MS		20000
#define DELAY_NS		(400 * NSEC_PER_MSEC)

/* A buffer, and a GPU that has it mapped. */
struct scene {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct vimport_gpu gpu;
};

static void begin(struct scene *t, struct vshare_session *s)
{
	t->s = s;
	/* Long enough for a late write to find the storage watched. */
	vexport_set_parameter("quarantine_ms", 60000);
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&t->gpu, 0, t->bo.dmabuf, SIZE, 0);
}

static void end(struct scene *t)
{
	if (t->gpu.fd)
		vimport_gpu_fini(&t->gpu);
	vexport_bo_fini(&t->bo);
}

static void relocate(struct scene *t)
{
	vexport_move(t->s->exporter, t->bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
}

static void run_job(struct scene *t)
{
	struct vimport_job job = {};

	vimport_job_fill(&job, t->gpu.va, SIZE, 0x1111);
	vimport_run(t->gpu.fd, t->gpu.vm, &job);
}

/* With room for @room rows of @rows; returns how many there are. */
static uint32_t get(struct scene *t, struct drm_vexport_bo_verdict *verdict,
		    struct drm_vexport_attachment_info *rows, uint32_t room,
		    unsigned int timeout_ms)
{
	*verdict = (struct drm_vexport_bo_verdict){
		.fd = t->bo.dmabuf,
		.timeout_nsec = vexport_deadline(timeout_ms),
		.attachments = (uintptr_t)rows,
		.attachment_count = room,
		.attachment_stride = sizeof(*rows),
	};
	igt_assert_eq(__vexport_verdict(t->s->exporter, verdict), 0);
	return verdict->attachment_count;
}

/*
 * A correct importer has broken nothing. If there is a bug, and the verdict tells of it
 * and of nothing else, then this fails, which is what the table of mutants wants. If
 * the verdict says something else, this skips: nothing was proven then.
 */
static void judge(const struct drm_vexport_bo_verdict *verdict,
		  const struct drm_vexport_attachment_info *row, uint64_t expected,
		  uint64_t stale_words)
{
	if (vimport_bugs) {
		igt_require_f(verdict->rules == expected && row->rules == expected,
			      "The verdict says %#llx, of the importer %#llx, not %#llx\n",
			      (unsigned long long)verdict->rules, (unsigned long long)row->rules,
			      (unsigned long long)expected);
		igt_require_f(verdict->stale_words == stale_words &&
			      row->stale_words == stale_words,
			      "%llu words are stale, of this importer %llu, not %llu\n",
			      (unsigned long long)verdict->stale_words,
			      (unsigned long long)row->stale_words,
			      (unsigned long long)stale_words);
	}
	igt_assert_eq_u64(verdict->rules, 0);
	igt_assert_eq_u64(verdict->rules_legal, 0);
	igt_assert_eq_u64(row->rules, 0);
	igt_assert_eq_u64(verdict->stale_words, 0);
	igt_assert_eq_u64(row->stale_words, 0);
	igt_assert_eq_u64(verdict->stale_first.age_nsec | verdict->stale_last.age_nsec, 0);
}

static uint64_t rules_of_unmap(struct scene *t)
{
	bool core_pins = t->s->start.exporter.caps & DRM_VEXPORT_CAP_IMPLICIT_PIN;

	if (vimport_bugs & DRM_VIMPORT_BUG_WRITE_AFTER_UNMAP)
		return DRM_VEXPORT_RULE_WRITE_AFTER_UNMAP;
	if (vimport_bugs & DRM_VIMPORT_BUG_UNMAP_DIRECTION)
		return DRM_VEXPORT_RULE_UNMAP_DIRECTION;
	/* A core that pins on map unpins once more, too. */
	return DRM_VEXPORT_RULE_SURPLUS_UNMAP |
	       (core_pins ? DRM_VEXPORT_RULE_SURPLUS_UNPIN : 0);
}

static void unmapped(struct vshare_session *s)
{
	bool late = vimport_bugs & DRM_VIMPORT_BUG_WRITE_AFTER_UNMAP;
	struct drm_vexport_bo_verdict verdict;
	struct scene t;
	struct drm_vexport_attachment_info row;

	begin(&t, s);
	run_job(&t);
	/* So that the move which is found wanting is not the first. */
	vexport_move(s->exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	run_job(&t);
	get(&t, &verdict, &row, 1, PATIENCE_MS);
	if (late) {
		igt_require(verdict.stale_first.generation == 0);
		igt_require(verdict.stale_first.offset == 0);
		igt_require(verdict.stale_first.age_nsec);
		igt_require(!memcmp(&verdict.stale_first, &verdict.stale_last,
				    sizeof(verdict.stale_last)));
	}
	judge(&verdict, &row, rules_of_unmap(&t), late);
	igt_assert_eq_u64(verdict.draining, 0);
	igt_assert_eq_u64(verdict.quarantined, SIZE);
	igt_assert_eq_u64(row.maps_total, 2);
	igt_assert_eq_u64(row.notifies, verdict.notifies);
	igt_assert_lt_u64(0, row.unmap_last_nsec);
	igt_assert_lte_u64(row.unmap_last_nsec, row.unmap_max_nsec);
	end(&t);
}

/* The importer goes on as if it had not been told. */
static void told(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	const size_t last = SIZE - sizeof(uint64_t);
	struct vimport_job job = {};
	struct scene t;
	struct drm_vexport_attachment_info row;

	begin(&t, s);
	run_job(&t);
	relocate(&t);
	/* The last word only, so that there is something to tell of where it is. */
	vimport_job_fill(&job, t.gpu.va + last, sizeof(uint64_t), 0x2222);
	vimport_run(t.gpu.fd, t.gpu.vm, &job);
	get(&t, &verdict, &row, 1, 0);
	if (vimport_bugs) {
		igt_require(verdict.stale_moves == 1);
		igt_require(verdict.stale_first.generation == 0);
		igt_require(verdict.stale_first.offset == last);
		igt_require(verdict.draining == SIZE);
	}
	/* On a slow machine. */
	verdict.rules &= ~DRM_VEXPORT_RULE_LATE_UNMAP;
	row.rules &= ~DRM_VEXPORT_RULE_LATE_UNMAP;
	judge(&verdict, &row, DRM_VEXPORT_RULE_STALE_WRITE, 1);
	end(&t);
}

static void let_go(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct timespec since = {};
	struct scene t;
	struct drm_vexport_attachment_info row;

	begin(&t, s);
	run_job(&t);
	relocate(&t);
	igt_nsec_elapsed(&since);
	get(&t, &verdict, &row, 1, 0);
	/* On a slow machine it may be late already. */
	igt_assert(!verdict.rules || igt_nsec_elapsed(&since) >= DRM_VEXPORT_UNMAP_NSEC);
	while (igt_nsec_elapsed(&since) <= DRM_VEXPORT_UNMAP_NSEC)
		usleep(100000);
	get(&t, &verdict, &row, 1, 0);
	judge(&verdict, &row, DRM_VEXPORT_RULE_LATE_UNMAP, 0);
	end(&t);
}

static void detached(struct vshare_session *s)
{
	uint64_t expected = vimport_bugs & DRM_VIMPORT_BUG_DETACH_MAPPED ?
				    DRM_VEXPORT_RULE_DETACH_MAPPED :
			    vimport_bugs & DRM_VIMPORT_BUG_DETACH_PINNED ?
				    DRM_VEXPORT_RULE_DETACH_PINNED :
				    DRM_VEXPORT_RULE_SURPLUS_UNPIN;
	struct drm_vexport_bo_query query;
	struct drm_vexport_bo_verdict verdict;
	struct timespec since = {};
	struct scene t;
	struct drm_vexport_attachment_info row;

	begin(&t, s);
	run_job(&t);
	vimport_gpu_fini(&t.gpu);
	do {
		igt_assert_eq(get(&t, &verdict, &row, 1, 0), 1);
		igt_assert_lt_u64(igt_nsec_elapsed(&since), PATIENCE_MS * NSEC_PER_MSEC);
	} while (!(row.flags & DRM_VEXPORT_ATTACHMENT_GONE));
	igt_assert_eq(row.maps | row.pins | row.hard_pins, 0);
	/* Whatever it has left behind, the buffer is as free as ever. */
	relocate(&t);
	vexport_move(s->exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	vexport_query(s->exporter, t.bo.dmabuf, &query);
	igt_assert_eq(query.maps | query.pins | query.attachments, 0);
	igt_assert_eq_u64(t.bo.map[0], 0x1111);
	judge(&verdict, &row, expected, 0);
	end(&t);
}

static void counters(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct drm_vexport_attachment_info rows[MAX_ROWS];
	struct stat stat;
	struct scene t;
	uint32_t handle;
	int vgem;

	begin(&t, s);
	igt_assert_eq(get(&t, &verdict, rows, MAX_ROWS, 0), 1);
	igt_assert_eq_u64(verdict.moves | verdict.moves_mapped | verdict.notifies, 0);
	igt_assert_eq_u64(verdict.draining | verdict.quarantined, 0);
	igt_assert_lt_u64(0, verdict.buffer);

	relocate(&t);
	run_job(&t);
	/* The same pages: nothing is taken away, but everybody is told. */
	vexport_move(s->exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	run_job(&t);
	vexport_move(s->exporter, t.bo.dmabuf, DRM_VEXPORT_PLACEMENT_SYSTEM, 0);
	run_job(&t);
	get(&t, &verdict, rows, MAX_ROWS, PATIENCE_MS);
	/* The last job brought it back to TT. */
	igt_assert_eq_u64(verdict.moves, 4);
	igt_assert_eq_u64(verdict.moves_mapped, 2);
	igt_assert_eq_u64(verdict.notifies, 3);
	igt_assert_eq_u64(rows[0].notifies, 3);
	igt_assert_eq_u64(rows[0].maps_total, 4);
	igt_assert_eq_u32(rows[0].maps, 1);
	igt_assert_eq_u32(rows[0].hard_pins, 0);
	igt_assert_eq_u32(rows[0].flags,
			  DRM_VEXPORT_ATTACHMENT_DYNAMIC | DRM_VEXPORT_ATTACHMENT_P2P);
	igt_assert_f(strstr(rows[0].device, "vimport"), "The importer is \"%s\"\n",
		     rows[0].device);
	igt_assert_eq(fstat(t.bo.dmabuf, &stat), 0);
	igt_assert_eq_u64(rows[0].dmabuf, stat.st_ino);

	vgem = vshare_open_vgem();
	handle = prime_fd_to_handle(vgem, t.bo.dmabuf);
	igt_assert_eq(get(&t, &verdict, rows, MAX_ROWS, 0), 2);
	igt_assert_lt_u64(rows[0].id, rows[1].id);
	igt_assert_eq_u32(rows[1].flags, 0);
	igt_assert_eq_u32(rows[1].maps, 1);
	igt_assert_eq_u32(rows[1].pins, 1);
	igt_assert_eq_u32(rows[1].hard_pins, 1);
	igt_assert_eq_u64(rows[1].notifies, 0);
	gem_close(vgem, handle);
	close(vgem);
	igt_assert_eq(get(&t, &verdict, rows, MAX_ROWS, 0), 2);
	igt_assert_eq_u32(rows[1].flags, DRM_VEXPORT_ATTACHMENT_GONE);
	igt_assert_eq_u64(rows[1].maps_total, 1);
	igt_assert_eq(rows[1].maps | rows[1].pins | rows[1].hard_pins | rows[1].owed, 0);
	end(&t);
}

static void gone(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct drm_vexport_attachment_info rows[MAX_ROWS];
	struct scene t;
	uint64_t id;

	begin(&t, s);
	get(&t, &verdict, rows, MAX_ROWS, 0);
	id = rows[0].id;
	for (int i = 0; i < MAX_GONE + 4; i++)
		gem_close(t.gpu.fd, vimport_import(t.gpu.fd, t.bo.dmabuf,
						   DRM_VIMPORT_IMPORT_NO_P2P));
	/* The oldest is still here, the oldest that are gone are not. */
	igt_assert_eq(get(&t, &verdict, rows, MAX_ROWS, 0), MAX_GONE + 1);
	igt_assert_eq_u64(rows[0].id, id);
	for (int i = 1; i <= MAX_GONE; i++) {
		igt_assert_eq_u64(rows[i].id, id + 4 + i);
		igt_assert_eq_u32(rows[i].flags, DRM_VEXPORT_ATTACHMENT_GONE |
						 DRM_VEXPORT_ATTACHMENT_DYNAMIC);
	}
	end(&t);
}

static void short_array(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct drm_vexport_attachment_info rows[2], all[2];
	struct scene t;
	uint32_t other;

	begin(&t, s);
	other = vimport_import(t.gpu.fd, t.bo.dmabuf, DRM_VIMPORT_IMPORT_NO_P2P);
	igt_assert_eq(get(&t, &verdict, all, 2, 0), 2);
	memset(rows, 0xaa, sizeof(rows));
	igt_assert_eq(get(&t, &verdict, rows, 1, 0), 2);
	igt_assert_eq(memcmp(&rows[0], &all[0], sizeof(rows[0])), 0);
	for (size_t i = 0; i < sizeof(rows[0]); i++)
		igt_assert_eq(((uint8_t *)&rows[1])[i], 0xaa);
	/* Only the number, with nowhere to put them. */
	igt_assert_eq(get(&t, &verdict, NULL, 0, 0), 2);
	gem_close(t.gpu.fd, other);
	end(&t);
}

/* A caller whose row is longer than the driver's, as one of a later version will be. */
static void long_stride(struct vshare_session *s)
{
	struct {
		struct drm_vexport_attachment_info row;
		uint64_t more[3];
	} rows[3];
	struct drm_vexport_bo_verdict verdict = {
		.attachments = (uintptr_t)rows,
		.attachment_count = 3,
		.attachment_stride = sizeof(rows[0]),
	};
	struct scene t;
	uint32_t other;
	struct drm_vexport_attachment_info all[2];

	begin(&t, s);
	other = vimport_import(t.gpu.fd, t.bo.dmabuf, DRM_VIMPORT_IMPORT_NO_P2P);
	get(&t, &(struct drm_vexport_bo_verdict){}, all, 2, 0);
	memset(rows, 0xaa, sizeof(rows));
	verdict.fd = t.bo.dmabuf;
	igt_assert_eq(__vexport_verdict(s->exporter, &verdict), 0);
	igt_assert_eq(verdict.attachment_count, 2);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(memcmp(&rows[i].row, &all[i], sizeof(all[0])), 0);
		igt_assert_eq_u64(rows[i].more[0] | rows[i].more[1] | rows[i].more[2], 0);
	}
	igt_assert_eq(((uint8_t *)&rows[2])[0], 0xaa);
	gem_close(t.gpu.fd, other);
	end(&t);
}

static void bad_arguments(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct drm_vexport_attachment_info row;
	struct scene t;
	int foreign;

	begin(&t, s);
#define refused(error, descriptor, ...)						\
	do {									\
		verdict = (struct drm_vexport_bo_verdict){			\
			.fd = descriptor, __VA_ARGS__				\
		};								\
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_VERDICT,	\
			       &verdict, error);				\
	} while (0)
	refused(EINVAL, t.bo.dmabuf, .flags = 1);
	refused(EINVAL, t.bo.dmabuf, .flags = 1u << 31);
	refused(EINVAL, t.bo.dmabuf, .timeout_nsec = -1);
	refused(EINVAL, t.bo.dmabuf, .timeout_nsec = INT64_MIN);
	refused(EINVAL, t.bo.dmabuf, .attachments = (uintptr_t)&row, .attachment_count = 1);
	refused(EINVAL, t.bo.dmabuf, .attachments = (uintptr_t)&row, .attachment_count = 1,
		.attachment_stride = sizeof(row) - 8);
	refused(EINVAL, t.bo.dmabuf, .attachments = (uintptr_t)&row, .attachment_count = 1,
		.attachment_stride = sizeof(row) + 4);
	refused(EFAULT, t.bo.dmabuf, .attachments = 8, .attachment_count = 1,
		.attachment_stride = sizeof(row));
	refused(EFAULT, t.bo.dmabuf, .attachment_count = UINT32_MAX,
		.attachment_stride = sizeof(row));
	refused(EBADF, -1);
	refused(EINVAL, s->exporter);
	foreign = vshare_open_foreign_dmabuf(SIZE);
	refused(EINVAL, foreign);
#undef refused
	close(foreign);
	/* A huge array of which next to nothing is used costs nothing. */
	verdict = (struct drm_vexport_bo_verdict){
		.fd = t.bo.dmabuf,
		.attachments = (uintptr_t)&row,
		.attachment_count = UINT32_MAX,
		.attachment_stride = sizeof(row),
	};
	igt_assert_eq(__vexport_verdict(s->exporter, &verdict), 0);
	igt_assert_eq(verdict.attachment_count, 1);
	end(&t);
}

/* A job that keeps the old storage for some time. */
static uint32_t start_job(struct scene *t, uint64_t delay)
{
	struct vimport_job job = {};

	vimport_job_delay(&job, delay);
	vimport_job_fill(&job, t->gpu.va, SIZE, 0x3333);
	return vimport_submit(t->gpu.fd, t->gpu.vm, &job, 0);
}

static void waits(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct vimport_job job = {};
	struct timespec since = {};
	uint32_t opened, done;
	struct gate gate;
	struct scene t;

	begin(&t, s);
	run_job(&t);
	/* A job that keeps the old storage until the gate opens. */
	gate_close(&gate, 0, -1, 0, GATE_LONG, 0);
	opened = gate_syncobj(&gate, t.gpu.fd);
	vimport_job_sync(&job, opened, 0, 0);
	vimport_job_fill(&job, t.gpu.va, SIZE, 0x3333);
	done = vimport_submit(t.gpu.fd, t.gpu.vm, &job, 0);
	vexport_move(s->exporter, t.bo.dmabuf, 0,
		     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
	vexport_verdict(s->exporter, t.bo.dmabuf, 0, &verdict);
	igt_assert_eq_u64(verdict.draining, SIZE);

	/* A time-out is kept to. */
	igt_nsec_elapsed(&since);
	vexport_verdict(s->exporter, t.bo.dmabuf, 200, &verdict);
	igt_assert_eq_u64(verdict.draining, SIZE);
	/* Half of it: the kernel's tick may lag, and catch up, where a CPU is emulated. */
	igt_assert_lte_u64(100 * NSEC_PER_MSEC, igt_nsec_elapsed(&since));
	igt_assert(gate_closed(&gate));
	syncobj_destroy(t.gpu.fd, opened);
	gate_open(&gate);

	vexport_verdict(s->exporter, t.bo.dmabuf, PATIENCE_MS, &verdict);
	igt_assert_eq_u64(verdict.draining, 0);
	igt_assert_lte_u64(SIZE, verdict.quarantined);
	igt_assert_lt_u64(igt_nsec_elapsed(&since), PATIENCE_MS * NSEC_PER_MSEC);
	igt_assert_eq(vimport_wait(t.gpu.fd, done), 0);
	end(&t);
}

static void on_alarm(int sig)
{
}

static void interrupted(struct vshare_session *s)
{
	/* Again and again: the first may come before the call waits. */
	const struct itimerval soon = { { 0, 20000 }, { 0, 20000 } }, never = {};
	struct sigaction action = { .sa_handler = on_alarm }, old;
	struct drm_vexport_bo_verdict verdict;
	struct scene t;
	uint32_t done;
	int ret, err;

	begin(&t, s);
	sigaction(SIGALRM, &action, &old);
	for (int tries = 0; ; tries++) {
		igt_assert_lt(tries, 10);
		run_job(&t);
		done = start_job(&t, DELAY_NS);
		vexport_move(s->exporter, t.bo.dmabuf, 0,
			     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
		verdict = (struct drm_vexport_bo_verdict){
			.fd = t.bo.dmabuf,
			.timeout_nsec = vexport_deadline(PATIENCE_MS),
		};
		setitimer(ITIMER_REAL, &soon, NULL);
		ret = ioctl(s->exporter, DRM_IOCTL_VEXPORT_BO_VERDICT, &verdict);
		err = errno;
		setitimer(ITIMER_REAL, &never, NULL);
		igt_assert_eq(vimport_wait(t.gpu.fd, done), 0);
		if (ret)
			break;
	}
	igt_assert_eq(err, EINTR);
	sigaction(SIGALRM, &old, NULL);
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "unmapped", "Of an importer that gives back what the buffer has left nothing bad is "
		      "said, unless it writes there all the same, or gives it back wrongly.",
	  unmapped },
	{ "told", "Of an importer that listens nothing bad is said; of one that does not, where "
		  "it has written.", told },
	{ "let-go", "Who keeps a mapping of what the buffer has left for too long is told of.",
	  let_go },
	{ "detached", "What an importer leaves behind is told of when it has gone, and does "
		      "not hold the buffer.", detached },
	{ "counters", "Moves, notifications, pins and mappings are counted for each importer.",
	  counters },
	{ "gone", "Of importers that are gone the last ones are told of.", gone },
	{ "short-array", "An array that is too short says how many rows there are.", short_array },
	{ "long-stride", "What the driver does not know of a row is zero.", long_stride },
	{ "bad-arguments", "Unknown flags, bad time-outs, strides, pointers and descriptors are "
			   "refused.", bad_arguments },
	{ "waits", "The verdict waits for what the buffer has left, and no longer than it may.",
	  waits },
	{ "interrupted", "A signal ends the wait.", interrupted },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
		igt_install_exit_handler(vexport_restore_parameters);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
