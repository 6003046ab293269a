/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_STARVE_H
#define IGT_STARVE_H

/**
 * enum starve_kind - what the kernel can run out of
 */
enum starve_kind {
	STARVE_SLAB,
	STARVE_PAGES,
	STARVE_KINDS,
};

/**
 * struct starve - which allocations of a call fail
 */
struct starve {
	/** @kind: What it runs out of. */
	enum starve_kind kind;

	/** @nth: Every n-th allocation of that kind fails. */
	unsigned int nth;
};

unsigned int starve_first(enum starve_kind kind);
const char *starve_name(enum starve_kind kind);
void starve_prepare(void);
int starve_ioctl(const struct starve *starve, int fd, unsigned long request, void *arg);
void starve_stop(int sig);

#endif /* IGT_STARVE_H */
