/* SPDX-License-Identifier: Apache-2.0 */
/* Strings in JSON text: where they end, whether they are right, what they say. Internal to
 * common/json. */
#pragma once

#include "common/base/str.h"

struct json_string_seen {
	size_t end;      /* behind the closing quote */
	bool escaped;    /* there is a backslash in it */
	bool unreadable; /* there is an escape for U+0000 or half a surrogate pair in it */
};

/* The string whose opening quote is at `at`. Refuses what json.h says about strings; an unreadable
 * one unless it is to `keep` it. */
int json_string_scan(struct str text, size_t at, bool keep, struct json_string_seen *ret,
	struct err *e);

/* Decode a string that json_string_scan() accepted, quotes included, to the end of `out`. Half a
 * surrogate pair becomes the three bytes that UTF-8 would have for it if it had any: so different
 * strings stay different. */
void json_string_unquote(struct str quoted, struct buf *out);

/* Put JSON_STRING_MASK in place of the backslash of each escape that makes a string unreadable.
 * `quoted` are the `n` bytes of an accepted string. */
#define JSON_STRING_MASK '\xFF' /* never a byte of UTF-8 */
void json_string_mask(char *quoted, size_t n);
