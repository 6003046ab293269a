// SPDX-License-Identifier: MIT
/*
 * Verdicts: what importers of a buffer have done, and which rules they have broken.
 */
#include <errno.h>

#include <xf86drm.h>

#include "deadline.h"
#include "vshare.h"

static const char * const rule_names[] = {
	"stale-write", "write-after-unmap", "late-unmap", "surplus-unmap", "unmap-direction",
	"detach-mapped", "detach-pinned", "surplus-unpin",
};

int vshare_vexport_verdict(int dev, int dmabuf, uint64_t timeout,
			   struct drm_vexport_bo_verdict *verdict,
			   struct drm_vexport_attachment_info *rows, unsigned int max)
{
	struct drm_vexport_bo_verdict args = {
		.fd = dmabuf,
		.timeout_nsec = deadline(timeout),
		.attachments = (uintptr_t)rows,
		.attachment_count = max,
		.attachment_stride = sizeof(*rows),
	};

	if (drmIoctl(dev, DRM_IOCTL_VEXPORT_BO_VERDICT, &args))
		return -errno;
	*verdict = args;
	return args.attachment_count;
}

const char *vshare_rule_name(unsigned int bit)
{
	return bit < sizeof(rule_names) / sizeof(*rule_names) ? rule_names[bit] : NULL;
}
