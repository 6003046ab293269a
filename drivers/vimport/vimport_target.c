// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

#include <linux/device.h>
#include <linux/err.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "vimport_target.h"

#define MAX_NAME	64

/* The buses whose devices modules may look up by name. */
static const struct {
	const char *name;
	const struct bus_type *type;
} buses[] = {
	{ "platform", &platform_bus_type },
#ifdef CONFIG_PCI
	{ "pci", &pci_bus_type },
#endif
};

static struct device *find(const char *name)
{
	const char *slash = strchr(name, '/');
	struct device *dev = NULL;
	int i;

	for (i = 0; i < ARRAY_SIZE(buses) && !dev; i++) {
		size_t len = strlen(buses[i].name);

		if (!slash)
			dev = bus_find_device_by_name(buses[i].type, NULL, name);
		else if (slash - name == len && !strncmp(name, buses[i].name, len))
			dev = bus_find_device_by_name(buses[i].type, NULL, slash + 1);
	}

	return dev;
}

/**
 * vimport_target_find - a device to attach to a dma-buf for
 * @user_name: "bus/name", or just the name
 *
 * Its driver, if it has one, is not asked: an attachment is a matter of the exporter and
 * the DMA layer. What an attachment needs of the device lasts as long as the reference.
 *
 * Return: the device, to be given back with put_device(); -ENODEV if there is none that
 * does DMA; -EINVAL if the name is too long; -EFAULT; -ENOMEM.
 */
struct device *vimport_target_find(const char __user *user_name)
{
	struct device *dev;
	char *name;

	name = strndup_user(user_name, MAX_NAME);
	if (IS_ERR(name))
		return ERR_CAST(name);
	dev = find(name);
	kfree(name);

	/* The DMA layer would warn of a device that it was told nothing about. */
	if (dev && (!dev->dma_mask || !*dev->dma_mask)) {
		put_device(dev);
		dev = NULL;
	}
	return dev ?: ERR_PTR(-ENODEV);
}
