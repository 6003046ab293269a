/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_RACE_H
#define IGT_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "igt_dmabuf_oracle.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

#define RACE_SIZE		(64u << 10)
#define RACE_WINDOWS		3

/**
 * struct race_shared - what the processes of a subtest tell each other
 */
struct race_shared {
	bool go, begun, ended;
	pid_t pid;
	int ret;
};

/**
 * struct race - a buffer that GPU 0 has written to, and that is going to move
 */
struct race {
	struct vshare_session *s;
	struct vexport_bo bo;

	/** @gpu: Its file is zero if there is none, or none any more. */
	struct vimport_gpu gpu;

	/** @oracle: What is known of the buffer. */
	struct dmabuf_oracle oracle;
	struct race_shared *shared;
};

/**
 * struct race_window - a move that somebody else can come into
 */
struct race_window {
	const char *name;

	/** @from: Where the buffer is before. */
	uint32_t from;

	/** @flags: Mask of DRM_VEXPORT_MOVE_*. */
	uint32_t flags;

	/** @to: Where it goes. */
	uint32_t to;

	/** @evict: It is an eviction, all of it made with the reservation held. */
	bool evict;
};

extern const struct race_window race_windows[RACE_WINDOWS];

bool race_has_point(const struct race_window *window, uint32_t point);
bool race_holds_reservation(const struct race_window *window, uint32_t point);
bool race_has_fence(const struct race_window *window, uint32_t point);
struct vimport_job race_tag_job(struct race *t, uint64_t va, enum dmabuf_writer writer,
				size_t offset, size_t size);
void race_begin_without_gpu(struct race *t, struct vshare_session *s, uint32_t placement);
void race_begin(struct race *t, struct vshare_session *s, uint32_t placement);
struct drm_vexport_bo_query race_query(struct race *t);
void race_fini(struct race *t);
void race_end(struct race *t, const char *when);
int race_evict_all(int exporter);
int race_make_move(struct race *t, const struct race_window *window, uint32_t flags);
void race_wait_for(const bool *flag, const char *what);

#endif /* IGT_RACE_H */
