// SPDX-License-Identifier: GPL-2.0-only
/* Copyright (C) 2026 The vshare authors */

#include <linux/bits.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vimport_cmd.h"
#include "vimport_pt.h"

/*
 * Estimated times: high enough for a machine that is emulated. Without those
 * that are fixed, any number of jobs that do nothing would count as no work.
 */
#define NS_PER_JOB	(100 * NSEC_PER_USEC)
#define NS_PER_CMD	NSEC_PER_USEC
#define NS_PER_BYTE	4

static bool range_valid(u64 va, u64 size)
{
	u64 max = BIT_ULL(VIMPORT_VA_BITS);

	return size && IS_ALIGNED(va | size, sizeof(u64)) && va < max && size <= max - va;
}

static bool ranges_overlap(u64 a, u64 b, u64 size)
{
	return a < b + size && b < a + size;
}

static bool cmd_valid(const struct drm_vimport_cmd *cmd, bool faulting)
{
	if (cmd->flags)
		return false;

	switch (cmd->op) {
	case DRM_VIMPORT_OP_FILL:
	case DRM_VIMPORT_OP_ADD:
		return range_valid(cmd->va, cmd->size) && !cmd->src;
	case DRM_VIMPORT_OP_COPY:
		return range_valid(cmd->va, cmd->size) && range_valid(cmd->src, cmd->size) &&
		       !ranges_overlap(cmd->va, cmd->src, cmd->size) && !cmd->value;
	case DRM_VIMPORT_OP_TAG:
		return range_valid(cmd->va, cmd->size) && !cmd->src &&
		       cmd->size / sizeof(u64) <= BIT_ULL(DRM_VIMPORT_TAG_INDEX_BITS) &&
		       IS_ALIGNED(cmd->value, BIT_ULL(DRM_VIMPORT_TAG_INDEX_BITS));
	case DRM_VIMPORT_OP_CHECKSUM:
		return range_valid(cmd->va, sizeof(u64)) && range_valid(cmd->src, cmd->size) &&
		       !cmd->value;
	case DRM_VIMPORT_OP_DELAY:
		return !cmd->va && !cmd->src && !cmd->size;
	case DRM_VIMPORT_OP_WAIT:
		return faulting && range_valid(cmd->va, cmd->size) &&
		       cmd->size == sizeof(u64) && !cmd->src;
	default:
		/* OP_WAIT among them: the fence would wait for whoever writes that word. */
		return false;
	}
}

/**
 * vimport_cmd_parse - take the commands of a job from userspace
 * @cmds: where they go; to be freed with vimport_cmd_free()
 * @args: arguments of the EXEC ioctl
 * @faulting: whether the job may wait for memory
 *
 * Return: 0, -EINVAL, -E2BIG, -EFAULT or -ENOMEM as the user interface
 * documents.
 */
int vimport_cmd_parse(struct vimport_cmds *cmds, const struct drm_vimport_exec *args,
		      bool faulting)
{
	struct drm_vimport_cmd *cmd;
	u64 bytes = 0, delay = 0;
	int ret = 0;
	u32 i;

	if (!args->cmd_count || args->cmd_stride != sizeof(*cmd))
		return -EINVAL;
	if (args->cmd_count > VIMPORT_MAX_CMDS)
		return -E2BIG;

	/* The job keeps them until it is freed, so they are the caller's to pay for. */
	cmd = kvmalloc_array(args->cmd_count, sizeof(*cmd), GFP_KERNEL_ACCOUNT);
	if (!cmd)
		return -ENOMEM;
	if (copy_from_user(cmd, u64_to_user_ptr(args->cmds),
			   array_size(args->cmd_count, sizeof(*cmd)))) {
		ret = -EFAULT;
		goto err_free;
	}

	for (i = 0; i < args->cmd_count; i++) {
		if (!cmd_valid(&cmd[i], faulting)) {
			ret = -EINVAL;
			goto err_free;
		}

		/* Checked one by one, so that no sum can overflow. */
		if (cmd[i].op == DRM_VIMPORT_OP_DELAY) {
			if (cmd[i].value > VIMPORT_MAX_JOB_NS - delay)
				ret = -E2BIG;
			else
				delay += cmd[i].value;
		} else {
			if (cmd[i].size > VIMPORT_MAX_JOB_BYTES - bytes)
				ret = -E2BIG;
			else
				bytes += cmd[i].size;
		}
	}
	if (ret)
		goto err_free;

	cmds->cmd = cmd;
	cmds->count = args->cmd_count;
	cmds->cost_ns = NS_PER_JOB + args->cmd_count * NS_PER_CMD + bytes * NS_PER_BYTE + delay;
	return 0;

err_free:
	kvfree(cmd);
	return ret;
}

/**
 * vimport_cmd_free - free the commands of a job
 * @cmds: commands
 */
void vimport_cmd_free(struct vimport_cmds *cmds)
{
	kvfree(cmds->cmd);
}
