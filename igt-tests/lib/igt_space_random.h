/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_SPACE_RANDOM_H
#define IGT_SPACE_RANDOM_H

#include "igt_vimport_space.h"

/* What else happens after a bind, and after the job that follows it: the i-th. */
typedef void space_random_step(struct space *space, struct vshare_session *s, unsigned int i);

void space_random_binds(struct space *space, struct vshare_session *s, unsigned int count,
			space_random_step *step);
void space_random_async(struct space *space, struct vshare_session *s, unsigned int count,
			space_random_step *step);

#endif /* IGT_SPACE_RANDOM_H */
