/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_string.h"
#include "common/json/json_mistake.h"

#define EVERY_BYTE   UINT64_C(0x0101010101010101)
#define EVERY_HIGH   UINT64_C(0x8080808080808080)
#define ESCAPE_U     6 /* bytes of \uXXXX */
#define SURROGATE    0xD800u
#define SURROGATE_LO 0xDC00u
#define SURROGATE_OF 0xE000u

static const struct {
	char letter, byte;
} escapes[] = {
	{'"', '"'},
	{'\\', '\\'},
	{'/', '/'},
	{'b', '\b'},
	{'f', '\f'},
	{'n', '\n'},
	{'r', '\r'},
	{'t', '\t'},
};

/* Eight bytes that are all printable ASCII (or DEL) and neither quote nor backslash. A borrow
 * between bytes can only come from a byte that is special itself. */
static bool is_plain(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return ((v | (v - EVERY_BYTE * ' ') | ((v ^ EVERY_BYTE * '"') - EVERY_BYTE) |
			((v ^ EVERY_BYTE * '\\') - EVERY_BYTE)) & EVERY_HIGH) == 0;
}

static size_t skip_plain(struct str text, size_t at)
{
	while (text.n - at >= 8 && is_plain(text.p + at))
		at += 8;
	while (at < text.n && (uint8_t)text.p[at] >= ' ' && (uint8_t)text.p[at] < 0x80 &&
		text.p[at] != '"' && text.p[at] != '\\')
		at++;
	return at;
}

/* The code unit of the \uXXXX at `at`, or -1. */
static int code_unit(struct str text, size_t at)
{
	int unit = 0;

	if (at > text.n || text.n - at < ESCAPE_U || text.p[at] != '\\' || text.p[at + 1] != 'u')
		return -1;
	for (size_t i = 2; i < ESCAPE_U; i++) {
		int digit = str_hex_value(text.p[at + i]);
		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static bool is_surrogate(int unit)
{
	return unit >= (int)SURROGATE && unit < (int)SURROGATE_OF;
}

/* Whether the \uXXXX at `at` is the first half of a surrogate pair whose second half follows. */
static bool begins_pair(struct str text, size_t at)
{
	int unit = code_unit(text, at), second = code_unit(text, at + ESCAPE_U);

	return is_surrogate(unit) && unit < (int)SURROGATE_LO && second >= (int)SURROGATE_LO &&
		is_surrogate(second);
}

static int refuse_unit(struct str text, size_t at, struct err *e)
{
	unsigned unit = (unsigned)code_unit(text, at);

	if (unit == 0)
		return json_mistake_at(text, at, e, "U+0000 is not accepted in a string");
	return json_mistake_at(text, at, e, "\\u%04X is half of a surrogate pair", unit);
}

/* `seen->end` is at the \uXXXX, and behind it, or behind the pair, afterwards. */
static int scan_code_point(struct str text, bool keep, struct json_string_seen *seen,
	struct err *e)
{
	size_t at = seen->end;
	int unit = code_unit(text, at);
	bool pair;

	if (unit < 0)
		return json_mistake_at(text, at, e, "\\u needs four hexadecimal digits");
	pair = begins_pair(text, at);
	seen->end += pair ? 2 * ESCAPE_U : ESCAPE_U;
	if (pair || (unit != 0 && !is_surrogate(unit)))
		return 0;
	seen->unreadable = true;
	return keep ? 0 : refuse_unit(text, at, e);
}

static int scan_escape(struct str text, bool keep, struct json_string_seen *seen, struct err *e)
{
	size_t at = seen->end;

	seen->escaped = true;
	if (text.n - at < 2)
		return json_mistake_at(text, text.n, e, "the text ends inside a string");
	if (text.p[at + 1] == 'u')
		return scan_code_point(text, keep, seen, e);
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		if (text.p[at + 1] == escapes[i].letter) {
			seen->end += 2;
			return 0;
		}
	}
	return json_mistake_at(text, at, e,
		"a backslash begins one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u only");
}

static int refuse_byte(struct str text, size_t at, struct err *e)
{
	uint8_t c = (uint8_t)text.p[at];

	if (c == '\n' || c == '\r')
		return json_mistake_at(text, at, e,
			"a string must not go on over the end of its line");
	if (c < ' ')
		return json_mistake_at(text, at, e,
			"the control character 0x%02X must be escaped in a string", c);
	return json_mistake_at(text, at, e, "the byte 0x%02X is not UTF-8 here", c);
}

int json_string_scan(struct str text, size_t at, bool keep, struct json_string_seen *ret,
	struct err *e)
{
	struct json_string_seen seen = {.end = at + 1};
	size_t sequence;
	int r;

	for (;;) {
		seen.end = skip_plain(text, seen.end);
		if (seen.end >= text.n)
			return json_mistake_at(text, text.n, e, "the text ends inside a string");
		if (text.p[seen.end] == '"')
			break;
		if (text.p[seen.end] == '\\') {
			r = scan_escape(text, keep, &seen, e);
			if (r < 0)
				return r;
			continue;
		}
		sequence = str_utf8_sequence(text.p + seen.end, text.n - seen.end);
		if (sequence < 2)
			return refuse_byte(text, seen.end, e);
		seen.end += sequence;
	}
	seen.end++;
	*ret = seen;
	return 0;
}

static void add_code_point(uint32_t c, struct buf *out)
{
	if (c < 0x80) {
		buf_add_char(out, (char)c);
	} else if (c < 0x800) {
		buf_add_char(out, (char)(0xC0 | c >> 6));
		buf_add_char(out, (char)(0x80 | (c & 0x3F)));
	} else if (c < 0x10000) {
		buf_add_char(out, (char)(0xE0 | c >> 12));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
		buf_add_char(out, (char)(0x80 | (c & 0x3F)));
	} else {
		buf_add_char(out, (char)(0xF0 | c >> 18));
		buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3F)));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
		buf_add_char(out, (char)(0x80 | (c & 0x3F)));
	}
}

/* Decode the escape at `at`; returns its length. */
static size_t unquote_escape(struct str s, size_t at, struct buf *out)
{
	uint32_t unit, second;

	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		if (s.p[at + 1] == escapes[i].letter) {
			buf_add_char(out, escapes[i].byte);
			return 2;
		}
	}
	unit = (uint32_t)code_unit(s, at);
	if (!begins_pair(s, at)) {
		add_code_point(unit, out);
		return ESCAPE_U;
	}
	second = (uint32_t)code_unit(s, at + ESCAPE_U);
	add_code_point(0x10000 + ((unit - SURROGATE) << 10) + (second - SURROGATE_LO), out);
	return 2 * (size_t)ESCAPE_U;
}

void json_string_unquote(struct str quoted, struct buf *out)
{
	struct str s = {quoted.p + 1, quoted.n - 2};

	while (s.n > 0) {
		const char *escape = memchr(s.p, '\\', s.n);
		size_t plain = escape ? (size_t)(escape - s.p) : s.n;
		buf_add(out, s.p, plain);
		if (escape)
			plain += unquote_escape(s, plain, out);
		s.p += plain;
		s.n -= plain;
	}
}

void json_string_mask(char *quoted, size_t n)
{
	struct str s = {quoted, n};
	char *escape = quoted;

	while ((escape = memchr(escape, '\\', n - (size_t)(escape - quoted)))) {
		size_t at = (size_t)(escape - quoted);
		int unit = code_unit(s, at);
		if (begins_pair(s, at)) {
			escape += 2 * ESCAPE_U;
		} else if (unit == 0 || is_surrogate(unit)) {
			*escape = JSON_STRING_MASK;
			escape += ESCAPE_U;
		} else {
			escape += 2;
		}
	}
}
