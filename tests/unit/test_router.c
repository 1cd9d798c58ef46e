/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/router.h"
#include "tests/unit/unit.h"

#define V1 "/v1/models/{name+}"

/* The table of modeld, with an API of the size it will have, in an order that helps nobody. */
static const struct router_row table[] = {
	{METHOD_GET, "/models/{name+}", "page"},
	{METHOD_POST | METHOD_PUT, "/models/{name+}", "save"},
	{METHOD_GET, "/models/{name+}/model.json", "model.json"},
	{METHOD_GET, "/models/{ref@}/{path*}", "file"},
	{METHOD_GET, "/models/{ref@}", "version page"},
	{METHOD_GET, "/v1/models", "list"},
	{METHOD_GET, V1, "model"},
	{METHOD_DELETE, V1, "delete model"},
	{METHOD_POST, V1 ":import", "import"},
	{METHOD_GET, V1 "/metadata", "metadata"},
	{METHOD_POST, V1 "/versions", "publish"},
	{METHOD_GET, V1 "/versions/{version}", "version"},
	{METHOD_DELETE, V1 "/versions/{version}", "delete version"},
	{METHOD_GET, V1 "/versions/{version}/metadata", "version metadata"},
	{METHOD_PUT, "/v1/uploads/{id}/files/{path*}", "upload file"},
	{METHOD_PATCH, "/v1/uploads/{id}/files/{path*}", "resume file"},
	{METHOD_POST, "/v1/uploads/{id}:publish", "publish upload"},
	{METHOD_GET, "/healthz", "health"},
	{METHOD_GET, "/readyz", "ready"},
	{METHOD_GET, "/version", "build"},
};

static const struct {
	unsigned method;
	const char *path;
	const char *target; /* NULL: the method is not allowed */
	const char *captures[ROUTER_CAPTURES_MAX];
} found[] = {
	{METHOD_GET, "/models/a/model.json", "model.json", {"a"}},
	{METHOD_GET, "/models/a/b/c/d/model.json", "model.json", {"a/b/c/d"}},
	{METHOD_GET, "/models/model.json", "page", {"model.json"}},
	{METHOD_GET, "/models/a", "page", {"a"}},
	{METHOD_GET, "/models/a/b", "page", {"a/b"}},
	{METHOD_POST, "/models/a/b", "save", {"a/b"}},
	{METHOD_PUT, "/models/a", "save", {"a"}},
	{METHOD_DELETE, "/models/a", NULL, {"a"}},
	{METHOD_POST, "/models/a/model.json", NULL, {"a"}},
	{METHOD_GET, "/models/a@1", "version page", {"a@1"}},
	{METHOD_GET, "/models/a/b@stable", "version page", {"a/b@stable"}},
	{METHOD_GET, "/models/a%401", "version page", {"a@1"}},
	{METHOD_GET, "/models/a/b@3/model.json", "file", {"a/b@3", "model.json"}},
	{METHOD_GET, "/models/a/b%403/x/y.bin", "file", {"a/b@3", "x/y.bin"}},
	{METHOD_GET, "/models/a@1/b@2", "file", {"a@1", "b@2"}},
	{METHOD_GET, "/models/a@1/b@2/c", "file", {"a@1", "b@2/c"}},
	{METHOD_GET, "/models/a@sha256:00ff/g.bin", "file", {"a@sha256:00ff", "g.bin"}},
	{METHOD_GET, "/models/a@1/l%C3%A4bels%20x.txt", "file", {"a@1", "l\xc3\xa4" "bels x.txt"}},
	{METHOD_GET, "/models/a@1/100%25.bin", "file", {"a@1", "100%.bin"}},
	{METHOD_POST, "/models/a@1", NULL, {"a@1"}},
	{METHOD_GET, "/v1/models", "list", {NULL}},
	{METHOD_POST, "/v1/models", NULL, {NULL}},
	{METHOD_GET, "/v1/models/a/b", "model", {"a/b"}},
	{METHOD_DELETE, "/v1/models/a/b", "delete model", {"a/b"}},
	{METHOD_GET, "/v1/models/a/b/versions/3", "version", {"a/b", "3"}},
	{METHOD_DELETE, "/v1/models/a/b/versions/3", "delete version", {"a/b", "3"}},
	{METHOD_GET, "/v1/models/a/versions/3/metadata", "version metadata", {"a", "3"}},
	{METHOD_GET, "/v1/models/a/metadata", "metadata", {"a"}},
	{METHOD_POST, "/v1/models/a/b/versions", "publish", {"a/b"}},
	{METHOD_POST, "/v1/models/a/b:import", "import", {"a/b"}},
	{METHOD_POST, "/v1/models/a/b%3Aimport", "import", {"a/b"}},
	{METHOD_GET, "/v1/models/:import", "model", {":import"}},
	{METHOD_GET, "/v1/models/..:import", "model", {"..:import"}},
	{METHOD_GET, "/v1/models/a/.:import", "model", {"a/.:import"}},
	{METHOD_POST, "/v1/uploads/42:publish", "publish upload", {"42"}},
	{METHOD_PUT, "/v1/uploads/42/files/a/b.bin", "upload file", {"42", "a/b.bin"}},
	{METHOD_GET, "/healthz", "health", {NULL}},
	{METHOD_GET, "/%68ealthz", "health", {NULL}},
	{METHOD_GET, "/readyz", "ready", {NULL}},
	{METHOD_GET, "/version", "build", {NULL}},
};

START_TEST(paths_find_their_handler_and_captures)
{
	struct router_match m;
	struct err e;

	ck_ok(router_find(
		table, ARRAY_SIZE(table), found[_i].method, str_of(found[_i].path), &m, &e));
	if (found[_i].target)
		ck_assert_str_eq(m.row ? m.row->target : "none", found[_i].target);
	else
		ck_assert_ptr_null(m.row);
	for (size_t i = 0; i < ROUTER_CAPTURES_MAX; i++) {
		const char *want = found[_i].captures[i];
		ck_assert_msg((i < m.captures_n) == (want != NULL), "%zu captures", m.captures_n);
		if (want)
			ck_assert_msg(str_eq_c(m.captures[i], want), "'" STR_FMT "', not '%s'",
				STR_ARG(m.captures[i]), want);
	}
	router_match_done(&m);
}
END_TEST

static const struct {
	const char *path;
	enum err_code code;
} refused[] = {
	{"/", ERR_ROUTE_NOT_FOUND},
	{"/nothing", ERR_ROUTE_NOT_FOUND},
	{"/models", ERR_ROUTE_NOT_FOUND},
	{"/v1", ERR_ROUTE_NOT_FOUND},
	{"/healthz/x", ERR_ROUTE_NOT_FOUND},
	{"/Healthz", ERR_ROUTE_NOT_FOUND},
	{"/v1/models/a@1", ERR_ROUTE_NOT_FOUND},
	{"/v1/uploads/:publish", ERR_ROUTE_NOT_FOUND},
	{"", ERR_BAD_TARGET},
	{"*", ERR_BAD_TARGET},
	{"healthz", ERR_BAD_TARGET},
	{"//", ERR_BAD_TARGET},
	{"//healthz", ERR_BAD_TARGET},
	{"/healthz/", ERR_BAD_TARGET},
	{"/models/x/", ERR_BAD_TARGET},
	{"/models//x", ERR_BAD_TARGET},
	{"/models/./x", ERR_BAD_TARGET},
	{"/models/../healthz", ERR_BAD_TARGET},
	{"/models/..", ERR_BAD_TARGET},
	{"/models/a@1/%2e%2E/b", ERR_BAD_TARGET},
	{"/models/a@1/%2e", ERR_BAD_TARGET},
	{"/models/a@1/x%2Fy", ERR_BAD_TARGET},
	{"/models/a@1/x%5Cy", ERR_BAD_TARGET},
	{"/models/a@1/x\\y", ERR_BAD_TARGET},
	{"/models/a@1/x%00", ERR_BAD_TARGET},
	{"/models/a@1/x%0a", ERR_BAD_TARGET},
	{"/models/a@1/x%7F", ERR_BAD_TARGET},
	{"/models/a@1/x%", ERR_BAD_TARGET},
	{"/models/a@1/x%4", ERR_BAD_TARGET},
	{"/models/a@1/x%4g", ERR_BAD_TARGET},
	{"/models/a@1/%C0%AF", ERR_BAD_TARGET},
	{"/models/a@1/%C3", ERR_BAD_TARGET},
	{"/models/a@1/%ff", ERR_BAD_TARGET},
	{"/nothing/%ff", ERR_BAD_TARGET},
};

START_TEST(paths_that_nothing_answers_for_are_refused)
{
	struct router_match m;
	struct err e;

	ck_err(router_find(table, ARRAY_SIZE(table), METHOD_GET, str_of(refused[_i].path), &m, &e),
		refused[_i].code);
	ck_assert_ptr_null(m.row);
	router_match_done(&m);
}
END_TEST

START_TEST(the_order_of_the_table_changes_nothing)
{
	struct router_row reversed[ARRAY_SIZE(table)];
	struct router_match m;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		reversed[i] = table[ARRAY_SIZE(table) - 1 - i];
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		ck_ok(router_find(reversed, ARRAY_SIZE(reversed), found[i].method,
			str_of(found[i].path), &m, &e));
		ck_assert((m.row != NULL) == (found[i].target != NULL));
		if (m.row)
			ck_assert_str_eq(m.row->target, found[i].target);
		router_match_done(&m);
	}
}
END_TEST

START_TEST(methods_of_all_rows_of_the_pattern_are_allowed)
{
	CLEANUP_BUF struct buf allow = BUF_INIT(128);
	struct router_match m;
	struct err e;

	ck_ok(router_find(table, ARRAY_SIZE(table), METHOD_DELETE, STR_LIT("/models/a"), &m, &e));
	ck_assert_ptr_null(m.row);
	ck_assert_str_eq(m.pattern, "/models/{name+}");
	router_allow(m.allowed, &allow);
	ck_assert_str_eq(buf_str(&allow), "GET, HEAD, POST, PUT, OPTIONS");
	router_match_done(&m);

	buf_clear(&allow);
	router_allow(METHOD_DELETE | METHOD_PATCH | METHOD_PUT | METHOD_POST | METHOD_GET, &allow);
	ck_assert_str_eq(buf_str(&allow), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
	buf_clear(&allow);
	router_allow(0, &allow);
	ck_assert_str_eq(buf_str(&allow), "OPTIONS");
}
END_TEST

START_TEST(a_name_takes_as_few_segments_as_it_can)
{
	static const struct router_row rows[] = {{METHOD_GET, "/{name+}/files/{path*}", "file"}};
	struct router_match m;
	struct err e;

	ck_ok(router_find(rows, 1, METHOD_GET, STR_LIT("/a/files/b/files/c"), &m, &e));
	ck_assert(str_eq_c(m.captures[0], "a"));
	ck_assert(str_eq_c(m.captures[1], "b/files/c"));
	router_match_done(&m);
}
END_TEST

START_TEST(among_equally_literal_patterns_the_first_decides)
{
	static const struct router_row rows[] = {
		{METHOD_GET, "/a/{x}", "one"},
		{METHOD_GET, "/a/{x+}", "several"},
	};
	struct router_match m;
	struct err e;

	ck_ok(router_find(rows, 2, METHOD_GET, STR_LIT("/a/b"), &m, &e));
	ck_assert_str_eq(m.row->target, "one");
	router_match_done(&m);
	ck_ok(router_find(rows, 2, METHOD_GET, STR_LIT("/a/b/c"), &m, &e));
	ck_assert_str_eq(m.row->target, "several");
	router_match_done(&m);
}
END_TEST

START_TEST(the_root_is_a_path_without_segments)
{
	static const struct router_row rows[] = {{METHOD_GET, "/", "root"}};
	struct router_match m;
	struct err e;

	ck_ok(router_find(rows, 1, METHOD_GET, STR_LIT("/"), &m, &e));
	ck_assert_str_eq(m.row->target, "root");
	router_match_done(&m);
	ck_err(router_find(rows, 1, METHOD_GET, STR_LIT("/a"), &m, &e), ERR_ROUTE_NOT_FOUND);
	router_match_done(&m);
}
END_TEST

START_TEST(a_path_of_the_greatest_length_is_routed_and_a_longer_one_is_not)
{
	char path[ROUTER_TARGET_MAX + 2];
	struct router_match m;
	struct err e;

	memset(path, 'x', sizeof(path));
	memcpy(path, "/models/", 8);
	ck_ok(router_find(table, ARRAY_SIZE(table), METHOD_GET,
		(struct str){path, ROUTER_TARGET_MAX}, &m, &e));
	ck_assert_uint_eq(m.captures[0].n, ROUTER_TARGET_MAX - 8);
	router_match_done(&m);
	ck_err(router_find(table, ARRAY_SIZE(table), METHOD_GET,
		(struct str){path, ROUTER_TARGET_MAX + 1}, &m, &e), ERR_TARGET_TOO_LONG);
	router_match_done(&m);
}
END_TEST

static const struct {
	const char *query, *key, *value; /* value NULL: false */
} queries[] = {
	{"dry_run=true", "dry_run", "true"},
	{"a=1&dry_run=true&b", "dry_run", "true"},
	{"label=stable&label=canary", "label", "stable"},
	{"label=a%26b%3Dc", "label", "a&b=c"},
	{"label=a=b", "label", "a=b"},
	{"label=a+b", "label", "a+b"},
	{"dry%5Frun=1", "dry_run", "1"},
	{"dry_run", "dry_run", ""},
	{"dry_run=", "dry_run", ""},
	{"&&dry_run=1", "dry_run", "1"},
	{"dry_run2=1", "dry_run", NULL},
	{"dry_ru=1", "dry_run", NULL},
	{"Dry_run=1", "dry_run", NULL},
	{"x=dry_run", "dry_run", NULL},
	{"", "dry_run", NULL},
	{"label=ab%", "label", NULL},
	{"label=ab%zz", "label", NULL},
	{"label=ab%00", "label", NULL},
};

START_TEST(query_parameters_are_decoded)
{
	CLEANUP_BUF struct buf out = BUF_INIT(64);
	bool want = queries[_i].value != NULL;

	buf_add_str(&out, ">");
	ck_assert_int_eq(router_query(str_of(queries[_i].query), queries[_i].key, &out), want);
	ck_assert_str_eq(buf_str(&out) + 1, want ? queries[_i].value : "");
	ck_assert_uint_eq(out.len, strlen(out.data));
	ck_assert(!router_query((struct str){NULL, 0}, "a", &out));
	ck_assert(!router_query_has((struct str){NULL, 0}, "a"));
	ck_assert(!router_query_has(STR_LIT("b=a&aa=1"), "a"));
	ck_assert(router_query_has(STR_LIT("b=1&%61=%zz"), "a"));
	ck_assert(router_query_has(STR_LIT("a"), "a"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("router");
	TCase *t = tcase_create("router");

	tcase_add_loop_test(t, paths_find_their_handler_and_captures, 0, ARRAY_SIZE(found));
	tcase_add_loop_test(t, paths_that_nothing_answers_for_are_refused, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, the_order_of_the_table_changes_nothing);
	tcase_add_test(t, methods_of_all_rows_of_the_pattern_are_allowed);
	tcase_add_test(t, a_name_takes_as_few_segments_as_it_can);
	tcase_add_test(t, among_equally_literal_patterns_the_first_decides);
	tcase_add_test(t, the_root_is_a_path_without_segments);
	tcase_add_test(t, a_path_of_the_greatest_length_is_routed_and_a_longer_one_is_not);
	tcase_add_loop_test(t, query_parameters_are_decoded, 0, ARRAY_SIZE(queries));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
