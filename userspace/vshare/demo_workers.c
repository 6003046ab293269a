// SPDX-License-Identifier: MIT
/*
 * The processes of the GPUs, as the process that owns the exporter sees them.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "demo.h"

static void nap(uint64_t ns)
{
	struct timespec time = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	nanosleep(&time, NULL);
}

/*
 * The processes are started before anything is opened: what a GPU process
 * knows of the exporter is what comes through its socket.
 */
static bool start_worker(struct demo_workers *workers, unsigned int gpu)
{
	struct demo_worker *worker = &workers->worker[gpu];
	pid_t parent = getpid();
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock)) {
		complain(errno, "cannot create a socket");
		return false;
	}
	fflush(NULL);
	worker->pid = fork();
	if (!worker->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		for (unsigned int i = 0; i < gpu; i++)
			close(workers->worker[i].sock);
		close(sock[0]);
		_exit(demo_gpu_main(workers->config, workers->board, gpu, sock[1]));
	}
	close(sock[1]);
	worker->sock = sock[0];
	if (worker->pid < 0) {
		complain(errno, "cannot start the process of GPU %u", gpu);
		return false;
	}
	return true;
}

/* Complains about a process that ended and was not asked to, or that failed. */
static bool worker_ended_well(struct demo_workers *workers, unsigned int gpu, int status)
{
	struct demo_gpu_board *board = &workers->board->gpu[gpu];

	workers->worker[gpu].pid = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status) &&
	    atomic_load(&board->phase) == DEMO_GPU_DONE)
		return true;
	if (WIFSIGNALED(status))
		complain(0, "the process of GPU %u was killed by signal %d (%s)", gpu,
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		complain(0, "the process of GPU %u gave up: %s", gpu,
			 *board->error ? board->error : "it did not say why");
	return false;
}

bool demo_workers_check(struct demo_workers *workers, unsigned int *left)
{
	bool good = true;
	int status;

	*left = 0;
	for (unsigned int gpu = 0; gpu < workers->config->gpus; gpu++) {
		pid_t pid = workers->worker[gpu].pid;

		if (pid <= 0)
			continue;
		if (waitpid(pid, &status, WNOHANG) == pid)
			good &= worker_ended_well(workers, gpu, status);
		else
			++*left;
	}
	return good;
}

bool demo_workers_wait(struct demo_workers *workers)
{
	uint64_t deadline = now_ns() + DEMO_PATIENCE_NS;
	unsigned int ready, left;

	do {
		ready = 0;
		for (unsigned int gpu = 0; gpu < workers->config->gpus; gpu++)
			ready += atomic_load(&workers->board->gpu[gpu].phase) != DEMO_GPU_STARTING;
		if (!demo_workers_check(workers, &left))
			return false;
		if (ready == workers->config->gpus)
			return true;
		nap(10 * NSEC_PER_MSEC);
	} while (now_ns() < deadline);
	complain(0, "only %u of %u GPUs have imported their buffers in %llu s", ready,
		 workers->config->gpus, DEMO_PATIENCE_NS / NSEC_PER_SEC);
	return false;
}

bool demo_workers_stop(struct demo_workers *workers)
{
	uint64_t deadline = now_ns() + DEMO_PATIENCE_NS;
	unsigned int left;
	bool good;

	if (!workers->board)
		return true;
	atomic_store(&workers->board->stop, true);
	for (unsigned int gpu = 0; gpu < workers->config->gpus; gpu++) {
		if (workers->worker[gpu].sock >= 0)
			close(workers->worker[gpu].sock);
		workers->worker[gpu].sock = -1;
	}
	good = demo_workers_check(workers, &left);
	while (left && now_ns() < deadline) {
		nap(NSEC_PER_MSEC);
		good &= demo_workers_check(workers, &left);
	}
	for (unsigned int gpu = 0; left && gpu < workers->config->gpus; gpu++) {
		if (workers->worker[gpu].pid <= 0)
			continue;
		complain(0, "the process of GPU %u hangs: see the kernel log", gpu);
		kill(workers->worker[gpu].pid, SIGKILL);
		good = false;
	}
	return good;
}

bool demo_workers_start(struct demo_workers *workers, const struct demo_config *config)
{
	*workers = (struct demo_workers) { .config = config };
	for (unsigned int gpu = 0; gpu < config->gpus; gpu++)
		workers->worker[gpu].sock = -1;
	workers->board = mmap(NULL, sizeof(*workers->board), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (workers->board == MAP_FAILED) {
		complain(errno, "cannot share memory with the processes of the GPUs");
		workers->board = NULL;
		return false;
	}
	for (unsigned int gpu = 0; gpu < config->gpus; gpu++) {
		if (!start_worker(workers, gpu))
			return false;
	}
	return true;
}
