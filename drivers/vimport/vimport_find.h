/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_FIND_H_
#define _VIMPORT_FIND_H_

#include <linux/interval_tree.h>
#include <linux/mutex.h>

struct drm_device;
struct drm_file;
struct drm_gem_object;

/**
 * struct vimport_find - the userptr buffers of a file, by their addresses
 */
struct vimport_find {
	/** @lock: Protects what is in @tree, and which buffers are. */
	struct mutex lock;
	/** @tree: The buffers, as &struct vimport_find_node. */
	struct rb_root_cached tree;
	/** @count: How many they are. */
	unsigned int count;
	/** @serial: Last number that was given to a buffer. */
	u64 serial;
};

/**
 * struct vimport_find_node - a userptr buffer that can be found
 */
struct vimport_find_node {
	/** @range: Addresses. In the tree as long as @handles is not zero. */
	struct interval_tree_node range;
	/** @handles: Handles, and calls that are about to make one. */
	unsigned int handles;
	/** @client_id: Of the only file that may have handles. Zero before the first. */
	u64 client_id;
	/** @serial: Age: the lower, the older. Zero before the first handle. */
	u64 serial;
};

void vimport_find_init(struct vimport_find *find);
void vimport_find_fini(struct vimport_find *find);
int vimport_find_open(struct drm_gem_object *obj, struct drm_file *file);
void vimport_find_close(struct drm_gem_object *obj, struct drm_file *file);
int vimport_find_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VIMPORT_FIND_H_ */
