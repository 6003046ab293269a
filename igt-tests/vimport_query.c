// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_gate.h"
#include "igt_slow_pages.h"
#include "igt_syncobj.h"
#include "igt_userptr.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What is counted for an address space is what has happened in it, and what "
		     "fdinfo says of a file is the time that the engine has worked for it.");

#define SIZE			(64ull << 10)

/* Together no more than an address space may have to do. */
#define DELAY_NS		(480 * NSEC_PER_MSEC)
#define DELAYS			4

/* What an emulated CPU may lose between a clock of ours and one of the kernel's. */
#define SLACK_NS		(150 * NSEC_PER_MSEC)

static struct drm_vimport_vm_query query(int fd, uint32_t vm)
{
	struct drm_vimport_vm_query args = { .vm_id = vm };

	do_ioctl(fd, DRM_IOCTL_VIMPORT_VM_QUERY, &args);
	return args;
}

static void new_is_zero(struct vshare_session *s)
{
	struct drm_vimport_vm_query args, zero = {};

	zero.vm_id = vimport_vm_create(s->gpu[0]);
	args = query(s->gpu[0], zero.vm_id);
	igt_assert(!memcmp(&args, &zero, sizeof(args)));
	vimport_vm_destroy(s->gpu[0], zero.vm_id);
}

static void counts(struct vshare_session *s)
{
	struct drm_vimport_vm_query args;
	struct vimport_job job = {};
	struct vimport_gpu gpu, other;
	struct vexport_bo bo;
	uint32_t syncobj;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	vimport_gpu_init(&other, 0, bo.dmabuf, SIZE, 0);
	args = query(gpu.fd, gpu.vm);
	igt_assert_eq_u32(args.mappings, 1);
	igt_assert_eq_u64(args.mapped, SIZE);

	vimport_job_fill(&job, gpu.va, SIZE, 1);
	vimport_run(gpu.fd, gpu.vm, &job);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	vimport_run(gpu.fd, gpu.vm, &job);
	args = query(gpu.fd, gpu.vm);
	igt_assert_eq_u64(args.jobs, 2);
	igt_assert_eq_u64(args.job_errors, 0);
	igt_assert_eq_u64(args.bytes_written, 2 * SIZE);
	igt_assert_eq_u64(args.invalidations, 1);
	igt_assert_eq_u64(args.revalidations, 1);
	igt_assert_lt_u64(0, args.tlb_flushes);
	igt_assert_eq_u64(args.userptr_faults | args.userptr_invalidations, 0);

	/* A job behind the last page: a fault, and nothing written. */
	memset(&job, 0, sizeof(job));
	vimport_job_fill(&job, gpu.va + SIZE, 8, 1);
	syncobj = vimport_submit(gpu.fd, gpu.vm, &job, 0);
	igt_assert_eq(vimport_wait(gpu.fd, syncobj), -EFAULT);
	args = query(gpu.fd, gpu.vm);
	igt_assert_eq_u64(args.jobs, 3);
	igt_assert_eq_u64(args.job_errors, 1);
	igt_assert_eq_u64(args.gpu_faults, 1);
	igt_assert_eq_u64(args.bytes_written, 2 * SIZE);

	/* All of that has happened in one address space, and the move in both. */
	args = query(other.fd, other.vm);
	igt_assert_eq_u64(args.jobs | args.bytes_written | args.gpu_faults, 0);
	igt_assert_eq_u64(args.mapped, SIZE);
	vimport_vm_unmap(other.fd, other.vm, other.va, SIZE);
	args = query(other.fd, other.vm);
	igt_assert_eq_u64(args.mapped | args.mappings, 0);
	vimport_gpu_fini(&other);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

/* What was counted since the last time. */
static void expect_userptr(const struct userptr *u, struct drm_vimport_vm_query *last,
			   uint64_t invalidations, uint64_t faults, uint64_t retries)
{
	struct drm_vimport_vm_query now = query(u->fd, u->vm);

	igt_assert_eq_u64(now.userptr_invalidations - last->userptr_invalidations, invalidations);
	igt_assert_eq_u64(now.userptr_faults - last->userptr_faults, faults);
	igt_assert_eq_u64(now.userptr_retries - last->userptr_retries, retries);
	*last = now;
}

static void userptr_counts(struct vshare_session *s)
{
	struct drm_vimport_vm_query last = {}, other_last = {};
	struct userptr u, other;
	void *mem = userptr_alloc(SIZE);

	userptr_init(&u, s->gpu[0], mem, SIZE, 0);
	userptr_init(&other, s->gpu[0], mem, SIZE, 0);
	expect_userptr(&u, &last, 0, 0, 0);
	/* Looked up once for two jobs; the other address space has a buffer of its own. */
	igt_assert_eq(userptr_fill(&u, 1), 0);
	expect_userptr(&u, &last, 0, 1, 0);
	igt_assert_eq(userptr_fill(&u, 2), 0);
	expect_userptr(&u, &last, 0, 0, 0);
	expect_userptr(&other, &other_last, 0, 0, 0);
	/* Only what is in use is taken away from anybody. */
	igt_assert_eq(madvise(mem, SIZE / 2, MADV_DONTNEED), 0);
	expect_userptr(&u, &last, 1, 0, 0);
	igt_assert_eq(madvise(mem, SIZE, MADV_DONTNEED), 0);
	expect_userptr(&u, &last, 0, 0, 0);
	igt_assert_eq(userptr_fill(&u, 3), 0);
	expect_userptr(&u, &last, 0, 1, 0);
	expect_userptr(&other, &other_last, 0, 0, 0);
	/* Memory that is not there is looked for each time. */
	munmap(mem, SIZE);
	expect_userptr(&u, &last, 1, 0, 0);
	for (int i = 0; i < 2; i++) {
		igt_assert_eq(userptr_fill(&u, 4), -EFAULT);
		expect_userptr(&u, &last, 0, 1, 0);
	}
	expect_userptr(&other, &other_last, 0, 0, 0);
	userptr_fini(&other);
	userptr_fini(&u);
}

/* One buffer has been looked up, and changes while the job waits for the other one. */
static void userptr_retries(struct vshare_session *s)
{
	struct drm_vimport_info before, after;
	struct drm_vimport_vm_query last = {};
	struct slow_submit submit;
	struct slow_pages slow;
	struct vimport_job job = {};
	struct userptr u;
	uint32_t done, second;
	void *mem = userptr_alloc(SIZE);

	userptr_init(&u, s->gpu[0], userptr_alloc(SIZE), SIZE, 0);
	slow_pages_init(&slow, u.fd, mem, SIZE);
	second = vimport_userptr(u.fd, mem, SIZE, 0);
	vimport_vm_map(u.fd, u.vm, second, 0, u.va + SIZE, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 1), 0);
	expect_userptr(&u, &last, 0, 2, 0);
	vimport_get_info(u.fd, &before);

	slow_pages_begin(&slow);
	expect_userptr(&u, &last, 1, 0, 0);
	vimport_job_fill(&job, u.va, 2 * SIZE, 2);
	done = slow_submit_begin(&submit, u.fd, u.vm, &job);
	igt_assert_eq(madvise(u.mem, SIZE, MADV_DONTNEED), 0);
	slow_pages_end(&slow);
	slow_submit_end(&submit);
	igt_assert_eq(vimport_wait(u.fd, done), 0);
	expect_userptr(&u, &last, 1, 2, 1);
	vimport_get_info(u.fd, &after);
	igt_assert_eq_u64(after.userptr_retries - before.userptr_retries, 1);
	igt_assert(userptr_holds(u.mem, SIZE, 2));
	igt_assert(userptr_holds(mem, SIZE, 2));

	gem_close(u.fd, second);
	munmap(u.mem, SIZE);
	userptr_fini(&u);
	slow_pages_fini(&slow);
	munmap(mem, SIZE);
}

static void pending(struct vshare_session *s)
{
	uint32_t vm = vimport_vm_create(s->gpu[0]), syncobj, closed;
	struct vimport_job job = {};
	struct gate gate;

	igt_require_f(s->gpus > 1, "Needs two GPUs\n");
	gate_close(&gate, 1, -1, 0, GATE_LONG, 0);
	closed = gate_syncobj(&gate, s->gpu[0]);
	vimport_job_delay(&job, 0);
	vimport_job_sync(&job, closed, 0, 0);
	syncobj = vimport_submit(s->gpu[0], vm, &job, 0);
	igt_assert_eq_u32(query(s->gpu[0], vm).jobs_pending, 1);
	gate_open(&gate);
	syncobj_destroy(s->gpu[0], closed);
	igt_assert_eq(vimport_wait(s->gpu[0], syncobj), 0);
	igt_assert_eq_u32(query(s->gpu[0], vm).jobs_pending, 0);
	igt_assert_eq_u64(query(s->gpu[0], vm).jobs, 1);
	vimport_vm_destroy(s->gpu[0], vm);
}

static void query_refused(struct vshare_session *s)
{
	struct drm_vimport_vm_query args = {};
	int other = vimport_open(0);

	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_QUERY, &args, ENOENT);
	args.vm_id = vimport_vm_create(s->gpu[0]);
	vshare_refused(s, other, DRM_IOCTL_VIMPORT_VM_QUERY, &args, ENOENT);
	args.flags = 1;
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_VM_QUERY, &args, EINVAL);
	vimport_vm_destroy(s->gpu[0], args.vm_id);
	close(other);
}

/* The key has to be there, once, beside the one that names the driver. */
static uint64_t engine_ns(int fd)
{
	bool driver = false;
	uint64_t ns = 0;
	char line[256];
	int keys = 0;
	FILE *file;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	file = fopen(line, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		driver |= !strcmp(line, "drm-driver:\tvimport\n");
		if (sscanf(line, "drm-engine-gpu:\t%" SCNu64 " ns", &ns) == 1)
			keys++;
	}
	fclose(file);
	igt_assert(driver);
	igt_assert_eq(keys, 1);
	return ns;
}

static void fdinfo_time(struct vshare_session *s)
{
	int fd = s->gpu[0], other = vimport_open(0);
	uint32_t vm = vimport_vm_create(fd), syncobj;
	struct timespec since = {};
	struct vimport_job job = {};
	uint64_t ns, wall;

	igt_assert_eq_u64(engine_ns(fd), 0);
	vimport_job_delay(&job, DELAY_NS);
	igt_nsec_elapsed(&since);
	for (int i = 1; i < DELAYS; i++)
		igt_assert_eq(__vimport_exec(fd, vm, &job, 0), 0);
	syncobj = vimport_submit(fd, vm, &job, 0);
	/* While it runs, once it has begun, and not only when it is over. */
	do
		ns = engine_ns(fd);
	while (!ns && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS);
	igt_assert_lt_u64(0, ns);
	igt_assert_lt_u64(ns, DELAYS * DELAY_NS);
	igt_assert_eq(vimport_wait(fd, syncobj), 0);
	wall = igt_nsec_elapsed(&since);
	igt_assert_lte_u64(ns, engine_ns(fd));
	ns = engine_ns(fd);
	igt_assert_lte_u64(DELAYS * DELAY_NS, ns);
	igt_assert_lte_u64(ns, wall + SLACK_NS);
	/* Nobody works any more. */
	usleep(1000);
	igt_assert_eq_u64(engine_ns(fd), ns);
	igt_assert_eq_u64(engine_ns(other), 0);
	/* What was used was used. */
	vimport_vm_destroy(fd, vm);
	igt_assert_eq_u64(engine_ns(fd), ns);
	close(other);
}

static const struct vshare_subtest subtests[] = {
	{ "new-is-zero", "A new address space has done nothing", new_is_zero },
	{ "counts", "Each counter counts what it is named for, in one address space", counts },
	{ "userptr-counts", "Memory that is taken away and looked up is counted", userptr_counts },
	{ "userptr-retries", "So is memory that has changed before a job could have it",
	  userptr_retries },
	{ "pending", "Jobs that are submitted are pending until they have ended", pending },
	{ "query-refused", "No address space of another file, no unknown flag", query_refused },
	{ "fdinfo-time", "fdinfo has the engine's time, while a job runs and after", fdinfo_time },
};

igt_main
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
