/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_RESET_H_
#define _VIMPORT_RESET_H_

struct vimport_engine;
struct vimport_job;

void vimport_reset_init(struct vimport_engine *engine);
void vimport_reset_fini(struct vimport_engine *engine);
void vimport_reset_watch_locked(struct vimport_engine *engine, struct vimport_job *job);
void vimport_reset_wait(struct vimport_engine *engine, struct vimport_job *job);

#endif /* _VIMPORT_RESET_H_ */
