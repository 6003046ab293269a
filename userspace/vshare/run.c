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
#include <unistd.h>

#include "cmd.h"
#include "run.h"
#include "target.h"

#define FD_WORD		"{fd}"

/* How often to look for new buffers. Those of a shorter life are not moved. */
#define SCAN_PERIOD	(10 * NSEC_PER_MSEC)

/* How long to wait in the end for drivers that give back what a program has left behind. */
#define DRAIN_TIME	NSEC_PER_SEC

static bool parse_like(struct run *run, const char *name)
{
	run->like = name;
	if (!vshare_profile_find(name, &run->adopt.profile))
		return true;
	complain(0, "--like wants a name, not \"%s\". These are known:", name);
	for (unsigned int i = 0; vshare_profile_name(i); i++)
		fprintf(stderr, "  %s\n", vshare_profile_name(i));
	return false;
}

static bool parse_options(int argc, char **argv, struct run *run)
{
	static const struct option options[] = {
		{ "storm", required_argument, NULL, 's' },
		{ "kinds", required_argument, NULL, 'k' },
		{ "seed", required_argument, NULL, 'r' },
		{ "size", required_argument, NULL, 'z' },
		{ "placement", required_argument, NULL, 'p' },
		{ "like", required_argument, NULL, 'l' },
		{ "as-heap", required_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	uint64_t rate = 100;
	bool sized = false, ok;
	int opt;

	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			ok = parse_number("--storm", optarg, 1, DRM_VEXPORT_STORM_MAX_RATE, &rate);
			break;
		case 'k':
			ok = parse_kinds("--kinds", optarg, &run->leases.kinds);
			break;
		case 'r':
			ok = parse_number("--seed", optarg, 1, INT64_MAX, &run->leases.seed);
			break;
		case 'z':
			ok = parse_size("--size", optarg, &run->size);
			sized = true;
			break;
		case 'p':
			ok = parse_placement("--placement", optarg, &run->placement);
			sized = true;
			break;
		case 'l':
			ok = parse_like(run, optarg);
			break;
		case 'h':
			run->child.as_heap = optarg;
			ok = true;
			break;
		case 'j':
			run->json = true;
			ok = true;
			break;
		default:
			ok = false;
		}
		if (!ok)
			return false;
	}
	if (optind == argc || strcmp(argv[optind - 1], "--"))
		return false;

	run->leases.rate = rate;
	run->child.cmd = argv + optind;
	run->child.out_to_err = run->json;
	for (char **arg = run->child.cmd; *arg; arg++)
		run->give |= !!strstr(*arg, FD_WORD);
	if (sized && !run->give) {
		complain(0,
			 "--size and --placement are for the buffer that an argument " FD_WORD
			 " stands for, and %s has no such argument", run->child.cmd[0]);
		return false;
	}
	if (run->child.as_heap && run->give) {
		complain(0, "a program is given a buffer with " FD_WORD
			 " or makes its own with --as-heap, not both");
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

	fd = vshare_vexport_alloc(run->adopt.exporters.devs[0], &run->size, run->placement,
				  DRM_VEXPORT_GEM_MOVING);
	if (fd < 0) {
		complain(fd, "cannot create a buffer of %" PRIu64 " bytes in %s", run->size,
			 placement_name(run->placement));
		return fd;
	}

	/* A parent that closed its standard streams must not make us give them away. */
	run->child.keep = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	ret = run->child.keep < 0 ? -errno : adopt_add(&run->adopt, run->child.keep);
	close(fd);
	for (char **arg = run->child.cmd; *arg && !ret; arg++) {
		*arg = insert_fd(*arg, run->child.keep);
		if (!*arg)
			ret = -ENOMEM;
	}
	if (ret)
		complain(ret, "cannot hold the buffer");
	return ret;
}

static int scan(struct run *run)
{
	const char *name = run->child.cmd[0];
	int ret = adopt_scan(&run->adopt);

	if (ret == -EACCES)
		complain(0,
			 "may not make the buffers of %s like those of %s, which they are not vshare's to change: run as root (CAP_SYS_ADMIN), or give it a buffer with "
			 FD_WORD, name, run->like);
	else if (ret == -EPERM)
		complain(0, "may not take the buffers of %s: %s; or give it a buffer with "
			 FD_WORD, name, target_advice());
	else if (ret)
		complain(ret, "cannot look for the buffers of %s; stopping it", name);
	return ret;
}

/*
 * Storms over the buffers that there are now. A storm begins with a move, and holds
 * its buffers: the old ones end at once, so that memory goes back, the new ones wait
 * until the next move is due, or a program with many short-lived buffers would see
 * more moves than were asked for.
 */
static int update_leases(struct run *run, uint64_t *due)
{
	int ret;

	if (run->adopt.changed) {
		ret = adopt_unlease(&run->adopt, &run->leases);
		if (ret)
			return ret;
	}
	if (!run->adopt.changed || now_ns() < *due)
		return 0;
	run->adopt.changed = false;
	*due = now_ns() + NSEC_PER_SEC / run->leases.rate;
	return adopt_lease(&run->adopt, &run->leases);
}

/* Has buffers moved until CMD has ended. Returns zero, or why they could not be. */
static int storm_until_exit(struct run *run)
{
	uint64_t due = 0, next = 0;
	int ret = 0;

	do {
		if (!ret) {
			if (!run->give)
				ret = scan(run);
			if (!ret)
				ret = update_leases(run, &due);
			if (ret)
				kill(run->child.pid, SIGTERM);
		}
		/* Who was told to stop may take his time. */
		next = ret || run->give ? UINT64_MAX : now_ns() + SCAN_PERIOD;
	} while (!child_wait(&run->child, next, &run->status));
	return ret;
}

static int judge(struct run *run, uint64_t started)
{
	int ret;

	ret = adopt_unlease(&run->adopt, &run->leases);
	if (ret)
		return ret;
	/* No step of the storm is later than this. */
	run->elapsed = now_ns() - started;
	ret = adopt_verdict(&run->adopt, now_ns() + DRAIN_TIME, &run->sum);
	if (ret)
		complain(ret, "cannot query the verdict");
	return ret;
}

int verb_run(int argc, char **argv)
{
	struct run run = {
		.size = 64 << 10,
		.placement = DRM_VEXPORT_PLACEMENT_VRAM,
		.child.keep = -1,
		.leases.kinds = LEASE_ALL_KINDS,
		.leases.seed = lease_choose_seed(),
	};
	uint64_t started;
	int status;

	if (!parse_options(argc, argv, &run)) {
		usage("run");
		return RUN_TROUBLE;
	}
	if (adopt_init(&run.adopt) || (run.give && make_buffer(&run)))
		return RUN_TROUBLE;
	status = child_start(&run.child);
	if (status)
		return status;
	run.adopt.pid = run.child.pid;
	started = now_ns();
	if (storm_until_exit(&run))
		return RUN_TROUBLE;
	if (judge(&run, started))
		return RUN_TROUBLE;
	return run_report(&run);
}
