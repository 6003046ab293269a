// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_race.h"

/* For what happens within milliseconds if nothing is wrong. */
#define WAIT_NS			(30 * NSEC_PER_SEC)

const struct race_window race_windows[RACE_WINDOWS] = {
	{ "relocation", DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_MOVE_RELOCATE, 0, false },
	{ "to-vram", DRM_VEXPORT_PLACEMENT_TT, 0, DRM_VEXPORT_PLACEMENT_VRAM, false },
	{ "eviction", DRM_VEXPORT_PLACEMENT_VRAM, 0, DRM_VEXPORT_PLACEMENT_TT, true },
};

/**
 * race_has_point - is there such a step in a move?
 * @window: the move
 * @point: the step
 */
bool race_has_point(const struct race_window *window, uint32_t point)
{
	return !window->evict || (point != DRM_VEXPORT_STALL_MOVE_QUEUED &&
				  point != DRM_VEXPORT_STALL_MOVE_RELEASE);
}

/**
 * race_holds_reservation - is whoever moves the buffer stopped with its reservation?
 * @window: the move
 * @point: the step
 */
bool race_holds_reservation(const struct race_window *window, uint32_t point)
{
	return window->evict || point <= DRM_VEXPORT_STALL_MOVE_QUEUED;
}

/**
 * race_has_fence - is the move not over for those who wait for its fence?
 * @window: the move
 * @point: the step
 */
bool race_has_fence(const struct race_window *window, uint32_t point)
{
	return window->evict || point != DRM_VEXPORT_STALL_MOVE_RELEASE;
}

struct vimport_job race_tag_job(struct race *t, uint64_t va, enum dmabuf_writer writer,
				size_t offset, size_t size)
{
	struct vimport_job job = {};

	vimport_job_tag(&job, va + offset, size,
			dmabuf_oracle_tag(&t->oracle, writer, offset, size));
	return job;
}

static void write_all(struct race *t)
{
	struct vimport_job job = race_tag_job(t, t->gpu.va, DMABUF_WRITER_GPU0, 0, RACE_SIZE);

	vimport_run(t->gpu.fd, t->gpu.vm, &job);
}

void race_begin_without_gpu(struct race *t, struct vshare_session *s, uint32_t placement)
{
	memset(t, 0, sizeof(*t));
	t->s = s;
	t->shared = mmap(NULL, sizeof(*t->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(t->shared != MAP_FAILED);
	vexport_bo_init(&t->bo, s->exporter, RACE_SIZE, placement, DRM_VEXPORT_GEM_MOVING);
	dmabuf_oracle_init(&t->oracle, RACE_SIZE);
}

/**
 * race_begin - a buffer that a GPU has mapped and written to
 * @t: what to fill in
 * @s: the session
 * @placement: where it begins
 */
void race_begin(struct race *t, struct vshare_session *s, uint32_t placement)
{
	race_begin_without_gpu(t, s, placement);
	vimport_gpu_init(&t->gpu, 0, t->bo.dmabuf, RACE_SIZE, 0);
	write_all(t);
}

struct drm_vexport_bo_query race_query(struct race *t)
{
	struct drm_vexport_bo_query now;

	vexport_query(t->s->exporter, t->bo.dmabuf, &now);
	return now;
}

void race_fini(struct race *t)
{
	munmap(t->shared, sizeof(*t->shared));
	dmabuf_oracle_fini(&t->oracle);
}

/**
 * race_end - nothing is lost, and the buffer can be used by everybody
 * @t: what race_begin() filled in
 * @when: for a message
 */
void race_end(struct race *t, const char *when)
{
	dmabuf_oracle_check(&t->oracle, t->bo.map, when);
	if (t->gpu.fd) {
		write_all(t);
		dmabuf_oracle_check(&t->oracle, t->bo.map, "after a job that follows");
		vimport_gpu_fini(&t->gpu);
	}
	igt_assert_eq_u64(race_query(t).stale_words, 0);
	vexport_bo_fini(&t->bo);
	race_fini(t);
}

int race_evict_all(int exporter)
{
	struct drm_vexport_evict args = {};

	return drmIoctl(exporter, DRM_IOCTL_VEXPORT_EVICT, &args) ? -errno : 0;
}

/**
 * race_make_move - make a move
 * @t: what race_begin() filled in
 * @window: the move
 * @flags: mask of DRM_VEXPORT_MOVE_*, not for an eviction
 *
 * Returns zero or -errno. A signal does not make it begin again.
 */
int race_make_move(struct race *t, const struct race_window *window, uint32_t flags)
{
	struct drm_vexport_bo_move args = {
		.fd = t->bo.dmabuf,
		.placement = window->to,
		.flags = window->flags | flags,
	};

	if (window->evict)
		return race_evict_all(t->s->exporter);
	return ioctl(t->s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &args) ? -errno : 0;
}

/**
 * race_wait_for - wait until another process has got somewhere
 * @flag: what it sets then
 * @what: what to say if it does not
 */
void race_wait_for(const bool *flag, const char *what)
{
	struct timespec since = {};

	while (!READ_ONCE(*flag)) {
		igt_assert_f(igt_nsec_elapsed(&since) < WAIT_NS, "%s\n", what);
		usleep(500);
	}
}
