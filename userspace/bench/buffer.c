// SPDX-License-Identifier: MIT
/*
 * A buffer of vexport, mapped by as many importers as wanted.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <xf86drm.h>

#include "bench.h"

#define VA		0x100000
#define JOB_TIMEOUT	10000000000ull

static int importer_open(struct buffer *buffer, struct importer *importer)
{
	int ret;

	ret = vshare_vimport_import(buffer->gpu, buffer->dmabuf, 0, &importer->handle);
	if (!ret)
		ret = vshare_vimport_vm_create(buffer->gpu, &importer->vm);
	if (!ret)
		ret = vshare_vimport_bind(buffer->gpu, importer->vm, importer->handle, 0, VA,
					  buffer->size, 0);
	if (!ret && drmSyncobjCreate(buffer->gpu, 0, &importer->done))
		ret = -errno;
	if (ret)
		return ret;

	importer->job = vshare_job_new();
	if (!importer->job)
		return -ENOMEM;
	vshare_job_fill(importer->job, VA, sizeof(uint64_t), 0);
	return vshare_job_signal(importer->job, importer->done, 0);
}

int buffer_open(struct buffer *buffer, uint64_t size, uint32_t placement, unsigned int importers)
{
	int ret;

	memset(buffer, 0, sizeof(*buffer));
	buffer->size = size;
	buffer->gpu = -1;
	buffer->dmabuf = -1;
	buffer->exporter = vshare_device_open("vexport", 0);
	if (buffer->exporter < 0) {
		ret = buffer->exporter;
		goto err_close;
	}

	buffer->dmabuf = vshare_vexport_alloc(buffer->exporter, &buffer->size, placement,
					      DRM_VEXPORT_GEM_MOVING);
	ret = buffer->dmabuf;
	if (ret < 0)
		goto err_close;

	/* Address spaces per file are limited, so each buffer has a file of its own. */
	buffer->gpu = vshare_device_open("vimport", 0);
	ret = buffer->gpu;
	if (ret < 0)
		goto err_close;

	ret = 0;
	while (!ret && buffer->count < importers) {
		ret = importer_open(buffer, &buffer->importers[buffer->count]);
		buffer->count++;
	}
	if (!ret)
		return 0;

err_close:
	buffer_close(buffer);
	return fail(ret, "cannot set up a buffer of %llu bytes with %u importers",
			(unsigned long long)size, importers);
}

/* Closing the GPU's file takes down all that is behind it. */
void buffer_close(struct buffer *buffer)
{
	for (unsigned int i = 0; i < buffer->count; i++)
		vshare_job_free(buffer->importers[i].job);
	if (buffer->gpu >= 0)
		close(buffer->gpu);
	if (buffer->dmabuf >= 0)
		close(buffer->dmabuf);
	if (buffer->exporter >= 0)
		close(buffer->exporter);
	settle();
}

int buffer_map(struct buffer *buffer)
{
	struct drm_vexport_bo_query query;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < buffer->count; i++)
		ret = vshare_job_submit(buffer->importers[i].job, buffer->gpu,
					buffer->importers[i].vm, 0);
	for (i = 0; !ret && i < buffer->count; i++)
		ret = vshare_sync_wait(buffer->gpu, buffer->importers[i].done, 0, JOB_TIMEOUT);
	settle();
	if (!ret)
		ret = vshare_vexport_query(buffer->exporter, buffer->dmabuf, &query);
	if (ret)
		return fail(ret, "the importers cannot map the buffer");
	/* Whoever has not mapped it costs next to nothing: a wrong figure. */
	if (query.maps != buffer->count)
		return fail(-EPROTO, "%u of %u importers have the buffer mapped", query.maps,
				buffer->count);
	return 0;
}

int buffer_move(struct buffer *buffer, uint32_t from, uint32_t to)
{
	if (from == to)
		return vshare_vexport_move(buffer->exporter, buffer->dmabuf, 0,
					   DRM_VEXPORT_MOVE_RELOCATE, NULL);
	return vshare_vexport_move(buffer->exporter, buffer->dmabuf, to, 0, NULL);
}

int buffer_bring(struct buffer *buffer, uint32_t placement)
{
	return vshare_vexport_move(buffer->exporter, buffer->dmabuf, placement, 0, NULL);
}

uint64_t vram_size(void)
{
	int exporter = vshare_device_open("vexport", 0);
	struct drm_vexport_info info = { 0 };

	if (exporter < 0)
		return 0;
	vshare_vexport_info(exporter, &info);
	close(exporter);
	return info.vram_size;
}
