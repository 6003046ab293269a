# SPDX-License-Identifier: GPL-2.0-only
#
# Which form of each kernel interface does the target have? The answer is read
# from its headers, never from its version: stable kernels backport interface
# changes. Included by the modules' Kbuild files; the answers reach compat.h as
# -DVSHARE_HAVE_*.

vshare-have = $(shell grep -qsw -e '$(2)' $(srctree)/include/$(1) && echo -DVSHARE_HAVE_$(3))

vshare-ccflags := $(call vshare-have,linux/dma-buf.h,invalidate_mappings,INVALIDATE_MAPPINGS)
vshare-ccflags += $(call vshare-have,linux/dma-buf.h,bool cache_sgt_mapping,SGT_CACHE)
vshare-ccflags += $(call vshare-have,linux/module.h,import_ns. __stringify,NS_TOKEN)
vshare-ccflags += $(call vshare-have,linux/dma-fence.h,dma_fence_check_and_signal,FENCE_SIGNAL_VOID)
vshare-ccflags += $(call vshare-have,drm/ttm/ttm_bo.h,ttm_bo_fini,TTM_BO_FINI)
vshare-ccflags += $(call vshare-have,drm/ttm/ttm_bo.h,ttm_bo_populate,TTM_BO_POPULATE)
vshare-ccflags += $(call vshare-have,drm/ttm/ttm_device.h,unevictable,TTM_UNEVICTABLE)
vshare-ccflags += $(call vshare-have,drm/ttm/ttm_allocation.h,TTM_ALLOCATION_POOL_USE_DMA_ALLOC,TTM_ALLOC_FLAGS)
vshare-ccflags += $(call vshare-have,drm/drm_gem.h,DRM_GEM_OBJECT_ACTIVE,GEM_OBJECT_ACTIVE)
vshare-ccflags += $(call vshare-have,drm/drm_gpuvm.h,drm_gpuvm_bo_obtain_locked,GPUVM_BO_OBTAIN_LOCKED)
vshare-ccflags += $(call vshare-have,drm/drm_gpuvm.h,struct drm_gpuvm_map_req,GPUVM_MAP_REQ)
vshare-ccflags += $(call vshare-have,drm/gpu_scheduler.h,struct drm_sched_init_args,SCHED_INIT_ARGS)
vshare-ccflags += $(call vshare-have,drm/gpu_scheduler.h,drm_client_id,SCHED_CLIENT_ID)

# Headers that the kernel lacks.
ccflags-y += -I$(src)/../compat
# The uapi headers say "drm.h", as those of libdrm do.
ccflags-y += -I$(src)/../../uapi -I$(srctree)/include/uapi/drm
ccflags-y += $(vshare-ccflags) -include $(src)/../compat/compat.h

# Out of the tree both are modules, whatever the kernel has been configured with.
ifdef KBUILD_EXTMOD
CONFIG_DRM_VEXPORT := m
CONFIG_DRM_VIMPORT := m
endif
