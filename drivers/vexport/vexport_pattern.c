// SPDX-License-Identifier: GPL-2.0-only

#include <linux/build_bug.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <drm/vexport_drm.h>

#include "vexport_pattern.h"
#include "vexport_storage.h"

#define WORDS_PER_PAGE	(PAGE_SIZE / sizeof(struct drm_vexport_stale_word))

/*
 * The words of a page as numbers, to be compared and written at once. Whatever the byte
 * order, the next word is the one before plus a constant.
 */
struct pattern {
	u64 word;
	u64 step;
};

static u64 to_number(struct drm_vexport_stale_word word)
{
	u64 number;

	BUILD_BUG_ON(sizeof(word) != sizeof(number));
	memcpy(&number, &word, sizeof(number));
	return number;
}

static struct pattern pattern_of_page(struct vexport_storage *storage, unsigned long i)
{
	return (struct pattern){
		.word = to_number((struct drm_vexport_stale_word){
			.magic = DRM_VEXPORT_STALE_MAGIC,
			.buffer = (u8)storage->buffer,
			.generation = (u8)storage->generation,
			.index = i * WORDS_PER_PAGE,
		}),
		.step = to_number((struct drm_vexport_stale_word){ .index = 1 }),
	};
}

static void fill_page(struct vexport_storage *storage, unsigned long i)
{
	struct pattern pattern = pattern_of_page(storage, i);
	u64 *word = kmap_local_page(storage->pages[i]);
	unsigned int j;

	for (j = 0; j < WORDS_PER_PAGE; j++, pattern.word += pattern.step)
		word[j] = pattern.word;
	kunmap_local(word);
}

static u64 check_page(struct vexport_storage *storage, unsigned long i,
		      struct vexport_pattern_diff *diff)
{
	struct pattern pattern = pattern_of_page(storage, i);
	const u64 *word = kmap_local_page(storage->pages[i]);
	u64 before = diff->words;
	unsigned int j;

	for (j = 0; j < WORDS_PER_PAGE; j++, pattern.word += pattern.step) {
		if (likely(word[j] == pattern.word))
			continue;
		if (!diff->words++)
			diff->first = i * WORDS_PER_PAGE + j;
		diff->last = i * WORDS_PER_PAGE + j;
	}
	kunmap_local(word);
	return diff->words - before;
}

/**
 * vexport_pattern_fill - fill storage with the pattern
 * @storage: storage that was left, whose content is no longer needed and for
 *	which all fences of importers have signalled
 *
 * Allocates nothing: this is what a fence waits for.
 */
void vexport_pattern_fill(struct vexport_storage *storage)
{
	unsigned long i;

	storage->patterned_at = ktime_get();
	for (i = 0; i < storage->npages; i++) {
		fill_page(storage, i);
		cond_resched();
	}
	/* Pairs with the acquire in vexport_pattern_check(): the pattern is complete. */
	smp_store_release(&storage->patterned, true);
}

/**
 * vexport_pattern_check - look for words that have changed
 * @storage: storage that was left
 * @diff: Output: what was found
 *
 * Restores the pages, so that the next write is seen as a new one. Nothing is found
 * in storage that was not filled yet: the copy out of it has not ended, hence
 * importers may still be writing rightfully.
 */
void vexport_pattern_check(struct vexport_storage *storage, struct vexport_pattern_diff *diff)
{
	unsigned long i;

	*diff = (struct vexport_pattern_diff){};
	/* Pairs with the release in vexport_pattern_fill(). */
	if (!smp_load_acquire(&storage->patterned))
		return;

	for (i = 0; i < storage->npages; i++) {
		if (check_page(storage, i, diff))
			fill_page(storage, i);
		cond_resched();
	}
}
