// SPDX-License-Identifier: MIT
/* Copyright (C) 2026 The vshare authors */
#include "igt.h"
#include "igt_tracefs.h"
#include "igt_vexport_trace.h"

/**
 * vexport_trace_on - begin to record what happens to all buffers
 *
 * Skips the subtest where the kernel has no tracefs.
 */
void vexport_trace_on(void)
{
	tracefs_make_ours();
	tracefs_write(TRACEFS_OURS "/events/vexport/enable", "1");
}

/* In "name-123   [000] ...", where the name may have anything in it. */
static unsigned int parse_tid(const char *line, const char *text)
{
	const char *end = memrchr(line, '[', text - line), *start;

	igt_assert(end);
	for (start = end; start > line && strchr(" 0123456789", start[-1]);)
		start--;
	return strtoul(start, NULL, 10);
}

static void parse_event(struct vexport_trace *trace, const char *line, char *text)
{
	struct vexport_event *event = &trace->events[trace->count];
	char *fields = strchr(text, ':'), mine[40];

	igt_assert(fields);
	*fields++ = '\0';
	fields[strcspn(fields, "\n")] = '\0';
	snprintf(mine, sizeof(mine), " buffer=%" PRIu64 " ", trace->buffer);
	if (!strstr(fields, mine))
		return;
	igt_assert_lt_u32(trace->count, VEXPORT_TRACE_EVENTS - 1);
	snprintf(event->name, sizeof(event->name), "%s", text + strlen("vexport_"));
	snprintf(event->fields, sizeof(event->fields), "%s ", fields);
	event->tid = parse_tid(line, text);
	igt_debug("%s:%s\n", event->name, event->fields);
	trace->count++;
}

/**
 * vexport_trace_off - end the record
 * @trace: Output: the events of one buffer, in the order of their time
 * @buffer: number of the buffer
 */
void vexport_trace_off(struct vexport_trace *trace, uint64_t buffer)
{
	char line[512];
	FILE *file;

	tracefs_write(TRACEFS_OURS "/events/vexport/enable", "0");
	memset(trace, 0, sizeof(*trace));
	trace->buffer = buffer;
	file = fopen(TRACEFS_OURS "/trace", "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file)) {
		char *text = *line == '#' ? NULL : strstr(line, ": vexport_");

		if (text)
			parse_event(trace, line, text + 2);
	}
	fclose(file);
	tracefs_remove_ours(0);
}

static const char *field(const struct vexport_event *event, const char *key, char *value,
			 size_t size)
{
	char pattern[32];
	char *start;

	snprintf(pattern, sizeof(pattern), " %s=", key);
	start = strstr(event->fields, pattern);
	igt_assert_f(start, "Event %s has no field %s:%s\n", event->name, key, event->fields);
	start += strlen(pattern);
	snprintf(value, size, "%.*s", (int)strcspn(start, " "), start);
	return value;
}

void vexport_trace_text(const struct vexport_event *event, const char *key, const char *wanted)
{
	char value[64];

	field(event, key, value, sizeof(value));
	igt_assert_f(!strcmp(value, wanted), "%s: %s is %s, not %s\n", event->name, key, value,
		     wanted);
}

void vexport_trace_u64(const struct vexport_event *event, const char *key, uint64_t wanted)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, wanted);
	vexport_trace_text(event, key, text);
}

void vexport_trace_importer(const struct vexport_event *event, const char *driver)
{
	char value[64];

	field(event, "importer", value, sizeof(value));
	igt_assert_f(strstr(value, driver), "%s: the importer is called %s\n", event->name, value);
}

/**
 * vexport_trace_events - the events must be these, with nothing between, before or after
 * @trace: the record
 * @names: names of the events
 * @count: how many
 */
void vexport_trace_events(const struct vexport_trace *trace, const char * const *names,
			  unsigned int count)
{
	for (unsigned int i = 0; i < trace->count || i < count; i++) {
		const char *name = i < trace->count ? trace->events[i].name : "nothing";
		const char *wanted = i < count ? names[i] : "nothing";

		igt_assert_f(!strcmp(name, wanted), "Event %u is %s, should be %s\n", i, name,
			     wanted);
	}
}

/**
 * vexport_trace_generation - all events of one move name the generation that it leads to
 * @trace: the record
 * @generation: the generation
 */
void vexport_trace_generation(const struct vexport_trace *trace, uint64_t generation)
{
	for (unsigned int i = 0; i < trace->count; i++)
		if (!strncmp(trace->events[i].name, "move_", 5))
			vexport_trace_u64(&trace->events[i], "generation", generation);
}

/**
 * vexport_trace_drop_importers - leave out what importers do
 * @trace: the record
 *
 * They may unmap the old pages at any time after they were told.
 */
void vexport_trace_drop_importers(struct vexport_trace *trace)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < trace->count; i++)
		if (!strncmp(trace->events[i].name, "move_", 5) ||
		    !strncmp(trace->events[i].name, "revoke_", 7))
			trace->events[kept++] = trace->events[i];
	trace->count = kept;
}
