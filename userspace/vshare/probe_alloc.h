/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _PROBE_ALLOC_H_
#define _PROBE_ALLOC_H_

#include <stdint.h>

/*
 * Makes a dma-buf: "udmabuf", "heap:NAME", "dumb:DRIVER" or "vexport". If we know how to
 * move it, *mover is the device to ask. Returns the descriptor or -1, having complained.
 */
int probe_alloc(const char *from, uint64_t size, int *mover);

#endif /* _PROBE_ALLOC_H_ */
