/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_SWAP_H
#define IGT_SWAP_H

void swap_start(void);
void swap_stop(int sig);

#endif /* IGT_SWAP_H */
