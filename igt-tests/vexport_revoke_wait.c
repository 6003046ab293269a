// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>

#include "igt.h"
#include "igt_ticks.h"
#include "igt_vexport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Whoever takes a buffer away waits until importers have let go of it: those "
		     "that cannot be told are reported, and keep what they have.");

#define SIZE			(256u << 10)

#define NONE			DRM_VEXPORT_REVOKE_NONE
#define TEMPORARY		DRM_VEXPORT_REVOKE_TEMPORARY
#define PERMANENT		DRM_VEXPORT_REVOKE_PERMANENT

/* Much less than what the calls would wait for if nothing ended their wait. */
#define SOON_NS			(30 * NSEC_PER_SEC)

/* An importer that nobody can tell keeps what it has, and is seen to. */
static void static_importer(struct vshare_session *s)
{
	const unsigned int timeout_ms = 200;
	struct drm_vexport_info before, after;
	struct drm_vexport_bo_query query;
	struct timespec since;
	int vgem = vshare_open_vgem();
	struct vexport_bo bo;
	uint32_t handle;

	for (uint32_t state = TEMPORARY; state <= PERMANENT; state++) {
		/* What the last buffer had left goes a moment after it. */
		do {
			vexport_get_info(s->exporter, &before);
		} while (before.storages > s->start.exporter.storages);
		vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		bo.map[0] = 1;
		handle = prime_fd_to_handle(vgem, bo.dmabuf);

		since = (struct timespec) {};
		igt_nsec_elapsed(&since);
		igt_assert_eq_u32(vexport_revoke(s->exporter, bo.dmabuf, state, timeout_ms), 1);
		/* Half of it: the kernel's tick may lag, and catch up, where a CPU is emulated. */
		igt_assert_lte_u64(timeout_ms * NSEC_PER_MSEC / 2, igt_nsec_elapsed(&since));
		igt_assert_lt_u64(igt_nsec_elapsed(&since), SOON_NS);
		/* To look again takes no time. */
		igt_assert_eq_u32(vexport_revoke(s->exporter, bo.dmabuf, state, 0), 1);
		igt_assert(!vexport_touch(bo.map, false));
		vexport_get_info(s->exporter, &after);
		igt_assert_eq(after.storages, before.storages + 1);
		/* Who was not told may go on writing: that is no stale write. */
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq_u64(query.quarantined, 0);

		gem_close(vgem, handle);
		igt_assert_eq_u32(vexport_revoke(s->exporter, bo.dmabuf, state, 0), 0);
		vexport_get_info(s->exporter, &after);
		igt_assert_eq(after.storages, before.storages + (state == TEMPORARY));
		igt_assert_eq_u64(after.pinned, before.pinned);
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq(query.pins | query.maps | query.attachments, 0);
		if (state == TEMPORARY) {
			vexport_bo_revoke(&bo, NONE);
			igt_assert_eq_u64(bo.map[0], 1);
			vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		}
		vexport_bo_fini(&bo);
	}
	close(vgem);
}

/* The wait ends when there is nothing left to wait for, long before its time-out. */
static void ends(struct vshare_session *s, bool undo)
{
	struct timespec since = {};
	int vgem = vshare_open_vgem();
	struct vexport_bo bo;
	uint32_t handle, maps;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	igt_fork(child, 1) {
		struct drm_vexport_bo_query query;

		do {
			usleep(50000);
			vexport_query(s->exporter, bo.dmabuf, &query);
		} while (!query.revoked);
		usleep(50000);
		if (undo)
			vexport_bo_revoke(&bo, NONE);
		else
			gem_close(vgem, handle);
	}
	igt_nsec_elapsed(&since);
	maps = vexport_bo_revoke(&bo, TEMPORARY);
	igt_assert_lt_u64(igt_nsec_elapsed(&since), SOON_NS);
	igt_waitchildren();
	igt_assert_eq_u32(maps, undo);
	vexport_bo_expect_revoked(&bo, undo ? NONE : TEMPORARY);
	close(vgem);
	vexport_bo_fini(&bo);
}

static void ends_unmap(struct vshare_session *s)
{
	ends(s, false);
}

static void ends_undo(struct vshare_session *s)
{
	ends(s, true);
}

static void interrupted(struct vshare_session *s)
{
	struct drm_vexport_bo_revoke args = {
		.state = TEMPORARY,
		.timeout_nsec = INT64_MAX,
	};
	int vgem = vshare_open_vgem(), ret, err;
	struct vexport_bo bo;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	args.fd = bo.dmabuf;
	ticks_start(false);
	/* Not drmIoctl(), which would try again for ever. */
	ret = ioctl(s->exporter, DRM_IOCTL_VEXPORT_BO_REVOKE, &args);
	err = errno;
	ticks_stop();
	igt_assert_eq(ret, -1);
	igt_assert_eq(err, EINTR);

	/* It has begun, and the same call goes on with it. */
	vexport_bo_expect_revoked(&bo, TEMPORARY);
	gem_close(vgem, handle);
	igt_assert_eq_u32(vexport_bo_revoke(&bo, TEMPORARY), 0);
	close(vgem);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "static-importer", "An importer that cannot be told is waited for, reported, and keeps "
	  "its pages.", static_importer },
	{ "ends-unmap", "The last unmap ends the wait.", ends_unmap },
	{ "ends-undo", "To undo a revoke ends the wait for it.", ends_undo },
	{ "interrupted", "A signal ends the wait, and the next call goes on with it.",
	  interrupted },
};

igt_main
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
