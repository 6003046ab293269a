// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <uapi/linux/dma-heap.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/vexport_drm.h>

#include "vexport_bo.h"
#include "vexport_dmabuf.h"
#include "vexport_drv.h"
#include "vexport_heap.h"

/**
 * DOC: heap node
 *
 * Every program that can allocate from a dma-heap gets a buffer that moves by
 * opening /dev/dma_heap/vexport instead. A device of our own with that name,
 * because a heap once added to the kernel's list cannot be removed again, and
 * the module with it.
 */

static int heap_open(struct inode *inode, struct file *file)
{
	struct miscdevice *misc = file->private_data;
	struct vexport_device *vdev = container_of(misc, struct vexport_device, heap);

	drm_dev_get(&vdev->drm);
	file->private_data = vdev;
	return nonseekable_open(inode, file);
}

static int heap_release(struct inode *inode, struct file *file)
{
	struct vexport_device *vdev = file->private_data;

	drm_dev_put(&vdev->drm);
	return 0;
}

static struct dma_buf *heap_alloc_dmabuf(struct vexport_device *vdev, u64 size, u32 fd_flags)
{
	struct dma_buf *dmabuf;
	struct vexport_bo *bo;

	bo = vexport_bo_create(vdev, size, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	if (IS_ERR(bo))
		return ERR_CAST(bo);

	/* The dma-buf keeps the buffer. */
	dmabuf = vexport_dmabuf_export(&bo->base.base, fd_flags);
	drm_gem_object_put(&bo->base.base);
	return dmabuf;
}

static long heap_alloc(struct vexport_device *vdev, struct dma_heap_allocation_data __user *uargs)
{
	struct dma_heap_allocation_data args;
	struct dma_buf *dmabuf;
	u64 size;
	int fd;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;

	size = PAGE_ALIGN(args.len);
	if (args.fd || args.fd_flags & ~DMA_HEAP_VALID_FD_FLAGS ||
	    args.heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS || !args.len || size < args.len)
		return -EINVAL;

	fd = get_unused_fd_flags(args.fd_flags);
	if (fd < 0)
		return fd;

	dmabuf = heap_alloc_dmabuf(vdev, size, args.fd_flags);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(fd);
		return PTR_ERR(dmabuf);
	}

	args.fd = fd;
	if (copy_to_user(uargs, &args, sizeof(args))) {
		dma_buf_put(dmabuf);
		put_unused_fd(fd);
		return -EFAULT;
	}
	fd_install(fd, dmabuf->file);
	return 0;
}

static long heap_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vexport_device *vdev = file->private_data;
	int idx;
	long ret;

	if (cmd != DMA_HEAP_IOCTL_ALLOC)
		return -ENOTTY;

	if (!drm_dev_enter(&vdev->drm, &idx))
		return -ENODEV;
	ret = heap_alloc(vdev, (void __user *)arg);
	drm_dev_exit(idx);
	return ret;
}

static const struct file_operations heap_fops = {
	.owner = THIS_MODULE,
	.open = heap_open,
	.release = heap_release,
	.unlocked_ioctl = heap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * vexport_heap_register - make the heap node appear
 * @vdev: device, registered
 *
 * The first instance is /dev/dma_heap/vexport, others carry their number.
 *
 * Return: 0, -ENOMEM and what misc_register() says.
 */
int vexport_heap_register(struct vexport_device *vdev)
{
	char *name;
	int ret;

	name = vdev->index ? kasprintf(GFP_KERNEL, "dma_heap/vexport%u", vdev->index) :
			     kstrdup("dma_heap/vexport", GFP_KERNEL);
	if (!name)
		return -ENOMEM;

	vdev->heap.minor = MISC_DYNAMIC_MINOR;
	vdev->heap.name = name + strlen("dma_heap/");
	vdev->heap.nodename = name;
	vdev->heap.fops = &heap_fops;
	vdev->heap.parent = vdev->drm.dev;
	ret = misc_register(&vdev->heap);
	if (ret)
		kfree(name);
	return ret;
}

/**
 * vexport_heap_unregister - make the heap node go away
 * @vdev: device
 *
 * Who has it open gets -ENODEV once the device is unplugged.
 */
void vexport_heap_unregister(struct vexport_device *vdev)
{
	const char *name = vdev->heap.nodename;

	misc_deregister(&vdev->heap);
	kfree(name);
}
