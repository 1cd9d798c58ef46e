/* SPDX-License-Identifier: Apache-2.0 */
/* Views into text that somebody else owns, and the small tests that protocols need. No locale. */
#pragma once

#include "common/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p; /* not NUL terminated */
	size_t n;
};

#define STR_LIT(s)   ((struct str){(s), sizeof(s) - 1})
#define STR_FMT      "%.*s"
#define STR_ARG(s)   (int)(s).n, (s).p

static inline struct str str_of(const char *s)
{
	return (struct str){s, strlen(s)};
}

bool str_eq(struct str a, struct str b);
bool str_eq_c(struct str a, const char *b);
/* Equal but for ASCII letter case. */
bool str_eq_nocase(struct str a, const char *b);
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
struct str str_trim(struct str s); /* of spaces and tabs (RFC 9110 OWS) */

/* A NUL terminated copy, or NULL without memory. */
char *str_dup(struct str s);

/* Cut `*rest` at the first `sep`: the part before is *ret, the part behind stays in *rest.
 * False when `*rest` is used up (its p is NULL then). "a,,b" gives "a", "", "b". */
bool str_split(struct str *rest, char sep, struct str *ret);

/* RFC 9110 5.6.2 token: one or more tchar. */
bool str_is_token(struct str s);

/* Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). */
bool str_is_utf8(struct str s);
/* Bytes of the well-formed sequence that `text` begins with, 1 to 4; 0 when it begins with none. */
size_t str_utf8_sequence(const char *text, size_t n);

/* RFC 3986 percent-decoding of `s`, appended to `out`. False on a malformed or %00 escape. */
bool str_percent_decode(struct str s, struct buf *out);

/* Appends `s` so that it can stand in a URL path: unreserved, sub-delims, ':', '@' and '/' stay. */
void str_percent_encode_path(struct str s, struct buf *out);

static inline bool str_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool str_is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool str_is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline char str_to_lower(char c)
{
	return str_is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

/* Value of a hexadecimal digit, or -1. */
int str_hex_value(char c);
