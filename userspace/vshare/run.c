// SPDX-License-Identifier: MIT
/*
 * vshare run: any program, with a buffer that keeps moving under it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "storm.h"

#define FD_WORD		"{fd}"

/* As timeout(1) and env(1) have it, so that they do not collide with CMD's own. */
enum run_status {
	RUN_STALE = 1,
	RUN_NOTHING_MOVED = 77,
	RUN_TROUBLE = 125,
	RUN_CANNOT_EXEC = 126,
	RUN_NOT_FOUND = 127,
	RUN_SIGNAL = 128,
};

struct run {
	uint64_t hz;
	uint64_t size;
	uint64_t seed;
	uint32_t placement;
	char **cmd;

	int dev;
	struct storm storm;
	struct storm_buffer buffer;

	/* What the signals were before we blocked those that we wait for. */
	sigset_t old_mask;
	sigset_t mask;
	pid_t child;
};

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

static bool parse_options(int argc, char **argv, struct run *run)
{
	static const struct option options[] = {
		{ "storm", required_argument, NULL, 's' },
		{ "size", required_argument, NULL, 'z' },
		{ "seed", required_argument, NULL, 'r' },
		{ "placement", required_argument, NULL, 'p' },
		{ 0 },
	};
	bool told = false, ok;
	int opt;

	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			ok = parse_number("--storm", optarg, 1, 1000000, &run->hz);
			break;
		case 'z':
			ok = parse_size("--size", optarg, &run->size);
			break;
		case 'r':
			ok = parse_number("--seed", optarg, 0, UINT64_MAX, &run->seed);
			break;
		case 'p':
			ok = parse_placement("--placement", optarg, &run->placement);
			break;
		default:
			ok = false;
		}
		if (!ok)
			return false;
	}
	if (optind == argc || strcmp(argv[optind - 1], "--"))
		return false;

	run->cmd = argv + optind;
	for (char **arg = run->cmd; *arg; arg++)
		told |= !!strstr(*arg, FD_WORD);
	if (!told)
		complain(0, "no argument of %s holds " FD_WORD ": it would not know its buffer",
			 run->cmd[0]);
	return told;
}

/* Returns text with each {fd} replaced by the number of the descriptor. */
static char *insert_fd(const char *text, int fd)
{
	char *result = NULL;
	size_t len;
	FILE *file = open_memstream(&result, &len);

	if (!file)
		return NULL;
	while (*text) {
		if (!strncmp(text, FD_WORD, strlen(FD_WORD))) {
			fprintf(file, "%d", fd);
			text += strlen(FD_WORD);
		} else {
			fputc(*text++, file);
		}
	}
	if (fclose(file)) {
		free(result);
		return NULL;
	}
	return result;
}

static int make_buffer(struct run *run)
{
	int dev = open_device("vexport", 0);
	int fd, moved;

	if (dev < 0)
		return dev;
	fd = vshare_vexport_alloc(dev, &run->size, run->placement, DRM_VEXPORT_GEM_MOVING);
	if (fd < 0) {
		complain(fd, "cannot create a buffer of %" PRIu64 " bytes in %s", run->size,
			 placement_name(run->placement));
		close(dev);
		return fd;
	}

	/* A parent that closed its standard streams must not make us give them away. */
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	if (moved < 0) {
		moved = -errno;
		close(dev);
		return moved;
	}
	run->dev = dev;
	run->buffer = (struct storm_buffer) { .dmabuf = moved, .placement = run->placement };
	storm_init(&run->storm, dev, run->seed);
	return 0;
}

static void block_signals(struct run *run)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	/* An ignored SIGCHLD, which we may have inherited, would lose CMD's status. */
	sigaction(SIGCHLD, &action, NULL);
	sigemptyset(&run->mask);
	sigaddset(&run->mask, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&run->mask, forwarded[i]);
	sigprocmask(SIG_BLOCK, &run->mask, &run->old_mask);
}

static int start_child(struct run *run)
{
	int error, fd = run->buffer.dmabuf;

	for (char **arg = run->cmd; *arg; arg++) {
		*arg = insert_fd(*arg, fd);
		if (!*arg)
			return -ENOMEM;
	}
	run->child = fork();
	if (run->child < 0)
		return -errno;
	if (run->child)
		return 0;

	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
	fcntl(fd, F_SETFD, 0);
	execvp(run->cmd[0], run->cmd);
	error = errno;
	complain(error, "cannot run %s", run->cmd[0]);
	_exit(error == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_EXEC);
}

/*
 * Waits until the deadline or a signal. Returns true when CMD has ended.
 *
 * A signal of the terminal goes to the whole foreground group, so CMD has it
 * already; one that somebody sent to us alone is passed on.
 */
static bool wait_child(struct run *run, uint64_t deadline, int *status)
{
	uint64_t time = now_ns();
	uint64_t left = deadline > time ? deadline - time : 0;
	struct timespec timeout = { left / NSEC_PER_SEC, left % NSEC_PER_SEC };
	siginfo_t info;
	int sig = sigtimedwait(&run->mask, &info, &timeout);

	if (sig == SIGCHLD)
		return waitpid(run->child, status, WNOHANG) == run->child;
	if (sig > 0 && info.si_code != SI_KERNEL)
		kill(run->child, sig);
	return false;
}

/* Moves the buffer until CMD has ended. Returns zero, or why it could not be moved. */
static int storm_until_exit(struct run *run, int *status)
{
	uint64_t period = NSEC_PER_SEC / run->hz;
	uint64_t next = now_ns() + period;
	int ret = 0;

	while (!wait_child(run, next, status)) {
		if (ret || now_ns() < next) {
			next = ret ? now_ns() + NSEC_PER_SEC : next;
			continue;
		}
		ret = storm_move(&run->storm, &run->buffer);
		if (ret) {
			complain(ret, "cannot move the buffer; stopping %s", run->cmd[0]);
			kill(run->child, SIGTERM);
		}

		/* What a slow move has missed is not made up for by a burst. */
		next += period;
		if (next < now_ns())
			next = now_ns();
	}
	return ret;
}

static void report(const struct run *run, const struct drm_vexport_bo_query *query,
		   uint64_t elapsed)
{
	fprintf(stderr, "vshare: %" PRIu64 " moves in %.1f s (seed %" PRIu64 ":",
		storm_moves(&run->storm), (double)elapsed / NSEC_PER_SEC, run->seed);
	for (int kind = 0; kind < STORM_KINDS; kind++)
		fprintf(stderr, " %s %" PRIu64, storm_kind_names[kind], run->storm.moves[kind]);
	fprintf(stderr, ")\nvshare: %" PRIu64 " under a pending fence, %" PRIu64
		" notifies, generation %" PRIu64 "\n", (uint64_t)query->moves_busy,
		(uint64_t)query->notifies, (uint64_t)query->generation);
	if (run->storm.refused_pinned)
		fprintf(stderr, "vshare: %" PRIu64 " moves refused: an importer pins the buffer\n",
			run->storm.refused_pinned);
	if (run->storm.refused_full)
		fprintf(stderr, "vshare: %" PRIu64 " moves refused: no room where it should go\n",
			run->storm.refused_full);
	if (query->stale_words)
		fprintf(stderr, "vshare: STALE WRITES: %" PRIu64 " words after %" PRIu64
			" moves went to storage that the buffer had left\n",
			(uint64_t)query->stale_words, (uint64_t)query->stale_moves);
	else
		fprintf(stderr, "vshare: no stale write\n");
}

static int verdict(const struct run *run, const struct drm_vexport_bo_query *query, int status)
{
	if (WIFSIGNALED(status)) {
		complain(0, "%s was killed by signal %d (%s)", run->cmd[0], WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
		return RUN_SIGNAL + WTERMSIG(status);
	}
	if (WEXITSTATUS(status)) {
		complain(0, "%s exited with %d", run->cmd[0], WEXITSTATUS(status));
		return WEXITSTATUS(status);
	}
	if (query->stale_words)
		return RUN_STALE;
	if (!storm_moves(&run->storm)) {
		complain(0, "the buffer never moved while %s ran, so nothing was tested: %s",
			 run->cmd[0], run->storm.refused_pinned ?
			 "its importer pins" : "let it run longer, or raise --storm");
		return RUN_NOTHING_MOVED;
	}
	return EXIT_OK;
}

int verb_run(int argc, char **argv)
{
	struct run run = {
		.hz = 100,
		.size = 64 << 10,
		.placement = DRM_VEXPORT_PLACEMENT_VRAM,
	};
	struct drm_vexport_bo_query query;
	int ret, status = 0;
	uint64_t started;

	if (getrandom(&run.seed, sizeof(run.seed), 0) != sizeof(run.seed))
		run.seed = now_ns();
	run.seed &= UINT32_MAX;
	if (!parse_options(argc, argv, &run)) {
		usage("run");
		return RUN_TROUBLE;
	}
	if (make_buffer(&run))
		return RUN_TROUBLE;

	block_signals(&run);
	started = now_ns();
	ret = start_child(&run);
	if (ret) {
		complain(ret, "cannot start %s", run.cmd[0]);
		return RUN_TROUBLE;
	}
	ret = storm_until_exit(&run, &status);
	if (ret)
		return RUN_TROUBLE;
	ret = vshare_vexport_query(run.dev, run.buffer.dmabuf, &query);
	if (ret) {
		complain(ret, "cannot query the verdict");
		return RUN_TROUBLE;
	}
	report(&run, &query, now_ns() - started);
	return verdict(&run, &query, status);
}
