/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The buddy allocator was DRM's own before it got a header of this name. Found
 * only if the kernel has no such header, because kbuild searches its own first.
 */
#ifndef _VSHARE_COMPAT_LINUX_GPU_BUDDY_H_
#define _VSHARE_COMPAT_LINUX_GPU_BUDDY_H_

#include <drm/drm_buddy.h>

#define gpu_buddy			drm_buddy
#define gpu_buddy_block			drm_buddy_block
#define gpu_buddy_alloc_blocks		drm_buddy_alloc_blocks
#define gpu_buddy_block_offset		drm_buddy_block_offset
#define gpu_buddy_block_size		drm_buddy_block_size
#define gpu_buddy_fini			drm_buddy_fini
#define gpu_buddy_free_list		drm_buddy_free_list
#define gpu_buddy_init			drm_buddy_init

#endif /* _VSHARE_COMPAT_LINUX_GPU_BUDDY_H_ */
