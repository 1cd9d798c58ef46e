/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_write.h"
#include "common/base/str.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

void json_write_init(struct json_write *w, struct buf *out)
{
	*w = (struct json_write){.out = out};
}

static void add_escaped(struct buf *out, uint8_t c)
{
	static const struct {
		char byte;
		const char *text;
	} escapes[] = {
		{'"', "\\\""},
		{'\\', "\\\\"},
		{'\n', "\\n"},
		{'\r', "\\r"},
		{'\t', "\\t"},
		{'\b', "\\b"},
		{'\f', "\\f"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		if (c == (uint8_t)escapes[i].byte) {
			buf_add_str(out, escapes[i].text);
			return;
		}
	}
	buf_addf(out, "\\u%04x", c);
}

static bool is_plain(uint8_t c)
{
	return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

static void add_quoted(struct buf *out, const char *s)
{
	size_t n = strlen(s), plain, sequence;

	buf_add_char(out, '"');
	for (size_t i = 0; i < n;) {
		for (plain = 0; is_plain((uint8_t)s[i + plain]); plain++)
			;
		buf_add(out, s + i, plain);
		i += plain;
		sequence = str_utf8_sequence(s + i, n - i);
		if (sequence > 1)
			buf_add(out, s + i, sequence);
		else if (sequence == 1)
			add_escaped(out, (uint8_t)s[i]);
		else if (i < n)
			buf_add_str(out, REPLACEMENT);
		i += sequence > 0 ? sequence : 1;
	}
	buf_add_char(out, '"');
}

/* What stands before a value: the comma to the one before it, and its key. */
static void begin(struct json_write *w, const char *key)
{
	if (w->has_items[w->depth])
		buf_add_char(w->out, ',');
	w->has_items[w->depth] = true;
	if (key) {
		add_quoted(w->out, key);
		buf_add_char(w->out, ':');
	}
}

static void open_container(struct json_write *w, const char *key, char bracket)
{
	begin(w, key);
	buf_add_char(w->out, bracket);
	assert(w->depth + 1 < JSON_WRITE_DEPTH);
	w->has_items[++w->depth] = false;
}

static void close_container(struct json_write *w, char bracket)
{
	assert(w->depth > 0);
	w->depth--;
	buf_add_char(w->out, bracket);
}

void json_write_object(struct json_write *w, const char *key)
{
	open_container(w, key, '{');
}

void json_write_object_end(struct json_write *w)
{
	close_container(w, '}');
}

void json_write_array(struct json_write *w, const char *key)
{
	open_container(w, key, '[');
}

void json_write_array_end(struct json_write *w)
{
	close_container(w, ']');
}

void json_write_str(struct json_write *w, const char *key, const char *value)
{
	if (!value) {
		json_write_null(w, key);
		return;
	}
	begin(w, key);
	add_quoted(w->out, value);
}

void json_write_uint(struct json_write *w, const char *key, uint64_t value)
{
	begin(w, key);
	buf_addf(w->out, "%" PRIu64, value);
}

void json_write_int(struct json_write *w, const char *key, int64_t value)
{
	begin(w, key);
	buf_addf(w->out, "%" PRId64, value);
}

void json_write_double(struct json_write *w, const char *key, double value)
{
	char text[32];

	if (!isfinite(value)) {
		json_write_null(w, key);
		return;
	}
	/* the shortest of these that reads back as the same double */
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	begin(w, key);
	buf_add_str(w->out, text);
}

void json_write_bool(struct json_write *w, const char *key, bool value)
{
	begin(w, key);
	buf_add_str(w->out, value ? "true" : "false");
}

void json_write_null(struct json_write *w, const char *key)
{
	begin(w, key);
	buf_add_str(w->out, "null");
}

void json_write_raw(struct json_write *w, const char *key, const char *json, size_t n)
{
	begin(w, key);
	buf_add(w->out, json, n);
}

void json_write_members(struct json_write *w, const char *object, size_t n)
{
	struct str members = str_trim((struct str){object, n});

	assert(members.n >= 2 && members.p[0] == '{' && members.p[members.n - 1] == '}');
	members = str_trim((struct str){members.p + 1, members.n - 2});
	if (members.n == 0)
		return;
	begin(w, NULL);
	buf_add(w->out, members.p, members.n);
}
