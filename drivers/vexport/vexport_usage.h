/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_USAGE_H_
#define _VEXPORT_USAGE_H_

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/types.h>

struct drm_device;
struct drm_file;
struct drm_printer;

/**
 * struct vexport_usage - what the device has done for an open file
 *
 * Buffers and copies hold it, for they may live longer than the file.
 */
struct vexport_usage {
	/** @ref: References. */
	struct kref ref;
	/** @copy_ns: Nanoseconds for which buffers that the file made have been copied. */
	atomic64_t copy_ns;
};

int vexport_usage_open(struct drm_device *drm, struct drm_file *file);
void vexport_usage_close(struct drm_device *drm, struct drm_file *file);
struct vexport_usage *vexport_usage_get(struct vexport_usage *usage);
void vexport_usage_put(struct vexport_usage *usage);
void vexport_usage_copied(struct vexport_usage *usage, u64 since_ns);
void vexport_usage_show(struct drm_printer *p, struct drm_file *file);

#endif /* _VEXPORT_USAGE_H_ */
