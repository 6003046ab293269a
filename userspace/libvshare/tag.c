// SPDX-License-Identifier: MIT
/*
 * Words that say who wrote them, and when; and the engine's checksum.
 */
#include <stdio.h>
#include <string.h>

#include "vshare.h"

#define WRITER_SHIFT	56
#define BUFFER_SHIFT	48
#define INDEX_MASK	((1ull << DRM_VIMPORT_TAG_INDEX_BITS) - 1)
#define SEQUENCE_MASK	((1u << (BUFFER_SHIFT - DRM_VIMPORT_TAG_INDEX_BITS)) - 1)
#define FNV_PRIME	0x100000001b3ull

uint64_t vshare_tag(uint8_t writer, uint8_t buffer, uint32_t sequence)
{
	return (uint64_t)writer << WRITER_SHIFT | (uint64_t)buffer << BUFFER_SHIFT |
	       (uint64_t)(sequence & SEQUENCE_MASK) << DRM_VIMPORT_TAG_INDEX_BITS;
}

/*
 * Each word is read once: a writer that is late must not be able to show one
 * value to the comparison and another to the report.
 */
size_t vshare_tag_verify(const uint64_t *words, size_t count, uint64_t tag,
			 struct vshare_tag_diff *diff)
{
	const volatile uint64_t *memory = words;
	size_t wrong = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t word = memory[i];

		if (word == tag + i)
			continue;
		if (!wrong++ && diff)
			*diff = (struct vshare_tag_diff) {
				.index = i, .found = word, .expected = tag + i,
			};
	}
	return wrong;
}

void vshare_tag_describe(uint64_t word, uint64_t index, char *text, size_t len)
{
	struct drm_vexport_stale_word stale;

	memcpy(&stale, &word, sizeof(stale));
	if (!word)
		snprintf(text, len, "zero, as in a fresh buffer");
	else if (stale.magic == DRM_VEXPORT_STALE_MAGIC && stale.index == (uint32_t)index)
		snprintf(text, len, "storage that generation %u of buffer %u had left (mod 256)",
			 stale.generation, stale.buffer);
	else
		snprintf(text, len, "writer %u buffer %u sequence %u index %u",
			 (unsigned int)(word >> WRITER_SHIFT),
			 (unsigned int)(word >> BUFFER_SHIFT & 0xff),
			 (unsigned int)(word >> DRM_VIMPORT_TAG_INDEX_BITS & SEQUENCE_MASK),
			 (unsigned int)(word & INDEX_MASK));
}

uint64_t vshare_checksum(uint64_t hash, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hash = (hash ^ words[i]) * FNV_PRIME;
	return hash;
}

uint64_t vshare_checksum_tag(uint64_t hash, size_t count, uint64_t tag)
{
	for (size_t i = 0; i < count; i++)
		hash = (hash ^ (tag + i)) * FNV_PRIME;
	return hash;
}
