// SPDX-License-Identifier: MIT
/* Writes and verifies patterns in a dma-buf: a descriptor, or one from the heap that is named. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS	(64 * 1024 / sizeof(uint64_t))

static int buffer(const char *arg)
{
	struct dma_heap_allocation_data data = { .len = WORDS * 8, .fd_flags = O_RDWR | O_CLOEXEC };

	if (*arg != '/')
		return atoi(arg);
	return ioctl(open(arg, O_RDWR), DMA_HEAP_IOCTL_ALLOC, &data) ? -1 : (int)data.fd;
}

int main(int argc, char **argv)
{
	struct dma_buf_sync begin = { DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	struct dma_buf_sync end = { DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW };
	int fd = argc == 2 ? buffer(argv[1]) : -1;
	volatile uint64_t *map = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t bad = 0;

	if (map == MAP_FAILED) {
		fprintf(stderr, "usage: %s FD|/dev/dma_heap/NODE\n", argv[0]);
		return 1;
	}
	for (uint64_t round = 1; round <= 2000 && !bad; round++) {
		bad |= ioctl(fd, DMA_BUF_IOCTL_SYNC, &begin) != 0;
		for (uint64_t i = 0; i < WORDS; i++)
			map[i] = round << 32 | i;
		usleep(500);
		for (uint64_t i = 0; i < WORDS; i++)
			bad += map[i] != (round << 32 | i);
		bad |= ioctl(fd, DMA_BUF_IOCTL_SYNC, &end) != 0;
	}
	printf("heap-cpu: %s\n", bad ? "a pattern was lost" : "every pattern was found again");
	return bad != 0;
}
