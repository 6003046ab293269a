/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_TTM_H_
#define _VEXPORT_TTM_H_

#include <drm/ttm/ttm_tt.h>

struct vexport_bo;
struct vexport_device;
struct vexport_storage;

/**
 * struct vexport_tt - a buffer's system pages
 */
struct vexport_tt {
	/** @base: TTM's part; its page array is the storage's, if there is one. */
	struct ttm_tt base;
	/** @storage: The pages, one reference; NULL while unpopulated. */
	struct vexport_storage *storage;
	/** @bo: Whose pages; to be looked at only when they are allocated. */
	struct vexport_bo *bo;
};

/**
 * to_vexport_tt - our part of a &struct ttm_tt
 * @tt: embedded ttm_tt
 */
static inline struct vexport_tt *to_vexport_tt(struct ttm_tt *tt)
{
	return container_of(tt, struct vexport_tt, base);
}

int vexport_ttm_init(struct vexport_device *vdev);
void vexport_ttm_set_storage_locked(struct vexport_bo *bo, struct vexport_storage *storage);

#endif /* _VEXPORT_TTM_H_ */
