// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_dumb.h"
#include "vexport_fault.h"
#include "vexport_mmap.h"
#include "vexport_pin.h"
#include "vexport_profile.h"
#include "vexport_quarantine.h"
#include "vexport_request.h"
#include "vexport_revoke.h"
#include "vexport_storage.h"
#include "vexport_ttm.h"
#include "vexport_usage.h"

static void bo_destroy(struct ttm_buffer_object *tbo)
{
	struct vexport_bo *bo = to_vexport_bo(tbo);
	struct vexport_device *vdev = to_vexport_device(tbo->base.dev);

	WARN_ON(!list_empty(&bo->dmabufs) || !list_empty(&bo->left) ||
		!list_empty(&bo->importers));
	drm_gem_object_release(&tbo->base);
	vexport_fault_fini(bo);
	vexport_usage_put(bo->usage);
	if (bo->dummy)
		__free_page(bo->dummy);
	kfree(bo);
	atomic_dec(&vdev->stats.buffers);
}

/**
 * vexport_bo_is_ours - is it a buffer, or the ghost that TTM makes of one?
 * @bo: what TTM gave to a callback
 *
 * The ghost carries the storage of a move until its fence has signalled. It is
 * a bare &struct ttm_buffer_object.
 */
bool vexport_bo_is_ours(struct ttm_buffer_object *bo)
{
	return bo->destroy == bo_destroy;
}

/**
 * vexport_bo_storage_locked - where a buffer is
 * @bo: the buffer
 *
 * Locks: the reservation is held.
 *
 * Return: the storage, borrowed, or NULL if the buffer has no pages now.
 */
struct vexport_storage *vexport_bo_storage_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (bo->base.resource->mem_type == TTM_PL_VRAM)
		return to_vexport_vram_resource(bo->base.resource)->storage;
	return bo->base.ttm ? to_vexport_tt(bo->base.ttm)->storage : NULL;
}

/**
 * vexport_bo_populate_locked - make sure that a buffer has pages
 * @bo: the buffer
 *
 * Locks: the reservation is held.
 *
 * Return: 0, -ENOMEM, -ERESTARTSYS.
 */
int vexport_bo_populate_locked(struct vexport_bo *bo)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };

	dma_resv_assert_held(bo->base.base.resv);

	if (bo->base.resource->mem_type == TTM_PL_VRAM)
		return 0;
	return ttm_bo_populate(&bo->base, &ctx);
}

/**
 * vexport_bo_lock - take the reservation of a buffer
 * @bo: the buffer
 *
 * Return: 0, -ERESTARTSYS.
 */
int vexport_bo_lock(struct vexport_bo *bo)
{
	return ttm_bo_reserve(&bo->base, true, false, NULL);
}

/**
 * vexport_bo_may_spoil - may a client take the buffer away from others, or make it worse?
 * @bo: the buffer
 * @file: client
 *
 * To hold a dma-buf of it is not enough: it is how one shares a buffer with others.
 */
bool vexport_bo_may_spoil(struct vexport_bo *bo, struct drm_file *file)
{
	/* A number that is never used again, unlike the address of a drm_file. */
	return bo->creator == file->client_id || capable(CAP_SYS_ADMIN);
}

/**
 * vexport_bo_next - walk all buffers of a device, oldest first
 * @vdev: device
 * @prev: where the walk is, or NULL to begin
 *
 * Drops the GEM reference to @prev, which may free it. Who leaves the walk
 * before its end drops the reference himself.
 *
 * Return: the next buffer, with a GEM reference, or NULL.
 */
struct vexport_bo *vexport_bo_next(struct vexport_device *vdev, struct vexport_bo *prev)
{
	struct vexport_bo *bo = prev;
	bool found = false;

	/* With a reference to it, @prev has not left the list. */
	spin_lock(&vdev->bos_lock);
	bo = list_prepare_entry(bo, &vdev->bos, node);
	list_for_each_entry_continue(bo, &vdev->bos, node) {
		/* One that nobody has any more is about to leave the list. */
		found = kref_get_unless_zero(&bo->base.base.refcount);
		if (found)
			break;
	}
	spin_unlock(&vdev->bos_lock);

	/* Takes the lock if it is the last reference. */
	if (prev)
		drm_gem_object_put(&prev->base.base);
	return found ? bo : NULL;
}

static void list_bo(struct vexport_device *vdev, struct vexport_bo *bo)
{
	spin_lock(&vdev->bos_lock);
	list_add_tail(&bo->node, &vdev->bos);
	spin_unlock(&vdev->bos_lock);
}

static void unlist_bo(struct vexport_device *vdev, struct vexport_bo *bo)
{
	spin_lock(&vdev->bos_lock);
	list_del(&bo->node);
	spin_unlock(&vdev->bos_lock);
}

static void gem_free(struct drm_gem_object *obj)
{
	struct vexport_bo *bo = gem_to_vexport_bo(obj);

	unlist_bo(to_vexport_device(obj->dev), bo);
	/*
	 * In this order: TTM may evict the buffer between the two, and would put what it
	 * leaves into quarantine for the sake of a table that somebody has left behind.
	 */
	vexport_attachment_forget(bo);
	vexport_quarantine_forget(bo);
	ttm_bo_fini(&bo->base);
}

/*
 * dma_buf_vmap() warns about whatever goes wrong here, so a mere signal must not:
 * no wait is interruptible, and all of them are bounded. Who brings a buffer to a
 * camera that is revoked, or more than may be pinned, does cause that warning, as with
 * any exporter that can say no.
 */
static int gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct vexport_bo *bo = gem_to_vexport_bo(obj);
	struct vexport_storage *storage;
	void *vaddr;
	int ret;

	dma_resv_assert_held(obj->resv);

	ret = vexport_revoke_check_locked(bo);
	if (ret)
		return ret;

	/* Pinned in SYSTEM it would be out of the reach of importers. */
	if (bo->base.resource->mem_type == TTM_PL_SYSTEM) {
		ret = vexport_request_placement_locked(bo, TTM_PL_TT, false);
		if (ret)
			return ret;
	}

	/* The address will name these pages: they stay until gem_vunmap(). */
	ret = vexport_pin_add_locked(bo);
	if (ret)
		return ret;

	/* What the caller will see must have arrived. */
	dma_resv_wait_timeout(obj->resv, DMA_RESV_USAGE_KERNEL, false, MAX_SCHEDULE_TIMEOUT);

	storage = vexport_bo_storage_locked(bo);
	vexport_quarantine_home_locked(bo, storage);
	vaddr = vmap(storage->pages, storage->npages, VM_MAP, PAGE_KERNEL);
	if (!vaddr) {
		vexport_pin_remove_locked(bo);
		return -ENOMEM;
	}

	/* If the buffer is revoked meanwhile, the pages that the address names stay. */
	bo->vmap_storage = vexport_storage_get(storage);
	storage->maps++;
	bo->vmaps++;
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct vexport_bo *bo = gem_to_vexport_bo(obj);
	struct vexport_storage *storage = bo->vmap_storage;

	dma_resv_assert_held(obj->resv);

	vunmap(map->vaddr);
	bo->vmaps--;
	vexport_quarantine_unmapped_locked(bo, storage);
	vexport_storage_put(storage);
	vexport_pin_remove_locked(bo);
	vexport_revoke_let_go_locked(bo);
}

static const struct drm_gem_object_funcs gem_funcs = {
	.free = gem_free,
	.print_info = drm_gem_ttm_print_info,
	.export = vexport_dmabuf_export,
	.vmap = gem_vmap,
	.vunmap = gem_vunmap,
	.mmap = drm_gem_ttm_mmap,
	.vm_ops = &vexport_mmap_vm_ops,
};

static struct vexport_bo *bo_alloc(struct vexport_device *vdev, u64 size, u32 create_flags)
{
	struct vexport_bo *bo;

	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return NULL;

	bo->create_flags = create_flags;
	bo->id = atomic64_inc_return(&vdev->last_id);
	bo->copy_context = dma_fence_context_alloc(1);
	INIT_LIST_HEAD(&bo->dmabufs);
	INIT_LIST_HEAD(&bo->left);
	INIT_LIST_HEAD(&bo->importers);
	init_waitqueue_head(&bo->let_go);
	vexport_profile_init(&bo->profile);
	/* No generation yet has seen a stale write. */
	bo->stale_generation = U64_MAX;
	bo->base.base.funcs = &gem_funcs;
	drm_gem_private_object_init(&vdev->drm, &bo->base.base, size);
	atomic_inc(&vdev->stats.buffers);
	return bo;
}

/* What is in TT has its pages, which are cleared; in SYSTEM it has none yet. */
static struct vexport_bo *create_in(struct vexport_device *vdev, u64 size, u32 placement,
				    u32 create_flags)
{
	struct ttm_place place = { .mem_type = placement };
	struct ttm_placement ttm_placement = { .num_placement = 1, .placement = &place };
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct vexport_bo *bo;
	int ret;

	bo = bo_alloc(vdev, size, create_flags);
	if (!bo)
		return ERR_PTR(-ENOMEM);

	/* Frees the buffer if it fails. */
	ret = ttm_bo_init_reserved(&vdev->ttm, &bo->base, ttm_bo_type_device, &ttm_placement, 0,
				   &ctx, NULL, NULL, bo_destroy);
	if (ret)
		return ERR_PTR(ret);
	ttm_bo_unreserve(&bo->base);
	return bo;
}

/**
 * vexport_bo_create - create a buffer of zeroes
 * @vdev: device
 * @size: bytes, a multiple of the page size
 * @placement: one of enum drm_vexport_placement
 * @create_flags: mask of DRM_VEXPORT_GEM_*
 *
 * Locks: takes the reservation.
 *
 * Return: the buffer, whose GEM reference the caller owns, or an ERR_PTR:
 * -EINVAL, -ENOMEM, -ERESTARTSYS.
 */
struct vexport_bo *vexport_bo_create(struct vexport_device *vdev, u64 size, u32 placement,
				     u32 create_flags)
{
	u32 first = placement == DRM_VEXPORT_PLACEMENT_VRAM ? TTM_PL_SYSTEM : placement;
	struct vexport_bo *bo;
	u64 generation;
	int ret;

	if (!size || !PAGE_ALIGNED(size) || placement > DRM_VEXPORT_PLACEMENT_VRAM)
		return ERR_PTR(-EINVAL);

	/* Can never be: say so before anything is allocated for it. */
	if (size != (size_t)size || size >> PAGE_SHIFT > totalram_pages())
		return ERR_PTR(-ENOMEM);

	/*
	 * If somebody has to go for it, not by TTM: without a ticket it gives up where
	 * others are busy. From SYSTEM, where there is always room, the buffer then moves.
	 */
	bo = create_in(vdev, size, first, create_flags);
	if (bo == ERR_PTR(-ENOMEM) && first != TTM_PL_SYSTEM) {
		first = TTM_PL_SYSTEM;
		bo = create_in(vdev, size, first, create_flags);
	}
	if (IS_ERR(bo))
		return bo;
	list_bo(vdev, bo);

	if (placement != first) {
		ret = vexport_request_move(bo, placement, false, &generation);
		if (ret) {
			drm_gem_object_put(&bo->base.base);
			return ERR_PTR(ret);
		}
	}
	/*
	 * No client knows the buffer yet. TTM does: an eviction that came first
	 * goes uncounted, and there was nobody to miss it.
	 */
	bo->placed = true;
	return bo;
}

/**
 * vexport_bo_give - make a new buffer that of a client
 * @bo: the buffer, before anybody else can know it; the reference goes to the client
 * @file: the client
 * @handle: where its handle goes
 *
 * Return: 0 or -errno, and then the buffer is gone.
 */
int vexport_bo_give(struct vexport_bo *bo, struct drm_file *file, u32 *handle)
{
	int ret;

	bo->creator = file->client_id;
	bo->usage = vexport_usage_get(file->driver_priv);
	ret = drm_gem_handle_create(file, &bo->base.base, handle);
	drm_gem_object_put(&bo->base.base);
	return ret;
}

/**
 * vexport_bo_ioctl_create - DRM_IOCTL_VEXPORT_GEM_CREATE
 * @drm: device
 * @data: &struct drm_vexport_gem_create
 * @file: client
 */
int vexport_bo_ioctl_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_gem_create *args = data;
	struct vexport_bo *bo;
	u64 size = PAGE_ALIGN(args->size);
	int ret;

	if (args->pad || args->flags & ~DRM_VEXPORT_GEM_MOVING || size < args->size)
		return -EINVAL;

	bo = vexport_bo_create(to_vexport_device(drm), size, args->placement, args->flags);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	ret = vexport_bo_give(bo, file, &args->handle);
	if (ret)
		return ret;

	args->size = size;
	return 0;
}

/**
 * vexport_bo_ioctl_mmap_offset - DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET
 * @drm: device
 * @data: &struct drm_vexport_gem_mmap_offset
 * @file: client
 */
int vexport_bo_ioctl_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_gem_mmap_offset *args = data;

	if (args->pad)
		return -EINVAL;
	return vexport_dumb_map_offset(file, drm, args->handle, &args->offset);
}

static void query_locked(struct vexport_bo *bo, struct drm_vexport_bo_query *args)
{
	u64 queued;

	dma_resv_assert_held(bo->base.base.resv);

	vexport_quarantine_check_locked(bo, true);

	args->size = bo->base.base.size;
	args->placement = bo->base.resource->mem_type;
	args->create_flags = bo->create_flags;
	args->dmabufs = list_count_nodes(&bo->dmabufs);
	args->attachments = atomic_read(&bo->attachments);
	args->pins = bo->hard_pins;
	args->maps = bo->maps;
	args->generation = bo->generation;
	args->moves_busy = bo->moves_busy;
	args->evictions = bo->evictions;
	args->notifies = bo->notifies;
	args->stale_moves = bo->stale_moves;
	args->stale_words = bo->stale_words;
	vexport_quarantine_measure_locked(bo, &args->quarantined, &queued);
	args->revoked = bo->revoked;
	args->pad = 0;
	args->moves_touched = bo->moves_touched;
}

/**
 * vexport_bo_ioctl_query - DRM_IOCTL_VEXPORT_BO_QUERY
 * @drm: device
 * @data: &struct drm_vexport_bo_query
 * @file: client
 */
int vexport_bo_ioctl_query(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vexport_bo_query *args = data;
	struct dma_buf *dmabuf;
	struct vexport_bo *bo;
	int ret;

	if (args->flags)
		return -EINVAL;

	dmabuf = vexport_dmabuf_get(drm, args->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	bo = gem_to_vexport_bo(dmabuf->priv);
	ret = vexport_bo_lock(bo);
	if (!ret) {
		query_locked(bo, args);
		dma_resv_unlock(dmabuf->resv);
	}
	dma_buf_put(dmabuf);
	return ret;
}
