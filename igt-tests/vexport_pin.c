// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include "igt.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What an importer asks to stay stays, for as long as it asks and wherever "
		     "it can reach it; and no user can have importers pin without limit.");

#define SIZE			(64ull << 10)
#define USER			65534
#define OTHER_USER		65533

/* Buffers of which so many, and no more, are within what a user may pin. */
#define WITHIN			4
#define BUFFERS			(WITHIN + 2)
#define RACERS			8

/* Few are enough for a slow machine to take its time. */
#define MIN_RACES		40
#define MAX_RACE_NS		(100 * NSEC_PER_SEC)

static uint64_t client_pinned(struct vshare_session *s)
{
	struct drm_vexport_info now;

	vexport_get_info(s->exporter, &now);
	igt_assert_lte_u64(now.pinned, now.pin_limit);
	return now.client_pinned;
}

static uint64_t pinned(struct vshare_session *s)
{
	struct drm_vexport_info now;

	vexport_get_info(s->exporter, &now);
	return now.pinned - s->start.exporter.pinned;
}

static void become(uid_t uid)
{
	igt_assert_eq(setresuid(uid, uid, uid), 0);
}

/* Root, but subject to the limits of users. */
static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	igt_assert_eq(syscall(SYS_capget, &header, caps), 0);
	caps[0].effective &= ~(1u << CAP_IPC_LOCK);
	igt_assert_eq(syscall(SYS_capset, &header, caps), 0);
}

/* A static importer: it pins when it attaches, or when it maps right after that. */
static uint32_t hold(int vgem, const struct vexport_bo *bo)
{
	return prime_fd_to_handle(vgem, bo->dmabuf);
}

static void refuse_hold(struct vshare_session *s, int vgem, const struct vexport_bo *bo)
{
	struct drm_prime_handle args = { .fd = bo->dmabuf };

	vshare_refused(s, vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args, ENOMEM);
}

static void create_buffers(struct vshare_session *s, struct vexport_bo *bos, int count,
			   uint64_t limit)
{
	for (int i = 0; i < count; i++)
		vexport_bo_init(&bos[i], s->exporter, limit / WITHIN & ~4095ull,
				DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
}

static void destroy_buffers(struct vexport_bo *bos, int count)
{
	while (count--)
		vexport_bo_fini(&bos[count]);
}

static void per_client(struct vshare_session *s)
{
	const uint64_t limit = s->start.exporter.client_pin_limit;
	struct vexport_bo bos[BUFFERS];
	int vgem = vshare_open_vgem();
	uint64_t size;

	igt_assert_lt_u64(limit, s->start.exporter.pin_limit);
	create_buffers(s, bos, BUFFERS, limit);
	size = bos[0].size;
	igt_fork(child, 1) {
		uint32_t handles[WITHIN];

		become(USER);
		igt_assert_eq_u64(client_pinned(s), 0);
		for (int i = 0; i < WITHIN; i++) {
			handles[i] = hold(vgem, &bos[i]);
			igt_assert_eq_u64(client_pinned(s), (i + 1) * size);
		}
		refuse_hold(s, vgem, &bos[WITHIN]);
		/* What is let go makes room. */
		gem_close(vgem, handles[1]);
		igt_assert_eq_u64(client_pinned(s), (WITHIN - 1) * size);
		hold(vgem, &bos[WITHIN]);
		refuse_hold(s, vgem, &bos[1]);
	}
	igt_waitchildren();

	/* The process is gone, what it had attached is not: the file is open here. */
	igt_assert_eq_u64(pinned(s), WITHIN * size);
	igt_assert_eq_u64(client_pinned(s), s->start.exporter.client_pinned);
	igt_fork(child, 1) {
		become(USER);
		igt_assert_eq_u64(client_pinned(s), WITHIN * size);
		refuse_hold(s, vgem, &bos[1]);
	}
	igt_waitchildren();

	/* It is nobody else's limit. */
	igt_fork(child, 1) {
		become(OTHER_USER);
		igt_assert_eq_u64(client_pinned(s), 0);
		hold(vgem, &bos[1]);
		igt_assert_eq_u64(client_pinned(s), size);
	}
	igt_waitchildren();
	close(vgem);
	igt_assert_eq_u64(pinned(s), 0);
	destroy_buffers(bos, BUFFERS);
}

static void fork_and_reopen(struct vshare_session *s)
{
	const uint64_t limit = s->start.exporter.client_pin_limit;
	struct vexport_bo bos[BUFFERS];

	igt_assert_eq_u64(s->start.exporter.client_pinned, 0);
	create_buffers(s, bos, BUFFERS, limit);
	close(vshare_open_vgem());
	igt_fork(child, 1) {
		int vgem = vshare_open_vgem(), again, status;
		pid_t pid;

		drop_ipc_lock();
		for (int i = 0; i < WITHIN; i++)
			hold(vgem, &bos[i]);
		again = vshare_open_vgem();
		refuse_hold(s, again, &bos[WITHIN]);
		pid = fork();
		igt_assert(pid >= 0);
		if (!pid) {
			refuse_hold(s, vgem, &bos[WITHIN]);
			refuse_hold(s, vshare_open_vgem(), &bos[WITHIN]);
			/* The other end does not matter either. */
			close(s->exporter);
			s->exporter = vexport_open();
			refuse_hold(s, again, &bos[WITHIN]);
			_exit(0);
		}
		igt_assert_eq(waitpid(pid, &status, 0), pid);
		igt_assert_eq(status, 0);
	}
	igt_waitchildren();
	igt_assert_eq_u64(client_pinned(s), 0);
	destroy_buffers(bos, BUFFERS);
}

static void per_device(struct vshare_session *s)
{
	const uint64_t limit = s->start.exporter.pin_limit;
	struct vexport_bo bos[WITHIN + 1];
	int vgem = vshare_open_vgem();
	uint32_t first;

	/* With CAP_IPC_LOCK: this is far above what a user without it may do. */
	create_buffers(s, bos, WITHIN + 1, limit - s->start.exporter.pinned);
	first = hold(vgem, &bos[0]);
	for (int i = 1; i < WITHIN; i++)
		hold(vgem, &bos[i]);
	igt_assert_lt_u64(s->start.exporter.client_pin_limit, client_pinned(s));
	refuse_hold(s, vgem, &bos[WITHIN]);
	/* A user who has pinned nothing is refused for the others, and charged nothing. */
	igt_fork(child, 1) {
		become(USER);
		refuse_hold(s, vgem, &bos[WITHIN]);
		igt_assert_eq_u64(client_pinned(s), 0);
	}
	igt_waitchildren();
	gem_close(vgem, first);
	hold(vgem, &bos[WITHIN]);
	close(vgem);
	igt_assert_eq_u64(pinned(s), 0);
	destroy_buffers(bos, WITHIN + 1);
}

static void expect_charged(struct vshare_session *s, uid_t uid, uint64_t size)
{
	igt_fork(child, 1) {
		become(uid);
		igt_assert_eq_u64(client_pinned(s), size);
	}
	igt_waitchildren();
}

static void hold_as(uid_t uid, int vgem, const struct vexport_bo *bo)
{
	igt_fork(child, 1) {
		become(uid);
		hold(vgem, bo);
	}
	igt_waitchildren();
}

static void once_per_buffer(struct vshare_session *s)
{
	int first = vshare_open_vgem(), second = vshare_open_vgem(), other = vshare_open_vgem();
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	hold_as(USER, first, &bo);
	hold_as(USER, second, &bo);
	hold_as(OTHER_USER, other, &bo);
	igt_assert_eq_u64(pinned(s), SIZE);
	expect_charged(s, USER, SIZE);
	expect_charged(s, OTHER_USER, SIZE);

	/* The last of his attachments ends a user's charge, the last of all the buffer's. */
	close(first);
	expect_charged(s, USER, SIZE);
	close(second);
	expect_charged(s, USER, 0);
	expect_charged(s, OTHER_USER, SIZE);
	igt_assert_eq_u64(pinned(s), SIZE);
	close(other);
	expect_charged(s, OTHER_USER, 0);
	igt_assert_eq_u64(pinned(s), 0);
	vexport_bo_fini(&bo);
}

/* Importers of a user that come and go all the time, of both kinds that pin. */
static void limit_races(struct vshare_session *s)
{
	const uint64_t limit = s->start.exporter.client_pin_limit;
	struct vexport_bo bos[RACERS];
	int files[RACERS];
	struct {
		uint64_t held, refused;
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	igt_assert(shared != MAP_FAILED);
	create_buffers(s, bos, RACERS, limit);
	for (int i = 0; i < RACERS; i++)
		files[i] = i % 2 ? vimport_open(0) : vshare_open_vgem();
	igt_fork(child, RACERS) {
		struct timespec since = {};

		become(USER);
		srandom(child);
		while (igt_nsec_elapsed(&since) < MAX_RACE_NS &&
		       (READ_ONCE(shared->held) < MIN_RACES ||
			READ_ONCE(shared->refused) < MIN_RACES)) {
			struct drm_vimport_import import = {
				.fd = bos[child].dmabuf,
				.flags = DRM_VIMPORT_IMPORT_PINNED,
			};
			struct drm_prime_handle prime = { .fd = bos[child].dmabuf };
			int ret = child % 2 ? __vimport_import(files[child], &import) :
				  ioctl(files[child], DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime) ?
				  -errno : 0;

			if (ret) {
				igt_assert_eq(ret, -ENOMEM);
				__atomic_add_fetch(&shared->refused, 1, __ATOMIC_RELAXED);
				continue;
			}
			__atomic_add_fetch(&shared->held, 1, __ATOMIC_RELAXED);
			igt_assert_lte_u64(client_pinned(s), limit);
			/* Long enough that the others find the room taken. */
			usleep(random() % 5000);
			gem_close(files[child], child % 2 ? import.handle : prime.handle);
		}
	}
	igt_waitchildren();
	igt_info("%" PRIu64 " held, %" PRIu64 " refused\n", shared->held, shared->refused);
	igt_assert_lte_u64(MIN_RACES, shared->held);
	igt_assert_lte_u64(MIN_RACES, shared->refused);
	expect_charged(s, USER, 0);
	igt_assert_eq_u64(pinned(s), 0);
	munmap(shared, sizeof(*shared));
	for (int i = 0; i < RACERS; i++)
		close(files[i]);
	destroy_buffers(bos, RACERS);
}

static void dynamic_over_limit(struct vshare_session *s)
{
	const uint64_t limit = s->start.exporter.client_pin_limit;
	struct drm_vimport_import args = { .flags = DRM_VIMPORT_IMPORT_PINNED };
	struct vexport_bo bos[WITHIN + 1];
	int fd = vimport_open(0);

	create_buffers(s, bos, WITHIN + 1, limit);
	igt_fork(child, 1) {
		struct drm_vexport_bo_query query;

		become(USER);
		for (int i = 0; i < WITHIN; i++)
			vimport_import(fd, bos[i].dmabuf, DRM_VIMPORT_IMPORT_PINNED);
		igt_assert_eq_u64(client_pinned(s), WITHIN * bos[0].size);
		args.fd = bos[WITHIN].dmabuf;
		vshare_refused(s, fd, DRM_IOCTL_VIMPORT_IMPORT, &args, ENOMEM);
		/* Nothing of it holds the buffer. */
		vexport_query(s->exporter, bos[WITHIN].dmabuf, &query);
		igt_assert_eq_u32(query.pins | query.maps | query.attachments, 0);
		vexport_move(s->exporter, bos[WITHIN].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	}
	igt_waitchildren();
	close(fd);
	for (int i = 0; i < WITHIN; i++)
		vexport_wait_attachments(s->exporter, bos[i].dmabuf, 0);
	igt_assert_eq_u64(pinned(s), 0);
	destroy_buffers(bos, WITHIN + 1);
}

/* To map a buffer that moves all the same is no pin, whatever the core makes of it. */
static void map_is_free(struct vshare_session *s)
{
	const uint64_t limit = s->start.exporter.client_pin_limit;
	struct vexport_bo bos[BUFFERS];
	int vgem = vshare_open_vgem();
	struct vimport_gpu gpu[2];

	create_buffers(s, bos, BUFFERS, limit);
	for (int i = 0; i < 2; i++)
		gpu[i].fd = vimport_open(0);
	igt_fork(child, 1) {
		struct vimport_job job = {};

		become(USER);
		for (int i = 0; i < WITHIN; i++)
			hold(vgem, &bos[i]);
		for (int i = 0; i < 2; i++) {
			const struct vexport_bo *bo = &bos[WITHIN + i];
			uint32_t vm = vimport_vm_create(gpu[i].fd);

			vimport_vm_map(gpu[i].fd, vm, vimport_import(gpu[i].fd, bo->dmabuf, 0), 0,
				       bo->size, bo->size, 0);
			job.cmd_count = 0;
			job.sync_count = 0;
			vimport_job_fill(&job, bo->size, SIZE, i + 1);
			vimport_run(gpu[i].fd, vm, &job);
			igt_assert_eq_u64(bo->map[0], i + 1);
			igt_assert_eq_u64(client_pinned(s), WITHIN * bo->size);
		}
		refuse_hold(s, vgem, &bos[WITHIN]);
	}
	igt_waitchildren();
	for (int i = 0; i < 2; i++)
		close(gpu[i].fd);
	close(vgem);
	destroy_buffers(bos, BUFFERS);
}

static void refuse_moves(struct vshare_session *s, const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query before, after;
	struct drm_vexport_evict evict = {};

	vexport_query(s->exporter, bo->dmabuf, &before);
	for (uint32_t placement = 0; placement < 3; placement++) {
		struct drm_vexport_bo_move move = { .fd = bo->dmabuf, .placement = placement };

		if (placement == before.placement) {
			move.placement = 0;
			move.flags = DRM_VEXPORT_MOVE_RELOCATE;
		}
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
	}
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_EVICT, &evict);
	igt_assert_eq(evict.evicted, 0);
	igt_assert_eq(evict.skipped, before.placement == DRM_VEXPORT_PLACEMENT_VRAM);
	vexport_query(s->exporter, bo->dmabuf, &after);
	igt_assert(!memcmp(&before, &after, sizeof(before)));
}

static void fill(const struct vimport_gpu *gpu, const struct vexport_bo *bo, uint64_t value)
{
	struct vimport_job job = {};

	vimport_job_fill(&job, gpu->va, bo->size, value);
	vimport_run(gpu->fd, gpu->vm, &job);
	igt_assert_eq_u64(bo->map[0], value);
	igt_assert_eq_u64(bo->map[bo->size / sizeof(*bo->map) - 1], value);
}

static void explicit_pin(struct vshare_session *s, uint32_t create_flags, uint32_t from,
			 uint32_t import_flags)
{
	const bool vram = from == DRM_VEXPORT_PLACEMENT_VRAM &&
			  !(import_flags & DRM_VIMPORT_IMPORT_NO_P2P);
	struct drm_vexport_bo_query query;
	struct vimport_gpu gpu, passer_by;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, from, create_flags);
	bo.map[0] = 0x55;
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, import_flags | DRM_VIMPORT_IMPORT_PINNED);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, vram ? DRM_VEXPORT_PLACEMENT_VRAM :
						  DRM_VEXPORT_PLACEMENT_TT);
	igt_assert_eq_u32(query.maps, 1);
	igt_assert_lte_u32(1, query.pins);
	if (create_flags & DRM_VEXPORT_GEM_MOVING)
		igt_assert_eq_u32(query.pins, 1);
	igt_assert_eq_u64(pinned(s), SIZE);
	igt_assert_eq_u64(bo.map[0], 0x55);
	refuse_moves(s, &bo);
	fill(&gpu, &bo, 1);

	/* Another importer's mappings, pinned by the core or not, leave it alone. */
	vimport_gpu_init(&passer_by, 1, bo.dmabuf, SIZE, 0);
	fill(&passer_by, &bo, 2);
	refuse_moves(s, &bo);
	vimport_gpu_fini(&passer_by);
	vexport_wait_attachments(s->exporter, bo.dmabuf, 1);
	refuse_moves(s, &bo);
	fill(&gpu, &bo, 3);

	vimport_gpu_fini(&gpu);
	vexport_wait_attachments(s->exporter, bo.dmabuf, 0);
	igt_assert_eq_u64(pinned(s), 0);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert_eq_u64(bo.map[0], 3);
	vexport_bo_fini(&bo);
}

static void importer_pins(struct vshare_session *s)
{
	for (uint32_t flags = 0; flags <= DRM_VEXPORT_GEM_MOVING; flags++) {
		for (uint32_t from = 0; from <= DRM_VEXPORT_PLACEMENT_VRAM; from++) {
			explicit_pin(s, flags, from, 0);
			explicit_pin(s, flags, from, DRM_VIMPORT_IMPORT_NO_P2P);
		}
	}
}

/* Pins of several importers: the last one that goes lets the buffer go. */
static void several_pins(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct vimport_gpu gpu[3];
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	for (int i = 0; i < 3; i++)
		vimport_gpu_init(&gpu[i], i % 2, bo.dmabuf, SIZE, DRM_VIMPORT_IMPORT_PINNED);
	for (int i = 0; i < 3; i++) {
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq_u32(query.pins, 3 - i);
		igt_assert_eq_u64(pinned(s), SIZE);
		refuse_moves(s, &bo);
		fill(&gpu[i], &bo, i + 1);
		vimport_gpu_fini(&gpu[i]);
		vexport_wait_attachments(s->exporter, bo.dmabuf, 2 - i);
	}
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert_eq_u64(bo.map[0], 3);
	vexport_bo_fini(&bo);
}

static void pinned_out_of_reach(struct vshare_session *s)
{
	struct drm_vimport_import args = {
		.flags = DRM_VIMPORT_IMPORT_PINNED | DRM_VIMPORT_IMPORT_NO_P2P,
	};
	struct drm_prime_handle prime = {};
	struct drm_vexport_bo_query query;
	int vgem = vshare_open_vgem();
	struct vimport_gpu gpu, late;
	struct vimport_job job = {};
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, DRM_VIMPORT_IMPORT_PINNED);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_VRAM);

	/* Importers that cannot reach it there are refused, in each of the ways to ask. */
	args.fd = bo.dmabuf;
	prime.fd = bo.dmabuf;
	vshare_refused(s, s->gpu[1], DRM_IOCTL_VIMPORT_IMPORT, &args, EINVAL);
	vshare_refused(s, vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime, EINVAL);
	vimport_gpu_init(&late, 1, bo.dmabuf, SIZE, DRM_VIMPORT_IMPORT_NO_P2P);
	vimport_job_fill(&job, late.va, SIZE, 9);
	igt_assert_eq(__vimport_exec(late.fd, late.vm, &job, 0), -EINVAL);
	refuse_moves(s, &bo);
	fill(&gpu, &bo, 1);

	/* Then it comes to where they can, and stays there for the first one. */
	vimport_gpu_fini(&gpu);
	vexport_wait_attachments(s->exporter, bo.dmabuf, 1);
	fill(&late, &bo, 2);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, DRM_VIMPORT_IMPORT_PINNED);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_TT);
	prime_fd_to_handle(vgem, bo.dmabuf);
	fill(&gpu, &bo, 3);
	fill(&late, &bo, 4);
	close(vgem);
	refuse_moves(s, &bo);
	vimport_gpu_fini(&gpu);
	vimport_gpu_fini(&late);
	vexport_wait_attachments(s->exporter, bo.dmabuf, 0);
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	igt_assert_eq_u64(bo.map[0], 4);
	vexport_bo_fini(&bo);
}

/* A pin is a promise not to move, and no promise that the buffer lives on. */
static void revoked_while_pinned(struct vshare_session *s)
{
	struct vimport_gpu gpu;
	struct vexport_bo bo;

	for (uint32_t state = DRM_VEXPORT_REVOKE_TEMPORARY;
	     state <= DRM_VEXPORT_REVOKE_PERMANENT; state++) {
		vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
				DRM_VEXPORT_GEM_MOVING);
		vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, DRM_VIMPORT_IMPORT_PINNED);
		fill(&gpu, &bo, 1);
		igt_assert_eq_u32(vexport_revoke(s->exporter, bo.dmabuf, state, 10000), 0);
		if (state == DRM_VEXPORT_REVOKE_TEMPORARY) {
			vexport_revoke(s->exporter, bo.dmabuf, DRM_VEXPORT_REVOKE_NONE, 0);
			fill(&gpu, &bo, 2);
			refuse_moves(s, &bo);
		}
		vimport_gpu_fini(&gpu);
		vexport_wait_attachments(s->exporter, bo.dmabuf, 0);
		igt_assert_eq_u64(pinned(s), 0);
		vexport_bo_fini(&bo);
	}
}

static const struct vshare_subtest subtests[] = {
	{ "per-client", "Importers pin so much for a user and no more, and not at the cost of "
	  "others.", per_client },
	{ "fork-and-reopen", "More processes and more files do not make it more.",
	  fork_and_reopen },
	{ "per-device", "Nobody can have more pinned than the device allows.", per_device },
	{ "once-per-buffer", "A buffer counts once, for each user who pins it and for the device.",
	  once_per_buffer },
	{ "limit-races", "The limit holds while many importers come and go.", limit_races },
	{ "dynamic-over-limit", "A dynamic importer that may not pin holds nothing.",
	  dynamic_over_limit },
	{ "map-is-free", "A user who may pin no more can still map what moves.", map_is_free },
	{ "importer-pins", "A buffer that a dynamic importer has pinned does not move, in any way.",
	  importer_pins },
	{ "several-pins", "Only the last pin lets a buffer go.", several_pins },
	{ "pinned-out-of-reach", "Who cannot reach a buffer where it is pinned is refused, and "
	  "harms nobody.", pinned_out_of_reach },
	{ "revoked-while-pinned", "A pin does not stand in the way of a revoke, nor gets lost by "
	  "one.", revoked_while_pinned },
};

igt_main
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
