// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_fault.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What an importer is refused, its user is told, and the next attempt works; "
		     "to be told of a move that is none costs an importer nothing but to map "
		     "again. Needs vexport.ko loaded with misbehave=1.");

#define SIZE			(64u << 10)
#define VA			(1ull << 20)
#define DELAY_NS		(100 * NSEC_PER_MSEC)

/* A buffer, and the number that was last written all over it. */
struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	uint64_t value;
};

/* Not drmIoctl(), which tries again on EAGAIN and EINTR: these are answers here. */
static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? -errno : 0;
}

static void begin(struct setup *t, struct vshare_session *s, uint32_t flags)
{
	t->s = s;
	t->value = 0;
	/* Where everybody can reach it, pinned or not. */
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, flags);
}

static void check(struct setup *t)
{
	for (size_t i = 0; i < SIZE / sizeof(*t->bo.map); i++)
		igt_assert_eq_u64(t->bo.map[i], t->value);
}

static void end(struct setup *t)
{
	struct drm_vexport_bo_query query;

	check(t);
	vexport_query(t->s->exporter, t->bo.dmabuf, &query);
	igt_assert_eq(query.attachments | query.pins | query.maps, 0);
	igt_assert_eq_u64(query.stale_words, 0);
	vexport_bo_fini(&t->bo);
}

/* Returns zero or what the job was refused with. */
static int run_job(struct setup *t, int fd, uint32_t vm, uint64_t delay)
{
	struct drm_vimport_cmd cmds[] = {
		{ .op = DRM_VIMPORT_OP_DELAY, .value = delay ?: 1 },
		{ .op = DRM_VIMPORT_OP_FILL, .va = VA, .size = SIZE, .value = t->value + 1 },
	};
	struct drm_vimport_exec exec = {
		.vm_id = vm,
		.cmds = to_user_pointer(cmds),
		.cmd_count = ARRAY_SIZE(cmds),
		.cmd_stride = sizeof(cmds[0]),
		.sync_stride = sizeof(struct drm_vimport_sync),
		.flags = DRM_VIMPORT_EXEC_IMPLICIT_SYNC,
	};
	int ret = call(fd, DRM_IOCTL_VIMPORT_EXEC, &exec);

	if (!ret)
		t->value++;
	return ret;
}

static void wait_for_jobs(struct setup *t)
{
	prime_sync_start(t->bo.dmabuf, true);
	prime_sync_end(t->bo.dmabuf, true);
}

static int import_prime(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle args = { .fd = dmabuf };
	int ret = call(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	*handle = args.handle;
	return ret;
}

static int import_no_p2p(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_vimport_import args = { .fd = dmabuf, .flags = DRM_VIMPORT_IMPORT_NO_P2P };
	int ret = call(fd, DRM_IOCTL_VIMPORT_IMPORT, &args);

	*handle = args.handle;
	return ret;
}

static int bind(int fd, uint32_t vm, uint32_t handle)
{
	struct drm_vimport_vm_bind args = {
		.vm_id = vm,
		.op = DRM_VIMPORT_VM_BIND_OP_MAP,
		.handle = handle,
		.va = VA,
		.size = SIZE,
	};

	return call(fd, DRM_IOCTL_VIMPORT_VM_BIND, &args);
}

/* Import, use and let go. Returns zero or the first error. */
static int use_gpu(struct setup *t, int (*import)(int fd, int dmabuf, uint32_t *handle))
{
	int fd = vimport_open(0), ret;
	uint32_t handle;

	ret = import(fd, t->bo.dmabuf, &handle);
	if (!ret) {
		uint32_t vm = vimport_vm_create(fd);

		ret = bind(fd, vm, handle);
		if (!ret)
			ret = run_job(t, fd, vm, 0);
		wait_for_jobs(t);
	}
	close(fd);
	return ret;
}

static int use_prime(struct setup *t)
{
	return use_gpu(t, import_prime);
}

static int use_no_p2p(struct setup *t)
{
	return use_gpu(t, import_no_p2p);
}

static int use_static(struct setup *t)
{
	int fd = vshare_open_vgem(), ret;
	uint32_t handle;

	ret = import_prime(fd, t->bo.dmabuf, &handle);
	close(fd);
	return ret;
}

static const struct importer {
	const char *name;
	int (*use)(struct setup *t);
	bool dynamic;
} importers[] = {
	{ "dynamic", use_prime, true },
	{ "dynamic without peer-to-peer", use_no_p2p, true },
	{ "static", use_static, false },
};

/*
 * GPUs of vimport say that the exporter is busy. To be told to come again is to come at once
 * for who calls by drmIoctl(), and for ever.
 */
static int expected(const struct importer *importer, int error)
{
	return importer->dynamic && error == EAGAIN ? EBUSY : error;
}

static bool pins(struct vshare_session *s, const struct importer *importer)
{
	return !importer->dynamic || s->start.exporter.caps & DRM_VEXPORT_CAP_IMPLICIT_PIN;
}

static void expect_settled(struct setup *t)
{
	struct drm_vexport_bo_query query;
	struct timespec since = {};

	/* A file that is closed may be let go of by a worker. */
	do {
		vexport_query(t->s->exporter, t->bo.dmabuf, &query);
	} while ((query.attachments | query.pins | query.maps) &&
		 igt_nsec_elapsed(&since) < 20 * NSEC_PER_SEC && !usleep(1000));
	igt_assert_eq(query.attachments | query.pins | query.maps, 0);
}

/*
 * A GPU whose buffer cannot be mapped when it is bound tries again for a job, unless it
 * is told that it never can.
 */
static bool tries_again(const struct importer *importer, uint32_t kind, int error)
{
	return importer->dynamic && kind != DRM_VEXPORT_FAULT_ATTACH && error != EOPNOTSUPP;
}

static void fail_each(struct vshare_session *s, uint32_t kind)
{
	struct setup t;

	for (unsigned int i = 0; i < ARRAY_SIZE(importers) * 2; i++) {
		const struct importer *importer = &importers[i / 2];
		uint64_t fired = 0;

		if (kind == DRM_VEXPORT_FAULT_PIN && !pins(s, importer))
			continue;
		begin(&t, s, i % 2 ? DRM_VEXPORT_GEM_MOVING : 0);
		for (unsigned int e = 0; e < VEXPORT_FAULT_ERRORS; e++) {
			int error = vexport_fault_errors[e], told = expected(importer, error), ret;

			vexport_fault_arm(s->exporter, t.bo.dmabuf, kind, error, 1,
					  DRM_VEXPORT_FAULT_REPEAT);
			ret = importer->use(&t);
			igt_assert_f(ret == -told, "%s importer: %s, not %s\n",
				     importer->name, strerror(-ret), strerror(told));
			fired += 1 + tries_again(importer, kind, error);
			igt_assert_eq_u64(vexport_fault_query(s->exporter, t.bo.dmabuf,
							      kind).fired, fired);
			vexport_fault_end(s->exporter, t.bo.dmabuf, kind);
			expect_settled(&t);
			check(&t);
			/* It is over. */
			ret = importer->use(&t);
			igt_assert_f(!ret, "%s importer, after %s: %s\n", importer->name,
				     strerror(error), strerror(-ret));
			expect_settled(&t);
			check(&t);
		}
		/* Nothing of it holds the buffer where it is. */
		vexport_move(s->exporter, t.bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		end(&t);
	}
}

static void attach(struct vshare_session *s)
{
	fail_each(s, DRM_VEXPORT_FAULT_ATTACH);
}

static void pin(struct vshare_session *s)
{
	fail_each(s, DRM_VEXPORT_FAULT_PIN);
}

static void map(struct vshare_session *s)
{
	fail_each(s, DRM_VEXPORT_FAULT_MAP);
}

/* What a GPU asks an exporter for that says for ever that it shall come again. */
static void come_again(struct vshare_session *s)
{
	const uint32_t kinds[] = {
		DRM_VEXPORT_FAULT_ATTACH, DRM_VEXPORT_FAULT_PIN, DRM_VEXPORT_FAULT_MAP,
	};
	struct drm_vimport_import pinned = { .flags = DRM_VIMPORT_IMPORT_PINNED };
	struct setup t;

	begin(&t, s, DRM_VEXPORT_GEM_MOVING);
	pinned.fd = t.bo.dmabuf;
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		vexport_fault_arm(s->exporter, t.bo.dmabuf, kinds[i], EAGAIN, 1,
				  DRM_VEXPORT_FAULT_REPEAT);
		igt_assert_eq(call(s->gpu[0], DRM_IOCTL_VIMPORT_IMPORT, &pinned), -EBUSY);
		if (kinds[i] != DRM_VEXPORT_FAULT_PIN || pins(s, &importers[0]))
			igt_assert_eq(use_prime(&t), -EBUSY);
		vexport_fault_end(s->exporter, t.bo.dmabuf, kinds[i]);
		expect_settled(&t);
	}
	igt_assert_eq(use_prime(&t), 0);
	expect_settled(&t);
	end(&t);
}

/* Two GPUs and moves between their jobs. What is refused is tried again, once. */
static void work(struct setup *t)
{
	static const uint32_t places[] = {
		DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_PLACEMENT_SYSTEM,
		DRM_VEXPORT_PLACEMENT_TT,
	};
	uint32_t vm[2], handle;
	int fd[2], ret;

	for (int i = 0; i < 2; i++) {
		fd[i] = vimport_open(i);
		vm[i] = vimport_vm_create(fd[i]);
		if (import_prime(fd[i], t->bo.dmabuf, &handle))
			igt_assert_eq(import_prime(fd[i], t->bo.dmabuf, &handle), 0);
		vimport_vm_map(fd[i], vm[i], handle, 0, VA, SIZE, 0);
	}
	for (unsigned int move = 0; move < ARRAY_SIZE(places); move++) {
		for (int i = 0; i < 2; i++) {
			ret = run_job(t, fd[i], vm[i], 0);
			if (ret) {
				igt_assert_eq(ret, -EIO);
				igt_assert_eq(run_job(t, fd[i], vm[i], 0), 0);
			}
		}
		vexport_move(t->s->exporter, t->bo.dmabuf, places[move], 0);
		wait_for_jobs(t);
		check(t);
	}
	for (int i = 0; i < 2; i++)
		close(fd[i]);
	expect_settled(t);
}

static void sweep(struct vshare_session *s)
{
	unsigned int nth;
	struct setup t;
	bool fired;

	igt_require_f(s->gpus > 1, "Needs two GPUs of vimport\n");
	for (uint32_t kind = 0; kind <= DRM_VEXPORT_FAULT_MAP; kind++) {
		for (nth = 1, fired = true; fired; nth++) {
			begin(&t, s, DRM_VEXPORT_GEM_MOVING);
			vexport_fault_arm(s->exporter, t.bo.dmabuf, kind, EIO, nth, 0);
			igt_assert_lt(nth, 100);
			work(&t);
			fired = vexport_fault_query(s->exporter, t.bo.dmabuf, kind).fired;
			end(&t);
		}
		igt_info("kind %u: %u failures survived\n", kind, nth - 2);
		/* Two GPUs attach once each, and map at least at each job after a move. */
		if (kind == DRM_VEXPORT_FAULT_ATTACH)
			igt_assert_eq(nth - 2, 2);
		else if (kind == DRM_VEXPORT_FAULT_MAP)
			igt_assert_lte(6, nth - 2);
	}
}

static uint64_t invalidations(int gpu)
{
	struct drm_vimport_info info;

	vimport_get_info(gpu, &info);
	return info.invalidations;
}

/* A static importer holds the buffer where it is, and a GPU has it mapped. */
static void notify_pinned(struct vshare_session *s)
{
	struct drm_vexport_bo_query before, after;
	int vgem = vshare_open_vgem(), fd = vimport_open(0);
	uint32_t handle, vm = vimport_vm_create(fd);
	struct setup t;
	uint64_t fired;

	begin(&t, s, DRM_VEXPORT_GEM_MOVING);
	igt_assert_eq(import_prime(vgem, t.bo.dmabuf, &handle), 0);
	igt_assert_eq(import_prime(fd, t.bo.dmabuf, &handle), 0);
	vimport_vm_map(fd, vm, handle, 0, VA, SIZE, 0);
	vexport_fault_arm(s->exporter, t.bo.dmabuf, DRM_VEXPORT_FAULT_NOTIFY_PINNED, 0, 1,
			  DRM_VEXPORT_FAULT_REPEAT);
	for (unsigned int i = 0; i < 20; i++) {
		struct drm_vexport_bo_move move = {
			.fd = t.bo.dmabuf,
			.flags = DRM_VEXPORT_MOVE_RELOCATE,
		};
		uint64_t told = invalidations(fd);

		/* Idle, or while a job is running. */
		igt_assert_eq(run_job(&t, fd, vm, i % 4 == 3 ? DELAY_NS : 0), 0);
		if (i % 2 == 0)
			wait_for_jobs(&t);
		if (i % 3 == 2)
			move.flags = 0, move.placement = DRM_VEXPORT_PLACEMENT_VRAM;
		vexport_query(s->exporter, t.bo.dmabuf, &before);
		igt_assert_lt(0, before.pins);
		igt_assert_eq(__vexport_move(s->exporter, &move), -EBUSY);
		vexport_query(s->exporter, t.bo.dmabuf, &after);
		igt_assert_eq_u64(after.generation, before.generation);
		igt_assert_lt_u64(before.notifies, after.notifies);
		igt_assert_lt_u64(told, invalidations(fd));
		wait_for_jobs(&t);
		check(&t);
	}
	fired = vexport_fault_query(s->exporter, t.bo.dmabuf,
				    DRM_VEXPORT_FAULT_NOTIFY_PINNED).fired;
	igt_assert_eq_u64(fired, 20);
	close(vgem);
	close(fd);
	expect_settled(&t);
	end(&t);
}

/* Both a static importer's pin and, where the core pins, the GPUs' own. */
static void notify_in_pin(struct vshare_session *s)
{
	int fd = vimport_open(0), gpu = vimport_open(1);
	uint32_t handle, vm[2] = { vimport_vm_create(fd), vimport_vm_create(gpu) };
	const uint32_t kind = DRM_VEXPORT_FAULT_NOTIFY_IN_PIN;
	uint64_t fired = 0, told;
	struct setup t;

	for (uint32_t flags = 0; flags <= DRM_VEXPORT_GEM_MOVING; flags++) {
		begin(&t, s, flags);
		igt_assert_eq(import_prime(fd, t.bo.dmabuf, &handle), 0);
		vimport_vm_map(fd, vm[0], handle, 0, VA, SIZE, 0);
		igt_assert_eq(import_prime(gpu, t.bo.dmabuf, &handle), 0);
		vimport_vm_map(gpu, vm[1], handle, 0, VA, SIZE, 0);
		vexport_fault_arm(s->exporter, t.bo.dmabuf, kind, 0, 1, DRM_VEXPORT_FAULT_REPEAT);
		for (unsigned int i = 0; i < 10; i++) {
			told = invalidations(fd);
			igt_assert_eq(run_job(&t, fd, vm[0], i % 4 == 3 ? DELAY_NS : 0), 0);
			igt_assert_eq(run_job(&t, gpu, vm[1], 0), 0);
			igt_assert_eq(use_static(&t), 0);
			igt_assert_lt_u64(told, invalidations(fd));
			wait_for_jobs(&t);
			check(&t);
		}
		fired = vexport_fault_query(s->exporter, t.bo.dmabuf, kind).fired;
		igt_assert_lte_u64(10, fired);
		if (s->start.exporter.caps & DRM_VEXPORT_CAP_IMPLICIT_PIN)
			igt_assert_lte_u64(20, fired);
		vexport_fault_end(s->exporter, t.bo.dmabuf, kind);
		vimport_vm_unmap(fd, vm[0], VA, SIZE);
		vimport_vm_unmap(gpu, vm[1], VA, SIZE);
		gem_close(gpu, handle);
		gem_close(fd, prime_fd_to_handle(fd, t.bo.dmabuf));
		expect_settled(&t);
		end(&t);
	}
	close(fd);
	close(gpu);
}

static const struct vshare_subtest subtests[] = {
	{ "attach", "An importer that cannot attach says so and can come again.", attach },
	{ "pin", "The same for one that cannot pin, or that the core cannot pin for.", pin },
	{ "map", "The same for one that cannot map.", map },
	{ "come-again", "No call is to be made again at once and for ever.", come_again },
	{ "sweep", "Wherever one call of a longer piece of work fails, no byte of it is lost.",
	  sweep },
	{ "notify-pinned", "Importers survive to be told of a move that a pin excludes.",
	  notify_pinned },
	{ "notify-in-pin", "Importers survive to be told of a move while they pin.",
	  notify_in_pin },
};

igt_main
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
