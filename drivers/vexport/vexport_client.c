// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cred.h>
#include <linux/slab.h>

#include "vexport_client.h"

/**
 * DOC: clients
 *
 * Who is charged for what importers pin is the user who had them attach: the real
 * user ID of the process, as for memory that io_uring pins. A process cannot get
 * away from it by opening a device again or by forking, and an attachment that
 * outlives the process stays charged to its user.
 *
 * A user who may choose among several IDs, as root of a user namespace may, has as
 * many clients. What all of them may pin together is limited, too.
 */

/**
 * vexport_client_init - nobody has attached yet
 * @clients: clients of a device
 */
void vexport_client_init(struct vexport_clients *clients)
{
	spin_lock_init(&clients->lock);
	hash_init(clients->table);
}

static struct vexport_client *find_locked(struct vexport_clients *clients, kuid_t uid)
{
	struct vexport_client *client;

	lockdep_assert_held(&clients->lock);

	hash_for_each_possible(clients->table, client, node, __kuid_val(uid)) {
		if (uid_eq(client->uid, uid))
			return client;
	}
	return NULL;
}

/**
 * vexport_client_get - the present process attaches
 * @clients: clients of the device
 *
 * Return: its client, for vexport_client_put() when the attachment goes, or NULL if
 * there is no memory.
 */
struct vexport_client *vexport_client_get(struct vexport_clients *clients)
{
	struct vexport_client *client, *fresh;

	/* Before it is known whether it is needed: not under a spinlock. */
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return NULL;
	fresh->uid = current_uid();

	spin_lock(&clients->lock);
	client = find_locked(clients, fresh->uid);
	if (!client) {
		client = fresh;
		hash_add(clients->table, &client->node, __kuid_val(client->uid));
	}
	client->attachments++;
	spin_unlock(&clients->lock);

	if (client != fresh)
		kfree(fresh);
	return client;
}

/**
 * vexport_client_put - an attachment goes
 * @clients: clients of the device
 * @client: whose it was
 */
void vexport_client_put(struct vexport_clients *clients, struct vexport_client *client)
{
	bool last;

	spin_lock(&clients->lock);
	last = !--client->attachments;
	if (last)
		hash_del(&client->node);
	spin_unlock(&clients->lock);

	if (last)
		kfree(client);
}

/**
 * vexport_client_pinned - what importers hold pinned for the present process's user
 * @clients: clients of the device
 *
 * Return: bytes.
 */
u64 vexport_client_pinned(struct vexport_clients *clients)
{
	struct vexport_client *client;
	u64 pinned;

	spin_lock(&clients->lock);
	client = find_locked(clients, current_uid());
	pinned = client ? atomic64_read(&client->pinned) : 0;
	spin_unlock(&clients->lock);
	return pinned;
}
