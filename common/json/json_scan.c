/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_scan.h"
#include "common/base/num.h"
#include "common/json/json_keys.h"
#include "common/json/json_mistake.h"
#include "common/json/json_number.h"
#include "common/json/json_string.h"

#include <inttypes.h>

#define FIRST_FRAMES 16

/* What may stand at the cursor. */
enum phase { VALUE, FIRST_ELEMENT, KEY, FIRST_KEY, NEXT, DONE };

/* A container that is open. */
struct frame {
	uint32_t first_key; /* of an object: index into scan.keys */
	bool is_object;
};

struct scan {
	struct str text;
	size_t at;
	enum phase phase;
	const struct json_limits *limits;
	json_scan_fn *fn;
	void *cls;
	bool unreadable; /* the token that comes is */
	size_t values;
	struct frame *frames; /* `depth` of them are in use */
	unsigned depth, frames_cap;
	struct json_keys keys;
};

static void scan_done(struct scan *s)
{
	free(s->frames);
	json_keys_done(&s->keys);
}

static struct frame *innermost(struct scan *s)
{
	return &s->frames[s->depth - 1];
}

static void skip_space(struct scan *s)
{
	size_t at = s->at;

	while (at < s->text.n && (s->text.p[at] == ' ' || s->text.p[at] == '\n' ||
			s->text.p[at] == '\r' || s->text.p[at] == '\t'))
		at++;
	s->at = at;
}

/* Report the token from the cursor to `end` and move behind it. */
static int emit(struct scan *s, enum json_event event, size_t end, struct err *e)
{
	struct json_token token = {event, s->depth, s->at, end - s->at, s->unreadable};

	s->at = end;
	s->unreadable = false;
	return s->fn ? s->fn(s->cls, &token, e) : 0;
}

static int refuse_size(struct scan *s, struct err *e, const char *what, size_t max)
{
	size_t line, column;

	json_mistake_place(s->text, s->at, &line, &column);
	return err_set(e, ERR_TOO_LARGE, "line %zu, column %zu: more than %zu %s", line, column,
		max, what);
}

static void value_ended(struct scan *s)
{
	s->phase = s->depth > 0 ? NEXT : DONE;
}

static int grow_frames(struct scan *s, struct err *e)
{
	unsigned cap = s->frames_cap ? 2 * s->frames_cap : FIRST_FRAMES;
	struct frame *frames = reallocarray(s->frames, cap, sizeof(*frames));

	if (!frames)
		return err_nomem(e);
	s->frames = frames;
	s->frames_cap = cap;
	return 0;
}

static int open_container(struct scan *s, bool is_object, struct err *e)
{
	int r;

	if (s->depth >= s->limits->max_depth)
		return refuse_size(s, e, "levels of nesting", s->limits->max_depth);
	if (s->depth == s->frames_cap && (r = grow_frames(s, e)) < 0)
		return r;
	r = emit(s, is_object ? JSON_EVENT_OBJECT_BEGIN : JSON_EVENT_ARRAY_BEGIN, s->at + 1, e);
	if (r < 0)
		return r;
	s->frames[s->depth++] = (struct frame){(uint32_t)s->keys.n, is_object};
	s->phase = is_object ? FIRST_KEY : FIRST_ELEMENT;
	return 0;
}

static int close_container(struct scan *s, struct err *e)
{
	bool is_object = innermost(s)->is_object;

	if (is_object)
		json_keys_close(&s->keys, innermost(s)->first_key);
	s->depth--;
	value_ended(s);
	return emit(s, is_object ? JSON_EVENT_OBJECT_END : JSON_EVENT_ARRAY_END, s->at + 1, e);
}

static bool is_word_char(char c)
{
	return str_is_lower(c) || str_is_upper(c) || str_is_digit(c) || c == '_';
}

static int scan_literal(struct scan *s, struct err *e)
{
	static const char *const literals[] = {"true", "false", "null"};
	size_t n = 0;

	while (s->at + n < s->text.n && is_word_char(s->text.p[s->at + n]))
		n++;
	for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
		if (str_eq_c((struct str){s->text.p + s->at, n}, literals[i])) {
			value_ended(s);
			return emit(s, JSON_EVENT_LITERAL, s->at + n, e);
		}
	}
	return json_mistake_word(s->text, s->at, e);
}

static int scan_string(struct scan *s, struct err *e)
{
	struct json_string_seen seen;
	int r;

	r = json_string_scan(s->text, s->at, s->limits->keep_unreadable, &seen, e);
	if (r < 0)
		return r;
	value_ended(s);
	s->unreadable = seen.unreadable;
	return emit(s, JSON_EVENT_STRING, seen.end, e);
}

static int scan_number(struct scan *s, struct err *e)
{
	size_t end;
	int r;

	r = json_number_scan(s->text, s->at, s->limits->keep_unreadable, &end, &s->unreadable, e);
	if (r < 0)
		return r;
	value_ended(s);
	return emit(s, JSON_EVENT_NUMBER, end, e);
}

static int scan_value(struct scan *s, struct err *e)
{
	enum json_want want = s->phase == FIRST_ELEMENT ? JSON_WANT_ELEMENT : JSON_WANT_VALUE;
	char c;

	if (s->at >= s->text.n)
		return json_mistake(s->text, s->at, want, e);
	c = s->text.p[s->at];
	if (c == ']' && s->phase == FIRST_ELEMENT)
		return close_container(s, e);
	if (s->values++ >= s->limits->max_values)
		return refuse_size(s, e, "values", s->limits->max_values);
	if (c == '"')
		return scan_string(s, e);
	if (c == '{' || c == '[')
		return open_container(s, c == '{', e);
	if (str_is_digit(c) || c == '-')
		return scan_number(s, e);
	if (c == 't' || c == 'f' || c == 'n')
		return scan_literal(s, e);
	return json_mistake(s->text, s->at, want, e);
}

static int check_twin(struct scan *s, struct str quoted, bool escaped, struct err *e)
{
	size_t twin, line, column;
	int r;

	r = json_keys_add(&s->keys, innermost(s)->first_key, quoted, escaped, &twin, e);
	if (r < 0 || twin == s->at)
		return r;
	json_mistake_place(s->text, twin, &line, &column);
	return json_mistake_at(s->text, s->at, e,
		"the key %.*s stands twice in its object, first in line %zu, column %zu",
		(int)(quoted.n < 64 ? quoted.n : 64), quoted.p, line, column);
}

static int scan_key(struct scan *s, struct err *e)
{
	enum json_want want = s->phase == FIRST_KEY ? JSON_WANT_FIRST_KEY : JSON_WANT_KEY;
	struct json_string_seen seen;
	int r;

	if (s->at < s->text.n && s->text.p[s->at] == '}' && s->phase == FIRST_KEY)
		return close_container(s, e);
	if (s->at >= s->text.n || s->text.p[s->at] != '"')
		return json_mistake(s->text, s->at, want, e);
	r = json_string_scan(s->text, s->at, s->limits->keep_unreadable, &seen, e);
	if (r < 0)
		return r;
	r = check_twin(s, (struct str){s->text.p + s->at, seen.end - s->at}, seen.escaped, e);
	if (r < 0)
		return r;
	s->unreadable = seen.unreadable;
	r = emit(s, JSON_EVENT_KEY, seen.end, e);
	if (r < 0)
		return r;
	skip_space(s);
	if (s->at >= s->text.n || s->text.p[s->at] != ':')
		return json_mistake(s->text, s->at, JSON_WANT_COLON, e);
	s->at++;
	s->phase = VALUE;
	return 0;
}

static int scan_next(struct scan *s, struct err *e)
{
	bool is_object = innermost(s)->is_object;
	char c = s->at < s->text.n ? s->text.p[s->at] : '\0';

	if (c == ',') {
		s->at++;
		s->phase = is_object ? KEY : VALUE;
		return 0;
	}
	if (c == (is_object ? '}' : ']'))
		return close_container(s, e);
	return json_mistake(s->text, s->at,
		is_object ? JSON_WANT_COMMA_OR_BRACE : JSON_WANT_COMMA_OR_BRACKET, e);
}

static int scan_all(struct scan *s, struct err *e)
{
	static int (*const steps[])(struct scan *, struct err *) = {
		[VALUE] = scan_value,
		[FIRST_ELEMENT] = scan_value,
		[KEY] = scan_key,
		[FIRST_KEY] = scan_key,
		[NEXT] = scan_next,
	};
	int r;

	for (skip_space(s); s->phase != DONE; skip_space(s)) {
		r = steps[s->phase](s, e);
		if (r < 0)
			return r;
	}
	if (s->at < s->text.n)
		return json_mistake(s->text, s->at, JSON_WANT_END, e);
	return 0;
}

int json_scan(const char *bytes, size_t n, const struct json_limits *limits, json_scan_fn *fn,
	void *cls, struct err *e)
{
	/* json_keys counts in 32 bits */
	size_t max = limits->max_bytes < UINT32_MAX ? limits->max_bytes : UINT32_MAX;
	CLEANUP(scan_done) struct scan s = {
		.text = {bytes, n},
		.phase = VALUE,
		.limits = limits,
		.fn = fn,
		.cls = cls,
	};
	char size[NUM_SIZE_TEXT];

	if (n > max)
		return err_set(e, ERR_TOO_LARGE, "the JSON text is larger than %s",
			num_format_size(max, size));
	json_keys_init(&s.keys, s.text);
	s.at = json_mistake_bom(s.text);
	return scan_all(&s, e);
}

void json_scan_unquote(const char *quoted, size_t n, struct buf *out)
{
	json_string_unquote((struct str){quoted, n}, out);
}

void json_scan_place(const char *bytes, size_t offset, size_t *ret_line, size_t *ret_column)
{
	json_mistake_place((struct str){bytes, offset}, offset, ret_line, ret_column);
}
