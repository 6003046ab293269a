/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VEXPORT_PROFILE_H
#define IGT_VEXPORT_PROFILE_H

#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

#define PROFILE_SIZE		(64u << 10)
#define PROFILE(...)		((struct drm_vexport_bo_profile) { __VA_ARGS__ })
#define profile_set(s, bo, ...) \
	vexport_set_profile((s)->exporter, (bo)->dmabuf, &PROFILE(__VA_ARGS__))

void profile_create(struct vshare_session *s, struct vexport_bo *bo, uint32_t placement);
uint64_t profile_acted(struct vshare_session *s, const struct vexport_bo *bo, uint32_t bit);
void profile_relocate(struct vshare_session *s, const struct vexport_bo *bo);
void profile_use(struct vshare_session *s, struct vimport_gpu *gpu, const struct vexport_bo *bo);

#endif /* IGT_VEXPORT_PROFILE_H */
