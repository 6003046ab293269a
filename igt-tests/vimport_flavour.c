// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("How a buffer is imported decides whether, and where, it stays, until the "
		     "last who wants it to has gone; several imports of one buffer are their own, and "
		     "one that comes back to its file is the one that is there.");

#define SIZE			(256ull << 10)
#define HALF			(SIZE / 2)

#define STATIC			DRM_VIMPORT_IMPORT_STATIC
#define PINNED			DRM_VIMPORT_IMPORT_PINNED
#define NO_P2P			DRM_VIMPORT_IMPORT_NO_P2P

static const struct flavour {
	uint32_t flags;
	bool pins;
	bool p2p;
} flavours[] = {
	{ 0, false, true },
	{ NO_P2P, false, false },
	{ PINNED, true, true },
	{ NO_P2P | PINNED, true, false },
	{ STATIC, true, false },
};

struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct dmabuf_oracle oracle;
};

static void begin(struct setup *t, struct vshare_session *s, uint32_t placement)
{
	t->s = s;
	vexport_bo_init(&t->bo, s->exporter, SIZE, placement, DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&t->oracle, SIZE);
	dmabuf_oracle_store(&t->oracle, t->bo.map, 0, SIZE);
}

static void end(struct setup *t)
{
	dmabuf_oracle_fini(&t->oracle);
	vexport_bo_fini(&t->bo);
}

static struct drm_vexport_bo_query query(const struct setup *t)
{
	struct drm_vexport_bo_query now;

	vexport_query(t->bo.fd, t->bo.dmabuf, &now);
	return now;
}

static void work(struct setup *t, struct vimport_gpu *gpu, uint64_t offset, uint64_t size,
		 const char *when)
{
	struct vimport_job job = {};

	vimport_job_tag(&job, gpu->va + offset, size,
			dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0, offset, size));
	vimport_run(gpu->fd, gpu->vm, &job);
	dmabuf_oracle_check(&t->oracle, t->bo.map, when);
}

static void expect_stays(struct setup *t)
{
	struct drm_vexport_bo_move move = {
		.fd = t->bo.dmabuf,
		.flags = DRM_VEXPORT_MOVE_RELOCATE,
	};
	struct drm_vexport_evict evict = {};
	uint64_t generation = query(t).generation;

	vshare_refused(t->s, t->s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
	do_ioctl(t->s->exporter, DRM_IOCTL_VEXPORT_EVICT, &evict);
	igt_assert_eq_u64(query(t).generation, generation);
}

static void expect_moves(struct setup *t)
{
	uint64_t generation = query(t).generation;

	vexport_move(t->s->exporter, t->bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert_eq_u64(query(t).generation, generation + 1);
	dmabuf_oracle_check(&t->oracle, t->bo.map, "after a move");
}

static void all(struct vshare_session *s)
{
	struct vimport_gpu gpu;
	struct setup t;

	for (unsigned int i = 0; i < ARRAY_SIZE(flavours); i++) {
		const struct flavour *flavour = &flavours[i];

		begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM);
		vimport_gpu_init(&gpu, 0, t.bo.dmabuf, SIZE, flavour->flags);
		work(&t, &gpu, 0, SIZE, "before a move");
		igt_assert_eq_u32(query(&t).pins, flavour->pins);
		igt_assert_eq_u32(query(&t).maps, 1);
		/* Where it is not out of the reach of this one. */
		igt_assert_eq_u32(query(&t).placement, flavour->p2p ?
				  DRM_VEXPORT_PLACEMENT_VRAM : DRM_VEXPORT_PLACEMENT_TT);
		if (flavour->pins)
			expect_stays(&t);
		else
			expect_moves(&t);
		work(&t, &gpu, HALF / 2, HALF, "after a move");
		vimport_gpu_fini(&gpu);
		vexport_wait_attachments(s->exporter, t.bo.dmabuf, 0);
		igt_assert_eq_u32(query(&t).pins | query(&t).maps, 0);
		expect_moves(&t);
		end(&t);
	}
}

static void refuse(struct vshare_session *s, const struct setup *t, uint32_t flags, uint32_t pad)
{
	struct drm_vimport_import import = { .fd = t->bo.dmabuf, .flags = flags, .pad = pad };

	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_IMPORT, &import, EINVAL);
}

static void bad_flags(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_TT);
	for (int bit = 3; bit < 32; bit++)
		refuse(s, &t, 1u << bit, 0);
	refuse(s, &t, STATIC | NO_P2P, 0);
	refuse(s, &t, STATIC | PINNED, 0);
	refuse(s, &t, STATIC | PINNED | NO_P2P, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(flavours); i++)
		refuse(s, &t, flavours[i].flags, 1);
	igt_assert_eq_u32(query(&t).attachments, 0);
	end(&t);
}

/* As long as one of them pins, it stays for all. */
static void side_by_side(struct vshare_session *s)
{
	struct vimport_gpu gpu[ARRAY_SIZE(flavours)];
	unsigned int pins = 0;
	struct setup t;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_TT);
	for (unsigned int i = 0; i < ARRAY_SIZE(flavours); i++) {
		vimport_gpu_init(&gpu[i], i % s->gpus, t.bo.dmabuf, SIZE, flavours[i].flags);
		work(&t, &gpu[i], i * SIZE / 8, SIZE / 2, "when one more has come");
		pins += flavours[i].pins;
		igt_assert_eq_u32(query(&t).pins, pins);
		igt_assert_eq_u32(query(&t).attachments, i + 1);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(flavours); i++) {
		/* The ones that pin are the last in the table. */
		expect_stays(&t);
		work(&t, &gpu[i], i * SIZE / 8, SIZE / 2, "before one goes");
		vimport_gpu_fini(&gpu[i]);
		vexport_wait_attachments(s->exporter, t.bo.dmabuf, ARRAY_SIZE(flavours) - i - 1);
	}
	igt_assert_eq_u32(query(&t).pins, 0);
	expect_moves(&t);
	end(&t);
}

/* Its pin comes while a job of another one uses the buffer where it is out of reach. */
static void static_comes_late(struct vshare_session *s)
{
	struct vimport_gpu gpu[2];
	struct vimport_job job = {};
	struct setup t;
	uint32_t done;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_VRAM);
	vimport_gpu_init(&gpu[0], 0, t.bo.dmabuf, SIZE, 0);
	vimport_job_delay(&job, 100 * NSEC_PER_MSEC);
	vimport_job_tag(&job, gpu[0].va, SIZE,
			dmabuf_oracle_tag(&t.oracle, DMABUF_WRITER_GPU0, 0, SIZE));
	done = vimport_submit(gpu[0].fd, gpu[0].vm, &job, 0);
	igt_assert_eq_u32(query(&t).placement, DRM_VEXPORT_PLACEMENT_VRAM);
	vimport_gpu_init(&gpu[1], 0, t.bo.dmabuf, SIZE, STATIC);
	igt_assert_eq_u32(query(&t).placement, DRM_VEXPORT_PLACEMENT_TT);
	igt_assert_eq_u32(query(&t).pins, 1);
	/* It was waited for: what this one sees is ready. */
	igt_assert_eq(syncobj_wait_err(gpu[0].fd, &done, 1, 0, 0), 0);
	dmabuf_oracle_check(&t.oracle, t.bo.map, "when it is pinned");
	expect_stays(&t);
	igt_assert_eq(vimport_wait(gpu[0].fd, done), 0);
	work(&t, &gpu[0], 0, HALF, "through the first");
	work(&t, &gpu[1], HALF, HALF, "through the one that came late");
	for (int i = 0; i < 2; i++)
		vimport_gpu_fini(&gpu[i]);
	end(&t);
}

/* Not to be had, and nothing is left of the attempt. */
static void static_revoked(struct vshare_session *s)
{
	struct drm_vimport_import import = { .flags = STATIC };
	struct setup t;
	uint32_t handle;

	begin(&t, s, DRM_VEXPORT_PLACEMENT_TT);
	import.fd = t.bo.dmabuf;
	vexport_bo_revoke(&t.bo, DRM_VEXPORT_REVOKE_TEMPORARY);
	igt_assert_lt(__vimport_import(s->gpu[0], &import), 0);
	igt_assert_eq_u32(query(&t).attachments | query(&t).pins, 0);
	vexport_revoke(s->exporter, t.bo.dmabuf, DRM_VEXPORT_REVOKE_NONE, 0);
	handle = vimport_import(s->gpu[0], t.bo.dmabuf, STATIC);
	gem_close(s->gpu[0], handle);
	expect_moves(&t);
	end(&t);
}

/* Twice by IMPORT is two imports, of which each goes on when the other has gone. */
static void twice(struct vshare_session *s)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(flavours); i++) {
		int fd = s->gpu[0];
		uint32_t handle[2];
		struct setup t;

		begin(&t, s, DRM_VEXPORT_PLACEMENT_TT);
		for (int j = 0; j < 2; j++)
			handle[j] = vimport_import(fd, t.bo.dmabuf, flavours[i].flags);
		igt_assert_neq_u32(handle[0], handle[1]);
		igt_assert_eq_u32(query(&t).attachments, 2);
		for (int j = 0; j < 2; j++) {
			struct vimport_gpu gpu = {
				.fd = fd, .vm = vimport_vm_create(fd), .handle = handle[j],
				.va = SIZE, .size = SIZE,
			};

			vimport_vm_map(fd, gpu.vm, gpu.handle, 0, gpu.va, SIZE, 0);
			work(&t, &gpu, j * HALF, HALF, "through one of two");
			if (!flavours[i].pins)
				expect_moves(&t);
			work(&t, &gpu, HALF / 2, HALF, "through one of two");
			vimport_vm_destroy(fd, gpu.vm);
			gem_close(fd, handle[j]);
			vexport_wait_attachments(s->exporter, t.bo.dmabuf, 1 - j);
		}
		end(&t);
	}
}

/*
 * What a file exports of an import is the exporter's dma-buf, not one of its own. If
 * that comes back, it is the same object; to another file it is a buffer like any other.
 */
static void comes_back(struct vshare_session *s)
{
	int other = vimport_open(0);

	for (unsigned int i = 0; i <= ARRAY_SIZE(flavours); i++) {
		int fd = s->gpu[0], again;
		struct vimport_gpu gpu;
		uint32_t handle;
		struct setup t;

		begin(&t, s, DRM_VEXPORT_PLACEMENT_TT);
		handle = i < ARRAY_SIZE(flavours) ?
			 vimport_import(fd, t.bo.dmabuf, flavours[i].flags) :
			 prime_fd_to_handle(fd, t.bo.dmabuf);
		again = prime_handle_to_fd_for_mmap(fd, handle);
		igt_assert_eq_u32(prime_fd_to_handle(fd, again), handle);
		igt_assert_eq_u32(prime_fd_to_handle(fd, t.bo.dmabuf), handle);
		igt_assert_eq_u32(query(&t).attachments, 1);
		igt_assert_eq_u32(query(&t).dmabufs, 1);

		gpu = (struct vimport_gpu) {
			.fd = other, .vm = vimport_vm_create(other),
			.handle = prime_fd_to_handle(other, again), .va = SIZE, .size = SIZE,
		};
		close(again);
		igt_assert_eq_u32(query(&t).attachments, 2);
		vimport_vm_map(other, gpu.vm, gpu.handle, 0, gpu.va, SIZE, 0);
		gem_close(fd, handle);
		vexport_wait_attachments(s->exporter, t.bo.dmabuf, 1);
		work(&t, &gpu, 0, SIZE, "through the file that got it");
		expect_moves(&t);
		work(&t, &gpu, 0, HALF, "through the file that got it");
		vimport_vm_destroy(other, gpu.vm);
		gem_close(other, gpu.handle);
		end(&t);
	}
	close(other);
}

static const struct vshare_subtest subtests[] = {
	{ "all", "Each flavour can be written to, and pins or does not.", all },
	{ "bad-flags", "Unknown flags, flags that exclude each other, and a pad are refused.",
	  bad_flags },
	{ "side-by-side", "A buffer stays until the last import that pins it has gone.",
	  side_by_side },
	{ "static-comes-late", "A static import waits for those who use the buffer elsewhere.",
	  static_comes_late },
	{ "static-revoked", "A static import that is refused leaves nothing behind.",
	  static_revoked },
	{ "twice", "Two imports of a buffer in one file are two.", twice },
	{ "comes-back", "A buffer that comes back to its file is the object that is there.",
	  comes_back },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
