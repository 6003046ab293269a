/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_CLIENT_H_
#define _VEXPORT_CLIENT_H_

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>

/**
 * struct vexport_client - a user, and what importers hold pinned for him
 */
struct vexport_client {
	/** @node: Entry in &vexport_clients.table. */
	struct hlist_node node;
	/** @uid: The user. */
	kuid_t uid;
	/** @attachments: His attachments, which hold this. Protected by &vexport_clients.lock. */
	unsigned int attachments;
	/** @pinned: Bytes in buffers that they pin, each buffer once. */
	atomic64_t pinned;
};

/**
 * struct vexport_clients - users that have attachments to buffers of a device
 */
struct vexport_clients {
	/** @lock: Protects @table. */
	spinlock_t lock;
	/** @table: &vexport_client.node, by &vexport_client.uid. */
	DECLARE_HASHTABLE(table, 6);
};

void vexport_client_init(struct vexport_clients *clients);
struct vexport_client *vexport_client_get(struct vexport_clients *clients);
void vexport_client_put(struct vexport_clients *clients, struct vexport_client *client);
u64 vexport_client_pinned(struct vexport_clients *clients);

#endif /* _VEXPORT_CLIENT_H_ */
