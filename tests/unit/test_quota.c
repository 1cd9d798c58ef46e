/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas as they are written, and what a publish learns of them. */
#include "common/registry/quota.h"
#include "common/base/num.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#define MODEL_BYTES (sizeof(UNIT_MODEL_JSON) - 1 + 8)

static struct registry *registry;
static struct catalog_quota quota = {.prefix = "team", .bytes = 2 * MODEL_BYTES + 7};

static void open_registry(void)
{
	struct registry_options o;
	struct err e;

	unit_dir_make();
	o = unit_upload_options();
	o.models = (struct catalog_limits){.quotas = &quota, .quotas_n = 1, .max_versions = 3};
	ck_ok(registry_open(&o, &registry, &e));
}

static void close_registry(void)
{
	registry_close(registry);
	unit_dir_remove();
}

/* ---- writing them ---- */

static int read_words(const char *const *words, size_t n, uint64_t store, struct quota_list *ret,
	struct err *e)
{
	return quota_read((char *const *)(uintptr_t)words, n, store, ret, e);
}

START_TEST(prefixes_come_with_or_without_a_slash_and_the_store_is_one)
{
	static const char *const words[] = {"team-a=10GiB", "team-a/vision/=512", "b=0"};
	struct quota_list q;
	struct err e;

	ck_ok(read_words(words, ARRAY_SIZE(words), 77, &q, &e));
	ck_assert_uint_eq(q.n, 4);
	ck_assert_str_eq(q.items[0].prefix, "");
	ck_assert_uint_eq(q.items[0].bytes, 77);
	ck_assert_str_eq(q.items[1].prefix, "team-a");
	ck_assert_uint_eq(q.items[1].bytes, 10 * GIB);
	ck_assert_str_eq(q.items[2].prefix, "team-a/vision");
	ck_assert_uint_eq(q.items[2].bytes, 512);
	ck_assert_uint_eq(q.items[3].bytes, 0);
	quota_done(&q);
	ck_ok(read_words(NULL, 0, 0, &q, &e));
	ck_assert_uint_eq(q.n, 0);
	quota_done(&q);
}
END_TEST

static const struct {
	const char *words[2];
	const char *sentence;
} refusals[] = {
	{{"team-a", "b=1"}, "team-a: expected PREFIX=SIZE, as in team-a=10GiB"},
	{{"b=1", "team-a=10GB"}, "team-a=10GB: expected PREFIX=SIZE, as in team-a=10GiB"},
	{{"b=1", "team-a=-1"}, "team-a=-1: expected PREFIX=SIZE, as in team-a=10GiB"},
	{{"b=1", "Team=1"}, "Team=1: a model name is in lower case: use 'team'"},
	{{"b=1", "/=1"}, "/=1: a model name is not empty"},
	{{"b=1", "a//=1"}, "a//=1: a model name has no empty segment between its slashes"},
	{{"b=1", "b/=2"}, "b is set twice"},
};

START_TEST(what_is_no_quota_is_refused)
{
	struct quota_list q;
	struct err e;

	ck_err(read_words(refusals[_i].words, 2, 1, &q, &e), ERR_CONFIG);
	ck_assert_str_eq(e.text, refusals[_i].sentence);
}
END_TEST

/* ---- meeting them ---- */

static int dry_run(const char *name, const char *weights, struct published *ret, struct err *e)
{
	const struct unit_part parts[] = {
		UNIT_PART("model.json", "model.json", UNIT_MODEL_JSON),
		{"model.weights.bin", "model.weights.bin", weights, 8},
	};
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	int r = upload_new(registry, name, &u, e);

	findings_init(&f);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++) {
		r = upload_file_begin(u, str_of(parts[i].part_name), str_of(""), e);
		if (r == 0)
			r = upload_file_write(u, parts[i].bytes, parts[i].n, e);
		if (r == 0)
			r = upload_file_end(u, e);
	}
	return r < 0 ? r : upload_publish_dry_run(u, ret, &f, e);
}

START_TEST(a_full_quota_refuses_what_adds_bytes_and_a_dry_run_says_so)
{
	struct published p;
	uint64_t most;
	struct err e;

	ck_ok(unit_upload_model(registry, "team/a", "11111111", &p, &e));
	ck_ok(unit_upload_model(registry, "team/a", "22222222", &p, &e));
	ck_ok(registry_room(registry, "team/b", &most, &e));
	ck_assert_uint_eq(most, 7);
	ck_err(dry_run("team/a", "33333333", &p, &e), ERR_QUOTA_FULL);
	ck_err(unit_upload_model(registry, "team/a", "33333333", &p, &e), ERR_QUOTA_FULL);
	ck_ok(unit_upload_model(registry, "team/a", "22222222", &p, &e));
	ck_assert(p.deduplicated);
	ck_ok(dry_run("team/a", "22222222", &p, &e));
	ck_assert(p.deduplicated);
	ck_ok(unit_upload_model(registry, "elsewhere", "33333333", &p, &e));
	ck_ok(registry_delete_version(registry, "team/a", 1, &e));
	ck_ok(dry_run("team/a", "33333333", &p, &e));
	ck_ok(unit_upload_model(registry, "team/a", "33333333", &p, &e));
	ck_assert_uint_eq(p.version, 3);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
}
END_TEST

START_TEST(files_are_cut_off_at_the_first_byte_that_has_no_room)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	char *bytes = calloc(1, 2 * MODEL_BYTES + 8);
	struct err e;

	ck_assert_ptr_nonnull(bytes);
	ck_ok(upload_new(registry, "team/a", &u, &e));
	ck_err(upload_expect(u, 2 * MODEL_BYTES + 8, &e), ERR_QUOTA_FULL);
	ck_ok(upload_expect(u, 0, &e));
	ck_ok(upload_file_begin(u, STR_LIT("x.bin"), STR_LIT(""), &e));
	ck_ok(upload_file_write(u, bytes, 2 * MODEL_BYTES + 7, &e));
	ck_err(upload_file_write(u, bytes, 1, &e), ERR_QUOTA_FULL);
	free(bytes);
}
END_TEST

START_TEST(what_may_be_the_newest_version_again_is_let_in)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	struct published p;
	struct err e;

	ck_ok(unit_upload_model(registry, "team/a", "11111111", &p, &e));
	ck_ok(unit_upload_model(registry, "team/b", "11111111", &p, &e));
	ck_ok(upload_new(registry, "team/a", &u, &e));
	ck_ok(upload_expect(u, MODEL_BYTES, &e));
	ck_err(upload_expect(u, MODEL_BYTES + 1, &e), ERR_QUOTA_FULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("quota");
	TCase *t = tcase_create("quota");
	TCase *words = tcase_create("quotas as words");

	tcase_add_test(words, prefixes_come_with_or_without_a_slash_and_the_store_is_one);
	tcase_add_loop_test(words, what_is_no_quota_is_refused, 0, (int)ARRAY_SIZE(refusals));
	suite_add_tcase(s, words);
	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_add_test(t, a_full_quota_refuses_what_adds_bytes_and_a_dry_run_says_so);
	tcase_add_test(t, files_are_cut_off_at_the_first_byte_that_has_no_room);
	tcase_add_test(t, what_may_be_the_newest_version_again_is_let_in);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
