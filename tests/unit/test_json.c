/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/json/json.h"
#include "common/json/json_scan.h"
#include "common/json/json_write.h"
#include "tests/unit/unit.h"

#include <math.h>

static const struct json_limits limits = {1 << 24, 1 << 20, 64, false};
static const struct json_limits keeping = {1 << 24, 1 << 20, 64, true};

struct json_case {
	const char *text;
	size_t n;
	const char *words; /* of the refusal; NULL: accepted */
	const char *reason;
	bool unreadable;
};

static const struct json_case cases[] = {
#define ACCEPT(text, reason)            {text, sizeof(text) - 1, NULL, reason, false},
#define REFUSE(text, words, reason)     {text, sizeof(text) - 1, words, reason, false},
#define UNREADABLE(text, words, reason) {text, sizeof(text) - 1, words, reason, true},
#include "tests/unit/json_cases.def"
#undef ACCEPT
#undef REFUSE
#undef UNREADABLE
};

/* A copy without any byte behind it, so that reading too far is seen. */
static char *exact(const char *text, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, n);
	return copy;
}

START_TEST(strict_reading_of_a_text)
{
	const struct json_case *c = &cases[_i];
	CLEANUP_FREE char *text = exact(c->text, c->n);
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct err e = {.code = ERR_NONE};
	int r = json_parse(text, c->n, &limits, &doc, &e);

	if (!c->words) {
		ck_assert_msg(r == 0, "%s: refused: %s", c->reason, e.text);
		return;
	}
	ck_assert_msg(r == -(int)ERR_BAD_JSON, "%s: %s", c->reason, r == 0 ? "accepted" : e.text);
	ck_assert_msg(strncmp(e.text, "line ", 5) == 0, "%s: no place: %s", c->reason, e.text);
	ck_assert_msg(strstr(e.text, c->words), "%s: \"%s\" lacks \"%s\"", c->reason, e.text,
		c->words);
	ck_assert_msg(!doc, "%s: a document came with the refusal", c->reason);
}
END_TEST

static void read_all(const struct json *v)
{
	double d;

	(void)json_key(v);
	(void)json_str(v);
	(void)json_double(v, &d);
	for (const struct json *x = json_first(v); x; x = json_next(x))
		read_all(x);
}

/* What a reader may do without having read. */
static void look_at_all(const struct json *v)
{
	(void)json_key_to_compare(v);
	(void)json_type_name(json_type(v));
	(void)json_get(v, "modelTopology");
	(void)json_str_if_readable(v);
	ck_assert(!json_str_is(v, "no such text"));
	for (const struct json *x = json_first(v); x; x = json_next(x))
		look_at_all(x);
}

START_TEST(unreadable_values_are_kept_until_they_are_read)
{
	const struct json_case *c = &cases[_i];
	CLEANUP_FREE char *text = exact(c->text, c->n);
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct err e = {.code = ERR_NONE};
	int r = json_parse(text, c->n, &keeping, &doc, &e);

	if (c->words && !c->unreadable) {
		ck_assert_msg(r == -(int)ERR_BAD_JSON, "%s: accepted", c->reason);
		ck_assert_msg(strncmp(e.text, "line ", 5) == 0, "%s: %s", c->reason, e.text);
		return;
	}
	ck_assert_msg(r == 0, "%s: refused: %s", c->reason, e.text);
	look_at_all(json_root(doc));
	ck_ok(json_check_read(doc, text, c->n, &e));
	read_all(json_root(doc));
	r = json_check_read(doc, text, c->n, &e);
	if (!c->unreadable) {
		ck_assert_msg(r == 0, "%s: refused: %s", c->reason, e.text);
		return;
	}
	ck_assert_msg(r == -(int)ERR_BAD_JSON, "%s: accepted", c->reason);
	ck_assert_msg(strstr(e.text, c->words), "%s: \"%s\" lacks \"%s\"", c->reason, e.text,
		c->words);
}
END_TEST

START_TEST(the_first_unreadable_value_that_is_read_is_named)
{
	static const char text[] = "{\"a\\u0000\":\"\\ud800\",\n\"b\":{\"c\":\"x\\u0000\",\n"
		"\"d\":1e999},\n\"\\u0000\":\"\\u0000\"}";
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	const struct json *b;
	struct err e;
	double d;

	ck_ok(json_parse(text, sizeof(text) - 1, &keeping, &doc, &e));
	b = json_get(json_root(doc), "b");
	ck_assert_ptr_null(json_str_if_readable(json_get(b, "c")));
	ck_ok(json_check_read(doc, text, sizeof(text) - 1, &e));
	ck_assert(json_key(json_next(b)) != NULL);
	ck_err(json_check_read(doc, text, sizeof(text) - 1, &e), ERR_BAD_JSON);
	ck_assert_str_eq(e.text, "line 4, column 2: U+0000 is not accepted in a string");
	ck_assert(json_double(json_get(b, "d"), &d));
	ck_err(json_check_read(doc, text, sizeof(text) - 1, &e), ERR_BAD_JSON);
	ck_assert_str_eq(e.text, "line 3, column 5: the number is too large for a double");
	ck_assert_ptr_nonnull(json_str(json_get(b, "c")));
	ck_err(json_check_read(doc, text, sizeof(text) - 1, &e), ERR_BAD_JSON);
	ck_assert_str_eq(e.text, "line 2, column 12: U+0000 is not accepted in a string");
	ck_assert(json_str(json_first(json_root(doc))) != NULL);
	ck_err(json_check_read(doc, text, sizeof(text) - 1, &e), ERR_BAD_JSON);
	ck_assert_str_eq(e.text, "line 1, column 13: \\uD800 is half of a surrogate pair");
}
END_TEST

START_TEST(an_unreadable_text_equals_no_readable_one)
{
	static const char text[] = "{\"a\\u0000\":1,\"\\ud800\":2,\"s\":\"a\\u0000\"}";
	static const char *const names[] = {"a", "\xEF\xBF\xBD", "\xED\xA0\x80", "\\ud800",
		"a\\u0000", ""};
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct err e;

	ck_ok(json_parse(text, sizeof(text) - 1, &keeping, &doc, &e));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ck_assert_ptr_null(json_get(json_root(doc), names[i]));
		ck_assert_str_ne(json_str(json_get(json_root(doc), "s")), names[i]);
	}
}
END_TEST

START_TEST(every_cut_of_a_good_text_is_refused)
{
	static const char whole[] = "{\"a\":[1.5e3,\"x\\u00e4\\ud83d\\ude00\xC3\xA4\",true,null],"
		"\"b\":{}}";
	struct err e;

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		CLEANUP_FREE char *text = exact(whole, n);
		ck_err(json_scan(text, n, &limits, NULL, NULL, &e), ERR_BAD_JSON);
	}
	ck_ok(json_scan(whole, sizeof(whole) - 1, &limits, NULL, NULL, &e));
}
END_TEST

START_TEST(limits_are_kept_to_the_last_unit)
{
	struct json_limits exactly = {.max_bytes = 9, .max_values = 4, .max_depth = 2};
	struct json_limits less;
	struct err e;

	ck_ok(json_scan("[[1,\"2\"]]", 9, &exactly, NULL, NULL, &e));
	less = exactly;
	less.max_bytes--;
	ck_err(json_scan("[[1,\"2\"]]", 9, &less, NULL, NULL, &e), ERR_TOO_LARGE);
	ck_assert_str_eq(e.text, "the JSON text is larger than 8 B");
	less = exactly;
	less.max_values--;
	ck_err(json_scan("[[1,\"2\"]]", 9, &less, NULL, NULL, &e), ERR_TOO_LARGE);
	ck_assert_str_eq(e.text, "line 1, column 5: more than 3 values");
	less = exactly;
	less.max_depth--;
	ck_err(json_scan("[[1,\"2\"]]", 9, &less, NULL, NULL, &e), ERR_TOO_LARGE);
	ck_assert_str_eq(e.text, "line 1, column 2: more than 1 levels of nesting");
}
END_TEST

static void add_times(struct buf *b, const char *s, size_t times)
{
	while (times-- > 0)
		buf_add_str(b, s);
}

START_TEST(deep_nesting_needs_no_stack)
{
	struct json_limits deep = {.max_bytes = 1 << 22, .max_values = 1 << 22,
		.max_depth = 1 << 20};
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 22);
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct err e;

	add_times(&b, "[", 1 << 20);
	add_times(&b, "]", 1 << 20);
	ck_ok(json_scan(b.data, b.len, &deep, NULL, NULL, &e));
	ck_err(json_parse(b.data, b.len, &deep, &doc, &e), ERR_TOO_LARGE);
	buf_clear(&b);
	add_times(&b, "[", 1000);
	add_times(&b, "]", 1000);
	ck_ok(json_parse(b.data, b.len, &deep, &doc, &e));
}
END_TEST

/* {"k0":{},"k1":{},...}: wide and with objects inside; `twin` repeats a key at the end. */
static void wide_object(struct buf *b, size_t keys, const char *twin)
{
	buf_add_char(b, '{');
	for (size_t i = 0; i < keys; i++)
		buf_addf(b, "\"k%zu\":{\"k\":%zu},", i, i);
	buf_addf(b, "\"%s\":0}", twin);
}

START_TEST(duplicates_are_found_in_wide_objects)
{
	struct json_limits wide = {.max_bytes = 1 << 26, .max_values = 1 << 22, .max_depth = 8};
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 26);
	struct err e;

	wide_object(&b, 100000, "other");
	ck_ok(json_scan(b.data, b.len, &wide, NULL, NULL, &e));
	buf_clear(&b);
	wide_object(&b, 100000, "k4711");
	ck_err(json_scan(b.data, b.len, &wide, NULL, NULL, &e), ERR_BAD_JSON);
	ck_assert_ptr_nonnull(strstr(e.text, "the key \"k4711\" stands twice"));
}
END_TEST

struct trace {
	struct buf text;
	const char *json;
};

static int trace_token(void *cls, const struct json_token *t, struct err *e)
{
	static const char *const names[] = {"{", "}", "[", "]", "K", "S", "N", "L"};
	struct trace *trace = cls;

	(void)e;
	buf_addf(&trace->text, "%s%u<%.*s> ", names[t->event], t->depth, (int)t->n,
		trace->json + t->offset);
	return 0;
}

START_TEST(tokens_come_with_depth_and_place)
{
	static const char json[] = "\xEF\xBB\xBF{ \"a\" : [ 1, \"x\" ], \"b\": {\"c\":null} }";
	struct trace trace = {BUF_INIT(1024), json};
	struct err e;

	ck_ok(json_scan(json, sizeof(json) - 1, &limits, trace_token, &trace, &e));
	ck_assert_str_eq(buf_str(&trace.text),
		"{0<{> K1<\"a\"> [1<[> N2<1> S2<\"x\"> ]1<]> K1<\"b\"> {1<{> K2<\"c\"> L2<null> "
		"}1<}> }0<}> ");
	buf_done(&trace.text);
}
END_TEST

static int stop_at_key(void *cls, const struct json_token *t, struct err *e)
{
	(void)cls;
	return t->event == JSON_EVENT_KEY ? err_set(e, ERR_CONFLICT, "enough") : 0;
}

START_TEST(a_callback_stops_the_scan)
{
	struct err e;

	ck_err(json_scan("{\"a\":nonsense", 13, &limits, stop_at_key, NULL, &e), ERR_CONFLICT);
	ck_assert_str_eq(e.text, "enough");
}
END_TEST

START_TEST(unquoting_decodes_every_escape)
{
	static const char quoted[] =
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\tx\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"";
	CLEANUP_BUF struct buf b = BUF_INIT(256);

	json_scan_unquote(quoted, sizeof(quoted) - 1, &b);
	ck_assert_str_eq(buf_str(&b), "\"\\/\b\f\n\r\txA\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
	buf_clear(&b);
	json_scan_unquote("\"\"", 2, &b);
	ck_assert_uint_eq(b.len, 0);
	json_scan_unquote("\"a\\u0000b\\ud800\\udc00\\udc00\"", 28, &b);
	ck_assert_uint_eq(b.len, 10);
	ck_assert_mem_eq(b.data, "a\0b\xF0\x90\x80\x80\xED\xB0\x80", 10);
}
END_TEST

START_TEST(places_count_lines_and_bytes_from_one)
{
	static const char text[] = "\xEF\xBB\xBF" "ab\r\n\xC3\xA4x\n";
	size_t line, column;

	json_scan_place(text, 3, &line, &column);
	ck_assert(line == 1 && column == 1);
	json_scan_place(text, 0, &line, &column);
	ck_assert(line == 1 && column == 1);
	json_scan_place(text, 4, &line, &column);
	ck_assert(line == 1 && column == 2);
	json_scan_place(text, 9, &line, &column);
	ck_assert(line == 2 && column == 3);
	json_scan_place(text, 11, &line, &column);
	ck_assert(line == 3 && column == 1);
}
END_TEST

static struct json_doc *parse(const char *text)
{
	struct json_doc *doc = NULL;
	struct err e;

	ck_ok(json_parse(text, strlen(text), &limits, &doc, &e));
	return doc;
}

START_TEST(getters_answer_absent_for_everything_else)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc =
		parse("{\"s\":\"x\",\"n\":null,\"t\":true,\"f\":false,\"a\":[1,[]],"
		"\"o\":{\"k\":2.5}}");
	const struct json *root = json_root(doc);
	double d;
	bool b;

	ck_assert(json_is(root, JSON_OBJECT));
	ck_assert_str_eq(json_str(json_get(root, "s")), "x");
	ck_assert_ptr_null(json_get(root, "S"));
	ck_assert_ptr_null(json_get(json_get(root, "s"), "s"));
	ck_assert_ptr_null(json_get(json_get(root, "a"), "s"));
	ck_assert_ptr_null(json_get(NULL, "s"));
	ck_assert(json_is(json_get(root, "n"), JSON_NULL));
	ck_assert_ptr_null(json_get_set(root, "n"));
	ck_assert(!json_is(NULL, JSON_NULL));
	ck_assert(json_bool(json_get(root, "t"), &b) && b);
	ck_assert(json_bool(json_get(root, "f"), &b) && !b);
	ck_assert(!json_bool(json_get(root, "s"), &b));
	ck_assert_uint_eq(json_count(json_get(root, "a")), 2);
	ck_assert_uint_eq(json_count(json_get(root, "s")), 0);
	ck_assert_ptr_null(json_key(json_first(json_get(root, "a"))));
	ck_assert_str_eq(json_key(json_next(json_first(root))), "n");
	ck_assert_ptr_null(json_next(NULL));
	ck_assert(json_double(json_get(json_get(root, "o"), "k"), &d) && d == 2.5);
	ck_assert_ptr_null(json_str(root));
	ck_assert_str_eq(json_type_name(json_type(json_get(root, "a"))), "array");
}
END_TEST

START_TEST(whole_numbers_are_whole_and_safe)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool whole;
		uint64_t value;
	} rows[] = {
		{"0", 0, true, 0},
		{"-0", 10, true, 0},
		{"7", 7, true, 7},
		{"8", 7, false, 0},
		{"1e3", 1000, true, 1000},
		{"2.0", 10, true, 2},
		{"2.5", 10, false, 0},
		{"-1", 10, false, 0},
		{"9007199254740991", UINT64_MAX, true, NUM_SAFE_INTEGER_MAX},
		{"9007199254740992", UINT64_MAX, false, 0},
		{"9007199254740993", UINT64_MAX, false, 0},
		{"1e300", UINT64_MAX, false, 0},
		{"\"1\"", UINT64_MAX, false, 0},
		{"true", UINT64_MAX, false, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(json_doc_free_p) struct json_doc *doc = parse(rows[i].text);
		uint64_t v = 0;
		ck_assert_msg(json_uint(json_root(doc), rows[i].max, &v) == rows[i].whole, "%s",
			rows[i].text);
		ck_assert_msg(v == rows[i].value, "%s", rows[i].text);
	}
}
END_TEST

START_TEST(long_numbers_keep_their_value)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc =
		parse("[-0.000000000000000000000000000000000000000"
			"000000000000000000000000000000000000001]");
	double d = 0;

	ck_assert(json_double(json_first(json_root(doc)), &d));
	ck_assert(d == -1e-78);
}
END_TEST

START_TEST(an_empty_document_frees_nothing)
{
	json_doc_free(NULL);
}
END_TEST

START_TEST(the_writer_sees_to_commas_and_escapes)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1024);
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct json_write w;

	json_write_init(&w, &b);
	json_write_object(&w, NULL);
	json_write_str(&w, "a\"b", "q\"\\\n\t\x01/\x7f\xC3\xA4");
	json_write_str(&w, "none", NULL);
	json_write_array(&w, "list");
	json_write_uint(&w, NULL, UINT64_MAX);
	json_write_int(&w, NULL, -5);
	json_write_bool(&w, NULL, true);
	json_write_bool(&w, NULL, false);
	json_write_object(&w, NULL);
	json_write_object_end(&w);
	json_write_array_end(&w);
	json_write_raw(&w, "raw", "[1]", 3);
	json_write_null(&w, "null");
	json_write_object_end(&w);
	ck_assert_str_eq(buf_str(&b),
		"{\"a\\\"b\":\"q\\\"\\\\\\n\\t\\u0001/\x7f\xC3\xA4\",\"none\":null,"
		"\"list\":[18446744073709551615,-5,true,false,{}],\"raw\":[1],\"null\":null}");
	doc = parse(buf_str(&b));
}
END_TEST

START_TEST(the_writer_replaces_what_is_not_utf8)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1024);
	struct json_write w;

	json_write_init(&w, &b);
	json_write_str(&w, NULL, "a\xFF" "b\xE2\x82");
	ck_assert_str_eq(buf_str(&b), "\"a\xEF\xBF\xBD" "b\xEF\xBF\xBD\xEF\xBF\xBD\"");
}
END_TEST

START_TEST(doubles_are_written_short_and_read_back_the_same)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0.1, "0.1"},
		{-0.0, "-0"},
		{1, "1"},
		{5.49528809539144e-48, "5.49528809539144e-48"},
		{1.0 / 3, "0.3333333333333333"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{INFINITY, "null"},
		{NAN, "null"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(64);
		struct json_write w;
		json_write_init(&w, &b);
		json_write_double(&w, NULL, rows[i].value);
		ck_assert_str_eq(buf_str(&b), rows[i].text);
		if (isfinite(rows[i].value))
			ck_assert(strtod(buf_str(&b), NULL) == rows[i].value);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("json");
	TCase *reading = tcase_create("reading");
	TCase *writing = tcase_create("writing");

	tcase_set_timeout(reading, 60);
	tcase_add_loop_test(reading, strict_reading_of_a_text, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(reading, unreadable_values_are_kept_until_they_are_read, 0,
		ARRAY_SIZE(cases));
	tcase_add_test(reading, the_first_unreadable_value_that_is_read_is_named);
	tcase_add_test(reading, an_unreadable_text_equals_no_readable_one);
	tcase_add_test(reading, every_cut_of_a_good_text_is_refused);
	tcase_add_test(reading, limits_are_kept_to_the_last_unit);
	tcase_add_test(reading, deep_nesting_needs_no_stack);
	tcase_add_test(reading, duplicates_are_found_in_wide_objects);
	tcase_add_test(reading, tokens_come_with_depth_and_place);
	tcase_add_test(reading, a_callback_stops_the_scan);
	tcase_add_test(reading, unquoting_decodes_every_escape);
	tcase_add_test(reading, places_count_lines_and_bytes_from_one);
	tcase_add_test(reading, getters_answer_absent_for_everything_else);
	tcase_add_test(reading, whole_numbers_are_whole_and_safe);
	tcase_add_test(reading, long_numbers_keep_their_value);
	tcase_add_test(reading, an_empty_document_frees_nothing);
	suite_add_tcase(s, reading);
	tcase_add_test(writing, the_writer_sees_to_commas_and_escapes);
	tcase_add_test(writing, the_writer_replaces_what_is_not_utf8);
	tcase_add_test(writing, doubles_are_written_short_and_read_back_the_same);
	suite_add_tcase(s, writing);
	return s;
}

UNIT_MAIN
