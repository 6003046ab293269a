// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: GPU faults
 *
 * In a faulting address space a translation is made when it is missed, and goes
 * when it is wrong: nobody waits for a job. For an import both are ordered by its
 * dma_resv, and the lock of the page table does the rest::
 *
 *   exporter, moving (dma_resv held)       worker                  engine
 *
 *                                                                  lock pt
 *                                                                  translate, store
 *   invalidate:                                                    unlock pt
 *     lock pt
 *     zap, flush
 *     unlock pt                                                    lock pt
 *   [no store is on its way]                                       no translation
 *   copy, or have it copied                                        unlock pt
 *   unlock dma_resv                                                park the job
 *                                          lock dma_resv
 *                                          map anew
 *                                          wait for KERNEL fences
 *                                          lock pt
 *                                          write PTEs
 *                                          unlock pt
 *                                          unlock dma_resv
 *                                                                  repeat the access
 *
 * Without the wait for the exporter's fences, a copy that is still to be made
 * would overwrite what the job stores in the new place. With the dma_resv
 * dropped before the PTEs are written, they might be of a place that the
 * buffer has left meanwhile.
 *
 * The worker holds the reservation of one buffer only, and never while it waits
 * for userspace. So who moves buffers waits for it no longer than for any other
 * importer that maps.
 *
 * Memory of a process has no reservation that a notifier could take. There the
 * sequence number tells the worker that the pages are not what they were, and the
 * notifier lock keeps them what they are while it writes::
 *
 *   notifier                               worker                  engine
 *
 *                                          look the page up, at sequence S
 *   down_write(notifier_lock)
 *   the sequence is T now
 *   up_write(notifier_lock)
 *                                          down_read(notifier_lock)
 *   lock pt                                the sequence is not S
 *   zap, flush                             up_read(notifier_lock)
 *   unlock pt
 *   [no store is on its way]                                       no translation
 *   the page goes                          look again: sleeps until the change is over
 *
 * To look a page up may take for ever: userspace may have to bring it. So no lock
 * of ours is held meanwhile, and the mapping is looked up again behind it.
 */

#include <drm/drm_gpuvm.h>

#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "vimport_bo.h"
#include "vimport_drv.h"
#include "vimport_fault.h"
#include "vimport_hmm.h"
#include "vimport_lr_job.h"
#include "vimport_trace.h"
#include "vimport_userptr.h"
#include "vimport_vm.h"

/* Translations are made for this much around the address, if it is mapped. */
#define WINDOW			SZ_2M

/* An exporter that is busy, or a page that goes again, is asked for again, that often. */
#define MAX_TRIES		64
#define RETRY_US		1000

/*
 * Pages around one of a process's that are looked up with it, if they can be. It is no
 * more because these come into being when they are asked for.
 */
#define USERPTR_WINDOW		SZ_64K

/* How often the fence of a cancelled job is tried to be made possible to store. */
#define MAX_LAST_TRIES		8

/**
 * struct window - a part of a userptr buffer, and where it is
 */
struct window {
	/** @userptr: The buffer, holds a reference. */
	struct vimport_userptr *userptr;
	/** @page: Offset of the page that is needed. */
	u64 page;
	/** @offset: First byte of the part. */
	u64 offset;
	/** @size: Its size. */
	u64 size;
	/** @segs: Where it is. */
	struct vimport_segs segs;
	/** @seq: The sequence number that this is true for. */
	unsigned long seq;
};

static struct vimport_va *find_va(struct vimport_vm *vm, const struct vimport_access *access)
{
	struct drm_gpuva *gpuva;

	lockdep_assert_held(&vm->lock);

	gpuva = drm_gpuva_find_first(&vm->base, access->va, 1);
	if (!gpuva || (access->write && !to_vimport_va(gpuva)->write))
		return NULL;
	return to_vimport_va(gpuva);
}

/* Translations for a part of a mapping. To be freed with kvfree(). */
static struct vimport_pt_run *make_runs(const struct vimport_va *va,
					const struct vimport_segs *segs, u64 first, u64 end,
					unsigned int *count)
{
	u64 offset = va->base.gem.offset + (first - va->base.va.addr);
	struct vimport_pt_run *runs;

	*count = vimport_segs_runs(segs, offset, end - first, first, va->write, NULL);
	runs = kvmalloc_array(*count, sizeof(*runs), GFP_KERNEL_ACCOUNT);
	if (runs)
		vimport_segs_runs(segs, offset, end - first, first, va->write, runs);

	return runs;
}

static void write_runs(struct vimport_vm *vm, const struct vimport_pt_run *runs,
		       unsigned int count)
{
	const struct vimport_pt_run *last = &runs[count - 1];
	unsigned int i;

	lockdep_assert_held(&vm->lock);

	guard(mutex)(&vm->pt.lock);
	for (i = 0; i < count; i++) {
		u64 pos = 0;

		while (pos < runs[i].size)
			pos = vimport_pt_write(&vm->pt, &runs[i], pos);
	}
	vimport_pt_flush(&vm->pt, runs[0].va, last->va + last->size - runs[0].va);
}

static int serve_import_locked(struct vimport_vm *vm, struct vimport_va *va, u64 addr)
{
	struct vimport_bo *bo = to_vimport_bo(va->base.gem.obj);
	u64 first = max(ALIGN_DOWN(addr, WINDOW), va->base.va.addr);
	u64 end = min(ALIGN_DOWN(addr, WINDOW) + WINDOW, va->base.va.addr + va->base.va.range);
	struct vimport_pt_run *runs;
	unsigned int count;
	int ret;

	lockdep_assert_held(&vm->lock);
	dma_resv_assert_held(bo->base.resv);

	ret = vimport_vm_revalidate_locked(va->base.vm_bo);
	if (ret)
		return ret;

	/* Not interruptible: this is a worker, and these fences come in finite time. */
	dma_resv_wait_timeout(bo->base.resv, DMA_RESV_USAGE_KERNEL, false, MAX_SCHEDULE_TIMEOUT);

	runs = make_runs(va, &bo->segs, first, end, &count);
	if (!runs)
		return -ENOMEM;
	write_runs(vm, runs, count);
	kvfree(runs);
	return 0;
}

/* Choose what to look up. Its buffer may be unbound as soon as the lock is dropped. */
static void open_window(struct window *window, struct vimport_va *va, u64 addr)
{
	u64 offset = va->base.gem.offset, end = offset + va->base.va.range;
	struct drm_gem_object *obj = va->base.gem.obj;

	drm_gem_object_get(obj);
	window->userptr = to_vimport_userptr(obj);
	window->page = PAGE_ALIGN_DOWN(offset + (addr - va->base.va.addr));
	/* Parts of pages can be mapped, but not looked up. */
	window->offset = max(ALIGN_DOWN(window->page, USERPTR_WINDOW), PAGE_ALIGN_DOWN(offset));
	end = min(ALIGN_DOWN(window->page, USERPTR_WINDOW) + USERPTR_WINDOW, PAGE_ALIGN(end));
	window->size = end - window->offset;
}

/*
 * What is around the page may not be there. May take as long as userspace likes.
 *
 * A page that userspace has brought may be taken away again before it is looked up. It is
 * asked for once more then, but not for ever: it may be of a kind that cannot be used.
 */
static int look_up(struct window *window)
{
	struct vimport_userptr *userptr = window->userptr;
	int bring, ret;

	atomic64_inc(&to_vimport_device(userptr->base.base.dev)->counters.userptr_faults);
	bring = vimport_hmm_bring(userptr, window->page, window->offset, window->size);
	if (bring < 0)
		return bring;
	if (bring == VIMPORT_HMM_NOBODY) {
		ret = vimport_hmm_fault(userptr, window->offset, window->size, &window->segs,
					&window->seq);
		if (ret != -EFAULT)
			return ret;
	}

	window->offset = window->page;
	window->size = PAGE_SIZE;
	ret = vimport_hmm_fault(userptr, window->page, PAGE_SIZE, &window->segs, &window->seq);
	return ret == -EFAULT && bring == VIMPORT_HMM_BROUGHT ? -EBUSY : ret;
}

/* Write what was looked up, if it is still so, and if it is still mapped there. */
static int install(struct vimport_vm *vm, const struct vimport_access *access,
		   struct window *window)
{
	struct vimport_device *vdev = to_vimport_device(vm->base.drm);
	struct vimport_userptr *userptr = window->userptr;
	struct vimport_va *va = find_va(vm, access);
	struct vimport_pt_run *runs;
	u64 offset, begin, end, delta;
	unsigned int count;
	int ret = 0;

	if (!va || va->base.gem.obj != &userptr->base.base)
		return -EAGAIN;

	/* In the buffer: what was looked up and is mapped. */
	offset = va->base.gem.offset;
	begin = max(window->offset, offset);
	end = min(window->offset + window->size, offset + va->base.va.range);
	delta = offset + (access->va - va->base.va.addr);
	if (delta < begin || delta >= end)
		return -EAGAIN;

	runs = make_runs(va, &window->segs, va->base.va.addr + (begin - offset),
			 va->base.va.addr + (end - offset), &count);
	if (!runs)
		return -ENOMEM;

	vimport_userptr_link(userptr, to_vimport_vm_bo(va->base.vm_bo));
	if (vimport_userptr_begin_install(userptr, window->seq)) {
		write_runs(vm, runs, count);
		vimport_userptr_end_install(userptr);
	} else {
		trace_vimport_userptr_retry(userptr, vm);
		atomic64_inc(&vdev->counters.userptr_retries);
		atomic64_inc(&vm->stats.userptr_retries);
		ret = -EAGAIN;
	}
	kvfree(runs);
	return ret;
}

static int serve_userptr(struct vimport_vm *vm, const struct vimport_access *access,
			 struct window *window)
{
	int ret;

	atomic64_inc(&vm->stats.userptr_faults);
	ret = look_up(window);
	trace_vimport_userptr_fault(window->userptr, ret);
	if (!ret) {
		mutex_lock(&vm->lock);
		ret = install(vm, access, window);
		mutex_unlock(&vm->lock);
		vimport_segs_fini(&window->segs);
	}

	/* Perhaps the last reference, so without a lock. */
	drm_gem_object_put(&window->userptr->base.base);
	return ret;
}

static int serve(struct vimport_lr_job *job)
{
	const struct vimport_access *access = &job->fault;
	struct vimport_vm *vm = job->vm;
	struct window window = {};
	struct drm_gem_object *obj;
	struct vimport_va *va;
	int ret = -EFAULT;

	mutex_lock(&vm->lock);
	va = find_va(vm, access);
	if (!va)
		goto out_unlock;

	obj = va->base.gem.obj;
	/* It may have been bound since the job was submitted, by a process that shares the file. */
	if (vimport_userptr_is(obj) && to_vimport_userptr(obj)->mm != job->mm)
		goto out_unlock;
	if (vimport_userptr_is_watched(obj)) {
		open_window(&window, va, access->va);
		mutex_unlock(&vm->lock);
		return serve_userptr(vm, access, &window);
	}

	dma_resv_lock(obj->resv, NULL);
	ret = serve_import_locked(vm, va, access->va);
	dma_resv_unlock(obj->resv);

out_unlock:
	mutex_unlock(&vm->lock);
	return ret;
}

/* Is it worth another try? An exporter that is busy should not be for ever, nor a page. */
static bool should_retry(struct vimport_lr_job *job, int ret, unsigned int tries)
{
	if (READ_ONCE(job->cancelled) && (!job->ending || tries >= MAX_LAST_TRIES))
		return false;

	return ret == -EAGAIN || (ret == -EBUSY && tries < MAX_TRIES);
}

/**
 * vimport_fault_serve - make the access possible that a job has parked for
 * @job: job in the state PARKED
 *
 * From a workqueue of its address space. By the time that the access is repeated the
 * translation may have gone again.
 *
 * Return: 0; -EFAULT if there is no mapping, or one that may only be read, or no memory
 * behind it; -EBUSY if the page goes again as often as userspace brings it; -EAGAIN if the
 * job was cancelled; or what the exporter says when it is asked to map.
 */
int vimport_fault_serve(struct vimport_lr_job *job)
{
	unsigned int tries;
	int ret;

	for (tries = 0;; tries++) {
		ret = serve(job);
		if (!should_retry(job, ret, tries))
			break;
		if (ret == -EBUSY)
			fsleep(RETRY_US);
		cond_resched();
	}

	/* There may have been more tries to come. */
	return ret == -EBUSY && READ_ONCE(job->cancelled) ? -EAGAIN : ret;
}
