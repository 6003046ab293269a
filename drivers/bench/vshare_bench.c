// SPDX-License-Identifier: GPL-2.0-only

/**
 * DOC: reference
 *
 * What a move is measured against: the kernel's own way to copy a page, to get one,
 * and to find a place in memory of a device, with nothing around it. The pages are
 * those of two dma-bufs, named by the mapping that an exporter makes of them with
 * vmap(); no driver has to know of this one.
 *
 * For root only, because the buffer that is written to need not be the caller's.
 */

#include <linux/dma-buf.h>
#include <linux/gfp.h>
#include <linux/gpu_buddy.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vshare_bench.h"

/* As in vexport: 2 MiB where pages have 4 KiB. */
#define MAX_PIECE_ORDER		9u

/* A dma-buf that is held in place, and its pages. */
struct view {
	struct dma_buf *dmabuf;
	struct iosys_map map;
	struct page **pages;
	unsigned long npages;
};

static int view_open(struct view *view, int fd)
{
	unsigned long i;
	int ret;

	view->dmabuf = dma_buf_get(fd);
	if (IS_ERR(view->dmabuf))
		return PTR_ERR(view->dmabuf);

	ret = dma_buf_vmap_unlocked(view->dmabuf, &view->map);
	if (ret)
		goto err_put;

	ret = -EINVAL;
	if (view->map.is_iomem || !is_vmalloc_addr(view->map.vaddr))
		goto err_vunmap;

	ret = -ENOMEM;
	view->npages = view->dmabuf->size >> PAGE_SHIFT;
	view->pages = kvmalloc_array(view->npages, sizeof(*view->pages), GFP_KERNEL);
	if (!view->pages)
		goto err_vunmap;
	for (i = 0; i < view->npages; i++)
		view->pages[i] = vmalloc_to_page(view->map.vaddr + i * PAGE_SIZE);
	return 0;

err_vunmap:
	dma_buf_vunmap_unlocked(view->dmabuf, &view->map);
err_put:
	dma_buf_put(view->dmabuf);
	return ret;
}

static void view_close(struct view *view)
{
	kvfree(view->pages);
	dma_buf_vunmap_unlocked(view->dmabuf, &view->map);
	dma_buf_put(view->dmabuf);
}

static u64 time_copy(struct view *dst, struct view *src)
{
	u64 start = ktime_get_ns();
	unsigned long i;

	for (i = 0; i < src->npages; i++)
		copy_highpage(dst->pages[i], src->pages[i]);
	return ktime_get_ns() - start;
}

static void free_pieces(struct page **pages, unsigned int *orders, unsigned long count)
{
	while (count--)
		__free_pages(pages[count], orders[count]);
}

/* In pieces like those that vexport wants, which are going to be overwritten. */
static int alloc_pieces(struct page **pages, unsigned int *orders, unsigned long npages,
			unsigned long *count)
{
	unsigned int order = ilog2(npages) / 2;
	gfp_t gfp;

	for (*count = 0; npages; (*count)++) {
		order = min3(order, MAX_PIECE_ORDER, (unsigned int)ilog2(npages));
		gfp = GFP_HIGHUSER | __GFP_NOWARN;
		if (order)
			gfp &= ~__GFP_RECLAIM;
		pages[*count] = alloc_pages(gfp, order);
		if (!pages[*count])
			return -ENOMEM;
		orders[*count] = order;
		npages -= 1UL << order++;
	}
	return 0;
}

static int time_alloc(unsigned long npages, struct vshare_bench_reference *args)
{
	struct page **pages = kvcalloc(npages, sizeof(*pages), GFP_KERNEL);
	unsigned int *orders = kvcalloc(npages, sizeof(*orders), GFP_KERNEL);
	unsigned long count;
	int ret = -ENOMEM;
	u64 start;

	if (!pages || !orders)
		goto out_free;

	start = ktime_get_ns();
	ret = alloc_pieces(pages, orders, npages, &count);
	args->alloc_ns = ktime_get_ns() - start;
	free_pieces(pages, orders, count);
out_free:
	kvfree(orders);
	kvfree(pages);
	return ret;
}

/*
 * Of a device whose memory has room for two, with the neighbour taken: the block needs
 * no split, so this is the least that it can cost. With the arguments that vexport
 * has for its VRAM.
 */
static int time_place(u64 size, struct vshare_bench_reference *args)
{
	LIST_HEAD(neighbour);
	LIST_HEAD(blocks);
	struct gpu_buddy mm;
	u64 start;
	int ret;

	ret = gpu_buddy_init(&mm, 2 * size, PAGE_SIZE);
	if (ret)
		return ret;
	ret = gpu_buddy_alloc_blocks(&mm, 0, mm.size, size, PAGE_SIZE, &neighbour, 0);
	if (ret)
		goto out_fini;

	start = ktime_get_ns();
	ret = gpu_buddy_alloc_blocks(&mm, 0, mm.size, size, PAGE_SIZE, &blocks, 0);
	args->place_ns = ktime_get_ns() - start;
	if (!ret)
		gpu_buddy_free_list(&mm, &blocks, 0);
	gpu_buddy_free_list(&mm, &neighbour, 0);
out_fini:
	gpu_buddy_fini(&mm);
	return ret;
}

static int reference(struct vshare_bench_reference *args)
{
	struct view src, dst;
	int ret;

	if (args->flags)
		return -EINVAL;

	ret = view_open(&src, args->src);
	if (ret)
		return ret;
	ret = view_open(&dst, args->dst);
	if (ret)
		goto out_close_src;

	ret = -EINVAL;
	if (dst.npages == src.npages) {
		args->copy_ns = time_copy(&dst, &src);
		ret = time_alloc(src.npages, args);
		if (!ret)
			ret = time_place((u64)src.npages << PAGE_SHIFT, args);
	}

	view_close(&dst);
out_close_src:
	view_close(&src);
	return ret;
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vshare_bench_reference __user *user = (void __user *)arg;
	struct vshare_bench_reference args;
	int ret;

	if (cmd != VSHARE_BENCH_REFERENCE)
		return -ENOTTY;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	ret = reference(&args);
	if (ret)
		return ret;
	return copy_to_user(user, &args, sizeof(args)) ? -EFAULT : 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vshare-bench",
	.mode = 0600,
	.fops = &bench_fops,
};

module_misc_device(bench_device);

MODULE_AUTHOR("The vshare authors");
MODULE_DESCRIPTION("What copying and allocating pages costs, for comparison");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VSHARE_NS_DMA_BUF);
