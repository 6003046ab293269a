// SPDX-License-Identifier: MIT
/*
 * A GPU and a CPU that see one memory: each finds what the other has written. An
 * exporter whose tables name anything else is found out here, whatever they look like.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xf86drm.h>

#include "probe.h"

#define BASE_VA		0x100000ull
#define JOB_NS		(20 * NSEC_PER_SEC)

/* Not more than one job may do. */
#define MAX_BYTES	(4ull << 20)

struct eye {
	struct probe *probe;
	enum probe_rule rule;
	uint64_t size;
	uint64_t *map;
	uint32_t handle;
	uint32_t vm;
	uint32_t sequence;
	uint64_t checksum;
	struct vshare_job *job;
};

static bool untested(struct eye *eye, int error, const char *what)
{
	probe_say(eye->probe, eye->rule, PROBE_UNTESTED, "%s: %s", what, strerror(-error));
	return false;
}

static int run_job(struct eye *eye)
{
	int gpu = eye->probe->gpu, status = 0, ret;
	uint32_t syncobj;

	if (drmSyncobjCreate(gpu, 0, &syncobj))
		return -errno;
	vshare_job_signal(eye->job, syncobj, 0);
	ret = vshare_job_submit(eye->job, gpu, eye->vm, 0);
	if (!ret)
		ret = vshare_sync_wait(gpu, syncobj, 0, JOB_NS);
	if (!ret)
		ret = vshare_sync_status(gpu, syncobj, &status);
	drmSyncobjDestroy(gpu, syncobj);
	vshare_job_reset(eye->job);
	if (!ret && status < 0)
		ret = status;
	return ret;
}

/* The GPU writes, the CPU looks. */
static bool look_at_gpu(struct eye *eye, const char *when)
{
	struct vshare_tag_diff diff;
	uint64_t tag = vshare_tag(1, 1, ++eye->sequence);
	size_t bad;
	int ret;

	vshare_job_tag(eye->job, BASE_VA, eye->size, tag);
	ret = run_job(eye);
	if (ret)
		return untested(eye, ret, "the GPU cannot write");
	vshare_dmabuf_begin(eye->probe->dmabuf, false);
	bad = vshare_tag_verify(eye->map, eye->size / 8, tag, &diff);
	vshare_dmabuf_end(eye->probe->dmabuf, false);
	if (bad)
		probe_say(eye->probe, eye->rule, PROBE_BROKEN,
			  "%s a CPU misses %zu words of a GPU, the first at %zu", when, bad,
			  diff.index * 8);
	return !bad;
}

static void write_by_cpu(struct eye *eye)
{
	uint64_t tag = vshare_tag(2, 1, ++eye->sequence);

	vshare_dmabuf_begin(eye->probe->dmabuf, true);
	for (size_t i = 0; i < eye->size / 8; i++)
		eye->map[i] = tag + i;
	eye->checksum = vshare_checksum_tag(VSHARE_CHECKSUM_INIT, eye->size / 8 - 1, tag);
	vshare_dmabuf_end(eye->probe->dmabuf, true);
}

/* The CPU has written, the GPU adds up all but the last word, and puts the sum there. */
static bool look_at_cpu(struct eye *eye, const char *when)
{
	uint64_t last = eye->size - 8, found;
	int ret;

	vshare_job_checksum(eye->job, BASE_VA + last, BASE_VA, last);
	ret = run_job(eye);
	if (ret)
		return untested(eye, ret, "the GPU cannot read");
	vshare_dmabuf_begin(eye->probe->dmabuf, false);
	found = eye->map[last / 8];
	vshare_dmabuf_end(eye->probe->dmabuf, false);
	if (found != eye->checksum)
		probe_say(eye->probe, eye->rule, PROBE_BROKEN, "%s a GPU misses words of a CPU",
			  when);
	return found == eye->checksum;
}

static void look(struct eye *eye)
{
	if (eye->rule == PROBE_DATA) {
		write_by_cpu(eye);
		if (look_at_cpu(eye, "at rest") && look_at_gpu(eye, "at rest"))
			probe_say(eye->probe, eye->rule, PROBE_HELD, "in both directions");
		return;
	}

	/* The GPU has it mapped when it moves, and what the CPU wrote must be there after it. */
	if (!look_at_gpu(eye, "before a move"))
		return;
	write_by_cpu(eye);
	if (!probe_source_move(eye->probe))
		probe_say(eye->probe, eye->rule, PROBE_UNTESTED,
			  "the buffer is not moved while a GPU has it mapped");
	else if (look_at_cpu(eye, "after a move") && look_at_gpu(eye, "after a move"))
		probe_say(eye->probe, eye->rule, PROBE_HELD, "in both directions");
}

static bool open_eye(struct eye *eye)
{
	int gpu = eye->probe->gpu, ret;

	ret = vshare_dmabuf_mmap(eye->probe->dmabuf, eye->size, (void **)&eye->map);
	if (ret)
		return untested(eye, ret, "a CPU cannot map it");
	ret = vshare_vimport_import(gpu, eye->probe->dmabuf, 0, &eye->handle);
	if (ret)
		return untested(eye, ret, "a GPU cannot import it");
	ret = vshare_vimport_vm_create(gpu, &eye->vm);
	if (!ret)
		ret = vshare_vimport_bind(gpu, eye->vm, eye->handle, 0, BASE_VA, eye->size, 0);
	if (ret)
		return untested(eye, ret, "a GPU cannot map it");
	eye->job = vshare_job_new();
	return eye->job || untested(eye, -ENOMEM, "no job");
}

void probe_data(struct probe *probe, enum probe_rule rule)
{
	struct eye eye = {
		.probe = probe,
		.rule = rule,
		.size = probe->size < MAX_BYTES ? probe->size & ~(PROBE_PAGE - 1) : MAX_BYTES,
	};

	if (!eye.size)
		probe_say(probe, rule, PROBE_UNTESTED, "it is smaller than a page");
	else if (open_eye(&eye))
		look(&eye);
	vshare_job_free(eye.job);
	if (eye.vm)
		vshare_vimport_vm_destroy(probe->gpu, eye.vm);
	if (eye.handle)
		vshare_handle_close(probe->gpu, eye.handle);
	if (eye.map)
		munmap(eye.map, eye.size);
}
