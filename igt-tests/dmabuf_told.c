// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/stat.h>

#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Every importer is told of every move, through whichever dma-buf of the "
		     "buffer it came, and whatever else of the buffer is closed meanwhile.");

#define SIZE			(64ull << 10)
#define PAGE			4096ull
#define MAX_IMPORTERS		6

/* A buffer, what it must hold, and all who import it. */
struct told {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct dmabuf_oracle oracle;
	struct vimport_gpu gpu[MAX_IMPORTERS];
	int importers;
};

/* Writes all of the buffer, so that who writes elsewhere leaves the old words. */
static void write_all(struct told *t, int importer, const char *when)
{
	struct vimport_gpu *gpu = &t->gpu[importer];
	struct vimport_job job = {};

	vimport_job_tag(&job, gpu->va, SIZE,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0 + importer % 2, 0, SIZE));
	vimport_run(gpu->fd, gpu->vm, &job);
	dmabuf_oracle_check(&t->oracle, t->bo.map, when);
}

/* The new importer has the buffer mapped afterwards: it depends on being told. */
static int add_importer(struct told *t, int dmabuf)
{
	int importer = t->importers++;

	igt_assert_lte(t->importers, MAX_IMPORTERS);
	vimport_gpu_init(&t->gpu[importer], importer % 2, dmabuf, SIZE, 0);
	write_all(t, importer, "as soon as it was mapped");
	return importer;
}

static void begin(struct told *t, struct vshare_session *s, int importers)
{
	memset(t, 0, sizeof(*t));
	t->s = s;
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&t->oracle, SIZE);
	while (importers--)
		add_importer(t, t->bo.dmabuf);
}

static void end(struct told *t)
{
	struct drm_vexport_bo_query query;

	vexport_query(t->s->exporter, t->bo.dmabuf, &query);
	igt_assert_eq_u64(query.stale_words, 0);
	for (int i = 0; i < t->importers; i++) {
		if (t->gpu[i].fd)
			vimport_gpu_fini(&t->gpu[i]);
	}
	dmabuf_oracle_fini(&t->oracle);
	vexport_bo_fini(&t->bo);
}

static uint64_t invalidations(struct told *t)
{
	uint64_t sum = 0;

	for (int i = 0; i < t->s->gpus; i++) {
		struct drm_vimport_info info;

		vimport_get_info(t->s->gpu[i], &info);
		sum += info.invalidations;
	}
	return sum;
}

/* One move, by any way, and everybody must have felt it. */
static void expect_told(struct told *t, int fd, uint32_t dmabufs, const char *kind,
			void (*move)(struct told *t, int fd))
{
	struct drm_vexport_bo_query before, after;
	uint64_t callbacks;
	int told = 0;

	vexport_wait_dmabufs(t->s->exporter, fd, dmabufs);
	vexport_query(t->s->exporter, fd, &before);
	callbacks = invalidations(t);
	move(t, fd);
	vexport_query(t->s->exporter, fd, &after);
	igt_assert_eq_u64(after.generation, before.generation + 1);
	igt_assert_eq_u64(after.notifies, before.notifies + dmabufs);
	for (int i = 0; i < t->importers; i++)
		told += t->gpu[i].fd != 0;
	igt_assert_eq_u32(after.attachments, told);
	igt_assert_eq_u64(invalidations(t), callbacks + told);
	for (int i = 0; i < t->importers; i++) {
		if (t->gpu[i].fd)
			write_all(t, i, kind);
	}
}

static void relocate(struct told *t, int fd)
{
	vexport_move(t->s->exporter, fd, 0, DRM_VEXPORT_MOVE_RELOCATE);
}

static void to_vram(struct told *t, int fd)
{
	vexport_move(t->s->exporter, fd, DRM_VEXPORT_PLACEMENT_VRAM, 0);
}

static void to_tt(struct told *t, int fd)
{
	vexport_move(t->s->exporter, fd, DRM_VEXPORT_PLACEMENT_TT, 0);
}

static void to_system(struct told *t, int fd)
{
	vexport_move(t->s->exporter, fd, DRM_VEXPORT_PLACEMENT_SYSTEM, 0);
}

static void evict(struct told *t, int fd)
{
	struct drm_vexport_evict args = {};

	do_ioctl(t->s->exporter, DRM_IOCTL_VEXPORT_EVICT, &args);
	igt_assert_eq(args.evicted, 1);
}

/* Twice in VRAM, twice out of it by different ways; a map brings SYSTEM to TT. */
static void expect_told_of_all(struct told *t, int fd, uint32_t dmabufs)
{
	expect_told(t, fd, dmabufs, "after a relocation in VRAM", relocate);
	expect_told(t, fd, dmabufs, "after an eviction", evict);
	expect_told(t, fd, dmabufs, "after a relocation in TT", relocate);
	expect_told(t, fd, dmabufs, "after a move to VRAM", to_vram);
	expect_told(t, fd, dmabufs, "after a move to SYSTEM", to_system);
	expect_told(t, fd, dmabufs, "after a move back to VRAM", to_vram);
	expect_told(t, fd, dmabufs, "after a move to TT", to_tt);
	expect_told(t, fd, dmabufs, "after a second move to VRAM", to_vram);
}

static void handle_closed(struct vshare_session *s)
{
	struct told t;

	begin(&t, s, 2);
	expect_told_of_all(&t, t.bo.dmabuf, 1);
	vexport_bo_close_handle(&t.bo);
	expect_told_of_all(&t, t.bo.dmabuf, 1);
	/* A handle in another file has gone the same way, long ago. */
	end(&t);
}

/* An importer's PRIME handle gives the exporter's dma-buf back. */
static int dmabuf_of_importer(struct told *t, int importer)
{
	int fd = prime_handle_to_fd_for_mmap(t->gpu[importer].fd, t->gpu[importer].handle);

	igt_assert_fd(fd);
	return fd;
}

static void everything_closed(struct vshare_session *s)
{
	struct drm_vexport_evict args = {};
	struct told t;

	begin(&t, s, 2);
	vexport_bo_close_handle(&t.bo);
	munmap(t.bo.map, SIZE);
	close(t.bo.dmabuf);
	/* Nobody but importers has anything of it, and it can only be pushed out. */
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_EVICT, &args);
	igt_assert_eq(args.evicted, 1);
	t.bo.dmabuf = dmabuf_of_importer(&t, 1);
	t.bo.map = vexport_dmabuf_mmap(t.bo.dmabuf, SIZE);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "after an eviction");
	write_all(&t, 0, "after an eviction");
	write_all(&t, 1, "after an eviction");
	to_vram(&t, t.bo.dmabuf);
	expect_told_of_all(&t, t.bo.dmabuf, 1);
	end(&t);
}

static ino_t inode(int fd)
{
	struct stat st;

	igt_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

static void several_dmabufs(struct vshare_session *s)
{
	int second, third, importer;
	struct told t;

	begin(&t, s, 1);
	second = vexport_gem_export(s->exporter, t.bo.handle);
	third = vexport_gem_export(s->exporter, t.bo.handle);
	igt_assert(inode(second) != inode(t.bo.dmabuf) && inode(third) != inode(second));
	add_importer(&t, second);
	add_importer(&t, second);
	importer = add_importer(&t, third);
	expect_told_of_all(&t, t.bo.dmabuf, 3);
	expect_told_of_all(&t, third, 3);

	/* One goes with its importer, and one more comes. */
	vimport_gpu_fini(&t.gpu[importer]);
	vexport_wait_attachments(s->exporter, t.bo.dmabuf, 3);
	close(third);
	expect_told_of_all(&t, second, 2);
	third = vexport_gem_export(s->exporter, t.bo.handle);
	add_importer(&t, third);
	expect_told_of_all(&t, second, 3);

	/* Without a handle, when PRIME has forgotten the first of them. */
	vexport_bo_close_handle(&t.bo);
	expect_told_of_all(&t, second, 3);
	/* And with no descriptor but those that importers hold. */
	close(second);
	close(third);
	expect_told_of_all(&t, t.bo.dmabuf, 3);
	end(&t);
}

/* The first dma-buf, the one that PRIME knows, is the one that goes. */
static void first_dmabuf_closed(struct vshare_session *s)
{
	int second;
	struct told t;

	begin(&t, s, 1);
	second = vexport_gem_export(s->exporter, t.bo.handle);
	add_importer(&t, second);
	vexport_bo_close_handle(&t.bo);
	munmap(t.bo.map, SIZE);
	close(t.bo.dmabuf);
	vimport_gpu_fini(&t.gpu[0]);
	t.bo.dmabuf = second;
	t.bo.map = vexport_dmabuf_mmap(second, SIZE);
	vexport_wait_attachments(s->exporter, second, 1);
	expect_told_of_all(&t, second, 1);
	end(&t);
}

static void fd_closed(struct vshare_session *s)
{
	struct told t;
	int second;

	begin(&t, s, 0);
	second = vexport_gem_export(s->exporter, t.bo.handle);
	add_importer(&t, second);
	/* The importer alone keeps this dma-buf. */
	close(second);
	expect_told_of_all(&t, t.bo.dmabuf, 2);
	second = dmabuf_of_importer(&t, 0);
	expect_told_of_all(&t, second, 2);
	close(second);
	vimport_gpu_fini(&t.gpu[0]);
	vexport_wait_attachments(s->exporter, t.bo.dmabuf, 0);
	end(&t);
}

/* A buffer that comes home through one of its dma-bufs, and is exported again. */
static void comes_home(struct vshare_session *s)
{
	struct drm_prime_handle args = {};
	uint32_t handle;
	int second, again;
	struct told t;

	begin(&t, s, 1);
	second = vexport_gem_export(s->exporter, t.bo.handle);
	add_importer(&t, second);
	/* A handle stands for the first: the second cannot come in. */
	args.fd = second;
	vshare_refused(s, s->exporter, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args, EINVAL);
	vexport_bo_close_handle(&t.bo);

	handle = prime_fd_to_handle(s->exporter, second);
	again = prime_handle_to_fd(s->exporter, handle);
	igt_assert_eq_u64(inode(again), inode(second));
	close(again);
	args.fd = t.bo.dmabuf;
	vshare_refused(s, s->exporter, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args, EINVAL);
	expect_told_of_all(&t, second, 2);
	gem_close(s->exporter, handle);

	t.bo.handle = prime_fd_to_handle(s->exporter, t.bo.dmabuf);
	again = vexport_gem_export(s->exporter, t.bo.handle);
	add_importer(&t, again);
	expect_told_of_all(&t, second, 3);
	close(again);
	close(second);
	end(&t);
}

static void told_of_revoke(struct vshare_session *s)
{
	uint64_t callbacks;
	struct told t;
	int second;

	begin(&t, s, 1);
	second = vexport_gem_export(s->exporter, t.bo.handle);
	add_importer(&t, second);
	callbacks = invalidations(&t);
	/* Nobody has it mapped any more: each of them was told. */
	igt_assert_eq_u32(vexport_revoke(s->exporter, t.bo.dmabuf, DRM_VEXPORT_REVOKE_TEMPORARY,
					 10000), 0);
	igt_assert_eq_u64(invalidations(&t), callbacks + 2);
	vexport_revoke(s->exporter, second, DRM_VEXPORT_REVOKE_NONE, 0);
	write_all(&t, 0, "after a revoke");
	write_all(&t, 1, "after a revoke");
	close(second);
	end(&t);
}

static void export_refused(struct vshare_session *s)
{
	struct drm_vexport_gem_export args = {};
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, PAGE, DRM_VEXPORT_PLACEMENT_TT, 0);
	args.handle = bo.handle + 1;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_EXPORT, &args, ENOENT);
	args.handle = bo.handle;
	args.pad = 1;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_EXPORT, &args, EINVAL);
	args.pad = 0;
	for (uint32_t bad = 1; bad; bad <<= 1) {
		args.flags = bad | DRM_CLOEXEC;
		if (!(bad & (DRM_CLOEXEC | DRM_RDWR)))
			vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_EXPORT, &args,
				       EINVAL);
	}
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "handle-closed", "Importers are told although the exporter's last handle is gone.",
	  handle_closed },
	{ "everything-closed", "They are told when nobody else has the buffer any more.",
	  everything_closed },
	{ "several-dmabufs", "They are told through each of several dma-bufs, which come and go.",
	  several_dmabufs },
	{ "first-dmabuf-closed", "They are told when the dma-buf that was first is gone.",
	  first_dmabuf_closed },
	{ "fd-closed", "They are told when they alone keep their dma-buf.", fd_closed },
	{ "comes-home", "They are told when the exporter has the buffer from one of them.",
	  comes_home },
	{ "revoke", "They are told of a revoke, through each of several dma-bufs.",
	  told_of_revoke },
	{ "export-refused", "Unknown flags, padding and handles are refused.", export_refused },
};

igt_main_args(NULL, vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		close(vimport_open(1));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
