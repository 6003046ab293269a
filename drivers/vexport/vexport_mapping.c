// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_drv.h"
#include "vexport_fault.h"
#include "vexport_mapping.h"
#include "vexport_pin.h"
#include "vexport_profile.h"
#include "vexport_quarantine.h"
#include "vexport_revoke.h"
#include "vexport_stall.h"
#include "vexport_storage.h"
#include "vexport_trace.h"
#include "vexport_verdict.h"

static struct vexport_quarantine *to_quarantine(struct vexport_storage *storage)
{
	return &storage->vdev->quarantine;
}

/* How much of a table an importer is not to see. */
enum hide {
	HIDE_NOTHING,
	HIDE_PAGES,
	HIDE_CPU_SIDE,
};

static enum hide what_to_hide_locked(struct dma_buf_attachment *attach,
				     struct vexport_storage *storage)
{
	struct vexport_attachment *att = attach->priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	/* Whoever has not said that he can do without would take the NULL for a page. */
	if (!attach->peer2peer)
		return HIDE_NOTHING;
	if (vexport_profile_acts_locked(att->bo, DRM_VEXPORT_NASTY_PAGELESS))
		return HIDE_CPU_SIDE;
	if (storage->in_vram &&
	    vexport_profile_acts_locked(att->bo, DRM_VEXPORT_NASTY_PAGELESS_VRAM))
		return HIDE_PAGES;
	return HIDE_NOTHING;
}

/*
 * The importer gets a copy, since dma_unmap_sgtable() wants the pages. With
 * CONFIG_DMABUF_DEBUG the core garbles the page links that orig_nents counts, NULL or
 * not, or copies once more; both is undone before unmap_dma_buf is called.
 */
static int strip(struct vexport_mapping *mapping, enum hide hide)
{
	struct scatterlist *from, *to;
	unsigned int i;
	int ret;

	ret = sg_alloc_table(&mapping->sgt, mapping->pages.nents, GFP_KERNEL);
	if (ret)
		return ret;

	to = mapping->sgt.sgl;
	for_each_sgtable_dma_sg(&mapping->pages, from, i) {
		sg_set_page(to, NULL, hide == HIDE_PAGES ? sg_dma_len(from) : 0, 0);
		sg_dma_address(to) = sg_dma_address(from);
		sg_dma_len(to) = sg_dma_len(from);
		to = sg_next(to);
	}
	if (hide == HIDE_CPU_SIDE)
		mapping->sgt.orig_nents = 0;
	mapping->pageless = true;
	return 0;
}

/* With all that the sg table was made of, but not the DMA mapping. */
static void tables_free(struct vexport_mapping *mapping)
{
	if (mapping->pageless) {
		/* By this it knows how much there is to free. */
		mapping->sgt.orig_nents = mapping->pages.nents;
		sg_free_table(&mapping->sgt);
	}
	sg_free_table(&mapping->pages);
}

static struct vexport_mapping *mapping_create_locked(struct dma_buf_attachment *attach,
						     struct vexport_storage *storage,
						     enum dma_data_direction dir)
{
	struct vexport_attachment *att = attach->priv;
	struct vexport_mapping *mapping;
	enum hide hide;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);

	ret = vexport_storage_sg_table(storage, &mapping->pages,
				       vexport_profile_max_segment_locked(attach));
	if (ret)
		goto err_free_mapping;

	ret = dma_map_sgtable(attach->dev, &mapping->pages, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto err_free_sgt;

	hide = what_to_hide_locked(attach, storage);
	if (hide == HIDE_NOTHING) {
		mapping->sgt = mapping->pages;
	} else {
		ret = strip(mapping, hide);
		if (ret)
			goto err_unmap;
	}

	mapping->storage = vexport_storage_get(storage);
	mapping->att = att;
	mapping->dev = attach->dev;
	mapping->dir = dir;
	list_add_tail(&mapping->of_att, &att->tables);
	scoped_guard(mutex, &to_quarantine(storage)->lock)
		list_add_tail(&mapping->of_storage, &storage->mappings);
	return mapping;

err_unmap:
	dma_unmap_sgtable(attach->dev, &mapping->pages, dir, DMA_ATTR_SKIP_CPU_SYNC);
err_free_sgt:
	sg_free_table(&mapping->pages);
err_free_mapping:
	kfree(mapping);
	return ERR_PTR(ret);
}

/*
 * CONFIG_DMABUF_DEBUG scrambles the table for as long as it takes the importer to have
 * it. Of one that it has not given back, or twice, the DMA API must find the pages.
 */
static void restore_pages(struct vexport_mapping *mapping)
{
	struct scatterlist *sg;
	unsigned long page = 0;
	unsigned int i;

	for_each_sgtable_sg(&mapping->pages, sg, i) {
		sg_assign_page(sg, mapping->storage->pages[page]);
		page += sg->length >> PAGE_SHIFT;
	}
}

static void dma_unmap(struct vexport_mapping *mapping)
{
	lockdep_assert_held(&to_quarantine(mapping->storage)->lock);

	if (!mapping->dev)
		return;
	restore_pages(mapping);
	/*
	 * Without the sync, as at map: a bounce buffer would otherwise be
	 * copied back now, over what the buffer's next owner wrote there.
	 */
	dma_unmap_sgtable(mapping->dev, &mapping->pages, mapping->dir, DMA_ATTR_SKIP_CPU_SYNC);
	mapping->dev = NULL;
}

static void mapping_free(struct vexport_mapping *mapping)
{
	lockdep_assert_held(&to_quarantine(mapping->storage)->lock);

	dma_unmap(mapping);
	list_del(&mapping->of_att);
	list_del(&mapping->of_storage);
	tables_free(mapping);
	vexport_storage_put(mapping->storage);
	kfree(mapping);
}

/**
 * vexport_mapping_free_held - storage is not watched any more
 * @of_storage: &vexport_storage.mappings, none of them in an importer's hands; the
 *	caller holds a reference of the storage
 *
 * Locks: &vexport_quarantine.lock is held.
 */
void vexport_mapping_free_held(struct list_head *of_storage)
{
	struct vexport_mapping *mapping, *next;

	list_for_each_entry_safe(mapping, next, of_storage, of_storage)
		mapping_free(mapping);
}

/**
 * vexport_mapping_map - &dma_buf_ops.map_dma_buf
 * @attach: importer
 * @dir: what the device will do
 *
 * What the sg table names is the buffer's place until the importer is told of a
 * move. A copy to there may be pending, as a KERNEL fence.
 *
 * Locks: the reservation is held.
 *
 * Return: an sg table of the importer's own, or an ERR_PTR: -EINVAL if the buffer is
 * pinned where the importer cannot reach it; -ENODEV if it is revoked; -ENOMEM;
 * -ERESTARTSYS; what the buffer's profile says.
 */
struct sg_table *vexport_mapping_map(struct dma_buf_attachment *attach,
				     enum dma_data_direction dir)
{
	struct vexport_attachment *att = attach->priv;
	struct vexport_bo *bo = att->bo;
	struct vexport_mapping *mapping;
	int ret;

	dma_resv_assert_held(bo->base.base.resv);

	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MAP_BEGIN);
	ret = vexport_fault_error(bo, DRM_VEXPORT_FAULT_MAP);
	if (ret)
		return ERR_PTR(ret);

	ret = vexport_revoke_check_locked(bo);
	if (ret)
		return ERR_PTR(ret);

	ret = vexport_profile_begin_map_locked(attach);
	if (ret)
		return ERR_PTR(ret);

	ret = vexport_attachment_make_reachable_locked(bo, true);
	if (ret)
		return ERR_PTR(ret);

	ret = vexport_pin_check_map_locked(att);
	if (ret)
		return ERR_PTR(ret);

	vexport_quarantine_home_locked(bo, vexport_bo_storage_locked(bo));
	mapping = mapping_create_locked(attach, vexport_bo_storage_locked(bo), dir);
	if (IS_ERR(mapping))
		return ERR_CAST(mapping);

	mapping->storage->maps++;
	bo->maps++;
	atomic_inc(&to_vexport_device(bo->base.base.dev)->stats.maps);
	att->maps++;
	att->maps_total++;
	vexport_pin_mapped_locked(att);
	vexport_profile_end_map_locked(attach);
	trace_vexport_map(attach);
	vexport_stall_bo(bo, DRM_VEXPORT_STALL_MAP_END);
	return &mapping->sgt;
}

static struct vexport_mapping *find_locked(struct vexport_attachment *att, struct sg_table *sgt)
{
	struct vexport_mapping *mapping;

	dma_resv_assert_held(att->bo->base.base.resv);

	list_for_each_entry(mapping, &att->tables, of_att) {
		if (&mapping->sgt == sgt)
			return mapping;
	}
	return NULL;
}

/*
 * Of storage that the buffer has left the table is kept, with its DMA mapping, for as
 * long as the storage is watched. One that was @abandoned is kept in any case: who
 * did not say that he has done with it may yet look at it.
 */
static void give_back_locked(struct vexport_mapping *mapping, bool abandoned)
{
	struct vexport_storage *storage = vexport_storage_get(mapping->storage);
	struct vexport_attachment *att = mapping->att;
	struct vexport_bo *bo = att->bo;
	bool keep;

	dma_resv_assert_held(bo->base.base.resv);

	vexport_verdict_unmap_locked(mapping);
	keep = abandoned || vexport_quarantine_watches_locked(bo, storage);
	scoped_guard(mutex, &to_quarantine(storage)->lock) {
		if (keep)
			list_move_tail(&mapping->of_att, &att->held);
		else
			mapping_free(mapping);
	}

	att->maps--;
	bo->maps--;
	atomic_dec(&to_vexport_device(bo->base.base.dev)->stats.maps);
	vexport_quarantine_unmapped_locked(bo, storage);
	vexport_storage_put(storage);
	vexport_revoke_let_go_locked(bo);
}

/**
 * vexport_mapping_unmap - &dma_buf_ops.unmap_dma_buf
 * @attach: importer
 * @sgt: what vexport_mapping_map() returned
 * @dir: what was said there
 *
 * Locks: the reservation is held.
 */
void vexport_mapping_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			   enum dma_data_direction dir)
{
	struct vexport_attachment *att = attach->priv;
	struct vexport_mapping *mapping;

	dma_resv_assert_held(att->bo->base.base.resv);

	mapping = find_locked(att, sgt);
	if (!mapping) {
		vexport_verdict_broken(att, DRM_VEXPORT_RULE_SURPLUS_UNMAP);
		return;
	}
	if (dir != mapping->dir)
		vexport_verdict_broken(att, DRM_VEXPORT_RULE_UNMAP_DIRECTION);
	give_back_locked(mapping, false);
	trace_vexport_unmap(attach);
}

/**
 * vexport_mapping_abandon_locked - an importer goes, and has something mapped
 * @att: its attachment
 *
 * Locks: the reservation is held.
 */
void vexport_mapping_abandon_locked(struct vexport_attachment *att)
{
	struct vexport_mapping *mapping, *next;

	dma_resv_assert_held(att->bo->base.base.resv);

	list_for_each_entry_safe(mapping, next, &att->tables, of_att)
		give_back_locked(mapping, true);
}

/**
 * vexport_mapping_free_abandoned - nobody may look at the tables any more
 * @att: attachment that is gone
 *
 * Locks: &vexport_quarantine.lock is held.
 */
void vexport_mapping_free_abandoned(struct vexport_attachment *att)
{
	struct vexport_mapping *mapping, *next;

	list_for_each_entry_safe(mapping, next, &att->held, of_att)
		mapping_free(mapping);
}

/**
 * vexport_mapping_detach - the importer's device may go
 * @att: attachment that has nothing mapped any more
 *
 * Locks: &vexport_quarantine.lock is held.
 */
void vexport_mapping_detach(struct vexport_attachment *att)
{
	struct vexport_mapping *mapping;

	list_for_each_entry(mapping, &att->held, of_att)
		dma_unmap(mapping);
}
