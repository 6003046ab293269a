/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef _IMPORTER_H_
#define _IMPORTER_H_

#include "cmd.h"

/* Rows of a buffer's verdict that are looked at. */
#define MAX_IMPORTERS	64

/* What a verdict exits with, and its name in JSON. */
enum verdict {
	VERDICT_CLEAN,
	VERDICT_STALE,
	VERDICT_BROKEN,
	VERDICT_UNTESTED,
};

const char *verdict_name(enum verdict verdict);

/*
 * Moves that have tested somebody: those that took the buffer away from a device, or,
 * where no device has ever imported it, from a CPU.
 */
uint64_t testing_moves(const struct drm_vexport_bo_verdict *verdict,
		       const struct drm_vexport_bo_query *query, unsigned int importers);

enum verdict verdict_of(uint64_t stale_words, uint64_t broken, uint64_t testing_moves);

/* The rules that count: not those that this kernel does not have. */
uint64_t broken_rules(const struct drm_vexport_bo_verdict *verdict);

/* Prints what an importer has done. */
void put_importer(struct out *out, const struct drm_vexport_attachment_info *row);

#endif /* _IMPORTER_H_ */
