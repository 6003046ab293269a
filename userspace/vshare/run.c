// SPDX-License-Identifier: MIT
/*
 * vshare run: any program, with buffers that keep moving under it. Either it is
 * given one, as {fd}, or it makes its own, which we find and adopt.
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

#include "adopt.h"
#include "cmd.h"
#include "storm.h"

#define FD_WORD		"{fd}"

/* How often to look for new buffers. Those of a shorter life are not moved. */
#define SCAN_PERIOD	(10 * NSEC_PER_MSEC)

/* As timeout(1) and env(1) have it, so that they do not collide with CMD's own. */
enum run_status {
	RUN_STALE = 1,
	RUN_NOTHING_TESTED = 77,
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

	/* Whether CMD is given a buffer or makes its own; the one it is given. */
	bool give;
	int dmabuf;

	struct storm storm;
	struct adopt adopt;

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
	bool sized = false, ok;
	int opt;

	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			ok = parse_number("--storm", optarg, 1, 1000000, &run->hz);
			break;
		case 'z':
			ok = parse_size("--size", optarg, &run->size);
			sized = true;
			break;
		case 'r':
			ok = parse_number("--seed", optarg, 0, UINT64_MAX, &run->seed);
			break;
		case 'p':
			ok = parse_placement("--placement", optarg, &run->placement);
			sized = true;
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
		run->give |= !!strstr(*arg, FD_WORD);
	if (sized && !run->give) {
		complain(0,
			 "--size and --placement are for the buffer that an argument " FD_WORD
			 " stands for, and %s has no such argument", run->cmd[0]);
		return false;
	}
	return true;
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
	int fd, ret;

	fd = vshare_vexport_alloc(run->adopt.devs[0], &run->size, run->placement,
				  DRM_VEXPORT_GEM_MOVING);
	if (fd < 0) {
		complain(fd, "cannot create a buffer of %" PRIu64 " bytes in %s", run->size,
			 placement_name(run->placement));
		return fd;
	}

	/* A parent that closed its standard streams must not make us give them away. */
	run->dmabuf = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	ret = run->dmabuf < 0 ? -errno : adopt_add(&run->adopt, run->dmabuf);
	close(fd);
	if (ret)
		complain(ret, "cannot hold the buffer");
	return ret;
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
	int error, ret;

	for (char **arg = run->cmd; *arg && run->give; arg++) {
		*arg = insert_fd(*arg, run->dmabuf);
		if (!*arg)
			return -ENOMEM;
	}
	run->child = fork();
	if (run->child < 0)
		return -errno;
	if (run->child) {
		ret = run->give ? 0 : adopt_follow(&run->adopt, run->child);
		if (ret)
			kill(run->child, SIGKILL);
		return ret;
	}

	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
	if (run->give)
		fcntl(run->dmabuf, F_SETFD, 0);
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

/* Moves one of the buffers, if there is any. */
static int move_one(struct run *run)
{
	struct adopt_buffer *buffer;
	int ret;

	if (!run->adopt.count)
		return 0;
	buffer = &run->adopt.buffers[storm_random(&run->storm, run->adopt.count)];
	run->storm.dev = buffer->dev;
	ret = storm_move(&run->storm, &buffer->storm);
	if (ret)
		complain(ret, "cannot move the buffer; stopping %s", run->cmd[0]);
	return ret;
}

static int scan(struct run *run)
{
	int ret = adopt_scan(&run->adopt);

	if (ret == -EPERM)
		complain(ret,
			 "may not take the buffers of %s: it has rights that vshare has not, or kernel.yama.ptrace_scope or a container forbids pidfd_getfd(2); run as root, or give it a buffer with "
			 FD_WORD, run->cmd[0]);
	else if (ret)
		complain(ret, "cannot look for the buffers of %s; stopping it", run->cmd[0]);
	return ret;
}

/* Moves buffers until CMD has ended. Returns zero, or why they could not be moved. */
static int storm_until_exit(struct run *run, int *status)
{
	uint64_t period = NSEC_PER_SEC / run->hz;
	uint64_t move_at = now_ns() + period;
	uint64_t scan_at = run->give ? UINT64_MAX : 0;
	int ret = 0;

	while (!wait_child(run, move_at < scan_at ? move_at : scan_at, status)) {
		if (ret) {
			/* It was told to stop. */
			move_at = now_ns() + NSEC_PER_SEC;
			scan_at = move_at;
			continue;
		}
		if (now_ns() >= scan_at) {
			ret = scan(run);
			scan_at = now_ns() + SCAN_PERIOD;
		}
		if (!ret && now_ns() >= move_at) {
			ret = move_one(run);

			/* What a slow move has missed is not made up for by a burst. */
			move_at += period;
			if (move_at < now_ns())
				move_at = now_ns();
		}
		if (ret)
			kill(run->child, SIGTERM);
	}
	return ret;
}

static void report(const struct run *run, const struct adopt_verdict *sum, uint64_t elapsed)
{
	fprintf(stderr, "vshare: %" PRIu64 " moves of %" PRIu64 " buffer%s in %.1f s (seed %" PRIu64
		":", storm_moves(&run->storm), sum->buffers, sum->buffers == 1 ? "" : "s",
		(double)elapsed / NSEC_PER_SEC, run->seed);
	for (int kind = 0; kind < STORM_KINDS; kind++)
		fprintf(stderr, " %s %" PRIu64, storm_kind_names[kind], run->storm.moves[kind]);
	fprintf(stderr, ")\nvshare: %" PRIu64 " under a pending fence, %" PRIu64 " notifies\n",
		sum->moves_busy, sum->notifies);
	if (run->adopt.crowded)
		fprintf(stderr, "vshare: %s had more than %d buffers: the others were left alone\n",
			run->cmd[0], ADOPT_MAX_BUFFERS);
	if (run->storm.refused_pinned)
		fprintf(stderr, "vshare: %" PRIu64 " moves refused: an importer pins the buffer\n",
			run->storm.refused_pinned);
	if (run->storm.refused_full)
		fprintf(stderr, "vshare: %" PRIu64 " moves refused: no room where it should go\n",
			run->storm.refused_full);
	if (sum->stale_words)
		fprintf(stderr, "vshare: STALE WRITES: %" PRIu64 " words after %" PRIu64
			" moves went to storage that the buffer had left\n",
			sum->stale_words, sum->stale_moves);
	else
		fprintf(stderr, "vshare: no stale write\n");
}

static int verdict(const struct run *run, const struct adopt_verdict *sum, int status)
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
	if (sum->stale_words)
		return RUN_STALE;
	if (!sum->buffers) {
		complain(0,
			 "nothing was tested: no buffer of vexport was seen in %s. Let it allocate from /dev/dma_heap/vexport and keep the descriptor open for some 10 ms, or take a buffer as its argument "
			 FD_WORD "; of a script, run the program itself", run->cmd[0]);
		return RUN_NOTHING_TESTED;
	}
	if (!storm_moves(&run->storm)) {
		complain(0, "nothing was tested: no buffer moved while %s ran; %s", run->cmd[0],
			 run->storm.refused_pinned ?
			 "its importer pins" : "let it run longer, or raise --storm");
		return RUN_NOTHING_TESTED;
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
	struct adopt_verdict sum;
	int ret, status = 0;
	uint64_t started;

	if (getrandom(&run.seed, sizeof(run.seed), 0) != sizeof(run.seed))
		run.seed = now_ns();
	run.seed &= UINT32_MAX;
	if (!parse_options(argc, argv, &run)) {
		usage("run");
		return RUN_TROUBLE;
	}
	if (adopt_init(&run.adopt) || (run.give && make_buffer(&run)))
		return RUN_TROUBLE;
	storm_init(&run.storm, run.adopt.devs[0], run.seed);

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
	ret = adopt_verdict(&run.adopt, &sum);
	if (ret) {
		complain(ret, "cannot query the verdict");
		return RUN_TROUBLE;
	}
	if (sum.buffers)
		report(&run, &sum, now_ns() - started);
	return verdict(&run, &sum, status);
}
