// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "igt.h"
#include "igt_kmod.h"
#include "igt_swap.h"
#include "igt_userptr.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("What the GPU has written is not lost when memory is short, nor of a file: "
		     "pages that it can write to count as written, whatever the CPU's page table "
		     "says.");

#define SIZE			(256ull << 10)

#define ZRAM			"/dev/zram0"
#define MOUNTED			"/tmp/vshare_igt_ext2"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif

/* How much of the memory is there? */
static unsigned int present(void *mem)
{
	unsigned char vec[SIZE / 4096];
	unsigned int count = 0;

	igt_assert_eq(mincore(mem, SIZE, vec), 0);
	for (unsigned int i = 0; i < SIZE / 4096; i++)
		count += vec[i] & 1;
	return count;
}

/*
 * Pages that another CPU has just put on its list, to be sorted in later, cannot be paged
 * out, and that CPU may have nothing more to sort for a long time.
 */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	igt_assert_lte(0, cpu);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	igt_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Some pages may be busy at the first try. */
static void page_out(void *mem)
{
	struct timespec since = {};

	do
		igt_assert_eq(madvise(mem, SIZE, MADV_PAGEOUT), 0);
	while (present(mem) && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS && !usleep(10000));
	igt_assert_f(!present(mem), "%u pages do not go\n", present(mem));
}

static void read_all(const volatile uint64_t *mem)
{
	for (size_t i = 0; i < SIZE / sizeof(*mem); i += 512)
		(void)mem[i];
}

static void expect_kept(struct vshare_session *s, uint64_t *mem)
{
	struct userptr u;

	userptr_init(&u, s->gpu[0], mem, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 2), 0);
	page_out(mem);
	igt_assert(userptr_holds(mem, SIZE, 2));
	/* And once more, from where it has been. */
	igt_assert_eq(userptr_fill(&u, 3), 0);
	page_out(mem);
	igt_assert_eq(userptr_fill(&u, 4), 0);
	igt_assert(userptr_holds(mem, SIZE, 4));
	munmap(mem, SIZE);
	userptr_fini(&u);
}

static void anonymous(struct vshare_session *s)
{
	swap_start();
	expect_kept(s, userptr_alloc(SIZE));
	swap_stop(0);
}

/* Pages of a hole that have only been read are mapped for writing, too, and are clean. */
static void shared(struct vshare_session *s)
{
	uint64_t *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	igt_assert(mem != MAP_FAILED);
	swap_start();
	read_all(mem);
	expect_kept(s, mem);
	swap_stop(0);
}

/* Given up, but not gone: who writes to such a page has it back. */
static void given_up(struct vshare_session *s)
{
	uint64_t *mem = userptr_alloc(SIZE);

	swap_start();
	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	memset(mem, 1, SIZE);
	igt_assert_eq(madvise(mem, SIZE, MADV_FREE), 0);
	expect_kept(s, mem);
	swap_stop(0);
}

/* Back from swap to be read, and then made writable: memory and swap are the same yet. */
static void unprotected(struct vshare_session *s)
{
	uint64_t *mem = userptr_alloc(SIZE);

	swap_start();
	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	memset(mem, 1, SIZE);
	page_out(mem);
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ), 0);
	read_all(mem);
	igt_assert_eq(mprotect(mem, SIZE, PROT_READ | PROT_WRITE), 0);
	expect_kept(s, mem);
	swap_stop(0);
}

static void write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);

	igt_assert_f(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text),
		     "%s: %m\n", path);
	close(file);
}

static void unmount(int sig)
{
	umount(MOUNTED);
	rmdir(MOUNTED);
}

static void mount_ext2(void)
{
	if (!igt_kmod_is_loaded("zram"))
		igt_kmod_load("zram", NULL);
	write_file("/sys/block/zram0/reset", "1");
	write_file("/sys/block/zram0/disksize", "16M");
	igt_require_f(!system("mke2fs -b 4096 " ZRAM " >/dev/null 2>&1"), "Needs mke2fs\n");
	mkdir(MOUNTED, 0700);
	igt_assert_f(!mount(ZRAM, MOUNTED, "ext2", 0, NULL), "Cannot mount: %m\n");
}

/* Nobody has the file in memory any more, unless it is not yet written back. */
static void forget(void *mem, int file)
{
	unsigned char vec[SIZE / 4096];
	void *again;

	munmap(mem, SIZE);
	/* Only what is clean is dropped: what nobody has told of being dirty is lost here. */
	write_file("/proc/sys/vm/drop_caches", "1");
	sync();
	write_file("/proc/sys/vm/drop_caches", "1");
	again = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, file, 0);
	igt_assert(again != MAP_FAILED);
	igt_assert_eq(mincore(again, SIZE, vec), 0);
	for (unsigned int i = 0; i < SIZE / 4096; i++)
		igt_assert_f(!(vec[i] & 1), "Page %u stays\n", i);
	munmap(again, SIZE);
}

static void expect_in_file(int file, uint64_t value)
{
	uint64_t *data = malloc(SIZE);

	igt_assert_eq(pread(file, data, SIZE, 0), (ssize_t)SIZE);
	igt_assert(userptr_holds(data, SIZE, value));
	free(data);
}

static void *map_file(int file)
{
	void *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	igt_assert(mem != MAP_FAILED);
	return mem;
}

/* @written: whether the pages are, by the CPU, before the GPU has them. */
static void written_back(struct vshare_session *s, bool written)
{
	struct userptr u;
	uint64_t *mem;
	int file;

	mount_ext2();
	file = open(MOUNTED "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	igt_assert_fd(file);
	igt_assert_eq(ftruncate(file, SIZE), 0);
	mem = map_file(file);
	if (written)
		memset(mem, 1, SIZE);
	igt_assert_eq(msync(mem, SIZE, MS_SYNC), 0);
	read_all(mem);
	userptr_init(&u, s->gpu[0], mem, SIZE, 0);
	igt_assert_eq(userptr_fill(&u, 2), 0);
	forget(mem, file);
	expect_in_file(file, 2);
	/* The job of another round finds pages that have just been cleaned. */
	igt_assert(mmap(mem, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
			0) == mem);
	igt_assert_eq(userptr_fill(&u, 3), 0);
	igt_assert_eq(msync(mem, SIZE, MS_SYNC), 0);
	igt_assert_eq(userptr_fill(&u, 4), 0);
	forget(mem, file);
	expect_in_file(file, 4);
	userptr_fini(&u);
	close(file);
	unmount(0);
}

static void file_hole(struct vshare_session *s)
{
	written_back(s, false);
}

static void file_written(struct vshare_session *s)
{
	written_back(s, true);
}

static const struct vshare_subtest subtests[] = {
	{ "anonymous", "Memory of the process alone survives swap.", anonymous },
	{ "shared", "So does shared memory that only the GPU has written to.", shared },
	{ "given-up", "So does memory that was given up with MADV_FREE before.", given_up },
	{ "unprotected", "So does memory that was read-only in the meantime.", unprotected },
	{ "file-hole", "What is written to a hole of a file comes to its disk.", file_hole },
	{ "file-written", "So does what is written over what is there.", file_written },
};

igt_main_args("", vimport_options, vimport_options_help, vimport_options_handler, NULL)
{
	igt_fixture {
		close(vimport_open(0));
		stay_on_this_cpu();
		igt_install_exit_handler(swap_stop);
		igt_install_exit_handler(unmount);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
