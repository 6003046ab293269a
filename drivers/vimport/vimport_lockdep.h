/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_LOCKDEP_H_
#define _VIMPORT_LOCKDEP_H_

struct vimport_device;

int vimport_lockdep_prime(struct vimport_device *vdev);

#endif /* _VIMPORT_LOCKDEP_H_ */
