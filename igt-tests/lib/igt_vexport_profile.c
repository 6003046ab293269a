// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_vexport_profile.h"

void profile_create(struct vshare_session *s, struct vexport_bo *bo, uint32_t placement)
{
	vexport_bo_init(bo, s->exporter, PROFILE_SIZE, placement, DRM_VEXPORT_GEM_MOVING);
}

uint64_t profile_acted(struct vshare_session *s, const struct vexport_bo *bo, uint32_t bit)
{
	struct drm_vexport_bo_profile profile;

	vexport_get_profile(s->exporter, bo->dmabuf, &profile);
	return profile.acted[__builtin_ctz(bit)];
}

void profile_relocate(struct vshare_session *s, const struct vexport_bo *bo)
{
	vexport_move(s->exporter, bo->dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
}

/* The importer maps the buffer, unless it has done so since the last move, and writes. */
void profile_use(struct vshare_session *s, struct vimport_gpu *gpu, const struct vexport_bo *bo)
{
	static uint64_t value;
	struct vimport_job job = {};

	vimport_job_fill(&job, gpu->va, PROFILE_SIZE, ++value);
	vimport_run(gpu->fd, gpu->vm, &job);
	for (unsigned int i = 0; i < PROFILE_SIZE / sizeof(value); i++)
		igt_assert_eq_u64(bo->map[i], value);
}
