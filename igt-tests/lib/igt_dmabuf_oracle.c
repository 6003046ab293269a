// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_dmabuf_oracle.h"
#include "igt_vshare.h"

#define WORD			sizeof(uint64_t)
#define INDEX_BITS		DRM_VIMPORT_TAG_INDEX_BITS
#define WRITER_SHIFT		48
#define SEQUENCE_BITS		(WRITER_SHIFT - INDEX_BITS)

static size_t mapping_size(const struct dmabuf_oracle *oracle)
{
	return oracle->words * WORD + sizeof(*oracle->sequence);
}

/**
 * dmabuf_oracle_init - start with a buffer that is all zero
 * @oracle: the oracle
 * @size: size of the buffer
 */
void dmabuf_oracle_init(struct dmabuf_oracle *oracle, size_t size)
{
	igt_assert(IS_ALIGNED(size, WORD));
	oracle->words = size / WORD;
	oracle->expect = mmap(NULL, mapping_size(oracle), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(oracle->expect != MAP_FAILED);
	oracle->sequence = (uint32_t *)(oracle->expect + oracle->words);
}

void dmabuf_oracle_fini(struct dmabuf_oracle *oracle)
{
	munmap(oracle->expect, mapping_size(oracle));
	memset(oracle, 0, sizeof(*oracle));
}

static size_t range(const struct dmabuf_oracle *oracle, size_t offset, size_t size, size_t *end)
{
	igt_assert(IS_ALIGNED(offset | size, WORD));
	*end = (offset + size) / WORD;
	igt_assert(*end <= oracle->words);
	return offset / WORD;
}

/**
 * dmabuf_oracle_tag - one more write of a range
 * @oracle: the oracle
 * @writer: who writes
 * @offset: first byte
 * @size: bytes
 *
 * Returns the value for a TAG command over that range.
 */
uint64_t dmabuf_oracle_tag(struct dmabuf_oracle *oracle, enum dmabuf_writer writer,
			   size_t offset, size_t size)
{
	uint64_t sequence = __atomic_add_fetch(oracle->sequence, 1, __ATOMIC_RELAXED);
	uint64_t value = (uint64_t)writer << WRITER_SHIFT | sequence << INDEX_BITS;
	size_t end, first = range(oracle, offset, size, &end);

	igt_assert(sequence < 1ull << SEQUENCE_BITS);
	for (size_t i = first; i < end; i++)
		oracle->expect[i] = value + (i - first);
	return value;
}

void dmabuf_oracle_fill(struct dmabuf_oracle *oracle, size_t offset, size_t size, uint64_t value)
{
	size_t end, first = range(oracle, offset, size, &end);

	for (size_t i = first; i < end; i++)
		oracle->expect[i] = value;
}

void dmabuf_oracle_copy(struct dmabuf_oracle *oracle, size_t to, size_t from, size_t size)
{
	size_t end, src = range(oracle, from, size, &end), dst = range(oracle, to, size, &end);

	memcpy(&oracle->expect[dst], &oracle->expect[src], size);
}

/**
 * dmabuf_oracle_checksum - what a CHECKSUM command must find
 * @oracle: the oracle
 * @offset: first byte
 * @size: bytes
 */
uint64_t dmabuf_oracle_checksum(const struct dmabuf_oracle *oracle, size_t offset, size_t size)
{
	size_t end, first = range(oracle, offset, size, &end);
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = first; i < end; i++)
		hash = (hash ^ oracle->expect[i]) * 0x100000001b3;
	return hash;
}

/**
 * dmabuf_oracle_store - write a range with the CPU
 * @oracle: the oracle
 * @map: mapping of the buffer
 * @offset: first byte
 * @size: bytes
 */
void dmabuf_oracle_store(struct dmabuf_oracle *oracle, uint64_t *map, size_t offset, size_t size)
{
	size_t end, first = range(oracle, offset, size, &end);

	dmabuf_oracle_tag(oracle, DMABUF_WRITER_CPU, offset, size);
	for (size_t i = first; i < end; i++)
		WRITE_ONCE(map[i], oracle->expect[i]);
}

static bool is_stale(uint64_t word, size_t index)
{
	struct drm_vexport_stale_word stale;

	memcpy(&stale, &word, sizeof(stale));
	return stale.magic == DRM_VEXPORT_STALE_MAGIC && stale.index == index;
}

static const char *describe(uint64_t word, size_t index, char *text, size_t size)
{
	static const char * const writers[] = {
		[DMABUF_WRITER_GPU0] = "GPU 0",
		[DMABUF_WRITER_GPU1] = "GPU 1",
		[DMABUF_WRITER_CPU] = "the CPU",
	};
	unsigned int writer = word >> WRITER_SHIFT;
	struct drm_vexport_stale_word stale;

	if (!word) {
		snprintf(text, size, "zero, as at creation");
	} else if (is_stale(word, index)) {
		memcpy(&stale, &word, sizeof(stale));
		snprintf(text, size, "%#" PRIx64 ", what the exporter leaves in storage of"
			 " generation %u (mod 256) of buffer %u (mod 256) after it went away",
			 word, stale.generation, stale.buffer);
	} else if (writer && writer < DMABUF_WRITER_COUNT) {
		snprintf(text, size, "%#" PRIx64 ", word %u of write %u, by %s", word,
			 (unsigned int)(word & ((1u << INDEX_BITS) - 1)),
			 (unsigned int)(word >> INDEX_BITS & ((1u << SEQUENCE_BITS) - 1)),
			 writers[writer]);
	} else {
		snprintf(text, size, "%#" PRIx64, word);
	}
	return text;
}

/**
 * dmabuf_oracle_check_range - a part of the buffer is as its last writers left it
 * @oracle: the oracle
 * @map: mapping of the whole buffer
 * @offset: first byte
 * @size: bytes
 * @when: what has just happened, for the report
 *
 * Fails the subtest otherwise, and says which word is wrong, who wrote it and
 * who should have.
 */
void dmabuf_oracle_check_range(const struct dmabuf_oracle *oracle, const uint64_t *map,
			       size_t offset, size_t size, const char *when)
{
	size_t end, first = range(oracle, offset, size, &end), at = end, wrong = 0, stale = 0;
	char found[160], expected[160];
	uint64_t word = 0;

	/* The fast way first: this is most of the work of a test on a slow CPU. */
	if (!memcmp(&map[first], &oracle->expect[first], size))
		return;

	for (size_t i = first; i < end; i++) {
		uint64_t now = READ_ONCE(map[i]);

		if (now == oracle->expect[i])
			continue;
		if (!wrong++) {
			at = i;
			word = now;
		}
		stale += is_stale(now, i);
	}
	igt_assert_f(wrong, "%s: the buffer was wrong at first sight and right at the second\n",
		     when);
	igt_assert_f(!wrong, "%s: %zu of %zu words are wrong, %zu of them are stale storage.\n"
		     "Word %zu is %s;\nit must be %s.\n", when, wrong, end - first, stale, at,
		     describe(word, at, found, sizeof(found)),
		     describe(oracle->expect[at], at, expected, sizeof(expected)));
}

/**
 * dmabuf_oracle_check - the whole buffer is as its last writers left it
 * @oracle: the oracle
 * @map: mapping of the buffer
 * @when: what has just happened, for the report
 */
void dmabuf_oracle_check(const struct dmabuf_oracle *oracle, const uint64_t *map,
			 const char *when)
{
	dmabuf_oracle_check_range(oracle, map, 0, oracle->words * WORD, when);
}
