// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_foreign.h"
#include "igt_ttm.h"
#include "igt_vexport.h"
#include "igt_vexport_table.h"
#include "igt_vgem.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Drivers of the kernel's own that import without hardware. They are static "
		     "importers, with nothing of theirs that writes to what they import, so all "
		     "this proves is who pins a buffer, from when to when, that its data is not "
		     "lost meanwhile, and that fences of others count.");

#define SIZE			(64u << 10)

static const uint32_t policies[] = { 0, DRM_VEXPORT_GEM_MOVING };

struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct dmabuf_oracle oracle;
};

static void begin(struct setup *t, struct vshare_session *s, uint32_t placement, uint32_t flags)
{
	t->s = s;
	vexport_bo_init(&t->bo, s->exporter, SIZE, placement, flags);
	dmabuf_oracle_init(&t->oracle, SIZE);
	dmabuf_oracle_store(&t->oracle, t->bo.map, 0, SIZE);
}

static void end(struct setup *t)
{
	dmabuf_oracle_fini(&t->oracle);
	vexport_bo_fini(&t->bo);
}

static void expect_counts(struct setup *t, uint32_t attachments)
{
	struct drm_vexport_bo_query query;
	struct drm_vexport_info info;

	vexport_query(t->s->exporter, t->bo.dmabuf, &query);
	igt_assert_eq_u32(query.attachments, attachments);
	igt_assert_eq_u32(query.pins, attachments);
	igt_assert_eq_u32(query.maps, attachments);
	vexport_get_info(t->s->exporter, &info);
	igt_assert_eq_u64(info.pinned - t->s->start.exporter.pinned, attachments ? SIZE : 0);
}

/* Where all importers can reach it, and there it stays, whoever asks and however. */
static void expect_pinned(struct setup *t, uint32_t attachments)
{
	struct drm_vexport_bo_query before, after;
	struct drm_vexport_bo_move move = { .fd = t->bo.dmabuf };
	struct drm_vexport_evict evict = {};

	expect_counts(t, attachments);
	vexport_query(t->s->exporter, t->bo.dmabuf, &before);
	igt_assert_eq_u32(before.placement, DRM_VEXPORT_PLACEMENT_TT);
	for (uint32_t flags = 0; flags < 2; flags++) {
		move.flags = flags ? DRM_VEXPORT_MOVE_ASYNC : 0;
		for (move.placement = 0; move.placement < 3; move.placement++)
			if (move.placement != before.placement)
				vshare_refused(t->s, t->s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE,
					       &move, EBUSY);
		move.placement = 0;
		move.flags |= DRM_VEXPORT_MOVE_RELOCATE;
		vshare_refused(t->s, t->s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
	}
	do_ioctl(t->s->exporter, DRM_IOCTL_VEXPORT_EVICT, &evict);
	igt_assert_eq(evict.evicted, 0);
	ttm_shrink_all();
	vexport_query(t->s->exporter, t->bo.dmabuf, &after);
	igt_assert_eq_u32(after.placement, before.placement);
	igt_assert_eq_u64(after.generation, before.generation);
	igt_assert_eq_u64(after.evictions, before.evictions);
	dmabuf_oracle_check(&t->oracle, t->bo.map, "while it is pinned");
}

/* It moves to everywhere, and memory pressure takes it. */
static void expect_free(struct setup *t)
{
	struct drm_vexport_bo_query query;
	uint64_t generation;

	expect_counts(t, 0);
	vexport_move(t->s->exporter, t->bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	for (uint32_t i = 0; i < 3; i++) {
		generation = vexport_move(t->s->exporter, t->bo.dmabuf, (i + 2) % 3, 0);
		dmabuf_oracle_check(&t->oracle, t->bo.map, "after it was pinned");
	}
	/* In TT now: before swap space comes SYSTEM. */
	ttm_shrink_all();
	vexport_query(t->s->exporter, t->bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_SYSTEM);
	igt_assert_eq_u64(query.generation, generation + 1);
	dmabuf_oracle_check(&t->oracle, t->bo.map, "back from swap");
}

static void pins(struct vshare_session *s, const struct foreign_driver *driver)
{
	int fd = foreign_open(driver);
	struct setup t;
	uint32_t handle;

	for (unsigned int i = 0; i < 6; i++) {
		begin(&t, s, i % 3, policies[i / 3]);
		handle = prime_fd_to_handle(fd, t.bo.dmabuf);
		expect_pinned(&t, 1);
		dmabuf_oracle_store(&t.oracle, t.bo.map, SIZE / 2, SIZE / 2);
		gem_close(fd, handle);
		expect_free(&t);
		end(&t);
	}
	close(fd);
}

/* Not only by closing the handle. */
static void pins_until_close(struct vshare_session *s, const struct foreign_driver *driver)
{
	int fd = foreign_open(driver);
	struct setup t;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	prime_fd_to_handle(fd, t.bo.dmabuf);
	expect_pinned(&t, 1);
	close(fd);
	expect_free(&t);
	end(&t);
}

/* Imported twice it has one handle by file, and one attachment and pin for each file. */
static void twice(struct vshare_session *s, const struct foreign_driver *driver)
{
	int fd[2] = { foreign_open(driver), foreign_open(driver) };
	uint32_t handle[2];
	struct setup t;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_GEM_MOVING);
	handle[0] = prime_fd_to_handle(fd[0], t.bo.dmabuf);
	igt_assert_eq_u32(prime_fd_to_handle(fd[0], t.bo.dmabuf), handle[0]);
	expect_pinned(&t, 1);
	handle[1] = prime_fd_to_handle(fd[1], t.bo.dmabuf);
	expect_pinned(&t, 2);
	gem_close(fd[0], handle[0]);
	expect_pinned(&t, 1);
	gem_close(fd[1], handle[1]);
	expect_free(&t);
	end(&t);
	close(fd[0]);
	close(fd[1]);
}

static void wait_for_byte(int pipe)
{
	char byte;

	igt_assert_eq(read(pipe, &byte, 1), 1);
}

/* The importer is another process, which ends without a word. */
static void other_process(struct vshare_session *s, const struct foreign_driver *driver)
{
	int ready[2], status;
	struct setup t;
	pid_t child;

	igt_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	begin(&t, s, DRM_VEXPORT_PLACEMENT_SYSTEM, 0);
	/* Here rather than there, so that a kernel without it makes the subtest skip. */
	close(foreign_open(driver));
	child = fork();
	if (!child) {
		int fd = foreign_open(driver);

		prime_fd_to_handle(fd, t.bo.dmabuf);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	wait_for_byte(ready[0]);
	expect_pinned(&t, 1);
	kill(child, SIGKILL);
	igt_assert_eq(waitpid(child, &status, 0), child);
	expect_free(&t);
	end(&t);
	close(ready[0]);
	close(ready[1]);
}

/*
 * Of an imported buffer these drivers give no CPU mapping of their own. Their dma-buf of
 * it is the exporter's: what is written through one must be in the other.
 */
static void data(struct vshare_session *s, const struct foreign_driver *driver)
{
	struct drm_mode_map_dumb map_dumb = {};
	int fd = foreign_open(driver), again;
	uint64_t *theirs, *gem;
	struct setup t;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	gem = vexport_gem_mmap(s->exporter, t.bo.handle, SIZE);
	map_dumb.handle = prime_fd_to_handle(fd, t.bo.dmabuf);
	vshare_refused(s, fd, DRM_IOCTL_MODE_MAP_DUMB, &map_dumb, EINVAL);
	again = prime_handle_to_fd_for_mmap(fd, map_dumb.handle);
	igt_assert_eq_u64(vexport_dmabuf_inode(again), vexport_dmabuf_inode(t.bo.dmabuf));
	theirs = vexport_dmabuf_mmap(again, SIZE);
	dmabuf_oracle_check(&t.oracle, theirs, "through the importer");
	dmabuf_oracle_store(&t.oracle, theirs, 0, SIZE);
	dmabuf_oracle_check(&t.oracle, gem, "through the exporter");
	dmabuf_oracle_store(&t.oracle, gem, 0, SIZE / 2);
	dmabuf_oracle_check(&t.oracle, theirs, "through the importer, after the exporter");
	gem_close(fd, map_dumb.handle);
	expect_free(&t);
	dmabuf_oracle_check(&t.oracle, theirs, "through a mapping that was the importer's");
	munmap(theirs, SIZE);
	munmap(gem, SIZE);
	close(again);
	end(&t);
	close(fd);
}

/* Nobody but the importer has the buffer any more: no handle, no descriptor, no file. */
static void only_importer(struct vshare_session *s, const struct foreign_driver *driver)
{
	int fd = foreign_open(driver), exporter = vexport_open();
	struct setup t;
	uint32_t handle;

	vexport_bo_init(&t.bo, exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	dmabuf_oracle_init(&t.oracle, SIZE);
	dmabuf_oracle_store(&t.oracle, t.bo.map, 0, SIZE);
	handle = prime_fd_to_handle(fd, t.bo.dmabuf);
	vexport_bo_fini(&t.bo);
	close(exporter);

	t.s = s;
	t.bo = (struct vexport_bo) { .fd = s->exporter, .size = SIZE };
	t.bo.dmabuf = prime_handle_to_fd_for_mmap(fd, handle);
	t.bo.map = vexport_dmabuf_mmap(t.bo.dmabuf, SIZE);
	expect_pinned(&t, 1);
	gem_close(fd, handle);
	expect_free(&t);
	end(&t);
	close(fd);
}

static bool is_busy(int dmabuf, short events)
{
	struct pollfd fd = { .fd = dmabuf, .events = events };

	return !poll(&fd, 1, 0);
}

/* The importer has gone and left a fence behind, by which it still reads or writes. */
static void fence_outlives_pin(struct vshare_session *s, const struct foreign_driver *driver)
{
	struct drm_vexport_bo_move move = {
		.flags = DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC |
			 DRM_VEXPORT_MOVE_OUT_FENCE,
	};
	int fd = foreign_open(driver);
	struct setup t;
	uint32_t fence;

	for (uint32_t write = 0; write < 2; write++) {
		struct vgem_bo import = {};

		begin(&t, s, DRM_VEXPORT_PLACEMENT_TT, 0);
		import.handle = prime_fd_to_handle(fd, t.bo.dmabuf);
		fence = vgem_fence_attach(fd, &import, write ? VGEM_FENCE_WRITE : 0);
		igt_assert_eq(is_busy(t.bo.dmabuf, POLLIN), write);
		igt_assert(is_busy(t.bo.dmabuf, POLLOUT));
		expect_counts(&t, 1);
		gem_close(fd, import.handle);
		expect_counts(&t, 0);
		move.fd = t.bo.dmabuf;
		igt_assert_eq(__vexport_move(s->exporter, &move), 0);
		igt_assert(is_busy(move.out_fence, POLLIN));
		vgem_fence_signal(fd, fence);
		igt_assert_eq(poll(&(struct pollfd) { move.out_fence, POLLIN, 0 }, 1, 20000), 1);
		igt_assert(!is_busy(t.bo.dmabuf, POLLIN | POLLOUT));
		close(move.out_fence);
		expect_free(&t);
		end(&t);
	}
	close(fd);
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(struct vshare_session *s, const struct foreign_driver *driver);
	bool fences;
} subtests[] = {
	{ "pins", "Proves pinning only: an import pins, from wherever, and closing it unpins.",
	  pins, false },
	{ "pins-until-close", "Proves pinning only: closing the importer's file unpins.",
	  pins_until_close, false },
	{ "twice", "Proves pinning only: each file that imports pins for itself.", twice, false },
	{ "other-process", "Proves pinning only: an importer that is killed pins no longer.",
	  other_process, false },
	{ "data", "What is written through what the importer gives is in the buffer, and back.",
	  data, false },
	{ "only-importer", "A buffer lives for as long as an importer has it.", only_importer,
	  false },
	{ "fence", "A move waits for the fence of an importer that pins no longer.",
	  fence_outlives_pin, true },
};

igt_main
{
	struct vshare_session s;

	for (const struct foreign_driver *driver = foreign_drivers; driver->name; driver++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(subtests); i++) {
			if (subtests[i].fences && !driver->has_fences)
				continue;
			igt_describe(subtests[i].describe);
			igt_subtest_f("%s-%s", driver->name, subtests[i].name) {
				vshare_session_begin(&s);
				subtests[i].run(&s, driver);
				vshare_session_end(&s);
			}
		}
	}
}
