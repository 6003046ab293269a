// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "igt.h"
#include "igt_fault.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The administrator, and nobody else, can have what the importers of a buffer "
		     "ask for fail when it is its turn, and is told how often it has. Needs "
		     "vexport.ko loaded with misbehave=1.");

#define SIZE			(64u << 10)
#define NOBODY			65534

/* TAINT_TEST of the kernel. */
#define TAINT			(1ul << 18)

/* A buffer, and an importer for whom all goes well if nobody interferes. */
struct setup {
	struct vshare_session *s;
	struct vexport_bo bo;
};

static void begin(struct setup *t, struct vshare_session *s)
{
	t->s = s;
	vexport_bo_init(&t->bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
}

static void end(struct setup *t)
{
	vexport_bo_fini(&t->bo);
}

static int attach(struct setup *t)
{
	struct drm_vimport_import args = { .fd = t->bo.dmabuf };
	int ret = __vimport_import(t->s->gpu[0], &args);

	if (!ret)
		gem_close(t->s->gpu[0], args.handle);
	return ret;
}

static void counts(struct vshare_session *s)
{
	const uint32_t kind = DRM_VEXPORT_FAULT_ATTACH;
	struct drm_vexport_fault now;
	struct setup t, other;

	begin(&t, s);
	begin(&other, s);
	igt_assert_eq_u64(vexport_fault_query(s->exporter, t.bo.dmabuf, kind).fired, 0);
	vexport_fault_arm(s->exporter, t.bo.dmabuf, kind, EIO, 3, DRM_VEXPORT_FAULT_REPEAT);
	for (unsigned int i = 1; i <= 9; i++) {
		igt_assert_eq(attach(&t), i % 3 ? 0 : -EIO);
		now = vexport_fault_query(s->exporter, t.bo.dmabuf, kind);
		igt_assert_eq_u64(now.fired, i / 3);
		igt_assert_eq_u64(now.nth, 3 - i % 3);
		/* Nobody else's. */
		igt_assert_eq(attach(&other), 0);
	}
	for (uint32_t k = 0; k < VEXPORT_FAULT_KINDS; k++) {
		now = vexport_fault_query(s->exporter, other.bo.dmabuf, k);
		igt_assert_eq_u64(now.fired, 0);
		now = vexport_fault_query(s->exporter, t.bo.dmabuf, k);
		igt_assert_eq_u64(now.fired, k == kind ? 3 : 0);
	}
	/* A new one takes its place, and zero ends it. */
	vexport_fault_arm(s->exporter, t.bo.dmabuf, kind, EPERM, 1, 0);
	igt_assert_eq(attach(&t), -EPERM);
	vexport_fault_arm(s->exporter, t.bo.dmabuf, kind, EPERM, 1, 0);
	vexport_fault_end(s->exporter, t.bo.dmabuf, kind);
	igt_assert_eq(attach(&t), 0);
	igt_assert_eq_u64(vexport_fault_query(s->exporter, t.bo.dmabuf, kind).fired, 4);
	end(&t);
	end(&other);
}

static void stays(struct vshare_session *s)
{
	const uint32_t kind = DRM_VEXPORT_FAULT_ATTACH;
	int other = vexport_open();
	struct setup t;

	begin(&t, s);
	vexport_fault_arm(other, t.bo.dmabuf, kind, ENOMEM, 1, DRM_VEXPORT_FAULT_REPEAT);
	close(other);
	igt_assert_eq(attach(&t), -ENOMEM);
	end(&t);
}

static void taints(struct vshare_session *s)
{
	unsigned long taint = 0;
	struct setup t;
	FILE *file;

	begin(&t, s);
	vexport_fault_arm(s->exporter, t.bo.dmabuf, DRM_VEXPORT_FAULT_MAP, EIO, 1, 0);
	file = fopen("/proc/sys/kernel/tainted", "r");
	igt_assert(file);
	igt_assert_eq(fscanf(file, "%lu", &taint), 1);
	fclose(file);
	igt_assert_neq_u64(taint & TAINT, 0);
	end(&t);
}

static void refuse(struct vshare_session *s, struct drm_vexport_fault args, int err)
{
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_FAULT, &args, err);
}

static void bad_arguments(struct vshare_session *s)
{
	struct drm_vexport_fault good = { .kind = DRM_VEXPORT_FAULT_MAP, .error = EIO, .nth = 1 };
	struct drm_vexport_fault bad;
	struct setup t;

	begin(&t, s);
	good.fd = t.bo.dmabuf;
	bad = good;
	bad.kind = VEXPORT_FAULT_KINDS;
	refuse(s, bad, EINVAL);
	for (uint32_t bit = DRM_VEXPORT_FAULT_QUERY << 1; bit; bit <<= 1) {
		bad = good;
		bad.flags = bit;
		refuse(s, bad, EINVAL);
	}
	for (uint32_t error = 0; error < 600; error++) {
		bool sane = false;

		for (unsigned int i = 0; i < VEXPORT_FAULT_ERRORS; i++)
			sane |= (uint32_t)vexport_fault_errors[i] == error;
		bad = good;
		bad.error = error;
		if (!sane)
			refuse(s, bad, EINVAL);
	}
	bad = good;
	bad.error = -EIO;
	refuse(s, bad, EINVAL);
	/* Who tells, or does not, gives no error. */
	bad = good;
	for (bad.kind = DRM_VEXPORT_FAULT_NOTIFY_PINNED; bad.kind < VEXPORT_FAULT_KINDS;
	     bad.kind++)
		refuse(s, bad, EINVAL);
	/* To end a fault takes nothing, and neither does to ask. */
	bad = good;
	bad.nth = 0;
	refuse(s, bad, EINVAL);
	bad.error = 0;
	bad.flags = DRM_VEXPORT_FAULT_REPEAT;
	refuse(s, bad, EINVAL);
	bad.flags = DRM_VEXPORT_FAULT_QUERY | DRM_VEXPORT_FAULT_REPEAT;
	refuse(s, bad, EINVAL);
	bad.flags = DRM_VEXPORT_FAULT_QUERY;
	bad.nth = 1;
	refuse(s, bad, EINVAL);
	bad.nth = 0;
	bad.error = EIO;
	refuse(s, bad, EINVAL);
	bad = good;
	bad.fd = -1;
	refuse(s, bad, EBADF);
	bad.fd = s->exporter;
	refuse(s, bad, EINVAL);
	for (uint32_t kind = 0; kind < VEXPORT_FAULT_KINDS; kind++)
		igt_assert_eq_u64(vexport_fault_query(s->exporter, t.bo.dmabuf, kind).nth, 0);
	igt_assert_eq(attach(&t), 0);
	end(&t);
}

static void root_only(struct vshare_session *s)
{
	struct setup t;

	begin(&t, s);
	igt_fork(child, 1) {
		igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
		for (uint32_t kind = 0; kind < VEXPORT_FAULT_KINDS; kind++) {
			struct drm_vexport_fault args = {
				.fd = t.bo.dmabuf,
				.kind = kind,
				.error = kind <= DRM_VEXPORT_FAULT_MAP ? EIO : 0,
				.nth = 1,
			};

			refuse(s, args, EPERM);
			args.nth = 0;
			args.error = 0;
			args.flags = DRM_VEXPORT_FAULT_QUERY;
			refuse(s, args, EPERM);
		}
	}
	igt_waitchildren();
	igt_assert_eq(attach(&t), 0);
	end(&t);
}

static const struct vshare_subtest subtests[] = {
	{ "counts", "The n-th fails, or every n-th, of one kind and of one buffer.", counts },
	{ "stays", "A fault belongs to the buffer, not to whoever has asked for it.", stays },
	{ "taints", "Nobody takes the kernel for one that has not been tampered with.", taints },
	{ "bad-arguments", "Arguments that make no sense change nothing.", bad_arguments },
	{ "root-only", "Only the administrator may do that to others.", root_only },
};

igt_main
{
	igt_fixture {
		close(vexport_open());
		close(vimport_open(0));
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
