// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>

#include "vexport_drv.h"
#include "vexport_swap.h"

/**
 * DOC: swapout
 *
 * TTM swaps buffers out when all drivers together have more pages than it may
 * have. Whether the machine is short of memory it does not know: the shrinker
 * tells it.
 *
 * Reclaim may come from an allocation that is made with a reservation held, and
 * what it waits for must not wait for memory. So the shrinker takes no lock and
 * frees nothing itself, it has a worker ask TTM. The worker does not wait for
 * importers: a buffer that they use is not the one to go.
 *
 * TTM copies the content to shared memory, which reclaim then writes to swap.
 * Without swap that would only cost memory, so nothing is offered then.
 */

static struct vexport_swap *to_swap(struct shrinker *shrinker)
{
	return shrinker->private_data;
}

static unsigned long swap_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	long pages = atomic_long_read(&to_swap(shrinker)->pages);

	pages = min(pages, get_nr_swap_pages());
	return pages > 0 ? pages : SHRINK_EMPTY;
}

static unsigned long swap_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct vexport_swap *swap = to_swap(shrinker);

	atomic_long_add(sc->nr_to_scan, &swap->wanted);
	queue_work(system_unbound_wq, &swap->work);
	/* Nothing is free yet: asking again at once would not help. */
	return SHRINK_STOP;
}

static void swap_work(struct work_struct *work)
{
	struct vexport_swap *swap = container_of(work, struct vexport_swap, work);
	struct vexport_device *vdev = container_of(swap, struct vexport_device, swap);
	struct ttm_operation_ctx ctx = { .no_wait_gpu = true };
	long wanted = atomic_long_xchg(&swap->wanted, 0);
	int done;

	while (wanted > 0) {
		/* One buffer, the longest unused. */
		done = ttm_device_swapout(&vdev->ttm, &ctx, GFP_KERNEL | __GFP_NOWARN);
		if (done <= 0)
			break;
		wanted -= done;
		cond_resched();
	}
}

static void swap_fini(struct drm_device *drm, void *data)
{
	struct vexport_swap *swap = data;

	shrinker_free(swap->shrinker);
	cancel_work_sync(&swap->work);
}

/**
 * vexport_swap_init - offer buffers to reclaim
 * @vdev: device, with all that a move needs
 *
 * Undone when the device is released.
 *
 * Return: 0, -ENOMEM.
 */
int vexport_swap_init(struct vexport_device *vdev)
{
	struct vexport_swap *swap = &vdev->swap;

	swap->shrinker = shrinker_alloc(0, "drm-vexport:%u", vdev->index);
	if (!swap->shrinker)
		return -ENOMEM;

	INIT_WORK(&swap->work, swap_work);
	swap->shrinker->count_objects = swap_count;
	swap->shrinker->scan_objects = swap_scan;
	swap->shrinker->private_data = swap;
	shrinker_register(swap->shrinker);
	return drmm_add_action_or_reset(&vdev->drm, swap_fini, swap);
}
