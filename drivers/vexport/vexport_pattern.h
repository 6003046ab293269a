/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VEXPORT_PATTERN_H_
#define _VEXPORT_PATTERN_H_

#include <linux/types.h>

struct vexport_storage;

/**
 * struct vexport_pattern_diff - words that are not as they were left
 */
struct vexport_pattern_diff {
	/** @words: How many. */
	u64 words;
	/** @first: Index of the first; not set if there is none. */
	u64 first;
	/** @last: Index of the last. */
	u64 last;
};

void vexport_pattern_fill(struct vexport_storage *storage);
void vexport_pattern_check(struct vexport_storage *storage, struct vexport_pattern_diff *diff);

#endif /* _VEXPORT_PATTERN_H_ */
