/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef SW_SYNC_H
#define SW_SYNC_H

/* The part that works on any sync_file, with or without the sw_sync driver. */
int sync_fence_wait(int fence, int timeout_ms);
int sync_fence_status(int fence);

#endif /* SW_SYNC_H */
