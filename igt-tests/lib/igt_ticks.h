/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_TICKS_H
#define IGT_TICKS_H

#include <stdbool.h>

void ticks_start(bool restart);
unsigned int ticks_stop(void);

#endif /* IGT_TICKS_H */
