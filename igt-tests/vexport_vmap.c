// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <linux/videodev2.h>

#include <xf86drmMode.h>

#include "igt.h"
#include "igt_gate.h"
#include "igt_kmod.h"
#include "igt_ticks.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The kernel itself writes to a buffer, at an address of its own: the buffer "
		     "stays where it is for as long as that address is in use.");

/*
 * Only drivers without DMA map a foreign dma-buf into the kernel. vivid is one that
 * needs no hardware: a camera that writes its pictures with the CPU. It does not
 * attach to the dma-buf, so no other pin gets in the way.
 */
#define LAST_CAMERA		15
#define FRAME_MS		20000

struct camera {
	int fd;
	size_t size;
};

static int find_camera(void)
{
	for (int minor = 0; minor <= LAST_CAMERA; minor++) {
		struct v4l2_capability cap = {};
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/dev/video%d", minor);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((const char *)cap.driver, "vivid") &&
		    cap.device_caps & V4L2_CAP_VIDEO_CAPTURE)
			return fd;
		close(fd);
	}
	return -1;
}

static void camera_open(struct camera *camera)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };

	/* One webcam, and none of the other things that it can be. */
	if (!igt_kmod_is_loaded("vivid"))
		igt_kmod_load("vivid", "n_devs=1 node_types=1 num_inputs=1 input_types=0");
	camera->fd = find_camera();
	igt_require_f(camera->fd >= 0, "Needs the module vivid, a camera made of software\n");
	do_ioctl(camera->fd, VIDIOC_G_FMT, &format);
	camera->size = ALIGN(format.fmt.pix.sizeimage, 4096);
}

static void camera_request(const struct camera *camera, unsigned int count)
{
	struct v4l2_requestbuffers args = {
		.count = count,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};

	do_ioctl(camera->fd, VIDIOC_REQBUFS, &args);
}

/* The camera takes the buffer: from here on the kernel has it mapped. */
static void camera_hold(const struct camera *camera, int dmabuf)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.m.fd = dmabuf,
		.length = camera->size,
	};

	camera_request(camera, 2);
	do_ioctl(camera->fd, VIDIOC_QBUF, &buffer);
}

static void camera_take_picture(const struct camera *camera)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};
	struct pollfd fd = { .fd = camera->fd, .events = POLLIN };
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	do_ioctl(camera->fd, VIDIOC_STREAMON, &type);
	igt_assert_eq(poll(&fd, 1, FRAME_MS), 1);
	do_ioctl(camera->fd, VIDIOC_DQBUF, &buffer);
	do_ioctl(camera->fd, VIDIOC_STREAMOFF, &type);
}

static void expect_held(struct vshare_session *s, const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query query;
	struct drm_vexport_info now;

	vexport_query(s->exporter, bo->dmabuf, &query);
	igt_assert_eq(query.pins, 1);
	/* It is no importer's pin. */
	igt_assert_eq(query.attachments | query.maps, 0);
	vexport_get_info(s->exporter, &now);
	igt_assert_eq_u64(now.pinned - s->start.exporter.pinned, bo->size);

	for (uint32_t placement = 0; placement < 3; placement++) {
		struct drm_vexport_bo_move move = { .fd = bo->dmabuf, .placement = placement };

		if (placement != query.placement)
			vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
		move.placement = 0;
		move.flags = DRM_VEXPORT_MOVE_RELOCATE;
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
	}
}

/* Nor does it go when root wants the VRAM empty. */
static void expect_skipped(struct vshare_session *s, uint32_t placement)
{
	struct drm_vexport_evict evict = {};

	do_ioctl(s->exporter, DRM_IOCTL_VEXPORT_EVICT, &evict);
	igt_assert_eq(evict.skipped, placement == DRM_VEXPORT_PLACEMENT_VRAM);
	igt_assert_eq(evict.evicted, 0);
}

static void expect_free(struct vshare_session *s, const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query query;
	struct drm_vexport_info now;

	vexport_query(s->exporter, bo->dmabuf, &query);
	igt_assert_eq(query.pins, 0);
	vexport_get_info(s->exporter, &now);
	igt_assert_eq_u64(now.pinned, s->start.exporter.pinned);
}

static void stays(struct vshare_session *s)
{
	struct camera camera;
	struct vexport_bo bo;
	uint64_t *picture;

	camera_open(&camera);
	picture = malloc(camera.size);
	for (uint32_t i = 0; i < 6; i++) {
		vexport_bo_init(&bo, s->exporter, camera.size, i % 3,
				i / 3 ? DRM_VEXPORT_GEM_MOVING : 0);
		memset(bo.map, 0xa5, camera.size);
		camera_hold(&camera, bo.dmabuf);
		expect_held(s, &bo);
		expect_skipped(s, i % 3);
		camera_take_picture(&camera);
		/* It keeps what it has mapped for the next picture. */
		expect_held(s, &bo);
		igt_assert_neq_u64(bo.map[0], 0xa5a5a5a5a5a5a5a5);
		memcpy(picture, bo.map, camera.size);

		camera_request(&camera, 0);
		expect_free(s, &bo);
		vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		igt_assert(!memcmp(picture, bo.map, camera.size));
		vexport_bo_fini(&bo);
	}
	free(picture);
	close(camera.fd);
}

static void two_users(struct vshare_session *s)
{
	struct v4l2_buffer second = {
		.index = 1,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};
	struct vexport_bo bo, other;
	struct camera camera;

	camera_open(&camera);
	vexport_bo_init(&bo, s->exporter, camera.size, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_bo_init(&other, s->exporter, camera.size, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	camera_hold(&camera, bo.dmabuf);
	/* A buffer that is mapped twice is pinned once: the core counts the users. */
	second.m.fd = bo.dmabuf;
	second.length = camera.size;
	do_ioctl(camera.fd, VIDIOC_QBUF, &second);
	expect_held(s, &bo);
	/* Nobody else's buffer is held, and the end of the file is the end of it. */
	vexport_move(s->exporter, other.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	close(camera.fd);
	expect_free(s, &bo);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	vexport_bo_fini(&other);
	vexport_bo_fini(&bo);
}

static void waits_for_move(struct vshare_session *s)
{
	struct camera camera;
	struct vexport_bo bo;
	struct gate gate;

	camera_open(&camera);
	for (uint32_t placement = DRM_VEXPORT_PLACEMENT_TT;
	     placement <= DRM_VEXPORT_PLACEMENT_VRAM; placement++) {
		vexport_bo_init(&bo, s->exporter, camera.size, placement, DRM_VEXPORT_GEM_MOVING);
		gate_close(&gate, 0, bo.dmabuf, bo.size, GATE_JOBS, 0);
		vexport_move(s->exporter, bo.dmabuf, 0,
			     DRM_VEXPORT_MOVE_RELOCATE | DRM_VEXPORT_MOVE_ASYNC);
		igt_assert(gate_closed(&gate));
		/* A signal meanwhile is no reason to fail: nobody would try again. */
		ticks_start(true);
		camera_hold(&camera, bo.dmabuf);
		ticks_stop();
		igt_assert(!gate_closed(&gate));
		gate_open(&gate);
		camera_request(&camera, 0);
		vexport_bo_fini(&bo);
	}
	close(camera.fd);
}

/*
 * The kernel cannot be told, and keeps the pages that its address names: what it
 * writes there is no stale write, and comes back with the buffer if that does.
 */
static void revoked(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct camera camera;
	struct vexport_bo bo;

	camera_open(&camera);
	for (uint32_t i = 0; i < 6; i++) {
		const uint32_t state = i / 3 ? DRM_VEXPORT_REVOKE_PERMANENT :
					       DRM_VEXPORT_REVOKE_TEMPORARY;

		vexport_bo_init(&bo, s->exporter, camera.size, i % 3, DRM_VEXPORT_GEM_MOVING);
		memset(bo.map, 0xa5, camera.size);
		camera_hold(&camera, bo.dmabuf);
		/* It is waited for, and counted. */
		igt_assert_eq_u32(vexport_revoke(s->exporter, bo.dmabuf, state, 50), 1);
		camera_take_picture(&camera);
		igt_assert(!vexport_touch(bo.map, false));

		camera_request(&camera, 0);
		igt_assert_eq_u32(vexport_revoke(s->exporter, bo.dmabuf, state, 10000), 0);
		expect_free(s, &bo);
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq_u64(query.stale_words, 0);
		igt_assert_eq_u64(query.quarantined, 0);
		if (state == DRM_VEXPORT_REVOKE_TEMPORARY) {
			vexport_revoke(s->exporter, bo.dmabuf, DRM_VEXPORT_REVOKE_NONE, 0);
			igt_assert_neq_u64(bo.map[0], 0xa5a5a5a5a5a5a5a5);
			vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		}
		vexport_bo_fini(&bo);
	}
	close(camera.fd);
}

/*
 * Where there is no camera there may be a screen: vkms shows a picture by reading it
 * with the CPU. It attaches to the dma-buf, which is a pin of its own.
 */
struct screen {
	int fd;
	uint32_t crtc, connector, handle, fb;
	drmModeModeInfo mode;
	size_t size;
};

static void screen_open(struct screen *screen)
{
	drmModeConnectorPtr connector;
	drmModeResPtr resources;

	if (!igt_kmod_is_loaded("vkms"))
		igt_kmod_load("vkms", NULL);
	screen->fd = vshare_open_card("vkms");
	igt_require_f(screen->fd >= 0, "Needs the module vkms, a screen made of software\n");
	resources = drmModeGetResources(screen->fd);
	igt_assert(resources && resources->count_crtcs && resources->count_connectors);
	screen->crtc = resources->crtcs[0];
	screen->connector = resources->connectors[0];
	connector = drmModeGetConnector(screen->fd, screen->connector);
	igt_assert(connector && connector->count_modes);
	screen->mode = connector->modes[0];
	screen->size = ALIGN(screen->mode.hdisplay * screen->mode.vdisplay * 4, 4096);
	drmModeFreeConnector(connector);
	drmModeFreeResources(resources);
}

static void screen_show(struct screen *screen, int dmabuf)
{
	screen->handle = prime_fd_to_handle(screen->fd, dmabuf);
	igt_assert_eq(drmModeAddFB(screen->fd, screen->mode.hdisplay, screen->mode.vdisplay, 24, 32,
				   screen->mode.hdisplay * 4, screen->handle, &screen->fb), 0);
	igt_assert_eq(drmModeSetCrtc(screen->fd, screen->crtc, screen->fb, 0, 0,
				     &screen->connector, 1, &screen->mode), 0);
}

static void screen_off(struct screen *screen)
{
	igt_assert_eq(drmModeSetCrtc(screen->fd, screen->crtc, 0, 0, 0, NULL, 0, NULL), 0);
}

static void screen_forget(struct screen *screen)
{
	igt_assert_eq(drmModeRmFB(screen->fd, screen->fb), 0);
	gem_close(screen->fd, screen->handle);
}

static uint32_t count_pins(struct vshare_session *s, const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query query;

	vexport_query(s->exporter, bo->dmabuf, &query);
	return query.pins;
}

static void on_screen(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = { .flags = DRM_VEXPORT_MOVE_RELOCATE };
	struct screen screen;
	struct vexport_bo bo;

	screen_open(&screen);
	for (uint32_t placement = 0; placement < 3; placement++) {
		vexport_bo_init(&bo, s->exporter, screen.size, placement, DRM_VEXPORT_GEM_MOVING);
		screen_show(&screen, bo.dmabuf);
		igt_assert_eq_u32(count_pins(s, &bo), 2);
		move.fd = bo.dmabuf;
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
		screen_off(&screen);
		igt_assert_eq_u32(count_pins(s, &bo), 1);
		screen_forget(&screen);
		expect_free(s, &bo);
		vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		vexport_bo_fini(&bo);
	}
	close(screen.fd);
}

static const struct vshare_subtest subtests[] = {
	{ "stays", "What the kernel has mapped does not move, and moves again afterwards.", stays },
	{ "two-users", "The last user's end lets the buffer go.", two_users },
	{ "waits-for-move", "The kernel's mapping shows a buffer whose move is over.",
	  waits_for_move },
	{ "revoked", "A revoke counts the kernel's mapping, and takes nothing from under it.",
	  revoked },
	{ "on-screen", "The same for what a screen shows.", on_screen },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
