/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_FAULT_H_
#define _VIMPORT_FAULT_H_

struct vimport_lr_job;

int vimport_fault_serve(struct vimport_lr_job *job);

#endif /* _VIMPORT_FAULT_H_ */
