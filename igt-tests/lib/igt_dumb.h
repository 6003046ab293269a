/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_DUMB_H
#define IGT_DUMB_H

#include <stdint.h>

#include <drm_mode.h>

char dumb_set(char value);
void dumb_restore(int sig);
int dumb_begin(void);
struct drm_mode_create_dumb dumb_create(int fd, uint32_t width, uint32_t height, uint32_t bpp);
uint64_t *dumb_map(int fd, const struct drm_mode_create_dumb *buffer);
void dumb_destroy(int fd, uint32_t handle);

#endif /* IGT_DUMB_H */
