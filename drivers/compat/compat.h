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

/* Until 7.1 the core may keep an attachment's sg table, from its first map to detach. */
#ifdef VSHARE_HAVE_SGT_CACHE
#define vshare_attachment_is_cached(attach)	(!!(attach)->sgt)
#else
#define vshare_attachment_is_cached(attach)	false
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

/* Older kernels report it without being told that it is supported. */
#ifndef VSHARE_HAVE_GEM_OBJECT_ACTIVE
#define DRM_GEM_OBJECT_ACTIVE		0
#endif

#ifndef VSHARE_HAVE_GPUVM_BO_OBTAIN_LOCKED
#define drm_gpuvm_bo_obtain_locked	drm_gpuvm_bo_obtain
#endif

/* 6.18 wants in a struct what was four parameters. */
#ifndef VSHARE_HAVE_GPUVM_MAP_REQ
#include <drm/drm_gpuvm.h>

struct drm_gpuvm_map_req {
	struct drm_gpuva_op_map map;
};

static inline int vshare_gpuvm_sm_map(struct drm_gpuvm *gpuvm, void *priv,
				      const struct drm_gpuvm_map_req *req)
{
	return drm_gpuvm_sm_map(gpuvm, priv, req->map.va.addr, req->map.va.range,
				req->map.gem.obj, req->map.gem.offset);
}

#define drm_gpuvm_sm_map		vshare_gpuvm_sm_map
#endif

/*
 * Before 6.15 drm_sched_init() wanted all of this one by one, and before 6.17 no
 * job said whose it is. The header comes first, or the macros would rename the
 * prototypes in it.
 */
#if !defined(VSHARE_HAVE_SCHED_INIT_ARGS) || !defined(VSHARE_HAVE_SCHED_CLIENT_ID)
#include <drm/gpu_scheduler.h>
#endif

#ifndef VSHARE_HAVE_SCHED_INIT_ARGS
struct drm_sched_init_args {
	const struct drm_sched_backend_ops *ops;
	struct workqueue_struct *submit_wq;
	struct workqueue_struct *timeout_wq;
	u32 num_rqs;
	u32 credit_limit;
	unsigned int hang_limit;
	long timeout;
	atomic_t *score;
	const char *name;
	struct device *dev;
};

static inline int vshare_sched_init(struct drm_gpu_scheduler *sched,
				    const struct drm_sched_init_args *args)
{
	return drm_sched_init(sched, args->ops, args->submit_wq, args->num_rqs,
			      args->credit_limit, args->hang_limit, args->timeout,
			      args->timeout_wq, args->score, args->name, args->dev);
}

#define drm_sched_init			vshare_sched_init
#endif

#ifndef VSHARE_HAVE_SCHED_CLIENT_ID
static inline int vshare_sched_job_init(struct drm_sched_job *job, struct drm_sched_entity *entity,
					u32 credits, void *owner, u64 drm_client_id)
{
	return drm_sched_job_init(job, entity, credits, owner);
}

#define drm_sched_job_init		vshare_sched_job_init
#endif

#endif /* _VSHARE_COMPAT_H_ */
