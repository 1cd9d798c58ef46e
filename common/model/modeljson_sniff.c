/* SPDX-License-Identifier: Apache-2.0 */
/* Weights are any bytes at all, so each test must be one that numbers fail in all likelihood:
 * several bytes that agree, or nothing but text. */
#include "common/model/modeljson.h"

#define TEXT_MIN 8 /* fewer bytes may be text by accident */

static struct str skip_space(struct str s)
{
	if (str_starts(s, "\xEF\xBB\xBF")) {
		s.p += 3;
		s.n -= 3;
	}
	while (s.n > 0 && *s.p != '\0' && strchr(" \t\r\n", *s.p)) {
		s.p++;
		s.n--;
	}
	return s;
}

static bool starts_nocase(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && str_eq_nocase((struct str){s.p, n}, prefix);
}

static bool is_html(struct str s)
{
	static const char *const starts[] = {"<!doctype html", "<html", "<head>", "<body", "<!--"};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (starts_nocase(s, starts[i]))
			return true;
	return false;
}

static bool is_xml(struct str s)
{
	return str_starts(s, "<?xml ");
}

static bool is_lfs(struct str s)
{
	return str_starts(s, "version https://git-lfs.github.com/spec/");
}

/* RFC 1952: magic, deflate, no reserved flag, an extra flag and a system that exist. */
static bool is_gzip(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	return s.n >= 10 && p[0] == 0x1F && p[1] == 0x8B && p[2] == 8 && (p[3] & 0xE0) == 0 &&
		(p[8] == 0 || p[8] == 2 || p[8] == 4) && (p[9] <= 13 || p[9] == 255);
}

/* A local file header whose version and method exist. */
static bool is_zip(struct str s)
{
	return s.n >= 30 && str_starts(s, "PK\x03\x04") && (uint8_t)s.p[4] <= 63 && s.p[9] == 0;
}

static bool is_text(struct str s)
{
	for (size_t i = 0; i < s.n;) {
		size_t n = str_utf8_sequence(s.p + i, s.n - i);
		uint8_t c = (uint8_t)s.p[i];
		if (n == 0)
			return s.n - i < 4 && c >= 0xC0; /* cut off by the end of the sample */
		if (c == 0x7F || (c < ' ' && c != '\t' && c != '\r' && c != '\n'))
			return false;
		i += n;
	}
	return s.n >= TEXT_MIN;
}

static bool is_json(struct str s)
{
	struct str inside = s;

	if (s.n < 2 || (*s.p != '{' && *s.p != '['))
		return false;
	inside.p++;
	inside.n--;
	inside = skip_space(inside);
	return inside.n > 0 && strchr(*s.p == '{' ? "\"}" : "\"{[]", *inside.p) && is_text(s);
}

/* The beginnings of whole pages: eight bytes and more that agree. */
static bool is_html_document(struct str s)
{
	return starts_nocase(s, "<!doctype html") || starts_nocase(s, "<html>\n") ||
		starts_nocase(s, "<html lang") || starts_nocase(s, "<html><head");
}

const char *modeljson_sniff(const uint8_t *bytes, size_t n, bool *ret_certain)
{
	static const struct {
		bool (*is)(struct str);
		const char *name;
		bool certain;
	} kinds[] = {
		{is_html_document, "an HTML page", true},
		{is_html, "an HTML page", false},
		{is_xml, "an XML document", false},
		{is_lfs, "a Git LFS pointer", true},
		{is_gzip, "a gzip stream", false},
		{is_zip, "a zip archive", false},
		{is_json, "JSON", false},
	};
	struct str s = {(const char *)bytes, n < MODELJSON_SNIFF ? n : MODELJSON_SNIFF};
	bool ignored;

	s = skip_space(s);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!kinds[i].is(s))
			continue;
		*(ret_certain ? ret_certain : &ignored) = kinds[i].certain;
		return kinds[i].name;
	}
	return NULL;
}
