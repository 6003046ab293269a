/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_MOVE_H_
#define _VEXPORT_MOVE_H_

#include <linux/types.h>

struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_resource;
struct vexport_bo;

int vexport_move(struct ttm_buffer_object *tbo, bool evict, struct ttm_operation_ctx *ctx,
		 struct ttm_resource *new_mem, struct ttm_place *hop);
void vexport_move_notify_locked(struct vexport_bo *bo);
int vexport_move_exchange_locked(struct vexport_bo *bo);

#endif /* _VEXPORT_MOVE_H_ */
