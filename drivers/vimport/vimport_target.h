/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_TARGET_H_
#define _VIMPORT_TARGET_H_

#include <linux/compiler_types.h>

struct device;

struct device *vimport_target_find(const char __user *user_name);

#endif /* _VIMPORT_TARGET_H_ */
