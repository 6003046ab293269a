/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VEXPORT_TABLE_H
#define IGT_VEXPORT_TABLE_H

#include <stdint.h>

#define VEXPORT_TABLE_COLUMNS	24

/**
 * struct vexport_table - a table of vexport's debugfs, cut into words
 */
struct vexport_table {
	/** @text: What was read; the words point into it. */
	char *text;

	/** @columns: Number of columns. */
	unsigned int columns;

	/** @rows: Number of rows, the names of the columns not counted. */
	unsigned int rows;

	/** @words: All words, the names of the columns first. */
	char **words;
};

void vexport_table_read(struct vexport_table *table, int fd, const char *name);
void vexport_table_free(struct vexport_table *table);
const char *vexport_table_text(const struct vexport_table *table, int row, const char *column);
uint64_t vexport_table_u64(const struct vexport_table *table, int row, const char *column);

uint64_t vexport_dmabuf_inode(int dmabuf);
int vexport_table_find_dmabuf(const struct vexport_table *table, uint64_t inode);
uint64_t vexport_buffer_id(int fd, int dmabuf);

#endif /* IGT_VEXPORT_TABLE_H */
