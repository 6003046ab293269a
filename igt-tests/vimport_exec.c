// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Jobs of the GPU: each command does what it says and nothing else, bad "
		     "addresses stop a job, and bad jobs are not accepted.");

#define SIZE			(64ull << 10)
#define PAGE			4096ull
#define WORD			sizeof(uint64_t)
#define TAG(sequence)		((uint64_t)(sequence) << DRM_VIMPORT_TAG_INDEX_BITS)

/* One GPU, one buffer with the oracle's idea of it, and a job to fill in. */
struct setup {
	struct vexport_bo bo;
	struct vimport_gpu gpu;
	struct dmabuf_oracle oracle;
	struct vimport_job job;
	struct drm_vimport_exec exec;
};

static void begin(struct setup *t, struct vshare_session *s)
{
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&t->gpu, 0, t->bo.dmabuf, SIZE, 0);
	dmabuf_oracle_init(&t->oracle, SIZE);
	t->job = (struct vimport_job) {};
	t->exec = (struct drm_vimport_exec) {
		.vm_id = t->gpu.vm,
		.cmds = to_user_pointer(t->job.cmds),
		.syncs = to_user_pointer(t->job.syncs),
		.cmd_stride = sizeof(t->job.cmds[0]),
		.sync_stride = sizeof(t->job.syncs[0]),
	};
}

static void end(struct setup *t)
{
	dmabuf_oracle_check(&t->oracle, t->bo.map, "at the end");
	dmabuf_oracle_fini(&t->oracle);
	vimport_gpu_fini(&t->gpu);
	vexport_bo_fini(&t->bo);
}

static void run(struct setup *t)
{
	vimport_run(t->gpu.fd, t->gpu.vm, &t->job);
	t->job = (struct vimport_job) {};
}

/* The job as it stands is refused; it starts anew afterwards. */
static void refuse(struct setup *t, struct vshare_session *s, int err)
{
	t->exec.cmd_count = t->job.cmd_count;
	t->exec.sync_count = t->job.sync_count;
	vshare_refused(s, t->gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &t->exec, err);
	t->job = (struct vimport_job) {};
}

static void tag(struct setup *t, size_t offset, size_t size)
{
	vimport_job_tag(&t->job, t->gpu.va + offset, size,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0, offset, size));
}

static void fill(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	vimport_job_fill(&t.job, t.gpu.va + WORD, PAGE, 0x0123456789abcdef);
	dmabuf_oracle_fill(&t.oracle, WORD, PAGE, 0x0123456789abcdef);
	vimport_job_fill(&t.job, t.gpu.va + SIZE - WORD, WORD, ~0ull);
	dmabuf_oracle_fill(&t.oracle, SIZE - WORD, WORD, ~0ull);
	run(&t);
	end(&t);
}

static void tags(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	tag(&t, 0, SIZE);
	tag(&t, PAGE - WORD, 2 * PAGE);
	tag(&t, 5 * PAGE, WORD);
	run(&t);
	end(&t);
}

static void copy(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	tag(&t, 0, SIZE / 2);
	/* To and from different places in their pages, so that each crosses others. */
	vimport_job_copy(&t.job, t.gpu.va + SIZE / 2 + 3 * WORD, t.gpu.va + 7 * WORD, SIZE / 4);
	dmabuf_oracle_copy(&t.oracle, SIZE / 2 + 3 * WORD, 7 * WORD, SIZE / 4);
	vimport_job_copy(&t.job, t.gpu.va, t.gpu.va + SIZE / 2, SIZE / 2);
	dmabuf_oracle_copy(&t.oracle, 0, SIZE / 2, SIZE / 2);
	run(&t);
	end(&t);
}

static void checksum(struct vshare_session *s)
{
	static const size_t sizes[] = { WORD, PAGE - WORD, PAGE, 5 * PAGE + 3 * WORD };
	const size_t result = SIZE - PAGE;
	struct setup t;

	begin(&t, s);
	tag(&t, 0, result);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		vimport_job_checksum(&t.job, t.gpu.va + result + i * WORD, t.gpu.va + i * WORD,
				     sizes[i]);
		dmabuf_oracle_fill(&t.oracle, result + i * WORD, WORD,
				   dmabuf_oracle_checksum(&t.oracle, i * WORD, sizes[i]));
	}
	run(&t);
	end(&t);
}

static void delay(struct vshare_session *s)
{
	const uint64_t ns = 20 * NSEC_PER_MSEC;
	struct timespec start = {};
	struct setup t;

	begin(&t, s);
	vimport_job_delay(&t.job, ns);
	tag(&t, 0, PAGE);
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
	vimport_get_info(t.gpu.fd, &before);
	tag(&t, 0, PAGE);
	tag(&t, PAGE, WORD);
	run(&t);
	vimport_get_info(t.gpu.fd, &after);
	igt_assert_eq_u64(after.jobs, before.jobs + 1);
	igt_assert_eq_u64(after.job_errors, before.job_errors);
	igt_assert_eq_u64(after.bytes_written, before.bytes_written + PAGE + WORD);
	end(&t);
}

/* Runs the job, which must stop with a fault, and then one that must not. */
static void run_faulting(struct setup *t, unsigned int count)
{
	struct drm_vimport_info before, after;
	uint32_t done;

	vimport_get_info(t->gpu.fd, &before);
	/* Behind the fault: must never be written. */
	vimport_job_fill(&t->job, t->gpu.va + SIZE - PAGE, PAGE, 0xdead);
	done = vimport_submit(t->gpu.fd, t->gpu.vm, &t->job, 0);
	igt_assert_eq(vimport_wait(t->gpu.fd, done), -EFAULT);
	vimport_get_info(t->gpu.fd, &after);
	igt_assert_eq_u64(after.gpu_faults, before.gpu_faults + count);
	igt_assert_eq_u64(after.job_errors, before.job_errors + count);
	dmabuf_oracle_check(&t->oracle, t->bo.map, "after a fault");

	t->job = (struct vimport_job) {};
	tag(t, 0, PAGE);
	run(t);
}

static void fault_unmapped(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	tag(&t, 0, PAGE);
	vimport_job_fill(&t.job, t.gpu.va - PAGE, WORD, 1);
	run_faulting(&t, 1);
	vimport_job_copy(&t.job, t.gpu.va, t.gpu.va + SIZE, PAGE);
	run_faulting(&t, 1);
	vimport_job_checksum(&t.job, t.gpu.va, t.gpu.va - PAGE, WORD);
	run_faulting(&t, 1);

	/* A buffer that has been there is no better than one that never was. */
	vimport_vm_unmap(t.gpu.fd, t.gpu.vm, t.gpu.va, SIZE);
	vimport_vm_map(t.gpu.fd, t.gpu.vm, t.gpu.handle, 0, t.gpu.va, PAGE, 0);
	vimport_job_fill(&t.job, t.gpu.va + PAGE, PAGE, 2);
	run_faulting(&t, 1);
	end(&t);
}

static void fault_midway(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	/* The second half of the command has no translation. */
	vimport_job_tag(&t.job, t.gpu.va + SIZE - PAGE, 2 * PAGE,
			dmabuf_oracle_tag(&t.oracle, DMABUF_WRITER_GPU0, SIZE - PAGE, PAGE));
	igt_assert_eq(vimport_wait(t.gpu.fd, vimport_submit(t.gpu.fd, t.gpu.vm, &t.job, 0)),
		      -EFAULT);
	end(&t);
}

static void fault_read_only(struct vshare_session *s)
{
	struct setup t;
	uint64_t va;

	begin(&t, s);
	va = t.gpu.va + 2 * SIZE;
	vimport_vm_map(t.gpu.fd, t.gpu.vm, t.gpu.handle, 0, va, SIZE,
		       DRM_VIMPORT_VM_BIND_READONLY);
	vimport_job_fill(&t.job, va, WORD, 1);
	run_faulting(&t, 1);
	vimport_job_copy(&t.job, va, t.gpu.va, PAGE);
	run_faulting(&t, 1);
	vimport_job_checksum(&t.job, va, t.gpu.va, PAGE);
	run_faulting(&t, 1);

	/* Reading is what it is for. */
	tag(&t, 0, PAGE);
	vimport_job_copy(&t.job, t.gpu.va + PAGE, va, PAGE);
	dmabuf_oracle_copy(&t.oracle, PAGE, 0, PAGE);
	run(&t);
	end(&t);
}

static void bad_header(struct vshare_session *s)
{
	struct drm_vimport_exec good;
	struct setup t;

	begin(&t, s);
	good = t.exec;
	refuse(&t, s, EINVAL);		/* no command */

	t.exec.vm_id = t.gpu.vm + 1;
	vimport_job_delay(&t.job, 1);
	refuse(&t, s, ENOENT);
	t.exec = good;
	for (uint32_t bad = DRM_VIMPORT_EXEC_IMPLICIT_SYNC << 1; bad; bad <<= 1) {
		t.exec.flags = bad;
		vimport_job_delay(&t.job, 1);
		refuse(&t, s, EINVAL);
	}
	t.exec = good;
	for (int bad = -8; bad <= 8; bad += 8) {
		t.exec.cmd_stride = bad ? sizeof(t.job.cmds[0]) + bad : 0;
		vimport_job_delay(&t.job, 1);
		refuse(&t, s, EINVAL);
	}
	t.exec = good;
	for (int bad = -8; bad <= 8; bad += 8) {
		t.exec.sync_stride = bad ? sizeof(t.job.syncs[0]) + bad : 0;
		vimport_job_delay(&t.job, 1);
		vimport_job_sync(&t.job, syncobj_create(t.gpu.fd, 0), 0,
				 DRM_VIMPORT_SYNC_SIGNAL);
		refuse(&t, s, EINVAL);
	}
	end(&t);
}

static void bad_pointers(struct vshare_session *s)
{
	static const uint64_t bad[] = { 0, 8, 1ull << 63, -4096 };
	struct drm_vimport_exec good;
	struct setup t;

	begin(&t, s);
	good = t.exec;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		vimport_job_delay(&t.job, 1);
		t.exec.cmds = bad[i];
		refuse(&t, s, EFAULT);
		t.exec = good;

		vimport_job_delay(&t.job, 1);
		vimport_job_sync(&t.job, syncobj_create(t.gpu.fd, 0), 0,
				 DRM_VIMPORT_SYNC_SIGNAL);
		t.exec.syncs = bad[i];
		refuse(&t, s, EFAULT);
		t.exec = good;
	}
	end(&t);
}

static void too_big(struct vshare_session *s)
{
	const struct drm_vimport_info *limit = &s->start.gpu[0];
	uint64_t space = limit->va_bits < 64 ? 1ull << limit->va_bits : UINT64_MAX;
	struct drm_vimport_cmd *cmds = calloc(limit->max_cmds + 1, sizeof(*cmds));
	struct setup t;

	begin(&t, s);
	/* A good job first: refusals must not come from its commands. */
	for (unsigned int i = 0; i <= limit->max_cmds; i++)
		cmds[i] = (struct drm_vimport_cmd) {
			.op = DRM_VIMPORT_OP_FILL, .va = t.gpu.va, .size = WORD,
		};
	t.exec.cmds = to_user_pointer(cmds);
	t.exec.cmd_count = limit->max_cmds;
	do_ioctl(t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &t.exec);
	/* Unbinding waits until that has run, so the counters stand still. */
	vimport_vm_unmap(t.gpu.fd, t.gpu.vm, t.gpu.va, SIZE);
	t.exec.cmd_count = limit->max_cmds + 1;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &t.exec, E2BIG);
	t.exec.cmd_count = UINT32_MAX;
	vshare_refused(s, t.gpu.fd, DRM_IOCTL_VIMPORT_EXEC, &t.exec, E2BIG);
	t.exec.cmds = to_user_pointer(t.job.cmds);

	vimport_job_delay(&t.job, limit->max_job_ns + 1);
	refuse(&t, s, E2BIG);
	vimport_job_delay(&t.job, limit->max_job_ns);
	vimport_job_delay(&t.job, 1);
	refuse(&t, s, E2BIG);
	vimport_job_delay(&t.job, UINT64_MAX);
	vimport_job_delay(&t.job, 2);
	refuse(&t, s, E2BIG);

	if (limit->max_job_bytes < space / 2) {
		vimport_job_fill(&t.job, 0, limit->max_job_bytes + WORD, 0);
		refuse(&t, s, E2BIG);
		vimport_job_fill(&t.job, 0, limit->max_job_bytes, 0);
		vimport_job_fill(&t.job, 0, WORD, 0);
		refuse(&t, s, E2BIG);
	}
	free(cmds);
	end(&t);
}

static void bad_command(struct vshare_session *s)
{
	static const uint32_t ops[] = {
		DRM_VIMPORT_OP_WAIT, DRM_VIMPORT_OP_WAIT + 1, 1u << 16, UINT32_MAX,
	};
	struct setup t;

	begin(&t, s);
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		vimport_job_fill(&t.job, t.gpu.va, WORD, 1);
		vimport_job_delay(&t.job, 1);
		t.job.cmds[1].op = ops[i];
		refuse(&t, s, EINVAL);
	}
	for (uint32_t bad = 1; bad; bad <<= 1) {
		vimport_job_fill(&t.job, t.gpu.va, WORD, 1);
		vimport_job_fill(&t.job, t.gpu.va, WORD, 1);
		t.job.cmds[1].flags = bad;
		refuse(&t, s, EINVAL);
	}
	end(&t);
}

static void unused_members(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	vimport_job_fill(&t.job, t.gpu.va, WORD, 1);
	t.job.cmds[0].src = t.gpu.va;
	refuse(&t, s, EINVAL);
	vimport_job_tag(&t.job, t.gpu.va, WORD, TAG(1));
	t.job.cmds[0].src = t.gpu.va;
	refuse(&t, s, EINVAL);
	vimport_job_copy(&t.job, t.gpu.va, t.gpu.va + PAGE, WORD);
	t.job.cmds[0].value = 1;
	refuse(&t, s, EINVAL);
	vimport_job_checksum(&t.job, t.gpu.va, t.gpu.va + PAGE, WORD);
	t.job.cmds[0].value = 1;
	refuse(&t, s, EINVAL);
	for (int member = 0; member < 3; member++) {
		vimport_job_delay(&t.job, 1);
		*(member == 0 ? &t.job.cmds[0].va : member == 1 ? &t.job.cmds[0].src :
		  &t.job.cmds[0].size) = PAGE;
		refuse(&t, s, EINVAL);
	}
	end(&t);
}

static void bad_range(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	for (unsigned int odd = 1; odd < WORD; odd += odd) {
		vimport_job_fill(&t.job, t.gpu.va + odd, WORD, 1);
		refuse(&t, s, EINVAL);
		vimport_job_tag(&t.job, t.gpu.va, WORD + odd, TAG(1));
		refuse(&t, s, EINVAL);
		vimport_job_copy(&t.job, t.gpu.va, t.gpu.va + PAGE + odd, WORD);
		refuse(&t, s, EINVAL);
		vimport_job_checksum(&t.job, t.gpu.va + odd, t.gpu.va + PAGE, WORD);
		refuse(&t, s, EINVAL);
	}
	vimport_job_fill(&t.job, t.gpu.va, 0, 1);
	refuse(&t, s, EINVAL);
	vimport_job_copy(&t.job, t.gpu.va, t.gpu.va + PAGE, 0);
	refuse(&t, s, EINVAL);
	vimport_job_tag(&t.job, t.gpu.va, 0, TAG(1));
	refuse(&t, s, EINVAL);
	vimport_job_checksum(&t.job, t.gpu.va, t.gpu.va, 0);
	refuse(&t, s, EINVAL);
	vimport_job_fill(&t.job, -PAGE, 2 * PAGE, 1);
	refuse(&t, s, EINVAL);
	vimport_job_copy(&t.job, t.gpu.va, -PAGE, 2 * PAGE);
	refuse(&t, s, EINVAL);
	end(&t);
}

static void copy_overlap(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	vimport_job_copy(&t.job, t.gpu.va, t.gpu.va, PAGE);
	refuse(&t, s, EINVAL);
	vimport_job_copy(&t.job, t.gpu.va, t.gpu.va + PAGE - WORD, PAGE);
	refuse(&t, s, EINVAL);
	vimport_job_copy(&t.job, t.gpu.va + PAGE - WORD, t.gpu.va, PAGE);
	refuse(&t, s, EINVAL);
	end(&t);
}

static void tag_low_bits(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	for (unsigned int bit = 0; bit < DRM_VIMPORT_TAG_INDEX_BITS; bit++) {
		vimport_job_tag(&t.job, t.gpu.va, WORD, TAG(1) | 1ull << bit);
		refuse(&t, s, EINVAL);
	}
	end(&t);
}

static void bad_sync(struct vshare_session *s)
{
	struct setup t;
	const struct {
		uint32_t flags;
		uint64_t point;
		int err;
	} bad[] = {
		/* They would be good if the flag were. */
		{ DRM_VIMPORT_SYNC_SIGNAL | DRM_VIMPORT_SYNC_TIMELINE << 1, 0, EINVAL },
		{ DRM_VIMPORT_SYNC_SIGNAL | 1u << 31, 0, EINVAL },
		{ DRM_VIMPORT_SYNC_SIGNAL, 1, EINVAL },
		{ DRM_VIMPORT_SYNC_SIGNAL | DRM_VIMPORT_SYNC_TIMELINE, 0, EINVAL },
		/* To wait for what nobody has submitted could take for ever. */
		{ 0, 0, EINVAL },
		{ DRM_VIMPORT_SYNC_TIMELINE, 1, EINVAL },
	};
	uint32_t syncobj, other, handle;

	begin(&t, s);
	syncobj = syncobj_create(t.gpu.fd, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		vimport_job_fill(&t.job, t.gpu.va, WORD, 1);
		vimport_job_sync(&t.job, syncobj, bad[i].point, bad[i].flags);
		refuse(&t, s, bad[i].err);
	}
	other = vimport_open(0);
	handle = syncobj_create(other, 0);
	while (handle <= syncobj)
		handle = syncobj_create(other, 0);
	for (int i = 0; i < 3; i++) {
		vimport_job_fill(&t.job, t.gpu.va, WORD, 1);
		/* A good one before: it must not be left with a fence. */
		vimport_job_sync(&t.job, syncobj, 0, DRM_VIMPORT_SYNC_SIGNAL);
		vimport_job_sync(&t.job, i == 0 ? 0 : i == 1 ? handle : UINT32_MAX, 0,
				 DRM_VIMPORT_SYNC_SIGNAL);
		refuse(&t, s, ENOENT);
		igt_assert_eq(syncobj_wait_err(t.gpu.fd, &syncobj, 1, 0, 0), -EINVAL);
	}
	close(other);
	syncobj_destroy(t.gpu.fd, syncobj);
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "fill", "Fill writes its range and not a word more.", fill },
	{ "tag", "Tags say which word of which write this is.", tags },
	{ "copy", "Copy moves bytes between any two places.", copy },
	{ "checksum", "The engine reads what was written.", checksum },
	{ "delay", "A delay takes at least its time, and what follows waits.", delay },
	{ "counters", "The device counts jobs and bytes.", counters },
	{ "fault-unmapped", "An access to nowhere stops the job, and only that job.",
	  fault_unmapped },
	{ "fault-midway", "What a command did before its fault stays, and is all it did.",
	  fault_midway },
	{ "fault-read-only", "No command writes through a read-only mapping.", fault_read_only },
	{ "bad-header", "Malformed submissions are refused.", bad_header },
	{ "bad-pointers", "Pointers to nothing are refused.", bad_pointers },
	{ "too-big", "Jobs are bounded in commands, bytes and time.", too_big },
	{ "bad-command", "Unknown commands and flags are refused.", bad_command },
	{ "unused-members", "What a command does not use is reserved.", unused_members },
	{ "bad-range", "Ranges are whole words that do not wrap around.", bad_range },
	{ "copy-overlap", "A copy onto itself has no good answer.", copy_overlap },
	{ "tag-low-bits", "A tag leaves room for the index.", tag_low_bits },
	{ "bad-sync", "Syncobjs that cannot be waited for or signalled are refused.", bad_sync },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
