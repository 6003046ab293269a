// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <linux/dma-heap.h>

#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_starve.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("A dma-buf holds its buffer for as long as anybody has it, an importer "
		     "included, and one that nobody gets holds nothing.");

#define SIZE			(64u << 10)
#define SOON_NS			(20 * NSEC_PER_SEC)

static struct drm_vexport_info info(struct vshare_session *s)
{
	struct drm_vexport_info now;

	vexport_get_info(s->exporter, &now);
	return now;
}

/* What is there beyond what there was when the subtest began; workers free the rest. */
static void expect_more(struct vshare_session *s, uint32_t buffers, uint32_t dmabufs,
			uint32_t attachments)
{
	struct timespec since = {};
	struct drm_vexport_info now;

	do {
		now = info(s);
		now.buffers -= s->start.exporter.buffers;
		now.dmabufs -= s->start.exporter.dmabufs;
		now.attachments -= s->start.exporter.attachments;
		if (now.buffers <= buffers && now.dmabufs <= dmabufs &&
		    now.attachments <= attachments)
			break;
		usleep(1000);
	} while (igt_nsec_elapsed(&since) < SOON_NS);
	igt_assert_eq_u32(now.buffers, buffers);
	igt_assert_eq_u32(now.dmabufs, dmabufs);
	igt_assert_eq_u32(now.attachments, attachments);
}

static void importer_holds(struct vshare_session *s)
{
	struct drm_vexport_evict evict = {};
	struct vimport_job job = {};
	struct dmabuf_oracle oracle;
	struct vexport_bo bo, result;
	struct vimport_gpu gpu;
	uint32_t handle;

	dmabuf_oracle_init(&oracle, SIZE);
	vexport_bo_init(&result, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
			DRM_VEXPORT_GEM_MOVING);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	handle = vimport_import(gpu.fd, result.dmabuf, 0);
	vimport_vm_map(gpu.fd, gpu.vm, handle, 0, gpu.va + SIZE, SIZE, 0);
	vexport_bo_fini(&bo);
	expect_more(s, 2, 2, 2);

	/* Nobody can name the buffer any more. It moves, and is where the importer looks. */
	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_EVICT, &evict);
	igt_assert_eq(evict.evicted, 1);
	vimport_job_copy(&job, gpu.va + SIZE, gpu.va, SIZE);
	vimport_run(gpu.fd, gpu.vm, &job);
	dmabuf_oracle_check(&oracle, result.map, "out of a buffer that only an importer has");

	/* The end of the import is the end of all of it. */
	vimport_vm_destroy(gpu.fd, gpu.vm);
	gem_close(gpu.fd, handle);
	gem_close(gpu.fd, gpu.handle);
	close(gpu.fd);
	vexport_bo_fini(&result);
	dmabuf_oracle_fini(&oracle);
}

static void allow_descriptors(const struct rlimit *limit)
{
	igt_assert_eq(setrlimit(RLIMIT_NOFILE, limit), 0);
}

/* Returns what is to be restored. */
static struct rlimit allow_no_descriptor(void)
{
	struct rlimit before, now;

	igt_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = vshare_next_fd();
	allow_descriptors(&now);
	return before;
}

static void no_descriptor(struct vshare_session *s)
{
	struct dma_heap_allocation_data alloc = { .len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int heap = open("/dev/dma_heap/vexport", O_RDONLY | O_CLOEXEC), ret, err;
	struct rlimit limit;

	igt_assert_fd(heap);
	prime.handle = vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	for (int i = 0; i < 3; i++) {
		limit = allow_no_descriptor();
		ret = ioctl(s->exporter, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
		err = errno;
		allow_descriptors(&limit);
		igt_assert_eq(ret, -1);
		igt_assert_eq(err, EMFILE);
		/* The handle keeps the dma-buf for the next time, and there is but one. */
		igt_assert_lte_u32(info(s).dmabufs - s->start.exporter.dmabufs, 1);
	}
	prime.fd = prime_handle_to_fd(s->exporter, prime.handle);
	expect_more(s, 1, 1, 0);
	gem_close(s->exporter, prime.handle);
	expect_more(s, 1, 1, 0);
	close(prime.fd);
	expect_more(s, 0, 0, 0);

	limit = allow_no_descriptor();
	ret = ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc);
	err = errno;
	allow_descriptors(&limit);
	igt_assert_eq(ret, -1);
	igt_assert_eq(err, EMFILE);
	expect_more(s, 0, 0, 0);
	close(heap);
}

/* Exports a buffer while allocations fail. Returns whether that failed. */
static bool starve_export(struct vshare_session *s, const struct starve *starve)
{
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct vimport_gpu gpu;
	struct vimport_job job = {};
	int ret;

	prime.handle = vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT,
					  DRM_VEXPORT_GEM_MOVING);
	ret = starve_ioctl(starve, s->exporter, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	if (ret)
		igt_assert_f(ret == -ENOMEM || ret == -ENFILE, "%s\n", strerror(-ret));
	else
		close(prime.fd);

	/* Whatever came of it, the buffer is one that can be exported and moved. */
	prime.fd = prime_handle_to_fd(s->exporter, prime.handle);
	expect_more(s, 1, 1, 0);
	vimport_gpu_init(&gpu, 0, prime.fd, SIZE, 0);
	vimport_job_fill(&job, gpu.va, SIZE, 1);
	vimport_run(gpu.fd, gpu.vm, &job);
	vexport_move(s->exporter, prime.fd, 0, DRM_VEXPORT_MOVE_RELOCATE);
	vimport_run(gpu.fd, gpu.vm, &job);
	vimport_gpu_fini(&gpu);
	gem_close(s->exporter, prime.handle);
	close(prime.fd);
	return ret;
}

static void no_memory(struct vshare_session *s)
{
	struct starve starve;
	unsigned int failed = 0;

	starve_prepare();
	for (starve.kind = 0; starve.kind < STARVE_KINDS; starve.kind++) {
		for (starve.nth = starve_first(starve.kind);
		     starve.nth < starve_first(starve.kind) + 12; starve.nth++)
			failed += starve_export(s, &starve);
	}
	igt_info("%u exports failed\n", failed);
	igt_assert_lt(0, failed);
}

static const struct vshare_subtest subtests[] = {
	{ "importer-holds", "A buffer that nobody has but an importer is there, and moves.",
	  importer_holds },
	{ "no-descriptor", "A dma-buf for which there is no descriptor leaves nothing behind.",
	  no_descriptor },
	{ "no-memory", "No memory at any point of an export: it is made, or nothing is left.",
	  no_memory },
};

igt_main
{
	igt_fixture {
		close(vimport_open(0));
		igt_install_exit_handler(starve_stop);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
