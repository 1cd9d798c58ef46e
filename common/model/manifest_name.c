/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/manifest_name.h"
#include "common/base/buf.h"
#include "common/json/json_write.h"

#include <math.h>
#include <string.h>

static void add_text(const struct json *v, struct buf *out);

/* Array.prototype.join: null is nothing. As deep as the document is nested. */
static void add_elements(const struct json *array, struct buf *out)
{
	for (const struct json *v = json_first(array); v; v = json_next(v)) {
		if (v != json_first(array))
			buf_add_char(out, ',');
		if (!json_is(v, JSON_NULL))
			add_text(v, out);
	}
}

/* Whole numbers have the same text in JavaScript; others nobody calls a weight. */
static void add_number(const struct json *v, struct buf *out)
{
	struct json_write w;
	double d = 0;

	(void)json_double(v, &d);
	json_write_init(&w, out);
	json_write_double(&w, NULL, d + 0.0); /* -0 is "0" */
}

static void add_text(const struct json *v, struct buf *out)
{
	switch (json_type(v)) {
	case JSON_STRING:
		buf_add_str(out, json_str(v));
		break;
	case JSON_NUMBER:
		add_number(v, out);
		break;
	case JSON_ARRAY:
		add_elements(v, out);
		break;
	case JSON_OBJECT:
		buf_add_str(out, "[object Object]");
		break;
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
		buf_add_str(out, json_type_name(json_type(v)));
		break;
	}
}

char *manifest_name_made(const struct json *v)
{
	CLEANUP_BUF struct buf out = BUF_INIT(MANIFEST_NAME_MAX);

	if (v)
		add_text(v, &out);
	else
		buf_add_str(&out, "undefined");
	return buf_failed(&out) ? NULL : strdup(buf_str(&out));
}

static bool is_decimal(const char *text)
{
	return *text && text[strspn(text, "0123456789+-.eE")] == '\0';
}

double manifest_name_number(const struct json *v)
{
	const char *text = json_str(v);
	char *end;
	double d;

	if (json_is(v, JSON_TRUE))
		return 1;
	if (json_is(v, JSON_FALSE) || json_is(v, JSON_NULL))
		return 0;
	if (!text || !is_decimal(text))
		return NAN;
	d = strtod(text, &end);
	return *end ? NAN : d;
}
