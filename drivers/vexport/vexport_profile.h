/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_PROFILE_H_
#define _VEXPORT_PROFILE_H_

#include <linux/ktime.h>
#include <linux/types.h>
#include <linux/workqueue_types.h>

#include <drm/vexport_drm.h>

struct dma_buf;
struct dma_buf_attachment;
struct drm_device;
struct drm_file;
struct vexport_bo;
struct vexport_device;
struct vexport_storage;

/**
 * struct vexport_profile - how difficult a buffer is
 *
 * Protected by the reservation.
 */
struct vexport_profile {
	/** @nasty: Mask of DRM_VEXPORT_NASTY_*. Written with WRITE_ONCE(). */
	u32 nasty;
	/** @map_delay_us: By how much MAP_SLOW delays a map. */
	u32 map_delay_us;
	/** @slow_after: Until then MAP_SLOW delays nobody. */
	ktime_t slow_after;
	/** @max_segment: Largest segment with FRAGMENTED, in bytes. */
	u32 max_segment;
	/** @every: What n of every n-th map is. */
	u32 every;
	/** @maps: Calls of map since the profile was set, refused ones too. */
	u64 maps;
	/** @in_vram: Of these, since MAP_TO_TT acted last, those that found it in VRAM. */
	u64 in_vram;
	/** @acted: How often each bit has acted, by its number. */
	u64 acted[ARRAY_SIZE(((struct drm_vexport_bo_profile *)NULL)->acted)];
	/** @spurious_work: Tells importers of a move that there is not. */
	struct work_struct spurious_work;
	/** @spurious: What keeps the buffer until that has been done; NULL if it has. */
	struct dma_buf *spurious;
};

int vexport_profile_init_device(struct vexport_device *vdev);
void vexport_profile_init(struct vexport_profile *profile);
bool vexport_profile_acts_locked(struct vexport_bo *bo, u32 bit);
int vexport_profile_check_attach(struct dma_buf_attachment *attach);
int vexport_profile_begin_map_locked(struct dma_buf_attachment *attach);
void vexport_profile_end_map_locked(struct dma_buf_attachment *attach);
int vexport_profile_place_locked(struct vexport_bo *bo, bool interruptible);
size_t vexport_profile_max_segment_locked(struct dma_buf_attachment *attach);
bool vexport_profile_is_contiguous_locked(struct vexport_bo *bo);
void vexport_profile_arrange_locked(struct vexport_bo *bo, struct vexport_storage *storage);
int vexport_profile_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* _VEXPORT_PROFILE_H_ */
