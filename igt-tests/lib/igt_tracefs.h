/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_TRACEFS_H
#define IGT_TRACEFS_H

#define TRACEFS			"/sys/kernel/tracing"

/* A trace of our own, so that nobody else's is disturbed. */
#define TRACEFS_OURS		TRACEFS "/instances/vshare_igt"

void tracefs_write(const char *path, const char *text);
void tracefs_make_ours(void);
void tracefs_remove_ours(int sig);

#endif /* IGT_TRACEFS_H */
