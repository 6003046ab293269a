// SPDX-License-Identifier: MIT
/*
 * Where the buffer of a probe comes from, and what moves it: a program of the user's, or
 * one of the exporters that every kernel has.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "probe.h"
#include "probe_alloc.h"
#include "target.h"

/* How long the program that holds the buffer may take to end. */
#define END_NS		(2 * NSEC_PER_SEC)
#define POLL_US		10000

/* In the child. Its output is not ours: that may be JSON. */
static void become_shell(const char *cmd, int in, int out)
{
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
		execl("/bin/sh", "sh", "-c", cmd, NULL);
	complain(errno, "cannot run a shell for \"%s\"", cmd);
	_exit(127);
}

/* A line, if it comes in time. False, having complained. */
static bool read_line(const char *cmd, int fd, char *line, size_t size)
{
	uint64_t deadline = now_ns() + PROBE_ALLOC_NS;
	size_t length = 0;

	while (length + 1 < size) {
		uint64_t time = now_ns();
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int left = time < deadline ? (deadline - time) / NSEC_PER_MSEC + 1 : 0;
		ssize_t got;

		if (poll(&ready, 1, left) <= 0 && errno != EINTR) {
			complain(0, "\"%s\" has printed no line for %llu seconds", cmd,
				 PROBE_ALLOC_NS / NSEC_PER_SEC);
			return false;
		}
		got = read(fd, line + length, 1);
		if (!got) {
			complain(0, "\"%s\" has ended, or closed its output, without a line", cmd);
			return false;
		}
		if (got == 1 && line[length++] == '\n')
			break;
	}
	line[length] = '\0';
	return true;
}

static int take(const char *cmd, int pid, int fd)
{
	int dmabuf = vshare_dmabuf_take(pid, fd);

	if (dmabuf == -EBADF || dmabuf == -ESRCH)
		complain(0, "process %d of \"%s\" has no descriptor %d: let it print \"PID FD\"",
			 pid, cmd, fd);
	else if (dmabuf == -EPERM)
		complain(0, "may not take descriptor %d of process %d: %s", fd, pid,
			 target_advice());
	else if (dmabuf < 0)
		complain(dmabuf, "cannot take descriptor %d of process %d", fd, pid);
	return dmabuf;
}

/*
 * The program prints "FD", or "PID FD" if a shell stands between it and us, and keeps
 * the buffer until its standard input ends.
 */
static int run_alloc(struct probe_source *source)
{
	int in[2], out[2], pid, fd, count, dmabuf = -1;
	char line[64];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) {
		complain(errno, "cannot make a pipe");
		return -1;
	}
	source->hold = in[1];
	source->holder = fork();
	if (!source->holder)
		become_shell(source->alloc_cmd, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (source->holder < 0) {
		complain(errno, "cannot run \"%s\"", source->alloc_cmd);
	} else if (read_line(source->alloc_cmd, out[0], line, sizeof(line))) {
		count = sscanf(line, "%d %d", &pid, &fd);
		if (count == 2)
			dmabuf = take(source->alloc_cmd, pid, fd);
		else if (count == 1)
			dmabuf = take(source->alloc_cmd, source->holder, pid);
		else
			complain(0, "\"%s\" has printed \"%.*s\", and not \"FD\" or \"PID FD\"",
				 source->alloc_cmd, (int)strcspn(line, "\n"), line);
	}
	close(out[0]);
	return dmabuf;
}

static int take_fd(const struct probe_source *source)
{
	int fd;

	if (source->pid)
		return take("--pid", source->pid, source->fd);
	fd = fcntl(source->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		complain(0, "descriptor %d is not open: redirect it, as in `%d<&N`, "
			    "or name another process with --pid",
			 (int)source->fd, (int)source->fd);
	return fd;
}

bool probe_source_open(struct probe *probe)
{
	struct probe_source *source = &probe->source;

	if (source->alloc_cmd)
		probe->dmabuf = run_alloc(source);
	else if (source->from)
		probe->dmabuf = probe_alloc(source->from, source->size, &source->mover);
	else
		probe->dmabuf = take_fd(source);
	return probe->dmabuf >= 0;
}

/* It is asked first, and then told. */
static void end_holder(struct probe_source *source)
{
	uint64_t deadline = now_ns() + END_NS;

	while (!waitpid(source->holder, NULL, WNOHANG)) {
		if (now_ns() > deadline) {
			kill(source->holder, SIGKILL);
			waitpid(source->holder, NULL, 0);
			return;
		}
		usleep(POLL_US);
	}
}

void probe_source_close(struct probe *probe)
{
	struct probe_source *source = &probe->source;

	if (probe->gpu >= 0)
		close(probe->gpu);
	if (probe->dmabuf >= 0)
		close(probe->dmabuf);
	if (source->mover >= 0)
		close(source->mover);
	if (source->hold >= 0)
		close(source->hold);
	if (source->holder > 0)
		end_holder(source);
}

bool probe_source_moves(const struct probe *probe)
{
	return probe->source.move_cmd || probe->source.mover >= 0;
}

/* With the buffer in $VSHARE_FD, and who holds it in $VSHARE_PID. */
static bool run_move(struct probe *probe)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), status;
	pid_t child = fork();

	if (!child) {
		char number[16];
		int fd = dup(probe->dmabuf);

		snprintf(number, sizeof(number), "%d", fd);
		setenv("VSHARE_FD", number, true);
		snprintf(number, sizeof(number), "%d", (int)probe->source.holder);
		if (probe->source.holder)
			setenv("VSHARE_PID", number, true);
		become_shell(probe->source.move_cmd, null, STDERR_FILENO);
	}
	close(null);
	if (child < 0) {
		complain(errno, "cannot run \"%s\"", probe->source.move_cmd);
		return false;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

bool probe_source_move(struct probe *probe)
{
	uint64_t generation;

	if (probe->source.move_cmd)
		return run_move(probe);
	return !vshare_vexport_move(probe->source.mover, probe->dmabuf, 0,
				    DRM_VEXPORT_MOVE_RELOCATE, &generation);
}
