// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/mm.h>

#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>

#include "vexport_bo.h"
#include "vexport_mmap.h"
#include "vexport_storage.h"

/**
 * DOC: CPU mappings
 *
 * TTM does it all: it zaps the mappings of a buffer before it moves, and a fault
 * waits for the reservation and for the move's fence before it maps the new
 * place. But for one thing: ptrace and /proc/PID/mem do not fault. TTM reads the
 * system pages of a buffer for them while the copy into these pages may still
 * be pending, and shows what their last owner left there.
 */

static int access_locked(struct vexport_bo *bo, unsigned long offset, void *buf, int len,
			 bool write)
{
	struct vexport_storage *storage;
	int done, n;
	long ret;

	dma_resv_assert_held(bo->base.base.resv);

	ret = vexport_bo_populate_locked(bo);
	if (ret)
		return ret;

	ret = dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	storage = vexport_bo_storage_locked(bo);
	for (done = 0; done < len; done += n, offset += n) {
		struct page *page = storage->pages[offset >> PAGE_SHIFT];

		n = min_t(int, len - done, PAGE_SIZE - offset_in_page(offset));
		if (write)
			memcpy_to_page(page, offset_in_page(offset), buf + done, n);
		else
			memcpy_from_page(buf + done, page, offset_in_page(offset), n);
	}
	return len;
}

static int vm_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len, int write)
{
	struct vexport_bo *bo = to_vexport_bo(vma->vm_private_data);
	struct drm_gem_object *obj = &bo->base.base;
	unsigned long offset;
	int ret;

	offset = (addr - vma->vm_start) +
		 ((vma->vm_pgoff - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT);
	if (len < 1 || offset > obj->size || len > obj->size - offset)
		return -EIO;

	ret = vexport_bo_lock(bo);
	if (ret)
		return ret;
	ret = access_locked(bo, offset, buf, len, write);
	dma_resv_unlock(obj->resv);
	return ret;
}

/* What happens to a CPU mapping of a buffer. */
const struct vm_operations_struct vexport_mmap_vm_ops = {
	.fault = ttm_bo_vm_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
	.access = vm_access,
};
