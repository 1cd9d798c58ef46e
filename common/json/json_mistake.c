/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_mistake.h"

#include <stdarg.h>
#include <stdio.h>

#define WORD_MAX  24 /* bytes of a wrong word that a message repeats */
#define FOUND_MAX 40

size_t json_mistake_bom(struct str text)
{
	return str_starts(text, "\xEF\xBB\xBF") ? 3 : 0;
}

void json_mistake_place(struct str text, size_t at, size_t *ret_line, size_t *ret_column)
{
	const char *start = text.p + json_mistake_bom(text);
	const char *end = text.p + at;
	size_t line = 1;

	for (const char *p; start < end && (p = memchr(start, '\n', (size_t)(end - start)));) {
		start = p + 1;
		line++;
	}
	*ret_line = line;
	*ret_column = end > start ? (size_t)(end - start) + 1 : 1;
}

int json_mistake_at(struct str text, size_t at, struct err *e, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX];
	size_t line, column;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	json_mistake_place(text, at, &line, &column);
	return err_set(e, ERR_BAD_JSON, "line %zu, column %zu: %s", line, column, what);
}

static bool is_word_char(char c)
{
	return str_is_lower(c) || str_is_upper(c) || str_is_digit(c) || c == '_' || c == '$';
}

static struct str word_at(struct str text, size_t at)
{
	size_t n = text.p[at] == '-' ? 1 : 0;

	while (at + n < text.n && is_word_char(text.p[at + n]))
		n++;
	return (struct str){text.p + at, n};
}

int json_mistake_word(struct str text, size_t at, struct err *e)
{
	static const struct {
		const char *word; /* in any case */
		const char *hint;
	} words[] = {
		{"nan", ""},
		{"-nan", ""},
		{"infinity", ""},
		{"-infinity", ""},
		{"inf", ""},
		{"-inf", ""},
		{"undefined", "; the word for no value is null"},
		{"none", "; the word for no value is null"},
		{"null", "; null is written in lower case"},
		{"true", "; true is written in lower case"},
		{"false", "; false is written in lower case"},
	};
	struct str word = word_at(text, at);
	const char *hint = "; a string needs quotes";

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_nocase(word, words[i].word))
			hint = words[i].hint;
	if (word.n > WORD_MAX)
		return json_mistake_at(text, at, e, "%.*s... is not JSON%s", WORD_MAX, word.p,
			hint);
	return json_mistake_at(text, at, e, STR_FMT " is not JSON%s", STR_ARG(word), hint);
}

/* What stands at `at`, so that it can be printed. */
static const char *found(struct str text, size_t at, char buf[FOUND_MAX])
{
	size_t n = str_utf8_sequence(text.p + at, text.n - at);
	uint8_t c;

	if (at >= text.n)
		return "the end of the text";
	c = (uint8_t)text.p[at];
	if (c == '\'')
		return "a single quote";
	if (n == 0)
		(void)snprintf(buf, FOUND_MAX, "the byte 0x%02X, which is not UTF-8", c);
	else if (c < ' ' || c == 0x7F)
		(void)snprintf(buf, FOUND_MAX, "the control character 0x%02X", c);
	else
		(void)snprintf(buf, FOUND_MAX, "'%.*s'", (int)n, text.p + at);
	return buf;
}

/* The byte before `at` that is not white space, or NUL. */
static char before(struct str text, size_t at)
{
	while (at > 0 && text.p[at - 1] != '\0' && strchr(" \t\r\n", text.p[at - 1]))
		at--;
	return at > 0 ? text.p[at - 1] : '\0';
}

/* UTF-16 and UTF-32 show in the first bytes: their marks, or a NUL beside an ASCII character. */
static bool is_wide(struct str text)
{
	if (text.n < 2)
		return false;
	return str_starts(text, "\xFF\xFE") || str_starts(text, "\xFE\xFF") || text.p[0] == '\0' ||
		text.p[1] == '\0';
}

/* The name of the mistake, or NULL when it has none. */
static const char *named(struct str text, size_t at, enum json_want want)
{
	bool wants_value = want == JSON_WANT_VALUE || want == JSON_WANT_ELEMENT;
	bool wants_key = want == JSON_WANT_KEY || want == JSON_WANT_FIRST_KEY;
	struct str rest = {text.p + at, text.n - at};
	char c = *rest.p;

	if (at < 2 && is_wide(text))
		return "the text is UTF-16 or UTF-32; JSON is UTF-8";
	if (c == '#' || str_starts(rest, "//") || str_starts(rest, "/*"))
		return "comments are not JSON";
	if ((c == ']' || c == '}') && (wants_value || wants_key) && before(text, at) == ',')
		return "a comma must not stand before a closing bracket";
	if (c == '<' && wants_value)
		return "this is HTML or XML, not JSON";
	if ((wants_value || wants_key) && (c == '\'' || str_starts(rest, "\xE2\x80\x9C") ||
			str_starts(rest, "\xE2\x80\x98")))
		return "strings and keys stand in plain double quotes";
	if (wants_value && (c == ',' || c == ']' || c == '}') && want != JSON_WANT_ELEMENT)
		return "a value is missing here";
	if (wants_value && c == '.')
		return "a number needs a digit before its decimal point";
	if (wants_value && c == '+')
		return "a number must not begin with '+'";
	if (wants_key && (is_word_char(c) || c == '-'))
		return "an object key must be quoted";
	return NULL;
}

int json_mistake(struct str text, size_t at, enum json_want want, struct err *e)
{
	static const char *const wanted[] = {
		[JSON_WANT_VALUE] = "a value",
		[JSON_WANT_ELEMENT] = "a value or ']'",
		[JSON_WANT_KEY] = "a quoted key",
		[JSON_WANT_FIRST_KEY] = "a quoted key or '}'",
		[JSON_WANT_COLON] = "':' behind the key",
		[JSON_WANT_COMMA_OR_BRACKET] = "',' or ']'",
		[JSON_WANT_COMMA_OR_BRACE] = "',' or '}'",
		[JSON_WANT_END] = "nothing more behind the value",
	};
	bool wants_value = want == JSON_WANT_VALUE || want == JSON_WANT_ELEMENT;
	const char *name = at < text.n ? named(text, at, want) : NULL;
	char buf[FOUND_MAX];

	if (name)
		return json_mistake_at(text, at, e, "%s", name);
	if (at < text.n && wants_value && is_word_char(text.p[at]))
		return json_mistake_word(text, at, e);
	return json_mistake_at(text, at, e, "%s was expected, not %s", wanted[want],
		found(text, at, buf));
}
