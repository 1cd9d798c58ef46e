/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes as operation_mapper.ts decodes them: every one in the table of an op, whether or not
 * the executor asks for it, so what cannot be decoded keeps the model from loading. What is decoded
 * to nonsense goes wrong when the node is executed, and then only if the executor asks. */
#include "common/base/num.h"
#include "common/model/graph_internal.h"

#include <math.h>
#include <stdio.h>

struct spot {
	const struct graph *g;
	const struct graph_node *x;
	const struct graph_ops_attr *attr;
	const struct json *v; /* what the node has, not null */
	char member[64];
};

#define say_load(s, ...) graph_say_load((s)->g, (s)->x, RULE_GRAPH_ATTR, (s)->member, __VA_ARGS__)
#define say_run(s, ...)  graph_say_run((s)->g, (s)->x, RULE_GRAPH_ATTR, (s)->member, __VA_ARGS__)
#define say_doubt(s, ...) \
	graph_say_load((s)->g, (s)->x, RULE_GRAPH_ATTR_IGNORED, (s)->member, __VA_ARGS__)

/* ---- values ---- */

/* As parseInt(text, 10). */
static bool parse_int(const char *text, double *ret)
{
	bool minus = *text == '-';
	double v = 0;

	text += *text == '-' || *text == '+';
	if (!str_is_digit(*text))
		return false;
	for (; str_is_digit(*text); text++)
		v = v * 10 + (*text - '0');
	*ret = minus ? -v : v;
	return true;
}

static bool is_whole_text(const char *text)
{
	text += *text == '-';
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* A number, or text that begins with one. */
static bool read_number(const struct json *v, double *ret)
{
	return json_double(v, ret) || (json_is(v, JSON_STRING) && parse_int(json_str(v), ret));
}

const char *graph_attr_dtype(const struct json *type)
{
	uint64_t number;

	if (json_is(type, JSON_STRING))
		return graph_ops_dtype_find(json_str(type));
	return json_uint(type, 1000, &number) ? graph_ops_dtype((unsigned)number) : NULL;
}

static bool is_true(const struct json *v)
{
	double number;

	return json_is(v, JSON_TRUE) || (json_is(v, JSON_STRING) && *json_str(v)) ||
		(json_double(v, &number) && fpclassify(number) != FP_ZERO) ||
		json_is(v, JSON_OBJECT) || json_is(v, JSON_ARRAY);
}

static int64_t read_dim(const struct json *dim)
{
	double v;

	if (!read_number(json_get(dim, "size"), &v) || v < -1e15 || v > 1e15)
		return INT64_MIN;
	return v < 0 && v > -1 ? INT64_MIN : (int64_t)v;
}

bool graph_attr_shape(const struct json *v, int64_t ret[static GRAPH_RANK_MAX], size_t *ret_rank)
{
	const struct json *dims = json_get_set(v, "dim");

	*ret_rank = 0;
	if (is_true(json_get(v, "unknownRank")) || (dims && !json_is(dims, JSON_ARRAY)))
		return false;
	for (const struct json *dim = json_first(dims); dim; dim = json_next(dim)) {
		if (*ret_rank == GRAPH_RANK_MAX)
			return false;
		ret[(*ret_rank)++] = read_dim(dim);
	}
	return true;
}

/* ---- strings ---- */

static int base64_value(char c)
{
	if (str_is_upper(c))
		return c - 'A';
	if (str_is_lower(c))
		return c - 'a' + 26;
	if (str_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* As atob() takes it: white space does not count, padding may be absent. */
static bool is_base64(const char *text)
{
	size_t n = 0, padding = 0;

	for (; *text; text++) {
		if (strchr(" \t\n\f\r", *text))
			continue;
		if (*text == '=')
			padding++;
		else if (padding > 0 || base64_value(*text) < 0)
			return false;
		n++;
	}
	return padding > 0 ? padding <= 2 && n % 4 == 0 : n % 4 != 1;
}

/* The text in lower case, as TensorFlow.js has it; cut when it is longer than any that it knows. */
static void decode(const struct json *s, char *text, size_t max)
{
	unsigned bits = 0, word = 0;
	uint64_t byte;
	size_t n = 0;

	for (const char *p = json_str(s); p && *p && n + 1 < max; p++) {
		if (base64_value(*p) < 0)
			continue;
		word = word << 6 | (unsigned)base64_value(*p);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			text[n++] = str_to_lower((char)(word >> bits & 0xFF));
		}
	}
	for (const struct json *v = json_first(s); v && n + 1 < max; v = json_next(v))
		text[n++] = json_uint(v, 255, &byte) ? str_to_lower((char)byte) : '?';
	text[n] = '\0';
}

/* False when decoding `s` makes TensorFlow.js throw. What is no string at all is turned into one
 * first, and "null" and "true" happen to be base64. */
static bool is_decodable(const struct json *s)
{
	char number[32];
	double v;

	if (!s || json_is(s, JSON_FALSE) || json_is(s, JSON_OBJECT))
		return false;
	if (json_double(s, &v)) {
		(void)snprintf(number, sizeof(number), "%.17g", v);
		return is_base64(number);
	}
	return !json_is(s, JSON_STRING) || is_base64(json_str(s));
}

bool graph_attr_is_word(const struct json *s, const char *word)
{
	char text[32];

	decode(s, text, sizeof(text));
	return strcmp(text, word) == 0;
}

static bool is_word_of(const char *word, const char *words)
{
	struct str rest = str_of(words), item;

	while (str_split(&rest, ' ', &item))
		if (str_eq_c(item, word))
			return true;
	return false;
}

/* What the executors compare attributes with; any other word makes them throw, or is ignored. */
static const struct {
	const char *attr, *words;
} vocabulary[] = {
	{"padding", "same valid explicit"},
	{"data_format", "nhwc nchw nwc ncw ndhwc ncdhw"},
	{"fused_ops", "biasadd relu relu6 elu sigmoid prelu leakyrelu"},
	{"mode", "reflect symmetric"},
	{"method", "bilinear nearest"},
	{"interpolation", "bilinear nearest"},
	{"fill_mode", "constant reflect wrap nearest"},
};

static void check_word(const struct spot *s, const struct json *v)
{
	char word[32];

	decode(v, word, sizeof(word));
	for (size_t i = 0; i < ARRAY_SIZE(vocabulary); i++)
		if (strcmp(vocabulary[i].attr, s->attr->name) == 0 &&
			!is_word_of(word, vocabulary[i].words))
			say_run(s, "it is '%s' where TensorFlow.js knows: %s", word,
				vocabulary[i].words);
}

static void check_one_string(const struct spot *s, const struct json *v)
{
	if (!is_decodable(v))
		say_load(s, "a string is base64 or an array of bytes, not %s; TensorFlow.js says "
			"\"The string to be decoded is not correctly encoded.\"",
			graph_say_type(v));
	else if (!json_is(v, JSON_STRING) && !json_is(v, JSON_ARRAY))
		say_doubt(s, "a string is base64 or an array of bytes, not %s", graph_say_type(v));
	else if (s->attr->read)
		check_word(s, v);
}

static void check_string(const struct spot *s)
{
	check_one_string(s, json_get(s->v, "s"));
}

/* An empty list is {"list": {}}. */
static const struct json *list_of(const struct spot *s, const char *member)
{
	const struct json *list = json_get_set(s->v, "list"), *items = json_get_set(list, member);

	if (items && !json_is(items, JSON_ARRAY))
		say_load(s, "a list has an array, not %s; TensorFlow.js says \"map is not a "
			"function\"",
			graph_say_type(items));
	else if (!json_is(list, JSON_OBJECT))
		say_doubt(s, "it has no list, so TensorFlow.js takes the default");
	return json_is(items, JSON_ARRAY) ? items : NULL;
}

static void check_strings(const struct spot *s)
{
	for (const struct json *v = json_first(list_of(s, "s")); v; v = json_next(v))
		check_one_string(s, v);
}

/* ---- numbers ---- */

static void check_number_value(const struct spot *s, const struct json *v)
{
	double number;

	if (!s->attr->read)
		return;
	if (!read_number(v, &number) && strstr(s->attr->name, "_mask"))
		say_doubt(s, "it is %s that is no number, so TensorFlow.js takes 0",
			graph_say_type(v));
	else if (!read_number(v, &number))
		say_run(s, "it is %s that is no number, so TensorFlow.js computes with NaN",
			graph_say_type(v));
	else if (json_is(v, JSON_STRING) && !is_whole_text(json_str(v)))
		say_doubt(s, "TensorFlow.js reads '%.32s' as %g", json_str(v), number);
}

static void check_number(const struct spot *s)
{
	const struct json *i = json_get_set(s->v, "i"), *f = json_get_set(s->v, "f");

	if (i || f)
		check_number_value(s, i ? i : f);
	else if (s->attr->read)
		say_doubt(s, "it has neither i nor f, so TensorFlow.js takes the default");
}

/* Lists of sizes, one for each dimension of a picture or a volume: those between the first and the
 * last are used. */
static size_t sizes_of(const struct graph_ops_attr *attr, const struct graph_node *x)
{
	static const char names[] = "strides ksize dilations rates";

	if (!is_word_of(attr->name, names))
		return 0;
	return strstr(x->op, "3D") ? 5 : 4;
}

static void check_sizes(const struct spot *s, const struct json *items, size_t want)
{
	const struct json *v = json_first(items);
	double number;

	if (json_count(items) + 1 < want) {
		say_run(s, "it has %zu numbers where TensorFlow.js reads %zu", json_count(items),
			want - 1);
		return;
	}
	for (size_t i = 0; v && i + 1 < want; i++, v = json_next(v)) {
		if (i > 0 && read_number(v, &number) && (number < 1 || number > 1e6)) {
			say_run(s, "number %zu is %g, which is no size", i, number);
			return;
		}
	}
}

static void check_numbers(const struct spot *s)
{
	const struct json *list = json_get(s->v, "list"), *f = json_get_set(list, "f");
	const struct json *items;
	size_t want = sizes_of(s->attr, s->x);

	if (!list || json_is(list, JSON_NULL)) {
		say_load(s, "it has no list; TensorFlow.js says \"Cannot read properties of "
			"undefined (reading 'f')\"");
		return;
	}
	items = list_of(s, json_first(f) || (json_is(f, JSON_STRING) && *json_str(f)) ? "f" : "i");
	if (!s->attr->read)
		return;
	if (want > 0)
		check_sizes(s, items, want);
	for (const struct json *v = json_first(items); v; v = json_next(v))
		check_number_value(s, v);
}

/* ---- the others ---- */

static void check_bool(const struct spot *s)
{
	const struct json *b = json_get(s->v, "b");

	if (!s->attr->read || json_is(b, JSON_TRUE) || json_is(b, JSON_FALSE))
		return;
	if (b || json_first(s->v) || !json_is(s->v, JSON_OBJECT))
		say_doubt(s, "b is true or false, not %s, which TensorFlow.js takes for %s",
			graph_say_type(b), is_true(b) ? "true" : "false");
}

static void check_shape_value(const struct spot *s, const struct json *shape)
{
	const struct json *dims = json_get_set(shape, "dim");

	if (!json_is(shape, JSON_OBJECT)) {
		if (is_true(shape))
			say_doubt(s, "a shape is an object, not %s, which TensorFlow.js takes for "
				"that of a scalar", graph_say_type(shape));
		return;
	}
	if (is_true(json_get(shape, "unknownRank")))
		return;
	if (dims && !json_is(dims, JSON_ARRAY))
		say_load(s, "dim is an array, not %s; TensorFlow.js says \"shape.dim.map is not a "
			"function\"", graph_say_type(dims));
	for (const struct json *dim = json_first(dims); dim; dim = json_next(dim))
		if (json_is(dim, JSON_NULL))
			say_load(s, "a dimension is an object, not null; TensorFlow.js says "
				"\"Cannot read properties of null (reading 'size')\"");
}

static void check_shape(const struct spot *s)
{
	check_shape_value(s, json_get_set(s->v, "shape"));
}

static void check_shapes(const struct spot *s)
{
	for (const struct json *v = json_first(list_of(s, "shape")); v; v = json_next(v))
		check_shape_value(s, v);
}

static void check_dtype_value(const struct spot *s, const struct json *type)
{
	const char *name = graph_attr_dtype(type);

	if (!s->attr->read || (name && graph_ops_dtype_js(name)))
		return;
	if (strcmp(s->x->op, "Cast") == 0)
		say_run(s, "TensorFlow.js has no dtype %s; it says \"Failed to cast to unknown "
			"dtype null\"", name ? name : graph_say_type(type));
	else if (strncmp(s->x->op, "HashTable", strlen("HashTable")) == 0)
		say_run(s, "TensorFlow.js has no dtype %s; it says \"Expect key dtype null\"",
			name ? name : graph_say_type(type));
	else if (!name)
		say_doubt(s, "it is no dtype, so TensorFlow.js does not go by it");
}

static void check_dtype(const struct spot *s)
{
	check_dtype_value(s, json_get(s->v, "type"));
}

static void check_dtypes(const struct spot *s)
{
	for (const struct json *v = json_first(list_of(s, "type")); v; v = json_next(v))
		check_dtype_value(s, v);
}

static void check_bools(const struct spot *s)
{
	(void)list_of(s, "b");
}

/* graph_library.c knows what a function has to be. */
static void check_func(const struct spot *s)
{
	if (json_get_set(s->v, "func") && !json_is(json_get_set(s->v, "func"), JSON_OBJECT))
		say_doubt(s, "func is an object, not %s", graph_say_type(json_get(s->v, "func")));
}

/* ---- all of a node ---- */

/* TensorFlow got it later than the op, and what it does without is what older models mean. */
static bool is_newer(const char *attr)
{
	return strcmp(attr, "half_pixel_centers") == 0 ||
		strcmp(attr, "identical_element_shapes") == 0;
}

/* An attribute without which the executor fails. */
static void check_absent(const struct spot *s)
{
	bool list = s->attr->type == GRAPH_ATTR_NUMBERS && strcmp(s->x->op, "Squeeze") != 0;

	if (!s->attr->read || s->attr->has_default)
		return;
	if (list || s->attr->type == GRAPH_ATTR_STRING)
		graph_say_run(s->g, s->x, s->attr->type == GRAPH_ATTR_STRING ?
			RULE_GRAPH_ATTR_IGNORED : RULE_GRAPH_ATTR, "/attr",
			"it has no attribute %s, and TensorFlow.js has no default", s->attr->name);
	else if (s->attr->type == GRAPH_ATTR_DTYPE && (strcmp(s->x->op, "Cast") == 0 ||
		strncmp(s->x->op, "HashTable", strlen("HashTable")) == 0))
		graph_say_run(s->g, s->x, RULE_GRAPH_ATTR, "/attr",
			"it has no attribute %s, and TensorFlow.js has no default", s->attr->name);
	else if ((s->attr->type == GRAPH_ATTR_BOOL || s->attr->type == GRAPH_ATTR_NUMBER) &&
		!is_newer(s->attr->name))
		graph_say_load(s->g, s->x, RULE_GRAPH_ATTR_ABSENT, "/attr",
			"it has no attribute %s, and TensorFlow.js takes %s", s->attr->name,
			s->attr->type == GRAPH_ATTR_BOOL ? "false" : "0");
}

static void check_attr(const struct graph *g, const struct graph_node *x,
	const struct graph_ops_attr *attr)
{
	static void (*const checks[])(const struct spot *s) = {
		[GRAPH_ATTR_STRING] = check_string, [GRAPH_ATTR_STRINGS] = check_strings,
		[GRAPH_ATTR_NUMBER] = check_number, [GRAPH_ATTR_NUMBERS] = check_numbers,
		[GRAPH_ATTR_BOOL] = check_bool, [GRAPH_ATTR_BOOLS] = check_bools,
		[GRAPH_ATTR_SHAPE] = check_shape, [GRAPH_ATTR_SHAPES] = check_shapes,
		[GRAPH_ATTR_DTYPE] = check_dtype, [GRAPH_ATTR_DTYPES] = check_dtypes,
		[GRAPH_ATTR_FUNC] = check_func,
	};
	struct spot s = {g, x, attr, json_get_set(x->attr, attr->name), ""};

	if (!s.v && attr->older)
		s.v = json_get_set(x->attr, attr->older);
	(void)snprintf(s.member, sizeof(s.member), "/attr/%s", attr->name);
	if (s.v)
		checks[attr->type](&s);
	else
		check_absent(&s);
}

void graph_attr_check(const struct graph *g, const struct graph_node *x)
{
	if (!x->known || x->argument)
		return;
	for (size_t i = 0; i < x->known->attrs_n; i++)
		check_attr(g, x, &x->known->attrs[i]);
}
