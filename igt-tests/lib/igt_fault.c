// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_fault.h"

const int vexport_fault_errors[VEXPORT_FAULT_ERRORS] = {
	EPERM, EINTR, EIO, EAGAIN, ENOMEM, EACCES, EBUSY, ENODEV, EINVAL, ENOSPC, EOPNOTSUPP,
	ETIMEDOUT,
};

int vexport_bug = -1;

static const struct {
	const char *name;
	int kind;
} bugs[] = {
	{ "no-notify", DRM_VEXPORT_FAULT_NO_NOTIFY },
	{ "late-notify", DRM_VEXPORT_FAULT_LATE_NOTIFY },
	{ "no-wait", DRM_VEXPORT_FAULT_NO_WAIT },
	{ "hasty-revoke", DRM_VEXPORT_FAULT_HASTY_REVOKE },
};

/**
 * vexport_bug_set - have the exporter break a rule whenever it could
 * @name: which one
 *
 * Returns: false if there is no such rule.
 */
bool vexport_bug_set(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (!strcmp(name, bugs[i].name)) {
			vexport_bug = bugs[i].kind;
			return true;
		}
	}
	return false;
}

/**
 * vexport_fault_arm - have the importers of a buffer treated as no exporter should
 * @fd: device file of the exporter, loaded with misbehave=1
 * @dmabuf: the buffer
 * @kind: one of enum drm_vexport_fault_kind
 * @error: errno that they get, positive, or zero
 * @nth: which opportunity it is to be
 * @flags: %DRM_VEXPORT_FAULT_REPEAT or zero
 */
void vexport_fault_arm(int fd, int dmabuf, uint32_t kind, int error, uint64_t nth, uint32_t flags)
{
	struct drm_vexport_fault args = {
		.fd = dmabuf,
		.kind = kind,
		.flags = flags,
		.error = error,
		.nth = nth,
	};

	do_ioctl(fd, DRM_IOCTL_VEXPORT_FAULT, &args);
}

void vexport_fault_end(int fd, int dmabuf, uint32_t kind)
{
	vexport_fault_arm(fd, dmabuf, kind, 0, 0, 0);
}

struct drm_vexport_fault vexport_fault_query(int fd, int dmabuf, uint32_t kind)
{
	struct drm_vexport_fault args = {
		.fd = dmabuf,
		.kind = kind,
		.flags = DRM_VEXPORT_FAULT_QUERY,
	};

	do_ioctl(fd, DRM_IOCTL_VEXPORT_FAULT, &args);
	return args;
}
