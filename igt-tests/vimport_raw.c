// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_gate.h"
#include "igt_raw.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("One operation of an importer at a time, with the answer of the exporter as "
		     "it is, for those who may, and in an order that leaves nothing behind.");

#define SIZE			(256ull << 10)
#define PAGE			4096ull
#define SEGMENTS		(SIZE / PAGE)
#define VA			(1ull << 20)
#define NOBODY			65534
#define MAX_ATTACHMENTS		1024

#define DYNAMIC			DRM_VIMPORT_RAW_DYNAMIC
#define P2P			(DRM_VIMPORT_RAW_DYNAMIC | DRM_VIMPORT_RAW_P2P)

static void create(struct vshare_session *s, struct vexport_bo *bo, uint32_t placement)
{
	vexport_bo_init(bo, s->exporter, SIZE, placement, DRM_VEXPORT_GEM_MOVING);
}

static struct drm_vexport_bo_query query(const struct vexport_bo *bo)
{
	struct drm_vexport_bo_query now;

	vexport_query(bo->fd, bo->dmabuf, &now);
	return now;
}

static void refused(struct vshare_session *s, struct drm_vimport_raw args, int err)
{
	vshare_refused(s, s->gpu[0], DRM_IOCTL_VIMPORT_RAW, &args, err);
}

static uint64_t total(const struct drm_vimport_raw_segment *segments, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		igt_assert_eq_u64(segments[i].addr % PAGE, 0);
		igt_assert_eq_u64(segments[i].size % PAGE, 0);
		igt_assert_lt_u64(0, segments[i].size);
		sum += segments[i].size;
	}
	return sum;
}

static void privileged(struct vshare_session *s)
{
	struct vexport_bo bo;
	uint32_t id;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	id = raw_attach(s->gpu[0], bo.dmabuf, DYNAMIC);
	igt_fork(child, 1) {
		igt_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
		refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf }, EPERM);
		/* Nor may others who have got the file go on with what is there. */
		for (uint32_t op = DRM_VIMPORT_RAW_PIN; op <= DRM_VIMPORT_RAW_QUERY; op++)
			refused(s, (struct drm_vimport_raw) { .op = op, .id = id }, EPERM);
	}
	igt_waitchildren();
	raw_op(s->gpu[0], id, DRM_VIMPORT_RAW_DETACH);
	vexport_bo_fini(&bo);
}

static void bad_arguments(struct vshare_session *s)
{
	struct drm_vimport_raw_segment segment;
	int fd = s->gpu[0], pipe_fds[2];
	struct vexport_bo bo;
	uint32_t id;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf, .id = 1 }, EINVAL);
	refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf, .segment_count = 1 }, EINVAL);
	refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf, .segments = 8 }, EINVAL);
	for (int bit = 3; bit < 32; bit++)
		refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf, .flags = 1u << bit },
			EINVAL);
	/* Peer-to-peer is for those who can be told of moves; a table is no attachment's flag. */
	refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf, .flags = DRM_VIMPORT_RAW_P2P },
		EINVAL);
	refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf, .flags = DRM_VIMPORT_RAW_SECOND },
		EINVAL);

	refused(s, (struct drm_vimport_raw) { .fd = vshare_next_fd() }, EBADF);
	igt_assert_eq(pipe(pipe_fds), 0);
	refused(s, (struct drm_vimport_raw) { .fd = pipe_fds[0] }, EINVAL);
	close(pipe_fds[0]);
	close(pipe_fds[1]);

	id = raw_attach(fd, bo.dmabuf, DYNAMIC);
	for (uint32_t op = DRM_VIMPORT_RAW_PIN; op <= DRM_VIMPORT_RAW_QUERY; op++) {
		bool table = op == DRM_VIMPORT_RAW_MAP || op == DRM_VIMPORT_RAW_UNMAP;
		struct drm_vimport_raw args = { .op = op, .id = id + 1 };

		refused(s, args, ENOENT);
		args.id = id;
		args.fd = bo.dmabuf;
		refused(s, args, EINVAL);
		args.fd = 0;
		args.device = (uintptr_t)"vimport0";
		refused(s, args, EINVAL);
		args.device = 0;
		for (int bit = 0; bit < 32; bit++) {
			args.flags = 1u << bit;
			if (!table || args.flags != DRM_VIMPORT_RAW_SECOND)
				refused(s, args, EINVAL);
		}
		args.flags = 0;
		if (op == DRM_VIMPORT_RAW_MAP)
			continue;
		args.segments = (uintptr_t)&segment;
		refused(s, args, EINVAL);
		args.segments = 0;
		args.segment_count = 1;
		refused(s, args, EINVAL);
	}
	refused(s, (struct drm_vimport_raw) { .op = DRM_VIMPORT_RAW_QUERY + 1, .id = id }, EINVAL);
	raw_op(fd, id, DRM_VIMPORT_RAW_DETACH);
	refused(s, (struct drm_vimport_raw) { .op = DRM_VIMPORT_RAW_QUERY, .id = id }, ENOENT);
	vexport_bo_fini(&bo);
}

static void refuse_op(struct vshare_session *s, uint32_t id, uint32_t op, uint32_t flags)
{
	refused(s, (struct drm_vimport_raw) { .op = op, .id = id, .flags = flags }, EINVAL);
}

static void order(struct vshare_session *s)
{
	int fd = s->gpu[0];
	struct vexport_bo bo;
	uint32_t id;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	id = raw_attach(fd, bo.dmabuf, DYNAMIC);
	refuse_op(s, id, DRM_VIMPORT_RAW_UNPIN, 0);
	for (uint32_t flags = 0; flags <= DRM_VIMPORT_RAW_SECOND; flags += DRM_VIMPORT_RAW_SECOND) {
		refuse_op(s, id, DRM_VIMPORT_RAW_UNMAP, flags);
		raw_map(fd, id, flags, NULL, 0);
		refuse_op(s, id, DRM_VIMPORT_RAW_MAP, flags);
		refuse_op(s, id, DRM_VIMPORT_RAW_DETACH, 0);
		raw_unmap(fd, id, flags);
	}
	igt_assert_eq(raw_op(fd, id, DRM_VIMPORT_RAW_PIN).result, 0);
	refuse_op(s, id, DRM_VIMPORT_RAW_PIN, 0);
	refuse_op(s, id, DRM_VIMPORT_RAW_DETACH, 0);
	raw_op(fd, id, DRM_VIMPORT_RAW_UNPIN);
	refuse_op(s, id, DRM_VIMPORT_RAW_UNPIN, 0);
	raw_op(fd, id, DRM_VIMPORT_RAW_DETACH);

	/* The core pins for it, and warns of importers who do so themselves. */
	id = raw_attach(fd, bo.dmabuf, 0);
	refuse_op(s, id, DRM_VIMPORT_RAW_PIN, 0);
	refuse_op(s, id, DRM_VIMPORT_RAW_UNPIN, 0);
	raw_op(fd, id, DRM_VIMPORT_RAW_DETACH);
	vexport_bo_fini(&bo);
}

static void told(struct vshare_session *s)
{
	struct drm_vimport_raw_segment old[SEGMENTS], new[SEGMENTS];
	struct drm_vimport_raw map;
	int fd = s->gpu[0];
	struct vexport_bo bo;
	uint32_t id;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	id = raw_attach(fd, bo.dmabuf, DYNAMIC);
	map = raw_map(fd, id, 0, old, SEGMENTS);
	igt_assert_eq_u32(map.dynamic, 1);
	igt_assert_eq_u32(map.notifies, 0);
	for (uint32_t i = 1; i <= 3; i++) {
		vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		igt_assert_eq_u32(raw_op(fd, id, DRM_VIMPORT_RAW_QUERY).notifies, i);
		/* Nobody gives it back but who is told to. */
		igt_assert_eq_u32(query(&bo).maps, 1);
		raw_unmap(fd, id, 0);
		igt_assert_eq_u32(query(&bo).maps, 0);
		map = raw_map(fd, id, 0, new, SEGMENTS);
		igt_assert(memcmp(&old[0], &new[0], sizeof(new[0])));
		old[0] = new[0];
	}
	raw_unmap(fd, id, 0);
	raw_op(fd, id, DRM_VIMPORT_RAW_DETACH);
	igt_assert_eq_u32(query(&bo).attachments, 0);
	vexport_bo_fini(&bo);
}

static void is_static(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = { .flags = DRM_VEXPORT_MOVE_RELOCATE };
	struct drm_vimport_raw_segment segments[SEGMENTS];
	struct drm_vimport_raw args;
	int fd = s->gpu[0];
	struct vexport_bo bo;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_VRAM);
	igt_assert_eq(__raw_attach(fd, bo.dmabuf, 0, NULL, &args), 0);
	igt_assert_eq(args.result, 0);
	igt_assert_eq_u32(args.peer2peer, 0);
	raw_map(fd, args.id, 0, segments, SEGMENTS);
	igt_assert_eq_u32(query(&bo).pins, 1);
	move.fd = bo.dmabuf;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
	raw_unmap(fd, args.id, 0);
	raw_op(fd, args.id, DRM_VIMPORT_RAW_DETACH);
	igt_assert_eq_u32(query(&bo).pins, 0);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	vexport_bo_fini(&bo);
}

static void pin(struct vshare_session *s)
{
	struct drm_vexport_bo_move move = { .flags = DRM_VEXPORT_MOVE_RELOCATE };
	int fd = s->gpu[0];
	struct vexport_bo bo;
	uint32_t id;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	move.fd = bo.dmabuf;
	id = raw_attach(fd, bo.dmabuf, DYNAMIC);
	igt_assert_eq(raw_op(fd, id, DRM_VIMPORT_RAW_PIN).result, 0);
	raw_map(fd, id, 0, NULL, 0);
	igt_assert_eq_u32(query(&bo).pins, 1);
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
	igt_assert_eq_u32(raw_op(fd, id, DRM_VIMPORT_RAW_QUERY).notifies, 0);
	raw_unmap(fd, id, 0);
	raw_op(fd, id, DRM_VIMPORT_RAW_UNPIN);
	igt_assert_eq_u32(query(&bo).pins, 0);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	raw_op(fd, id, DRM_VIMPORT_RAW_DETACH);
	vexport_bo_fini(&bo);
}

static void peer_to_peer(struct vshare_session *s)
{
	int fd = s->gpu[0];

	for (uint32_t flags = DYNAMIC; flags <= P2P; flags += P2P - DYNAMIC) {
		struct drm_vimport_raw args;
		struct vexport_bo bo;

		create(s, &bo, DRM_VEXPORT_PLACEMENT_VRAM);
		igt_assert_eq(__raw_attach(fd, bo.dmabuf, flags, NULL, &args), 0);
		igt_assert_eq(args.result, 0);
		igt_assert_eq_u32(args.peer2peer, flags == P2P);
		args = raw_map(fd, args.id, 0, NULL, 0);
		igt_assert_eq_u32(query(&bo).placement, flags == P2P ?
				  DRM_VEXPORT_PLACEMENT_VRAM : DRM_VEXPORT_PLACEMENT_TT);
		igt_assert_eq_u32(args.unreachable, 0);
		raw_unmap(fd, args.id, 0);
		raw_op(fd, args.id, DRM_VIMPORT_RAW_DETACH);
		vexport_bo_fini(&bo);
	}
}

static void two_tables(struct vshare_session *s)
{
	struct drm_vimport_raw_segment first[SEGMENTS], second[SEGMENTS];
	struct drm_vimport_raw map = {
		.op = DRM_VIMPORT_RAW_MAP, .flags = DRM_VIMPORT_RAW_SECOND,
	};
	int fd = s->gpu[0];
	struct vexport_bo bo;
	uint32_t id;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	id = raw_attach(fd, bo.dmabuf, DYNAMIC);
	raw_map(fd, id, 0, first, SEGMENTS);
	map.id = id;
	igt_require_f(__raw_op(fd, &map) != -EOPNOTSUPP,
		      "Needs a kernel without CONFIG_DMABUF_DEBUG\n");
	raw_unmap(fd, id, DRM_VIMPORT_RAW_SECOND);
	map = raw_map(fd, id, DRM_VIMPORT_RAW_SECOND, second, SEGMENTS);
	igt_assert_eq_u32(map.shared, 0);
	igt_assert_eq_u32(map.cached, 0);
	igt_assert_eq_u64(first[0].addr, second[0].addr);
	igt_assert_eq_u32(query(&bo).maps, 2);
	raw_unmap(fd, id, 0);
	raw_unmap(fd, id, DRM_VIMPORT_RAW_SECOND);
	raw_op(fd, id, DRM_VIMPORT_RAW_DETACH);

	/* For a static importer the core of 6.12 keeps one, and that of 7.1 none. */
	id = raw_attach(fd, bo.dmabuf, 0);
	raw_map(fd, id, 0, NULL, 0);
	map = raw_map(fd, id, DRM_VIMPORT_RAW_SECOND, NULL, 0);
	igt_assert_eq_u32(map.shared, map.cached);
	igt_assert_eq_u32(map.cached, 2 - query(&bo).maps);
	raw_unmap(fd, id, 0);
	raw_unmap(fd, id, DRM_VIMPORT_RAW_SECOND);
	raw_op(fd, id, DRM_VIMPORT_RAW_DETACH);
	vexport_bo_fini(&bo);
}

static void segments(struct vshare_session *s)
{
	struct drm_vimport_raw_segment all[SEGMENTS], some[SEGMENTS];
	struct drm_vexport_bo_profile profile = {
		.nasty = DRM_VEXPORT_NASTY_FRAGMENTED,
		.max_segment = PAGE,
	};
	struct drm_vimport_raw args = { .op = DRM_VIMPORT_RAW_MAP };
	int fd = s->gpu[0];
	struct vexport_bo bo;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	vexport_set_profile(s->exporter, bo.dmabuf, &profile);
	args.id = raw_attach(fd, bo.dmabuf, DYNAMIC);
	args.segments = (uintptr_t)all;
	args.segment_count = SEGMENTS;
	igt_assert_eq(__raw_op(fd, &args), 0);
	igt_assert_eq_u32(args.segment_count, SEGMENTS);
	igt_assert_eq_u64(total(all, SEGMENTS), SIZE);
	raw_unmap(fd, args.id, 0);

	/* Room for some of them only: the rest is left alone, and how many there are is told. */
	memset(some, 0xff, sizeof(some));
	args.segments = (uintptr_t)some;
	args.segment_count = 3;
	igt_assert_eq(__raw_op(fd, &args), 0);
	igt_assert_eq_u32(args.segment_count, SEGMENTS);
	igt_assert(!memcmp(some, all, 3 * sizeof(*some)));
	igt_assert_eq_u64(some[3].addr, ~0ull);
	raw_unmap(fd, args.id, 0);

	/* What cannot be told is there all the same. */
	args.segments = 8;
	args.segment_count = SEGMENTS;
	igt_assert_eq(__raw_op(fd, &args), -EFAULT);
	igt_assert_eq_u32(query(&bo).maps, 1);
	raw_unmap(fd, args.id, 0);
	raw_op(fd, args.id, DRM_VIMPORT_RAW_DETACH);
	vexport_bo_fini(&bo);
}

static void other_device(struct vshare_session *s)
{
	static const char * const good[] = { "vimport1", "platform/vimport1" };
	static const char * const bad[] = {
		"nobody", "platform/nobody", "pci/vimport1", "/vimport1", "platform/", "",
	};
	struct drm_vexport_attachment_info row;
	struct drm_vexport_bo_verdict verdict;
	char long_name[100] = {};
	struct vexport_bo bo;

	igt_require_f(s->gpus > 1, "Needs two GPUs\n");
	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refused(s, (struct drm_vimport_raw) {
			.fd = bo.dmabuf, .device = (uintptr_t)bad[i] }, ENODEV);
	memset(long_name, 'x', sizeof(long_name) - 1);
	refused(s, (struct drm_vimport_raw) {
		.fd = bo.dmabuf, .device = (uintptr_t)long_name }, EINVAL);
	refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf, .device = 8 }, EFAULT);

	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		struct drm_vimport_raw args;

		igt_assert_eq(__raw_attach(s->gpu[0], bo.dmabuf, DYNAMIC, good[i], &args), 0);
		igt_assert_eq(args.result, 0);
		verdict = (struct drm_vexport_bo_verdict) {
			.fd = bo.dmabuf,
			.attachments = (uintptr_t)&row,
			.attachment_count = 1,
			.attachment_stride = sizeof(row),
		};
		/* One of before is gone, and may still be told of. */
		igt_assert_eq(__vexport_verdict(s->exporter, &verdict), 0);
		igt_assert_eq_u32(verdict.attachment_count, i + 1);
		igt_assert_f(!strcmp(row.device, "vimport1"), "attached for \"%s\"\n", row.device);
		raw_op(s->gpu[0], args.id, DRM_VIMPORT_RAW_DETACH);
	}
	vexport_bo_fini(&bo);
}

/* The call has succeeded: that it failed for the exporter is what was to be found out. */
static void result(struct vshare_session *s)
{
	struct drm_vimport_raw args = { .op = DRM_VIMPORT_RAW_MAP };
	int fd = s->gpu[0];
	struct vexport_bo bo;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	args.id = raw_attach(fd, bo.dmabuf, DYNAMIC);
	vexport_bo_revoke(&bo, DRM_VEXPORT_REVOKE_PERMANENT);
	igt_assert_eq(__raw_op(fd, &args), 0);
	igt_assert_lt(args.result, 0);
	igt_assert_lt(-512, args.result);
	/* It is not mapped, then. */
	refuse_op(s, args.id, DRM_VIMPORT_RAW_UNMAP, 0);
	args = raw_op(fd, args.id, DRM_VIMPORT_RAW_PIN);
	igt_assert_lt(args.result, 0);
	refuse_op(s, args.id, DRM_VIMPORT_RAW_UNPIN, 0);
	raw_op(fd, args.id, DRM_VIMPORT_RAW_DETACH);
	igt_assert_eq(__raw_attach(fd, bo.dmabuf, 0, NULL, &args), 0);
	igt_assert_lt(args.result, 0);
	igt_assert_eq_u32(args.id, 0);
	vexport_bo_fini(&bo);
}

static void fences(struct vshare_session *s)
{
	struct vexport_bo bo;
	struct gate gate;
	uint32_t id;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	id = raw_attach(s->gpu[0], bo.dmabuf, DYNAMIC);
	igt_assert_eq_u32(raw_op(s->gpu[0], id, DRM_VIMPORT_RAW_QUERY).fences, 0);
	/* The move waits for the jobs, and who maps is to wait for the move. */
	gate_close(&gate, 0, bo.dmabuf, SIZE, GATE_LONG, 0);
	igt_assert_eq_u32(raw_op(s->gpu[0], id, DRM_VIMPORT_RAW_QUERY).fences, 0);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE |
		     DRM_VEXPORT_MOVE_ASYNC);
	igt_assert_eq_u32(raw_map(s->gpu[0], id, 0, NULL, 0).fences, 1);
	gate_open(&gate);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	igt_assert_eq_u32(raw_op(s->gpu[0], id, DRM_VIMPORT_RAW_QUERY).fences, 0);
	raw_unmap(s->gpu[0], id, 0);
	raw_op(s->gpu[0], id, DRM_VIMPORT_RAW_DETACH);
	vexport_bo_fini(&bo);
}

static void too_many(struct vshare_session *s)
{
	struct drm_vimport_raw args;
	struct vexport_bo bo;
	uint32_t last = 0;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	for (unsigned int i = 0; i < MAX_ATTACHMENTS; i++)
		last = raw_attach(s->gpu[0], bo.dmabuf, DYNAMIC);
	refused(s, (struct drm_vimport_raw) { .fd = bo.dmabuf }, ENOSPC);
	raw_op(s->gpu[0], last, DRM_VIMPORT_RAW_DETACH);
	igt_assert_eq(__raw_attach(s->gpu[0], bo.dmabuf, 0, NULL, &args), 0);
	vexport_bo_fini(&bo);
}

/* The exporter has seen nothing that is left, nor anything out of order. */
static void close_undoes(struct vshare_session *s)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct drm_vimport_raw second = {
			.op = DRM_VIMPORT_RAW_MAP, .flags = DRM_VIMPORT_RAW_SECOND,
		};
		struct drm_vexport_bo_verdict verdict;
		int fd = vimport_open(0);
		struct vexport_bo bo;
		uint32_t id;

		create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
		id = raw_attach(fd, bo.dmabuf, DYNAMIC);
		if (i & 1)
			raw_map(fd, id, 0, NULL, 0);
		second.id = id;
		/* Not with the first, on some kernels. */
		if (i & 2 && __raw_op(fd, &second) == -EOPNOTSUPP)
			igt_assert(i & 1);
		if (i & 4)
			igt_assert_eq(raw_op(fd, id, DRM_VIMPORT_RAW_PIN).result, 0);
		close(fd);
		igt_assert_eq_u32(query(&bo).attachments | query(&bo).maps | query(&bo).pins, 0);
		vexport_verdict(s->exporter, bo.dmabuf, 0, &verdict);
		igt_assert_eq_u32(verdict.rules, 0);
		vexport_bo_fini(&bo);
	}
}

/* Nobody else has the buffer any more: it lives on for as long as it is attached. */
static void only_attachment(struct vshare_session *s)
{
	struct drm_vimport_raw_segment old, new;
	int fd = s->gpu[0];
	struct vexport_bo bo;
	uint32_t id;

	create(s, &bo, DRM_VEXPORT_PLACEMENT_TT);
	id = raw_attach(fd, bo.dmabuf, DYNAMIC);
	raw_map(fd, id, 0, &old, 1);
	vexport_bo_fini(&bo);
	raw_unmap(fd, id, 0);
	raw_map(fd, id, 0, &new, 1);
	igt_assert_eq_u64(old.addr, new.addr);
	/* Closing the file, at the end of the session, undoes the rest. */
}

static const struct vshare_subtest subtests[] = {
	{ "privileged", "Raw operations are for CAP_SYS_ADMIN.", privileged },
	{ "bad-arguments", "Unknown operations, flags and attachments, and members that an "
	  "operation does not use, are refused.", bad_arguments },
	{ "order", "Operations in an order that nobody could undo are refused.", order },
	{ "told", "A move is told to the attachment, and the next map names another place.", told },
	{ "static", "An attachment without a callback is pinned by the core.", is_static },
	{ "pin", "A pin holds the buffer, and undoing it lets go.", pin },
	{ "peer-to-peer", "What an attachment says of itself reaches the exporter.", peer_to_peer },
	{ "two-tables", "An attachment can have two sg tables, and tells if they are one.",
	  two_tables },
	{ "segments", "The sg table is shown as it is, and as much of it as there is room for.",
	  segments },
	{ "other-device", "An attachment can be any device's.", other_device },
	{ "result", "An error of the exporter is an answer.", result },
	{ "fences", "KERNEL fences that are pending are counted.", fences },
	{ "too-many", "A file has a limit of attachments.", too_many },
	{ "close-undoes", "Closing the file undoes whatever was done, in the right order.",
	  close_undoes },
	{ "only-attachment", "An attachment keeps the buffer.", only_attachment },
};

igt_main
{
	igt_fixture
		close(vimport_open(0));

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
