// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <time.h>

#include "igt.h"
#include "igt_fault.h"
#include "igt_vexport.h"
#include "igt_vshare.h"

/**
 * __vexport_open - open the exporter's render node
 *
 * Returns the file or -1.
 */
int __vexport_open(void)
{
	return vshare_open_render("vexport", 0);
}

/**
 * vexport_open - open the exporter's render node, or skip
 */
int vexport_open(void)
{
	int fd = __vexport_open();

	igt_require_f(fd >= 0, "No device of vexport: load vexport.ko\n");
	return fd;
}

void vexport_get_info(int fd, struct drm_vexport_info *info)
{
	memset(info, 0, sizeof(*info));
	do_ioctl(fd, DRM_IOCTL_VEXPORT_INFO, info);
}

int __vexport_gem_create(int fd, struct drm_vexport_gem_create *create)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_GEM_CREATE, create) ? -errno : 0;
}

uint32_t vexport_gem_create(int fd, uint64_t size, uint32_t placement, uint32_t flags)
{
	struct drm_vexport_gem_create create = {
		.size = size,
		.placement = placement,
		.flags = flags,
	};

	igt_assert_eq(__vexport_gem_create(fd, &create), 0);
	igt_assert(create.handle);
	return create.handle;
}

/**
 * vexport_gem_export - make a dma-buf of a buffer that PRIME knows nothing of
 * @fd: device file of the exporter
 * @handle: GEM handle
 */
int vexport_gem_export(int fd, uint32_t handle)
{
	struct drm_vexport_gem_export args = {
		.handle = handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
	};

	do_ioctl(fd, DRM_IOCTL_VEXPORT_GEM_EXPORT, &args);
	igt_assert_fd(args.fd);
	return args.fd;
}

uint64_t vexport_gem_mmap_offset(int fd, uint32_t handle)
{
	struct drm_vexport_gem_mmap_offset args = { .handle = handle };

	do_ioctl(fd, DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET, &args);
	return args.offset;
}

void *vexport_gem_mmap(int fd, uint32_t handle, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 vexport_gem_mmap_offset(fd, handle));

	igt_assert_f(map != MAP_FAILED, "mmap() of a GEM handle failed: %m\n");
	return map;
}

void *vexport_dmabuf_mmap(int dmabuf, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);

	igt_assert_f(map != MAP_FAILED, "mmap() of a dma-buf failed: %m\n");
	return map;
}

int __vexport_query(int fd, struct drm_vexport_bo_query *query)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_BO_QUERY, query) ? -errno : 0;
}

void vexport_query(int fd, int dmabuf, struct drm_vexport_bo_query *query)
{
	memset(query, 0, sizeof(*query));
	query->fd = dmabuf;
	igt_assert_eq(__vexport_query(fd, query), 0);
}

/**
 * vexport_wait_attachments - wait until a buffer has so few attachments
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 * @count: how many
 *
 * An importer's last reference to a buffer may go in a worker, after its jobs.
 */
void vexport_wait_attachments(int fd, int dmabuf, uint32_t count)
{
	struct drm_vexport_bo_query query;
	struct timespec since = {};

	do {
		vexport_query(fd, dmabuf, &query);
	} while (query.attachments > count && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS &&
		 !usleep(500));
	igt_assert_eq_u32(query.attachments, count);
}

/**
 * vexport_maps - how many mappings of a buffer importers have
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 */
uint32_t vexport_maps(int fd, int dmabuf)
{
	struct drm_vexport_bo_query query;

	vexport_query(fd, dmabuf, &query);
	return query.maps;
}

/**
 * vexport_wait_given_back - wait until no importer has a buffer mapped
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 *
 * Importers leave to workers what nobody waits for.
 */
void vexport_wait_given_back(int fd, int dmabuf)
{
	struct timespec since = {};

	while (vexport_maps(fd, dmabuf) && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS)
		usleep(1000);
	igt_assert_eq_u32(vexport_maps(fd, dmabuf), 0);
}

/**
 * vexport_wait_dmabufs - wait until a buffer has so few dma-bufs
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 * @count: how many
 *
 * An importer drops its dma-buf some time after it has detached, and the core releases
 * one of which the last descriptor was closed later still.
 */
void vexport_wait_dmabufs(int fd, int dmabuf, uint32_t count)
{
	struct drm_vexport_bo_query query;
	struct timespec since = {};

	do {
		vexport_query(fd, dmabuf, &query);
	} while (query.dmabufs > count && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS &&
		 !usleep(500));
	igt_assert_eq_u32(query.dmabufs, count);
}

int __vexport_move(int fd, struct drm_vexport_bo_move *move)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_BO_MOVE, move) ? -errno : 0;
}

/**
 * vexport_move - move a buffer, which must succeed
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 * @placement: where to; ignored with %DRM_VEXPORT_MOVE_RELOCATE
 * @flags: mask of DRM_VEXPORT_MOVE_*
 *
 * Returns the buffer's generation after the move.
 */
uint64_t vexport_move(int fd, int dmabuf, uint32_t placement, uint32_t flags)
{
	struct drm_vexport_bo_move move = {
		.fd = dmabuf,
		.placement = flags & DRM_VEXPORT_MOVE_RELOCATE ? 0 : placement,
		.flags = flags,
	};
	int ret = __vexport_move(fd, &move);

	igt_assert_f(!ret, "Moving a buffer (placement %s, flags %#x) failed: %s\n",
		     vexport_placement_name(placement), flags, strerror(-ret));
	return move.generation;
}

/**
 * vexport_deadline - a time-out as the ioctls want it
 * @timeout_ms: how long from now; zero is not to wait
 */
uint64_t vexport_deadline(unsigned int timeout_ms)
{
	struct timespec now;

	if (!timeout_ms)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec + timeout_ms * NSEC_PER_MSEC;
}

int __vexport_verdict(int fd, struct drm_vexport_bo_verdict *verdict)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_BO_VERDICT, verdict) ? -errno : 0;
}

/**
 * vexport_verdict - what the importers of a buffer have done
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 * @timeout_ms: how long to wait for them to unmap what it has left
 * @verdict: Output: without rows
 */
void vexport_verdict(int fd, int dmabuf, unsigned int timeout_ms,
		     struct drm_vexport_bo_verdict *verdict)
{
	*verdict = (struct drm_vexport_bo_verdict){
		.fd = dmabuf,
		.timeout_nsec = vexport_deadline(timeout_ms),
	};
	igt_assert_eq(__vexport_verdict(fd, verdict), 0);
}

int __vexport_revoke(int fd, struct drm_vexport_bo_revoke *revoke)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_BO_REVOKE, revoke) ? -errno : 0;
}

/**
 * vexport_revoke - take a buffer away or give it back, which must succeed
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 * @state: one of enum drm_vexport_revoke_state
 * @timeout_ms: how long to wait for importers
 *
 * Returns how many mappings are still held.
 */
uint32_t vexport_revoke(int fd, int dmabuf, uint32_t state, unsigned int timeout_ms)
{
	struct drm_vexport_bo_revoke revoke = {
		.fd = dmabuf,
		.state = state,
		.timeout_nsec = vexport_deadline(timeout_ms),
	};
	int ret = __vexport_revoke(fd, &revoke);

	igt_assert_f(!ret, "Bringing a buffer to revoke state %u failed: %s\n", state,
		     strerror(-ret));
	return revoke.maps;
}

/* What the parameters were that a test has changed. */
static struct {
	char path[80];
	char value[32];
} saved[4];

static void write_parameter(const char *path, const char *value)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, value, strlen(value)) < 0)
		igt_warn("%s cannot be set to %s: %m\n", path, value);
	if (file >= 0)
		close(file);
}

/**
 * vexport_set_parameter - change a parameter of the module
 * @name: its name
 * @value: what to
 *
 * Skips the subtest if that cannot be. vexport_restore_parameters() undoes it, and is
 * to be installed as an exit handler by whoever calls this.
 */
void vexport_set_parameter(const char *name, unsigned int value)
{
	char path[sizeof(saved[0].path)], text[16];
	unsigned int i;
	ssize_t len;
	int file;

	snprintf(path, sizeof(path), "/sys/module/vexport/parameters/%s", name);
	file = open(path, O_RDWR | O_CLOEXEC);
	igt_require_f(file >= 0, "Needs root, to write %s: %m\n", path);
	for (i = 0; i < ARRAY_SIZE(saved) && saved[i].path[0]; i++) {
		if (!strcmp(saved[i].path, path))
			break;
	}
	igt_assert(i < ARRAY_SIZE(saved));
	if (!saved[i].path[0]) {
		len = read(file, saved[i].value, sizeof(saved[i].value) - 1);
		igt_assert_lt(0, len);
		snprintf(saved[i].path, sizeof(saved[i].path), "%s", path);
	}
	snprintf(text, sizeof(text), "%u", value);
	igt_assert_eq(pwrite(file, text, strlen(text), 0), strlen(text));
	close(file);
}

void vexport_restore_parameters(int sig)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(saved) && saved[i].path[0]; i++)
		write_parameter(saved[i].path, saved[i].value);
}

int __vexport_profile(int fd, struct drm_vexport_bo_profile *profile)
{
	return drmIoctl(fd, DRM_IOCTL_VEXPORT_BO_PROFILE, profile) ? -errno : 0;
}

/**
 * vexport_set_profile - have a buffer be difficult, which must succeed
 * @fd: device file of the exporter
 * @dmabuf: the buffer
 * @profile: how; its descriptor is not looked at
 */
void vexport_set_profile(int fd, int dmabuf, const struct drm_vexport_bo_profile *profile)
{
	struct drm_vexport_bo_profile args = *profile;
	int ret;

	args.fd = dmabuf;
	ret = __vexport_profile(fd, &args);
	igt_assert_f(!ret, "Profile %#x was refused: %s\n", profile->nasty, strerror(-ret));
}

void vexport_get_profile(int fd, int dmabuf, struct drm_vexport_bo_profile *profile)
{
	*profile = (struct drm_vexport_bo_profile) {
		.fd = dmabuf,
		.flags = DRM_VEXPORT_PROFILE_GET,
	};
	igt_assert_eq(__vexport_profile(fd, profile), 0);
}

static sigjmp_buf bus_error;

static void on_sigbus(int sig)
{
	siglongjmp(bus_error, 1);
}

/**
 * vexport_touch - does the CPU get at a word of a mapping?
 * @word: the word
 * @write: spoil it instead of reading it
 *
 * Returns false if that gives SIGBUS.
 */
bool vexport_touch(uint64_t *word, bool write)
{
	struct sigaction action = { .sa_handler = on_sigbus }, old;
	volatile bool reached = false;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(bus_error, 1)) {
		if (write)
			WRITE_ONCE(*word, 0xdead);
		else
			(void)READ_ONCE(*word);
		reached = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return reached;
}

const char *vexport_placement_name(uint32_t placement)
{
	static const char * const names[] = {
		[DRM_VEXPORT_PLACEMENT_SYSTEM] = "system",
		[DRM_VEXPORT_PLACEMENT_TT] = "tt",
		[DRM_VEXPORT_PLACEMENT_VRAM] = "vram",
	};

	return placement < ARRAY_SIZE(names) ? names[placement] : "nowhere";
}

/**
 * vexport_bo_init - create a buffer, export it and map it
 * @bo: the buffer to fill in
 * @fd: device file of the exporter
 * @size: size, in whole pages
 * @placement: where it starts
 * @flags: mask of DRM_VEXPORT_GEM_*
 */
void vexport_bo_init(struct vexport_bo *bo, int fd, size_t size, uint32_t placement,
		     uint32_t flags)
{
	bo->fd = fd;
	bo->size = size;
	bo->handle = vexport_gem_create(fd, size, placement, flags);
	bo->dmabuf = prime_handle_to_fd_for_mmap(fd, bo->handle);
	igt_assert_fd(bo->dmabuf);
	bo->map = vexport_dmabuf_mmap(bo->dmabuf, size);
	if (vexport_bug >= 0)
		vexport_fault_arm(fd, bo->dmabuf, vexport_bug, 0, 1, DRM_VEXPORT_FAULT_REPEAT);
}

/**
 * vexport_bo_close_handle - close the GEM handle and keep the dma-buf
 * @bo: the buffer
 */
void vexport_bo_close_handle(struct vexport_bo *bo)
{
	gem_close(bo->fd, bo->handle);
	bo->handle = 0;
}

void vexport_bo_fini(struct vexport_bo *bo)
{
	munmap(bo->map, bo->size);
	close(bo->dmabuf);
	if (bo->handle)
		gem_close(bo->fd, bo->handle);
	memset(bo, 0, sizeof(*bo));
}

/*
 * Longer than any importer that behaves takes, on a machine that is slow. One that does not
 * takes as long, and the mutants are such.
 */
#define LET_GO_MS		15000

/**
 * vexport_bo_revoke - take a buffer away or give it back, and wait for its importers
 * @bo: the buffer
 * @state: one of enum drm_vexport_revoke_state
 *
 * Returns how many mappings are still held.
 */
uint32_t vexport_bo_revoke(const struct vexport_bo *bo, uint32_t state)
{
	return vexport_revoke(bo->fd, bo->dmabuf, state,
			      state == DRM_VEXPORT_REVOKE_NONE ? 0 : LET_GO_MS);
}

void vexport_bo_expect_revoked(const struct vexport_bo *bo, uint32_t state)
{
	struct drm_vexport_bo_query query;

	vexport_query(bo->fd, bo->dmabuf, &query);
	igt_assert_eq_u32(query.revoked, state);
	igt_assert_eq_u32(query.pad, 0);
}
