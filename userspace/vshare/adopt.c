// SPDX-License-Identifier: MIT
/*
 * The buffers that a program works with. A program that knows nothing of vshare
 * cannot hand them over, so we look which dma-bufs it has open, and take a
 * descriptor of each for ourselves: that is the authority to move the buffer, and
 * it keeps the verdict when the program has ended.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adopt.h"
#include "cmd.h"

#define DMABUF_LINK	"/dmabuf:"

int adopt_init(struct adopt *adopt)
{
	int count = vshare_device_list("vexport", NULL, 0);

	*adopt = (struct adopt) { .pidfd = -1 };
	if (count <= 0) {
		complain_no_device("vexport", count);
		return count ? count : -ENODEV;
	}
	for (int i = 0; i < count && i < ADOPT_MAX_DEVICES; i++) {
		int dev = open_device("vexport", i);

		if (dev < 0)
			return dev;
		adopt->devs[adopt->dev_count++] = dev;
	}
	return 0;
}

/* Returns the device that exported the dma-buf, or -EINVAL if none did. */
static int find_exporter(const struct adopt *adopt, int dmabuf, struct drm_vexport_bo_query *query)
{
	for (unsigned int i = 0; i < adopt->dev_count; i++) {
		int ret = vshare_vexport_query(adopt->devs[i], dmabuf, query);

		if (ret != -EINVAL)
			return ret ? ret : adopt->devs[i];
	}
	return -EINVAL;
}

int adopt_add(struct adopt *adopt, int dmabuf)
{
	struct adopt_buffer *buffer = &adopt->buffers[adopt->count];
	struct drm_vexport_bo_query query;
	struct stat st;
	int dev;

	dev = find_exporter(adopt, dmabuf, &query);
	if (dev >= 0 && fstat(dmabuf, &st))
		dev = -errno;
	if (dev < 0) {
		close(dmabuf);
		return dev == -EINVAL ? 0 : dev;
	}
	if (adopt->count == ADOPT_MAX_BUFFERS) {
		close(dmabuf);
		adopt->crowded = true;
		return 0;
	}
	adopt->count++;
	*buffer = (struct adopt_buffer) {
		.storm = {
			.dmabuf = dmabuf,
			.placement = query.placement,
			.generation = query.generation,
		},
		.dev = dev,
		.st_dev = st.st_dev,
		.st_ino = st.st_ino,
		.open = true,
	};
	return 0;
}

/* As system calls: not every C library that runs on a 6.12 kernel has functions for them. */
int adopt_follow(struct adopt *adopt, pid_t pid)
{
	adopt->pid = pid;
	adopt->pidfd = syscall(SYS_pidfd_open, pid, 0);
	return adopt->pidfd < 0 ? -errno : 0;
}

static struct adopt_buffer *find(struct adopt *adopt, const struct stat *st)
{
	for (unsigned int i = 0; i < adopt->count; i++) {
		struct adopt_buffer *buffer = &adopt->buffers[i];

		if (buffer->st_ino == st->st_ino && buffer->st_dev == st->st_dev)
			return buffer;
	}
	return NULL;
}

/*
 * One entry of /proc/PID/fd. What it names may change before we have it; then
 * we get something else, which is looked at again before it is adopted.
 */
static int look_at(struct adopt *adopt, int dir, const char *name)
{
	struct adopt_buffer *buffer;
	char target[sizeof(DMABUF_LINK)];
	ssize_t len = readlinkat(dir, name, target, sizeof(target));
	struct stat st;
	int fd;

	if (len < (ssize_t)strlen(DMABUF_LINK) || strncmp(target, DMABUF_LINK, strlen(DMABUF_LINK)))
		return 0;
	if (fstatat(dir, name, &st, 0))
		return 0;
	buffer = find(adopt, &st);
	if (buffer) {
		buffer->open = true;
		return 0;
	}

	fd = syscall(SYS_pidfd_getfd, adopt->pidfd, atoi(name), 0);
	if (fd >= 0)
		return adopt_add(adopt, fd);
	/* Closed meanwhile, or the program is ending. */
	return errno == EBADF || errno == ESRCH ? 0 : -errno;
}

/*
 * A program that has closed its descriptor may go on with a mapping, or with a
 * handle of the driver that imported the buffer. Each of these holds the
 * dma-buf's file, whose references the kernel counts for us. If in doubt, yes.
 */
static bool held_elsewhere(int dmabuf)
{
	long count = LONG_MAX;
	char text[256];
	FILE *file;

	snprintf(text, sizeof(text), "/proc/self/fdinfo/%d", dmabuf);
	file = fopen(text, "re");
	if (!file)
		return true;
	while (fgets(text, sizeof(text), file)) {
		if (sscanf(text, "count: %ld", &count) == 1)
			break;
	}
	fclose(file);
	return count > 1;
}

static int add_verdict(const struct adopt_buffer *buffer, struct adopt_verdict *verdict)
{
	struct drm_vexport_bo_query query;
	int ret = vshare_vexport_query(buffer->dev, buffer->storm.dmabuf, &query);

	if (ret)
		return ret;
	verdict->buffers++;
	verdict->moves_busy += query.moves_busy;
	verdict->notifies += query.notifies;
	verdict->stale_moves += query.stale_moves;
	verdict->stale_words += query.stale_words;
	return 0;
}

/*
 * A buffer that we alone hold is of no use to anybody, and no importer is left
 * that could write to it: its verdict is final, and its memory goes back.
 */
static int drop_unused(struct adopt *adopt)
{
	unsigned int kept = 0;
	int ret = 0;

	for (unsigned int i = 0; i < adopt->count; i++) {
		struct adopt_buffer *buffer = &adopt->buffers[i];

		if (!ret && !buffer->open && !held_elsewhere(buffer->storm.dmabuf)) {
			ret = add_verdict(buffer, &adopt->dropped);
			if (!ret) {
				close(buffer->storm.dmabuf);
				continue;
			}
		}
		adopt->buffers[kept++] = *buffer;
	}
	adopt->count = kept;
	return ret;
}

int adopt_scan(struct adopt *adopt)
{
	struct dirent *entry;
	char path[32];
	int ret = 0;
	DIR *dir;

	/* The number is the program's own until we have waited for it. */
	snprintf(path, sizeof(path), "/proc/%d/fd", adopt->pid);
	dir = opendir(path);
	if (!dir)
		/* It is ending, or it is a setuid program that shows nothing. */
		return errno == EACCES || errno == ENOENT ? 0 : -errno;

	for (unsigned int i = 0; i < adopt->count; i++)
		adopt->buffers[i].open = false;
	while (!ret && (entry = readdir(dir)))
		ret = look_at(adopt, dirfd(dir), entry->d_name);
	closedir(dir);
	return ret ? ret : drop_unused(adopt);
}

int adopt_verdict(struct adopt *adopt, struct adopt_verdict *verdict)
{
	int ret = 0;

	*verdict = adopt->dropped;
	for (unsigned int i = 0; i < adopt->count && !ret; i++)
		ret = add_verdict(&adopt->buffers[i], verdict);
	return ret;
}
