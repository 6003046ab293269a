// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("Buffers change place under the CPU's eyes: the bytes stay, mappings "
		     "follow, and nothing moves that must not.");

#define SIZE			(256u << 10)
#define PAGE			4096u
#define ROOM_ROUNDS		20

/* A page is read or written for one word: enough to see where it went. */
#define WORDS_PER_PAGE		(PAGE / sizeof(uint64_t))

static void expect_place(struct vshare_session *s, const struct vexport_bo *bo,
			 uint32_t placement, uint64_t generation)
{
	struct drm_vexport_bo_query query;

	vexport_query(s->exporter, bo->dmabuf, &query);
	igt_assert_f(query.placement == placement, "The buffer is in %s, not in %s\n",
		     vexport_placement_name(query.placement), vexport_placement_name(placement));
	igt_assert_eq_u64(query.generation, generation);
}

static void content(struct vshare_session *s)
{
	struct dmabuf_oracle oracle;
	struct vexport_bo bo;
	uint64_t generation, *gem;
	char when[64];

	dmabuf_oracle_init(&oracle, SIZE);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_SYSTEM, 0);
	gem = vexport_gem_mmap(s->exporter, bo.handle, SIZE);
	for (uint32_t pair = 0; pair < 9; pair++) {
		uint32_t from = pair / 3, to = pair % 3;

		/* From a place to itself is a relocation. */
		vexport_move(s->exporter, bo.dmabuf, from, 0);
		dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
		generation = vexport_move(s->exporter, bo.dmabuf, to,
					  from == to ? DRM_VEXPORT_MOVE_RELOCATE : 0);
		expect_place(s, &bo, to, generation);
		snprintf(when, sizeof(when), "after %s to %s", vexport_placement_name(from),
			 vexport_placement_name(to));
		dmabuf_oracle_check(&oracle, bo.map, when);
		dmabuf_oracle_check(&oracle, gem, when);
		/* Writing through mappings that were made before the move. */
		dmabuf_oracle_store(&oracle, gem, SIZE / 2, PAGE);
		dmabuf_oracle_check(&oracle, bo.map, when);
	}
	munmap(gem, SIZE);
	vexport_bo_fini(&bo);
	dmabuf_oracle_fini(&oracle);
}

static void generation(struct vshare_session *s)
{
	struct drm_vexport_info before, after;
	uint64_t seen = 0;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	vexport_get_info(s->exporter, &before);
	for (uint32_t placement = 0; placement < 3; placement++) {
		igt_assert_eq_u64(vexport_move(s->exporter, bo.dmabuf, placement, 0), ++seen);
		/* Already there: nothing happens. */
		igt_assert_eq_u64(vexport_move(s->exporter, bo.dmabuf, placement, 0), seen);
		for (int i = 0; i < 3; i++)
			igt_assert_eq_u64(vexport_move(s->exporter, bo.dmabuf, 0,
						       DRM_VEXPORT_MOVE_RELOCATE), ++seen);
		expect_place(s, &bo, placement, seen);
	}
	vexport_get_info(s->exporter, &after);
	igt_assert_eq_u64(after.moves - before.moves, seen);
	vexport_bo_fini(&bo);
}

static void partial_mapping(struct vshare_session *s)
{
	const size_t first = 3 * WORDS_PER_PAGE, size = 2 * PAGE;
	struct vexport_bo bo;
	uint64_t *gem, *map;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	for (size_t i = 0; i < SIZE / sizeof(*bo.map); i++)
		bo.map[i] = i;
	for (uint32_t placement = 0; placement < 3; placement++) {
		/* The middle through the dma-buf; DRM files map from the start only. */
		map = mmap(NULL, size, PROT_READ, MAP_SHARED, bo.dmabuf, 3 * PAGE);
		igt_assert(map != MAP_FAILED);
		gem = vexport_gem_mmap(s->exporter, bo.handle, size);
		igt_assert_eq_u64(READ_ONCE(map[0]), first);
		igt_assert_eq_u64(READ_ONCE(gem[0]), 0);
		vexport_move(s->exporter, bo.dmabuf, placement, 0);
		igt_assert_eq_u64(READ_ONCE(map[0]), first);
		igt_assert_eq_u64(READ_ONCE(gem[0]), 0);
		/* The second pages have not been touched before the move. */
		igt_assert_eq_u64(READ_ONCE(map[WORDS_PER_PAGE]), first + WORDS_PER_PAGE);
		igt_assert_eq_u64(READ_ONCE(gem[WORDS_PER_PAGE]), WORDS_PER_PAGE);
		munmap(map, size);
		munmap(gem, size);
	}
	vexport_bo_fini(&bo);
}

static void no_handle(struct vshare_session *s)
{
	struct dmabuf_oracle oracle;
	struct vexport_bo bo;
	uint32_t handle;
	uint64_t *gem;

	dmabuf_oracle_init(&oracle, SIZE);
	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	dmabuf_oracle_store(&oracle, bo.map, 0, SIZE);
	vexport_bo_close_handle(&bo);
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	dmabuf_oracle_check(&oracle, bo.map, "after moves without a handle");

	handle = prime_fd_to_handle(s->exporter, bo.dmabuf);
	gem = vexport_gem_mmap(s->exporter, handle, SIZE);
	dmabuf_oracle_check(&oracle, gem, "through a handle from the dma-buf");
	munmap(gem, SIZE);
	gem_close(s->exporter, handle);
	vexport_bo_fini(&bo);
	dmabuf_oracle_fini(&oracle);
}

/* Buffers a quarter more than VRAM holds, each with a mark in every page. */
#define LRU_SIZE		(4u << 20)

static void check_marks(const struct vexport_bo *bo, unsigned int number)
{
	for (size_t page = 0; page < LRU_SIZE / PAGE; page++)
		igt_assert_eq_u64(READ_ONCE(bo->map[page * WORDS_PER_PAGE]),
				  (uint64_t)number << 32 | page);
}

static void evict_lru(struct vshare_session *s)
{
	unsigned int count = s->start.exporter.vram_size / LRU_SIZE * 5 / 4;
	struct vexport_bo *bos = calloc(count, sizeof(*bos));
	struct drm_vexport_bo_query query;
	struct drm_vexport_info now;
	unsigned int evicted = 0;

	igt_require_f(count > 4 && count <= 80, "Needs between 16 and 256 MiB of VRAM\n");
	for (unsigned int i = 0; i < count; i++) {
		vexport_bo_init(&bos[i], s->exporter, LRU_SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		for (size_t page = 0; page < LRU_SIZE / PAGE; page++)
			bos[i].map[page * WORDS_PER_PAGE] = (uint64_t)i << 32 | page;
	}
	for (unsigned int i = 0; i < count; i++) {
		vexport_query(s->exporter, bos[i].dmabuf, &query);
		if (query.placement == DRM_VEXPORT_PLACEMENT_VRAM)
			continue;
		/* The longest unused go first, so they are the first of all. */
		igt_assert_eq(evicted, i);
		igt_assert_eq_u64(query.evictions, 1);
		igt_assert_eq_u64(query.generation, 1);
		evicted++;
	}
	igt_assert_lte(count / 5, evicted);
	vexport_get_info(s->exporter, &now);
	igt_assert_eq_u64(now.evictions - s->start.exporter.evictions, evicted);

	for (unsigned int i = 0; i < count; i++) {
		check_marks(&bos[i], i);
		vexport_bo_fini(&bos[i]);
	}
	free(bos);
}

static void evict_by_move(struct vshare_session *s)
{
	unsigned int count = s->start.exporter.vram_size / LRU_SIZE;
	struct drm_vexport_bo_query query;
	struct vexport_bo *bos, late;
	struct drm_vexport_info now;

	igt_require_f(count && count <= 64, "Needs between 4 and 256 MiB of VRAM\n");
	bos = calloc(count, sizeof(*bos));
	vexport_bo_init(&late, s->exporter, LRU_SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	for (size_t page = 0; page < LRU_SIZE / PAGE; page++)
		late.map[page * WORDS_PER_PAGE] = ~0ull << 32 | page;
	for (unsigned int i = 0; i < count; i++) {
		vexport_bo_init(&bos[i], s->exporter, LRU_SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		bos[i].map[i] = i;
	}
	vexport_get_info(s->exporter, &now);
	vexport_move(s->exporter, late.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_query(s->exporter, late.dmabuf, &query);
	igt_assert_eq_u32(query.placement, DRM_VEXPORT_PLACEMENT_VRAM);
	/* Its own move was asked for; those of the others were not. */
	igt_assert_eq_u64(query.evictions, 0);
	vexport_query(s->exporter, bos[0].dmabuf, &query);
	igt_assert_neq_u32(query.placement, DRM_VEXPORT_PLACEMENT_VRAM);
	igt_assert_eq_u64(query.evictions, 1);
	check_marks(&late, ~0u);
	for (unsigned int i = 0; i < count; i++) {
		igt_assert_eq_u64(bos[i].map[i], i);
		vexport_bo_fini(&bos[i]);
	}
	vexport_bo_fini(&late);
	free(bos);
}

static void no_room(struct vshare_session *s)
{
	const size_t size = s->start.exporter.vram_size + PAGE;
	struct drm_vexport_bo_query before, after;
	struct drm_vexport_bo_move move = { .placement = DRM_VEXPORT_PLACEMENT_VRAM };
	struct vexport_bo bo, bystander;

	igt_require_f(size <= 256u << 20, "Needs at most 256 MiB of VRAM\n");
	vexport_bo_init(&bo, s->exporter, size, DRM_VEXPORT_PLACEMENT_TT, 0);
	bo.map[0] = 1;
	bo.map[size / sizeof(*bo.map) - 1] = 2;
	/* Nobody has to make room for what does not fit anyway. */
	vexport_bo_init(&bystander, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_query(s->exporter, bo.dmabuf, &before);
	move.fd = bo.dmabuf;
	vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, ENOMEM);
	vexport_query(s->exporter, bo.dmabuf, &after);
	igt_assert(!memcmp(&before, &after, sizeof(before)));
	expect_place(s, &bystander, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	igt_assert_eq_u64(bo.map[0], 1);
	igt_assert_eq_u64(bo.map[size / sizeof(*bo.map) - 1], 2);
	vexport_bo_fini(&bystander);
	vexport_bo_fini(&bo);
}

static void static_importer_pins(struct vshare_session *s)
{
	int vgem = vshare_open_vgem();
	struct drm_vexport_bo_query query;
	struct drm_vexport_info now;
	struct vexport_bo bo;
	uint32_t handle;

	/* MOVING does not help: this importer has no way to be told. */
	for (uint32_t flags = 0; flags <= DRM_VEXPORT_GEM_MOVING; flags++) {
		vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, flags);
		bo.map[0] = flags + 1;
		handle = prime_fd_to_handle(vgem, bo.dmabuf);
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq(query.attachments, 1);
		igt_assert_lt(0, query.pins);
		vexport_get_info(s->exporter, &now);
		igt_assert_eq_u64(now.pinned - s->start.exporter.pinned, SIZE);
		for (uint32_t placement = 0; placement < 3; placement++) {
			struct drm_vexport_bo_move move = {
				.fd = bo.dmabuf,
				.placement = placement,
			};

			if (placement != query.placement)
				vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move,
					       EBUSY);
			move.placement = 0;
			move.flags = DRM_VEXPORT_MOVE_RELOCATE;
			vshare_refused(s, s->exporter, DRM_IOCTL_VEXPORT_BO_MOVE, &move, EBUSY);
		}
		igt_assert_eq_u64(bo.map[0], flags + 1);

		gem_close(vgem, handle);
		vexport_query(s->exporter, bo.dmabuf, &query);
		igt_assert_eq(query.attachments | query.pins | query.maps, 0);
		vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
		igt_assert_eq_u64(bo.map[0], flags + 1);
		vexport_bo_fini(&bo);
	}
	close(vgem);
}

static void evict_spares_pinned(struct vshare_session *s)
{
	unsigned int count = s->start.exporter.vram_size / LRU_SIZE * 5 / 4;
	struct drm_vexport_bo_query query, before;
	int vgem = vshare_open_vgem();
	struct vexport_bo bo;
	uint32_t handle;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	handle = prime_fd_to_handle(vgem, bo.dmabuf);
	vexport_query(s->exporter, bo.dmabuf, &before);
	/* The handles are closed with the session: nobody looks at these. */
	while (count--)
		vexport_gem_create(s->exporter, LRU_SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	vexport_query(s->exporter, bo.dmabuf, &query);
	igt_assert_eq_u32(query.placement, before.placement);
	igt_assert_eq_u64(query.generation, before.generation);
	gem_close(vgem, handle);
	vexport_bo_fini(&bo);
	close(vgem);
}

static uint64_t moves_touched(struct vshare_session *s, const struct vexport_bo *bo,
			      uint32_t placement, uint32_t flags)
{
	struct drm_vexport_bo_query query;

	vexport_move(s->exporter, bo->dmabuf, placement, flags);
	vexport_query(s->exporter, bo->dmabuf, &query);
	return query.moves_touched;
}

static void counts_touched(struct vshare_session *s)
{
	const uint32_t relocate = DRM_VEXPORT_MOVE_RELOCATE;
	uint64_t touched = 0, *gem;
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	gem = vexport_gem_mmap(s->exporter, bo.handle, SIZE);
	/* It is mapped, but nobody has looked. */
	igt_assert_eq_u64(moves_touched(s, &bo, 0, relocate), 0);
	for (uint32_t placement = 3; placement--;) {
		uint32_t flags = placement == DRM_VEXPORT_PLACEMENT_TT ? relocate : 0;

		WRITE_ONCE(bo.map[0], placement);
		igt_assert_eq_u64(moves_touched(s, &bo, flags ? 0 : placement, flags), ++touched);
		igt_assert_eq_u64(moves_touched(s, &bo, 0, relocate), touched);
		igt_assert_eq_u64(READ_ONCE(gem[0]), placement);
		igt_assert_eq_u64(moves_touched(s, &bo, 0, relocate), ++touched);
		vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	}
	munmap(gem, SIZE);
	vexport_bo_fini(&bo);
}

/*
 * The importer gives its sg table back a moment after the move. The pages may be its
 * own until then, but not their place: nobody else has to leave for the next buffer.
 */
static void leaves_room(struct vshare_session *s)
{
	struct drm_vexport_info info, before;
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t next;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM,
			DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	do {
		/* To the last byte. The handles are closed with the session. */
		vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		vexport_get_info(s->exporter, &before);
	} while (before.vram_used < before.vram_size);
	igt_assert_eq_u64(before.evictions, s->start.exporter.evictions);

	for (unsigned int round = 0; round < ROOM_ROUNDS; round++) {
		struct vimport_job job = {};

		vimport_job_fill(&job, gpu.va, SIZE, round);
		vimport_run(gpu.fd, gpu.vm, &job);
		vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
		/* TTM's worker gives the place up, a moment after the move is over. */
		do {
			vexport_get_info(s->exporter, &info);
		} while (info.vram_used == info.vram_size);
		next = vexport_gem_create(s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		gem_close(s->exporter, next);
		vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_VRAM, 0);
		vexport_get_info(s->exporter, &info);
		igt_assert_eq_u64(info.evictions, before.evictions);
		igt_assert_eq_u64(info.vram_used, info.vram_size);
		for (size_t i = 0; i < SIZE / sizeof(*bo.map); i++)
			igt_assert_eq_u64(bo.map[i], round);
	}
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "content", "Every move keeps every byte, and mappings that exist follow it.", content },
	{ "generation", "Each move gives the storage a new name; staying put does not.",
	  generation },
	{ "partial-mapping", "A mapping of the middle of a buffer follows it too.",
	  partial_mapping },
	{ "no-handle", "A buffer that only its dma-buf keeps alive still moves.", no_handle },
	{ "evict-lru", "When VRAM is full, the longest unused buffers make room, unharmed.",
	  evict_lru },
	{ "evict-by-move", "A buffer that moves into full VRAM makes others leave.",
	  evict_by_move },
	{ "evict-spares-pinned", "What a static importer holds stays when VRAM is short.",
	  evict_spares_pinned },
	{ "no-room", "A move that cannot succeed leaves everything as it was.", no_room },
	{ "counts-touched", "A move that takes pages away from a CPU which uses them is told "
	  "apart from others.", counts_touched },
	{ "leaves-room", "What an importer has not yet given back is in nobody's way.",
	  leaves_room },
	{ "static-importer-pins", "A buffer stays put while an importer holds it that cannot be "
	  "told of moves.", static_importer_pins },
};

igt_main
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
