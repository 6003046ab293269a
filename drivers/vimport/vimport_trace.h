/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vimport

#if !defined(_VIMPORT_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _VIMPORT_TRACE_H_

#include <linux/dma-buf.h>
#include <linux/mmu_notifier.h>
#include <linux/tracepoint.h>

#include "vimport_bo.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"

/*
 * An address space is named by a number of its own, because its id means something
 * in one file only; a job by the number of its submission on this GPU; an import by
 * the inode of its dma-buf, as in fdinfo, debugfs and the events of the exporter.
 *
 *	vimport_job_begin		the engine has taken the job
 *	vimport_job_end			it has let go of it, the fence is going to signal
 *	vimport_gpu_fault		an access met no translation
 *	vimport_tlb_flush		no store through translations of the range is on its way
 *
 *	vimport_invalidate		the exporter has said that the buffer moves
 *	vimport_revalidate		the buffer was mapped anew, for a job
 *
 *	vimport_userptr_invalidate	memory of a process is being taken away, as mmu_notifier
 *					names the event
 *	vimport_userptr_fault		its pages were looked up, or ret says why not
 *	vimport_userptr_retry		they had changed before they could be put to use
 */

#define vimport_trace_device(vm)	dev_name((vm)->base.drm->dev)
#define vimport_trace_bo_device(bo)	dev_name((bo)->base.dev->dev)
#define vimport_trace_dmabuf(bo)	\
	file_inode((bo)->base.import_attach->dmabuf->file)->i_ino

DECLARE_EVENT_CLASS(vimport_job,
		    TP_PROTO(struct vimport_vm *vm, u64 job, u32 cmds, int ret),
		    TP_ARGS(vm, job, cmds, ret),
		    TP_STRUCT__entry(__string(device, vimport_trace_device(vm))
				     __field(u64, vm)
				     __field(u64, job)
				     __field(u32, cmds)
				     __field(int, ret)
				     ),
		    TP_fast_assign(__assign_str(device);
				   __entry->vm = vm->number;
				   __entry->job = job;
				   __entry->cmds = cmds;
				   __entry->ret = ret;
				   ),
		    TP_printk("device=%s vm=%llu job=%llu cmds=%u ret=%d", __get_str(device),
			      __entry->vm, __entry->job, __entry->cmds, __entry->ret)
);

DEFINE_EVENT(vimport_job, vimport_job_begin,
	     TP_PROTO(struct vimport_vm *vm, u64 job, u32 cmds, int ret),
	     TP_ARGS(vm, job, cmds, ret)
);

DEFINE_EVENT(vimport_job, vimport_job_end,
	     TP_PROTO(struct vimport_vm *vm, u64 job, u32 cmds, int ret),
	     TP_ARGS(vm, job, cmds, ret)
);

TRACE_EVENT(vimport_gpu_fault,
	    TP_PROTO(struct vimport_vm *vm, u64 va, bool write),
	    TP_ARGS(vm, va, write),
	    TP_STRUCT__entry(__string(device, vimport_trace_device(vm))
			     __field(u64, vm)
			     __field(u64, va)
			     __field(bool, write)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->vm = vm->number;
			   __entry->va = va;
			   __entry->write = write;
			   ),
	    TP_printk("device=%s vm=%llu va=%#llx write=%u", __get_str(device),
		      __entry->vm, __entry->va, __entry->write)
);

TRACE_EVENT(vimport_tlb_flush,
	    TP_PROTO(struct vimport_vm *vm, u64 va, u64 size),
	    TP_ARGS(vm, va, size),
	    TP_STRUCT__entry(__string(device, vimport_trace_device(vm))
			     __field(u64, vm)
			     __field(u64, va)
			     __field(u64, size)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->vm = vm->number;
			   __entry->va = va;
			   __entry->size = size;
			   ),
	    TP_printk("device=%s vm=%llu va=%#llx size=%llu", __get_str(device), __entry->vm,
		      __entry->va, __entry->size)
);

TRACE_EVENT(vimport_invalidate,
	    TP_PROTO(struct vimport_bo *bo),
	    TP_ARGS(bo),
	    TP_STRUCT__entry(__string(device, vimport_trace_bo_device(bo))
			     __field(u64, dmabuf)
			     __field(u64, generation)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->dmabuf = vimport_trace_dmabuf(bo);
			   __entry->generation = bo->generation;
			   ),
	    TP_printk("device=%s dmabuf=%llu generation=%llu", __get_str(device),
		      __entry->dmabuf, __entry->generation)
);

TRACE_EVENT(vimport_revalidate,
	    TP_PROTO(struct vimport_vm *vm, struct vimport_bo *bo),
	    TP_ARGS(vm, bo),
	    TP_STRUCT__entry(__string(device, vimport_trace_bo_device(bo))
			     __field(u64, vm)
			     __field(u64, dmabuf)
			     __field(u64, generation)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->vm = vm->number;
			   __entry->dmabuf = vimport_trace_dmabuf(bo);
			   __entry->generation = bo->generation;
			   ),
	    TP_printk("device=%s vm=%llu dmabuf=%llu generation=%llu", __get_str(device),
		      __entry->vm, __entry->dmabuf, __entry->generation)
);

TRACE_EVENT(vimport_userptr_invalidate,
	    TP_PROTO(struct vimport_userptr *userptr, const struct mmu_notifier_range *range),
	    TP_ARGS(userptr, range),
	    TP_STRUCT__entry(__string(device, vimport_trace_bo_device(&userptr->base))
			     __field(u64, addr)
			     __field(u64, size)
			     __field(u64, start)
			     __field(u64, end)
			     __field(u32, event)
			     __field(bool, blockable)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->addr = userptr->addr;
			   __entry->size = userptr->base.base.size;
			   __entry->start = range->start;
			   __entry->end = range->end;
			   __entry->event = range->event;
			   __entry->blockable = mmu_notifier_range_blockable(range);
			   ),
	    TP_printk("device=%s addr=%#llx size=%llu start=%#llx end=%#llx event=%u blockable=%u",
		      __get_str(device), __entry->addr, __entry->size, __entry->start,
		      __entry->end, __entry->event, __entry->blockable)
);

TRACE_EVENT(vimport_userptr_fault,
	    TP_PROTO(struct vimport_userptr *userptr, int ret),
	    TP_ARGS(userptr, ret),
	    TP_STRUCT__entry(__string(device, vimport_trace_bo_device(&userptr->base))
			     __field(u64, addr)
			     __field(u64, size)
			     __field(int, ret)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->addr = userptr->addr;
			   __entry->size = userptr->base.base.size;
			   __entry->ret = ret;
			   ),
	    TP_printk("device=%s addr=%#llx size=%llu ret=%d", __get_str(device),
		      __entry->addr, __entry->size, __entry->ret)
);

TRACE_EVENT(vimport_userptr_retry,
	    TP_PROTO(struct vimport_userptr *userptr, struct vimport_vm *vm),
	    TP_ARGS(userptr, vm),
	    TP_STRUCT__entry(__string(device, vimport_trace_bo_device(&userptr->base))
			     __field(u64, vm)
			     __field(u64, addr)
			     ),
	    TP_fast_assign(__assign_str(device);
			   __entry->vm = vm->number;
			   __entry->addr = userptr->addr;
			   ),
	    TP_printk("device=%s vm=%llu addr=%#llx", __get_str(device), __entry->vm,
		      __entry->addr)
);

#endif /* _VIMPORT_TRACE_H_ */

/* Found by the -I that Kbuild gives the one file that creates the tracepoints. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE vimport_trace
#include <trace/define_trace.h>
