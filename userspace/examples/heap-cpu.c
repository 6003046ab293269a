// SPDX-License-Identifier: MIT
/*
 * Writes and verifies patterns in a buffer of a dma-heap, 1000 times if not told otherwise:
 * heap-cpu [HEAP [ROUNDS]]. It has never heard of vshare.
 */
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

int main(int argc, char **argv)
{
	int heap = open(argc > 1 ? argv[1] : "/dev/dma_heap/vexport", O_RDWR | O_CLOEXEC);
	struct dma_heap_allocation_data data = { .len = WORDS * 8, .fd_flags = O_RDWR | O_CLOEXEC };
	struct dma_buf_sync begin = { DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	struct dma_buf_sync end = { DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW };
	uint64_t rounds = argc > 2 ? strtoull(argv[2], NULL, 0) : 1000;
	volatile uint64_t *map = MAP_FAILED;
	uint64_t bad = 0;

	if (!ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		map = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, data.fd, 0);
	if (map == MAP_FAILED) {
		perror("heap-cpu: no buffer; give the path of a dma-heap");
		return 1;
	}
	for (uint64_t round = 1; round <= rounds && !bad; round++) {
		bad |= ioctl(data.fd, DMA_BUF_IOCTL_SYNC, &begin) != 0;
		for (uint64_t i = 0; i < WORDS; i++)
			map[i] = round << 32 | i;
		usleep(500);
		for (uint64_t i = 0; i < WORDS; i++)
			bad += map[i] != (round << 32 | i);
		bad |= ioctl(data.fd, DMA_BUF_IOCTL_SYNC, &end) != 0;
	}
	printf("heap-cpu: %s\n", bad ? "a pattern was lost" : "every pattern was found again");
	return bad != 0;
}
