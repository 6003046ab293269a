// SPDX-License-Identifier: MIT
/*
 * From nothing to a buffer that another device has mapped, and back. Each side is
 * asked in its own way for the same: memory of zeroes, a dma-buf of it, an import
 * in another driver, and an sg table in that driver's hands.
 *
 * Like is compared with like: vgem attaches, pins and maps in the call that imports, so
 * the target is for imports into vimport that do the same. A dynamic import is mapped
 * by a bind, and its figures stand beside that.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>

#include "bench.h"

#define HEAP		"/dev/dma_heap/system"
#define OUR_HEAP	"/dev/dma_heap/vexport"
#define UDMABUF		"/dev/udmabuf"
#define VA		0x100000

struct share {
	uint64_t size;
	/* Where the buffer comes from, and who imports it. */
	int source;
	int importer;
	uint32_t vm;
	struct series series;
};

/* The import of an int dmabuf into share->importer. Closes it, and all that it made. */
typedef int (*import_fn)(struct share *share, int dmabuf);

/* Binding maps the attachment, and unbinding unmaps it. In between it may move. */
static int import_dynamic(struct share *share, int dmabuf)
{
	uint32_t imported;
	int ret;

	ret = vshare_vimport_import_prime(share->importer, dmabuf, &imported);
	if (!ret)
		ret = vshare_vimport_bind(share->importer, share->vm, imported, 0, VA,
					  share->size, 0);
	if (!ret)
		ret = vshare_vimport_unbind(share->importer, share->vm, VA, share->size);
	if (ret)
		return ret;
	close(dmabuf);
	return vshare_handle_close(share->importer, imported);
}

/* Pinned and mapped by the import, until its handle goes. */
static int import_pinned(struct share *share, int dmabuf)
{
	uint32_t imported;
	int ret;

	ret = vshare_vimport_import(share->importer, dmabuf, DRM_VIMPORT_IMPORT_PINNED,
				    &imported);
	if (ret)
		return ret;
	close(dmabuf);
	return vshare_handle_close(share->importer, imported);
}

static int vexport_once(struct share *share, import_fn import)
{
	uint64_t size = share->size;
	uint32_t handle;
	int dmabuf, ret;

	ret = vshare_vexport_create(share->source, &size, DRM_VEXPORT_PLACEMENT_TT,
				    DRM_VEXPORT_GEM_MOVING, &handle);
	if (ret)
		return ret;
	dmabuf = vshare_vexport_export(share->source, handle);
	if (dmabuf < 0)
		return dmabuf;
	ret = import(share, dmabuf);
	return ret ? ret : vshare_handle_close(share->source, handle);
}

/* As import_pinned(): to attach statically is to pin. */
static int import_into_vgem(struct share *share, int dmabuf)
{
	uint32_t imported;

	if (drmPrimeFDToHandle(share->importer, dmabuf, &imported))
		return -errno;
	close(dmabuf);
	return vshare_handle_close(share->importer, imported);
}

static int udmabuf_once(struct share *share, import_fn import)
{
	struct udmabuf_create args = { .size = share->size };
	int dmabuf, ret;

	args.memfd = memfd_create("vshare-bench", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if ((int)args.memfd < 0)
		return -errno;
	if (ftruncate(args.memfd, share->size) || fcntl(args.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;
	dmabuf = ioctl(share->source, UDMABUF_CREATE, &args);
	ret = dmabuf < 0 ? -errno : 0;
	close(args.memfd);
	return ret ? ret : import(share, dmabuf);
}

/* A heap creates and exports in one call. Its dma-buf, or a negative errno. */
static int heap_alloc(struct share *share)
{
	struct dma_heap_allocation_data args = {
		.len = share->size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(share->source, DMA_HEAP_IOCTL_ALLOC, &args) ? -errno : (int)args.fd;
}

static int heap_once(struct share *share, import_fn import)
{
	int dmabuf = heap_alloc(share);

	return dmabuf < 0 ? dmabuf : import(share, dmabuf);
}

static int open_vimport(struct share *share)
{
	if (share->source < 0)
		return share->source;
	share->importer = vshare_device_open("vimport", 0);
	if (share->importer < 0)
		return share->importer;
	return vshare_vimport_vm_create(share->importer, &share->vm);
}

static int open_vexport(struct share *share)
{
	share->source = vshare_device_open("vexport", 0);
	return open_vimport(share);
}

static int open_our_heap(struct share *share)
{
	share->source = open(OUR_HEAP, O_RDWR | O_CLOEXEC);
	return open_vimport(share);
}

static int open_vgem(struct share *share, const char *source)
{
	share->source = open(source, O_RDWR | O_CLOEXEC);
	if (share->source < 0)
		return -errno;
	share->importer = vshare_device_open("vgem", 0);
	return share->importer < 0 ? share->importer : 0;
}

static int open_udmabuf(struct share *share)
{
	return open_vgem(share, UDMABUF);
}

static int open_heap(struct share *share)
{
	return open_vgem(share, HEAP);
}

enum target { NO_TARGET, TARGET, REFERENCE };

static const struct way {
	const char *name;
	int (*open)(struct share *share);
	int (*once)(struct share *share, import_fn import);
	import_fn import;
	const char *wants;
	enum target target;
} ways[] = {
	{ "vexport to vimport, pinned", open_vexport, vexport_once, import_pinned,
	  "vexport and vimport", TARGET },
	{ "vexport heap to vimport, pinned", open_our_heap, heap_once, import_pinned,
	  "vexport and vimport", TARGET },
	{ "vexport to vimport, dynamic", open_vexport, vexport_once, import_dynamic,
	  "vexport and vimport", NO_TARGET },
	{ "vexport heap to vimport, dynamic", open_our_heap, heap_once, import_dynamic,
	  "vexport and vimport", NO_TARGET },
	{ "udmabuf to vgem", open_udmabuf, udmabuf_once, import_into_vgem,
	  UDMABUF " and vgem", REFERENCE },
	{ "system heap to vgem", open_heap, heap_once, import_into_vgem,
	  HEAP " and vgem", REFERENCE },
};

/* What a way has done, and which it is. */
struct run {
	const struct way *way;
	struct share share;
};

static int step_share(struct bench *bench, void *context)
{
	struct run *run = context;
	double start;
	int ret;

	settle();
	start = clock_ns();
	ret = run->way->once(&run->share, run->way->import);
	if (ret)
		return fail(ret, "%s: %llu bytes", run->way->name,
				(unsigned long long)run->share.size);
	series_add(bench, &run->share.series, clock_ns() - start);
	return 0;
}

static unsigned int open_runs(struct run *runs)
{
	unsigned int opened = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		struct run *run = &runs[opened];

		*run = (struct run) { .way = &ways[i],
				      .share = { .source = -1, .importer = -1 } };
		if (ways[i].open(&run->share))
			fail(0, "%s is left out: it wants %s", ways[i].name, ways[i].wants);
		else
			opened++;
	}
	return opened;
}

/* One of ours has a line for each of the others. */
static void report_run(const struct run *runs, unsigned int count, unsigned int i)
{
	const struct share *share = &runs[i].share;
	const struct way *way = runs[i].way;
	unsigned int references = 0;

	for (unsigned int j = 0; j < count && way->target != REFERENCE; j++) {
		if (runs[j].way->target != REFERENCE)
			continue;
		report_ratio(report_add(&share->series, share->size, 1, "%s", way->name),
			     series_ratio(&share->series, &runs[j].share.series, NULL),
			     runs[j].way->name,
			     way->target == TARGET ? BOUND_AT_MOST : BOUND_NONE, 1);
		references++;
	}
	if (!references)
		report_add(&share->series, share->size, 1, "%s", way->name);
}

static int one_size(struct bench *bench, struct run *runs, unsigned int count, uint64_t size)
{
	bench_step steps[ARRAY_SIZE(ways)];
	void *contexts[ARRAY_SIZE(ways)];
	int ret;

	for (unsigned int i = 0; i < count; i++) {
		runs[i].share.size = size;
		steps[i] = step_share;
		contexts[i] = &runs[i];
	}
	ret = bench_run(bench, steps, contexts, count);
	for (unsigned int i = 0; !ret && i < count; i++)
		report_run(runs, count, i);
	for (unsigned int i = 0; i < count; i++)
		series_free(&runs[i].share.series);
	return ret;
}

int bench_share(struct bench *bench)
{
	static const uint64_t sizes[] = { 4 * KIB, 64 * KIB, MIB, 16 * MIB };
	unsigned int count = bench->quick ? 1 : ARRAY_SIZE(sizes), opened;
	struct run runs[ARRAY_SIZE(ways)];
	int ret = 0;

	report_group("create, export, import, map, close");
	opened = open_runs(runs);
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = one_size(bench, runs, opened, sizes[i]);
	while (opened--) {
		close(runs[opened].share.source);
		close(runs[opened].share.importer);
	}
	return ret;
}
