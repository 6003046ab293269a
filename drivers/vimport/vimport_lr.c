// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: long-running jobs
 *
 * Jobs of a faulting address space may take as long as anybody likes: for a page
 * to come, for a word to change. Therefore nothing that the kernel waits for may
 * wait for them ("Indefinite DMA Fences" and "Recoverable Hardware Page Faults
 * Implications" in Documentation/driver-api/dma-buf.rst). They have no dma_fence
 * and are in no reservation object; the scheduler does not know of them. They may
 * wait for dma_fences, which is the direction that is allowed.
 *
 * They share the engine with jobs that have fences, so those always go first: a
 * long-running job has the engine for a burst at a time, and the next burst is
 * only begun if no other job is there. A job that cannot go on leaves the
 * engine at once::
 *
 *                      +--> BLOCKED  until a fence signals ------+
 *                      |                                         |
 *   QUEUED -> READY -> RUNNING --> SLEEPING  until a time -------+
 *               ^      |                                         |
 *               |      +--> PARKED   until its fault is served --+
 *               |      |                                         |
 *               |      +--> ENDED                                |
 *               +------------------------------------------------+
 *
 * The state says who has the job: the engine's thread while it runs, the worker
 * that serves the fault while it is parked, and &vimport_lr_engine.lock, under which
 * the state changes, while it is on a list. To end it before its time it is
 * cancelled, and made ready if it is not somebody's. The engine then lets it
 * end, in the order of its queue.
 */

#include <linux/cleanup.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "vimport_client.h"
#include "vimport_drv.h"
#include "vimport_lr_job.h"
#include "vimport_vm.h"

/* How long a job may run before others of its kind get their turn. */
#define SLICE_NS		NSEC_PER_MSEC

/* Outstanding jobs of an address space: they take memory, for ever if they like. */
#define MAX_PENDING_JOBS	128

/*
 * Each of them may have that many workers stuck in faults that nobody serves, as
 * with userfaultfd(2), and nothing but these two numbers limits these threads.
 */
#define MAX_GPU_VMS		256
#define MAX_FAULTS		4

static struct vimport_engine *vm_engine(struct vimport_vm *vm)
{
	return &to_vimport_device(vm->base.drm)->engine;
}

static void make_ready(struct vimport_lr_engine *lr, struct vimport_lr_job *job)
{
	lockdep_assert_held(&lr->lock);

	job->state = VIMPORT_LR_READY;
	list_add_tail(&job->node, &lr->ready);
}

/**
 * vimport_lr_wake - make a job ready
 * @job: job
 * @from: the state that it is left in by whoever calls; if it is in another one
 *	by now, nothing is done
 *
 * From any context. The job may be gone when this returns.
 */
void vimport_lr_wake(struct vimport_lr_job *job, enum vimport_lr_state from)
{
	struct vimport_engine *engine = vm_engine(job->vm);

	scoped_guard(spinlock_irqsave, &engine->lr.lock) {
		if (job->state == from)
			make_ready(&engine->lr, job);
	}
	wake_up(&engine->wait);
}

/* Those whose time has come line up behind those that are ready. */
static struct vimport_lr_job *take_job(struct vimport_lr_engine *lr)
{
	struct timerqueue_node *timer;
	struct vimport_lr_job *job;
	ktime_t now = ktime_get();

	spin_lock_irq(&lr->lock);

	while ((timer = timerqueue_getnext(&lr->sleeping)) && timer->expires <= now) {
		timerqueue_del(&lr->sleeping, timer);
		make_ready(lr, container_of(timer, struct vimport_lr_job, timer));
	}

	job = list_first_entry_or_null(&lr->ready, struct vimport_lr_job, node);
	if (job) {
		list_del_init(&job->node);
		job->state = VIMPORT_LR_RUNNING;
	}

	spin_unlock_irq(&lr->lock);
	return job;
}

static enum vimport_lr_step run_slice(struct vimport_engine *engine, struct vimport_lr_job *job)
{
	ktime_t end = ktime_add_ns(ktime_get(), SLICE_NS);
	enum vimport_lr_step step;

	do {
		step = vimport_lr_job_step(job);
		cond_resched();
	} while (step == VIMPORT_LR_STEP_ON && !vimport_engine_has_job(engine) &&
		 ktime_before(ktime_get(), end));

	return step;
}

static void end_job(struct vimport_lr_engine *lr, struct vimport_lr_job *job)
{
	struct vimport_lr_queue *queue = job->queue;
	struct vimport_lr_job *next;

	lockdep_assert_held(&lr->lock);

	list_del(&job->queue_node);
	next = list_first_entry_or_null(&queue->jobs, struct vimport_lr_job, queue_node);
	if (next)
		make_ready(lr, next);

	job->state = VIMPORT_LR_ENDED;
	/* The engine frees nothing: the last reference may be among what goes. */
	queue_work(vimport_wq, &job->free_work);
}

/* Unless it is blocked, the job is somebody else's when this returns. */
static void leave(struct vimport_lr_engine *lr, struct vimport_lr_job *job,
		  enum vimport_lr_step step)
{
	spin_lock_irq(&lr->lock);

	/* Whoever has cancelled it meanwhile counts on us. */
	if (job->cancelled &&
	    (step == VIMPORT_LR_STEP_BLOCK || step == VIMPORT_LR_STEP_SLEEP))
		step = VIMPORT_LR_STEP_ON;

	switch (step) {
	case VIMPORT_LR_STEP_ON:
		make_ready(lr, job);
		break;
	case VIMPORT_LR_STEP_BLOCK:
		job->state = VIMPORT_LR_BLOCKED;
		break;
	case VIMPORT_LR_STEP_SLEEP:
		job->state = VIMPORT_LR_SLEEPING;
		timerqueue_add(&lr->sleeping, &job->timer);
		break;
	case VIMPORT_LR_STEP_FAULT:
		job->state = VIMPORT_LR_PARKED;
		queue_work(job->vm->lr.wq, &job->fault_work);
		break;
	case VIMPORT_LR_STEP_END:
		end_job(lr, job);
		break;
	}

	spin_unlock_irq(&lr->lock);
}

/**
 * vimport_lr_run - let a job have a slice of the engine
 * @engine: engine, in its thread, which has no other job
 *
 * Jobs that have fences may come at any time, and wait until this returns: it is
 * in the fence-signalling path.
 *
 * Return: whether there was a job.
 */
bool vimport_lr_run(struct vimport_engine *engine)
{
	struct vimport_lr_engine *lr = &engine->lr;
	struct vimport_lr_job *job = take_job(lr);
	enum vimport_lr_step step;
	bool cookie;

	if (!job)
		return false;

	cookie = dma_fence_begin_signalling();
	vimport_client_account(engine, job->vm->client);
	step = run_slice(engine, job);
	vimport_client_account(engine, NULL);
	leave(lr, job, step);
	/* Only this thread takes it again, if it is ready by now. */
	if (step == VIMPORT_LR_STEP_BLOCK)
		vimport_lr_job_block(job);
	dma_fence_end_signalling(cookie);
	return true;
}

/**
 * vimport_lr_due - when the engine should look again
 * @engine: engine
 *
 * Return: zero if a job is ready, the time at which the next one will be, or
 * KTIME_MAX.
 */
ktime_t vimport_lr_due(struct vimport_engine *engine)
{
	struct vimport_lr_engine *lr = &engine->lr;
	struct timerqueue_node *timer;
	ktime_t due = 0;

	spin_lock_irq(&lr->lock);
	if (list_empty(&lr->ready)) {
		timer = timerqueue_getnext(&lr->sleeping);
		due = timer ? timer->expires : KTIME_MAX;
	}
	spin_unlock_irq(&lr->lock);
	return due;
}

/**
 * vimport_lr_engine_init - prepare an engine for long-running jobs
 * @lr: zeroed
 */
void vimport_lr_engine_init(struct vimport_lr_engine *lr)
{
	spin_lock_init(&lr->lock);
	INIT_LIST_HEAD(&lr->ready);
	timerqueue_init_head(&lr->sleeping);
	init_waitqueue_head(&lr->fence_wait);
}

/**
 * vimport_lr_queue_init - make a queue
 * @vm: faulting address space
 * @queue: queue
 *
 * It lasts until it was killed, and all its jobs have ended.
 *
 * Return: 0, or -ENOENT if the address space is dead.
 */
int vimport_lr_queue_init(struct vimport_vm *vm, struct vimport_lr_queue *queue)
{
	struct vimport_lr_engine *lr = &vm_engine(vm)->lr;
	int ret = -ENOENT;

	INIT_LIST_HEAD(&queue->jobs);

	spin_lock_irq(&lr->lock);
	if (!READ_ONCE(vm->dead)) {
		list_add_tail(&queue->vm_node, &vm->lr.queues);
		ret = 0;
	}
	spin_unlock_irq(&lr->lock);
	return ret;
}

static void kill_queue(struct vimport_lr_engine *lr, struct vimport_lr_queue *queue)
{
	struct vimport_lr_job *job;

	lockdep_assert_held(&lr->lock);

	queue->dead = true;
	list_for_each_entry(job, &queue->jobs, queue_node) {
		/* Pairs with the READ_ONCE() of the engine and the worker. */
		WRITE_ONCE(job->cancelled, true);
		if (job->state == VIMPORT_LR_SLEEPING)
			timerqueue_del(&lr->sleeping, &job->timer);
		if (job->state == VIMPORT_LR_SLEEPING || job->state == VIMPORT_LR_BLOCKED)
			make_ready(lr, job);
	}
}

/**
 * vimport_lr_queue_kill - have the jobs of a queue end, and take no more
 * @vm: address space
 * @queue: queue
 *
 * Waits for nothing.
 */
void vimport_lr_queue_kill(struct vimport_vm *vm, struct vimport_lr_queue *queue)
{
	struct vimport_engine *engine = vm_engine(vm);

	scoped_guard(spinlock_irq, &engine->lr.lock) {
		kill_queue(&engine->lr, queue);
		list_del_init(&queue->vm_node);
	}
	wake_up(&engine->wait);
}

/**
 * vimport_lr_queue_push - submit a job
 * @job: job; the engine's if the call succeeds
 *
 * Return: 0; -ENOENT if its queue is dead; -EAGAIN if its address space has
 * enough to do.
 */
int vimport_lr_queue_push(struct vimport_lr_job *job)
{
	struct vimport_engine *engine = vm_engine(job->vm);
	struct vimport_lr_engine *lr = &engine->lr;
	struct vimport_lr_queue *queue = job->queue;
	struct vimport_lr_vm *vm = &job->vm->lr;

	scoped_guard(spinlock_irq, &lr->lock) {
		if (queue->dead)
			return -ENOENT;
		/* A queue that is alive has an address space that is. */
		if (atomic_read(&vm->users) > MAX_PENDING_JOBS)
			return -EAGAIN;
		atomic_inc(&vm->users);

		list_add_tail(&job->queue_node, &queue->jobs);
		if (list_is_first(&job->queue_node, &queue->jobs))
			make_ready(lr, job);
	}
	wake_up(&engine->wait);
	return 0;
}

/**
 * vimport_lr_vm_init - prepare an address space for long-running jobs
 * @vm: address space, which nobody knows yet
 * @lr: of its engine
 *
 * Return: 0; -ENOSPC if the GPU has too many of them; -ENOMEM.
 */
int vimport_lr_vm_init(struct vimport_vm *vm, struct vimport_lr_engine *lr)
{
	if (!atomic_add_unless(&lr->vms, 1, MAX_GPU_VMS))
		return -ENOSPC;

	vm->lr.wq = alloc_workqueue("vimport-fault", WQ_UNBOUND, MAX_FAULTS);
	if (!vm->lr.wq) {
		atomic_dec(&lr->vms);
		return -ENOMEM;
	}

	INIT_LIST_HEAD(&vm->lr.queues);
	INIT_LIST_HEAD(&vm->lr.queue.jobs);
	list_add(&vm->lr.queue.vm_node, &vm->lr.queues);
	atomic_set(&vm->lr.users, 1);
	return 0;
}

/**
 * vimport_lr_vm_fini - undo vimport_lr_vm_init()
 * @vm: address space, without users
 * @lr: of its engine
 *
 * Its last jobs may just be leaving the workqueue.
 */
void vimport_lr_vm_fini(struct vimport_vm *vm, struct vimport_lr_engine *lr)
{
	destroy_workqueue(vm->lr.wq);
	atomic_dec(&lr->vms);
}

/**
 * vimport_lr_vm_kill - have all jobs of an address space end
 * @vm: address space, already marked as dead
 *
 * Waits for nothing. Drops the first of the users.
 */
void vimport_lr_vm_kill(struct vimport_vm *vm)
{
	struct vimport_engine *engine = vm_engine(vm);
	struct vimport_lr_queue *queue;

	scoped_guard(spinlock_irq, &engine->lr.lock) {
		list_for_each_entry(queue, &vm->lr.queues, vm_node)
			kill_queue(&engine->lr, queue);
	}
	wake_up(&engine->wait);
	vimport_lr_vm_put(vm);
}

/**
 * vimport_lr_vm_put - drop a user of an address space
 * @vm: address space
 *
 * The last one has it taken apart.
 */
void vimport_lr_vm_put(struct vimport_vm *vm)
{
	if (atomic_dec_and_test(&vm->lr.users))
		queue_delayed_work(vimport_destroy_wq, &vm->destroy_work, 0);
}
