/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VIMPORT_HMM_H_
#define _VIMPORT_HMM_H_

#include <linux/types.h>

struct vimport_segs;
struct vimport_userptr;

/**
 * enum vimport_hmm_bring - who is to bring pages that are not there
 */
enum vimport_hmm_bring {
	/** @VIMPORT_HMM_NOBODY: Nobody but the kernel. */
	VIMPORT_HMM_NOBODY,

	/** @VIMPORT_HMM_OTHERS: Somebody in userspace, but not the one that is needed. */
	VIMPORT_HMM_OTHERS,

	/** @VIMPORT_HMM_BROUGHT: He is to bring the one that is needed, and has. */
	VIMPORT_HMM_BROUGHT,
};

int vimport_hmm_fault(struct vimport_userptr *userptr, u64 offset, u64 size,
		      struct vimport_segs *segs, unsigned long *seq);

int vimport_hmm_bring(struct vimport_userptr *userptr, u64 page, u64 offset, u64 size);

#endif /* _VIMPORT_HMM_H_ */
