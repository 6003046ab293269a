/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vexport

#if !defined(_VEXPORT_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _VEXPORT_TRACE_H_

#include <linux/dma-buf.h>
#include <linux/tracepoint.h>

#include <drm/drm_device.h>
#include <drm/vexport_drm.h>

#include "vexport_attachment.h"
#include "vexport_bo.h"
#include "vexport_drv.h"

/*
 * A move is told in these events, all of them with the same buffer and generation:
 *
 *	vexport_move_begin	with the reservation held
 *	vexport_move_notify	before each importer that is told
 *	vexport_move_idle	all fences of the buffer have signalled, the copy begins
 *	vexport_move_copied	the new storage has the content
 *	vexport_move_end	the new storage may be used, or ret says what went wrong
 *
 * The generation is the one that the move leads to; if it fails, the next move has
 * it again. A new buffer's way to its first place is generation 0. Between TT and
 * SYSTEM nothing is copied.
 *
 * A copy that was queued, by a move that is no eviction, ends on a worker. If TTM
 * then cannot keep the old storage, the move is taken back, and a second
 * vexport_move_end says so.
 *
 * A revoke is told in these, with the mappings that are held at that moment:
 *
 *	vexport_revoke_begin	the buffer is marked, with the reservation held
 *	vexport_move_notify	before each importer that is told
 *	vexport_revoke_idle	all fences of the buffer have signalled
 *	vexport_revoke_end	all mappings are gone, or time is up, or ret says what went wrong
 *	vexport_revoke_undo	the buffer can be used again
 *
 * A buffer is named by the number that it has in debugfs.
 */

#define vexport_trace_device(vdev)	dev_name((vdev)->drm.dev)
#define vexport_trace_bo_device(bo)	dev_name((bo)->base.base.dev->dev)
#define vexport_trace_bo(attach)	(((struct vexport_attachment *)(attach)->priv)->bo)
#define vexport_trace_at(attach)	vexport_trace_bo_device(vexport_trace_bo(attach))

TRACE_DEFINE_ENUM(DRM_VEXPORT_PLACEMENT_SYSTEM);
TRACE_DEFINE_ENUM(DRM_VEXPORT_PLACEMENT_TT);
TRACE_DEFINE_ENUM(DRM_VEXPORT_PLACEMENT_VRAM);
TRACE_DEFINE_ENUM(DRM_VEXPORT_REVOKE_NONE);
TRACE_DEFINE_ENUM(DRM_VEXPORT_REVOKE_TEMPORARY);
TRACE_DEFINE_ENUM(DRM_VEXPORT_REVOKE_PERMANENT);

#define vexport_trace_placement(placement)				\
	__print_symbolic(placement,					\
			 { DRM_VEXPORT_PLACEMENT_SYSTEM, "system" },	\
			 { DRM_VEXPORT_PLACEMENT_TT, "tt" },		\
			 { DRM_VEXPORT_PLACEMENT_VRAM, "vram" })

TRACE_EVENT(vexport_move_begin,
	    TP_PROTO(struct vexport_bo *bo, u32 to, bool evict),
	    TP_ARGS(bo, to, evict),
	    TP_STRUCT__entry(__string(device, vexport_trace_bo_device(bo))
			     __field(u64, buffer)
			     __field(u64, generation)
			     __field(u64, size)
			     __field(u32, from)
			     __field(u32, to)
			     __field(bool, evict)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->buffer = bo->id;
			   __entry->generation = vexport_bo_next_generation(bo);
			   __entry->size = bo->base.base.size;
			   __entry->from = bo->base.resource->mem_type;
			   __entry->to = to;
			   __entry->evict = evict;
			   ),
	    TP_printk("device=%s buffer=%llu generation=%llu size=%llu from=%s to=%s evict=%u",
		      __get_str(device), __entry->buffer, __entry->generation, __entry->size,
		      vexport_trace_placement(__entry->from),
		      vexport_trace_placement(__entry->to), __entry->evict)
);

TRACE_EVENT(vexport_move_notify,
	    TP_PROTO(struct vexport_bo *bo, struct dma_buf_attachment *attach),
	    TP_ARGS(bo, attach),
	    TP_STRUCT__entry(__string(device, vexport_trace_bo_device(bo))
			     __string(importer, dev_name(attach->dev))
			     __field(u64, buffer)
			     __field(u64, generation)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __assign_str(importer);
			   __entry->buffer = bo->id;
			   __entry->generation = vexport_bo_next_generation(bo);
			   ),
	    TP_printk("device=%s buffer=%llu generation=%llu importer=%s",
		      __get_str(device), __entry->buffer, __entry->generation,
		      __get_str(importer))
);

DECLARE_EVENT_CLASS(vexport_move,
		    TP_PROTO(struct vexport_device *vdev, u64 buffer, u64 generation),
		    TP_ARGS(vdev, buffer, generation),
		    TP_STRUCT__entry(__string(device, vexport_trace_device(vdev))
				     __field(u64, buffer)
				     __field(u64, generation)
				     ),
		    TP_fast_assign(__assign_str(device);
				   __entry->buffer = buffer;
				   __entry->generation = generation;
				   ),
		    TP_printk("device=%s buffer=%llu generation=%llu", __get_str(device),
			      __entry->buffer, __entry->generation)
);

DEFINE_EVENT(vexport_move, vexport_move_idle,
	     TP_PROTO(struct vexport_device *vdev, u64 buffer, u64 generation),
	     TP_ARGS(vdev, buffer, generation)
);

DEFINE_EVENT(vexport_move, vexport_move_copied,
	     TP_PROTO(struct vexport_device *vdev, u64 buffer, u64 generation),
	     TP_ARGS(vdev, buffer, generation)
);

TRACE_EVENT(vexport_move_end,
	    TP_PROTO(struct vexport_device *vdev, u64 buffer, u64 generation, int ret),
	    TP_ARGS(vdev, buffer, generation, ret),
	    TP_STRUCT__entry(__string(device, vexport_trace_device(vdev))
			     __field(u64, buffer)
			     __field(u64, generation)
			     __field(int, ret)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->buffer = buffer;
			   __entry->generation = generation;
			   __entry->ret = ret;
			   ),
	    TP_printk("device=%s buffer=%llu generation=%llu ret=%d", __get_str(device),
		      __entry->buffer, __entry->generation, __entry->ret)
);

/* The counts are the attachment's, after the call. */
DECLARE_EVENT_CLASS(vexport_attachment,
		    TP_PROTO(struct dma_buf_attachment *attach),
		    TP_ARGS(attach),
		    TP_STRUCT__entry(__string(device, vexport_trace_at(attach))
				     __string(importer, dev_name(attach->dev))
				     __field(u64, buffer)
				     __field(u64, generation)
				     __field(u32, pins)
				     __field(u32, maps)
				     __field(u32, hard)
				     ),
		    TP_fast_assign(struct vexport_attachment *att = attach->priv;

				   __assign_str(device);
				   __assign_str(importer);
				   __entry->buffer = att->bo->id;
				   __entry->generation = att->bo->generation;
				   __entry->pins = att->pins;
				   __entry->maps = att->maps;
				   __entry->hard = att->hard;
				   ),
		    TP_printk("device=%s buffer=%llu generation=%llu importer=%s pins=%u maps=%u hard=%u",
			      __get_str(device), __entry->buffer, __entry->generation,
			      __get_str(importer), __entry->pins, __entry->maps, __entry->hard)
);

DEFINE_EVENT(vexport_attachment, vexport_pin,
	     TP_PROTO(struct dma_buf_attachment *attach),
	     TP_ARGS(attach)
);

DEFINE_EVENT(vexport_attachment, vexport_unpin,
	     TP_PROTO(struct dma_buf_attachment *attach),
	     TP_ARGS(attach)
);

DEFINE_EVENT(vexport_attachment, vexport_map,
	     TP_PROTO(struct dma_buf_attachment *attach),
	     TP_ARGS(attach)
);

DEFINE_EVENT(vexport_attachment, vexport_unmap,
	     TP_PROTO(struct dma_buf_attachment *attach),
	     TP_ARGS(attach)
);

#define vexport_trace_revoke_state(state)				\
	__print_symbolic(state,						\
			 { DRM_VEXPORT_REVOKE_NONE, "none" },		\
			 { DRM_VEXPORT_REVOKE_TEMPORARY, "temporary" },	\
			 { DRM_VEXPORT_REVOKE_PERMANENT, "permanent" })

/* The state is the one that the buffer is in. */
DECLARE_EVENT_CLASS(vexport_revoke,
		    TP_PROTO(struct vexport_bo *bo, int ret),
		    TP_ARGS(bo, ret),
		    TP_STRUCT__entry(__string(device, vexport_trace_bo_device(bo))
				     __field(u64, buffer)
				     __field(u32, state)
				     __field(u32, maps)
				     __field(int, ret)
				     ),
		    TP_fast_assign(__assign_str(device);
				   __entry->buffer = bo->id;
				   __entry->state = READ_ONCE(bo->revoked);
				   __entry->maps = READ_ONCE(bo->maps) + READ_ONCE(bo->vmaps);
				   __entry->ret = ret;
				   ),
		    TP_printk("device=%s buffer=%llu state=%s maps=%u ret=%d",
			      __get_str(device), __entry->buffer,
			      vexport_trace_revoke_state(__entry->state), __entry->maps,
			      __entry->ret)
);

DEFINE_EVENT(vexport_revoke, vexport_revoke_begin,
	     TP_PROTO(struct vexport_bo *bo, int ret),
	     TP_ARGS(bo, ret)
);

DEFINE_EVENT(vexport_revoke, vexport_revoke_idle,
	     TP_PROTO(struct vexport_bo *bo, int ret),
	     TP_ARGS(bo, ret)
);

DEFINE_EVENT(vexport_revoke, vexport_revoke_end,
	     TP_PROTO(struct vexport_bo *bo, int ret),
	     TP_ARGS(bo, ret)
);

DEFINE_EVENT(vexport_revoke, vexport_revoke_undo,
	     TP_PROTO(struct vexport_bo *bo, int ret),
	     TP_ARGS(bo, ret)
);

/* The generation is the one that lived in the storage. */
TRACE_EVENT(vexport_stale,
	    TP_PROTO(struct vexport_bo *bo, u64 generation, u64 words),
	    TP_ARGS(bo, generation, words),
	    TP_STRUCT__entry(__string(device, vexport_trace_bo_device(bo))
			     __field(u64, buffer)
			     __field(u64, generation)
			     __field(u64, words)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->buffer = bo->id;
			   __entry->generation = generation;
			   __entry->words = words;
			   ),
	    TP_printk("device=%s buffer=%llu generation=%llu words=%llu", __get_str(device),
		      __entry->buffer, __entry->generation, __entry->words)
);

#endif /* _VEXPORT_TRACE_H_ */

/* Found by the -I that Kbuild gives the one file that creates the tracepoints. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE vexport_trace
#include <trace/define_trace.h>
