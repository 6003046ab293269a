/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_EXPORTER_H
#define IGT_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct foreign_exporter - somebody else who exports dma-bufs
 */
struct foreign_exporter {
	/** @name: What subtests call it. */
	const char *name;

	/** @alloc: A dma-buf of this size, or a skip; @driver as it is here. */
	int (*alloc)(const char *driver, uint64_t size);

	/** @driver: Of which DRM driver, or NULL. */
	const char *driver;

	/** @syncs: Each map is synchronised with the CPU, of which DMA_API_DEBUG wants one. */
	bool syncs;
};

/* The last one has no name. */
extern const struct foreign_exporter foreign_exporters[];

void foreign_require_overlap(const struct foreign_exporter *exporter);
int foreign_alloc(const struct foreign_exporter *exporter, uint64_t size);

#endif /* IGT_EXPORTER_H */
