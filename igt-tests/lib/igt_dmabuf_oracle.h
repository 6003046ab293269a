/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_DMABUF_ORACLE_H
#define IGT_DMABUF_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who writes, in the upper 16 bits of a word. */
enum dmabuf_writer {
	DMABUF_WRITER_GPU0 = 1,
	DMABUF_WRITER_GPU1,
	DMABUF_WRITER_CPU,
	DMABUF_WRITER_COUNT,
};

/**
 * struct dmabuf_oracle - what each word of a buffer must be
 *
 * A test tells the oracle about each write at the moment when it is certain
 * which write comes last; the oracle then knows every word of the buffer. The
 * memory is shared with children, so that the parent can check what they did.
 */
struct dmabuf_oracle {
	/** @words: 64-bit words of the buffer. */
	size_t words;

	/** @expect: What each of them must be. */
	uint64_t *expect;

	/** @sequence: Number of the last write. */
	uint32_t *sequence;
};

void dmabuf_oracle_init(struct dmabuf_oracle *oracle, size_t size);
void dmabuf_oracle_fini(struct dmabuf_oracle *oracle);

uint64_t dmabuf_oracle_tag(struct dmabuf_oracle *oracle, enum dmabuf_writer writer,
			   size_t offset, size_t size);
void dmabuf_oracle_fill(struct dmabuf_oracle *oracle, size_t offset, size_t size, uint64_t value);
void dmabuf_oracle_copy(struct dmabuf_oracle *oracle, size_t to, size_t from, size_t size);
uint64_t dmabuf_oracle_checksum(const struct dmabuf_oracle *oracle, size_t offset, size_t size);
void dmabuf_oracle_store(struct dmabuf_oracle *oracle, uint64_t *map, size_t offset, size_t size);

void dmabuf_oracle_check_range(const struct dmabuf_oracle *oracle, const uint64_t *map,
			       size_t offset, size_t size, const char *when);
void dmabuf_oracle_check(const struct dmabuf_oracle *oracle, const uint64_t *map,
			 const char *when);

#endif /* IGT_DMABUF_ORACLE_H */
