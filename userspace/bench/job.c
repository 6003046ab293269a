// SPDX-License-Identifier: MIT
/*
 * What an empty job costs, from its submission until who waits for it is awake again,
 * next to waking another thread and being woken by it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xf86drm.h>

#include "bench.h"

#define WAIT_NS		10000000000ull

struct wake {
	int gpu;
	uint32_t vm;
	uint32_t done;
	struct vshare_job *job;
	int there, back;
	pthread_t thread;
	FILE *stat;
	/* Both in turns, so that they see the same machine. */
	struct series job_ns, job_switches, event_ns, event_switches;
};

/* All context switches of the machine so far. */
static int read_switches(struct wake *wake, double *switches)
{
	char line[4096];

	rewind(wake->stat);
	while (fgets(line, sizeof(line), wake->stat)) {
		if (sscanf(line, "ctxt %lf", switches) == 1)
			return 0;
	}
	return fail(-ENOMSG, "no context switches in /proc/stat");
}

static int run_job(struct wake *wake)
{
	int ret = vshare_job_submit(wake->job, wake->gpu, wake->vm, 0);

	if (!ret)
		ret = vshare_sync_wait(wake->gpu, wake->done, 0, WAIT_NS);
	return ret ? fail(ret, "an empty job") : 0;
}

static int run_event(struct wake *wake)
{
	eventfd_t value;

	if (eventfd_write(wake->there, 1) || eventfd_read(wake->back, &value))
		return fail(-errno, "an eventfd");
	return 0;
}

static int step(struct bench *bench, struct wake *wake, int (*run)(struct wake *wake),
		struct series *ns, struct series *switches)
{
	double start, end, before, after;
	int ret;

	settle();
	ret = read_switches(wake, &before);
	if (ret)
		return ret;
	start = clock_ns();
	ret = run(wake);
	end = clock_ns();
	if (!ret)
		ret = read_switches(wake, &after);
	if (ret)
		return ret;
	series_add(bench, ns, end - start);
	series_add(bench, switches, after - before);
	return 0;
}

static int step_job(struct bench *bench, void *context)
{
	struct wake *wake = context;

	return step(bench, wake, run_job, &wake->job_ns, &wake->job_switches);
}

static int step_event(struct bench *bench, void *context)
{
	struct wake *wake = context;

	return step(bench, wake, run_event, &wake->event_ns, &wake->event_switches);
}

static void *echo(void *context)
{
	struct wake *wake = context;
	eventfd_t value;

	while (!eventfd_read(wake->there, &value) && value == 1)
		eventfd_write(wake->back, 1);
	return NULL;
}

static int open_wake(struct wake *wake)
{
	int ret;

	wake->gpu = vshare_device_open("vimport", 0);
	if (wake->gpu < 0)
		return fail(wake->gpu, "no GPU: load vimport.ko");
	ret = vshare_vimport_vm_create(wake->gpu, &wake->vm);
	if (!ret)
		ret = drmSyncobjCreate(wake->gpu, 0, &wake->done) ? -errno : 0;
	wake->job = vshare_job_new();
	if (!ret && wake->job) {
		vshare_job_delay(wake->job, 0);
		ret = vshare_job_signal(wake->job, wake->done, 0);
	}
	wake->stat = fopen("/proc/stat", "re");
	wake->there = eventfd(0, EFD_CLOEXEC);
	wake->back = eventfd(0, EFD_CLOEXEC);
	if (ret || !wake->job || !wake->stat || wake->there < 0 || wake->back < 0)
		return fail(ret ?: -errno, "no empty job");
	/* Or the clock would be that of a file whose buffer is filled once. */
	setvbuf(wake->stat, NULL, _IONBF, 0);
	return -pthread_create(&wake->thread, NULL, echo, wake);
}

int bench_job(struct bench *bench)
{
	static const bench_step steps[] = { step_job, step_event };
	struct wake wake = { .gpu = -1 };
	void *contexts[] = { &wake, &wake };
	struct figure *figure;
	int ret;

	report_group("an empty job");
	ret = open_wake(&wake);
	if (ret)
		return ret;
	ret = bench_run(bench, steps, contexts, 2);
	eventfd_write(wake.there, 2);
	pthread_join(wake.thread, NULL);
	if (!ret) {
		report_ratio(report_add(&wake.job_ns, 0, 0, "submit, wait"),
			     series_ratio(&wake.job_ns, &wake.event_ns, NULL), "eventfd",
			     BOUND_NONE, 0);
		report_add(&wake.event_ns, 0, 0, "eventfd, there and back");
		figure = report_add(&wake.job_ns, 0, 0, "submit, wait: context switches");
		report_count(figure, series_median(&wake.job_switches), BOUND_AT_MOST, 3);
		figure = report_add(&wake.event_ns, 0, 0, "eventfd: context switches");
		report_count(figure, series_median(&wake.event_switches), BOUND_NONE, 0);
	}
	series_free(&wake.job_ns);
	series_free(&wake.job_switches);
	series_free(&wake.event_ns);
	series_free(&wake.event_switches);
	vshare_job_free(wake.job);
	fclose(wake.stat);
	close(wake.there);
	close(wake.back);
	close(wake.gpu);
	return ret;
}
