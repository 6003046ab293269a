// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <linux/dma-heap.h>

#include "igt.h"
#include "igt_kmod.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

/* Render nodes have minor numbers from 128 on. */
#define FIRST_RENDER		128
#define LAST_RENDER		191

static int open_node(const char *name, int first, int last, const char *driver, int index)
{
	for (int minor = first; minor <= last; minor++) {
		drmVersionPtr version;
		char path[32];
		bool wanted;
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/%s%d", name, minor);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		version = drmGetVersion(fd);
		wanted = version && !strcmp(version->name, driver);
		drmFreeVersion(version);
		if (wanted && index-- == 0)
			return fd;
		close(fd);
	}
	return -1;
}

/**
 * vshare_open_render - open a render node by the name of its driver
 * @driver: name that the driver gives itself
 * @index: which of its devices, from zero
 *
 * IGT's own drm_open_driver() knows its drivers from a table; ours are not in
 * it, and DRIVER_ANY would hand out any of them.
 *
 * Returns the file, or -1 if there is no such device.
 */
int vshare_open_render(const char *driver, int index)
{
	return open_node("renderD", FIRST_RENDER, LAST_RENDER, driver, index);
}

/**
 * vshare_open_card - open the primary node of a driver's first device
 * @driver: name that the driver gives itself
 *
 * Returns the file, or -1 if there is no such device.
 */
int vshare_open_card(const char *driver)
{
	return open_node("card", 0, FIRST_RENDER - 1, driver, 0);
}

/**
 * vshare_open_foreign_dmabuf - a dma-buf of a driver that is not ours
 * @size: its size
 *
 * Skips the subtest where the kernel has no system heap.
 */
int vshare_open_foreign_dmabuf(uint64_t size)
{
	struct dma_heap_allocation_data alloc = {
		.len = size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);

	igt_require_f(heap >= 0, "Needs a kernel with CONFIG_DMABUF_HEAPS_SYSTEM\n");
	do_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc);
	close(heap);
	return alloc.fd;
}

/**
 * vshare_open_vgem - open an importer that is not told of moves
 *
 * Skips the subtest where the kernel has no vgem.
 */
int vshare_open_vgem(void)
{
	int fd;

	if (!igt_kmod_is_loaded("vgem"))
		igt_kmod_load("vgem", NULL);
	fd = vshare_open_render("vgem", 0);
	igt_require_f(fd >= 0, "Needs the module vgem, a static importer\n");
	return fd;
}

/**
 * vshare_next_fd - the descriptor that would be handed out next
 *
 * It is another one after a call that has leaked one.
 */
int vshare_next_fd(void)
{
	int fd = dup(STDIN_FILENO);

	igt_assert_fd(fd);
	close(fd);
	return fd;
}

static bool is_ours(const char *path)
{
	return strstr(path, "/dev/dri/") || strstr(path, "/dmabuf:") ||
	       strstr(path, "sync_file") || strstr(path, "/dev/dma_heap/") ||
	       strstr(path, "/dev/video") || strstr(path, "[vexport-storm]") ||
	       strstr(path, "[vexport-stall]");
}

/*
 * A subtest that failed jumped out and left its files and mappings behind.
 * Without this the next one would find VRAM occupied, and fail too.
 */
static void drop_leftovers(void)
{
	struct dirent *entry;
	unsigned long from, to;
	char line[512];
	DIR *dir;
	FILE *maps;

	maps = fopen("/proc/self/maps", "r");
	igt_assert(maps);
	while (fgets(line, sizeof(line), maps))
		if (is_ours(line) && sscanf(line, "%lx-%lx", &from, &to) == 2)
			munmap((void *)from, to - from);
	fclose(maps);

	dir = opendir("/proc/self/fd");
	igt_assert(dir);
	while ((entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, line, sizeof(line) - 1);

		if (len <= 0)
			continue;
		line[len] = '\0';
		if (is_ours(line))
			close(atoi(entry->d_name));
	}
	closedir(dir);
}

static void session_open(struct vshare_session *s)
{
	s->exporter = vexport_open();
	for (s->gpus = 0; s->gpus < VSHARE_MAX_GPUS; s->gpus++) {
		s->gpu[s->gpus] = __vimport_open(s->gpus);
		if (s->gpu[s->gpus] < 0)
			break;
	}
}

static void session_close(struct vshare_session *s)
{
	close(s->exporter);
	while (s->gpus)
		close(s->gpu[--s->gpus]);
}

/**
 * vshare_child_has_ended - has a child of igt_fork() ended by itself?
 *
 * For children that go on until they are told to stop: one that does not has failed, and its
 * parent need not wait any longer for what they were to do. igt_waitchildren() then says so.
 */
bool vshare_child_has_ended(void)
{
	siginfo_t info = {};

	return !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

/**
 * vshare_session_gauges - what both drivers say now
 * @s: the session
 * @gauges: where to put it
 */
void vshare_session_gauges(const struct vshare_session *s, struct vshare_gauges *gauges)
{
	memset(gauges, 0, sizeof(*gauges));
	vexport_get_info(s->exporter, &gauges->exporter);
	for (int i = 0; i < s->gpus; i++)
		vimport_get_info(s->gpu[i], &gauges->gpu[i]);
}

static const char * const exporter_gauges[] = {
	"buffers", "dma-bufs", "attachments", "maps", "storages", "pinned bytes", "bytes of VRAM",
	"quarantined bytes", "fences of moves",
};

static const char * const gpu_gauges[] = {
	"address spaces", "imports", "jobs", "userptr buffers", "page tables", "queues",
	"fences of jobs",
};

static void list_exporter(const struct drm_vexport_info *info, uint64_t *values)
{
	const uint64_t now[ARRAY_SIZE(exporter_gauges)] = {
		info->buffers, info->dmabufs, info->attachments, info->maps, info->storages,
		info->pinned, info->vram_used, info->quarantined, info->fences,
	};

	memcpy(values, now, sizeof(now));
}

static void list_gpu(const struct drm_vimport_info *info, uint64_t *values)
{
	const uint64_t now[ARRAY_SIZE(gpu_gauges)] = {
		info->vms, info->imports, info->jobs_pending, info->userptrs, info->tables,
		info->queues, info->fences,
	};

	memcpy(values, now, sizeof(now));
}

static bool first_leak(const struct vshare_gauges *start, const struct vshare_gauges *now,
		       int gpus, char *text, size_t size)
{
	uint64_t before[ARRAY_SIZE(exporter_gauges)], after[ARRAY_SIZE(exporter_gauges)];

	list_exporter(&start->exporter, before);
	list_exporter(&now->exporter, after);
	for (unsigned int i = 0; i < ARRAY_SIZE(exporter_gauges); i++) {
		if (after[i] <= before[i])
			continue;
		snprintf(text, size, "%" PRIu64 " more %s of the exporter", after[i] - before[i],
			 exporter_gauges[i]);
		return true;
	}
	for (int gpu = 0; gpu < gpus; gpu++) {
		list_gpu(&start->gpu[gpu], before);
		list_gpu(&now->gpu[gpu], after);
		for (unsigned int i = 0; i < ARRAY_SIZE(gpu_gauges); i++) {
			if (after[i] <= before[i])
				continue;
			snprintf(text, size, "%" PRIu64 " more %s of GPU %d",
				 after[i] - before[i], gpu_gauges[i], gpu);
			return true;
		}
	}
	return false;
}

/* The subtest under way, or the last one if it has not come to its end. */
static struct {
	char name[80];
	struct vshare_session session;
} current;

/*
 * Reads the gauges through files that are opened afresh, after the session's own are
 * closed. Drivers free things from workers, so it gives them a moment. Returns whether
 * anything is left.
 */
static bool wait_for_leaks(const struct vshare_session *s, struct vshare_gauges *now, char *text,
			   size_t size)
{
	struct timespec since = {};
	struct vshare_session observer;
	bool leaks;

	session_open(&observer);
	do {
		vshare_session_gauges(&observer, now);
		leaks = first_leak(&s->start, now, observer.gpus, text, size);
		if (leaks)
			usleep(2000);
	} while (leaks && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS);
	session_close(&observer);
	return leaks;
}

/**
 * vshare_session_check_last - check that the last subtest has left nothing
 *
 * A subtest that skips or fails jumps over vshare_session_end(). What it has left in
 * the drivers is found here: when the next one begins, which then fails in its place,
 * and in a fixture behind the last one.
 */
void vshare_session_check_last(void)
{
	struct vshare_gauges now;
	char name[sizeof(current.name)], leak[80];

	drop_leftovers();
	if (!current.name[0])
		return;
	/* Said once: it is still there for the next one, too. */
	snprintf(name, sizeof(name), "%s", current.name);
	current.name[0] = '\0';
	igt_assert_f(!wait_for_leaks(&current.session, &now, leak, sizeof(leak)),
		     "Subtest %s, which skipped or failed, has left: %s\n", name, leak);
}

/**
 * vshare_session_begin - open the devices and note what exists
 * @s: the session to fill
 *
 * Skips the subtest where vexport is not loaded; the number of GPUs is the
 * subtest's own business. Also starts the clock that stops a hung subtest.
 */
void vshare_session_begin(struct vshare_session *s)
{
	igt_set_timeout(VSHARE_TIMEOUT_S, "subtest");
	vshare_session_check_last();
	session_open(s);
	vshare_session_gauges(s, &s->start);
	current.session = *s;
	snprintf(current.name, sizeof(current.name), "%s", igt_subtest_name());
}

/**
 * vshare_session_end - close the devices and check that nothing is left
 * @s: the session
 */
void vshare_session_end(struct vshare_session *s)
{
	struct vshare_gauges now;
	char leak[80];
	bool leaks;

	session_close(s);
	leaks = wait_for_leaks(s, &now, leak, sizeof(leak));
	current.name[0] = '\0';
	igt_assert_f(!leaks, "Still there twenty seconds after everything was closed: %s\n", leak);
	igt_assert_f(now.exporter.stale_words == s->start.exporter.stale_words,
		     "%llu words were written to storage that a buffer had left\n",
		     (unsigned long long)(now.exporter.stale_words -
					  s->start.exporter.stale_words));
	igt_reset_timeout();
}

static void drop_gauges(struct vshare_gauges *gauges)
{
	const size_t exporter = offsetof(struct drm_vexport_info, buffers);
	const size_t gpu = offsetof(struct drm_vimport_info, vms);

	/* They are the last members, but for this one. */
	gauges->exporter.vram_used = 0;
	memset((char *)&gauges->exporter + exporter, 0, sizeof(gauges->exporter) - exporter);
	for (int i = 0; i < VSHARE_MAX_GPUS; i++)
		memset((char *)&gauges->gpu[i] + gpu, 0, sizeof(gauges->gpu[i]) - gpu);
}

/*
 * Gauges may fall meanwhile, for workers free what went before. Counters stand, but that an
 * address space that goes flushes what it had mapped.
 */
static bool has_changed(const struct vshare_gauges *before, const struct vshare_gauges *after,
			int gpus)
{
	struct vshare_gauges then = *before, now = *after;
	char leak[80];

	if (first_leak(before, after, gpus, leak, sizeof(leak)))
		return true;
	for (int i = 0; i < gpus; i++)
		if (after->gpu[i].vms < before->gpu[i].vms)
			then.gpu[i].tlb_flushes = now.gpu[i].tlb_flushes;
	drop_gauges(&then);
	drop_gauges(&now);
	return memcmp(&then, &now, sizeof(then));
}

/* Jobs are counted until a worker frees them, a moment after their fence. */
static void settle_jobs(const struct vshare_session *s, struct vshare_gauges *gauges)
{
	struct timespec since = {};
	bool pending;

	do {
		pending = false;
		vshare_session_gauges(s, gauges);
		for (int i = 0; i < s->gpus; i++)
			pending |= gauges->gpu[i].jobs_pending > s->start.gpu[i].jobs_pending;
	} while (pending && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS && !usleep(500));
	igt_assert_f(!pending, "Jobs are still pending, twenty seconds after the last of them\n");
}

void __vshare_refused(const struct vshare_session *s, int fd, unsigned long request, void *arg,
		      int err, const char *what, int line)
{
	struct vshare_gauges before, after;
	struct timespec since = {};
	bool changed;
	int ret;

	settle_jobs(s, &before);
	/* Not igt_ioctl(), which tries again on EAGAIN: that is an answer here. */
	ret = ioctl(fd, request, arg);
	if (!ret)
		errno = 0;
	igt_assert_f(ret == -1 && errno == err, "line %d: %s gave \"%s\", not \"%s\"\n", line,
		     what, strerror(errno), strerrordesc_np(err));
	/* What a failed call had made before it failed may be freed by a worker. */
	do {
		vshare_session_gauges(s, &after);
		changed = has_changed(&before, &after, s->gpus);
	} while (changed && igt_nsec_elapsed(&since) < VSHARE_SETTLE_NS && !usleep(500));
	igt_assert_f(!changed, "line %d: %s failed, as it should, but changed something\n", line,
		     what);
}

/**
 * vshare_run_subtests - run a table of subtests, each in a session of its own
 * @table: the subtests
 * @count: how many
 */
void vshare_run_subtests(const struct vshare_subtest *table, unsigned int count)
{
	struct vshare_session s;

	for (unsigned int i = 0; i < count; i++) {
		igt_describe(table[i].describe);
		igt_subtest(table[i].name) {
			vshare_session_begin(&s);
			table[i].run(&s);
			vshare_session_end(&s);
		}
	}
	igt_fixture
		vshare_session_check_last();
}
