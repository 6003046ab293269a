// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include <sys/stat.h>

#include "igt.h"
#include "igt_slow_pages.h"
#include "igt_syncobj.h"
#include "igt_tracefs.h"
#include "igt_userptr.h"
#include "igt_vexport.h"
#include "igt_vimport.h"
#include "igt_vshare.h"

IGT_TEST_DESCRIPTION("The tracepoints tell what a GPU does: its jobs, what it is told of moves, "
		     "when translations go, and when memory of a process is looked up.");

#define SIZE			(64ull << 10)
#define MAX_EVENTS		64

struct event {
	char name[32];
	char fields[192];
};

struct trace {
	unsigned int count;
	struct event event[MAX_EVENTS];
};

static void trace_on(void)
{
	tracefs_make_ours();
	tracefs_write(TRACEFS_OURS "/events/vimport/enable", "1");
}

static void trace_off(struct trace *trace)
{
	char line[512];
	FILE *file;

	tracefs_write(TRACEFS_OURS "/events/vimport/enable", "0");
	trace->count = 0;
	file = fopen(TRACEFS_OURS "/trace", "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		char *text = *line == '#' ? NULL : strstr(line, ": vimport_");
		struct event *event = &trace->event[trace->count];

		if (!text)
			continue;
		igt_assert_lt_u32(trace->count++, MAX_EVENTS);
		if (sscanf(text, ": vimport_%31[^:]:%191[^\n]", event->name, event->fields) != 2)
			igt_assert_f(false, "Not an event: %s\n", text);
		igt_debug("%s:%s\n", event->name, event->fields);
	}
	fclose(file);
	tracefs_remove_ours(0);
}

static uint64_t field(const struct event *event, const char *key)
{
	char pattern[32], *start;

	snprintf(pattern, sizeof(pattern), " %s=", key);
	start = strstr(event->fields, pattern);
	igt_assert_f(start, "Event %s has no field %s:%s\n", event->name, key, event->fields);
	return strtoull(start + strlen(pattern), NULL, 0);
}

/* The one at or after @from, which must be there. */
static const struct event *find(const struct trace *trace, const char *name,
				const struct event *from)
{
	for (unsigned int i = from ? from - trace->event : 0; i < trace->count; i++)
		if (!strcmp(trace->event[i].name, name))
			return &trace->event[i];
	igt_assert_f(false, "No event %s\n", name);
	return NULL;
}

static unsigned int count(const struct trace *trace, const char *name)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < trace->count; i++)
		n += !strcmp(trace->event[i].name, name);
	return n;
}

static void trace_job(struct vshare_session *s)
{
	const struct event *begin, *fault, *end;
	struct vimport_job job = {};
	struct trace trace;
	uint32_t syncobj, vm = vimport_vm_create(s->gpu[0]);

	trace_on();
	vimport_job_delay(&job, 1000);
	vimport_job_delay(&job, 1000);
	vimport_run(s->gpu[0], vm, &job);
	memset(&job, 0, sizeof(job));
	vimport_job_fill(&job, SIZE, 8, 1);
	syncobj = vimport_submit(s->gpu[0], vm, &job, 0);
	igt_assert_eq(vimport_wait(s->gpu[0], syncobj), -EFAULT);
	trace_off(&trace);

	igt_assert_eq_u32(trace.count, 5);
	begin = find(&trace, "job_begin", NULL);
	end = find(&trace, "job_end", begin);
	igt_assert(strstr(begin->fields, " device=vimport0 "));
	igt_assert_eq_u64(field(begin, "cmds"), 2);
	igt_assert_eq_u64(field(end, "job"), field(begin, "job"));
	igt_assert_eq_u64(field(end, "vm"), field(begin, "vm"));
	igt_assert_eq_u64(field(end, "ret"), 0);

	igt_assert_eq_u64(field(find(&trace, "job_begin", end), "job"), field(begin, "job") + 1);
	fault = find(&trace, "gpu_fault", end);
	igt_assert_eq_u64(field(fault, "va"), SIZE);
	igt_assert_eq_u64(field(fault, "write"), 1);
	igt_assert_eq_u64(field(find(&trace, "job_end", fault), "ret"), -EFAULT);
	vimport_vm_destroy(s->gpu[0], vm);
}

static void trace_move(struct vshare_session *s)
{
	const struct event *invalidate, *flush, *revalidate, *begin;
	struct vimport_job job = {};
	struct vimport_gpu gpu;
	struct vexport_bo bo;
	struct trace trace;
	struct stat st;

	vexport_bo_init(&bo, s->exporter, SIZE, DRM_VEXPORT_PLACEMENT_TT, DRM_VEXPORT_GEM_MOVING);
	igt_assert_eq(fstat(bo.dmabuf, &st), 0);
	vimport_gpu_init(&gpu, 0, bo.dmabuf, SIZE, 0);
	vimport_job_fill(&job, gpu.va, SIZE, 1);
	vimport_run(gpu.fd, gpu.vm, &job);

	trace_on();
	vexport_move(s->exporter, bo.dmabuf, 0, DRM_VEXPORT_MOVE_RELOCATE);
	vimport_run(gpu.fd, gpu.vm, &job);
	trace_off(&trace);

	/* Told, flushed, mapped anew, and only then used: in that order, and once each. */
	invalidate = find(&trace, "invalidate", NULL);
	igt_assert_eq_u64(field(invalidate, "dmabuf"), st.st_ino);
	flush = find(&trace, "tlb_flush", invalidate);
	igt_assert_eq_u64(field(flush, "va"), gpu.va);
	igt_assert_eq_u64(field(flush, "size"), SIZE);
	revalidate = find(&trace, "revalidate", flush);
	igt_assert_eq_u64(field(revalidate, "dmabuf"), st.st_ino);
	igt_assert_eq_u64(field(revalidate, "generation"), field(invalidate, "generation") + 1);
	begin = find(&trace, "job_begin", revalidate);
	igt_assert_eq_u64(field(begin, "vm"), field(revalidate, "vm"));
	find(&trace, "job_end", begin);
	igt_assert_eq_u32(count(&trace, "invalidate"), 1);
	igt_assert_eq_u32(count(&trace, "revalidate"), 1);
	vimport_gpu_fini(&gpu);
	vexport_bo_fini(&bo);
}

/* The one after @event that is called @name and is about memory at @addr. */
static const struct event *find_addr(const struct trace *trace, const char *name,
				     const struct event *event, const void *addr)
{
	do
		event = find(trace, name, event ? event + 1 : NULL);
	while (field(event, "addr") != (uintptr_t)addr);
	return event;
}

static void trace_userptr(struct vshare_session *s)
{
	const uintptr_t size = SIZE / 4;
	const struct event *event;
	struct trace trace;
	struct userptr u;

	userptr_init(&u, s->gpu[0], userptr_alloc(SIZE), SIZE, 0);
	trace_on();
	igt_assert_eq(userptr_fill(&u, 1), 0);
	igt_assert_eq(userptr_fill(&u, 2), 0);
	igt_assert_eq(madvise(u.mem, size, MADV_DONTNEED), 0);
	igt_assert_eq(userptr_fill(&u, 3), 0);
	munmap(u.mem, SIZE);
	igt_assert_eq(userptr_fill(&u, 4), -EFAULT);
	trace_off(&trace);

	/* Looked up, and used twice. */
	event = find(&trace, "userptr_fault", NULL);
	igt_assert(strstr(event->fields, " device=vimport0 "));
	igt_assert_eq_u64(field(event, "addr"), (uintptr_t)u.mem);
	igt_assert_eq_u64(field(event, "size"), SIZE);
	igt_assert_eq_u64(field(event, "ret"), 0);
	event = find(&trace, "job_end", event);
	event = find(&trace, "job_end", event + 1);
	/* A part goes, and with it the translations of all. */
	event = find(&trace, "userptr_invalidate", event);
	igt_assert_eq_u64(field(event, "addr"), (uintptr_t)u.mem);
	igt_assert_eq_u64(field(event, "size"), SIZE);
	igt_assert_eq_u64(field(event, "start"), (uintptr_t)u.mem);
	igt_assert_eq_u64(field(event, "end"), (uintptr_t)u.mem + size);
	igt_assert_eq_u64(field(event, "blockable"), 1);
	event = find(&trace, "tlb_flush", event);
	igt_assert_eq_u64(field(event, "va"), u.va);
	igt_assert_eq_u64(field(event, "size"), SIZE);
	event = find(&trace, "userptr_fault", event);
	igt_assert_eq_u64(field(event, "ret"), 0);
	event = find(&trace, "job_end", event);
	/* All of it goes, and then there is nothing. */
	event = find(&trace, "userptr_invalidate", event);
	igt_assert_eq_u64(field(event, "end"), (uintptr_t)u.mem + SIZE);
	event = find(&trace, "userptr_fault", event);
	igt_assert_eq_u64(field(event, "ret"), -EFAULT);
	find(&trace, "gpu_fault", event);
	igt_assert_eq_u32(count(&trace, "userptr_fault"), 3);
	igt_assert_eq_u32(count(&trace, "userptr_invalidate"), 2);
	igt_assert_eq_u32(count(&trace, "userptr_retry"), 0);
	userptr_fini(&u);
}

/* One buffer has been looked up, and changes while the job waits for the other one. */
static void trace_userptr_retry(struct vshare_session *s)
{
	const struct event *event, *begin;
	struct slow_submit submit;
	struct slow_pages slow;
	struct vimport_job job = {};
	struct trace trace;
	struct userptr u;
	uint32_t done, second;
	void *mem = userptr_alloc(SIZE);

	userptr_init(&u, s->gpu[0], userptr_alloc(SIZE), SIZE, 0);
	slow_pages_init(&slow, u.fd, mem, SIZE);
	second = vimport_userptr(u.fd, mem, SIZE, 0);
	vimport_vm_map(u.fd, u.vm, second, 0, u.va + SIZE, SIZE, 0);
	vimport_job_fill(&job, u.va, 2 * SIZE, 1);

	trace_on();
	slow_pages_begin(&slow);
	done = slow_submit_begin(&submit, u.fd, u.vm, &job);
	igt_assert_eq(madvise(u.mem, SIZE, MADV_DONTNEED), 0);
	slow_pages_end(&slow);
	slow_submit_end(&submit);
	igt_assert_eq(vimport_wait(u.fd, done), 0);
	trace_off(&trace);

	event = find_addr(&trace, "userptr_fault", NULL, u.mem);
	event = find_addr(&trace, "userptr_invalidate", event, u.mem);
	event = find_addr(&trace, "userptr_fault", event, mem);
	event = find_addr(&trace, "userptr_retry", event, u.mem);
	begin = find(&trace, "job_begin", find_addr(&trace, "userptr_fault", event, u.mem));
	while (field(begin, "vm") != field(event, "vm"))
		begin = find(&trace, "job_begin", begin + 1);
	igt_assert_eq_u32(count(&trace, "userptr_retry"), 1);

	gem_close(u.fd, second);
	munmap(u.mem, SIZE);
	userptr_fini(&u);
	slow_pages_fini(&slow);
	munmap(mem, SIZE);
}

static const struct vshare_subtest subtests[] = {
	{ "job", "A job begins, meets a fault and ends, with its error", trace_job },
	{ "move", "An import is invalidated, flushed, revalidated and used", trace_move },
	{ "userptr", "Memory is looked up, invalidated, flushed, and looked up again",
	  trace_userptr },
	{ "userptr-retry", "Memory that changes too early for a job is looked up once more",
	  trace_userptr_retry },
};

igt_main
{
	igt_fixture {
		igt_install_exit_handler(tracefs_remove_ours);
	}

	vshare_run_subtests(subtests, ARRAY_SIZE(subtests));
}
