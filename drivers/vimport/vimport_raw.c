// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: raw operations
 *
 * An importer does more than one thing at a time: it attaches, and maps when there
 * is a job, and gives back when there was a move. To see what an exporter makes of
 * one of these, userspace needs them one by one, on behalf of a device of its choice, with
 * the exporter's answer as it is. `vshare probe` is made of this.
 *
 * Neither the engine nor anybody else touches the memory: an attachment that was told of
 * a move, and goes on being mapped, because nobody has asked to unmap it, harms only
 * who waits for it. That is why this takes CAP_SYS_ADMIN, and why closing the
 * file ends it.
 */

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/vimport_drm.h>

#include <linux/capability.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vimport_drv.h"
#include "vimport_raw.h"
#include "vimport_segs.h"
#include "vimport_target.h"

#define MAX_ATTACHMENTS		1024

/* Tables that one attachment can have at a time: two tell whether they are one. */
#define MAX_TABLES		2

struct raw {
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;
	/* With a reference: attach->dev must last until detach. */
	struct device *dev;
	struct sg_table *sgt[MAX_TABLES];
	bool dynamic;
	bool pinned;
	/* Protected by the dma_resv. */
	u32 notifies;
};

/* To tell is all there is to do; the exporter holds its locks. */
static void raw_invalidate(struct dma_buf_attachment *attach)
{
	struct raw *raw = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	raw->notifies++;
}

static const struct dma_buf_attach_ops attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = raw_invalidate,
};

static const struct dma_buf_attach_ops attach_ops_no_p2p = {
	.allow_peer2peer = false,
	.invalidate_mappings = raw_invalidate,
};

static const struct dma_buf_attach_ops *ops_of(u32 flags)
{
	if (!(flags & DRM_VIMPORT_RAW_DYNAMIC))
		return NULL;
	return flags & DRM_VIMPORT_RAW_P2P ? &attach_ops : &attach_ops_no_p2p;
}

/*
 * What the exporter, or the core, says is the result, and no error of the call. If a
 * signal has interrupted it, the call is made again.
 */
static int answer(struct drm_vimport_raw *args, int ret)
{
	if ((ret == -EINTR || ret == -ERESTARTSYS) && signal_pending(current))
		return -ERESTARTSYS;

	args->result = ret;
	return 0;
}

static void observe_locked(struct raw *raw, struct drm_vimport_raw *args)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_assert_held(raw->dmabuf->resv);

	args->notifies = raw->notifies;
	args->peer2peer = raw->attach->peer2peer;
	args->dynamic = dma_buf_is_dynamic(raw->dmabuf);
	args->fences = 0;
	dma_resv_for_each_fence(&cursor, raw->dmabuf->resv, DMA_RESV_USAGE_KERNEL, fence)
		args->fences += !dma_fence_is_signaled(fence);
}

static void detach(struct raw *raw)
{
	dma_buf_detach(raw->dmabuf, raw->attach);
	dma_buf_put(raw->dmabuf);
	put_device(raw->dev);
	kfree(raw);
}

static int attach_op(struct vimport_raws *raws, struct drm_device *drm,
		     struct drm_vimport_raw *args)
{
	struct raw *raw;
	int ret;

	lockdep_assert_held(&raws->lock);

	raw = kzalloc(sizeof(*raw), GFP_KERNEL_ACCOUNT);
	if (!raw)
		return -ENOMEM;

	raw->dynamic = args->flags & DRM_VIMPORT_RAW_DYNAMIC;
	raw->dmabuf = dma_buf_get(args->fd);
	if (IS_ERR(raw->dmabuf)) {
		ret = PTR_ERR(raw->dmabuf);
		goto err_free;
	}

	raw->dev = args->device ? vimport_target_find(u64_to_user_ptr(args->device)) :
				  get_device(drm->dev);
	if (IS_ERR(raw->dev)) {
		ret = PTR_ERR(raw->dev);
		goto err_put_dmabuf;
	}

	/* The id first: an attachment may be a pin, and is not made to be undone. */
	ret = xa_alloc(&raws->by_id, &args->id, raw, XA_LIMIT(1, MAX_ATTACHMENTS),
		       GFP_KERNEL_ACCOUNT);
	if (ret) {
		ret = ret == -EBUSY ? -ENOSPC : ret;
		goto err_put_device;
	}

	raw->attach = dma_buf_dynamic_attach(raw->dmabuf, raw->dev, ops_of(args->flags), raw);
	if (IS_ERR(raw->attach)) {
		ret = answer(args, PTR_ERR(raw->attach));
		xa_erase(&raws->by_id, args->id);
		args->id = 0;
		goto err_put_device;
	}

	dma_resv_lock(raw->dmabuf->resv, NULL);
	observe_locked(raw, args);
	dma_resv_unlock(raw->dmabuf->resv);
	return 0;

err_put_device:
	put_device(raw->dev);
err_put_dmabuf:
	dma_buf_put(raw->dmabuf);
err_free:
	kfree(raw);
	return ret;
}

static int pin_locked(struct raw *raw, struct drm_vimport_raw *args)
{
	int ret;

	dma_resv_assert_held(raw->dmabuf->resv);

	/* Of an importer without a callback the core takes care, and warns of who asks. */
	if (!raw->dynamic || raw->pinned)
		return -EINVAL;

	ret = dma_buf_pin(raw->attach);
	raw->pinned = !ret;
	return answer(args, ret);
}

static int unpin_locked(struct raw *raw)
{
	dma_resv_assert_held(raw->dmabuf->resv);

	if (!raw->pinned)
		return -EINVAL;

	dma_buf_unpin(raw->attach);
	raw->pinned = false;
	return 0;
}

static struct sg_table **table_of(struct raw *raw, u32 flags)
{
	return &raw->sgt[flags & DRM_VIMPORT_RAW_SECOND ? 1 : 0];
}

static int map_locked(struct raw *raw, struct drm_vimport_raw *args)
{
	struct sg_table **table = table_of(raw, args->flags);
	struct sg_table *sgt;
	int ret;

	dma_resv_assert_held(raw->dmabuf->resv);

	if (*table)
		return -EINVAL;
	/*
	 * The core spoils the page pointers of each table that it passes on. An exporter
	 * that hands one out twice would next follow them itself, and the kernel with it.
	 */
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG) && (raw->sgt[0] || raw->sgt[1]))
		return -EOPNOTSUPP;

	sgt = dma_buf_map_attachment(raw->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		ret = answer(args, PTR_ERR(sgt));
		/* Else the call is made again, with the caller's number. */
		if (!ret)
			args->segment_count = 0;
		return ret;
	}
	*table = sgt;
	return 0;
}

static int unmap_locked(struct raw *raw, u32 flags)
{
	struct sg_table **table = table_of(raw, flags);

	dma_resv_assert_held(raw->dmabuf->resv);

	if (!*table)
		return -EINVAL;

	dma_buf_unmap_attachment(raw->attach, *table, DMA_BIDIRECTIONAL);
	*table = NULL;
	return 0;
}

static int op_locked(struct raw *raw, struct drm_vimport_raw *args)
{
	dma_resv_assert_held(raw->dmabuf->resv);

	switch (args->op) {
	case DRM_VIMPORT_RAW_PIN:
		return pin_locked(raw, args);
	case DRM_VIMPORT_RAW_UNPIN:
		return unpin_locked(raw);
	case DRM_VIMPORT_RAW_MAP:
		return map_locked(raw, args);
	case DRM_VIMPORT_RAW_UNMAP:
		return unmap_locked(raw, args->flags);
	case DRM_VIMPORT_RAW_DETACH:
		/* The core would not notice, and the exporter has it for ever. */
		return raw->pinned || raw->sgt[0] || raw->sgt[1] ? -EINVAL : 0;
	default:
		return 0;
	}
}

/* Tables of this file that are the same, or share their entries, beside this one. */
static u32 count_shared(struct vimport_raws *raws, const struct sg_table *sgt)
{
	struct raw *raw;
	unsigned long id;
	u32 count = 0;
	int i;

	lockdep_assert_held(&raws->lock);

	xa_for_each(&raws->by_id, id, raw) {
		for (i = 0; i < MAX_TABLES; i++)
			count += raw->sgt[i] && raw->sgt[i]->sgl == sgt->sgl;
	}
	return count - 1;
}

/* Are the addresses that this device is given those of memory? */
static bool is_physical(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return !domain || domain->type == IOMMU_DOMAIN_IDENTITY;
}

/*
 * The table is ours until we give it back, so it is read, and userspace written to, without
 * the dma_resv: below that a page fault is forbidden.
 */
static int put_table(struct vimport_raws *raws, struct raw *raw, struct drm_vimport_raw *args)
{
	struct drm_vimport_raw_segment __user *out = u64_to_user_ptr(args->segments);
	struct sg_table *sgt = *table_of(raw, args->flags);
	bool physical = is_physical(raw->dev);
	u32 room = args->segment_count;
	struct scatterlist *sg;
	int i;

	lockdep_assert_held(&raws->lock);

	args->pages = sgt->orig_nents;
	args->segment_count = sgt->nents;
	args->shared = count_shared(raws, sgt);
	args->cached = vshare_attachment_is_cached(raw->attach);
	args->unreachable = physical ? 0 : U32_MAX;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		struct drm_vimport_raw_segment segment = {
			.addr = sg_dma_address(sg),
			.size = sg_dma_len(sg),
		};

		if (physical)
			args->unreachable += !vimport_segs_is_reachable(segment.addr, segment.size);
		if (i < room && copy_to_user(&out[i], &segment, sizeof(segment)))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

static int other_op(struct vimport_raws *raws, struct drm_vimport_raw *args)
{
	struct raw *raw = xa_load(&raws->by_id, args->id);
	int ret;

	lockdep_assert_held(&raws->lock);

	if (!raw)
		return -ENOENT;

	ret = dma_resv_lock_interruptible(raw->dmabuf->resv, NULL);
	if (ret)
		return ret == -EINTR ? -ERESTARTSYS : ret;
	ret = op_locked(raw, args);
	observe_locked(raw, args);
	dma_resv_unlock(raw->dmabuf->resv);
	if (ret || args->result)
		return ret;

	if (args->op == DRM_VIMPORT_RAW_MAP)
		return put_table(raws, raw, args);
	if (args->op == DRM_VIMPORT_RAW_DETACH) {
		xa_erase(&raws->by_id, args->id);
		detach(raw);
	}
	return 0;
}

static int check(const struct drm_vimport_raw *args)
{
	bool attach = args->op == DRM_VIMPORT_RAW_ATTACH;
	bool map = args->op == DRM_VIMPORT_RAW_MAP;
	u32 flags = 0;

	if (args->op > DRM_VIMPORT_RAW_QUERY)
		return -EINVAL;

	if (attach)
		flags = DRM_VIMPORT_RAW_DYNAMIC | DRM_VIMPORT_RAW_P2P;
	else if (map || args->op == DRM_VIMPORT_RAW_UNMAP)
		flags = DRM_VIMPORT_RAW_SECOND;
	if (args->flags & ~flags ||
	    (args->flags & (DRM_VIMPORT_RAW_DYNAMIC | DRM_VIMPORT_RAW_P2P)) == DRM_VIMPORT_RAW_P2P)
		return -EINVAL;

	if (attach ? args->id : args->fd || args->device)
		return -EINVAL;
	if (!map && (args->segments || args->segment_count))
		return -EINVAL;
	return 0;
}

/**
 * vimport_raw_ioctl - DRM_IOCTL_VIMPORT_RAW
 * @drm: device
 * @data: &struct drm_vimport_raw
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_raw_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;
	struct vimport_raws *raws = &vfile->raws;
	struct drm_vimport_raw *args = data;
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;

	ret = check(args);
	if (ret)
		return ret;

	args->result = 0;
	args->pages = 0;
	args->notifies = 0;
	args->fences = 0;
	args->peer2peer = 0;
	args->dynamic = 0;
	args->shared = 0;
	args->unreachable = 0;
	args->cached = 0;

	if (mutex_lock_interruptible(&raws->lock))
		return -ERESTARTSYS;
	if (args->op == DRM_VIMPORT_RAW_ATTACH)
		ret = attach_op(raws, drm, args);
	else
		ret = other_op(raws, args);
	mutex_unlock(&raws->lock);
	return ret;
}

/**
 * vimport_raw_open - prepare for attachments
 * @raws: of a new file
 */
void vimport_raw_open(struct vimport_raws *raws)
{
	mutex_init(&raws->lock);
	xa_init_flags(&raws->by_id, XA_FLAGS_ALLOC1);
}

/**
 * vimport_raw_close - undo what a file has left, in the right order
 * @raws: of a file that nobody uses any more
 */
void vimport_raw_close(struct vimport_raws *raws)
{
	struct raw *raw;
	unsigned long id;
	int i;

	xa_for_each(&raws->by_id, id, raw) {
		dma_resv_lock(raw->dmabuf->resv, NULL);
		for (i = 0; i < MAX_TABLES; i++) {
			if (raw->sgt[i])
				unmap_locked(raw, i ? DRM_VIMPORT_RAW_SECOND : 0);
		}
		if (raw->pinned)
			unpin_locked(raw);
		dma_resv_unlock(raw->dmabuf->resv);
		detach(raw);
	}
	xa_destroy(&raws->by_id);
	mutex_destroy(&raws->lock);
}
