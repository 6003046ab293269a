/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_CMD_H_
#define _VIMPORT_CMD_H_

#include <drm/vimport_drm.h>

#include <linux/sizes.h>
#include <linux/time64.h>

/* Limits of one job. They bound the time that its fence takes to signal. */
#define VIMPORT_MAX_CMDS	64
#define VIMPORT_MAX_JOB_BYTES	SZ_64M
#define VIMPORT_MAX_JOB_NS	(500 * NSEC_PER_MSEC)

/**
 * struct vimport_cmds - the commands of a job
 */
struct vimport_cmds {
	/** @cmd: The commands, checked. */
	struct drm_vimport_cmd *cmd;
	/** @count: How many they are. */
	u32 count;
	/** @cost_ns: Estimated time that they and the job as such take. */
	u64 cost_ns;
};

int vimport_cmd_parse(struct vimport_cmds *cmds, const struct drm_vimport_exec *args,
		      bool faulting);
void vimport_cmd_free(struct vimport_cmds *cmds);

#endif /* _VIMPORT_CMD_H_ */
