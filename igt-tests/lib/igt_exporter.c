// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/udmabuf.h>

#include "igt.h"
#include "igt_dumb.h"
#include "igt_exporter.h"
#include "igt_kmod.h"
#include "igt_vshare.h"

/* Pages of a file in memory: they stay where they are for as long as the dma-buf lives. */
static int udmabuf_alloc(const char *driver, uint64_t size)
{
	struct udmabuf_create create = { .size = size };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), memfd, dmabuf;

	igt_require_f(dev >= 0, "Needs a kernel with CONFIG_UDMABUF\n");
	memfd = memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	igt_assert_fd(memfd);
	igt_assert_eq(ftruncate(memfd, size), 0);
	igt_assert_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	create.memfd = memfd;
	dmabuf = ioctl(dev, UDMABUF_CREATE, &create);
	igt_assert_fd(dmabuf);
	close(memfd);
	close(dev);
	return dmabuf;
}

static int heap_alloc(const char *driver, uint64_t size)
{
	return vshare_open_foreign_dmabuf(size);
}

/* Any driver with a screen, or with none, makes dumb buffers. */
static int dumb_alloc(const char *driver, uint64_t size)
{
	struct drm_mode_create_dumb dumb;
	int card, dmabuf;

	if (!igt_kmod_is_loaded(driver))
		igt_kmod_load(driver, NULL);
	card = vshare_open_card(driver);
	igt_require_f(card >= 0, "Needs a device of the module %s\n", driver);
	dumb = dumb_create(card, 1024, size / 4096, 32);
	igt_assert_eq_u64(dumb.size, size);
	dmabuf = prime_handle_to_fd_for_mmap(card, dumb.handle);
	igt_assert_fd(dmabuf);
	/* The buffer lives on in its dma-buf. */
	close(card);
	return dmabuf;
}

const struct foreign_exporter foreign_exporters[] = {
	{ "udmabuf", udmabuf_alloc, NULL, false },
	{ "system-heap", heap_alloc, NULL, true },
	{ "vgem", dumb_alloc, "vgem", false },
	{ "virtio-gpu", dumb_alloc, "virtio_gpu", false },
	{ NULL, NULL, NULL, false },
};

/**
 * foreign_require_overlap - skip where the kernel complains of two maps of one buffer
 * @exporter: who maps
 */
void foreign_require_overlap(const struct foreign_exporter *exporter)
{
	igt_require_f(!exporter->syncs || access("/sys/kernel/debug/dma-api", F_OK),
		      "DMA_API_DEBUG warns of the second map of a buffer of the system heap\n");
}

/**
 * foreign_alloc - a dma-buf of somebody else
 * @exporter: who makes it
 * @size: its size, whole pages
 *
 * Skips the subtest where the kernel, or the machine, has no such exporter.
 */
int foreign_alloc(const struct foreign_exporter *exporter, uint64_t size)
{
	return exporter->alloc(exporter->driver, size);
}
