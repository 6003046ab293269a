// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "igt.h"
#include "igt_vexport_table.h"

static int open_table(int fd, const char *name)
{
	struct stat node;
	char path[96];
	int file;

	igt_require_f(!access("/sys/kernel/debug/dri", X_OK),
		      "Needs debugfs at /sys/kernel/debug, and root\n");
	igt_assert_eq(fstat(fd, &node), 0);
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/%s", minor(node.st_rdev), name);
	file = open(path, O_RDONLY | O_CLOEXEC);
	igt_assert_f(file >= 0, "Cannot open %s: %m\n", path);
	return file;
}

static char *read_all(int file)
{
	size_t size = 4096, used = 0;
	char *text = malloc(size);
	ssize_t got;

	igt_assert(text);
	while ((got = read(file, text + used, size - used - 1)) > 0) {
		used += got;
		if (used == size - 1) {
			size *= 2;
			text = realloc(text, size);
			igt_assert(text);
		}
	}
	igt_assert_f(got == 0, "Reading a table failed: %m\n");
	text[used] = '\0';
	return text;
}

static unsigned int cut(char *line, char **words)
{
	unsigned int count = 0;
	char *state, *word;

	for (word = strtok_r(line, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
		igt_assert_lt_u32(count, VEXPORT_TABLE_COLUMNS);
		words[count++] = word;
	}
	return count;
}

/**
 * vexport_table_read - read a table, which must be one
 * @table: what to fill in
 * @fd: device file of the exporter
 * @name: name of the table
 *
 * Every line must have as many words as there are columns. Skips the subtest where
 * the kernel has no debugfs.
 */
void vexport_table_read(struct vexport_table *table, int fd, const char *name)
{
	int file = open_table(fd, name);
	char *words[VEXPORT_TABLE_COLUMNS];
	char *line, *state;

	memset(table, 0, sizeof(*table));
	table->text = read_all(file);
	close(file);

	line = strtok_r(table->text, "\n", &state);
	igt_assert_f(line, "Table %s has no column names\n", name);
	for (; line; line = strtok_r(NULL, "\n", &state)) {
		unsigned int count = cut(line, words);

		if (!table->columns)
			table->columns = count;
		else
			table->rows++;
		igt_assert_f(count == table->columns, "Row %u of table %s has %u words, not %u\n",
			     table->rows, name, count, table->columns);
		table->words = realloc(table->words,
				       (table->rows + 1) * count * sizeof(*table->words));
		igt_assert(table->words);
		memcpy(table->words + table->rows * count, words, count * sizeof(*words));
	}
}

void vexport_table_free(struct vexport_table *table)
{
	free(table->words);
	free(table->text);
	memset(table, 0, sizeof(*table));
}

/**
 * vexport_table_text - one cell
 * @table: the table
 * @row: row, from zero
 * @column: name of the column
 */
const char *vexport_table_text(const struct vexport_table *table, int row, const char *column)
{
	igt_assert(row >= 0 && row < (int)table->rows);
	for (unsigned int i = 0; i < table->columns; i++)
		if (!strcmp(table->words[i], column))
			return table->words[(row + 1) * table->columns + i];
	igt_assert_f(false, "There is no column '%s'\n", column);
	return NULL;
}

/**
 * vexport_table_u64 - one cell, which must be a number
 * @table: the table
 * @row: row, from zero
 * @column: name of the column
 */
uint64_t vexport_table_u64(const struct vexport_table *table, int row, const char *column)
{
	const char *text = vexport_table_text(table, row, column);
	uint64_t value;
	char *end;

	value = strtoull(text, &end, 10);
	igt_assert_f(*text && !*end, "Column '%s' holds '%s', no number\n", column, text);
	return value;
}

uint64_t vexport_dmabuf_inode(int dmabuf)
{
	struct stat stat;

	igt_assert_eq(fstat(dmabuf, &stat), 0);
	return stat.st_ino;
}

/**
 * vexport_table_find_dmabuf - row of the table of buffers that has a dma-buf
 * @table: the table
 * @inode: inode of the dma-buf
 *
 * Returns the row or -1.
 */
int vexport_table_find_dmabuf(const struct vexport_table *table, uint64_t inode)
{
	for (unsigned int row = 0; row < table->rows; row++) {
		const char *text = vexport_table_text(table, row, "dmabufs");

		while (text) {
			if (strtoull(text, NULL, 10) == inode)
				return row;
			text = strchr(text, ',');
			text += !!text;
		}
	}
	return -1;
}

/**
 * vexport_buffer_id - the number by which debugfs and tracepoints call a buffer
 * @fd: device file of the exporter
 * @dmabuf: a dma-buf of it
 */
uint64_t vexport_buffer_id(int fd, int dmabuf)
{
	struct vexport_table table;
	uint64_t id;
	int row;

	vexport_table_read(&table, fd, "buffers");
	row = vexport_table_find_dmabuf(&table, vexport_dmabuf_inode(dmabuf));
	igt_assert_f(row >= 0, "The buffer is not in the table of buffers\n");
	id = vexport_table_u64(&table, row, "buffer");
	vexport_table_free(&table);
	return id;
}
