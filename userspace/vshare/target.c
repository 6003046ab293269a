// SPDX-License-Identifier: MIT
/*
 * The buffer that --fd and --pid name. Holding a descriptor is the authority to move
 * the buffer; one of another process is taken by whoever may trace that.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "cmd.h"
#include "target.h"

bool target_option(struct target *target, int opt, const char *arg)
{
	if (opt == 'p')
		return parse_number("--pid", arg, 1, INT32_MAX, &target->pid);
	if (opt != 'f')
		return false;
	if (target->count == ARRAY_SIZE(target->fds)) {
		complain(0, "--fd may be given up to %zu times", ARRAY_SIZE(target->fds));
		return false;
	}
	return parse_number("--fd", arg, 0, INT32_MAX, &target->fds[target->count++]);
}

bool target_named(const struct target *target, unsigned int max)
{
	if (target->count > max)
		complain(0, "--fd may be given once here");
	return target->count && target->count <= max;
}

const char *target_advice(void)
{
	/* By the setting of Yama, where it says anything. */
	static const char * const advice[] = {
		"it is another user's, or has rights that this one has not, or is not dumpable, or a container forbids pidfd_getfd(2): run as root, outside",
		"kernel.yama.ptrace_scope is 1, which allows that to its ancestors and to root: run as root",
		"kernel.yama.ptrace_scope is 2, which allows that to root alone: run as root",
		"kernel.yama.ptrace_scope is 3, which allows that to nobody until the next boot",
	};
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (file) {
		if (fscanf(file, "%d", &scope) != 1)
			scope = -1;
		fclose(file);
	}
	return advice[scope >= 1 && scope <= 3 ? scope : 0];
}

/* Returns a descriptor of ours or, having complained, a negative errno. */
static int take(const struct target *target, int fd)
{
	int pid = target->pid, dmabuf;

	if (!pid) {
		if (fcntl(fd, F_GETFD) >= 0)
			return fd;
		complain(0,
			 "descriptor %d is not open: redirect it, as in `%d<&N`, or name another process with --pid",
			 fd, fd);
		return -EBADF;
	}
	dmabuf = vshare_dmabuf_take(pid, fd);
	if (dmabuf == -ESRCH)
		complain(0, "there is no process %d", pid);
	else if (dmabuf == -EINVAL)
		complain(0, "%d is a thread: name its process", pid);
	else if (dmabuf == -EBADF)
		complain(0, "process %d has no descriptor %d: look in /proc/%d/fd", pid, fd, pid);
	else if (dmabuf == -EPERM)
		complain(0,
			 "may not take descriptor %d of process %d, which needs the right to trace it: %s",
			 fd, pid, target_advice());
	else if (dmabuf < 0)
		complain(dmabuf, "cannot take descriptor %d of process %d", fd, pid);
	return dmabuf;
}

bool target_open(struct target *target)
{
	struct drm_vexport_bo_query query;
	int dev;

	for (unsigned int i = 0; i < target->count; i++) {
		target->dmabufs[i] = take(target, target->fds[i]);
		if (target->dmabufs[i] < 0)
			return false;
	}
	if (exporters_open(&target->exporters))
		return false;
	for (unsigned int i = 0; i < target->count; i++) {
		dev = exporters_find(&target->exporters, target->dmabufs[i], &query);
		if (dev == -EINVAL || dev == -EBADF) {
			complain(0, "descriptor %" PRIu64 " is not a buffer of vexport",
				 target->fds[i]);
			return false;
		}
		if (dev < 0) {
			complain(dev, "cannot query descriptor %" PRIu64, target->fds[i]);
			return false;
		}
		if (i && dev != target->dev) {
			complain(0, "the buffers are of several devices: start a storm for each");
			return false;
		}
		if (!i)
			target->query = query;
		target->dev = dev;
	}
	return true;
}
