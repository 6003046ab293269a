// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/stat.h>

#include "igt.h"
#include "igt_vexport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The exporter's interface: buffers are what was asked for, and every call "
		     "that the documentation forbids is refused and changes nothing.");

#define SIZE			(64u << 10)
#define PAGE			4096u

static const uint32_t placements[] = {
	DRM_VEXPORT_PLACEMENT_SYSTEM,
	DRM_VEXPORT_PLACEMENT_TT,
	DRM_VEXPORT_PLACEMENT_VRAM,
};

static int closed_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	igt_assert_fd(fd);
	close(fd);
	return fd;
}

static void info(struct vshare_session *s)
{
	struct drm_vexport_info before, after;
	struct vexport_bo bo;

	vexport_get_info(s->exporter, &before);
	igt_assert_lt_u64(0, before.vram_size);
	igt_assert_lte_u64(before.vram_used, before.vram_size);

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_get_info(s->exporter, &after);
	igt_assert_eq(after.buffers, before.buffers + 1);
	igt_assert_eq(after.dmabufs, before.dmabufs + 1);
	igt_assert_eq_u64(after.moves, before.moves + 2);
	igt_assert_eq_u64(after.evictions, before.evictions);
	igt_assert_lte_u64(before.vram_used + SIZE, after.vram_used);
	vexport_bo_fini(&bo);
}

static void info_bad_flags(struct vshare_session *s)
{
	for (uint32_t bad = 1; bad; bad <<= 1) {
		struct drm_vexport_info args = { .flags = bad };

		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_INFO, &args, EINVAL);
	}
}

static void create_placements(struct vshare_session *s)
{
	struct drm_vexport_bo_query query;
	struct vexport_bo bo;

	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		vexport_bo_init(&bo, s->exporter, SIZE, placements[i], DRM_VEXPORT_GEM_MOVING);
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq_u32(query.placement, placements[i]);
		igt_assert_eq_u32(query.create_flags, DRM_VEXPORT_GEM_MOVING);
		igt_assert_eq_u64(query.size, SIZE);
		igt_assert_eq_u64(query.generation, 0);
		igt_assert_eq(query.dmabufs, 1);
		igt_assert_eq(query.attachments | query.pins | query.maps, 0);
		vexport_bo_fini(&bo);
	}
}

static void create_rounds_up(struct vshare_session *s)
{
	static const uint64_t sizes[][2] = {
		{ 1, PAGE }, { PAGE - 1, PAGE }, { PAGE, PAGE }, { PAGE + 1, 2 * PAGE },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct drm_vexport_gem_create create = {
			.size = sizes[i][0],
			.placement = DRM_VEXPORT_PLACEMENT_VRAM,
		};
		int dmabuf;

		igt_assert_eq(__vexport_gem_create(s->exporter, &create), 0);
		igt_assert_eq_u64(create.size, sizes[i][1]);
		dmabuf = prime_handle_to_fd(s->exporter, create.handle);
		igt_assert_eq_u64(prime_get_size(dmabuf), sizes[i][1]);
		close(dmabuf);
		gem_close(s->exporter, create.handle);
	}
}

static void create_zeroed(struct vshare_session *s)
{
	struct vexport_bo bo;

	/* The second buffer is likely to get the pages that the first one soiled. */
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(placements); i++) {
		vexport_bo_init(&bo, s->exporter, SIZE, placements[i / 2], 0);
		for (size_t word = 0; word < SIZE / sizeof(*bo.map); word++)
			igt_assert_eq_u64(bo.map[word], 0);
		memset(bo.map, 0xa5, SIZE);
		vexport_bo_fini(&bo);
	}
}

static void create_bad_size(struct vshare_session *s)
{
	static const uint64_t sizes[] = { 0, UINT64_MAX, UINT64_MAX - PAGE + 2 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(placements); i++) {
		struct drm_vexport_gem_create args = {
			.size = sizes[i % ARRAY_SIZE(sizes)],
			.placement = placements[i / ARRAY_SIZE(sizes)],
		};

		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_CREATE, &args, EINVAL);
	}
}

static void create_no_room(struct vshare_session *s)
{
	static const uint64_t huge[] = { 1ull << 40, 1ull << 44, 1ull << 50 };

	for (unsigned int i = 0; i < ARRAY_SIZE(huge) * ARRAY_SIZE(placements); i++) {
		struct drm_vexport_gem_create args = {
			.size = huge[i % ARRAY_SIZE(huge)],
			.placement = placements[i / ARRAY_SIZE(huge)],
		};

		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_CREATE, &args, ENOMEM);
	}
	for (int i = 0; i < 2; i++) {
		uint64_t vram = s->start.exporter.vram_size;
		struct drm_vexport_gem_create args = {
			.size = i ? 2 * vram : vram + PAGE,
			.placement = DRM_VEXPORT_PLACEMENT_VRAM,
		};

		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_CREATE, &args, ENOMEM);
	}
}

static void create_bad_placement(struct vshare_session *s)
{
	static const uint32_t bad[] = { 3, 4, 1u << 16, UINT32_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_vexport_gem_create args = { .size = SIZE, .placement = bad[i] };

		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_CREATE, &args, EINVAL);
	}
}

static void create_bad_flags(struct vshare_session *s)
{
	for (uint32_t bad = DRM_VEXPORT_GEM_MOVING << 1; bad; bad <<= 1) {
		struct drm_vexport_gem_create args = { .size = SIZE, .flags = bad };

		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_CREATE, &args, EINVAL);
	}
}

static void create_bad_pad(struct vshare_session *s)
{
	struct drm_vexport_gem_create args = { .size = SIZE, .pad = 1 };

	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_CREATE, &args, EINVAL);
}

static void mmap_bad_handle(struct vshare_session *s)
{
	struct drm_vexport_gem_mmap_offset args = {};
	uint32_t handle = vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	const uint32_t bad[] = { 0, handle + 1, UINT32_MAX };
	int other = vexport_open();

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		args.handle = bad[i];
		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET, &args, ENOENT);
	}
	args.handle = handle;
	vshare_refused(s, other, DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET, &args, ENOENT);
	gem_close(s->exporter, handle);
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET, &args, ENOENT);
	close(other);
}

static void mmap_bad_pad(struct vshare_session *s)
{
	struct drm_vexport_gem_mmap_offset args = {
		.handle = vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0),
		.pad = 1,
	};

	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_GEM_MMAP_OFFSET, &args, EINVAL);
	gem_close(s->exporter, args.handle);
}

static void mmap_beyond_end(struct vshare_session *s)
{
	struct vexport_bo bo;
	uint64_t offset;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	offset = vexport_gem_mmap_offset(s->exporter, bo.handle);
	igt_assert(mmap(NULL, SIZE + PAGE, PROT_READ, MAP_SHARED, s->exporter, offset) ==
		   MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	igt_assert(mmap(NULL, SIZE + PAGE, PROT_READ, MAP_SHARED, bo.dmabuf, 0) == MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	igt_assert(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, bo.dmabuf, SIZE) == MAP_FAILED);
	igt_assert_eq(errno, EINVAL);
	vexport_bo_fini(&bo);
}

static void mmap_foreign_offset(struct vshare_session *s)
{
	uint32_t handle = vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	uint64_t offset = vexport_gem_mmap_offset(s->exporter, handle);
	int other = vexport_open();

	igt_assert(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, other, offset) == MAP_FAILED);
	igt_assert_eq(errno, EACCES);
	close(other);
	gem_close(s->exporter, handle);
}

static void mmap_same_bytes(struct vshare_session *s)
{
	struct vexport_bo bo;
	uint64_t *gem;

	for (unsigned int i = 0; i < ARRAY_SIZE(placements); i++) {
		vexport_bo_init(&bo, s->exporter, SIZE, placements[i], 0);
		gem = vexport_gem_mmap(s->exporter, bo.handle, SIZE);
		for (size_t word = 0; word < SIZE / sizeof(*gem); word++)
			WRITE_ONCE(gem[word], ~word);
		for (size_t word = 0; word < SIZE / sizeof(*gem); word++)
			igt_assert_eq_u64(READ_ONCE(bo.map[word]), ~word);
		WRITE_ONCE(bo.map[1], 1);
		igt_assert_eq_u64(READ_ONCE(gem[1]), 1);
		munmap(gem, SIZE);
		vexport_bo_fini(&bo);
	}
}

/* BO_QUERY and BO_MOVE name a buffer by descriptor, with the same rules. */
static void refuse_fd(struct vshare_session *s, unsigned long request, int fd, int err)
{
	struct drm_vexport_bo_query query = { .fd = fd };
	struct drm_vexport_bo_move move = { .fd = fd, .placement = DRM_VEXPORT_PLACEMENT_VRAM };
	bool moves = request == DRM_IOCTL_VEXPORT_BO_MOVE;

	vshare_refused(s, s->exporter, request, moves ? (void *)&move : &query, err);
}

static void refuse_bad_fds(struct vshare_session *s, unsigned long request)
{
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	refuse_fd(s, request, -1, EBADF);
	refuse_fd(s, request, INT32_MAX, EBADF);
	refuse_fd(s, request, closed_fd(), EBADF);
	refuse_fd(s, request, file, EINVAL);
	refuse_fd(s, request, s->exporter, EINVAL);
	close(file);
}

static void refuse_foreign_dmabuf(struct vshare_session *s, unsigned long request)
{
	int dmabuf = vshare_open_foreign_dmabuf(SIZE);

	refuse_fd(s, request, dmabuf, EINVAL);
	close(dmabuf);
}

static void query_bad_fd(struct vshare_session *s)
{
	refuse_bad_fds(s, DRM_IOCTL_VEXPORT_BO_QUERY);
}

static void query_foreign_dmabuf(struct vshare_session *s)
{
	refuse_foreign_dmabuf(s, DRM_IOCTL_VEXPORT_BO_QUERY);
}

static void query_bad_flags(struct vshare_session *s)
{
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (uint32_t bad = 1; bad; bad <<= 1) {
		struct drm_vexport_bo_query args = { .fd = bo.dmabuf, .flags = bad };

		vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_QUERY, &args, EINVAL);
	}
	vexport_bo_fini(&bo);
}

static void move_bad_fd(struct vshare_session *s)
{
	refuse_bad_fds(s, DRM_IOCTL_VEXPORT_BO_MOVE);
}

static void move_foreign_dmabuf(struct vshare_session *s)
{
	refuse_foreign_dmabuf(s, DRM_IOCTL_VEXPORT_BO_MOVE);
}

static void refuse_move(struct vshare_session *s, struct drm_vexport_bo_move args)
{
	struct drm_vexport_bo_query before, after;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	args.fd = bo.dmabuf;
	vexport_query(s->exporter, bo.dmabuf, &before);
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &args, EINVAL);
	vexport_query(s->exporter, bo.dmabuf, &after);
	igt_assert(!memcmp(&before, &after, sizeof(before)));
	vexport_bo_fini(&bo);
}

static void move_bad_placement(struct vshare_session *s)
{
	static const uint32_t bad[] = { 3, 4, 1u << 16, UINT32_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refuse_move(s, (struct drm_vexport_bo_move) { .placement = bad[i] });
}

static void move_bad_flags(struct vshare_session *s)
{
	for (uint32_t bad = DRM_VEXPORT_MOVE_OUT_FENCE << 1; bad; bad <<= 1)
		refuse_move(s, (struct drm_vexport_bo_move) {
			.placement = DRM_VEXPORT_PLACEMENT_VRAM,
			.flags = bad,
		});
}

static void move_bad_pad(struct vshare_session *s)
{
	refuse_move(s, (struct drm_vexport_bo_move) {
		.placement = DRM_VEXPORT_PLACEMENT_VRAM,
		.pad = 1,
	});
}

static void move_relocate_bad_placement(struct vshare_session *s)
{
	for (uint32_t placement = 1; placement <= DRM_VEXPORT_PLACEMENT_VRAM; placement++)
		refuse_move(s, (struct drm_vexport_bo_move) {
			.placement = placement,
			.flags = DRM_VEXPORT_MOVE_RELOCATE,
		});
}

static void export_again(struct vshare_session *s)
{
	struct stat first, second;
	struct vexport_bo bo;
	int again;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	again = prime_handle_to_fd(s->exporter, bo.handle);
	igt_assert_eq(fstat(bo.dmabuf, &first), 0);
	igt_assert_eq(fstat(again, &second), 0);
	igt_assert_eq_u64(first.st_ino, second.st_ino);
	igt_assert_eq_u64(lseek(again, 0, SEEK_END), SIZE);
	igt_assert_eq_u64(lseek(again, 0, SEEK_SET), 0);
	close(again);
	vexport_bo_fini(&bo);
}

static void import_own(struct vshare_session *s)
{
	int other = vexport_open();
	struct vexport_bo bo;
	uint32_t handle;
	uint64_t *map;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	igt_assert_eq_u32(prime_fd_to_handle(s->exporter, bo.dmabuf), bo.handle);

	handle = prime_fd_to_handle(other, bo.dmabuf);
	map = vexport_gem_mmap(other, handle, SIZE);
	WRITE_ONCE(bo.map[7], 7);
	igt_assert_eq_u64(READ_ONCE(map[7]), 7);
	munmap(map, SIZE);
	vexport_bo_fini(&bo);

	/* The other file keeps the buffer alive on its own. */
	map = vexport_gem_mmap(other, handle, SIZE);
	igt_assert_eq_u64(READ_ONCE(map[7]), 7);
	munmap(map, SIZE);
	close(other);
}

static void close_twice(struct vshare_session *s)
{
	struct drm_gem_close args = {
		.handle = vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0),
	};

	gem_close(s->exporter, args.handle);
	vshare_refused(s, s->exporter, DRM_IOCTL_GEM_CLOSE, &args, EINVAL);
}

/* What the drivers let nobody do on a machine that is not there to be tested. */
static void misbehave_needs_parameter(struct vshare_session *s)
{
	struct drm_vexport_fault fault = { .kind = DRM_VEXPORT_FAULT_MAP, .error = EIO, .nth = 1 };
	struct drm_vexport_stall stall = { .point = DRM_VEXPORT_STALL_MOVE_BEGIN, .nth = 1 };
	char value[8] = "";
	struct vexport_bo bo;
	FILE *file = fopen("/sys/module/vexport/parameters/misbehave", "r");

	igt_assert_f(file, "vexport does not show its parameter: %m\n");
	igt_assert(fgets(value, sizeof(value), file));
	fclose(file);
	igt_require_f(value[0] == 'N' || value[0] == '0',
		      "vexport is loaded with misbehave=1, so it is allowed\n");
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	fault.fd = bo.dmabuf;
	stall.fd = bo.dmabuf;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_FAULT, &fault, EPERM);
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_STALL, &stall, EPERM);
	fault = (struct drm_vexport_fault) {
		.fd = bo.dmabuf,
		.flags = DRM_VEXPORT_FAULT_QUERY,
	};
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_FAULT, &fault, EPERM);
	/* Nonsense is called that first. */
	fault.flags = 1u << 31;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_FAULT, &fault, EINVAL);
	stall.pad = 1;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_STALL, &stall, EINVAL);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "info", "The driver's counters follow what happens to buffers.", info },
	{ "info-bad-flags", "Unknown flags are refused.", info_bad_flags },
	{ "create-placements", "A buffer starts where it was asked for.", create_placements },
	{ "create-rounds-up", "Sizes become whole pages, and the caller is told.",
	  create_rounds_up },
	{ "create-zeroed", "A new buffer shows nothing of earlier ones.", create_zeroed },
	{ "create-bad-size", "No size and sizes beyond arithmetic are refused.", create_bad_size },
	{ "create-no-room", "What could never fit is refused before memory is spent on it.",
	  create_no_room },
	{ "create-bad-placement", "Unknown placements are refused.", create_bad_placement },
	{ "create-bad-flags", "Unknown flags are refused.", create_bad_flags },
	{ "create-bad-pad", "Padding is reserved.", create_bad_pad },
	{ "close-twice", "A handle is gone once it is closed.", close_twice },
	{ "mmap-bad-handle", "Only handles of the same file can be mapped.", mmap_bad_handle },
	{ "mmap-bad-pad", "Padding is reserved.", mmap_bad_pad },
	{ "mmap-beyond-end", "A mapping ends where the buffer does.", mmap_beyond_end },
	{ "mmap-foreign-offset", "An offset is of no use to a file without a handle.",
	  mmap_foreign_offset },
	{ "mmap-same-bytes", "GEM handle and dma-buf are two names of the same memory.",
	  mmap_same_bytes },
	{ "query-bad-fd", "Only descriptors of dma-bufs name a buffer.", query_bad_fd },
	{ "query-foreign-dmabuf", "Other exporters' dma-bufs are left alone.",
	  query_foreign_dmabuf },
	{ "query-bad-flags", "Unknown flags are refused.", query_bad_flags },
	{ "move-bad-fd", "Only descriptors of dma-bufs name a buffer.", move_bad_fd },
	{ "move-foreign-dmabuf", "Other exporters' dma-bufs are left alone.",
	  move_foreign_dmabuf },
	{ "move-bad-placement", "Unknown placements are refused.", move_bad_placement },
	{ "move-bad-flags", "Unknown flags are refused.", move_bad_flags },
	{ "move-bad-pad", "Padding is reserved.", move_bad_pad },
	{ "move-relocate-bad-placement", "A relocation has no target placement.",
	  move_relocate_bad_placement },
	{ "export-again", "A buffer has one dma-buf, however often it is exported.",
	  export_again },
	{ "import-own", "A buffer that comes home is the same buffer.", import_own },
	{ "misbehave-needs-parameter", "No one gets faults or stalls that the administrator has "
	  "not allowed.", misbehave_needs_parameter },
};

igt_main
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
