/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The modules are written in the vocabulary of the newest kernel. This header
 * teaches it to older ones, and is the only place that knows that kernels
 * differ; compat.mk finds out how.
 */
#ifndef _VSHARE_COMPAT_H_
#define _VSHARE_COMPAT_H_

#include <linux/kconfig.h>

/* 7.1 renamed the importer's callback and the function that calls it. */
#ifndef VSHARE_HAVE_INVALIDATE_MAPPINGS
#define invalidate_mappings		move_notify
#define dma_buf_invalidate_mappings	dma_buf_move_notify
#endif

/*
 * Without CONFIG_DMABUF_MOVE_NOTIFY, which 7.1 made unconditional, the core
 * takes a pin around every map of a dynamic importer.
 */
#if !defined(VSHARE_HAVE_INVALIDATE_MAPPINGS) && !IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY)
#define VSHARE_IMPLICIT_PIN		1
#else
#define VSHARE_IMPLICIT_PIN		0
#endif

/* 6.13 wants the namespace as a string. */
#ifdef VSHARE_HAVE_NS_TOKEN
#define VSHARE_NS_DMA_BUF		DMA_BUF
#else
#define VSHARE_NS_DMA_BUF		"DMA_BUF"
#endif

#ifndef VSHARE_HAVE_TTM_BO_FINI
#define ttm_bo_fini			ttm_bo_put
#endif

#ifndef VSHARE_HAVE_TTM_BO_POPULATE
#define ttm_bo_populate(bo, ctx) ({				\
	struct ttm_buffer_object *__bo = (bo);			\
	ttm_tt_populate(__bo->bdev, __bo->ttm, ctx);		\
})
#endif

/* No coherent memory, no DMA32: two bools, flags later. */
#ifdef VSHARE_HAVE_TTM_ALLOC_FLAGS
#define vshare_ttm_device_init(bdev, funcs, dev, mapping, vma) \
	ttm_device_init(bdev, funcs, dev, mapping, vma, 0)
#else
#define vshare_ttm_device_init(bdev, funcs, dev, mapping, vma) \
	ttm_device_init(bdev, funcs, dev, mapping, vma, false, false)
#endif

#ifndef VSHARE_HAVE_GPUVM_BO_OBTAIN_LOCKED
#define drm_gpuvm_bo_obtain_locked	drm_gpuvm_bo_obtain
#endif

#ifndef VSHARE_HAVE_SCHED_STAT_RESET
#define DRM_GPU_SCHED_STAT_RESET	DRM_GPU_SCHED_STAT_NOMINAL
#endif

/*
 * What a timeout handler returns for a job that ends by itself and is to be
 * freed the usual way. Where there is no such answer, the scheduler has taken
 * the job off its list and forgets it, so the handler puts it back, and has the
 * scheduler look again whether it can be freed by now. To be used with
 * drm/gpu_scheduler.h included.
 */
#ifdef VSHARE_HAVE_SCHED_STAT_NO_HANG
#define vshare_sched_no_hang(job)	((void)(job), DRM_GPU_SCHED_STAT_NO_HANG)
#else
#define vshare_sched_no_hang(job)					\
({									\
	struct drm_sched_job *__job = (job);				\
	struct drm_gpu_scheduler *__sched = __job->sched;		\
									\
	spin_lock(&__sched->job_list_lock);				\
	list_add(&__job->list, &__sched->pending_list);			\
	spin_unlock(&__sched->job_list_lock);				\
	drm_sched_wqueue_start(__sched);				\
	DRM_GPU_SCHED_STAT_RESET;					\
})
#endif

#endif /* _VSHARE_COMPAT_H_ */
