/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
#ifndef _VSHARE_BENCH_H_
#define _VSHARE_BENCH_H_

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct vshare_bench_reference - what the parts of a move cost by themselves
 *
 * Errors: -EBADF; -EINVAL for descriptors that are no dma-bufs of the same size in
 * ordinary pages, and for a @flags that is not zero; -ENOMEM; and what the
 * exporter says when it is asked for a mapping of the kernel's own.
 */
struct vshare_bench_reference {
	/** @src: Input: dma-buf whose pages are copied. */
	__s32 src;

	/** @dst: Input: dma-buf whose pages are overwritten. */
	__s32 dst;

	/** @flags: Input: must be zero. */
	__u64 flags;

	/** @copy_ns: Output: nanoseconds that copy_highpage() took for all pages. */
	__u64 copy_ns;

	/** @alloc_ns: Output: nanoseconds that it took to allocate as many pages. */
	__u64 alloc_ns;

	/**
	 * @place_ns: Output: nanoseconds that it took the buddy allocator, which exporters
	 * with memory of their own have for it, to find a place as large.
	 */
	__u64 place_ns;
};

/** VSHARE_BENCH_REFERENCE - &struct vshare_bench_reference */
#define VSHARE_BENCH_REFERENCE	_IOWR('v', 0xb0, struct vshare_bench_reference)

#endif /* _VSHARE_BENCH_H_ */
