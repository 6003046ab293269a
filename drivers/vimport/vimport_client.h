/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_CLIENT_H_
#define _VIMPORT_CLIENT_H_

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/types.h>

struct drm_file;
struct drm_printer;
struct vimport_engine;

/**
 * struct vimport_client - what the engine has done for an open file
 *
 * The file holds a reference, and each of its address spaces, whose jobs may run
 * on when the file is closed.
 */
struct vimport_client {
	/** @ref: References. */
	struct kref ref;
	/** @engine_ns: Time that the engine has spent on jobs that are over. */
	atomic64_t engine_ns;
};

struct vimport_client *vimport_client_create(void);
struct vimport_client *vimport_client_get(struct vimport_client *client);
void vimport_client_put(struct vimport_client *client);
void vimport_client_account(struct vimport_engine *engine, struct vimport_client *client);
void vimport_client_show_fdinfo(struct drm_printer *p, struct drm_file *file);

#endif /* _VIMPORT_CLIENT_H_ */
