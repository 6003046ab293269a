// SPDX-License-Identifier: MIT
/*
 * The program that vshare run runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "cmd.h"
#include "run.h"

#define HEAP_DIR	"/dev/dma_heap/"
#define OUR_HEAP	HEAP_DIR "vexport"

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

/* How far the child has come when something failed. */
enum stage {
	STAGE_NAMESPACE,
	STAGE_HEAP,
	STAGE_OUTPUT,
	STAGE_EXEC,
};

/* What the child tells us if it cannot become the program. */
struct failure {
	enum stage stage;
	int error;
};

static void block_signals(struct child *child)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	/* An ignored SIGCHLD, which we may have inherited, would lose the status. */
	sigaction(SIGCHLD, &action, NULL);
	sigemptyset(&child->mask);
	sigaddset(&child->mask, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&child->mask, forwarded[i]);
	sigprocmask(SIG_BLOCK, &child->mask, &child->old_mask);
}

static void heap_path(char path[NAME_MAX], const char *name)
{
	snprintf(path, NAME_MAX, HEAP_DIR "%s", name);
}

/* Is there what a mount will need? False, having complained. */
static bool check_heap(const char *name)
{
	char path[NAME_MAX];
	struct stat st;

	if (!*name || strchr(name, '/') || *name == '.' || strlen(name) > NAME_MAX / 2) {
		complain(0, "--as-heap wants the name of a file in " HEAP_DIR ", not \"%s\"", name);
		return false;
	}
	heap_path(path, name);
	if (stat(path, &st)) {
		complain(0,
			 "there is no %s that could be replaced: see what is in /dev/dma_heap; for the heap \"system\" the kernel needs CONFIG_DMABUF_HEAPS_SYSTEM",
			 path);
		return false;
	}
	return true;
}

/*
 * In the child: who opens the heap gets ours. In a mount namespace of its own, so
 * nobody else does; mounts of the others still arrive.
 */
static void replace_heap(const char *name, struct failure *failure)
{
	char path[NAME_MAX];

	heap_path(path, name);
	failure->stage = STAGE_NAMESPACE;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL)) {
		failure->error = errno;
		return;
	}
	failure->stage = STAGE_HEAP;
	if (mount(OUR_HEAP, path, NULL, MS_BIND, NULL))
		failure->error = errno;
}

/* In the child: comes back only if something went wrong. */
static void become(const struct child *child, struct failure *failure)
{
	if (child->as_heap)
		replace_heap(child->as_heap, failure);
	if (failure->error)
		return;

	failure->stage = STAGE_OUTPUT;
	if ((child->out_to_err && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) ||
	    (child->keep >= 0 && fcntl(child->keep, F_SETFD, 0))) {
		failure->error = errno;
		return;
	}
	sigprocmask(SIG_SETMASK, &child->old_mask, NULL);
	failure->stage = STAGE_EXEC;
	execvp(child->cmd[0], child->cmd);
	failure->error = errno;
}

static int explain(const struct child *child, const struct failure *failure)
{
	bool denied = failure->error == EPERM || failure->error == EACCES;

	switch (failure->stage) {
	case STAGE_EXEC:
		complain(failure->error, "cannot run %s", child->cmd[0]);
		return failure->error == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_EXEC;
	case STAGE_OUTPUT:
		complain(failure->error, "cannot prepare the descriptors of %s", child->cmd[0]);
		break;
	case STAGE_NAMESPACE:
	case STAGE_HEAP:
		if (denied)
			complain(0,
				 "--as-heap mounts over /dev/dma_heap/%s in a namespace of its own, which needs root (CAP_SYS_ADMIN) and a container that allows it: run as root, or let %s allocate from /dev/dma_heap/vexport",
				 child->as_heap, child->cmd[0]);
		else
			complain(failure->error, "cannot replace " HEAP_DIR "%s by " OUR_HEAP,
				 child->as_heap);
		break;
	}
	return RUN_TROUBLE;
}

/* The pipe is closed by exec; what comes through it before that is bad news. */
static int wait_for_exec(struct child *child, int pipe_fd)
{
	struct failure failure;
	ssize_t size;

	do {
		size = read(pipe_fd, &failure, sizeof(failure));
	} while (size < 0 && errno == EINTR);
	if (size != sizeof(failure))
		return 0;
	waitpid(child->pid, NULL, 0);
	return explain(child, &failure);
}

int child_start(struct child *child)
{
	struct failure failure = { 0 };
	int pipe_fds[2], status;

	if (child->as_heap && !check_heap(child->as_heap))
		return RUN_TROUBLE;
	if (pipe2(pipe_fds, O_CLOEXEC)) {
		complain(errno, "cannot start %s", child->cmd[0]);
		return RUN_TROUBLE;
	}
	block_signals(child);
	child->pid = fork();
	if (!child->pid) {
		become(child, &failure);
		/* Fits into the pipe, and who reads it is waiting for it. */
		if (write(pipe_fds[1], &failure, sizeof(failure)) < 0)
			complain(failure.error, "cannot run %s", child->cmd[0]);
		_exit(RUN_TROUBLE);
	}
	close(pipe_fds[1]);
	if (child->pid > 0) {
		status = wait_for_exec(child, pipe_fds[0]);
	} else {
		complain(errno, "cannot start %s", child->cmd[0]);
		status = RUN_TROUBLE;
	}
	close(pipe_fds[0]);
	return status;
}

/*
 * A signal of the terminal goes to the whole foreground group, so the program has it
 * already; one that somebody sent to us alone is passed on.
 */
bool child_wait(struct child *child, uint64_t deadline, int *status)
{
	uint64_t time = now_ns();
	uint64_t left = deadline > time ? deadline - time : 0;
	struct timespec timeout = { left / NSEC_PER_SEC, left % NSEC_PER_SEC };
	siginfo_t info;
	int sig = sigtimedwait(&child->mask, &info, &timeout);

	if (sig == SIGCHLD)
		return waitpid(child->pid, status, WNOHANG) == child->pid;
	if (sig > 0 && info.si_code != SI_KERNEL)
		kill(child->pid, sig);
	return false;
}
