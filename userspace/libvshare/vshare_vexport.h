/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _VSHARE_VEXPORT_H_
#define _VSHARE_VEXPORT_H_

#include <stddef.h>
#include <stdint.h>

#include "vexport_drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/*
 * vexport.c: memory that moves
 *
 * dev is a file descriptor of a vexport device, dmabuf that of a dma-buf which
 * the same device exported. The errors are those of vexport_drm.h. A device of
 * another driver is not found out: DRM tells drivers' ioctls apart by nothing
 * but the file that they are made on.
 */

/**
 * vshare_vexport_info() - facts and counters of an exporter
 * @dev: vexport device
 * @info: filled in
 *
 * Return: zero; -ENOTTY if @dev is not a DRM device.
 */
int vshare_vexport_info(int dev, struct drm_vexport_info *info);

/**
 * vshare_vexport_create() - create a buffer
 * @dev: vexport device
 * @size: size wanted; on return rounded up to whole pages
 * @placement: one of enum drm_vexport_placement
 * @flags: mask of DRM_VEXPORT_GEM_*
 * @handle: GEM handle, to be closed with vshare_handle_close()
 *
 * Return: zero; -EINVAL; -ENOMEM if there is no room.
 */
int vshare_vexport_create(int dev, uint64_t *size, uint32_t placement, uint32_t flags,
			  uint32_t *handle);

/**
 * vshare_vexport_mmap() - map a buffer through the device
 * @dev: vexport device
 * @handle: GEM handle
 * @size: bytes to map
 * @map: address, to be unmapped with munmap()
 *
 * The mapping follows the buffer when it moves.
 *
 * Return: zero; -ENOENT for a handle that is not of this file; -ENOMEM.
 */
int vshare_vexport_mmap(int dev, uint32_t handle, size_t size, void **map);

/**
 * vshare_vexport_export() - export a buffer as a dma-buf
 * @dev: vexport device
 * @handle: GEM handle
 *
 * Return: file descriptor, which the caller closes, or a negative errno.
 */
int vshare_vexport_export(int dev, uint32_t handle);

/**
 * vshare_vexport_alloc() - create a buffer that exists only as a dma-buf
 * @dev: vexport device
 * @size: size wanted; on return rounded up to whole pages
 * @placement: one of enum drm_vexport_placement
 * @flags: mask of DRM_VEXPORT_GEM_*
 *
 * Return: dma-buf file descriptor, which the caller closes, or a negative
 * errno. The buffer is gone when the last user of the dma-buf is.
 */
int vshare_vexport_alloc(int dev, uint64_t *size, uint32_t placement, uint32_t flags);

/**
 * vshare_vexport_query() - state and verdict of one buffer
 * @dev: vexport device
 * @dmabuf: the buffer
 * @query: filled in
 *
 * Return: zero; -EBADF; -EINVAL for a descriptor that is not a dma-buf of @dev.
 */
int vshare_vexport_query(int dev, int dmabuf, struct drm_vexport_bo_query *query);

/**
 * vshare_vexport_move() - move one buffer
 * @dev: vexport device
 * @dmabuf: the buffer
 * @placement: target; zero with %DRM_VEXPORT_MOVE_RELOCATE
 * @flags: %DRM_VEXPORT_MOVE_RELOCATE, %DRM_VEXPORT_MOVE_ASYNC
 * @generation: generation after the call, may be NULL
 *
 * Return: zero; -EBADF; -EINVAL; -EBUSY if the buffer is pinned; -ENODEV if it is
 * revoked; -ENOMEM if the target has no room.
 */
int vshare_vexport_move(int dev, int dmabuf, uint32_t placement, uint32_t flags,
			uint64_t *generation);

/**
 * vshare_vexport_revoke() - take a buffer away from everybody, or give it back
 * @dev: vexport device
 * @dmabuf: the buffer
 * @state: one of enum drm_vexport_revoke_state
 * @timeout: nanoseconds from now to wait for importers to unmap; not used with
 *	%DRM_VEXPORT_REVOKE_NONE
 * @maps: mappings that are still held when the wait is over, may be NULL
 *
 * Return: zero, also if importers have not let go in time; -EBADF; -EINVAL; -EPERM
 * if the caller has no CAP_SYS_ADMIN and did not create the buffer through @dev;
 * -ENODEV if the buffer is revoked for good and another state is asked for.
 */
int vshare_vexport_revoke(int dev, int dmabuf, uint32_t state, uint64_t timeout, uint32_t *maps);

/**
 * vshare_vexport_storm() - have buffers moved until a descriptor is closed
 * @dev: vexport device
 * @dmabufs: the buffers, all of @dev
 * @count: elements of @dmabufs, at most %DRM_VEXPORT_STORM_MAX_FDS
 * @kinds: mask of DRM_VEXPORT_STORM_*
 * @rate: moves per second, at most %DRM_VEXPORT_STORM_MAX_RATE
 * @seed: what to draw from, zero to have one chosen; on return the seed
 *
 * Return: file descriptor of the storm, which goes on until the caller closes
 * it; -EBADF; -EINVAL; -ENOSPC if the device has too many storms.
 */
int vshare_vexport_storm(int dev, const int *dmabufs, unsigned int count, uint32_t kinds,
			 uint32_t rate, uint64_t *seed);

/**
 * vshare_vexport_storm_read() - what a storm has done so far
 * @storm: descriptor of vshare_vexport_storm()
 * @counters: filled in
 *
 * Return: zero, or a negative errno.
 */
int vshare_vexport_storm_read(int storm, struct drm_vexport_storm_counters *counters);

/*
 * verdict.c: what importers have done
 */

/**
 * vshare_vexport_verdict() - what the importers of one buffer have done
 * @dev: vexport device
 * @dmabuf: the buffer
 * @timeout: nanoseconds from now to wait for fences and for importers to unmap what the
 *	buffer has left
 * @verdict: filled in; its input members are not looked at
 * @rows: array to fill with a row for each attachment, may be NULL if @max is zero
 * @max: elements of @rows
 *
 * Return: number of rows that there are, which may be more than @max; -EBADF; -EINVAL
 * for a descriptor that is not a dma-buf of @dev; -ENOMEM.
 */
int vshare_vexport_verdict(int dev, int dmabuf, uint64_t timeout,
			   struct drm_vexport_bo_verdict *verdict,
			   struct drm_vexport_attachment_info *rows, unsigned int max);

/**
 * vshare_rule_name() - what a rule of the contract is called
 * @bit: number of the bit in enum drm_vexport_rule, from zero
 *
 * Return: "stale-write", "late-unmap" and so on, which is not to be freed; NULL for a bit
 * that has no meaning.
 */
const char *vshare_rule_name(unsigned int bit);

/*
 * profile.c: exporters that are difficult, within the law
 */

/**
 * vshare_profile_find() - what it takes to be like some exporter
 * @name: "amdgpu", "xe" or "vfio" for the habits of that driver, as of Linux 7.1; "nasty"
 *	for everything at once that an importer has to cope with; "none"
 * @profile: filled in, for vshare_vexport_set_profile()
 *
 * Return: zero; -ENOENT for a name that is none of these.
 */
int vshare_profile_find(const char *name, struct drm_vexport_bo_profile *profile);

/**
 * vshare_profile_name() - the names that vshare_profile_find() knows
 * @nth: from zero
 *
 * Return: the name, which is not to be freed; NULL after the last.
 */
const char *vshare_profile_name(unsigned int nth);

/**
 * vshare_nasty_name() - what a bit of a profile is called
 * @bit: number of the bit, from zero: DRM_VEXPORT_NASTY_PAGELESS is bit zero
 *
 * Return: "pageless", "map-busy" and so on, which is not to be freed; NULL for a bit that
 * has no meaning.
 */
const char *vshare_nasty_name(unsigned int bit);

/**
 * vshare_vexport_set_profile() - have one buffer be difficult
 * @dev: vexport device, the file that created the buffer unless the caller has CAP_SYS_ADMIN
 * @dmabuf: the buffer
 * @profile: what to do from now on; fd, flags and acted are not looked at
 *
 * Return: zero; -EBADF; -EINVAL; -EPERM.
 */
int vshare_vexport_set_profile(int dev, int dmabuf, const struct drm_vexport_bo_profile *profile);

/**
 * vshare_vexport_get_profile() - how difficult a buffer is, and what came of it
 * @dev: vexport device
 * @dmabuf: the buffer
 * @profile: filled in, with how often each bit has acted
 *
 * Return: zero; -EBADF; -EINVAL for a descriptor that is not a dma-buf of @dev.
 */
int vshare_vexport_get_profile(int dev, int dmabuf, struct drm_vexport_bo_profile *profile);

#if defined(__cplusplus)
}
#endif

#endif /* _VSHARE_VEXPORT_H_ */
