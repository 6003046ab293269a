/* SPDX-License-Identifier: MIT */
/* Copyright (C) 2026 The vshare authors */
#ifndef IGT_VEXPORT_TRACE_H
#define IGT_VEXPORT_TRACE_H

#include <stdint.h>

#define VEXPORT_TRACE_EVENTS	64

/**
 * struct vexport_event - a tracepoint was passed
 */
struct vexport_event {
	/** @name: Name of the event, without "vexport_". */
	char name[32];

	/** @tid: The thread that has passed it. */
	unsigned int tid;

	/** @fields: What follows the name, "key=value" after "key=value". */
	char fields[224];
};

/**
 * struct vexport_trace - what has happened to one buffer
 */
struct vexport_trace {
	/** @buffer: Number of the buffer. */
	uint64_t buffer;

	/** @count: Number of events. */
	unsigned int count;

	/** @events: The events. */
	struct vexport_event events[VEXPORT_TRACE_EVENTS];
};

void vexport_trace_on(void);
void vexport_trace_off(struct vexport_trace *trace, uint64_t buffer);
void vexport_trace_drop_importers(struct vexport_trace *trace);

void vexport_trace_text(const struct vexport_event *event, const char *key, const char *wanted);
void vexport_trace_u64(const struct vexport_event *event, const char *key, uint64_t wanted);
void vexport_trace_importer(const struct vexport_event *event, const char *driver);
void vexport_trace_events(const struct vexport_trace *trace, const char * const *names,
			  unsigned int count);
void vexport_trace_generation(const struct vexport_trace *trace, uint64_t generation);

#endif /* IGT_VEXPORT_TRACE_H */
