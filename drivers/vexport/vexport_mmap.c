// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/mm.h>

#include <drm/drm_drv.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>

#include "vexport_bo.h"
#include "vexport_mmap.h"
#include "vexport_revoke.h"
#include "vexport_storage.h"

/**
 * DOC: CPU mappings
 *
 * TTM does most of it: it zaps the mappings of a buffer before it moves, and a
 * fault waits for the reservation and for the move's fence before it maps the
 * new place, %TTM_BO_VM_NUM_PREFAULT pages at a time.
 *
 * It does not know of a revoke, after which a fault gives SIGBUS. A fault must find
 * that out under the reservation that it maps pages under, or it would put back what
 * a revoke has just zapped.
 *
 * ptrace and /proc/PID/mem do not fault, and what TTM does for them is not enough:
 *
 * - it reads the system pages of a buffer while the copy into them may still be
 *   pending, and shows what their last owner left there;
 * - it is asked for more bytes than the mapping has left, and goes on in the
 *   buffer, where the caller meant what is mapped behind it;
 * - it writes through a mapping that must not be written to, and so to a buffer
 *   of which the process has but a descriptor for reading;
 * - it gives up when a signal comes, and the caller, who cannot know why and has
 *   no way to try again, sees memory that cannot be read.
 *
 * When the device is unplugged all mappings are zapped. Whoever goes on using one
 * must not get SIGBUS for that, not even if the buffer is revoked: it reads and
 * writes a page that stands for the whole buffer, and knows from the ioctls that the
 * data is gone. TTM would take a new page for each mapping and keep it for as long as
 * the device has users, so a client that maps, touches and unmaps a dma-buf could
 * have all memory.
 */

/* What is seen in place of a buffer whose device is gone. Freed with the buffer. */
static struct page *dummy_page_locked(struct vexport_bo *bo)
{
	dma_resv_assert_held(bo->base.base.resv);

	if (!bo->dummy)
		bo->dummy = alloc_page(GFP_HIGHUSER | __GFP_ZERO);
	return bo->dummy;
}

static vm_fault_t fault_unplugged_locked(struct vexport_bo *bo, struct vm_fault *vmf)
{
	struct page *page;

	dma_resv_assert_held(bo->base.base.resv);

	page = dummy_page_locked(bo);
	if (!page)
		return VM_FAULT_OOM;
	return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(page));
}

static vm_fault_t fault_locked(struct vm_fault *vmf)
{
	struct vexport_bo *bo = to_vexport_bo(vmf->vma->vm_private_data);
	vm_fault_t ret;
	int idx;

	dma_resv_assert_held(bo->base.base.resv);

	/* What is mapped in this section, unplugging zaps. */
	if (!drm_dev_enter(bo->base.base.dev, &idx))
		return fault_unplugged_locked(bo, vmf);

	if (vexport_revoke_check_locked(bo))
		ret = VM_FAULT_SIGBUS;
	else
		ret = ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
					       TTM_BO_VM_NUM_PREFAULT);
	if (ret == VM_FAULT_NOPAGE)
		bo->cpu_touched = true;
	drm_dev_exit(idx);
	return ret;
}

static vm_fault_t vm_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *bo = vmf->vma->vm_private_data;
	vm_fault_t ret;

	ret = ttm_bo_vm_reserve(bo, vmf);
	if (ret)
		return ret;

	ret = fault_locked(vmf);
	/* TTM has waited, and dropped the reservation and the mmap_lock for that. */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;

	dma_resv_unlock(bo->base.resv);
	return ret;
}

static void access_page(struct page *page, size_t offset, void *buf, size_t len, bool write)
{
	if (write)
		memcpy_to_page(page, offset, buf, len);
	else
		memcpy_from_page(buf, page, offset, len);
}

static int access_locked(struct vexport_bo *bo, unsigned long offset, void *buf, int len,
			 bool write)
{
	struct vexport_storage *storage;
	int done, n, ret;

	dma_resv_assert_held(bo->base.base.resv);

	ret = vexport_revoke_check_locked(bo);
	if (ret)
		return ret;

	ret = vexport_bo_populate_locked(bo);
	if (ret)
		return ret;

	dma_resv_wait_timeout(bo->base.base.resv, DMA_RESV_USAGE_KERNEL, false,
			      MAX_SCHEDULE_TIMEOUT);

	storage = vexport_bo_storage_locked(bo);
	for (done = 0; done < len; done += n, offset += n) {
		n = min_t(int, len - done, PAGE_SIZE - offset_in_page(offset));
		access_page(storage->pages[offset >> PAGE_SHIFT], offset_in_page(offset),
			    buf + done, n, write);
	}
	return len;
}

static int access_unplugged_locked(struct vexport_bo *bo, unsigned long offset, void *buf,
				   int len, bool write)
{
	struct page *page;
	int done, n;

	dma_resv_assert_held(bo->base.base.resv);

	page = dummy_page_locked(bo);
	if (!page)
		return -ENOMEM;

	for (done = 0; done < len; done += n, offset += n) {
		n = min_t(int, len - done, PAGE_SIZE - offset_in_page(offset));
		access_page(page, offset_in_page(offset), buf + done, n, write);
	}
	return len;
}

static int vm_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len, int write)
{
	struct vexport_bo *bo = to_vexport_bo(vma->vm_private_data);
	struct drm_gem_object *obj = &bo->base.base;
	unsigned long offset;
	int idx, ret;

	/* As with ordinary memory that is shared. */
	if (write && !(vma->vm_flags & VM_WRITE))
		return -EFAULT;

	/* The mapping ends where the buffer does, or before. */
	len = min_t(unsigned long, len, vma->vm_end - addr);
	offset = (addr - vma->vm_start) +
		 ((vma->vm_pgoff - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT);

	dma_resv_lock(obj->resv, NULL);
	if (drm_dev_enter(obj->dev, &idx)) {
		ret = access_locked(bo, offset, buf, len, write);
		drm_dev_exit(idx);
	} else {
		ret = access_unplugged_locked(bo, offset, buf, len, write);
	}
	dma_resv_unlock(obj->resv);
	return ret;
}

/* What happens to a CPU mapping of a buffer. */
const struct vm_operations_struct vexport_mmap_vm_ops = {
	.fault = vm_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
	.access = vm_access,
};
