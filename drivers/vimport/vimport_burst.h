/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_BURST_H_
#define _VIMPORT_BURST_H_

#include <linux/types.h>

struct drm_vimport_cmd;
struct vimport_vm;

/**
 * struct vimport_cursor - how far a job has come
 */
struct vimport_cursor {
	/** @cmd: Commands that are done. */
	u32 cmd;
	/** @pos: Bytes of the next one that are done. */
	u64 pos;
	/** @hash: CHECKSUM: over these bytes. */
	u64 hash;
};

/**
 * struct vimport_access - an access to memory that had no translation
 */
struct vimport_access {
	/** @va: Address. */
	u64 va;
	/** @write: It is a store. */
	bool write;
};

int vimport_burst_run(struct vimport_vm *vm, const struct drm_vimport_cmd *cmd,
		      struct vimport_cursor *cursor, struct vimport_access *fault);
int vimport_burst_store_fence(struct vimport_vm *vm, u64 va, u64 value, s64 error,
			      struct vimport_access *fault);

#endif /* _VIMPORT_BURST_H_ */
