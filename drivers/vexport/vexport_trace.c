// SPDX-License-Identifier: GPL-2.0-only

/* sparse reports what the kernel's own headers make of events. */
#ifndef __CHECKER__
#define CREATE_TRACE_POINTS
#include "vexport_trace.h"
#endif
