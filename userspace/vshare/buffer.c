// SPDX-License-Identifier: MIT
/*
 * vshare query and vshare move: one buffer, by an inherited descriptor.
 *
 * Holding the descriptor is all the authority that is needed, but the ioctls
 * go to the device that exported the buffer, so each is asked in turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

/* Returns the device that knows the buffer, having complained if none does. */
static int find_exporter(int fd, struct drm_vexport_bo_query *query)
{
	int count, dev, ret = -EINVAL;

	if (fcntl(fd, F_GETFD) < 0) {
		complain(0, "descriptor %d is not open: redirect it, as in `%d<&N`", fd, fd);
		return -EBADF;
	}
	count = vshare_device_list("vexport", NULL, 0);
	if (count <= 0) {
		complain_no_device("vexport", count);
		return count ? count : -ENODEV;
	}
	for (int i = 0; i < count; i++) {
		dev = open_device("vexport", i);
		if (dev < 0)
			return dev;
		ret = vshare_vexport_query(dev, fd, query);
		if (!ret)
			return dev;
		close(dev);
		if (ret != -EINVAL)
			break;
	}
	if (ret == -EINVAL || ret == -EBADF)
		complain(0, "descriptor %d is not a buffer of vexport", fd);
	else
		complain(ret, "cannot query descriptor %d", fd);
	return ret;
}

int verb_query(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct drm_vexport_bo_query query;
	uint64_t fd = UINT64_MAX;
	bool json = false;
	struct out out;
	int opt, dev;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j')
			json = true;
		else if (opt != 'f' || !parse_number("--fd", optarg, 0, INT32_MAX, &fd))
			return usage("query");
	}
	if (optind != argc || fd == UINT64_MAX)
		return usage("query");
	dev = find_exporter(fd, &query);
	if (dev < 0)
		return EXIT_BAD;
	close(dev);

	out_init(&out, stdout, json);
	out_object(&out, NULL);
	out_u64(&out, "size", query.size);
	out_string(&out, "placement", placement_name(query.placement));
	out_bool(&out, "moving", query.create_flags & DRM_VEXPORT_GEM_MOVING);
	out_u64(&out, "dmabufs", query.dmabufs);
	out_u64(&out, "attachments", query.attachments);
	out_u64(&out, "pins", query.pins);
	out_u64(&out, "maps", query.maps);
	out_u64(&out, "generation", query.generation);
	out_u64(&out, "moves_busy", query.moves_busy);
	out_u64(&out, "evictions", query.evictions);
	out_u64(&out, "notifies", query.notifies);
	out_u64(&out, "stale_moves", query.stale_moves);
	out_u64(&out, "stale_words", query.stale_words);
	out_u64(&out, "quarantined", query.quarantined);
	out_end(&out);
	return query.stale_words ? EXIT_BAD : EXIT_OK;
}

int verb_move(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "async", no_argument, NULL, 'a' },
		{ 0 },
	};
	struct drm_vexport_bo_query query;
	uint32_t placement = 0, flags = 0;
	uint64_t fd = UINT64_MAX, generation;
	const char *to = NULL;
	int opt, dev, ret;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'a')
			flags |= DRM_VEXPORT_MOVE_ASYNC;
		else if (opt == 't')
			to = optarg;
		else if (opt != 'f' || !parse_number("--fd", optarg, 0, INT32_MAX, &fd))
			return usage("move");
	}
	if (optind != argc || fd == UINT64_MAX || !to)
		return usage("move");
	if (!strcmp(to, "relocate"))
		flags |= DRM_VEXPORT_MOVE_RELOCATE;
	else if (!parse_placement("--to", to, &placement))
		return usage("move");

	dev = find_exporter(fd, &query);
	if (dev < 0)
		return EXIT_BAD;
	ret = vshare_vexport_move(dev, fd, placement, flags, &generation);
	close(dev);
	if (ret == -EBUSY)
		complain(0, "the buffer is pinned: an importer needs it where it is");
	else if (ret == -ENOMEM)
		complain(0, "there is no room in %s", to);
	else if (ret)
		complain(ret, "cannot move the buffer");
	else
		printf("generation: %llu\n", (unsigned long long)generation);
	return ret ? EXIT_BAD : EXIT_OK;
}
