// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_gate.h"
#include "igt_syncobj.h"
#include "igt_ttm.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What fdinfo says of a client's memory is what the client has allocated, "
		     "in the region where it is, and nothing once it is freed.");

#define SIZE			(64u << 10)

/* Long enough to look while the job runs, on an emulated CPU too. */

enum stat { TOTAL, SHARED, RESIDENT, PURGEABLE, ACTIVE, STATS };

static const char * const stat_names[STATS] = {
	"total", "shared", "resident", "purgeable", "active",
};

/* Indexed by enum drm_vexport_placement; the names are those of other TTM drivers. */
static const char * const regions[] = { "system", "gtt", "vram" };

#define REGIONS			ARRAY_SIZE(regions)

struct memory {
	uint64_t bytes[REGIONS][STATS];
};

static uint64_t parse_size(const char *text)
{
	uint64_t value;
	char *end;

	value = strtoull(text, &end, 10);
	if (!strcmp(end, " KiB\n"))
		return value << 10;
	if (!strcmp(end, " MiB\n"))
		return value << 20;
	igt_assert_f(!strcmp(end, "\n"), "'%s' is not a size of drm-usage-stats\n", text);
	return value;
}

/* Each key has to be there, and only once. */
static struct memory read_memory(int fd)
{
	unsigned int seen = 0, wanted = 0;
	struct memory memory = {};
	char line[256], key[64];
	bool driver = false;
	FILE *file;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	file = fopen(line, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		driver |= !strcmp(line, "drm-driver:\tvexport\n");
		for (unsigned int i = 0; i < REGIONS * STATS; i++) {
			snprintf(key, sizeof(key), "drm-%s-%s:\t", stat_names[i % STATS],
				 regions[i / STATS]);
			if (strncmp(line, key, strlen(key)))
				continue;
			igt_assert_f(!(seen & 1u << i), "%s is there twice\n", key);
			seen |= 1u << i;
			memory.bytes[i / STATS][i % STATS] = parse_size(line + strlen(key));
		}
	}
	fclose(file);
	igt_assert(driver);
	wanted = (1u << REGIONS * STATS) - 1;
	igt_assert_f(seen == wanted, "Keys are missing: mask %#x\n", seen ^ wanted);
	return memory;
}

static void expect(int fd, const struct memory *expected, const char *when)
{
	struct memory memory = read_memory(fd);

	for (unsigned int i = 0; i < REGIONS; i++)
		for (unsigned int j = 0; j < STATS; j++)
			igt_assert_f(memory.bytes[i][j] == expected->bytes[i][j],
				     "%s: drm-%s-%s is %" PRIu64 ", not %" PRIu64 "\n", when,
				     stat_names[j], regions[i], memory.bytes[i][j],
				     expected->bytes[i][j]);
}

static const struct memory nothing;

static void fdinfo_regions(struct vshare_session *s)
{
	uint32_t handle[REGIONS][REGIONS];
	struct memory expected = {};
	int other = vexport_open();

	expect(s->exporter, &nothing, "before");
	/* Another size for each region, so that none can stand for another. */
	for (uint32_t region = DRM_VEXPORT_PLACEMENT_TT; region < REGIONS; region++) {
		for (uint32_t i = 0; i < region; i++) {
			uint64_t size = (i + 1) * SIZE + region * 4096;

			handle[region][i] = vexport_gem_create(s->exporter, size, region, 0);
			expected.bytes[region][TOTAL] += size;
			expected.bytes[region][RESIDENT] += size;
			expect(s->exporter, &expected, "after a buffer more");
		}
	}
	expect(other, &nothing, "to another client");
	for (uint32_t region = DRM_VEXPORT_PLACEMENT_TT; region < REGIONS; region++) {
		for (uint32_t i = 0; i < region; i++) {
			uint64_t size = (i + 1) * SIZE + region * 4096;

			gem_close(s->exporter, handle[region][i]);
			expected.bytes[region][TOTAL] -= size;
			expected.bytes[region][RESIDENT] -= size;
			expect(s->exporter, &expected, "after a buffer less");
		}
	}
	expect(s->exporter, &nothing, "at the end");
	close(other);
}

static void fdinfo_resident(struct vshare_session *s)
{
	const uint32_t region = DRM_VEXPORT_PLACEMENT_SYSTEM;
	struct memory expected = {};
	uint32_t handle;
	uint64_t *map;

	handle = vexport_gem_create(s->exporter, SIZE, region, 0);
	expected.bytes[region][TOTAL] = SIZE;
	expect(s->exporter, &expected, "before the first use");

	map = vexport_gem_mmap(s->exporter, handle, SIZE);
	WRITE_ONCE(map[0], 1);
	expected.bytes[region][RESIDENT] = SIZE;
	expect(s->exporter, &expected, "after the first use");
	munmap(map, SIZE);
	gem_close(s->exporter, handle);
	expect(s->exporter, &nothing, "at the end");
}

static void fdinfo_move(struct vshare_session *s)
{
	static const uint32_t path[] = {
		DRM_VEXPORT_PLACEMENT_VRAM, DRM_VEXPORT_PLACEMENT_TT,
		DRM_VEXPORT_PLACEMENT_SYSTEM, DRM_VEXPORT_PLACEMENT_VRAM,
	};
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, path[0], 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(path); i++) {
		struct memory expected = {};

		vexport_move(s->exporter, bo.dmabuf, path[i], 0);
		expected.bytes[path[i]][TOTAL] = SIZE;
		expected.bytes[path[i]][SHARED] = SIZE;
		expected.bytes[path[i]][RESIDENT] = SIZE;
		expect(s->exporter, &expected, vexport_placement_name(path[i]));
	}
	vexport_bo_fini(&bo);
	expect(s->exporter, &nothing, "at the end");
}

static void fdinfo_shared(struct vshare_session *s)
{
	const uint32_t region = DRM_VEXPORT_PLACEMENT_VRAM;
	struct memory expected = {};
	int other = vexport_open();
	uint32_t handle, theirs;
	int dmabuf;

	handle = vexport_gem_create(s->exporter, SIZE, region, 0);
	expected.bytes[region][TOTAL] = SIZE;
	expected.bytes[region][RESIDENT] = SIZE;
	expect(s->exporter, &expected, "alone");

	dmabuf = prime_handle_to_fd(s->exporter, handle);
	expected.bytes[region][SHARED] = SIZE;
	expect(s->exporter, &expected, "exported");
	theirs = prime_fd_to_handle(other, dmabuf);
	close(dmabuf);
	expect(s->exporter, &expected, "with another client");
	expect(other, &expected, "to that other client");

	gem_close(s->exporter, handle);
	expect(s->exporter, &nothing, "after it was closed");
	gem_close(other, theirs);
	expect(other, &nothing, "at the end");
	close(other);
}

static void fdinfo_active(struct vshare_session *s)
{
	const uint32_t region = DRM_VEXPORT_PLACEMENT_VRAM;
	struct memory expected = {};
	struct vimport_job job = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	uint32_t opened, done;
	struct gate gate;

	vexport_bo_init(&bo, s->exporter, SIZE, region, DRM_VEXPORT_GEM_MOVING);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	expected.bytes[region][TOTAL] = SIZE;
	expected.bytes[region][SHARED] = SIZE;
	expected.bytes[region][RESIDENT] = SIZE;
	expect(s->exporter, &expected, "before the job");

	gate_close(&gate, 0, -1, 0, GATE_LONG, 0);
	opened = gate_syncobj(&gate, gpu.fd);
	vimport_job_sync(&job, opened, 0, 0);
	vimport_job_fill(&job, gpu.va, SIZE, 1);
	done = vimport_submit(gpu.fd, gpu.vm, &job, 0);
	expected.bytes[region][ACTIVE] = SIZE;
	expect(s->exporter, &expected, "before the job has ended");
	syncobj_destroy(gpu.fd, opened);
	gate_open(&gate);
	igt_assert_eq(vimport_wait(gpu.fd, done), 0);
	expected.bytes[region][ACTIVE] = 0;
	expect(s->exporter, &expected, "after the job");

	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
	expect(s->exporter, &nothing, "at the end");
}

/* What is swapped out is still the client's, but takes none of the machine's memory. */
static void fdinfo_swapped(struct vshare_session *s)
{
	const uint32_t region = DRM_VEXPORT_PLACEMENT_SYSTEM;
	struct memory expected = {};
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, 0);
	WRITE_ONCE(bo.map[0], 0x77);
	ttm_shrink_all();
	expected.bytes[region][TOTAL] = SIZE;
	expected.bytes[region][SHARED] = SIZE;
	expect(s->exporter, &expected, "swapped out");

	igt_assert_eq_u64(READ_ONCE(bo.map[0]), 0x77);
	expected.bytes[region][RESIDENT] = SIZE;
	expect(s->exporter, &expected, "back from swap");
	vexport_bo_fini(&bo);
	expect(s->exporter, &nothing, "at the end");
}

/* A buffer that is gone for good is a handle, and no memory. */
static void fdinfo_revoked(struct vshare_session *s)
{
	const uint32_t region = DRM_VEXPORT_PLACEMENT_VRAM;
	struct memory expected = {};
	struct vexport_bo bo;

	vexport_bo_init(&bo, s->exporter, SIZE, region, 0);
	expected.bytes[region][TOTAL] = SIZE;
	expected.bytes[region][SHARED] = SIZE;
	expected.bytes[region][RESIDENT] = SIZE;
	vexport_revoke(s->exporter, bo.dmabuf, DRM_VEXPORT_REVOKE_TEMPORARY, 0);
	expect(s->exporter, &expected, "revoked for some time");

	vexport_revoke(s->exporter, bo.dmabuf, DRM_VEXPORT_REVOKE_PERMANENT, 0);
	memset(&expected, 0, sizeof(expected));
	expected.bytes[DRM_VEXPORT_PLACEMENT_SYSTEM][TOTAL] = SIZE;
	expected.bytes[DRM_VEXPORT_PLACEMENT_SYSTEM][SHARED] = SIZE;
	expect(s->exporter, &expected, "revoked for good");
	vexport_bo_fini(&bo);
	expect(s->exporter, &nothing, "at the end");
}

/* Nanoseconds for which the device has copied for the client. */
static uint64_t read_copy_ns(int fd)
{
	uint64_t ns = 0;
	char line[256];
	int found = 0;
	FILE *file;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	file = fopen(line, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		found += sscanf(line, "drm-engine-copy:\t%" SCNu64 " ns\n", &ns);
	fclose(file);
	igt_assert_eq(found, 1);
	return ns;
}

/* The copy of a move counts for who made the buffer, whoever moves it, and for ever. */
static void fdinfo_copy(struct vshare_session *s)
{
	/* The first is copied within the call, the second by a worker. */
	static const uint64_t sizes[] = { SIZE, 8 << 20 };
	uint64_t ns, before = read_copy_ns(s->exporter);
	int other = vexport_open();
	struct vexport_bo bo;

	igt_assert_eq_u64(read_copy_ns(other), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		vexport_bo_init(&bo, other, sizes[i], DRM_VEXPORT_PLACEMENT_VRAM, 0);
		ns = read_copy_ns(other);
		memset(bo.map, 1, sizes[i]);
		igt_assert_eq_u64(read_copy_ns(other), ns);
		vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
		igt_assert_lt_u64(ns, read_copy_ns(other));
		ns = read_copy_ns(other);
		vexport_bo_fini(&bo);
		igt_assert_eq_u64(read_copy_ns(other), ns);
	}
	igt_assert_eq_u64(read_copy_ns(s->exporter), before);

	/* The buffer goes on moving when there is nobody to tell. */
	vexport_bo_init(&bo, other, SIZE, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	gem_close(other, bo.handle);
	bo.handle = 0;
	close(other);
	vexport_move(s->exporter, bo.dmabuf, DRM_VEXPORT_PLACEMENT_TT, 0);
	igt_assert_eq_u64(read_copy_ns(s->exporter), before);
	vexport_bo_fini(&bo);
}

static bool is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789", text[i]))
			return false;
	return len;
}

/* "drm-WORD-REGION" with a word that the documentation knows. */
static bool is_memory_key(const char *key)
{
	for (unsigned int i = 0; i < STATS; i++) {
		size_t len = strlen(stat_names[i]);

		if (!strncmp(key + 4, stat_names[i], len) && key[4 + len] == '-')
			return is_word(key + 5 + len, strlen(key + 5 + len));
	}
	return false;
}

/*
 * Every line is one that Documentation/gpu/drm-usage-stats.rst describes: nothing that
 * programs would have to know of us.
 */
static void fdinfo_syntax(struct vshare_session *s)
{
	unsigned int drivers = 0, clients = 0, engines = 0, others = 0;
	struct vexport_bo bo;
	char line[256];
	FILE *file;

	vexport_bo_init(&bo, s->exporter, 3 << 20, DRM_VEXPORT_PLACEMENT_VRAM, 0);
	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", s->exporter);
	file = fopen(line, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		char *value = strstr(line, ":\t");

		igt_assert_f(value && line[strlen(line) - 1] == '\n', "'%s' is no line\n", line);
		*value = '\0';
		value += 2;
		/* The rest is of all files. */
		if (strncmp(line, "drm-", 4))
			continue;
		if (!strcmp(line, "drm-driver")) {
			drivers++;
			igt_assert(!strcmp(value, "vexport\n"));
		} else if (!strcmp(line, "drm-client-id")) {
			clients++;
			igt_assert_eq(strspn(value, "0123456789"), strlen(value) - 1);
		} else if (!strcmp(line, "drm-engine-copy")) {
			size_t digits = strspn(value, "0123456789");

			engines++;
			igt_assert(digits && !strcmp(value + digits, " ns\n"));
		} else {
			others++;
			igt_assert_f(is_memory_key(line), "'%s' is not in the documentation\n",
				     line);
			parse_size(value);
		}
	}
	fclose(file);
	igt_assert_eq(drivers, 1);
	igt_assert_eq(clients, 1);
	igt_assert_eq(engines, 1);
	igt_assert_eq(others, REGIONS * STATS);
	vexport_bo_fini(&bo);
}

static const struct vshare_subtest subtests[] = {
	{ "regions", "Each buffer counts once, in the region where it is, for its client only.",
	  fdinfo_regions },
	{ "resident", "A buffer without pages takes no memory yet.", fdinfo_resident },
	{ "move", "The numbers go where the buffer goes.", fdinfo_move },
	{ "shared", "A buffer that others can reach is shared, and counts for all who have it.",
	  fdinfo_shared },
	{ "swapped", "What is swapped out takes no memory until it is used.", fdinfo_swapped },
	{ "revoked", "What is revoked for good takes no memory.", fdinfo_revoked },
	{ "copy", "The time that copies take counts for who made the buffer.", fdinfo_copy },
	{ "syntax", "There is nothing but what the documentation describes.", fdinfo_syntax },
	{ "active", "A buffer is active until the importer's job has ended.", fdinfo_active },
};

igt_main
{
	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
