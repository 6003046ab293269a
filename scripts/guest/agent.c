// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */

/*
 * The guest's end of scripts/test: runs one command after the other, and tells the
 * host at once what the command prints and what the kernel logs.
 *
 * Usage: agent PORT
 *
 * Nothing is decided here; the host knows what to run, what it means and when it
 * takes too long. It sends lines:
 *
 *   run COMMAND	start the shell command COMMAND
 *   kill		kill what is running, with all that it has started
 *   quit		end
 *
 * and gets frames, a line "KIND SIZE" followed by SIZE bytes:
 *
 *   ready		once, first
 *   log		records of /dev/kmsg
 *   lockdep		"1" while the lock checker is alive, "0" when it has given
 *			up, "-" if this kernel has none; whenever that changes, and
 *			before the log that was written meanwhile
 *   out		what the command has written to stdout and stderr
 *   end		its exit status, as a shell would give it; or "stuck" if it
 *			does not even go away when it is killed. Everything that
 *			belongs to the command has been sent before.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A task that a SIGKILL does not end within this is stuck in the kernel. */
#define KILL_SECONDS 5

struct agent {
	int port;
	int kmsg;
	char lockdep;		/* what the host has been told, or 0 */
	char line[1 << 15];	/* from the host, as far as it is there */
	size_t length;

	/* Of the command that runs; pid is 0 if there is none. */
	pid_t pid;
	int pidfd;
	int out;
	time_t killed;		/* when, or 0 */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void send_all(struct agent *agent, const char *data, size_t size)
{
	while (size) {
		ssize_t written = write(agent->port, data, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			die("agent: the host is gone");
		data += written;
		size -= written;
	}
}

static void send_frame(struct agent *agent, const char *kind, const char *data, size_t size)
{
	char header[32];

	send_all(agent, header, snprintf(header, sizeof(header), "%s %zu\n", kind, size));
	send_all(agent, data, size);
}

static char lockdep_state(void)
{
	FILE *stats = fopen("/proc/lockdep_stats", "r");
	char line[128], state = '-';

	if (!stats)
		return state;
	while (state == '-' && fgets(line, sizeof(line), stats))
		sscanf(line, " debug_locks: %c", &state);
	fclose(stats);
	return state;
}

/* Sends what the kernel has logged since the last time. */
static void forward_log(struct agent *agent)
{
	static char batch[1 << 16];
	size_t length = 0;
	char state;

	while (length + 8192 < sizeof(batch)) {
		ssize_t size = read(agent->kmsg, batch + length, 8192);

		if (size > 0)
			length += size;
		/* Records were overwritten: the host notices by their numbers. */
		else if (size < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		else
			break;
	}
	if (!length)
		return;
	/*
	 * Whatever the log says has ended did so before this look at the lock
	 * checker, so the host knows that it was alive till then.
	 */
	state = lockdep_state();
	if (state != agent->lockdep) {
		send_frame(agent, "lockdep", &state, 1);
		agent->lockdep = state;
	}
	send_frame(agent, "log", batch, length);
}

/* Sends some of what the command has printed. False if there is nothing. */
static bool forward_output(struct agent *agent)
{
	char data[1 << 14];
	ssize_t size = read(agent->out, data, sizeof(data));

	if (size <= 0)
		return false;
	send_frame(agent, "out", data, size);
	return true;
}

static void start(struct agent *agent, const char *command)
{
	int out[2];

	if (pipe2(out, O_CLOEXEC | O_NONBLOCK))
		die("agent: pipe");
	agent->pid = fork();
	if (agent->pid < 0)
		die("agent: fork");
	if (!agent->pid) {
		int null = open("/dev/null", O_RDONLY);

		/* The reader's end must not block us; a test's writes may block. */
		fcntl(out[1], F_SETFL, 0);
		setsid();
		dup2(null, STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		close(null);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(out[1]);
	agent->out = out[0];
	agent->killed = 0;
	agent->pidfd = syscall(SYS_pidfd_open, agent->pid, 0);
	if (agent->pidfd < 0)
		die("agent: pidfd_open");
}

static void end(struct agent *agent, const char *status)
{
	/* What a test left running would disturb the next one. */
	kill(-agent->pid, SIGKILL);
	while (forward_output(agent))
		;
	forward_log(agent);
	close(agent->out);
	close(agent->pidfd);
	agent->pid = 0;
	send_frame(agent, "end", status, strlen(status));
}

static void reap(struct agent *agent)
{
	char text[16];
	int status;

	if (waitpid(agent->pid, &status, 0) != agent->pid)
		die("agent: waitpid");
	snprintf(text, sizeof(text), "%d",
		 WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	end(agent, text);
}

/* Has the kernel say what everybody waits for; the host gives this guest up. */
static void stuck(struct agent *agent)
{
	int trigger = open("/proc/sysrq-trigger", O_WRONLY);

	if (trigger >= 0) {
		if (write(trigger, "w", 1) != 1)
			perror("agent: sysrq");
		close(trigger);
	}
	end(agent, "stuck");
}

static void obey(struct agent *agent, const char *line)
{
	if (!strncmp(line, "run ", 4) && !agent->pid) {
		start(agent, line + 4);
	} else if (!strcmp(line, "kill")) {
		/* The command may just have ended by itself. */
		if (!agent->pid)
			return;
		kill(-agent->pid, SIGKILL);
		agent->killed = time(NULL);
	} else if (!strcmp(line, "quit")) {
		exit(0);
	} else {
		fprintf(stderr, "agent: what is '%s'?\n", line);
		exit(1);
	}
}

static void listen_to_host(struct agent *agent)
{
	ssize_t size = read(agent->port, agent->line + agent->length,
			    sizeof(agent->line) - 1 - agent->length);
	char *newline;

	if (size <= 0)
		die("agent: the host is gone");
	agent->length += size;
	agent->line[agent->length] = 0;
	while ((newline = strchr(agent->line, '\n'))) {
		*newline++ = 0;
		obey(agent, agent->line);
		agent->length -= newline - agent->line;
		memmove(agent->line, newline, agent->length + 1);
	}
	if (agent->length == sizeof(agent->line) - 1) {
		fprintf(stderr, "agent: the host's line is too long\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct agent agent = {};

	if (argc != 2) {
		fprintf(stderr, "usage: agent PORT\n");
		return 2;
	}
	agent.port = open(argv[1], O_RDWR | O_CLOEXEC);
	agent.kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (agent.port < 0 || agent.kmsg < 0)
		die("agent: cannot open the port or the kernel log");
	if (chdir("/tmp"))
		die("agent: /tmp");
	forward_log(&agent);
	send_frame(&agent, "ready", "", 0);
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = agent.port, .events = POLLIN },
			{ .fd = agent.kmsg, .events = POLLIN },
			{ .fd = agent.pid ? agent.out : -1, .events = POLLIN },
			{ .fd = agent.pid ? agent.pidfd : -1, .events = POLLIN },
		};

		if (poll(fds, 4, agent.killed ? 1000 : -1) < 0 && errno != EINTR)
			die("agent: poll");
		/* Output first: what a mark in the log ends has been printed then. */
		if (fds[2].revents && !forward_output(&agent)) {
			/* The command has closed its output, but may go on. */
			close(agent.out);
			agent.out = -1;
		}
		if (fds[1].revents)
			forward_log(&agent);
		if (fds[3].revents)
			reap(&agent);
		else if (agent.pid && agent.killed && time(NULL) > agent.killed + KILL_SECONDS)
			stuck(&agent);
		if (fds[0].revents)
			listen_to_host(&agent);
	}
}
