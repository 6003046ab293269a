// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <poll.h>

#include "igt.h"
#include "igt_stall.h"

/* For what happens within milliseconds if nothing is wrong. */
#define ARRIVAL_MS		30000

/**
 * __vexport_stall - stop whoever gets to a step
 * @fd: device file of the exporter
 * @args: as the ioctl wants them
 *
 * Returns zero or -errno.
 */
int __vexport_stall(int fd, struct drm_vexport_stall *args)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_STALL, args) ? -errno : 0;
}

/**
 * vexport_stall - stop the first who gets to a step
 * @fd: device file of the exporter, loaded with misbehave=1
 * @dmabuf: the buffer
 * @point: the step
 *
 * Returns the stall. A child that is forked later has a copy of it.
 */
int vexport_stall(int fd, int dmabuf, enum drm_vexport_stall_point point)
{
	struct drm_vexport_stall args = { .fd = dmabuf, .point = point, .nth = 1 };

	igt_assert_eq(__vexport_stall(fd, &args), 0);
	igt_assert_fd(args.stall_fd);
	return args.stall_fd;
}

struct drm_vexport_stall_status vexport_stall_status(int stall)
{
	struct drm_vexport_stall_status status;

	igt_assert_eq(read(stall, &status, sizeof(status)), sizeof(status));
	return status;
}

/**
 * vexport_stall_wait - wait until somebody has been stopped
 * @stall: the stall
 */
void vexport_stall_wait(int stall)
{
	struct pollfd pollfd = { .fd = stall, .events = POLLIN };
	int ret;

	do {
		ret = poll(&pollfd, 1, ARRIVAL_MS);
	} while (ret < 0 && errno == EINTR);
	igt_assert_f(ret == 1, "Nobody has got to the stall point in %d s\n", ARRIVAL_MS / 1000);
	igt_assert_eq(pollfd.revents, POLLIN);
}

/**
 * vexport_stall_release - let the task go that is stopped
 * @stall: the stall, which is closed
 *
 * Fails if the task was not there any more: then nothing of what was seen since
 * vexport_stall_wait() need have happened while it was.
 */
void vexport_stall_release(int stall)
{
	igt_assert_eq(write(stall, "", 1), 1);
	igt_assert_f(vexport_stall_status(stall).state == DRM_VEXPORT_STALL_RELEASED,
		     "The stall was over before it was released\n");
	close(stall);
}

const char *vexport_stall_point_name(enum drm_vexport_stall_point point)
{
	static const char * const names[] = {
		[DRM_VEXPORT_STALL_MOVE_BEGIN] = "move-begin",
		[DRM_VEXPORT_STALL_MOVE_NOTIFIED] = "move-notified",
		[DRM_VEXPORT_STALL_MOVE_RESERVED] = "move-reserved",
		[DRM_VEXPORT_STALL_MOVE_QUEUED] = "move-queued",
		[DRM_VEXPORT_STALL_MOVE_IDLE] = "move-idle",
		[DRM_VEXPORT_STALL_MOVE_COPIED] = "move-copied",
		[DRM_VEXPORT_STALL_MOVE_DONE] = "move-done",
		[DRM_VEXPORT_STALL_MOVE_RELEASE] = "move-release",
		[DRM_VEXPORT_STALL_REVOKE_MARKED] = "revoke-marked",
		[DRM_VEXPORT_STALL_REVOKE_IDLE] = "revoke-idle",
		[DRM_VEXPORT_STALL_MAP_BEGIN] = "map-begin",
		[DRM_VEXPORT_STALL_MAP_END] = "map-end",
	};

	igt_assert_lt(point, ARRAY_SIZE(names));
	return names[point];
}
