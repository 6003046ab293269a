// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_foreign.h"
#include "igt_kmod.h"
#include "igt_vshare.h"

const struct foreign_driver foreign_drivers[] = {
	{ "vgem", true },
	{ "vkms", false },
	{ NULL, false },
};

/**
 * foreign_open - open a driver that imports
 * @driver: the driver
 *
 * Skips the subtest where the kernel has not got it.
 */
int foreign_open(const struct foreign_driver *driver)
{
	int fd;

	if (!igt_kmod_is_loaded(driver->name))
		igt_kmod_load(driver->name, NULL);
	fd = vshare_open_card(driver->name);
	igt_require_f(fd >= 0, "Needs the module %s, a static importer\n", driver->name);
	return fd;
}
