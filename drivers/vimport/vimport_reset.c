// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: reset
 *
 * Others wait for the fence of a job, so a job that does not end by itself is ended
 * for it. A timer looks how long the job that runs has been doing so. One that has
 * hung is taken from the engine, its fence carries -ETIME, and its queue is banned:
 * whatever comes after it there may count on what it should have done. All other
 * queues go on with their next job, and have lost nothing.
 *
 * That is all there is to a reset of this GPU. The scheduler is not stopped for it:
 * what it has handed over to the engine stays where it is, and nothing has to be
 * handed over again.
 *
 * The timer of the scheduler is not used. It begins anew whenever a job is handed
 * over, so neighbours with many small jobs would prolong the life of one that hangs.
 */

#include <drm/drm_print.h>

#include <linux/jiffies.h>

#include "vimport_drv.h"
#include "vimport_job.h"
#include "vimport_queue.h"
#include "vimport_reset.h"
#include "vimport_vm.h"

/*
 * Several times what a job may take by its estimate, which is below a second.
 * On a machine that is slower than that still, large jobs end with -ETIME.
 */
#define JOB_TIMEOUT_MS		5000

/* The engine looks at the flag between two bursts, and wherever it waits. */
static void reset_locked(struct vimport_engine *engine, struct vimport_job *job)
{
	struct vimport_device *vdev = container_of(engine, struct vimport_device, engine);

	lockdep_assert_held(&engine->lock);

	atomic64_inc(&vdev->counters.resets);
	if (job->queue)
		vimport_queue_ban(job->queue);
	/* Pairs with the READ_ONCE()s in the engine. */
	WRITE_ONCE(job->cancelled, true);
	wake_up(&engine->wait);
	drm_notice(&vdev->drm, "reset, because a job has hung\n");
}

static void watchdog(struct timer_list *timer)
{
	struct vimport_engine *engine = container_of(timer, struct vimport_engine, watchdog);
	unsigned long due;

	spin_lock(&engine->lock);
	due = engine->started + msecs_to_jiffies(JOB_TIMEOUT_MS);
	if (!engine->running || engine->running->cancelled)
		; /* The next job starts the timer. */
	else if (time_before(jiffies, due))
		mod_timer(&engine->watchdog, due);
	else
		reset_locked(engine, engine->running);
	spin_unlock(&engine->lock);
}

/**
 * vimport_reset_watch_locked - say what the engine does from now on
 * @engine: engine, its lock held
 * @job: the job that it runs, or NULL if it has ended one, whose fence is yet to
 *	signal: the job may be freed as soon as that has happened
 *
 * The timer is not stopped at the end of a job, nor set when the next one begins, but
 * looks how far it is when it goes off. Most jobs are over long before.
 */
void vimport_reset_watch_locked(struct vimport_engine *engine, struct vimport_job *job)
{
	lockdep_assert_held(&engine->lock);

	engine->running = job;
	engine->started = jiffies;
	if (job && !timer_pending(&engine->watchdog))
		mod_timer(&engine->watchdog, jiffies + msecs_to_jiffies(JOB_TIMEOUT_MS));
}

/**
 * vimport_reset_wait - do nothing until the GPU is reset
 * @engine: engine, its thread calls
 * @job: the job that hangs, for DRM_VIMPORT_BUG_HANG
 */
void vimport_reset_wait(struct vimport_engine *engine, struct vimport_job *job)
{
	wait_event_idle(engine->wait, READ_ONCE(job->cancelled));
}

/**
 * vimport_reset_init - prepare for the worst
 * @engine: engine
 */
void vimport_reset_init(struct vimport_engine *engine)
{
	timer_setup(&engine->watchdog, watchdog, 0);
}

/**
 * vimport_reset_fini - stop looking
 * @engine: engine, whose thread has ended
 */
void vimport_reset_fini(struct vimport_engine *engine)
{
	timer_shutdown_sync(&engine->watchdog);
}
