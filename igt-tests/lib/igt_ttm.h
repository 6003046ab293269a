/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_TTM_H
#define IGT_TTM_H

struct vshare_session;

/* More than it takes to have every buffer of a test swapped out. */
#define TTM_MAX_SHRINKS		64

int ttm_shrink(void);
void ttm_shrink_all(void);
void ttm_swap_out(const struct vshare_session *s);

#endif /* IGT_TTM_H */
