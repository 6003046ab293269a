// SPDX-License-Identifier: GPL-2.0-only

#include <linux/slab.h>
#include <linux/timekeeping.h>

#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include "vexport_usage.h"

/**
 * DOC: usage
 *
 * The only work of the device is to copy, and the time that this takes is told as
 * that of an engine, in the keys of Documentation/gpu/drm-usage-stats.rst. It counts
 * for the file that made the buffer, whoever made it move, because the number of a
 * client must not fall, and to take turns with handles it would have to. Copies of
 * a buffer of the heap count for nobody, like its memory.
 */

/**
 * vexport_usage_open - begin to count for a file
 * @drm: device
 * @file: file
 *
 * Return: 0 or -ENOMEM.
 */
int vexport_usage_open(struct drm_device *drm, struct drm_file *file)
{
	struct vexport_usage *usage = kzalloc(sizeof(*usage), GFP_KERNEL_ACCOUNT);

	if (!usage)
		return -ENOMEM;
	kref_init(&usage->ref);
	file->driver_priv = usage;
	return 0;
}

/**
 * vexport_usage_close - the file is gone
 * @drm: device
 * @file: file
 */
void vexport_usage_close(struct drm_device *drm, struct drm_file *file)
{
	vexport_usage_put(file->driver_priv);
}

static void release(struct kref *ref)
{
	kfree(container_of(ref, struct vexport_usage, ref));
}

/**
 * vexport_usage_get - take a reference
 * @usage: usage; may be NULL, of a buffer that no file made
 *
 * Return: @usage.
 */
struct vexport_usage *vexport_usage_get(struct vexport_usage *usage)
{
	if (usage)
		kref_get(&usage->ref);
	return usage;
}

/**
 * vexport_usage_put - drop a reference
 * @usage: usage, or NULL
 */
void vexport_usage_put(struct vexport_usage *usage)
{
	if (usage)
		kref_put(&usage->ref, release);
}

/**
 * vexport_usage_copied - a copy of a buffer is done
 * @usage: of the buffer, or NULL
 * @since_ns: when it began, by ktime_get_ns()
 *
 * In the fence-signalling path.
 */
void vexport_usage_copied(struct vexport_usage *usage, u64 since_ns)
{
	if (usage)
		atomic64_add(ktime_get_ns() - since_ns, &usage->copy_ns);
}

/**
 * vexport_usage_show - tell for how long the device has worked for a client
 * @p: where to print
 * @file: client
 */
void vexport_usage_show(struct drm_printer *p, struct drm_file *file)
{
	struct vexport_usage *usage = file->driver_priv;

	drm_printf(p, "drm-engine-copy:\t%llu ns\n", atomic64_read(&usage->copy_ns));
}
