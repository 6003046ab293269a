// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

/**
 * DOC: fdinfo
 *
 * A GPU has one engine, and a file's use of it is the time during which the
 * engine had a job of the file in its hands, in the keys of
 * Documentation/gpu/drm-usage-stats.rst. What a job waits for before that does not
 * count. There is no memory in it: what the engine works on is that of exporters and
 * of processes, which count it already.
 */

#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include <linux/ktime.h>
#include <linux/slab.h>

#include "vimport_client.h"
#include "vimport_drv.h"
#include "vimport_engine.h"

/**
 * vimport_client_create - begin to count for a file
 *
 * Return: a client with one reference, or NULL without memory.
 */
struct vimport_client *vimport_client_create(void)
{
	struct vimport_client *client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);

	if (client)
		kref_init(&client->ref);
	return client;
}

/**
 * vimport_client_get - take a reference
 * @client: client
 *
 * Return: @client.
 */
struct vimport_client *vimport_client_get(struct vimport_client *client)
{
	kref_get(&client->ref);
	return client;
}

static void release(struct kref *ref)
{
	kfree(container_of(ref, struct vimport_client, ref));
}

/**
 * vimport_client_put - drop a reference
 * @client: client; may be NULL, for an address space of no file
 */
void vimport_client_put(struct vimport_client *client)
{
	if (client)
		kref_put(&client->ref, release);
}

/**
 * vimport_client_account - the time of an engine is somebody else's from now on
 * @engine: engine
 * @client: whose, with a reference that lasts until the next call; NULL if nobody's
 *
 * In the fence-signalling path.
 */
void vimport_client_account(struct vimport_engine *engine, struct vimport_client *client)
{
	ktime_t now = ktime_get();

	spin_lock_bh(&engine->lock);
	if (engine->client)
		atomic64_add(ktime_to_ns(ktime_sub(now, engine->since)),
			     &engine->client->engine_ns);
	engine->client = client;
	engine->since = now;
	spin_unlock_bh(&engine->lock);
}

/* With the time of the job that is running, or long jobs would show only afterwards. */
static u64 engine_ns(struct vimport_engine *engine, struct vimport_client *client)
{
	u64 ns;

	spin_lock_bh(&engine->lock);
	ns = atomic64_read(&client->engine_ns);
	if (engine->client == client)
		ns += ktime_to_ns(ktime_sub(ktime_get(), engine->since));
	spin_unlock_bh(&engine->lock);
	return ns;
}

/**
 * vimport_client_show_fdinfo - tell how long the engine has worked for a file
 * @p: where to print
 * @file: the file
 */
void vimport_client_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct vimport_device *vdev = to_vimport_device(file->minor->dev);
	struct vimport_file *vfile = file->driver_priv;

	drm_printf(p, "drm-engine-gpu:\t%llu ns\n",
		   engine_ns(&vdev->engine, vfile->client));
}
