/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _EXPORTER_H_
#define _EXPORTER_H_

#include "vshare.h"

/* As many as the module can have. */
#define MAX_EXPORTERS	8

/* All devices of vexport: a dma-buf does not say which of them has made it. */
struct exporters {
	int devs[MAX_EXPORTERS];
	unsigned int count;
};

/* Returns zero or, having complained, a negative errno. */
int exporters_open(struct exporters *exporters);

/*
 * Returns the device that exported the dma-buf, and what it says of it; -EINVAL if
 * none did, or another negative errno.
 */
int exporters_find(const struct exporters *exporters, int dmabuf,
		   struct drm_vexport_bo_query *query);

#endif /* _EXPORTER_H_ */
