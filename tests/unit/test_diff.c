/* SPDX-License-Identifier: Apache-2.0 */
#include "client/diff.h"
#include "tests/unit/unit.h"

#define TEXT_MAX (1u << 20)

static struct err e;
static struct diff d;
static struct json_doc *a, *b;

static const struct json_limits limits = {TEXT_MAX, 100000, 64, true};

static void parse(const char *left, const char *right)
{
	ck_ok(json_parse(left, strlen(left), &limits, &a, &e));
	ck_ok(json_parse(right, strlen(right), &limits, &b, &e));
}

static void done(void)
{
	diff_done(&d);
	json_doc_free(a);
	json_doc_free(b);
}

/* What people read of it. */
static void check_text(const char *expected)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);

	diff_print(&d, "x", false, &out);
	ck_assert_str_eq(buf_str(&out), expected);
	done();
}

static const struct {
	const char *a, *b, *text;
} documents[] = {
	{"{}", "{}", ""},
	{"{\"m\":1,\"n\":[1,2]}", "{\"n\":[1,2],\"m\":1.0}", ""},
	{"{\"weightsManifest\":1}", "{\"weightsManifest\":2}", ""},
	{"{\"k\":{\"weightsManifest\":1}}", "{\"k\":{\"weightsManifest\":2}}",
		"x:\n  ~ /k/weightsManifest  1 -> 2\n"},
	{"{\"m\":1}", "{\"m\":\"1\"}", "x:\n  ~ /m  1 -> \"1\"\n"},
	{"{\"m\":null}", "{}", "x:\n  - /m  null\n"},
	{"{}", "{\"m\":{}}", "x:\n  + /m  {}\n"},
	{"{\"m\":[1,2,3]}", "{\"m\":[1,5]}", "x:\n  ~ /m/1  2 -> 5\n  - /m/2  3\n"},
	{"{\"m\":[1]}", "{\"m\":{\"0\":1}}", "x:\n  ~ /m  [1] -> {\"0\":1}\n"},
	/* By name, whatever the place. */
	{"{\"n\":[{\"name\":\"a\",\"op\":1},{\"name\":\"b\",\"op\":2}]}",
		"{\"n\":[{\"name\":\"c\"},{\"name\":\"b\",\"op\":3},{\"name\":\"a\",\"op\":1}]}",
		"x:\n  ~ /n/[b]/op  2 -> 3\n  + /n/[c]  {\"name\":\"c\"}\n"},
	{"{\"n\":[{\"config\":{\"name\":\"a\",\"u\":1}}]}",
		"{\"n\":[{\"config\":{\"name\":\"a\",\"u\":2}}]}",
		"x:\n  ~ /n/[a]/config/u  1 -> 2\n"},
	/* Not by names that two have, or one has not. */
	{"{\"n\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
		"{\"n\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
		"x:\n  ~ /n/1/name  \"a\" -> \"b\"\n"},
	{"{\"n\":[{\"name\":\"a\"},7]}", "{\"n\":[{\"name\":\"a\"},8]}",
		"x:\n  ~ /n/1  7 -> 8\n"},
};

START_TEST(documents_differ_at_places)
{
	parse(documents[_i].a, documents[_i].b);
	ck_ok(diff_documents(json_root(a), json_root(b), "weightsManifest", &d, &e));
	check_text(documents[_i].text);
}
END_TEST

START_TEST(lists_differ_by_members_that_are_asked_for)
{
	static const char *const fields[] = {"n", "sha256"};

	parse("[{\"p\":\"b\",\"n\":1,\"z\":1},{\"p\":\"a\",\"n\":2},{\"p\":\"c\",\"n\":3}]",
		"[{\"p\":\"a\",\"n\":2.5},{\"p\":\"b\",\"n\":1,\"z\":2},{\"p\":\"d\"}]");
	ck_ok(diff_lists(json_root(a), json_root(b), "p", fields, 2, &d, &e));
	check_text("x:\n  ~ a  n 2 -> 2.5\n  - c  n 3\n  + d\n");
}
END_TEST

START_TEST(a_missing_list_is_an_empty_one)
{
	static const char *const fields[] = {"n"};

	parse("[]", "[{\"p\":\"a\",\"n\":1}]");
	ck_ok(diff_lists(NULL, json_root(b), "p", fields, 1, &d, &e));
	check_text("x:\n  + a  n 1\n");
}
END_TEST

START_TEST(differences_beyond_the_limit_are_counted)
{
	CLEANUP_BUF struct buf left = BUF_INIT(TEXT_MAX), right = BUF_INIT(TEXT_MAX);
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);

	buf_add_str(&left, "[0");
	buf_add_str(&right, "[0");
	for (int i = 0; i < DIFF_MAX + 7; i++) {
		buf_add_str(&left, ",1");
		buf_add_str(&right, ",2");
	}
	buf_add_char(&left, ']');
	buf_add_char(&right, ']');
	parse(buf_str(&left), buf_str(&right));
	ck_ok(diff_documents(json_root(a), json_root(b), NULL, &d, &e));
	ck_assert_uint_eq(d.n, DIFF_MAX);
	ck_assert_uint_eq(d.total, DIFF_MAX + 7);
	diff_print(&d, "x", false, &out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "  and 7 more\n"));
	done();
}
END_TEST

START_TEST(programs_read_both_values)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);
	struct json_write w;

	parse("{\"m\":[1]}", "{\"m\":\"x\"}");
	ck_ok(diff_documents(json_root(a), json_root(b), NULL, &d, &e));
	json_write_init(&w, &out);
	json_write_object(&w, NULL);
	diff_write(&d, &w, "model");
	json_write_object_end(&w);
	ck_assert_str_eq(buf_str(&out),
		"{\"model\":[{\"change\":\"changed\",\"name\":\"/m\","
		"\"fields\":{\"value\":{\"a\":[1],\"b\":\"x\"}}}]}");
	done();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("diff");
	TCase *t = tcase_create("diff");

	tcase_add_loop_test(t, documents_differ_at_places, 0, (int)ARRAY_SIZE(documents));
	tcase_add_test(t, lists_differ_by_members_that_are_asked_for);
	tcase_add_test(t, a_missing_list_is_an_empty_one);
	tcase_add_test(t, differences_beyond_the_limit_are_counted);
	tcase_add_test(t, programs_read_both_values);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
