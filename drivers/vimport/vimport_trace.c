// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/* sparse reports what the kernel's own headers make of events. */
#ifndef __CHECKER__
#define CREATE_TRACE_POINTS
#include "vimport_trace.h"
#endif
