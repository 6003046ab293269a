// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_file.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_debugfs.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_quarantine.h"

/**
 * DOC: debugfs
 *
 * Two tables in the device's directory below /sys/kernel/debug/dri, to look at and
 * never to write to: "buffers" and "attachments". A line of column names comes
 * first, then one line for each object, oldest buffer first, with as many words as
 * there are columns.
 *
 * A dma-buf is named by its inode, as in fdinfo of its file descriptors and in
 * the dma-buf core's own bufinfo, so that a program can find its buffers here.
 *
 * Each line is true by itself, because it is made with the reservation of its
 * buffer held. The lines together are not of one moment: buffers move and come
 * and go between two of them.
 */

typedef void (*show_bo_fn)(struct seq_file *m, struct vexport_bo *bo);

static int show_all(struct seq_file *m, show_bo_fn show)
{
	struct drm_debugfs_entry *entry = m->private;
	struct vexport_device *vdev = to_vexport_device(entry->dev);
	struct vexport_bo *bo = NULL;
	int ret;

	while ((bo = vexport_bo_next(vdev, bo))) {
		/* A buffer may be locked for as long as an importer's fences take. */
		ret = vexport_bo_lock(bo);
		if (ret) {
			drm_gem_object_put(&bo->base.base);
			return ret;
		}
		show(m, bo);
		dma_resv_unlock(bo->base.base.resv);
	}
	return 0;
}

static const char *placement_name(u32 placement)
{
	static const char * const names[] = {
		[DRM_VEXPORT_PLACEMENT_SYSTEM] = "system",
		[DRM_VEXPORT_PLACEMENT_TT] = "tt",
		[DRM_VEXPORT_PLACEMENT_VRAM] = "vram",
	};

	return placement < ARRAY_SIZE(names) ? names[placement] : "?";
}

static void show_inodes_locked(struct seq_file *m, struct vexport_bo *bo)
{
	struct vexport_dmabuf *vdmabuf;
	const char *separator = "";

	dma_resv_assert_held(bo->base.base.resv);

	if (list_empty(&bo->dmabufs))
		seq_putc(m, '-');
	list_for_each_entry(vdmabuf, &bo->dmabufs, node) {
		seq_printf(m, "%s%lu", separator, vdmabuf->inode);
		separator = ",";
	}
	seq_putc(m, '\n');
}

static void show_buffer_locked(struct seq_file *m, struct vexport_bo *bo)
{
	u64 draining, queued;

	dma_resv_assert_held(bo->base.base.resv);

	vexport_quarantine_measure_locked(bo, &draining, &queued);
	/* Without a check of the quarantine: who looks must not change what there is. */
	seq_printf(m, "%6llu %12zu %-9s %6s %10llu %11d %4u %4u %10llu %9llu %8llu %11llu %11llu %11llu ",
		   bo->id, bo->base.base.size, placement_name(bo->base.resource->mem_type),
		   bo->create_flags & DRM_VEXPORT_GEM_MOVING ? "moving" : "core",
		   bo->generation, atomic_read(&bo->attachments), bo->hard_pins, bo->maps,
		   bo->moves_busy, bo->evictions, bo->notifies, bo->stale_moves, bo->stale_words,
		   draining);
	show_inodes_locked(m, bo);
}

static int buffers_show(struct seq_file *m, void *data)
{
	seq_printf(m, "%6s %12s %-9s %6s %10s %11s %4s %4s %10s %9s %8s %11s %11s %11s %s\n",
		   "buffer", "size", "placement", "policy", "generation", "attachments", "pins",
		   "maps", "moves-busy", "evictions", "notifies", "stale-moves", "stale-words",
		   "quarantined", "dmabufs");
	return show_all(m, show_buffer_locked);
}

static void show_attachments_locked(struct seq_file *m, struct vexport_bo *bo)
{
	struct dma_buf_attachment *attach;
	struct vexport_attachment *att;
	struct vexport_dmabuf *vdmabuf;

	dma_resv_assert_held(bo->base.base.resv);

	list_for_each_entry(vdmabuf, &bo->dmabufs, node) {
		list_for_each_entry(attach, &vdmabuf->dmabuf->attachments, node) {
			att = attach->priv;
			seq_printf(m, "%6llu %10lu %-7s %-4s %4u %4u %4u %4u %s\n", bo->id,
				   vdmabuf->inode, att->dynamic ? "dynamic" : "static",
				   attach->peer2peer ? "yes" : "no", att->pins, att->maps,
				   att->hard, att->owed, dev_name(attach->dev));
		}
	}
}

static int attachments_show(struct seq_file *m, void *data)
{
	seq_printf(m, "%6s %10s %-7s %-4s %4s %4s %4s %4s %s\n", "buffer", "dmabuf", "kind",
		   "vram", "pins", "maps", "hard", "owed", "importer");
	return show_all(m, show_attachments_locked);
}

static const struct drm_debugfs_info files[] = {
	{ .name = "buffers", .show = buffers_show },
	{ .name = "attachments", .show = attachments_show },
};

/**
 * vexport_debugfs_init - make the tables appear
 * @minor: primary node of the device
 *
 * They disappear when the device is unplugged, which waits for readers.
 */
void vexport_debugfs_init(struct drm_minor *minor)
{
	drm_debugfs_add_files(minor->dev, files, ARRAY_SIZE(files));
}
