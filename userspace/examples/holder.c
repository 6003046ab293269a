// SPDX-License-Identifier: MIT
/*
 * Allocates a buffer of the driver under test, here of a dma-heap, for `vshare probe
 * --alloc-cmd holder`: prints its process and descriptor, and keeps it until its input
 * ends. With a number behind the path vexport gets a fault of that kind, at each
 * opportunity, so that there is something to be found.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vshare.h"

static int misbehave(int dmabuf, uint32_t kind)
{
	struct drm_vexport_fault fault = {
		.fd = dmabuf,
		.kind = kind,
		.flags = DRM_VEXPORT_FAULT_REPEAT,
		.error = kind < DRM_VEXPORT_FAULT_NOTIFY_PINNED ? ENOSPC : 0,
		.nth = 1,
	};
	int dev = vshare_device_open("vexport", 0);

	return ioctl(dev, DRM_IOCTL_VEXPORT_FAULT, &fault);
}

int main(int argc, char **argv)
{
	struct dma_heap_allocation_data data = { .len = 64 * 1024, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open(argc > 1 ? argv[1] : "/dev/dma_heap/vexport", O_RDWR | O_CLOEXEC);
	char byte;

	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data)) {
		perror("holder: no buffer; give the path of a dma-heap");
		return 1;
	}
	if (argc > 2 && misbehave(data.fd, strtoul(argv[2], NULL, 0))) {
		perror("holder: no fault; load vexport with misbehave=1, and be root");
		return 1;
	}
	printf("%d %d\n", (int)getpid(), (int)data.fd);
	fflush(stdout);
	return read(STDIN_FILENO, &byte, 1) < 0;
}
