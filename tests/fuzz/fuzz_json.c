/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON: the scan and the tree agree, tokens lie in the text in order, what the writer
 * makes of a decoded string is accepted again and decodes to the same. */
#include "common/json/json.h"
#include "common/json/json_scan.h"
#include "common/json/json_write.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static const struct json_limits limits = {1 << 20, 100000, 200};

struct seen {
	const char *text;
	size_t n, end;
	unsigned depth;
	size_t values;
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
	must(json_scan(again.data, again.len, &(struct json_limits){1 << 23, 1, 1}, NULL, NULL,
		&e) == 0);
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
	if (t->event == JSON_EVENT_KEY || t->event == JSON_EVENT_STRING)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct seen seen = {.text = (const char *)data, .n = n};
	struct err e, f;
	int r = json_scan((const char *)data, n, &limits, see, &seen, &e);

	must(json_parse((const char *)data, n, &limits, &doc, &f) == r);
	must((r == 0) == (doc != NULL));
	if (r < 0) {
		must(strcmp(e.text, f.text) == 0);
		return 0;
	}
	must(seen.depth == 0);
	must(count_values(json_root(doc)) == seen.values);
	return 0;
}
