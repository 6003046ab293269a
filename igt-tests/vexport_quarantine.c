// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>

#include "dmabuf_sync_file.h"
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_syncobj.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Storage that nobody has mapped any more is watched for a while, and costs "
		     "nobody anything: it goes when it is old, or when somebody wants the memory.");

#define SIZE			(256ull << 10)
#define PATIENCE_MS		20000
#define FOR_EVER_MS		600000
#define DELAY_NS		(100 * NSEC_PER_MSEC)

/* 1: page cache, 2: what shrinkers have. */
#define DROP_CACHES		"/proc/sys/vm/drop_caches"

/* A buffer, and a GPU that uses it between moves. */
struct scene {
	struct vshare_session *s;
	struct vexport_bo bo;
	struct vimport_gpu gpu;
	struct dmabuf_oracle oracle;
};

static uint64_t quarantined(struct scene *t)
{
	struct drm_vexport_info info;

	vexport_get_info(t->s->exporter, &info);
	return info.quarantined;
}

/* Workers free what a closed GPU has held, a moment later. */
static void settle(struct scene *t)
{
	struct drm_vexport_info info;
	struct timespec since = {};

	do {
		vexport_get_info(t->s->exporter, &info);
		igt_assert_lt_u64(igt_nsec_elapsed(&since), PATIENCE_MS * NSEC_PER_MSEC);
	} while (info.quarantined || info.buffers > t->s->start.exporter.buffers);
}

/* A copy is over, and the buffer moved, a moment before workers give up what it left. */
static void wait_left(struct scene *t, int storages, uint64_t vram_used)
{
	struct drm_vexport_info now;
	struct timespec since = {};

	do {
		vexport_get_info(t->s->exporter, &now);
		igt_assert_lt_u64(igt_nsec_elapsed(&since), PATIENCE_MS * NSEC_PER_MSEC);
	} while ((int)now.storages != storages || now.vram_used != vram_used);
}

static void begin_mapped(struct scene *t, struct vshare_session *s, uint32_t placement)
{
	t->s = s;
	settle(t);
	vexport_bo_init(&t->bo, s->exporter, SIZE, placement, DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&t->gpu, 0, t->bo.dmabuf, SIZE, 0);
	dmabuf_oracle_init(&t->oracle, SIZE);
}

static void end(struct scene *t)
{
	struct drm_vexport_bo_verdict verdict;

	dmabuf_oracle_check(&t->oracle, t->bo.map, "at the end");
	vexport_verdict(t->s->exporter, t->bo.dmabuf, PATIENCE_MS, &verdict);
	igt_assert_eq_u64(verdict.rules, 0);
	dmabuf_oracle_fini(&t->oracle);
	vimport_gpu_fini(&t->gpu);
	vexport_bo_fini(&t->bo);
}

/* Leaves storage that the GPU has had mapped, @count times, and has it given back. */
static void leave(struct scene *t, unsigned int count)
{
	struct drm_vexport_bo_verdict verdict;

	while (count--) {
		struct vimport_job job = {};

		vimport_job_tag(&job, t->gpu.va, SIZE,
				dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0, 0, SIZE));
		vimport_run(t->gpu.fd, t->gpu.vm, &job);
		vexport_move(t->s->exporter, t->bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		vexport_verdict(t->s->exporter, t->bo.dmabuf, PATIENCE_MS, &verdict);
		igt_assert_eq_u64(verdict.draining, 0);
	}
}

/*
 * The same, but the GPU has given it back when the move has yet to wait for the fence of
 * somebody else: the storage is in quarantine before its place in VRAM is given up, not
 * after that.
 */
static void leave_early(struct scene *t, int other, uint32_t vm, unsigned int count)
{
	struct drm_vexport_bo_verdict verdict;

	while (count--) {
		struct vimport_job tag = {}, delay = {};
		uint32_t done;
		int fence;

		vimport_job_tag(&tag, t->gpu.va, SIZE,
				dmabuf_oracle_tag(&t->oracle, DMABUF_WRITER_GPU0, 0, SIZE));
		vimport_run(t->gpu.fd, t->gpu.vm, &tag);
		vimport_job_delay(&delay, DELAY_NS);
		done = vimport_submit(other, vm, &delay, 0);
		fence = syncobj_handle_to_fd(other, done,
					     DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
		dmabuf_import_sync_file(t->bo.dmabuf, DMA_BUF_SYNC_WRITE, fence);
		close(fence);
		vexport_move(t->s->exporter, t->bo.dmabuf, 0,
			     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
		vexport_verdict(t->s->exporter, t->bo.dmabuf, PATIENCE_MS, &verdict);
		igt_assert_eq_u64(verdict.draining, 0);
		igt_assert_eq(vimport_wait(other, done), 0);
	}
}

static void kept(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct drm_vexport_info before, after;
	struct scene t;

	vexport_set_parameter("quarantine_mb", 16);
	vexport_set_parameter("quarantine_ms", FOR_EVER_MS);
	for (uint32_t place = DRM_VEXPORT_PLACEMENT_TT; place <= DRM_VEXPORT_PLACEMENT_VRAM;
	     place++) {
		begin_mapped(&t, s, place);
		vexport_get_info(s->exporter, &before);
		leave(&t, 3);
		vexport_get_info(s->exporter, &after);
		igt_assert_eq_u64(after.quarantined, 3 * SIZE);
		/* What is quarantined is no leak, and is not in the way. */
		wait_left(&t, before.storages, before.vram_used);
		vexport_verdict(s->exporter, t.bo.dmabuf, 0, &verdict);
		igt_assert_eq_u64(verdict.quarantined, 3 * SIZE);
		end(&t);
	}
}

/* With the last reference, whoever has it: nothing is left that could be watched. */
static void dies_with_buffer(struct vshare_session *s)
{
	struct scene t;

	vexport_set_parameter("quarantine_mb", 16);
	vexport_set_parameter("quarantine_ms", FOR_EVER_MS);
	begin_mapped(&t, s, DRM_VEXPORT_PLACEMENT_TT);
	leave(&t, 4);
	igt_assert_eq_u64(quarantined(&t), 4 * SIZE);
	end(&t);
	settle(&t);
}

static void expires(struct vshare_session *s)
{
	struct timespec since = {};
	struct scene t;

	vexport_set_parameter("quarantine_mb", 16);
	vexport_set_parameter("quarantine_ms", 10);
	begin_mapped(&t, s, DRM_VEXPORT_PLACEMENT_TT);
	leave(&t, 3);
	while (quarantined(&t)) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), PATIENCE_MS * NSEC_PER_MSEC);
		usleep(5000);
	}
	end(&t);
}

static void budget(struct vshare_session *s)
{
	const unsigned int fit = (1 << 20) / SIZE;
	struct scene t;

	vexport_set_parameter("quarantine_ms", FOR_EVER_MS);
	for (uint32_t place = DRM_VEXPORT_PLACEMENT_TT; place <= DRM_VEXPORT_PLACEMENT_VRAM;
	     place++) {
		vexport_set_parameter("quarantine_mb", 1);
		begin_mapped(&t, s, place);
		leave(&t, fit - 1);
		igt_assert_eq_u64(quarantined(&t), (fit - 1) * SIZE);
		leave(&t, 4);
		igt_assert_eq_u64(quarantined(&t), fit * SIZE);
		/* Without a budget the next one does not get in, and the others stay. */
		vexport_set_parameter("quarantine_mb", 0);
		leave(&t, 1);
		igt_assert_eq_u64(quarantined(&t), fit * SIZE);
		end(&t);
	}
}

static void reclaim(struct vshare_session *s)
{
	struct timespec since = {};
	struct scene t;
	int file;

	vexport_set_parameter("quarantine_mb", 16);
	vexport_set_parameter("quarantine_ms", FOR_EVER_MS);
	file = open(DROP_CACHES, O_WRONLY | O_CLOEXEC);
	igt_require_f(file >= 0, "Needs root, to write " DROP_CACHES ": %m\n");
	begin_mapped(&t, s, DRM_VEXPORT_PLACEMENT_TT);
	leave(&t, 4);
	igt_assert_eq_u64(quarantined(&t), 4 * SIZE);
	while (quarantined(&t)) {
		igt_assert_lt_u64(igt_nsec_elapsed(&since), PATIENCE_MS * NSEC_PER_MSEC);
		igt_assert_eq(pwrite(file, "2", 1, 0), 1);
		usleep(5000);
	}
	close(file);
	end(&t);
}

/* Whoever wants room in VRAM gets it from the quarantine first. */
static void vram(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct drm_vexport_info before, after;
	struct scene t;
	uint64_t room;
	uint32_t hog;

	vexport_set_parameter("quarantine_ms", FOR_EVER_MS);
	vexport_get_info(s->exporter, &before);
	vexport_set_parameter("quarantine_mb", before.vram_size >> 20);
	begin_mapped(&t, s, DRM_VEXPORT_PLACEMENT_VRAM);
	igt_require_f(s->gpus > 1, "Needs a second GPU\n");
	leave_early(&t, s->gpu[1], vimport_vm_create(s->gpu[1]), 8);
	wait_left(&t, s->start.exporter.storages + 1, s->start.exporter.vram_used + SIZE);
	vexport_get_info(s->exporter, &before);
	igt_assert_eq_u64(before.quarantined, 8 * SIZE);

	/* In pieces, for the buddy allocator rounds no size up then. */
	room = before.vram_size - before.vram_used;
	for (uint64_t size = SIZE; room; room -= size) {
		igt_assert_lte_u64(size, room);
		hog = vexport_gem_create(s->exporter, size, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		igt_assert_lt_u32(0, hog);
	}
	vexport_get_info(s->exporter, &after);
	igt_assert_eq_u64(after.vram_used, after.vram_size);
	/* It has made room. */
	igt_assert_lt_u64(after.quarantined, before.quarantined);
	igt_assert_eq_u64(after.evictions, before.evictions);
	vexport_query(s->exporter, t.bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_VRAM);
	end(&t);
}

/* Whoever asks must not take silence for innocence. */
static void switched_off(struct vshare_session *s)
{
	struct drm_vexport_bo_verdict verdict;
	struct drm_vexport_info before, after;
	struct scene t;

	vexport_set_parameter("quarantine_mb", 16);
	vexport_set_parameter("quarantine_ms", FOR_EVER_MS);
	for (uint32_t place = DRM_VEXPORT_PLACEMENT_TT; place <= DRM_VEXPORT_PLACEMENT_VRAM;
	     place++) {
		vexport_set_parameter("quarantine", 0);
		begin_mapped(&t, s, place);
		vexport_get_info(s->exporter, &before);
		leave(&t, 3);
		wait_left(&t, before.storages, before.vram_used);
		vexport_get_info(s->exporter, &after);
		igt_assert_eq_u64(after.quarantined, 0);
		vexport_verdict(s->exporter, t.bo.dmabuf, 0, &verdict);
		igt_assert_eq_u64(verdict.moves, 3);
		igt_assert_eq_u64(verdict.moves_mapped, 0);

		vexport_set_parameter("quarantine", 1);
		leave(&t, 1);
		igt_assert_eq_u64(quarantined(&t), SIZE);
		vexport_verdict(s->exporter, t.bo.dmabuf, 0, &verdict);
		igt_assert_eq_u64(verdict.moves_mapped, 1);
		end(&t);
	}
}

static const struct vshare_subtest subtests[] = {
	{ "kept", "What the buffer has left is kept when the last importer has unmapped it.",
	  kept },
	{ "dies-with-buffer", "It goes with the buffer.", dies_with_buffer },
	{ "expires", "It goes when it is old.", expires },
	{ "budget", "There is no more of it than the parameter allows: the oldest goes.", budget },
	{ "reclaim", "It goes when the kernel wants memory.", reclaim },
	{ "vram", "It goes before a buffer is evicted.", vram },
	{ "switched-off", "Without a quarantine nothing is kept, and nothing counts as tested.",
	  switched_off },
};

igt_main
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
		igt_install_exit_handler(vexport_restore_parameters);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
