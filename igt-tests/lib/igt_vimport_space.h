/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VIMPORT_SPACE_H
#define IGT_VIMPORT_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include <drm/vimport_drm.h>

#include "igt_vexport.h"

struct vshare_session;

/* Pages that a space looks at, and pages of each of its buffers. */
#define SPACE_PAGES		24
#define SPACE_BUFFER_PAGES	32
#define SPACE_BUFFERS		2
#define SPACE_PAGE		4096ull

/* Which buffer is memory of this process after space_init_userptr(). */
#define SPACE_USERPTR		0

/**
 * struct space_page - what a page of the address space must be
 */
struct space_page {
	/** @buffer: Which buffer is mapped there, or -1. */
	int buffer;

	/** @page: Which page of it. */
	unsigned int page;

	/** @readonly: Whether the engine may only read. */
	bool readonly;
};

/**
 * struct space - a few pages of an address space, and what they must be
 *
 * They lie across the border between two page tables of each level. Offsets and sizes
 * are in pages, addresses count from the first of these pages.
 */
struct space {
	/** @fd: Device file of the GPU; not owned. */
	int fd;

	/** @vm: Address space. */
	uint32_t vm;

	/** @bo: The buffers, if they are not memory of this process. */
	struct vexport_bo bo[SPACE_BUFFERS];

	/** @mem: Where this process has the buffers. */
	uint64_t *mem[SPACE_BUFFERS];

	/** @hidden: Buffers of this process's memory that cannot be used now. */
	bool hidden[SPACE_BUFFERS];

	/** @handle: Their imports. */
	uint32_t handle[SPACE_BUFFERS];

	/** @scratch: Buffer that the engine copies to what it reads. */
	struct vexport_bo scratch;

	/** @page: The pages. */
	struct space_page page[SPACE_PAGES];

	/** @written: What the engine has last written to each page of each buffer. */
	uint64_t written[SPACE_BUFFERS][SPACE_BUFFER_PAGES];

	/** @sequence: Number of the last write. */
	uint64_t sequence;
};

void space_init(struct space *space, struct vshare_session *s, uint32_t placement);
void space_init_userptr(struct space *space, struct vshare_session *s, uint32_t placement);
void space_fini(struct space *space);
uint64_t space_va(unsigned int at);

void space_expect_map(struct space *space, unsigned int at, unsigned int count, int buffer,
		      unsigned int offset, uint32_t flags);
void space_expect_unmap(struct space *space, unsigned int at, unsigned int count);
void space_map(struct space *space, unsigned int at, unsigned int count, int buffer,
	       unsigned int offset, uint32_t flags);
void space_unmap(struct space *space, unsigned int at, unsigned int count);

int __space_bind_async(struct space *space, unsigned int at, unsigned int count, int buffer,
		       unsigned int offset, const struct drm_vimport_sync *syncs,
		       unsigned int sync_count);
void space_map_async(struct space *space, unsigned int at, unsigned int count, int buffer,
		     unsigned int offset, const struct drm_vimport_sync *sync);
void space_unmap_async(struct space *space, unsigned int at, unsigned int count,
		       const struct drm_vimport_sync *sync);

void space_take_away(struct space *space, unsigned int page, unsigned int count);
void space_hide(struct space *space, unsigned int page);
void space_show(struct space *space, unsigned int page);

int space_expect(const struct space *space, unsigned int at);
uint32_t space_access(struct space *space, unsigned int at, uint64_t delay_ns);
void space_check(struct space *space, const char *when);

#endif /* IGT_VIMPORT_SPACE_H */
