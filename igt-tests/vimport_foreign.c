// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_exporter.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Exporters of the kernel's own, none of which moves anything: what the GPU "
		     "writes to their buffers is what a CPU finds there, and the other way round.");

#define SIZE			(256ull << 10)
#define HALF			(SIZE / 2)
#define FLAVOURS		5

static const uint32_t flavours[FLAVOURS] = {
	0, DRM_VIMPORT_IMPORT_NO_P2P, DRM_VIMPORT_IMPORT_PINNED,
	DRM_VIMPORT_IMPORT_NO_P2P | DRM_VIMPORT_IMPORT_PINNED, DRM_VIMPORT_IMPORT_STATIC,
};

struct foreign {
	struct vshare_session *s;
	int dmabuf;
	uint64_t *map;
	struct dmabuf_oracle oracle;
};

static void foreign_init(struct foreign *f, struct vshare_session *s,
			 const struct foreign_exporter *exporter)
{
	f->s = s;
	f->dmabuf = foreign_alloc(exporter, SIZE);
	f->map = vexport_dmabuf_mmap(f->dmabuf, SIZE);
	dmabuf_oracle_init(&f->oracle, SIZE);
	prime_sync_start(f->dmabuf, true);
	dmabuf_oracle_store(&f->oracle, f->map, 0, SIZE);
	prime_sync_end(f->dmabuf, true);
}

static void foreign_fini(struct foreign *f)
{
	munmap(f->map, SIZE);
	if (f->dmabuf >= 0)
		close(f->dmabuf);
	dmabuf_oracle_fini(&f->oracle);
}

static void check(struct foreign *f, const char *when)
{
	prime_sync_start(f->dmabuf, false);
	dmabuf_oracle_check(&f->oracle, f->map, when);
	prime_sync_end(f->dmabuf, false);
}

/* The GPU writes a part, and adds up all of it, which it leaves in the last word. */
static void work(struct foreign *f, struct vimport_gpu *gpu, uint64_t offset, uint64_t size)
{
	const uint64_t last = SIZE - sizeof(*f->map);
	struct vimport_job job = {};

	vimport_job_tag(&job, gpu->va + offset, size,
			dmabuf_oracle_tag(&f->oracle, DMABUF_WRITER_GPU0, offset, size));
	vimport_job_checksum(&job, gpu->va + last, gpu->va, last);
	dmabuf_oracle_fill(&f->oracle, last, sizeof(*f->map),
			   dmabuf_oracle_checksum(&f->oracle, 0, last));
	vimport_run(gpu->fd, gpu->vm, &job);
}

static void data(struct vshare_session *s, const struct foreign_exporter *exporter)
{
	struct vimport_gpu gpu;
	struct foreign f;

	foreign_init(&f, s, exporter);
	vimport_gpu_init(&gpu, 0, f.dmabuf, SIZE, 0);
	for (int i = 0; i < 3; i++) {
		work(&f, &gpu, i * HALF / 2, HALF / 2);
		check(&f, "after the GPU");
		prime_sync_start(f.dmabuf, true);
		dmabuf_oracle_store(&f.oracle, f.map, i * HALF / 4, HALF);
		prime_sync_end(f.dmabuf, true);
	}
	vimport_gpu_fini(&gpu);
	check(&f, "after the import");
	foreign_fini(&f);
}

static void all_flavours(struct vshare_session *s, const struct foreign_exporter *exporter)
{
	struct vimport_gpu gpu[FLAVOURS];
	struct foreign f;

	foreign_require_overlap(exporter);
	foreign_init(&f, s, exporter);
	/* One after the other, and then all at a time. */
	for (unsigned int i = 0; i < FLAVOURS; i++) {
		vimport_gpu_init(&gpu[i], 0, f.dmabuf, SIZE, flavours[i]);
		work(&f, &gpu[i], i * SIZE / 8, SIZE / 8);
		check(&f, "after one flavour");
		vimport_gpu_fini(&gpu[i]);
	}
	for (unsigned int i = 0; i < FLAVOURS; i++)
		vimport_gpu_init(&gpu[i], 0, f.dmabuf, SIZE, flavours[i]);
	for (unsigned int i = 0; i < FLAVOURS; i++)
		work(&f, &gpu[i], i * SIZE / 8, SIZE / 4);
	check(&f, "after all flavours");
	for (unsigned int i = 0; i < FLAVOURS; i++) {
		vimport_gpu_fini(&gpu[i]);
		if (i + 1 < FLAVOURS)
			work(&f, &gpu[i + 1], 0, SIZE / 8);
		check(&f, "after a flavour has gone");
	}
	foreign_fini(&f);
}

static void two_gpus(struct vshare_session *s, const struct foreign_exporter *exporter)
{
	struct vimport_gpu gpu[2];
	struct foreign f;

	igt_require_f(s->gpus > 1, "Needs two GPUs\n");
	foreign_require_overlap(exporter);
	foreign_init(&f, s, exporter);
	for (int i = 0; i < 2; i++)
		vimport_gpu_init(&gpu[i], i, f.dmabuf, SIZE, 0);
	for (int i = 0; i < 4; i++) {
		work(&f, &gpu[i & 1], i * SIZE / 8, SIZE / 4);
		check(&f, "after one of two GPUs");
	}
	for (int i = 0; i < 2; i++)
		vimport_gpu_fini(&gpu[i]);
	foreign_fini(&f);
}

/* Nobody but the GPU has the buffer for a while: no descriptor, no mapping. */
static void only_importer(struct vshare_session *s, const struct foreign_exporter *exporter)
{
	struct vimport_gpu gpu;
	struct foreign f;

	foreign_init(&f, s, exporter);
	vimport_gpu_init(&gpu, 0, f.dmabuf, SIZE, 0);
	munmap(f.map, SIZE);
	close(f.dmabuf);
	work(&f, &gpu, HALF / 2, HALF);
	f.dmabuf = prime_handle_to_fd_for_mmap(gpu.fd, gpu.handle);
	f.map = vexport_dmabuf_mmap(f.dmabuf, SIZE);
	check(&f, "after only the GPU had it");
	vimport_gpu_fini(&gpu);
	foreign_fini(&f);
}

/* In one address space with memory that moves: a copy there and back. */
static void beside_moving(struct vshare_session *s, const struct foreign_exporter *exporter)
{
	struct vimport_job job = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	struct foreign f;
	uint32_t handle;
	uint64_t va;

	foreign_init(&f, s, exporter);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, f.dmabuf, SIZE, 0);
	va = gpu.va + SIZE;
	handle = vimport_import(gpu.fd, bo.dmabuf, 0);
	vimport_vm_map(gpu.fd, gpu.vm, handle, 0, va, SIZE, 0);
	vimport_job_copy(&job, va, gpu.va, SIZE);
	vimport_run(gpu.fd, gpu.vm, &job);
	dmabuf_oracle_check(&f.oracle, bo.map, "copied to memory that moves");
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_SYSTEM, 0);
	vimport_job_copy(&job, gpu.va, va + HALF, HALF);
	dmabuf_oracle_copy(&f.oracle, 0, HALF, HALF);
	vimport_run(gpu.fd, gpu.vm, &job);
	check(&f, "copied from memory that has moved");
	gem_close(gpu.fd, handle);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
	foreign_fini(&f);
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(struct vshare_session *s, const struct foreign_exporter *exporter);
} subtests[] = {
	{ "data", "CPU and GPU find what the other has written.", data },
	{ "flavours", "Imports of every flavour reach the buffer, alone and side by side.",
	  all_flavours },
	{ "two-gpus", "Two GPUs work on one buffer.", two_gpus },
	{ "only-importer", "A buffer lives, and can be had again, for as long as the GPU has it.",
	  only_importer },
	{ "beside-moving", "It goes together with a buffer that moves.", beside_moving },
};

igt_main
{
	struct vshare_session s;

	igt_fixture
		close(vimport_open(0));

	for (const struct foreign_exporter *exporter = foreign_exporters; exporter->name;
	     exporter++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(subtests); i++) {
			igt_describe(subtests[i].describe);
			igt_subtest_f("%s-%s", exporter->name, subtests[i].name) {
				vshare_session_begin(&s);
				subtests[i].run(&s, exporter);
				vshare_session_end(&s);
			}
		}
	}
	igt_fixture
		vshare_session_check_last();
}
