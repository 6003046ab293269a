/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_UNPLUG_H
#define IGT_UNPLUG_H

#include <stdint.h>

#include "igt_vexport.h"
#include "igt_vshare.h"

void unplug(void);
void plug(void);
uint64_t unplug_free_memory(void);
void unplug_drop(struct vexport_bo *bo);
void unplug_run_subtests(const struct vshare_subtest *table, unsigned int count);

#endif /* IGT_UNPLUG_H */
