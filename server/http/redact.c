/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/redact.h"
#include "common/base/buf.h"
#include "common/base/str.h"

#define KEY_RAW_MAX 16 /* "%6B" and the like */

/* '*' stands for the bytes from `from` to `to`. */
static size_t hide(char *target, size_t n, size_t from, size_t to)
{
	if (to == from)
		return n;
	target[from] = '*';
	memmove(target + from + 1, target + to, n - to);
	return n - (to - from) + 1;
}

static bool is_k(const char *p, size_t n)
{
	struct buf decoded = BUF_INIT(KEY_RAW_MAX);
	bool is;

	if (n == 0 || n > KEY_RAW_MAX)
		return false;
	is = (n == 1 && *p == 'k') || (str_percent_decode((struct str){p, n}, &decoded) &&
		decoded.len == 1 && decoded.data[0] == 'k');
	buf_done(&decoded);
	return is;
}

static size_t hide_parameters(char *target, size_t n)
{
	const char *mark = memchr(target, '?', n);
	size_t at = mark ? (size_t)(mark - target) + 1 : n;

	while (at < n) {
		const char *end = memchr(target + at, '&', n - at);
		size_t stop = end ? (size_t)(end - target) : n;
		const char *equals = memchr(target + at, '=', stop - at);
		size_t value = equals ? (size_t)(equals - target) + 1 : stop;
		if (equals && is_k(target + at, value - 1 - at)) {
			size_t before = n;
			n = hide(target, n, value, stop);
			stop -= before - n;
		}
		at = stop + 1;
	}
	return n;
}

static bool is_token_char(char c)
{
	char lower = str_to_lower(c);

	return str_is_lower(lower) || str_is_digit(c) || c == '-' || c == '_';
}

/* Tokens in places where nobody expects them, such as another parameter. */
static size_t hide_tokens(char *target, size_t n)
{
	for (size_t at = 0; at + 4 < n; at++) {
		size_t end = at + 4;
		if (memcmp(target + at, "mdl_", 4) != 0 && memcmp(target + at, "mdk_", 4) != 0)
			continue;
		while (end < n && is_token_char(target[end]))
			end++;
		n = hide(target, n, at + 4, end);
	}
	return n;
}

size_t redact_target(char *target, size_t n)
{
	return hide_tokens(target, hide_parameters(target, n));
}
