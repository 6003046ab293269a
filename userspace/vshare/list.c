// SPDX-License-Identifier: MIT
/*
 * vshare list: the devices, their nodes and counters.
 */
#include <getopt.h>
#include <unistd.h>

#include "cmd.h"

#define MAX_DEVICES	64

static void put_device(struct out *out, const struct vshare_device *device)
{
	char version[48];

	snprintf(version, sizeof(version), "%d.%d.%d", device->major, device->minor,
		 device->patch);
	out_string(out, "node", device->node);
	out_string(out, "version", version);
}

static int put_vexport(struct out *out, int dev)
{
	struct drm_vexport_info info;
	int ret;

	ret = vshare_vexport_info(dev, &info);
	if (ret)
		return ret;
	out_bool(out, "implicit_pin", info.caps & DRM_VEXPORT_CAP_IMPLICIT_PIN);
	out_u64(out, "vram_size", info.vram_size);
	out_u64(out, "vram_used", info.vram_used);
	out_u64(out, "moves", info.moves);
	out_u64(out, "evictions", info.evictions);
	out_u64(out, "notifies", info.notifies);
	out_u64(out, "stale_words", info.stale_words);
	out_u64(out, "buffers", info.buffers);
	out_u64(out, "dmabufs", info.dmabufs);
	out_u64(out, "attachments", info.attachments);
	out_u64(out, "maps", info.maps);
	out_u64(out, "storages", info.storages);
	out_u64(out, "fences", info.fences);
	out_u64(out, "pinned", info.pinned);
	out_u64(out, "quarantined", info.quarantined);
	return 0;
}

static int put_vimport(struct out *out, int dev)
{
	struct drm_vimport_info info;
	int ret;

	ret = vshare_vimport_info(dev, &info);
	if (ret)
		return ret;
	out_u64(out, "gpu", info.gpu);
	out_u64(out, "va_bits", info.va_bits);
	out_u64(out, "max_cmds", info.max_cmds);
	out_u64(out, "max_job_ns", info.max_job_ns);
	out_u64(out, "max_job_bytes", info.max_job_bytes);
	out_u64(out, "jobs", info.jobs);
	out_u64(out, "job_errors", info.job_errors);
	out_u64(out, "bytes_written", info.bytes_written);
	out_u64(out, "invalidations", info.invalidations);
	out_u64(out, "revalidations", info.revalidations);
	out_u64(out, "tlb_flushes", info.tlb_flushes);
	out_u64(out, "gpu_faults", info.gpu_faults);
	out_u64(out, "vms", info.vms);
	out_u64(out, "imports", info.imports);
	out_u64(out, "jobs_pending", info.jobs_pending);
	out_u64(out, "userptrs", info.userptrs);
	out_u64(out, "userptr_invalidations", info.userptr_invalidations);
	out_u64(out, "userptr_faults", info.userptr_faults);
	out_u64(out, "userptr_retries", info.userptr_retries);
	out_u64(out, "resets", info.resets);
	out_u64(out, "queues", info.queues);
	out_u64(out, "fences", info.fences);
	return 0;
}

/* Returns how many devices there are, or a negative errno. */
static int put_driver(struct out *out, const char *driver, int (*put)(struct out *out, int dev))
{
	struct vshare_device devices[MAX_DEVICES];
	int count = vshare_device_list(driver, devices, MAX_DEVICES);
	int error = 0;

	out_array(out, driver);
	for (int i = 0; i < count && i < MAX_DEVICES; i++) {
		int dev = vshare_device_open(driver, i);
		int ret = dev < 0 ? dev : 0;

		out_object(out, NULL);
		put_device(out, &devices[i]);
		if (!ret)
			ret = put(out, dev);
		out_end(out);
		if (dev >= 0)
			close(dev);
		if (ret) {
			complain(ret, "cannot read the counters of %s", devices[i].node);
			error = ret;
		}
	}
	out_end(out);
	if (count <= 0)
		complain_no_device(driver, count);
	return error ? error : count;
}

int verb_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int opt, exporters, importers;
	bool json = false;
	struct out out;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j')
			return usage("list");
		json = true;
	}
	if (optind != argc)
		return usage("list");

	out_init(&out, stdout, json);
	out_object(&out, NULL);
	exporters = put_driver(&out, "vexport", put_vexport);
	importers = put_driver(&out, "vimport", put_vimport);
	out_end(&out);

	/* One of the two is enough: the other side may be somebody else's driver. */
	if (exporters < 0 || importers < 0)
		return EXIT_BAD;
	return exporters || importers ? EXIT_OK : EXIT_BAD;
}
