// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: queues
 *
 * Jobs of one queue run in the order of their submission; those of different
 * queues wait for each other only if they are told to, by syncobjs or by the
 * fences of buffers. What they share is the address space: its page table, its
 * mappings, and the limit of its outstanding work.
 *
 * Translations are no queue's. They travel in jobs of their own, on the entity
 * of the address space, and a job waits for those that were submitted before it:
 * DOC: submission. If they came with the job that needs them first, all others
 * would wait for whatever that one waits for.
 *
 * A queue ends like an address space. When its id is gone no further job gets in,
 * and those that are queued run through the engine without doing anything. The
 * last of them drops the last reference.
 */

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/vimport_drm.h>

#include <linux/slab.h>
#include <linux/xarray.h>

#include "vimport_drv.h"
#include "vimport_queue.h"
#include "vimport_vm.h"

/* Queues that a file may have, beside the one that each address space begins with. */
#define MAX_FILE_QUEUES		64

/* With those: each is an entity that the scheduler looks at, and a context of fences. */
#define MAX_GPU_QUEUES		8192

/**
 * vimport_queue_create - make a queue
 * @vdev: device
 * @vm: address space, which the caller holds; need not be initialised yet
 *
 * Return: a queue, for vimport_queue_put(), or an ERR_PTR: -ENOSPC if the GPU has too
 * many, -ENOMEM.
 */
struct vimport_queue *vimport_queue_create(struct vimport_device *vdev, struct vimport_vm *vm)
{
	struct drm_gpu_scheduler *sched = &vdev->engine.sched;
	struct vimport_queue *queue;
	int ret;

	if (!atomic_add_unless(&vdev->counters.queues, 1, MAX_GPU_QUEUES))
		return ERR_PTR(-ENOSPC);

	ret = -ENOMEM;
	queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	if (!queue)
		goto err_uncount;

	ret = drm_sched_entity_init(&queue->entity, DRM_SCHED_PRIORITY_NORMAL, &sched, 1, NULL);
	if (ret)
		goto err_free;

	kref_init(&queue->ref);
	INIT_LIST_HEAD(&queue->lr.vm_node);
	INIT_LIST_HEAD(&queue->lr.jobs);
	queue->vm = vm;
	queue->counters = &vdev->counters;
	return queue;

err_free:
	kfree(queue);
err_uncount:
	atomic_dec(&vdev->counters.queues);
	return ERR_PTR(ret);
}

/**
 * vimport_queue_get - take a reference
 * @queue: queue
 *
 * Return: @queue.
 */
struct vimport_queue *vimport_queue_get(struct vimport_queue *queue)
{
	kref_get(&queue->ref);
	return queue;
}

static void free_queue(struct kref *ref)
{
	struct vimport_queue *queue = container_of(ref, struct vimport_queue, ref);
	struct vimport_counters *counters = queue->counters;

	/* Each job had a reference, so there is none in it, and nothing to wait for. */
	drm_sched_entity_fini(&queue->entity);
	kfree_rcu(queue, rcu);
	atomic_dec(&counters->queues);
}

/**
 * vimport_queue_put - drop a reference
 * @queue: queue
 *
 * Whoever drops the last one holds the module, and is no fence's way to its end.
 */
void vimport_queue_put(struct vimport_queue *queue)
{
	kref_put(&queue->ref, free_queue);
}

/**
 * vimport_queue_find - find a queue of a file
 * @file: file
 * @id: its id in @file
 *
 * Return: the queue, to be given back with vimport_queue_put(), or NULL.
 */
struct vimport_queue *vimport_queue_find(struct drm_file *file, u32 id)
{
	struct vimport_file *vfile = file->driver_priv;
	struct vimport_queue *queue;

	xa_lock(&vfile->queues);
	queue = xa_load(&vfile->queues, id);
	if (queue)
		kref_get(&queue->ref);
	xa_unlock(&vfile->queues);

	return queue;
}

/**
 * vimport_queue_lookup - find a queue of an address space
 * @file: file
 * @vm: address space, which the caller holds
 * @id: id of the queue in @file, or zero for the one that @vm began with
 *
 * Return: the queue, to be given back with vimport_queue_put(); NULL if @vm has no
 * such queue.
 */
struct vimport_queue *vimport_queue_lookup(struct drm_file *file, struct vimport_vm *vm, u32 id)
{
	struct vimport_queue *queue;

	if (!id) {
		kref_get(&vm->queue->ref);
		return vm->queue;
	}

	queue = vimport_queue_find(file, id);
	if (queue && queue->vm != vm) {
		vimport_queue_put(queue);
		return NULL;
	}
	return queue;
}

/* The caller has taken its id away, and passes both references of that on. */
static void destroy(struct vimport_queue *queue)
{
	struct drm_gpuvm *gpuvm = &queue->vm->base;

	/* Pairs with the READ_ONCE() in vimport_queue_error(), and in submit(). */
	WRITE_ONCE(queue->dead, true);
	if (queue->vm->faulting)
		vimport_lr_queue_kill(queue->vm, &queue->lr);
	vimport_queue_put(queue);
	drm_gpuvm_put(gpuvm);
}

/**
 * vimport_queue_destroy_all - destroy queues of a file
 * @file: file
 * @vm: only those of this address space, or NULL for all
 */
void vimport_queue_destroy_all(struct drm_file *file, const struct vimport_vm *vm)
{
	struct vimport_file *vfile = file->driver_priv;
	struct vimport_queue *queue;
	unsigned long id;

	xa_for_each(&vfile->queues, id, queue) {
		/* Compared without a reference: the id may have gone meanwhile. */
		xa_lock(&vfile->queues);
		queue = xa_load(&vfile->queues, id);
		if (queue && (!vm || queue->vm == vm))
			__xa_erase(&vfile->queues, id);
		else
			queue = NULL;
		xa_unlock(&vfile->queues);
		if (queue)
			destroy(queue);
	}
}

/**
 * vimport_queue_ban - let no further job of a queue run
 * @queue: queue, one of whose jobs has hung
 */
void vimport_queue_ban(struct vimport_queue *queue)
{
	/* Pairs with the READ_ONCE() in vimport_queue_error(), and in submit(). */
	WRITE_ONCE(queue->banned, true);
}

/**
 * vimport_queue_error - why a job of a queue may not run
 * @queue: queue
 *
 * Return: zero if it may, -ECANCELED if the queue is banned or its id is gone.
 */
int vimport_queue_error(const struct vimport_queue *queue)
{
	return READ_ONCE(queue->banned) || READ_ONCE(queue->dead) ? -ECANCELED : 0;
}

/**
 * vimport_queue_end_job - count a job that has ended
 * @queue: queue
 * @error: zero, or the error that its fence is going to carry
 *
 * In the fence-signalling path.
 */
void vimport_queue_end_job(struct vimport_queue *queue, int error)
{
	atomic64_inc(&queue->jobs);
	/* Pairs with that in vimport_queue_query_ioctl(). */
	smp_wmb();
	if (error)
		atomic64_inc(&queue->errors);
}

/**
 * vimport_queue_create_ioctl - DRM_IOCTL_VIMPORT_QUEUE_CREATE
 * @drm: device
 * @data: &struct drm_vimport_queue_create
 * @file: caller
 *
 * An address space that is being destroyed takes its queues along. One that is
 * made meanwhile is found by one of the two::
 *
 *   VM_DESTROY                            QUEUE_CREATE
 *
 *                                         find the address space
 *   set dead
 *   look for its queues
 *                                         put the queue's id into the file
 *                                         [dead is set: take it out again]
 *
 * The lock of the ids orders the look and the putting in, so if the look has not
 * found the id, what was written before it is seen after the putting in.
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_queue_create_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct vimport_file *vfile = file->driver_priv;
	struct drm_vimport_queue_create *args = data;
	struct vimport_queue *queue;
	struct vimport_vm *vm;
	int ret;

	if (args->flags || args->pad)
		return -EINVAL;

	vm = vimport_vm_lookup(file, args->vm_id);
	if (!vm)
		return -ENOENT;

	queue = vimport_queue_create(to_vimport_device(drm), vm);
	if (IS_ERR(queue)) {
		ret = PTR_ERR(queue);
		goto out_put_vm;
	}

	/* The id has this reference, and that to the queue. */
	drm_gpuvm_get(&vm->base);
	if (vm->faulting) {
		ret = vimport_lr_queue_init(vm, &queue->lr);
		if (ret) {
			destroy(queue);
			goto out_put_vm;
		}
	}
	ret = xa_alloc(&vfile->queues, &args->queue_id, queue, XA_LIMIT(1, MAX_FILE_QUEUES),
		       GFP_KERNEL_ACCOUNT);
	if (ret) {
		destroy(queue);
		if (ret == -EBUSY)
			ret = -ENOSPC;
	} else if (READ_ONCE(vm->dead)) {
		vimport_queue_destroy_all(file, vm);
		ret = -ENOENT;
	}

out_put_vm:
	drm_gpuvm_put(&vm->base);
	return ret;
}

/**
 * vimport_queue_destroy_ioctl - DRM_IOCTL_VIMPORT_QUEUE_DESTROY
 * @drm: device
 * @data: &struct drm_vimport_queue_destroy
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_queue_destroy_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vimport_queue_destroy *args = data;
	struct vimport_file *vfile = file->driver_priv;
	struct vimport_queue *queue;

	if (args->pad)
		return -EINVAL;

	queue = xa_erase(&vfile->queues, args->queue_id);
	if (!queue)
		return -ENOENT;

	destroy(queue);
	return 0;
}

static struct vimport_queue *lookup_any(struct drm_file *file, u32 id, u32 vm_id)
{
	struct vimport_queue *queue;
	struct vimport_vm *vm;

	if (id)
		return vimport_queue_find(file, id);

	vm = vimport_vm_lookup(file, vm_id);
	if (!vm)
		return NULL;
	queue = vimport_queue_lookup(file, vm, 0);
	drm_gpuvm_put(&vm->base);
	return queue;
}

/**
 * vimport_queue_query_ioctl - DRM_IOCTL_VIMPORT_QUEUE_QUERY
 * @drm: device
 * @data: &struct drm_vimport_queue_query
 * @file: caller
 *
 * Return: 0 or the error that the user interface documents.
 */
int vimport_queue_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_vimport_queue_query *args = data;
	struct vimport_queue *queue;

	if (args->pad || !args->queue_id == !args->vm_id)
		return -EINVAL;

	queue = lookup_any(file, args->queue_id, args->vm_id);
	if (!queue)
		return -ENOENT;

	args->flags = READ_ONCE(queue->banned) ? DRM_VIMPORT_QUEUE_BANNED : 0;
	args->errors = atomic64_read(&queue->errors);
	/* Pairs with that in vimport_queue_end_job(): no more errors than jobs. */
	smp_rmb();
	args->jobs = atomic64_read(&queue->jobs);
	vimport_queue_put(queue);
	return 0;
}
