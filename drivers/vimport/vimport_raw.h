/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_RAW_H_
#define _VIMPORT_RAW_H_

#include <linux/mutex.h>
#include <linux/xarray.h>

struct drm_device;
struct drm_file;

/**
 * struct vimport_raws - the attachments that a file has made with the RAW ioctl
 */
struct vimport_raws {
	/**
	 * @lock: Makes one operation follow the other. Taken before any lock of an
	 * exporter, the dma_resv included; what is in an attachment is protected
	 * by it, if it does not say otherwise.
	 */
	struct mutex lock;
	/** @by_id: The attachments, by their ids. Protected by @lock. */
	struct xarray by_id;
};

void vimport_raw_open(struct vimport_raws *raws);
void vimport_raw_close(struct vimport_raws *raws);
int vimport_raw_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VIMPORT_RAW_H_ */
