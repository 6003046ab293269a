// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: find
 *
 * "Which buffer covers these addresses?" cannot be asked of the interval tree of the MMU
 * notifiers. What it returns may be freed by whoever removes it at the same time; and
 * while an invalidation is under way, it puts insertions and removals off, so it has
 * buffers that are gone and lacks those that are there. Hence a tree of our own for each
 * file, with a lock of its own.
 *
 * A buffer is in the tree from its first handle to its last, and each of these holds a
 * reference. So what is found under the lock can be given a reference under the lock,
 * and then a handle, which is what the caller gets: not a name that may have come to mean
 * something else, but a hold on the buffer.
 *
 * Such a handle is counted before it exists::
 *
 *   FIND                                 GEM_CLOSE of the only handle
 *
 *   lock
 *   found, handles = 2
 *   unlock
 *                                        lock
 *                                        handles = 1: stays in the tree
 *                                        unlock
 *   handle created, handles = 2
 *   handles = 1
 *   [whoever asks next finds it]
 *
 * Otherwise somebody who asks in between would be told that there is no such buffer,
 * though FIND, which is about to return it, has come first.
 */

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/vimport_drm.h>

#include <linux/cleanup.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "vimport_drv.h"
#include "vimport_find.h"
#include "vimport_userptr.h"

/* Handles to userptr buffers cost kernel memory, and time when the file is closed. */
#define MAX_RANGES	131072

static struct vimport_find *to_find(struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;

	return &vfile->find;
}

static struct vimport_userptr *to_userptr(struct interval_tree_node *node)
{
	return container_of(node, struct vimport_userptr, find.range);
}

/**
 * vimport_find_init - prepare an empty tree
 * @find: tree
 */
void vimport_find_init(struct vimport_find *find)
{
	mutex_init(&find->lock);
	find->tree = RB_ROOT_CACHED;
}

/**
 * vimport_find_fini - undo vimport_find_init()
 * @find: tree of a file whose handles are gone
 */
void vimport_find_fini(struct vimport_find *find)
{
	WARN_ON(find->count);
	mutex_destroy(&find->lock);
}

/**
 * vimport_find_open - a userptr buffer gets a handle
 * @obj: buffer
 * @file: file
 *
 * Return: 0; -EPERM if the buffer is another file's; -ENOSPC if the file has too many.
 */
int vimport_find_open(struct drm_gem_object *obj, struct drm_file *file)
{
	struct vimport_userptr *userptr = to_vimport_userptr(obj);
	struct vimport_find_node *node = &userptr->find;
	struct vimport_find *find = to_find(file);

	/* By a global name (GEM_OPEN) it might come to another file, with another tree. */
	if (node->client_id && node->client_id != file->client_id)
		return -EPERM;

	guard(mutex)(&find->lock);
	if (node->handles) {
		node->handles++;
		return 0;
	}

	if (find->count >= MAX_RANGES)
		return -ENOSPC;

	if (!node->serial)
		node->serial = ++find->serial;
	node->client_id = file->client_id;
	node->range.start = userptr->addr;
	node->range.last = userptr->addr + obj->size - 1;
	interval_tree_insert(&node->range, &find->tree);
	node->handles = 1;
	find->count++;
	return 0;
}

/**
 * vimport_find_close - a userptr buffer loses a handle
 * @obj: buffer
 * @file: file
 */
void vimport_find_close(struct drm_gem_object *obj, struct drm_file *file)
{
	struct vimport_find_node *node = &to_vimport_userptr(obj)->find;
	struct vimport_find *find = to_find(file);

	guard(mutex)(&find->lock);
	if (--node->handles)
		return;

	interval_tree_remove(&node->range, &find->tree);
	find->count--;
}

/* Is @a, which covers the range as well, the better answer? */
static bool is_better(const struct vimport_userptr *a, const struct vimport_userptr *b)
{
	if (!b || a->base.base.size != b->base.base.size)
		return !b || a->base.base.size < b->base.base.size;
	return a->find.serial < b->find.serial;
}

/*
 * A file may have been given to another process, to which these addresses mean something
 * else. Each buffer holds the structure that names its memory, so that one cannot
 * come again as another process's.
 */
static struct vimport_userptr *lookup(struct vimport_find *find, unsigned long start,
				      unsigned long last, bool readonly)
{
	struct vimport_userptr *best = NULL;
	struct interval_tree_node *node;

	lockdep_assert_held(&find->lock);

	for (node = interval_tree_iter_first(&find->tree, start, start); node;
	     node = interval_tree_iter_next(node, start, start)) {
		struct vimport_userptr *userptr = to_userptr(node);

		if (node->last >= last && userptr->mm == current->mm &&
		    (readonly || !userptr->base.readonly) && is_better(userptr, best))
			best = userptr;
	}

	return best;
}

/**
 * vimport_find_ioctl - DRM_IOCTL_VIMPORT_USERPTR_FIND
 * @drm: device
 * @data: &struct drm_vimport_userptr_find
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_find_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vimport_userptr_find *args = data;
	struct vimport_find *find = to_find(file);
	struct vimport_userptr *userptr;
	u64 last;
	int ret;

	if (args->flags & ~DRM_VIMPORT_USERPTR_READONLY || !args->size ||
	    check_add_overflow(args->addr, args->size - 1, &last))
		return -EINVAL;
	/* No buffer is there on a machine that has no such addresses. */
	if (last > ULONG_MAX)
		return -ENOENT;

	scoped_guard(mutex, &find->lock) {
		userptr = lookup(find, args->addr, last,
				 args->flags & DRM_VIMPORT_USERPTR_READONLY);
		if (userptr) {
			userptr->find.handles++;
			drm_gem_object_get(&userptr->base.base);
		}
	}
	if (!userptr)
		return -ENOENT;

	ret = drm_gem_handle_create(file, &userptr->base.base, &args->handle);
	if (!ret)
		args->offset = args->addr - userptr->addr;

	vimport_find_close(&userptr->base.base, file);
	drm_gem_object_put(&userptr->base.base);
	return ret;
}
