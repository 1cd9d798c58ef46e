/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/text.h"

void text_wrap(struct str text, size_t columns, const char *prefix, struct buf *out)
{
	size_t column = 0;
	struct str word;

	while (str_split(&text, ' ', &word)) {
		if (column > 0 && column + 1 + word.n > columns) {
			buf_add_char(out, '\n');
			column = 0;
		}
		buf_add_str(out, column == 0 ? prefix : " ");
		column += column == 0 ? strlen(prefix) : 1;
		buf_addf(out, STR_FMT, STR_ARG(word));
		column += word.n;
	}
	buf_add_char(out, '\n');
}

void text_roff(const char *text, struct buf *out)
{
	static const struct {
		char byte;
		const char *escape;
	} escapes[] = {{'\\', "\\e"}, {'-', "\\-"}, {'~', "\\(ti"}, {'^', "\\(ha"}, {'`', "\\(ga"}};

	if (*text == '.' || *text == '\'')
		buf_add_str(out, "\\&");
	for (; *text; text++) {
		const char *escape = NULL;
		for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
			if (escapes[i].byte == *text)
				escape = escapes[i].escape;
		if (escape)
			buf_add_str(out, escape);
		else
			buf_add_char(out, *text);
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Three rows of the usual table are enough. */
size_t text_distance(struct str a, struct str b)
{
	size_t rows[3][TEXT_DISTANCE_MAX];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	if (a.n >= TEXT_DISTANCE_MAX || b.n >= TEXT_DISTANCE_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *reuse = before;
		before = above;
		above = row;
		row = reuse;
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = str_to_lower(a.p[i - 1]) == str_to_lower(b.p[j - 1]);
			row[j] = least(above[j - 1] + !same, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return row[b.n];
}
