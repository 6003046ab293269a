// SPDX-License-Identifier: MIT
/*
 * A tree of named values, printed as JSON or for people. A verb says once what
 * it has to say, so that both readers are told the same.
 */
#include <inttypes.h>
#include <string.h>

#include "cmd.h"

void out_init(struct out *out, FILE *file, bool json)
{
	memset(out, 0, sizeof(*out));
	out->file = file;
	out->json = json;
}

static struct out_level *level(struct out *out)
{
	return &out->level[out->depth];
}

static void put_json_string(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(file, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(file, "\\u%04x", *text);
		else
			fputc(*text, file);
	}
	fputc('"', file);
}

/* Names are identifiers; people get blanks for the underscores. */
static void put_name(FILE *file, const char *name)
{
	for (; *name; name++)
		fputc(*name == '_' ? ' ' : *name, file);
}

/* What comes before a value: its place in the parent, and its name. */
static void put_head(struct out *out, const char *name)
{
	struct out_level *parent = level(out);

	if (out->json) {
		if (parent->count)
			fputc(',', out->file);
		if (out->depth)
			fprintf(out->file, "\n%*s", 2 * out->depth, "");
		if (name) {
			put_json_string(out->file, name);
			fputs(": ", out->file);
		}
	} else if (name) {
		fprintf(out->file, "%*s", out->depth > 1 ? 2 * (out->depth - 1) : 0, "");
		put_name(out->file, name);
		fputs(": ", out->file);
	}
	parent->count++;
}

static void descend(struct out *out, const char *name, bool array)
{
	struct out_level *parent = level(out);

	if (out->json) {
		put_head(out, name);
		fputc(array ? '[' : '{', out->file);
	} else if (!array && (name || parent->array)) {
		/* An element is called after its array, and numbered. */
		fprintf(out->file, "%*s%s", out->depth > 1 ? 2 * (out->depth - 2) : 0, "",
			name ? name : parent->name);
		if (!name)
			fprintf(out->file, " %u", parent->count);
		fputs(":\n", out->file);
		parent->count++;
	}
	out->depth++;
	*level(out) = (struct out_level) { .name = name, .array = array };
}

void out_object(struct out *out, const char *name)
{
	descend(out, name, false);
}

void out_array(struct out *out, const char *name)
{
	descend(out, name, true);
}

void out_end(struct out *out)
{
	struct out_level *ended = level(out);

	out->depth--;
	if (!out->json)
		return;
	if (ended->count)
		fprintf(out->file, "\n%*s", 2 * out->depth, "");
	fputc(ended->array ? ']' : '}', out->file);
	if (!out->depth)
		fputc('\n', out->file);
}

void out_u64(struct out *out, const char *name, uint64_t value)
{
	put_head(out, name);
	fprintf(out->file, "%" PRIu64 "%s", value, out->json ? "" : "\n");
}

void out_real(struct out *out, const char *name, double value)
{
	put_head(out, name);
	fprintf(out->file, "%.6g%s", value, out->json ? "" : "\n");
}

void out_bool(struct out *out, const char *name, bool value)
{
	put_head(out, name);
	if (out->json)
		fputs(value ? "true" : "false", out->file);
	else
		fputs(value ? "yes\n" : "no\n", out->file);
}

void out_string(struct out *out, const char *name, const char *value)
{
	put_head(out, name);
	if (out->json)
		put_json_string(out->file, value);
	else
		fprintf(out->file, "%s\n", value);
}

void out_mask(struct out *out, const char *name, uint64_t mask,
	      const char *(*name_of)(unsigned int bit))
{
	bool first = true;

	if (out->json) {
		out_array(out, name);
	} else {
		put_head(out, name);
		if (!mask)
			fputs("none", out->file);
	}
	for (unsigned int bit = 0; mask; bit++, mask >>= 1) {
		const char *text = name_of(bit) ? name_of(bit) : "unknown";

		if (!(mask & 1))
			continue;
		if (out->json)
			out_string(out, NULL, text);
		else
			fprintf(out->file, "%s%s", first ? "" : ", ", text);
		first = false;
	}
	if (out->json)
		out_end(out);
	else
		fputc('\n', out->file);
}
