/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VIMPORT_H
#define IGT_VIMPORT_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include <drm/vimport_drm.h>

#define VIMPORT_JOB_CMDS	8
#define VIMPORT_JOB_SYNCS	8

/**
 * struct vimport_job - a job while a test puts it together
 */
struct vimport_job {
	struct drm_vimport_cmd cmds[VIMPORT_JOB_CMDS];
	struct drm_vimport_sync syncs[VIMPORT_JOB_SYNCS];
	uint32_t cmd_count;
	uint32_t sync_count;

	/** @queue: Where it goes; zero for the queue that the address space began with. */
	uint32_t queue;
};

/**
 * struct vimport_gpu - one GPU that has one buffer mapped
 */
struct vimport_gpu {
	/** @fd: Device file, owned. */
	int fd;

	/** @vm: Address space. */
	uint32_t vm;

	/** @handle: The imported buffer. */
	uint32_t handle;

	/** @va: Where the buffer begins. */
	uint64_t va;

	/** @size: Its size. */
	uint64_t size;
};

/* Deliberate bugs that --bug= asked for; every file that is opened gets them. */
extern uint32_t vimport_bugs;
extern const struct option vimport_options[];
extern const char vimport_options_help[];
int vimport_options_handler(int opt, int index, void *data);

int __vimport_open(int index);
int vimport_open(int index);
void vimport_get_info(int fd, struct drm_vimport_info *info);

int __vimport_vm_create(int fd, struct drm_vimport_vm_create *create);
uint32_t vimport_vm_create(int fd);
int __vimport_vm_destroy(int fd, uint32_t vm);
void vimport_vm_destroy(int fd, uint32_t vm);
int __vimport_vm_bind(int fd, struct drm_vimport_vm_bind *bind);
void vimport_vm_map(int fd, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va,
		    uint64_t size, uint32_t flags);
void vimport_vm_unmap(int fd, uint32_t vm, uint64_t va, uint64_t size);
int __vimport_queue_create(int fd, struct drm_vimport_queue_create *create);
uint32_t vimport_queue_create(int fd, uint32_t vm);
int __vimport_queue_destroy(int fd, uint32_t queue);
void vimport_queue_destroy(int fd, uint32_t queue);
int __vimport_queue_query(int fd, struct drm_vimport_queue_query *query);
struct drm_vimport_queue_query vimport_queue_query(int fd, uint32_t queue);
int __vimport_import(int fd, struct drm_vimport_import *import);
uint32_t vimport_import(int fd, int dmabuf, uint32_t flags);
int __vimport_userptr(int fd, struct drm_vimport_userptr *userptr);
uint32_t vimport_userptr(int fd, const void *addr, uint64_t size, uint32_t flags);
int __vimport_userptr_find(int fd, struct drm_vimport_userptr_find *find);

void vimport_job_fill(struct vimport_job *job, uint64_t va, uint64_t size, uint64_t value);
void vimport_job_copy(struct vimport_job *job, uint64_t va, uint64_t src, uint64_t size);
void vimport_job_tag(struct vimport_job *job, uint64_t va, uint64_t size, uint64_t value);
void vimport_job_checksum(struct vimport_job *job, uint64_t va, uint64_t src, uint64_t size);
void vimport_job_delay(struct vimport_job *job, uint64_t ns);
void vimport_job_add(struct vimport_job *job, uint64_t va, uint64_t size, uint64_t value);
void vimport_job_wait(struct vimport_job *job, uint64_t va, uint64_t value);
void vimport_job_sync(struct vimport_job *job, uint32_t syncobj, uint64_t point, uint32_t flags);

int __vimport_job_exec(int fd, const struct vimport_job *job, struct drm_vimport_exec exec);
int __vimport_exec(int fd, uint32_t vm, const struct vimport_job *job, uint32_t flags);
uint32_t vimport_submit(int fd, uint32_t vm, struct vimport_job *job, uint32_t flags);
int vimport_wait(int fd, uint32_t syncobj);
void vimport_run(int fd, uint32_t vm, struct vimport_job *job);
uint32_t vimport_carry_fence(int from, uint32_t syncobj, int to);

void vimport_gpu_init(struct vimport_gpu *gpu, int index, int dmabuf, uint64_t size,
		      uint32_t import_flags);
void vimport_gpu_fini(struct vimport_gpu *gpu);

#endif /* IGT_VIMPORT_H */
