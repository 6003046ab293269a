/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_FOREIGN_H
#define IGT_FOREIGN_H

#include <stdbool.h>

/**
 * struct foreign_driver - a driver of the kernel's own that imports without hardware
 */
struct foreign_driver {
	/** @name: Name of the module and of the driver. */
	const char *name;

	/** @has_fences: A client can put fences on what it has imported, as with vgem. */
	bool has_fences;
};

/* The last one has no name. */
extern const struct foreign_driver foreign_drivers[];

int foreign_open(const struct foreign_driver *driver);

#endif /* IGT_FOREIGN_H */
