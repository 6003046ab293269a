/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VSHARE_H
#define IGT_VSHARE_H

#include <stdint.h>

#include <drm/vexport_drm.h>
#include <drm/vimport_drm.h>

#define VSHARE_MAX_GPUS		4
#define VSHARE_TIMEOUT_S	180

/*
 * Nanoseconds that the drivers may take for what their workers do soon, like freeing what a
 * closed file has left behind.
 */
#define VSHARE_SETTLE_NS	(20ull * NSEC_PER_SEC)

/**
 * struct vshare_gauges - everything that INFO says about both drivers
 */
struct vshare_gauges {
	struct drm_vexport_info exporter;
	struct drm_vimport_info gpu[VSHARE_MAX_GPUS];
};

/**
 * struct vshare_session - the device files that one subtest works with
 *
 * Every subtest has its own, so that closing it is the last step of the
 * subtest and whatever is then left in the drivers is a leak.
 */
struct vshare_session {
	int exporter;
	int gpus;
	int gpu[VSHARE_MAX_GPUS];
	struct vshare_gauges start;
};

/**
 * struct vshare_subtest - a row of a test program's table
 */
struct vshare_subtest {
	const char *name;
	const char *describe;
	void (*run)(struct vshare_session *s);
};

int vshare_open_render(const char *driver, int index);
int vshare_open_card(const char *driver);
int vshare_open_foreign_dmabuf(uint64_t size);
int vshare_open_vgem(void);
int vshare_next_fd(void);

bool vshare_child_has_ended(void);

void vshare_session_begin(struct vshare_session *s);
void vshare_session_end(struct vshare_session *s);
void vshare_session_check_last(void);
void vshare_session_gauges(const struct vshare_session *s, struct vshare_gauges *gauges);
void vshare_run_subtests(const struct vshare_subtest *table, unsigned int count);

void __vshare_refused(const struct vshare_session *s, int fd, unsigned long request, void *arg,
		      int err, const char *what, int line);

/**
 * vshare_refused - a call fails with exactly this errno and changes nothing
 * @s: the session
 * @fd: device file to call
 * @request: the ioctl
 * @arg: its argument
 * @err: the errno, positive
 *
 * Nothing else may be going on meanwhile: all counters of both drivers are
 * compared.
 */
#define vshare_refused(s, fd, request, arg, err) \
	__vshare_refused(s, fd, request, arg, err, #request, __LINE__)

#endif /* IGT_VSHARE_H */
