/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/requestfile.h"
#include "server/import/import_request.h"
#include "tests/unit/unit.h"

#define HEX "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static int parse(const char *json, struct import_request *ret, struct err *e)
{
	return import_request_parse(str_of(json), ret, e);
}

/* Refused, with a sentence that has these words. */
static void refuse(const char *json, enum err_code want, const char *words)
{
	struct import_request q;
	struct err e;

	ck_err(parse(json, &q, &e), want);
	ck_assert_msg(strstr(e.text, words), "%s: \"%s\" has no \"%s\"", json, e.text, words);
}

static const char full[] =
	"{\"url\": \"https://example.com/pose/model.json?sig=secret\", \"label\": \"stable\","
	" \"fromTFHub\": true, \"weightPathPrefix\": \"https://cdn.example.com/w/?k=secret&f=\","
	" \"headers\": {\"Authorization\": \"Bearer secret\", \"X-One\": \"1\"},"
	" \"include\": [\"labels.txt\", \"./labels.txt\", \"model.json\", \"a b/c.csv\"],"
	" \"expect\": {\"root\": \"sha256:" HEX "\", \"files\": {\"./model.json\": \"sha256:" HEX
	"\"}}}";

START_TEST(all_fields_are_read)
{
	struct import_request q;
	struct err e;

	ck_ok(parse(full, &q, &e));
	ck_assert_str_eq(q.url.text, "https://example.com/pose/model.json?sig=secret");
	ck_assert_str_eq(q.label, "stable");
	ck_assert(q.from_tf_hub);
	ck_assert_str_eq(q.weight_prefix, "https://cdn.example.com/w/?k=secret&f=");
	ck_assert_uint_eq(q.headers_n, 2);
	ck_assert_str_eq(q.headers[0], "Authorization: Bearer secret");
	ck_assert_str_eq(q.headers[1], "X-One: 1");
	ck_assert_uint_eq(q.include_n, 2);
	ck_assert_str_eq(q.include[0], "labels.txt");
	ck_assert_str_eq(q.include[1], "a b/c.csv");
	ck_assert(q.has_root);
	ck_assert_uint_eq(q.root.bytes[0], 0x9f);
	ck_assert_uint_eq(q.files_n, 1);
	ck_assert_str_eq(q.files[0].path, "model.json");
	import_request_clear(&q);
}
END_TEST

START_TEST(only_the_url_is_required)
{
	struct import_request q;
	struct err e;

	ck_ok(parse("{\"url\":\"https://example.com/m\",\"label\":null,\"expect\":null}", &q, &e));
	ck_assert_str_eq(q.label, "");
	ck_assert(!q.has_root && !q.from_tf_hub && !q.weight_prefix);
	ck_assert_uint_eq(q.headers_n + q.include_n + q.files_n, 0);
	import_request_clear(&q);
	refuse("{}", ERR_BAD_REQUEST, "\"url\" is missing");
	refuse("{\"label\":\"stable\"}", ERR_BAD_REQUEST, "\"url\" is missing");
	refuse("[]", ERR_BAD_REQUEST, "object");
	refuse("", ERR_BAD_JSON, "");
}
END_TEST

START_TEST(an_unknown_field_is_named)
{
	refuse("{\"url\":\"https://example.com/\",\"lable\":\"x\"}", ERR_BAD_REQUEST,
		"did you mean \"label\"?");
	refuse("{\"url\":\"https://example.com/\",\"tag\":1}", ERR_BAD_REQUEST, "\"tag\"");
	refuse("{\"url\":\"https://example.com/\",\"expect\":{\"rot\":1}}", ERR_BAD_REQUEST,
		"did you mean \"root\"?");
}
END_TEST

START_TEST(what_the_server_decides_cannot_be_asked_for)
{
	refuse("{\"url\":\"https://example.com/\",\"who\":\"root\"}", ERR_BAD_REQUEST, "\"who\"");
	refuse("{\"url\":\"https://example.com/\",\"model\":\"a\"}", ERR_BAD_REQUEST, "\"model\"");
	refuse("{\"url\":\"https://example.com/\",\"mirror\":\"a\"}", ERR_BAD_REQUEST,
		"\"mirror\"");
}
END_TEST

START_TEST(values_of_other_types_are_refused)
{
	refuse("{\"url\":7}", ERR_BAD_REQUEST, "\"url\" is a string");
	refuse("{\"url\":\"https://e.com/\",\"fromTFHub\":\"yes\"}", ERR_BAD_REQUEST, "fromTFHub");
	refuse("{\"url\":\"https://e.com/\",\"headers\":[]}", ERR_BAD_REQUEST, "headers");
	refuse("{\"url\":\"https://e.com/\",\"headers\":{\"A\":1}}", ERR_BAD_REQUEST, "headers");
	refuse("{\"url\":\"https://e.com/\",\"include\":\"a\"}", ERR_BAD_REQUEST, "include");
	refuse("{\"url\":\"https://e.com/\",\"include\":[1]}", ERR_BAD_REQUEST, "include");
	refuse("{\"url\":\"https://e.com/\",\"expect\":7}", ERR_BAD_REQUEST, "expect");
	refuse("{\"url\":\"https://e.com/\",\"expect\":{\"root\":\"" HEX "\"}}", ERR_BAD_REQUEST,
		"sha256:");
	refuse("{\"url\":\"https://e.com/\",\"expect\":{\"files\":{\"a\":\"sha256:0\"}}}",
		ERR_BAD_REQUEST, "sha256:");
}
END_TEST

START_TEST(values_are_judged)
{
	refuse("{\"url\":\"ftp://e.com/\"}", ERR_BAD_URL, "http");
	refuse("{\"url\":\"https://user:secret@e.com/\"}", ERR_BAD_URL, "user");
	refuse("{\"url\":\"https://e.com/\",\"label\":\"latest\"}", ERR_BAD_NAME, "latest");
	refuse("{\"url\":\"https://e.com/\",\"include\":[\"../a\"]}", ERR_BAD_PATH, "include");
	refuse("{\"url\":\"https://e.com/\",\"expect\":{\"files\":{\"/a\":\"sha256:" HEX "\"}}}",
		ERR_BAD_PATH, "expect");
	refuse("{\"url\":\"https://e.com/\",\"headers\":{\"a\":\"1\",\"A\":\"2\"}}",
		ERR_BAD_REQUEST, "twice");
	refuse("{\"url\":\"https://e.com/\",\"headers\":{\"Range\":\"1\"}}", ERR_BAD_REQUEST,
		"Range");
	refuse("{\"url\":\"https://e.com/\",\"headers\":{\"a\":\"x\\r\\nb: y\"}}", ERR_BAD_REQUEST,
		"");
}
END_TEST

/* A name behind a host without a slash would be another host. */
START_TEST(a_prefix_fixes_the_host)
{
	refuse("{\"url\":\"https://e.com/\",\"weightPathPrefix\":\"https://e.com\"}", ERR_BAD_URL,
		"weightPathPrefix");
	refuse("{\"url\":\"https://e.com/\",\"weightPathPrefix\":\"weights/\"}", ERR_BAD_URL,
		"weightPathPrefix");
	refuse("{\"url\":\"https://e.com/\",\"weightPathPrefix\":\"https://e.com/#\"}", ERR_BAD_URL,
		"weightPathPrefix");
}
END_TEST

static void refuse_many(const char *front, const char *one, unsigned n, const char *back)
{
	CLEANUP_BUF struct buf json = BUF_INIT(60000);

	buf_addf(&json, "{\"url\":\"https://e.com/\",%s", front);
	for (unsigned i = 0; i < n; i++) {
		buf_add_str(&json, i > 0 ? "," : "");
		buf_addf(&json, one[0] == ':' ? "\"a%u\"%s" : "\"a%u%s", i, one);
	}
	buf_addf(&json, "%s}", back);
	ck_assert(!buf_failed(&json));
	refuse(buf_str(&json), ERR_BAD_REQUEST, "at most");
}

START_TEST(lists_are_bounded)
{
	refuse_many("\"headers\":{", ":\"1\"", IMPORT_REQUEST_HEADERS + 1, "}");
	refuse_many("\"include\":[", "\"", IMPORT_REQUEST_INCLUDE + 1, "]");
	refuse_many("\"expect\":{\"files\":{", ":\"1\"", IMPORT_REQUEST_EXPECT + 1, "}}");
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUESTFILE_MAX), again = BUF_INIT(REQUESTFILE_MAX);
	struct import_request q, back;
	struct err e;

	ck_ok(parse(full, &q, &e));
	(void)snprintf(q.model, sizeof(q.model), "team/pose");
	(void)snprintf(q.who, sizeof(q.who), "127.0.0.1");
	q.models = strdup("read=team/**");
	import_request_write(&q, &text);
	ck_ok(import_request_read((struct str){text.data, text.len}, &back, &e));
	ck_assert_str_eq(back.model, "team/pose");
	ck_assert_str_eq(back.who, "127.0.0.1");
	ck_assert_str_eq(back.mirror, "");
	ck_assert_str_eq(back.models, "read=team/**");
	import_request_write(&back, &again);
	ck_assert_str_eq(buf_str(&text), buf_str(&again));
	import_request_clear(&q);
	import_request_clear(&back);
}
END_TEST

START_TEST(credentials_are_not_shown)
{
	CLEANUP_BUF struct buf text = BUF_INIT(CATALOG_JOB_JSON);
	struct import_request q;
	struct err e;

	ck_ok(parse(full, &q, &e));
	q.models = strdup("read=secret/**");
	import_request_show(&q, &text);
	ck_assert_ptr_null(strstr(buf_str(&text), "secret"));
	ck_assert_ptr_nonnull(strstr(buf_str(&text), "\"headers\":[\"Authorization\",\"X-One\"]"));
	ck_assert_ptr_nonnull(strstr(buf_str(&text), "example.com/pose/model.json"));
	ck_assert_ptr_nonnull(strstr(buf_str(&text), "\"root\":\"sha256:" HEX "\""));
	import_request_clear(&q);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("import_request");
	TCase *c = tcase_create("import_request");

	tcase_add_test(c, all_fields_are_read);
	tcase_add_test(c, only_the_url_is_required);
	tcase_add_test(c, an_unknown_field_is_named);
	tcase_add_test(c, what_the_server_decides_cannot_be_asked_for);
	tcase_add_test(c, values_of_other_types_are_refused);
	tcase_add_test(c, values_are_judged);
	tcase_add_test(c, a_prefix_fixes_the_host);
	tcase_add_test(c, lists_are_bounded);
	tcase_add_test(c, what_is_written_is_read_again);
	tcase_add_test(c, credentials_are_not_shown);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
