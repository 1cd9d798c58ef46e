/* SPDX-License-Identifier: Apache-2.0 */
/* What URLs and other modelds' descriptions tell. */
#include "server/import/import_kind.h"
#include "server/import/import_modeld.h"
#include "tests/unit/unit.h"

#define HEX "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static struct url url(const char *text)
{
	struct url u;
	struct err e;

	ck_ok(url_parse(str_of(text), &u, &e));
	return u;
}

static bool is_pinned(const char *text)
{
	struct url u = url(text);

	return import_kind_pinned(&u);
}

START_TEST(pinned_urls_have_a_version)
{
	ck_assert(is_pinned("https://e.com/models/pose@7/model.json"));
	ck_assert(is_pinned("https://e.com/x/models/team/pose@7/model.json?a=b"));
	ck_assert(!is_pinned("https://e.com/models/pose@stable/model.json"));
	ck_assert(!is_pinned("https://e.com/models/pose/model.json"));
	ck_assert(!is_pinned("https://e.com/models/pose@/model.json"));
	ck_assert(!is_pinned("https://e.com/models/pose@7/other.json"));
	ck_assert(!is_pinned("https://e.com/@7"));
}
END_TEST

#define DESCRIPTION(files) \
	"{\"name\":\"team/pose\",\"version\":7,\"root_digest\":\"sha256:" HEX "\"," \
	"\"files\":[" files "]}"
#define FILE(path) "{\"path\":\"" path "\",\"bytes\":10,\"sha256\":\"" HEX "\"}"

static int describe(const char *json, const char *asked, struct import_plan *p,
	struct import_file *model, bool *ret_is, struct err *e)
{
	struct url from = url(asked);

	*p = (struct import_plan){.n = 0};
	*model = (struct import_file){.path = NULL};
	return import_modeld_read(str_of(json), &from, 3, p, model, ret_is, e);
}

START_TEST(a_description_becomes_a_plan)
{
	struct import_plan p;
	struct import_file model;
	struct url at;
	struct err e;
	bool is;

	ck_ok(describe(DESCRIPTION(FILE("model.json") "," FILE("a b.bin") "," FILE("l/x.txt")),
		"https://e.com/sub/models/team/pose@stable?key=1", &p, &model, &is, &e));
	ck_assert(is && p.is_pinned && model.has_digest);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_uint_eq(p.total, 30);
	ck_assert(p.files[0].has_digest);
	ck_assert_uint_eq(p.files[0].digest.bytes[0], 0x9f);
	ck_assert_str_eq(p.model.text, "https://e.com/sub/models/team/pose@7/model.json?key=1");
	ck_ok(import_plan_url(&p, &p.files[0], &at, &e));
	ck_assert_str_eq(at.text, "https://e.com/sub/models/team/pose@7/a%20b.bin?key=1");
	import_plan_done(&p);
	ck_ok(describe(DESCRIPTION(FILE("model.json")),
		"https://e.com/v1/models/team/pose/labels/x", &p, &model, &is, &e));
	ck_assert_str_eq(p.model.text, "https://e.com/models/team/pose@7/model.json");
	import_plan_done(&p);
}
END_TEST

START_TEST(other_json_is_no_description)
{
	static const char *const others[] = {"", "{", "[]", "{}", "{\"name\":\"a\",\"files\":[]}",
		"{\"name\":\"a\",\"version\":1,\"root_digest\":\"x\",\"files\":{}}",
		"{\"name\":\"a\",\"version\":\"1\",\"root_digest\":\"x\",\"files\":[]}"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct import_plan p;
		struct import_file model;
		struct err e;
		bool is;

		ck_ok(describe(others[i], "https://e.com/m", &p, &model, &is, &e));
		ck_assert_msg(!is, "%s", others[i]);
	}
}
END_TEST

START_TEST(a_description_is_not_trusted)
{
	static const struct {
		const char *json;
		enum err_code code;
	} bad[] = {
		{DESCRIPTION(FILE("../model.json")), ERR_BAD_PATH},
		{DESCRIPTION(FILE("a?b")), ERR_BAD_PATH},
		{DESCRIPTION("{\"path\":\"a\",\"bytes\":1}"), ERR_FETCH_FAILED},
		{DESCRIPTION("{\"path\":\"a\",\"bytes\":-1,\"sha256\":\"" HEX "\"}"),
			ERR_FETCH_FAILED},
		{DESCRIPTION("7"), ERR_FETCH_FAILED},
		{DESCRIPTION(FILE("a") "," FILE("a")), ERR_FETCH_FAILED},
		{DESCRIPTION(FILE("a") "," FILE("b") "," FILE("c") "," FILE("d")), ERR_TOO_LARGE},
		{"{\"name\":\"../x\",\"version\":1,\"root_digest\":\"x\",\"files\":[]}",
			ERR_BAD_NAME},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct import_plan p;
		struct import_file model;
		struct err e;
		bool is;

		ck_err(describe(bad[i].json, "https://e.com/models/x", &p, &model, &is, &e),
			bad[i].code);
		import_plan_done(&p);
	}
}
END_TEST

START_TEST(shards_are_found_from_the_url_and_companions_beside_it)
{
	struct import_plan p = {.model = url("https://e.com/m/model.json?a=b"),
		.prefix = "https://cdn.e.com/w/"};
	struct import_file shard = {.path = (char[]){"s.bin"}};
	struct import_file beside = {.path = (char[]){"labels.txt"}, .is_companion = true};
	struct url at;
	struct err e;

	ck_ok(import_plan_url(&p, &shard, &at, &e));
	ck_assert_str_eq(at.text, "https://cdn.e.com/w/s.bin?a=b");
	ck_ok(import_plan_url(&p, &beside, &at, &e));
	ck_assert_str_eq(at.text, "https://e.com/m/labels.txt?a=b");
}
END_TEST

START_TEST(files_are_found_by_path_and_keep_their_order)
{
	struct import_plan p = {.n = 0};
	struct import_file *last;
	struct err e;

	ck_ok(import_plan_add(&p, STR_LIT("b"), NULL, &e));
	ck_ok(import_plan_add(&p, STR_LIT("c"), NULL, &e));
	ck_ok(import_plan_add(&p, STR_LIT("a"), &last, &e));
	ck_assert_str_eq(last->path, "a");
	for (int sorted = 0; sorted < 2; sorted++) {
		ck_assert_ptr_eq(import_plan_find(&p, "b"), &p.files[0]);
		ck_assert_ptr_eq(import_plan_find(&p, "a"), &p.files[2]);
		ck_assert_ptr_null(import_plan_find(&p, "d"));
		if (!sorted)
			ck_ok(import_plan_sort(&p, &e));
	}
	import_plan_done(&p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("import_source");
	TCase *c = tcase_create("import_source");

	tcase_add_test(c, pinned_urls_have_a_version);
	tcase_add_test(c, a_description_becomes_a_plan);
	tcase_add_test(c, other_json_is_no_description);
	tcase_add_test(c, a_description_is_not_trusted);
	tcase_add_test(c, shards_are_found_from_the_url_and_companions_beside_it);
	tcase_add_test(c, files_are_found_by_path_and_keep_their_order);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
