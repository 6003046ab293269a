// SPDX-License-Identifier: MIT
/*
 * Has a vimport GPU write to a buffer and looks at each word, for some time. The buffer
 * is a dma-buf that it inherits, or comes from a dma-heap. With --bug N the GPU's driver
 * misbehaves: N is a mask of DRM_VIMPORT_BUG_*, and 1 ignores that the buffer moves. With
 * --judged it goes on until vexport has seen a move meet it, or a bug, however slow the
 * machine is, so that there is a verdict. That never ends if nobody moves the buffer.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>

#include "vshare.h"

#define VA		0x100000ull
#define HEAP_SIZE	(64 * 1024)
#define SECOND		1000000000ull

static int try(int ret, const char *what)
{
	if (ret < 0)
		errx(2, "%s: %s", what, strerror(-ret));
	return ret;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / (double)SECOND;
}

static int get_buffer(const char *name)
{
	struct dma_heap_allocation_data data = { .len = HEAP_SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap;

	if (*name != '/')
		return atoi(name);
	heap = open(name, O_RDWR | O_CLOEXEC);
	if (heap < 0 || ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		err(2, "%s", name);
	close(heap);
	return data.fd;
}

/* An exporter may be busy, and wants to be asked again. */
static void submit(const struct vshare_job *job, int gpu, uint32_t vm)
{
	int ret, tries = 0;

	while ((ret = vshare_job_submit(job, gpu, vm, 0)) == -EBUSY && tries++ < 1000)
		usleep(1000);
	try(ret, "submit");
}

/* Returns how many words the GPU has written that are not there. */
static size_t write_once(int gpu, uint32_t vm, uint32_t syncobj, int dmabuf, const uint64_t *map,
			 uint64_t size, uint64_t tag)
{
	struct vshare_job *job = vshare_job_new();
	size_t wrong;
	int status;

	vshare_job_tag(job, VA, size / 2, tag);
	vshare_job_delay(job, SECOND / 1000);
	vshare_job_tag(job, VA + size / 2, size / 2, tag);
	vshare_job_signal(job, syncobj, 0);
	submit(job, gpu, vm);
	vshare_job_free(job);
	try(vshare_sync_wait(gpu, syncobj, 0, 60 * SECOND), "wait");
	try(vshare_sync_status(gpu, syncobj, &status), "status");
	try(status, "job");

	try(vshare_dmabuf_begin(dmabuf, false), "begin");
	wrong = vshare_tag_verify(map, size / 16, tag, NULL);
	wrong += vshare_tag_verify(map + size / 16, size / 16, tag, NULL);
	try(vshare_dmabuf_end(dmabuf, false), "end");
	return wrong;
}

/* Has the exporter seen what it is to judge? */
static bool judged(int exporter, int dmabuf, bool bug)
{
	struct drm_vexport_bo_verdict verdict;
	struct drm_vexport_bo_query query;

	try(vshare_vexport_verdict(exporter, dmabuf, 0, &verdict, NULL, 0), "verdict");
	try(vshare_vexport_query(exporter, dmabuf, &query), "query");
	if (bug)
		return verdict.stale_words || verdict.rules & ~verdict.rules_legal;
	return verdict.moves_mapped && query.moves_touched;
}

int main(int argc, char **argv)
{
	uint32_t handle, vm, syncobj, sequence = 0, bugs = 0;
	int gpu, fd, exporter = -1;
	size_t wrong = 0;
	uint64_t size;
	double end;
	void *map;

	if (argc > 2 && !strcmp(argv[1], "--bug")) {
		bugs = strtoul(argv[2], NULL, 0);
		argv += 2;
		argc -= 2;
	}
	if (argc > 1 && !strcmp(argv[1], "--judged")) {
		exporter = try(vshare_device_open("vexport", 0), "vexport");
		argv++;
		argc--;
	}
	if (argc < 2)
		errx(2, "usage: gpu-writer [--bug N] [--judged] FD|HEAP [SECONDS]");
	end = seconds() + (argc > 2 ? atof(argv[2]) : 1);
	fd = get_buffer(argv[1]);
	gpu = try(vshare_device_open("vimport", 0), "vimport");
	if (bugs)
		try(vshare_vimport_misbehave(gpu, bugs), "misbehave");
	try(vshare_dmabuf_size(fd, &size), "size");
	try(vshare_dmabuf_mmap(fd, size, &map), "mmap");
	try(vshare_vimport_import_prime(gpu, fd, &handle), "import");
	try(vshare_vimport_vm_create(gpu, &vm), "vm");
	try(vshare_vimport_bind(gpu, vm, handle, 0, VA, size, 0), "bind");
	if (drmSyncobjCreate(gpu, 0, &syncobj))
		err(2, "syncobj");

	do {
		wrong += write_once(gpu, vm, syncobj, fd, map, size, vshare_tag(0, 0, ++sequence));
	} while (seconds() < end || (exporter >= 0 && !judged(exporter, fd, bugs)));
	printf("gpu-writer: %u jobs, %zu words were lost\n", sequence, wrong);
	return wrong != 0;
}
