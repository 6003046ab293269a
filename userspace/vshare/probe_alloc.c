// SPDX-License-Identifier: MIT
/*
 * Buffers of exporters that can be had without knowing their drivers: each DRM driver
 * that has a screen makes dumb buffers, each dma-heap speaks the same ioctl.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#include <xf86drm.h>
#include <drm_mode.h>

#include "cmd.h"
#include "probe_alloc.h"

#define MAX_CARDS	64
#define PAGE		4096u

/* Of 32-bit pixels, so that a line is a page. */
#define DUMB_WIDTH	(PAGE / 4)

static int udmabuf_alloc(uint64_t size)
{
	struct udmabuf_create create = { .size = size };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), memfd, dmabuf = -1;

	if (dev < 0) {
		complain(errno, "cannot open /dev/udmabuf: the kernel needs CONFIG_UDMABUF");
		return -1;
	}
	memfd = memfd_create("vshare-probe", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	create.memfd = memfd;
	if (memfd >= 0 && !ftruncate(memfd, size) && !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		dmabuf = ioctl(dev, UDMABUF_CREATE, &create);
	if (dmabuf < 0)
		complain(errno, "cannot make a udmabuf");
	if (memfd >= 0)
		close(memfd);
	close(dev);
	return dmabuf;
}

static int heap_alloc(const char *name, uint64_t size)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	char path[PATH_MAX];
	int heap, ret;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	heap = open(path, O_RDONLY | O_CLOEXEC);
	if (heap < 0) {
		complain(errno, "cannot open %s", path);
		return -1;
	}
	ret = drmIoctl(heap, DMA_HEAP_IOCTL_ALLOC, &data);
	if (ret)
		complain(errno, "cannot allocate from %s", path);
	close(heap);
	return ret ? -1 : (int)data.fd;
}

static int open_card(const char *driver)
{
	for (int i = 0; i < MAX_CARDS; i++) {
		drmVersionPtr version;
		char path[32];
		bool wanted;
		int card;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		card = open(path, O_RDWR | O_CLOEXEC);
		if (card < 0)
			continue;
		version = drmGetVersion(card);
		wanted = version && !strcmp(version->name, driver);
		drmFreeVersion(version);
		if (wanted)
			return card;
		close(card);
	}
	return -1;
}

static int dumb_alloc(const char *driver, uint64_t size)
{
	struct drm_mode_create_dumb dumb = {
		.width = DUMB_WIDTH, .height = size / PAGE, .bpp = 32,
	};
	int card = open_card(driver), dmabuf = -1;

	if (card < 0) {
		complain(0, "no card in /dev/dri that we may open is of a driver \"%s\"", driver);
		return -1;
	}
	if (drmIoctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		complain(errno, "%s makes no dumb buffer", driver);
	else if (drmPrimeHandleToFD(card, dumb.handle, DRM_CLOEXEC | DRM_RDWR, &dmabuf))
		complain(errno, "%s does not export its buffer", driver);
	/* The dma-buf keeps it. */
	close(card);
	return dmabuf;
}

static int vexport_alloc(uint64_t size, int *mover)
{
	int dmabuf;

	*mover = open_device("vexport", 0);
	if (*mover < 0)
		return -1;
	dmabuf = vshare_vexport_alloc(*mover, &size, DRM_VEXPORT_PLACEMENT_VRAM,
				      DRM_VEXPORT_GEM_MOVING);
	if (dmabuf < 0)
		complain(dmabuf, "cannot create a buffer of vexport");
	return dmabuf < 0 ? -1 : dmabuf;
}

int probe_alloc(const char *from, uint64_t size, int *mover)
{
	size = (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	if (!strcmp(from, "udmabuf"))
		return udmabuf_alloc(size);
	if (!strcmp(from, "vexport"))
		return vexport_alloc(size, mover);
	if (!strncmp(from, "heap:", 5))
		return heap_alloc(from + 5, size);
	if (!strncmp(from, "dumb:", 5))
		return dumb_alloc(from + 5, size);
	complain(0, "--from wants udmabuf, heap:NAME, dumb:DRIVER or vexport, not \"%s\"", from);
	return -1;
}
