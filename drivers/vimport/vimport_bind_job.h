/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_BIND_JOB_H_
#define _VIMPORT_BIND_JOB_H_

#include <linux/workqueue.h>

#include "vimport_va.h"

struct vimport_job;
struct vimport_syncs;
struct vimport_vm;

/**
 * struct vimport_bind - what a job has that is a bind
 */
struct vimport_bind {
	/** @change: What it has changed in the VA tree, and is to take out of the page table. */
	struct vimport_va_change change;
	/** @release_work: Gives back what needs locks that the engine may not take. */
	struct delayed_work release_work;
};

struct vimport_job *vimport_bind_job_create(struct vimport_vm *vm, bool map, u64 size);
void vimport_bind_job_free(struct vimport_bind *bind);

int vimport_bind_job_init(struct vimport_job *job, struct vimport_syncs *syncs, u64 client_id);
int vimport_bind_job_prepare_locked(struct vimport_job *job);
void vimport_bind_job_commit_locked(struct vimport_job *job, struct vimport_syncs *syncs);
void vimport_bind_job_run(struct vimport_job *job);

#endif /* _VIMPORT_BIND_JOB_H_ */
