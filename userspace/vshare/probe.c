// SPDX-License-Identifier: MIT
/*
 * vshare probe: an exporter of somebody else's, rule by rule.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "run.h"

#define DEFAULT_SIZE	(256ull << 10)

/* The exporter's name is only to be had from here. */
static void read_exporter(struct probe *probe)
{
	char line[128];
	FILE *file;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", probe->dmabuf);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "exp_name:%63s", probe->exporter);
	if (file)
		fclose(file);
}

/* Is there an importer, may we use it, and is that a dma-buf? False, having complained. */
static bool open_probe(struct probe *probe)
{
	struct drm_vimport_raw args = { .op = DRM_VIMPORT_RAW_ATTACH };
	int ret;

	probe->gpu = open_device("vimport", 0);
	if (probe->gpu < 0 || !probe_source_open(probe))
		return false;
	read_exporter(probe);
	ret = vshare_dmabuf_size(probe->dmabuf, &probe->size);
	if (ret) {
		complain(ret, "the descriptor is not a dma-buf");
		return false;
	}

	args.fd = probe->dmabuf;
	args.device = (uintptr_t)probe->as;
	ret = vshare_vimport_raw(probe->gpu, &args);
	if (ret == -EPERM)
		complain(0, "single operations of an importer are for root: "
			    "they can hold a buffer for ever");
	else if (ret == -ENODEV)
		complain(0, "there is no device \"%s\" that does DMA: see the names in "
			    "/sys/bus/platform/devices and /sys/bus/pci/devices", probe->as);
	else if (ret == -EINVAL)
		complain(0, "the descriptor is not a dma-buf");
	else if (ret)
		complain(ret, "cannot attach to the buffer");
	if (!ret && !args.result) {
		probe->dynamic = args.dynamic;
		probe_detach(probe, args.id);
	}
	return !ret;
}

static int run_probe(struct probe *probe, bool json)
{
	int status = RUN_TROUBLE;

	if (open_probe(probe)) {
		probe_rest(probe);
		probe_data(probe, PROBE_DATA);
		probe_moves(probe);
		status = probe_report(probe, json);
	}
	probe_source_close(probe);
	return status;
}

static bool good_options(const struct probe_source *source)
{
	int ways = source->has_fd + !!source->alloc_cmd + !!source->from;

	if (ways != 1)
		complain(0, "give one of --fd, --alloc-cmd and --from");
	else if (source->pid && !source->has_fd)
		complain(0, "--pid goes with --fd");
	return ways == 1 && (!source->pid || source->has_fd);
}

int verb_probe(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "pid", required_argument, NULL, 'p' },
		{ "alloc-cmd", required_argument, NULL, 'a' },
		{ "from", required_argument, NULL, 'o' },
		{ "size", required_argument, NULL, 's' },
		{ "move-cmd", required_argument, NULL, 'm' },
		{ "patience", required_argument, NULL, 't' },
		{ "as", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct probe probe = {
		.source = {
			.size = DEFAULT_SIZE,
			.patience = PROBE_PATIENCE,
			.hold = -1,
			.mover = -1,
		},
		.gpu = -1,
		.dmabuf = -1,
		.exporter = "unknown",
	};
	struct probe_source *source = &probe.source;
	bool json = false, good = true;
	int opt;

	while (good && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'f':
			source->has_fd = true;
			good = parse_number("--fd", optarg, 0, INT32_MAX, &source->fd);
			break;
		case 'p':
			good = parse_number("--pid", optarg, 1, INT32_MAX, &source->pid);
			break;
		case 'a':
			source->alloc_cmd = optarg;
			break;
		case 'o':
			source->from = optarg;
			break;
		case 's':
			good = parse_size("--size", optarg, &source->size);
			break;
		case 'm':
			source->move_cmd = optarg;
			break;
		case 't':
			good = parse_number("--patience", optarg, 1, 3600, &source->patience);
			break;
		case 'd':
			probe.as = optarg;
			break;
		case 'j':
			json = true;
			break;
		default:
			good = false;
		}
	}
	if (!good || optind != argc || !good_options(source))
		return usage("probe");
	return run_probe(&probe, json);
}
