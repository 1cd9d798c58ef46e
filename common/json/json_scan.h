/* SPDX-License-Identifier: Apache-2.0 */
/* One strict, non-recursive pass over JSON text that reports each token with its place.
 *
 * json.h builds on it; callers that need byte positions (rewriting one string and nothing else) use
 * it directly. Acceptance and errors are those described in json.h.
 */
#pragma once

#include "common/json/json.h"

enum json_event {
	JSON_EVENT_OBJECT_BEGIN,
	JSON_EVENT_OBJECT_END,
	JSON_EVENT_ARRAY_BEGIN,
	JSON_EVENT_ARRAY_END,
	JSON_EVENT_KEY,
	JSON_EVENT_STRING,
	JSON_EVENT_NUMBER,
	JSON_EVENT_LITERAL, /* true, false, null */
};

struct json_token {
	enum json_event event;
	unsigned depth; /* of containers around it: the root value has 0, a root object's keys 1 */
	size_t offset;  /* of its first byte in the text: the opening quote of keys and strings */
	size_t n;       /* bytes, quotes included */
	bool unreadable; /* see json.h: only when the limits keep such values */
};

/* Returns 0 to go on; anything negative stops the scan, which returns it. `e` is the scan's. */
typedef int json_scan_fn(void *cls, const struct json_token *token, struct err *e);

/* `fn` may be NULL: then the text is only checked. */
int json_scan(const char *bytes, size_t n, const struct json_limits *limits, json_scan_fn *fn,
	void *cls, struct err *e);

/* Decode the text of a key or string token (with its quotes) to UTF-8, appended to `out`.
 * For tokens that json_scan() reported. */
struct buf;
void json_scan_unquote(const char *quoted, size_t n, struct buf *out);

/* Line and column, both from 1, of an offset. */
void json_scan_place(const char *bytes, size_t offset, size_t *ret_line, size_t *ret_column);
