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
#include <unistd.h>

#include "adopt.h"
#include "cmd.h"

#define DMABUF_LINK	"/dmabuf:"

int adopt_init(struct adopt *adopt)
{
	return exporters_open(&adopt->exporters);
}

static int set_profile(const struct adopt *adopt, int dev, int dmabuf)
{
	int ret;

	if (!adopt->profile.nasty)
		return 0;
	ret = vshare_vexport_set_profile(dev, dmabuf, &adopt->profile);
	/* Not to be taken for the descriptors that may not be had. */
	return ret == -EPERM ? -EACCES : ret;
}

int adopt_add(struct adopt *adopt, int dmabuf)
{
	struct adopt_buffer *buffer = &adopt->buffers[adopt->count];
	struct drm_vexport_bo_query query;
	struct stat st;
	int dev, ret;

	dev = exporters_find(&adopt->exporters, dmabuf, &query);
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
	ret = set_profile(adopt, dev, dmabuf);
	if (ret) {
		close(dmabuf);
		return ret;
	}
	adopt->count++;
	adopt->changed = true;
	*buffer = (struct adopt_buffer) {
		.dmabuf = dmabuf,
		.dev = dev,
		.st_dev = st.st_dev,
		.st_ino = st.st_ino,
		.open = true,
	};
	return 0;
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

	/* The number is the program's own until we have waited for it. */
	fd = vshare_dmabuf_take(adopt->pid, atoi(name));
	if (fd >= 0)
		return adopt_add(adopt, fd);
	/* Closed meanwhile, or the program is ending. */
	return fd == -EBADF || fd == -ESRCH ? 0 : fd;
}

/*
 * A program that has closed its descriptor may go on with a mapping, or with a
 * handle of the driver that imported the buffer. Each of these holds the
 * dma-buf's file, whose references the kernel counts for us. If in doubt, yes.
 */
static bool held_elsewhere(const struct adopt_buffer *buffer)
{
	long ours = 1 + buffer->leased, count = LONG_MAX;
	char text[256];
	FILE *file;

	snprintf(text, sizeof(text), "/proc/self/fdinfo/%d", buffer->dmabuf);
	file = fopen(text, "re");
	if (!file)
		return true;
	while (fgets(text, sizeof(text), file)) {
		if (sscanf(text, "count: %ld", &count) == 1)
			break;
	}
	fclose(file);
	return count > ours;
}

static void add_suspects(struct adopt_verdict *sum, const struct drm_vexport_attachment_info *rows,
			 unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (rows[i].rules && sum->suspect_count < MAX_IMPORTERS)
			sum->suspects[sum->suspect_count++] = rows[i];
	}
}

static int add_verdict(const struct adopt_buffer *buffer, uint64_t deadline,
		       struct adopt_verdict *sum)
{
	struct drm_vexport_attachment_info rows[MAX_IMPORTERS];
	struct drm_vexport_bo_verdict verdict;
	struct drm_vexport_bo_profile profile;
	struct drm_vexport_bo_query query;
	uint64_t time = now_ns();
	int count, ret;

	count = vshare_vexport_verdict(buffer->dev, buffer->dmabuf,
				       deadline > time ? deadline - time : 0, &verdict, rows,
				       MAX_IMPORTERS);
	if (count < 0)
		return count;
	ret = vshare_vexport_query(buffer->dev, buffer->dmabuf, &query);
	if (!ret)
		ret = vshare_vexport_get_profile(buffer->dev, buffer->dmabuf, &profile);
	if (ret)
		return ret;

	sum->buffers++;
	sum->moves += verdict.moves;
	sum->moves_mapped += verdict.moves_mapped;
	sum->moves_touched += query.moves_touched;
	sum->testing_moves += testing_moves(&verdict, &query, count);
	sum->imported += count > 0;
	sum->moves_busy += query.moves_busy;
	sum->notifies += verdict.notifies;
	sum->stale_moves += verdict.stale_moves;
	sum->stale_words += verdict.stale_words;
	sum->broken |= broken_rules(&verdict);
	add_suspects(sum, rows, count < MAX_IMPORTERS ? count : MAX_IMPORTERS);
	for (size_t i = 0; i < ADOPT_PROFILE_BITS; i++)
		sum->acted[i] += profile.acted[i];
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

		if (!ret && !buffer->open && !held_elsewhere(buffer)) {
			ret = add_verdict(buffer, 0, &adopt->dropped);
			if (!ret) {
				close(buffer->dmabuf);
				adopt->changed = true;
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

int adopt_lease(struct adopt *adopt, struct leases *leases)
{
	struct lease_buffer buffers[ADOPT_MAX_BUFFERS];

	for (unsigned int i = 0; i < adopt->count; i++) {
		struct adopt_buffer *buffer = &adopt->buffers[i];

		buffers[i] = (struct lease_buffer) { buffer->dev, buffer->dmabuf };
		buffer->leased = true;
	}
	return leases_start(leases, buffers, adopt->count);
}

int adopt_unlease(struct adopt *adopt, struct leases *leases)
{
	for (unsigned int i = 0; i < adopt->count; i++)
		adopt->buffers[i].leased = false;
	return leases_end(leases);
}

int adopt_verdict(struct adopt *adopt, uint64_t deadline, struct adopt_verdict *verdict)
{
	int ret = 0;

	*verdict = adopt->dropped;
	for (unsigned int i = 0; i < adopt->count && !ret; i++)
		ret = add_verdict(&adopt->buffers[i], deadline, verdict);
	return ret;
}
