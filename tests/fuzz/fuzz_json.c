/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON: the scan and the tree agree, tokens lie in the text in order, what the writer
 * makes of a decoded string is accepted again and decodes to the same. A reader that keeps
 * unreadable values accepts what a strict one does and those, and refuses them when they are
 * read. */
#include "common/json/json.h"
#include "common/json/json_scan.h"
#include "common/json/json_write.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static const struct json_limits limits = {1 << 20, 100000, 200, false};
static const struct json_limits keeping = {1 << 20, 100000, 200, true};
static const struct json_limits one_value = {1 << 23, 1, 1, false};

struct seen {
	const char *text;
	size_t n, end;
	unsigned depth;
	size_t values, unreadable;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_round_trip(const char *quoted, size_t n)
{
	CLEANUP_BUF struct buf once = BUF_INIT(1 << 20), again = BUF_INIT(1 << 23),
		twice = BUF_INIT(1 << 20);
	struct json_write w;
	struct err e;

	json_scan_unquote(quoted, n, &once);
	must(strlen(buf_str(&once)) == once.len);
	json_write_init(&w, &again);
	json_write_str(&w, NULL, buf_str(&once));
	must(json_scan(again.data, again.len, &one_value, NULL, NULL, &e) == 0);
	json_scan_unquote(again.data, again.len, &twice);
	must(strcmp(buf_str(&once), buf_str(&twice)) == 0);
}

static int see(void *cls, const struct json_token *t, struct err *e)
{
	struct seen *s = cls;
	bool ends = t->event == JSON_EVENT_OBJECT_END || t->event == JSON_EVENT_ARRAY_END;

	(void)e;
	must(t->n > 0 && t->offset >= s->end && t->offset + t->n <= s->n);
	s->end = t->offset + t->n;
	s->depth -= ends;
	must(t->depth == s->depth);
	s->depth += t->event == JSON_EVENT_OBJECT_BEGIN || t->event == JSON_EVENT_ARRAY_BEGIN;
	s->values += !ends && t->event != JSON_EVENT_KEY;
	s->unreadable += t->unreadable;
	if (!t->unreadable && (t->event == JSON_EVENT_KEY || t->event == JSON_EVENT_STRING))
		must_round_trip(s->text + t->offset, t->n);
	return 0;
}

static size_t count_values(const struct json *v)
{
	size_t n = 1;

	for (const struct json *x = json_first(v); x; x = json_next(x))
		n += count_values(x);
	return n;
}

static void read_all(const struct json *v)
{
	double d;

	(void)json_key(v);
	(void)json_str(v);
	(void)json_double(v, &d);
	for (const struct json *x = json_first(v); x; x = json_next(x))
		read_all(x);
}

static void must_refuse_when_read(const struct json_doc *doc, const char *text, size_t n,
	bool unreadable)
{
	struct err e;

	must(json_check_read(doc, text, n, &e) == 0);
	read_all(json_root(doc));
	must((json_check_read(doc, text, n, &e) < 0) == unreadable);
	must(!unreadable || strncmp(e.text, "line ", 5) == 0);
}

/* Whether it was accepted, and how many values of it are unreadable. */
static bool read_with(const char *text, size_t n, const struct json_limits *with,
	size_t *ret_unreadable)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct seen seen = {.text = text, .n = n};
	struct err e, f;
	int r = json_scan(text, n, with, see, &seen, &e);

	must(json_parse(text, n, with, &doc, &f) == r);
	must((r == 0) == (doc != NULL));
	*ret_unreadable = seen.unreadable;
	if (r < 0) {
		must(strcmp(e.text, f.text) == 0);
		return false;
	}
	must(seen.depth == 0);
	must(count_values(json_root(doc)) == seen.values);
	must_refuse_when_read(doc, text, n, seen.unreadable > 0);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t unreadable, none;
	bool kept = read_with((const char *)data, n, &keeping, &unreadable);
	bool strict = read_with((const char *)data, n, &limits, &none);

	must(none == 0);
	must(strict == (kept && unreadable == 0));
	return 0;
}
