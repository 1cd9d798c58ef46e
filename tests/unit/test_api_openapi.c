/* SPDX-License-Identifier: Apache-2.0 */
/* The description of the API: of all routes, of nothing else, and of what they are. */
#include "common/base/fsio.h"
#include "common/json/json.h"
#include "server/api/api.h"
#include "server/api/api_openapi_table.h"
#include "server/api/api_openapi_write.h"
#include "tests/unit/unit.h"

#include <fcntl.h>

#define TEXT_MAX (1u << 20)

static const struct json_limits limits = {TEXT_MAX, 100000, 64, false};

/* Two patterns with one template would be one key twice, which the parser refuses. */
static struct json_doc *description(void)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct json_doc *doc;
	struct err e = {.text = ""};

	ck_assert_msg(api_openapi_write(api_routes, api_routes_n, &text, &e) == 0, "%s", e.text);
	ck_assert_msg(json_parse(text.data, text.len, &limits, &doc, &e) == 0, "%s", e.text);
	return doc;
}

static const struct json *at(const struct json *v, const char *a, const char *b)
{
	v = json_get(json_get(v, a), b);
	ck_assert_msg(v, "%s %s", a, b);
	return v;
}

START_TEST(every_route_has_an_operation_with_an_id_of_its_own)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = description();
	const char *ids[128];
	size_t n = 0, bits = 0;

	for (size_t i = 0; i < api_routes_n; i++)
		bits += (size_t)__builtin_popcount(api_routes[i].methods);
	for (const struct json *p = json_first(json_get(json_root(doc), "paths")); p;
		p = json_next(p)) {
		for (const struct json *op = json_first(p); op; op = json_next(op)) {
			ck_assert_ptr_nonnull(json_str(json_get(op, "summary")));
			ids[n] = json_str(json_get(op, "operationId"));
			ck_assert_ptr_nonnull(ids[n]);
			for (size_t i = 0; i < n; i++)
				ck_assert_str_ne(ids[i], ids[n]);
			n++;
		}
	}
	ck_assert_uint_eq(n, bits);
}
END_TEST

START_TEST(a_route_that_nobody_describes_is_an_error)
{
	static const struct router_row more[] = {{METHOD_GET, "/v1/secrets", &api_metrics}};
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct err e;

	ck_assert_int_eq(api_openapi_write(more, 1, &text, &e), -(int)ERR_INTERNAL);
	ck_assert_str_eq(e.text, "no operation describes GET /v1/secrets");
}
END_TEST

START_TEST(an_operation_that_no_route_has_is_an_error)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct err e;

	ck_assert_int_eq(api_openapi_write(api_routes, api_routes_n - 1, &text, &e),
		-(int)ERR_INTERNAL);
	ck_assert_ptr_nonnull(strstr(e.text, "operations are described"));
}
END_TEST

/* What goes over several segments says so, and nothing else does. */
START_TEST(captures_are_parameters)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = description();
	const struct json *parameters = at(json_root(doc), "components", "parameters");
	const struct json *file =
		at(json_get(json_root(doc), "paths"), "/models/{name}@{revision}/{path}", "get");
	static const char *const refs[] = {"name", "revision", "path"};
	const struct json *p = json_first(json_get(file, "parameters"));

	ck_assert_str_eq(json_str(json_get(file, "x-modeld-route")), "/models/{ref@}/{path*}");
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++, p = json_next(p)) {
		char ref[64];
		bool multi = false;
		(void)snprintf(ref, sizeof(ref), "#/components/parameters/%s", refs[i]);
		ck_assert_str_eq(json_str(json_get(p, "$ref")), ref);
		(void)json_bool(json_get(json_get(parameters, refs[i]), "x-modeld-multi-segment"),
			&multi);
		ck_assert_int_eq(multi, strcmp(refs[i], "revision") != 0);
	}
	p = json_first(json_get(at(json_get(json_root(doc), "paths"), "/v1/jobs/{id}", "get"),
		"parameters"));
	ck_assert_str_eq(json_str(json_get(p, "$ref")), "#/components/parameters/jobs.id");
}
END_TEST

static size_t count(const struct json *op, const char *key)
{
	return json_count(json_get(op, key));
}

START_TEST(what_an_operation_needs_is_what_its_handler_needs)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = description();
	const struct json *paths = json_get(json_root(doc), "paths");
	const struct json *alive = at(paths, "/healthz", "get");
	const struct json *jobs = at(paths, "/v1/jobs", "get");
	const struct json *label = at(paths, "/v1/models/{name}/labels/{label}", "put");
	const struct json *needs = json_next(json_first(json_get(label, "security")));

	ck_assert_uint_eq(count(alive, "security"), 0);
	/* nothing, and either scope by either way */
	ck_assert_uint_eq(count(jobs, "security"), 5);
	ck_assert_uint_eq(count(label, "security"), 2);
	ck_assert(json_str_is(json_first(json_get(needs, "bearer")), "label"));
	(void)at(label, "responses", "403");
	(void)at(label, "responses", "412");
	ck_assert_ptr_null(json_get(json_get(alive, "responses"), "401"));
}
END_TEST

START_TEST(errors_are_those_of_the_table)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = description();
	const struct json *codes =
		json_first(at(at(json_root(doc), "components", "schemas"), "ErrorCode", "enum"));

#define ERR(code, status, blame, title) \
	ck_assert(json_str_is(codes, #code)); \
	codes = json_next(codes);
#include "common/base/err.def"
#undef ERR
	ck_assert_ptr_null(codes);
}
END_TEST

START_TEST(where_bytes_are_taken_for_weights_errors_have_none)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = description();
	const struct json *responses = at(json_root(doc), "components", "responses");
	const struct json *paths = json_get(json_root(doc), "paths");
	const struct json *file = at(paths, "/models/{name}@{revision}/{path}", "get");
	const struct json *json = at(paths, "/models/{name}/model.json", "get");

	ck_assert_str_eq(json_str(json_get(at(file, "responses", "410"), "$ref")),
		"#/components/responses/Quiet410");
	ck_assert_str_eq(json_str(json_get(at(json, "responses", "410"), "$ref")),
		"#/components/responses/Problem410");
	ck_assert_str_eq(json_str(json_get(at(json, "responses", "416"), "$ref")),
		"#/components/responses/Empty416");
	ck_assert_ptr_null(json_get(json_get(responses, "Empty416"), "content"));
}
END_TEST

static const char *between(const char *text, const char *begin, const char *end, size_t *ret_n)
{
	const char *from = strstr(text, begin), *to = from ? strstr(from, end) : NULL;

	ck_assert_msg(from && to, "%s ... %s", begin, end);
	from = strchr(from, '\n') + 1;
	*ret_n = (size_t)(to - from);
	return from;
}

static void check_table(const char *begin, const char *end, const struct buf *table)
{
	CLEANUP_FREE char *text = NULL;
	const char *found;
	struct err e;
	size_t n;

	ck_ok(fsio_read_file(AT_FDCWD, TEST_SRCDIR "/docs/api.md", TEXT_MAX, &text, &n, &e));
	found = between(text, begin, end, &n);
	ck_assert_msg(n == table->len && memcmp(found, table->data, n) == 0,
		"docs/api.md: run `make regenerate`");
}

START_TEST(docs_have_the_tables_of_operations_and_errors)
{
	CLEANUP_BUF struct buf operations = BUF_INIT(TEXT_MAX), errors = BUF_INIT(TEXT_MAX);
	struct err e;

	ck_ok(api_openapi_table_operations(api_routes, api_routes_n, &operations, &e));
	check_table("<!-- OPERATIONS BEGIN", "<!-- OPERATIONS END", &operations);
	ck_ok(api_openapi_table_errors(&errors, &e));
	check_table("<!-- ERRORS BEGIN", "<!-- ERRORS END", &errors);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("api openapi");
	TCase *t = tcase_create("api openapi");

	tcase_add_test(t, every_route_has_an_operation_with_an_id_of_its_own);
	tcase_add_test(t, a_route_that_nobody_describes_is_an_error);
	tcase_add_test(t, an_operation_that_no_route_has_is_an_error);
	tcase_add_test(t, captures_are_parameters);
	tcase_add_test(t, what_an_operation_needs_is_what_its_handler_needs);
	tcase_add_test(t, errors_are_those_of_the_table);
	tcase_add_test(t, where_bytes_are_taken_for_weights_errors_have_none);
	tcase_add_test(t, docs_have_the_tables_of_operations_and_errors);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
