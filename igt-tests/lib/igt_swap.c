// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sys/swap.h>

#include "igt.h"
#include "igt_kmod.h"
#include "igt_swap.h"

#define ZRAM			"/dev/zram0"
#define ZRAM_SIZE		(64u << 20)

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	igt_assert_f(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		     "%s: %m\n", path);
	close(fd);
}

/**
 * swap_start - have the kernel swap to memory
 *
 * swap_stop() has to be called at the end, also if the test fails: it can be an exit
 * handler. Fails where zram is missing: our kernels have it.
 */
void swap_start(void)
{
	/* What mkswap writes: a version, the last page, and a word at the end of the page. */
	uint32_t header[1024] = { [256] = 1, [257] = ZRAM_SIZE / sizeof(header) - 1 };
	int fd;

	if (!igt_kmod_is_loaded("zram"))
		igt_kmod_load("zram", NULL);
	write_file("/sys/block/zram0/reset", "1");
	write_file("/sys/block/zram0/disksize", "64M");
	memcpy((char *)header + sizeof(header) - 10, "SWAPSPACE2", 10);
	fd = open(ZRAM, O_WRONLY | O_CLOEXEC);
	igt_assert_fd(fd);
	igt_assert_eq(write(fd, header, sizeof(header)), sizeof(header));
	close(fd);
	igt_assert_f(!swapon(ZRAM, 0), "swapon() failed: %m\n");
}

/**
 * swap_stop - undo swap_start()
 * @sig: not looked at
 */
void swap_stop(int sig)
{
	swapoff(ZRAM);
}
