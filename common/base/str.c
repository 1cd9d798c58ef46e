/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/str.h"

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_c(struct str a, const char *b)
{
	return str_eq(a, str_of(b));
}

bool str_eq_nocase(struct str a, const char *b)
{
	if (a.n != strlen(b))
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (str_to_lower(a.p[i]) != str_to_lower(b[i]))
			return false;
	return true;
}

bool str_starts(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

bool str_ends(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

char *str_dup(struct str s)
{
	char *out = malloc(s.n + 1);

	if (!out)
		return NULL;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return out;
}

bool str_split(struct str *rest, char sep, struct str *ret)
{
	const char *at;

	if (!rest->p)
		return false;
	at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
	if (!at) {
		*ret = *rest;
		*rest = (struct str){NULL, 0};
		return true;
	}
	*ret = (struct str){rest->p, (size_t)(at - rest->p)};
	rest->n -= ret->n + 1;
	rest->p = at + 1;
	return true;
}

bool str_is_token(struct str s)
{
	static const bool tchar[256] = {
		['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
		['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true,
		['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,
		['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true,
	};

	for (size_t i = 0; i < s.n; i++)
		if (!tchar[(uint8_t)s.p[i]])
			return false;
	return s.n > 0;
}

size_t str_utf8_sequence(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	uint8_t low = 0x80, high = 0xBF;
	size_t len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		len = 2;
	else if (p[0] >= 0xE0 && p[0] <= 0xEF)
		len = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xE0)
		low = 0xA0;
	else if (p[0] == 0xED)
		high = 0x9F;
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F;
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

bool str_is_utf8(struct str s)
{
	for (size_t i = 0; i < s.n;) {
		size_t len = str_utf8_sequence(s.p + i, s.n - i);
		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

int str_hex_value(char c)
{
	if (str_is_digit(c))
		return c - '0';
	c = str_to_lower(c);
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool str_percent_decode(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			buf_add_char(out, s.p[i]);
			continue;
		}
		bool whole = s.n - i > 2;
		int high = whole ? str_hex_value(s.p[i + 1]) : -1;
		int low = whole ? str_hex_value(s.p[i + 2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return false;
		buf_add_char(out, (char)(high * 16 + low));
		i += 2;
	}
	return !buf_failed(out);
}

static bool stays_in_path(char c)
{
	return str_is_digit(c) || str_is_lower(c) || str_is_upper(c) ||
		(c != '\0' && strchr("-._~!$&'()*+,;=:@/", c));
}

void str_percent_encode_path(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (stays_in_path(s.p[i]))
			buf_add_char(out, s.p[i]);
		else
			buf_addf(out, "%%%02X", (unsigned)(uint8_t)s.p[i]);
	}
}
