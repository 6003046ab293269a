// SPDX-License-Identifier: MIT
/*
 * The process of one GPU: takes buffers from a socket, keeps jobs in flight on
 * them, and looks after each job whether its words are where they belong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <xf86drm.h>

#include "demo.h"

/* Not at zero, so that an address that somebody forgot to set faults. */
#define BASE_VA		0x100000ull

/* Every so many jobs, halves with a delay between them, and lanes that are offered. */
#define DELAY_PERIOD	3
#define DELAY_NS	(1000 * 1000)
#define OFFER_PERIOD	8

#define RETRY_NS	(1000 * 1000)

/* A lane of this GPU; tag is that of its last job, pending or not. */
struct lane {
	uint32_t syncobj;
	uint64_t tag;
	bool pending;
	bool offered;
};

/* Each buffer is alone in its address space, so jobs put fences on no other. */
struct buffer {
	int dmabuf;
	void *map;
	uint32_t vm;
	uint32_t sequence;
	struct lane lane[DEMO_LANES + 1];
};

struct gpu {
	const struct demo_config *config;
	struct demo_board *board;
	struct demo_gpu_board *mine;
	unsigned int index;
	int dev;
	struct vshare_job *job;
	struct buffer buffer[DEMO_BUFFERS];
	unsigned int turns;
};

static int fail(struct gpu *gpu, int error, const char *what)
{
	snprintf(gpu->mine->error, sizeof(gpu->mine->error), "%s: %s", what, strerror(-error));
	return error;
}

static int open_gpu(struct gpu *gpu)
{
	int ret;

	gpu->dev = vshare_device_open("vimport", gpu->index);
	if (gpu->dev < 0)
		return fail(gpu, gpu->dev, "cannot open the vimport device");
	gpu->job = vshare_job_new();
	if (!gpu->job)
		return fail(gpu, -ENOMEM, "cannot build a job");
	if (!gpu->config->misbehave)
		return 0;
	ret = vshare_vimport_misbehave(gpu->dev, DRM_VIMPORT_BUG_IGNORE_INVALIDATE);
	return ret ? fail(gpu, ret, "cannot misbehave") : 0;
}

static int take_buffer(struct gpu *gpu, struct buffer *buffer, int sock)
{
	const struct demo_config *config = gpu->config;
	uint32_t handle;
	int ret;

	/* Whoever closed the socket has said why. */
	buffer->dmabuf = vshare_dmabuf_recv(sock);
	if (buffer->dmabuf == -EPIPE)
		return -EPIPE;
	if (buffer->dmabuf < 0)
		return fail(gpu, buffer->dmabuf, "no buffer came through the socket");
	ret = vshare_dmabuf_mmap(buffer->dmabuf, config->size, &buffer->map);
	if (ret)
		return fail(gpu, ret, "cannot map a buffer");
	ret = vshare_vimport_import_prime(gpu->dev, buffer->dmabuf, &handle);
	if (ret)
		return fail(gpu, ret, "cannot import a buffer");
	ret = vshare_vimport_vm_create(gpu->dev, &buffer->vm);
	if (ret)
		return fail(gpu, ret, "cannot create an address space");
	ret = vshare_vimport_bind(gpu->dev, buffer->vm, handle, 0, BASE_VA, config->size, 0);
	if (ret)
		return fail(gpu, ret, "cannot bind a buffer");
	for (int i = 0; i <= DEMO_LANES; i++) {
		if (drmSyncobjCreate(gpu->dev, 0, &buffer->lane[i].syncobj))
			return fail(gpu, -errno, "cannot create a syncobj");
	}
	return 0;
}

/* The job that was built writes to the lane, which has none in flight. */
static int submit(struct gpu *gpu, struct buffer *buffer, struct lane *lane)
{
	uint64_t waited = 0;
	int ret;

	vshare_job_signal(gpu->job, lane->syncobj, 0);
	while ((ret = vshare_job_submit(gpu->job, gpu->dev, buffer->vm, 0)) == -EAGAIN &&
	       waited < DEMO_PATIENCE_NS) {
		usleep(RETRY_NS / 1000);
		waited += RETRY_NS;
	}
	if (ret)
		return fail(gpu, ret, "cannot submit a job");
	lane->pending = true;
	return 0;
}

static int wait_job(struct gpu *gpu, struct lane *lane)
{
	int ret, status;

	ret = vshare_sync_wait(gpu->dev, lane->syncobj, 0, DEMO_PATIENCE_NS);
	if (ret)
		return fail(gpu, ret, "a job did not end");
	ret = vshare_sync_status(gpu->dev, lane->syncobj, &status);
	if (ret || status < 0)
		return fail(gpu, ret ? ret : status, "a job ended with an error");
	lane->pending = false;
	return 0;
}

static void count(struct gpu *gpu, size_t verified, size_t stale)
{
	atomic_fetch_add(&gpu->mine->words_verified, verified);
	atomic_fetch_add(&gpu->mine->words_stale, stale);
}

/* Every word of a lane that has no job in flight, seen by the CPU. */
static int verify_lane(struct gpu *gpu, struct buffer *buffer, unsigned int index)
{
	size_t offset = demo_lane_offset(gpu->config, gpu->index, index);
	size_t stale;
	int ret;

	ret = vshare_dmabuf_begin(buffer->dmabuf, false);
	if (ret)
		return fail(gpu, ret, "cannot begin CPU access");
	stale = demo_lane_verify(gpu->config, buffer->map, offset, buffer->lane[index].tag,
				 gpu->mine->first_stale, sizeof(gpu->mine->first_stale));
	ret = vshare_dmabuf_end(buffer->dmabuf, false);
	if (ret)
		return fail(gpu, ret, "cannot end CPU access");
	count(gpu, demo_lane_size(gpu->config) / sizeof(uint64_t), stale);
	return 0;
}

/*
 * What the GPU before this one has offered: this one's engine copies it and
 * computes its checksum, so that a reader on another device is a witness too.
 */
static int check_offer(struct gpu *gpu)
{
	const struct demo_config *config = gpu->config;
	unsigned int owner = (gpu->index + config->gpus - 1) % config->gpus;
	struct demo_offer *offer = &gpu->board->gpu[owner].offer;
	size_t lane_size = demo_lane_size(config);
	uint64_t source, copy, sum, *word;
	struct buffer *buffer;
	struct lane *lane;
	int ret;

	if (atomic_load(&offer->state) != DEMO_OFFER_OFFERED)
		return 0;
	buffer = &gpu->buffer[offer->buffer];
	lane = &buffer->lane[DEMO_COPY];
	lane->tag = offer->tag;
	source = BASE_VA + demo_lane_offset(config, owner, offer->lane);
	copy = BASE_VA + demo_lane_offset(config, gpu->index, DEMO_COPY);
	sum = demo_checksum_offset(config, gpu->index);
	word = (uint64_t *)((char *)buffer->map + sum);

	vshare_job_reset(gpu->job);
	vshare_job_copy(gpu->job, copy, source, lane_size);
	vshare_job_checksum(gpu->job, BASE_VA + sum, source, lane_size);
	ret = submit(gpu, buffer, lane);
	if (!ret)
		ret = wait_job(gpu, lane);
	if (!ret)
		ret = verify_lane(gpu, buffer, DEMO_COPY);
	if (ret)
		return ret;
	count(gpu, 1, *(volatile uint64_t *)word != demo_lane_checksum(config, lane->tag));
	atomic_store(&offer->state, DEMO_OFFER_DONE);
	return 0;
}

/* Returns true if the lane, which was just verified, has to be left alone now. */
static bool offer_lane(struct gpu *gpu, unsigned int b, unsigned int l)
{
	struct lane *lane = &gpu->buffer[b].lane[l];
	struct demo_offer *offer = &gpu->mine->offer;
	unsigned int state = atomic_load(&offer->state);

	if (lane->offered) {
		if (state != DEMO_OFFER_DONE)
			return true;
		lane->offered = false;
		atomic_store(&offer->state, DEMO_OFFER_IDLE);
		return false;
	}
	if (gpu->turns % OFFER_PERIOD || state != DEMO_OFFER_IDLE || !lane->tag)
		return false;
	offer->buffer = b;
	offer->lane = l;
	offer->tag = lane->tag;
	lane->offered = true;
	atomic_store(&offer->state, DEMO_OFFER_OFFERED);
	return true;
}

/* Brings one lane from the end of its last job to the start of the next. */
static int take_turn(struct gpu *gpu, unsigned int b, unsigned int l)
{
	struct buffer *buffer = &gpu->buffer[b];
	struct lane *lane = &buffer->lane[l];
	uint64_t va = BASE_VA + demo_lane_offset(gpu->config, gpu->index, l);
	uint64_t delay = gpu->turns % DELAY_PERIOD ? 0 : DELAY_NS;
	int ret;

	if (lane->pending) {
		ret = wait_job(gpu, lane);
		if (!ret)
			ret = verify_lane(gpu, buffer, l);
		if (ret)
			return ret;
	}
	if (offer_lane(gpu, b, l))
		return 0;

	/* The two halves of a job have a sequence number each. */
	buffer->sequence += 2;
	lane->tag = vshare_tag(gpu->index, b, buffer->sequence);
	vshare_job_reset(gpu->job);
	demo_lane_job(gpu->config, gpu->job, va, lane->tag, delay);
	return submit(gpu, buffer, lane);
}

static int work(struct gpu *gpu)
{
	unsigned int b, l;
	int ret;

	for (; !atomic_load(&gpu->board->stop); gpu->turns++) {
		b = gpu->turns % DEMO_BUFFERS;
		l = gpu->turns / DEMO_BUFFERS % DEMO_LANES;
		ret = check_offer(gpu);
		if (!ret)
			ret = take_turn(gpu, b, l);
		if (ret)
			return ret;
	}

	for (b = 0; b < DEMO_BUFFERS; b++) {
		for (l = 0; l < DEMO_LANES; l++) {
			struct lane *lane = &gpu->buffer[b].lane[l];

			ret = lane->pending ? wait_job(gpu, lane) : 0;
			if (ret)
				return ret;
		}
		for (l = 0; l <= DEMO_LANES; l++)
			gpu->mine->last[b][l] = gpu->buffer[b].lane[l].tag;
	}
	return 0;
}

int demo_gpu_main(const struct demo_config *config, struct demo_board *board, unsigned int index,
		  int sock)
{
	struct timeval patience = { .tv_sec = DEMO_PATIENCE_NS / 1000000000 };
	struct gpu gpu = {
		.config = config,
		.board = board,
		.mine = &board->gpu[index],
		.index = index,
	};
	int ret;

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ret = open_gpu(&gpu);
	for (int i = 0; !ret && i < DEMO_BUFFERS; i++)
		ret = take_buffer(&gpu, &gpu.buffer[i], sock);
	if (!ret) {
		atomic_store(&gpu.mine->phase, DEMO_GPU_READY);
		ret = work(&gpu);
	}

	/* The end of the process gives back all that it has opened. */
	if (ret && ret != -EPIPE)
		return EXIT_FAILURE;
	atomic_store(&gpu.mine->phase, DEMO_GPU_DONE);
	return EXIT_SUCCESS;
}
