// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_fault.h"
#include "vexport_move.h"

/**
 * DOC: faults
 *
 * What an importer must survive although an exporter in its right mind does not do
 * it: errors that are hardly ever seen, and being told of moves that the pin which the
 * importer holds excludes. Nothing here touches memory, and the exporter's own books
 * are right all the time. An error is given before anything was done; who is told for
 * nothing maps the same pages again.
 *
 * And there are rules that the exporter itself breaks, to see whether a test of
 * exporters notices: at the place where it keeps the rule it asks whether to do
 * so this time.
 *
 * A buffer without faults costs its callbacks the look at a pointer. Attach comes
 * without the reservation, so faults have a lock of their own, which is the innermost.
 */

static bool misbehave;
module_param(misbehave, bool, 0444);
MODULE_PARM_DESC(misbehave, "Let CAP_SYS_ADMIN ask for faults and stalls (default off)");

#define KINDS		(DRM_VEXPORT_FAULT_HASTY_REVOKE + 1)

struct fault {
	/* From one opportunity to the next, if there is to be a next. */
	u64 nth;
	/* Opportunities until it happens, that one included; zero if there is no fault. */
	u64 left;
	u64 fired;
	u32 error;
	bool repeat;
};

/**
 * struct vexport_faults - what is done to the importers of a buffer
 */
struct vexport_faults {
	/** @lock: Protects @kinds. */
	spinlock_t lock;
	/** @kinds: One fault for each of enum drm_vexport_fault_kind. */
	struct fault kinds[KINDS];
};

/**
 * vexport_fault_permit - may the caller have anything that is illegal?
 *
 * Return: 0; -EPERM.
 */
int vexport_fault_permit(void)
{
	return misbehave && capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static bool count_down(struct fault *fault)
{
	if (!fault->left || --fault->left)
		return false;
	if (fault->repeat)
		fault->left = fault->nth;
	fault->fired++;
	return true;
}

static bool fires(struct vexport_bo *bo, enum drm_vexport_fault_kind kind, int *error)
{
	/* Pairs with the cmpxchg() in find_or_create(): the lock is initialised. */
	struct vexport_faults *faults = smp_load_acquire(&bo->faults);
	bool fires;

	if (!faults)
		return false;

	spin_lock(&faults->lock);
	fires = count_down(&faults->kinds[kind]);
	*error = -(int)faults->kinds[kind].error;
	spin_unlock(&faults->lock);
	return fires;
}

/**
 * vexport_fault_error - an importer wants something that can be refused
 * @bo: the buffer
 * @kind: what it wants
 *
 * To be called before anything has been done.
 *
 * Return: 0, or the error to give it.
 */
int vexport_fault_error(struct vexport_bo *bo, enum drm_vexport_fault_kind kind)
{
	int error;

	return fires(bo, kind, &error) ? error : 0;
}

/**
 * vexport_fault_notify_locked - importers could be told of a move that is none
 * @bo: the buffer
 * @kind: on what occasion
 *
 * Locks: the reservation is held.
 */
void vexport_fault_notify_locked(struct vexport_bo *bo, enum drm_vexport_fault_kind kind)
{
	int error;

	dma_resv_assert_held(bo->base.base.resv);

	if (fires(bo, kind, &error))
		vexport_move_notify_locked(bo);
}

/**
 * vexport_fault_breaks - the exporter is about to keep a rule
 * @bo: the buffer
 * @kind: what would break it
 *
 * Return: true if the rule is to be broken this time.
 */
bool vexport_fault_breaks(struct vexport_bo *bo, enum drm_vexport_fault_kind kind)
{
	int error;

	return fires(bo, kind, &error);
}

/**
 * vexport_fault_fini - a buffer goes
 * @bo: the buffer, which nobody has any more
 */
void vexport_fault_fini(struct vexport_bo *bo)
{
	kfree(bo->faults);
}

static struct vexport_faults *find_or_create(struct vexport_bo *bo)
{
	struct vexport_faults *faults, *other;

	/* Pairs with the cmpxchg() below. */
	faults = smp_load_acquire(&bo->faults);
	if (faults)
		return faults;

	faults = kzalloc(sizeof(*faults), GFP_KERNEL);
	if (!faults)
		return NULL;
	spin_lock_init(&faults->lock);

	/* Two calls at a time: the second one uses what the first one made. */
	other = cmpxchg(&bo->faults, NULL, faults);
	if (!other)
		return faults;
	kfree(faults);
	return other;
}

static int query_or_set(struct vexport_bo *bo, struct drm_vexport_fault *args)
{
	struct vexport_faults *faults = find_or_create(bo);
	struct fault *fault;

	if (!faults)
		return -ENOMEM;

	spin_lock(&faults->lock);
	fault = &faults->kinds[args->kind];
	if (!(args->flags & DRM_VEXPORT_FAULT_QUERY)) {
		fault->nth = args->nth;
		fault->left = args->nth;
		fault->error = args->error;
		fault->repeat = args->flags & DRM_VEXPORT_FAULT_REPEAT;
	}
	args->nth = fault->left;
	args->fired = fault->fired;
	spin_unlock(&faults->lock);
	return 0;
}

/*
 * Not the restart codes: without a signal they would reach user space, which says
 * nothing about the importer.
 */
static bool error_is_sane(u32 error)
{
	switch (error) {
	case EPERM:
	case EINTR:
	case EIO:
	case EAGAIN:
	case ENOMEM:
	case EACCES:
	case EBUSY:
	case ENODEV:
	case EINVAL:
	case ENOSPC:
	case EOPNOTSUPP:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static bool args_are_valid(const struct drm_vexport_fault *args)
{
	if (args->kind >= KINDS)
		return false;
	if (args->flags == DRM_VEXPORT_FAULT_QUERY)
		return !args->nth && !args->error;
	if (args->flags & ~DRM_VEXPORT_FAULT_REPEAT)
		return false;
	if (!args->nth)
		return !args->error && !args->flags;
	if (args->kind >= DRM_VEXPORT_FAULT_NOTIFY_PINNED)
		return !args->error;
	return error_is_sane(args->error);
}

/**
 * vexport_fault_ioctl - DRM_IOCTL_VEXPORT_FAULT
 * @drm: device
 * @data: &struct drm_vexport_fault
 * @file: client
 */
int vexport_fault_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_fault *args = data;
	struct dma_buf *dmabuf;
	int ret;

	if (!args_are_valid(args))
		return -EINVAL;
	ret = vexport_fault_permit();
	if (ret)
		return ret;

	dmabuf = vexport_dmabuf_get(drm, args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	if (args->nth)
		add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
	ret = query_or_set(gem_to_vexport_bo(dmabuf->priv), args);
	dma_buf_put(dmabuf);
	return ret;
}
