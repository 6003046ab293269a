/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef DMABUF_SYNC_FILE_H
#define DMABUF_SYNC_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/dma-buf.h>

int dmabuf_export_sync_file(int dmabuf, uint32_t flags);
void dmabuf_import_sync_file(int dmabuf, uint32_t flags, int sync_fd);
bool dmabuf_busy(int dmabuf, uint32_t flags);
bool sync_file_busy(int sync_file);

#endif /* DMABUF_SYNC_FILE_H */
