/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration values as TensorFlow.js sees them: keys and strings go from snake_case to camelCase
 * (convertPythonicToTs), of keys that become equal the last one counts, and {"type": "ndarray",
 * "value": n} is a number (convertNDArrayScalarsInConfig). */
#include "common/model/layers_internal.h"

#include "common/base/buf.h"
#include "common/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_word_char(char c)
{
	return str_is_digit(c) || str_is_lower(c) || str_is_upper(c) || c == '_';
}

static char upper(char c)
{
	return str_is_lower(c) ? (char)(c - 'a' + 'A') : c;
}

/* The next character of toCamelCase(text), '\0' at the end: /_+(\w|$)/ becomes the character behind
 * the underscores in upper case. */
static char camel_next(const char **text)
{
	const char *p = *text;

	if (*p != '_') {
		*text = *p ? p + 1 : p;
		return *p;
	}
	p += strspn(p, "_");
	if (!*p) {
		*text = p;
		return '\0';
	}
	if (!is_word_char(*p)) { /* the last underscore stays */
		*text = p;
		return '_';
	}
	*text = p + 1;
	return upper(*p);
}

bool layers_config_camel_eq(const char *text, const char *camel)
{
	if (text[0] == '\0' || text[1] == '\0')
		return strcmp(text, camel) == 0;
	for (;;) {
		char c = camel_next(&text);

		if (c != *camel)
			return false;
		if (!c)
			return true;
		camel++;
	}
}

char *layers_config_camel(struct layers_build *b, const char *text)
{
	char *out = layers_arena_text(b, "%s", text);
	size_t n = 0;
	char c;

	if (!out || out[0] == '\0' || out[1] == '\0')
		return out;
	while ((c = camel_next(&text)) != '\0')
		out[n++] = c;
	out[n] = '\0';
	return out;
}

static const struct json *scalar_of(const struct json *v)
{
	const struct json *value;

	if (!json_is(v, JSON_OBJECT))
		return v;
	value = json_get(v, "value");
	if (layers_config_word(json_get(v, "type"), "ndarray") && json_is(value, JSON_NUMBER))
		return value;
	return v;
}

const struct json *layers_config_get(const struct json *object, const char *camel)
{
	const struct json *found = NULL;

	if (!json_is(object, JSON_OBJECT))
		return NULL;
	for (const struct json *m = json_first(object); m; m = json_next(m))
		if (layers_config_camel_eq(json_key_to_compare(m), camel))
			found = m;
	return scalar_of(found);
}

const struct json *layers_config_set(const struct json *object, const char *camel)
{
	const struct json *v = layers_config_get(object, camel);

	return json_type(v) == JSON_NULL ? NULL : v;
}

bool layers_config_truthy(const struct json *v)
{
	double d;

	switch (json_type(v)) {
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_NUMBER:
		return json_double(v, &d) && d != 0;
	case JSON_STRING:
		return json_str(v)[0] != '\0';
	default:
		return true;
	}
}

bool layers_config_word(const struct json *v, const char *camel)
{
	const char *s = json_str(v);

	return s && layers_config_camel_eq(s, camel);
}

bool layers_config_flag(const struct layers_layer *l, const char *camel, bool if_null)
{
	const struct json *v = layers_config_set(l->config, camel);

	return v ? layers_config_truthy(v) : if_null;
}

bool layers_config_number(const struct json *v, double *ret)
{
	return json_is(v, JSON_NUMBER) && json_double(v, ret);
}

bool layers_config_integer(const struct json *v, double *ret)
{
	double d;

	if (!layers_config_number(v, &d) || layers_dim_floor(d) != d)
		return false;
	*ret = d;
	return true;
}

static void add_escaped(struct buf *out, const char *key)
{
	for (; *key; key++) {
		if (*key == '~')
			buf_add_str(out, "~0");
		else if (*key == '/')
			buf_add_str(out, "~1");
		else
			buf_add_char(out, *key);
	}
}

/* The key as the file spells it, or in camelCase when it is absent. */
static const char *spelling(const struct layers_layer *l, const char *camel)
{
	const char *found = camel;

	if (json_is(l->config, JSON_OBJECT))
		for (const struct json *m = json_first(l->config); m; m = json_next(m))
			if (layers_config_camel_eq(json_key_to_compare(m), camel))
				found = json_key(m);
	return found;
}

bool layers_config_throw(struct layers_build *b, const struct layers_layer *l,
	enum finding_rule rule, const char *camel, const char *fmt, ...)
{
	CLEANUP_BUF struct buf pointer = BUF_INIT(4096);
	char text[1024];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buf_add_str(&pointer, l->pointer ? l->pointer : "/modelTopology");
	if (camel && layers_config_get(l->config, camel)) {
		buf_add_str(&pointer, "/config/");
		add_escaped(&pointer, spelling(l, camel));
	}
	findings_add(b->f, rule, "model.json", buf_str(&pointer), "layer '%s' (%s): %s",
		l->name ? l->name : "?", l->class_name ? l->class_name : "?", text);
	return false;
}

bool layers_config_operand(struct layers_build *b, struct layers_layer *l, const char *camel)
{
	const struct json *v = layers_config_set(l->config, camel);

	if (!json_is(v, JSON_STRING) && !json_is(v, JSON_OBJECT) &&
		!(json_is(v, JSON_ARRAY) && json_count(v) != 1))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
		"%s is no number but %s; TensorFlow.js, when the model runs: Argument passed to an "
		"operation must be numeric tensor",
		spelling(l, camel), json_type_name(json_type(v)));
}

bool layers_config_positive(struct layers_build *b, struct layers_layer *l, const char *camel,
	double *ret)
{
	if (layers_config_integer(layers_config_get(l->config, camel), ret) && *ret > 0)
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
		"%s is no positive whole number; TensorFlow.js: Expected %s to be a positive "
		"integer",
		spelling(l, camel), camel);
}

static bool tuple_of(const struct json *v, unsigned n, double *ret)
{
	unsigned i = 0;

	if (layers_config_integer(v, ret)) {
		for (i = 1; i < n; i++)
			ret[i] = ret[0];
		return true;
	}
	if (!json_is(v, JSON_ARRAY))
		return false;
	for (const struct json *e = json_first(v); e; e = json_next(e), i++)
		if (i == n || !layers_config_integer(e, &ret[i]))
			return false;
	return i == n;
}

bool layers_config_tuple(struct layers_build *b, struct layers_layer *l, const char *camel,
	unsigned n, double if_null, double *ret)
{
	const struct json *v = layers_config_set(l->config, camel);
	bool ok = true;

	if (!v && !isnan(if_null)) {
		for (unsigned i = 0; i < n; i++)
			ret[i] = if_null;
		return true;
	}
	ok = tuple_of(v, n, ret);
	for (unsigned i = 0; ok && i < n; i++)
		ok = ret[i] > 0;
	if (ok)
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
		"%s is neither a positive whole number nor a list of %u of them",
		spelling(l, camel), n);
}

bool layers_config_padding(struct layers_build *b, struct layers_layer *l, enum layers_padding *ret)
{
	static const char *const words[] = {"valid", "same", "causal"};
	const struct json *v = layers_config_set(l->config, "padding");

	*ret = LAYERS_VALID;
	if (!v)
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (layers_config_word(v, words[i])) {
			*ret = (enum layers_padding)i;
			return true;
		}
	}
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "padding",
		"TensorFlow.js: %s is not a valid PaddingMode.  Valid values are valid,same,causal",
		json_str(v) ? json_str(v) : json_type_name(json_type(v)));
}

bool layers_config_format(struct layers_build *b, struct layers_layer *l, bool *ret_first)
{
	const struct json *v = layers_config_set(l->config, "dataFormat");

	*ret_first = layers_config_word(v, "channelsFirst");
	if (!v || *ret_first || layers_config_word(v, "channelsLast"))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "dataFormat",
		"TensorFlow.js: %s is not a valid DataFormat.  Valid values are "
		"channelsFirst,channelsLast",
		json_str(v) ? json_str(v) : json_type_name(json_type(v)));
}

bool layers_config_shape(struct layers_build *b, struct layers_layer *l, const char *camel,
	const struct json *v, struct layers_shape **ret)
{
	size_t n = json_count(v);
	struct layers_shape *s;
	unsigned i = 0;

	if (!json_is(v, JSON_ARRAY) || n > LAYERS_RANK_MAX)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
			"%s is no list of at most %d numbers", spelling(l, camel), LAYERS_RANK_MAX);
	s = layers_shape_new(b, (unsigned)n);
	if (!s)
		return false;
	for (const struct json *e = json_first(v); e; e = json_next(e), i++) {
		s->dims[i] = DIM_NULL;
		if (json_type(e) != JSON_NULL && !layers_config_integer(e, &s->dims[i]))
			return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
				"%s holds something else than whole numbers and null",
				spelling(l, camel));
	}
	*ret = s;
	return true;
}

/* One number, or a list of it. */
static bool all_equal(const struct json *v, double want)
{
	double d;

	if (layers_config_number(v, &d))
		return d == want;
	if (!json_is(v, JSON_ARRAY))
		return false;
	for (const struct json *e = json_first(v); e; e = json_next(e))
		if (!layers_config_number(e, &d) || d != want)
			return false;
	return true;
}

bool layers_config_ignored(struct layers_build *b, struct layers_layer *l, const char *camel,
	double harmless)
{
	const struct json *v = layers_config_set(l->config, camel);

	if (!v || b->native)
		return true;
	if (isnan(harmless) ? !layers_config_truthy(v) : all_equal(v, harmless))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_IGNORED, camel,
		"TensorFlow.js does not read %s, so its results differ from those of Keras "
		"without an error",
		spelling(l, camel));
}
