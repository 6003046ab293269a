// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <pthread.h>
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Processes and threads attach to buffers, map them, work, unmap and detach "
		     "while others move them: all data is right, and nothing is left behind.");

#define VA			(1ull << 20)
#define SLICE			(4ull << 10)
#define SLICES			16

#define BUFFERS			3
#define THREADS			3

/* What each racer does at least. */
#define ROUNDS			12
#define RACE_NS			(2 * NSEC_PER_SEC)

enum racer {
	RACER_PRIME,	/* own file each time */
	RACER_FLAVOURS,	/* one file, imports of all flavours */
	RACER_THREADS,	/* one file, several threads */
	RACER_STATIC,	/* pins and lets go */
	RACER_EXPORT,	/* more dma-bufs of the same buffers */
	RACERS,
};

struct race {
	struct vshare_session *s;
	struct vexport_bo bo[BUFFERS];
	struct {
		uint64_t moves, busy, done;
	} *shared;
};

/* What may happen to an importer here: it cannot reach where somebody else has pinned. */
static bool is_in_the_way(int err)
{
	return err == -EINVAL;
}

/* As often as it takes for a race, and as long: slow machines prove as much. */
static bool racing(struct timespec *since, int round)
{
	uint64_t elapsed = igt_nsec_elapsed(since);

	return round < ROUNDS || elapsed < RACE_NS;
}

/* Each racer has a slice of every buffer. Returns false if it was wrong. */
static bool import_once(struct race *r, int fd, int dmabuf, unsigned int b, uint32_t flags,
			unsigned int slice, uint64_t value)
{
	struct drm_vimport_vm_bind bind = {};
	struct drm_vimport_vm_create vm = {};
	struct drm_vimport_import import = { .fd = dmabuf, .flags = flags };
	uint64_t *map = &r->bo[b].map[slice * SLICE / sizeof(uint64_t)];
	struct drm_gem_close close_args = {};
	struct vimport_job job = {};
	bool good = true;
	int ret;

	ret = __vimport_import(fd, &import);
	if (ret)
		return is_in_the_way(ret);
	if (__vimport_vm_create(fd, &vm))
		return false;
	bind.vm_id = vm.vm_id;
	bind.handle = import.handle;
	bind.va = VA;
	bind.size = r->bo[b].size;
	if (__vimport_vm_bind(fd, &bind))
		return false;

	vimport_job_fill(&job, VA + slice * SLICE, SLICE, value);
	job.syncs[0] = (struct drm_vimport_sync) { .flags = DRM_VIMPORT_SYNC_SIGNAL };
	good = !drmSyncobjCreate(fd, 0, &job.syncs[0].handle);
	job.sync_count = 1;
	ret = good ? __vimport_exec(fd, vm.vm_id, &job, 0) : 0;
	if (ret) {
		good = is_in_the_way(ret);
	} else if (good) {
		good = !drmSyncobjWait(fd, &job.syncs[0].handle, 1, INT64_MAX, 0, NULL);
		for (size_t i = 0; i < SLICE / sizeof(*map); i++)
			good &= READ_ONCE(map[i]) == value;
		__atomic_add_fetch(&r->shared->done, good, __ATOMIC_RELAXED);
	}
	drmSyncobjDestroy(fd, job.syncs[0].handle);
	/* In either order: the last of them takes the attachment along. */
	close_args.handle = import.handle;
	if (value % 2)
		good &= !drmIoctl(fd, DRM_IOCTL_GEM_CLOSE, &close_args);
	good &= !__vimport_vm_destroy(fd, vm.vm_id);
	if (value % 2 == 0)
		good &= !drmIoctl(fd, DRM_IOCTL_GEM_CLOSE, &close_args);
	return good;
}

static void race_prime(struct race *r)
{
	struct timespec since = {};

	for (int round = 0; racing(&since, round); round++) {
		unsigned int b = round % BUFFERS;
		int fd = vimport_open(round % 2);

		igt_assert(import_once(r, fd, r->bo[b].dmabuf, b, 0, RACER_PRIME, round + 1));
		close(fd);
	}
}

static void race_flavours(struct race *r)
{
	static const uint32_t flavours[] = {
		0, DRM_VIMPORT_IMPORT_NO_P2P, DRM_VIMPORT_IMPORT_STATIC, DRM_VIMPORT_IMPORT_PINNED,
	};
	struct timespec since = {};
	int fd = vimport_open(1);

	for (int round = 0; racing(&since, round); round++) {
		unsigned int b = round % BUFFERS;

		igt_assert(import_once(r, fd, r->bo[b].dmabuf, b, flavours[round % 4],
				       RACER_FLAVOURS, round + 1));
	}
	close(fd);
}

struct race_thread {
	struct race *race;
	pthread_t thread;
	int fd, index;
	bool good;
};

/* No assertions here: they would jump out of somebody else's stack. */
static void *race_thread(void *arg)
{
	struct race_thread *t = arg;
	struct timespec since = {};

	t->good = true;
	for (int round = 0; t->good && racing(&since, round); round++) {
		unsigned int b = (round + t->index) % BUFFERS;

		t->good = import_once(t->race, t->fd, t->race->bo[b].dmabuf, b, round % 2,
				      RACERS + t->index, round + 1);
	}
	return NULL;
}

static void race_threads(struct race *r)
{
	struct race_thread threads[THREADS] = {};
	int fd = vimport_open(0);

	for (int i = 0; i < THREADS; i++) {
		threads[i] = (struct race_thread) { .race = r, .fd = fd, .index = i };
		igt_assert_eq(pthread_create(&threads[i].thread, NULL, race_thread, &threads[i]),
			      0);
	}
	for (int i = 0; i < THREADS; i++) {
		igt_assert_eq(pthread_join(threads[i].thread, NULL), 0);
		igt_assert(threads[i].good);
	}
	close(fd);
}

static void race_static(struct race *r)
{
	struct timespec since = {};
	int vgem = vshare_open_vgem();

	for (int round = 0; racing(&since, round); round++) {
		struct drm_prime_handle args = { .fd = r->bo[round % BUFFERS].dmabuf };

		if (drmIoctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args)) {
			igt_assert(is_in_the_way(-errno));
			continue;
		}
		usleep(random() % 2000);
		gem_close(vgem, args.handle);
		/* Give the others their turn. */
		usleep(random() % 4000);
	}
	close(vgem);
}

static void race_export(struct race *r)
{
	struct timespec since = {};
	int fd = vimport_open(0);

	for (int round = 0; racing(&since, round); round++) {
		unsigned int b = round % BUFFERS;
		int dmabuf = vexport_gem_export(r->s->exporter, r->bo[b].handle);

		igt_assert(import_once(r, fd, dmabuf, b, 0, RACER_EXPORT, round + 1));
		close(dmabuf);
	}
	close(fd);
}

static void race_mover(struct race *r)
{
	struct timespec since = {};

	srandom(1);
	for (int round = 0; racing(&since, round); round++) {
		struct drm_vexport_bo_move move = { .fd = r->bo[random() % BUFFERS].dmabuf };
		int ret;

		if (random() % 2)
			move.flags = DRM_VEXPORT_MOVE_RELOCATE;
		else
			move.placement = random() % 3;
		ret = __vexport_move(r->s->exporter, &move);
		if (ret == -EBUSY)
			WRITE_ONCE(r->shared->busy, r->shared->busy + 1);
		else
			igt_assert_eq(ret, 0);
		WRITE_ONCE(r->shared->moves, r->shared->moves + !ret);
	}
}

static int race_storm(struct race *r)
{
	int fds[BUFFERS];
	struct drm_vexport_storm args = {
		.fds = to_user_pointer(fds),
		.fd_count = BUFFERS,
		.kinds = DRM_VEXPORT_STORM_RELOCATE | DRM_VEXPORT_STORM_SYSTEM |
			 DRM_VEXPORT_STORM_TT | DRM_VEXPORT_STORM_VRAM | DRM_VEXPORT_STORM_EVICT,
		.rate = 200,
		.seed = 1,
	};

	for (int i = 0; i < BUFFERS; i++)
		fds[i] = r->bo[i].dmabuf;
	do_ioctl(r->s->exporter, DRM_IOCTL_VEXPORT_STORM, &args);
	return args.storm_fd;
}

static void races(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct race r = { .s = s };
	uint64_t moves = 0;
	int storm;

	close(vshare_open_vgem());
	r.shared = mmap(NULL, sizeof(*r.shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(r.shared != MAP_FAILED);
	for (int i = 0; i < BUFFERS; i++)
		vexport_bo_init(&r.bo[i], s->exporter, SLICES * SLICE, DRM_VEXPORT_PLACEMENT_VRAM,
				DRM_VEXPORT_GEM_MOVING);
	storm = race_storm(&r);
	igt_fork(child, RACERS + 1) {
		switch (child) {
		case RACER_PRIME:
			race_prime(&r);
			break;
		case RACER_FLAVOURS:
			race_flavours(&r);
			break;
		case RACER_THREADS:
			race_threads(&r);
			break;
		case RACER_STATIC:
			race_static(&r);
			break;
		case RACER_EXPORT:
			race_export(&r);
			break;
		default:
			race_mover(&r);
		}
	}
	igt_waitchildren();
	close(storm);
	for (int i = 0; i < BUFFERS; i++) {
		vexport_wait_attachments(s->exporter, r.bo[i].dmabuf, 0);
		vexport_wait_dmabufs(s->exporter, r.bo[i].dmabuf, 1);
		vexport_query(s->exporter, r.bo[i].dmabuf, &query);
		igt_assert_eq_u32(query.pins | query.maps, 0);
		igt_assert_eq_u64(query.quarantined, 0);
		igt_assert_eq_u64(query.stale_words, 0);
		moves += query.generation;
		vexport_move(s->exporter, r.bo[i].dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		vexport_bo_fini(&r.bo[i]);
	}
	igt_info("%" PRIu64 " jobs in %" PRIu64 " moves, %" PRIu64 " more refused\n",
		 r.shared->done, moves, r.shared->busy);
	igt_assert_lt_u64(ROUNDS, r.shared->done);
	igt_assert_lt_u64(ROUNDS, moves);
	munmap(r.shared, sizeof(*r.shared));
}

static const struct vshare_subtest subtests[] = {
	{ "all", "Importers of all kinds come and go while buffers move, and nothing is left.",
	  races },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
