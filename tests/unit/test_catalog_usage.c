/* SPDX-License-Identifier: Apache-2.0 */
/* What models take, and limits on it. */
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"

#include <pthread.h>

#define HOUR_MS  UINT64_C(3600000)
#define RACERS   8
#define TEXT_MAX 65536

/* "scope:bytes/versions/own ..." of every row. */
static const char *usage(void)
{
	static char text[1024];
	int64_t rows = unit_catalog_raw("SELECT COUNT(*) FROM usage");
	size_t n = 0;

	text[0] = '\0';
	for (int64_t i = 0; i < rows; i++) {
		char sql[160], scope[3] = "?";
		int64_t value[4];
		static const char *const columns[] = {
			"CASE scope WHEN '' THEN 42 ELSE unicode(substr(scope, -1)) END", "bytes",
			"versions", "own_versions"};

		for (size_t k = 0; k < ARRAY_SIZE(columns); k++) {
			(void)snprintf(sql, sizeof(sql),
				"SELECT %s FROM usage ORDER BY scope LIMIT 1 OFFSET %lld",
				columns[k], (long long)i);
			value[k] = unit_catalog_raw(sql);
		}
		scope[0] = (char)value[0];
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s:%lld/%lld/%lld",
			i ? " " : "", scope, (long long)value[1], (long long)value[2],
			(long long)value[3]);
	}
	return text;
}

static void check_faults(const char *want)
{
	CLEANUP_BUF struct buf faults = BUF_INIT(TEXT_MAX);
	struct err e;

	ck_ok(catalog_check(unit_catalog, &faults, &e));
	ck_assert_str_eq(buf_str(&faults), want);
}

static void deleted(const char *model, uint64_t version)
{
	struct err e;

	ck_ok(catalog_delete_version(unit_catalog, model, version, &e));
}

/* ---- accounting ---- */

START_TEST(usage_follows_each_publish_and_deletion)
{
	struct err e;

	ck_assert_str_eq(usage(), "");
	unit_catalog_publish("a", "1", NULL);
	ck_assert_str_eq(usage(), "*:1/1/0 a:1/1/1");
	unit_catalog_publish("a/b/c", "22", NULL);
	ck_assert_str_eq(usage(), "*:3/2/0 a:3/2/1 b:2/1/0 c:2/1/1");
	unit_catalog_publish("a/b/c", "22", NULL); /* the same files: no version more */
	ck_assert_str_eq(usage(), "*:3/2/0 a:3/2/1 b:2/1/0 c:2/1/1");
	unit_catalog_publish("a/b", "22", NULL); /* a blob that is there counts again */
	unit_catalog_publish("a/b/c", "333", NULL);
	ck_assert_str_eq(usage(), "*:8/4/0 a:8/4/1 b:7/3/1 c:5/2/2");
	deleted("a/b/c", 1);
	ck_assert_str_eq(usage(), "*:6/3/0 a:6/3/1 b:5/2/1 c:3/1/1");
	ck_ok(catalog_delete_model(unit_catalog, "a/b/c", "", &e));
	ck_assert_str_eq(usage(), "*:3/2/0 a:3/2/1 b:2/1/1");
	unit_catalog_publish("a/b/c", "4444", NULL);
	ck_assert_str_eq(usage(), "*:7/3/0 a:7/3/1 b:6/2/1 c:4/1/1");
	ck_ok(catalog_delete_model(unit_catalog, "a", "", &e));
	ck_ok(catalog_delete_model(unit_catalog, "a/b", "", &e));
	deleted("a/b/c", 3);
	ck_assert_str_eq(usage(), "");
	check_faults("");
}
END_TEST

START_TEST(a_failed_publish_or_deletion_counts_nothing)
{
	struct err e;

	unit_catalog_publish("a", "1", "stable");
	ck_err(catalog_delete_version(unit_catalog, "a", 1, &e), ERR_CONFLICT);
	ck_err(catalog_delete_version(unit_catalog, "a", 2, &e), ERR_VERSION_NOT_FOUND);
	ck_assert_str_eq(usage(), "*:1/1/0 a:1/1/1");
}
END_TEST

START_TEST(a_catalog_from_before_gets_the_sums_of_its_versions)
{
	struct err e;

	unit_catalog_publish("x/y/z/w", "1", NULL);
	unit_catalog_publish("x/y/z/w", "22", NULL);
	unit_catalog_publish("x/y", "333", NULL);
	unit_catalog_publish("x-y", "4444", NULL);
	unit_catalog_publish("gone", "55555", NULL);
	ck_ok(catalog_delete_model(unit_catalog, "gone", "", &e));
	deleted("x/y/z/w", 1);
	unit_catalog_raw("DROP INDEX version_tensors_due");
	unit_catalog_raw("ALTER TABLE version_tensors DROP COLUMN due");
	unit_catalog_raw("ALTER TABLE changes DROP COLUMN who");
	unit_catalog_raw("ALTER TABLE changes DROP COLUMN address");
	unit_catalog_raw("ALTER TABLE changes DROP COLUMN request");
	unit_catalog_raw("ALTER TABLE versions DROP COLUMN provenance");
	unit_catalog_raw("DROP TABLE store_keys");
	unit_catalog_raw("DROP TABLE tokens");
	unit_catalog_raw("DROP TABLE jobs");
	unit_catalog_raw("DROP TABLE fetched");
	unit_catalog_raw("DROP TABLE mirrors");
	unit_catalog_raw("DROP TABLE variants_due");
	unit_catalog_raw("DROP TABLE variants");
	unit_catalog_raw("ALTER TABLE blobs DROP COLUMN coded");
	unit_catalog_raw("DROP TABLE usage");
	unit_catalog_raw("DELETE FROM schema_versions WHERE version > 6");
	unit_catalog_reopen();
	ck_assert_str_eq(usage(), "*:9/3/0 x:5/2/0 y:4/1/1 y:5/2/1 z:2/1/0 w:2/1/1");
	check_faults("");
}
END_TEST

START_TEST(a_check_names_each_row_that_is_wrong)
{
	unit_catalog_publish("a/b", "22", NULL);
	unit_catalog_publish("c", "333", NULL);
	unit_catalog_raw("UPDATE usage SET bytes = 7 WHERE scope = 'a'");
	unit_catalog_raw("DELETE FROM usage WHERE scope = 'c'");
	unit_catalog_raw("INSERT INTO usage VALUES ('d', 1, 1, 1)");
	unit_catalog_raw("UPDATE usage SET own_versions = 1 WHERE scope = ''");
	check_faults(
		"usage of the store says 5 bytes, 2 versions, 1 of its own; it has 5, 2 and 0\n"
		"usage of a says 7 bytes, 1 versions, 0 of its own; it has 2, 1 and 0\n"
		"usage of c says 0 bytes, 0 versions, 0 of its own; it has 3, 1 and 1\n"
		"usage of d says 1 bytes, 1 versions, 1 of its own; it has 0, 0 and 0\n");
}
END_TEST

/* ---- limits ---- */

static const struct catalog_quota quotas[] = {
	{.prefix = "", .bytes = 20}, {.prefix = "a/b", .bytes = 10}, {.prefix = "a", .bytes = 12}};
static const struct catalog_limits limits = {
	.quotas = quotas, .quotas_n = ARRAY_SIZE(quotas), .max_versions = 3};

static int publish(const char *model, const char *text, struct err *e)
{
	struct catalog_blob blob = unit_catalog_blob(text);
	const struct catalog_file file = {.path = "model.json", .blob = 0};
	const struct catalog_publish p = {
		.model = model,
		.root = blob.digest,
		.info = "{}",
		.blobs = &blob,
		.blobs_n = 1,
		.files = &file,
		.files_n = 1,
		.limits = &limits,
	};
	uint64_t version;
	bool deduplicated;
	int r = catalog_stage(unit_catalog, &blob, 1, clock_now_ms() + HOUR_MS, e);

	if (r == 0)
		r = catalog_publish(unit_catalog, &p, &version, &deduplicated, NULL, e);
	if (r < 0)
		(void)catalog_unstage(unit_catalog, &blob, 1, &(struct err){.code = ERR_NONE});
	return r;
}

static int judged(const char *model, const char *text, struct err *e)
{
	struct catalog_blob blob = unit_catalog_blob(text);

	return catalog_check_limits(unit_catalog, &limits, model, &blob.digest, blob.size, e);
}

/* Refused with this sentence, and by the judge alike. */
static void full(const char *model, const char *text, const char *sentence)
{
	struct err e;

	ck_err(judged(model, text, &e), ERR_QUOTA_FULL);
	ck_assert_str_eq(e.text, sentence);
	ck_err(publish(model, text, &e), ERR_QUOTA_FULL);
	ck_assert_str_eq(e.text, sentence);
}

static void fits(const char *model, const char *text)
{
	struct err e;

	ck_ok(judged(model, text, &e));
	ck_ok(publish(model, text, &e));
}

START_TEST(each_quota_that_holds_for_a_model_must_have_room)
{
	struct err e;

	fits("a/b/c", "1234567890");
	full("a/b/d", "1",
		"a/b may hold 10 B (limits.quotas) and holds 10 B: 1 B more do not fit; delete "
		"versions, by hand or with `modeld prune`, or raise the limit");
	full("a/b", "1",
		"a/b may hold 10 B (limits.quotas) and holds 10 B: 1 B more do not fit; delete "
		"versions, by hand or with `modeld prune`, or raise the limit");
	fits("a/bb", "12");
	full("a", "x",
		"a may hold 12 B (limits.quotas) and holds 12 B: 1 B more do not fit; delete "
		"versions, by hand or with `modeld prune`, or raise the limit");
	fits("a/b/c", "1234567890"); /* what the newest version has adds nothing */
	fits("aa", "12345678");
	full("z", "1",
		"the store may hold 20 B (limits.store) and holds 20 B: 1 B more do not fit; "
		"delete versions, by hand or with `modeld prune`, or raise the limit");
	ck_err(catalog_delete_version(unit_catalog, "a", 1, &e), ERR_MODEL_NOT_FOUND);
	deleted("a/b/c", 1);
	fits("a/b/d", "0987654321");
	check_faults("");
}
END_TEST

START_TEST(a_model_has_a_most_of_versions_that_are_there)
{
	fits("m", "1");
	fits("m", "2");
	fits("m/below", "1");
	fits("m", "3");
	full("m", "4",
		"m may have 3 versions (limits.versions) and has 3: delete some, by hand or with "
		"`modeld prune`, or raise the limit");
	fits("m", "3");
	fits("m/below", "2");
	deleted("m", 1);
	fits("m", "4");
}
END_TEST

/* As many bytes as a version of the model may have. */
static uint64_t most(const char *model)
{
	uint64_t bytes;
	struct err e;

	ck_ok(catalog_room(unit_catalog, &limits, model, 0, false, &bytes, &e));
	return bytes;
}

START_TEST(room_is_what_the_tightest_limit_leaves_or_the_newest_version_has)
{
	static const struct catalog_limits none = {.quotas_n = 0};
	uint64_t bytes;
	struct err e;

	ck_assert_uint_eq(most("a/b/c"), 10);
	fits("a/x", "12345");
	ck_assert_uint_eq(most("a/b/c"), 7);
	ck_assert_uint_eq(most("a/x"), 7);
	ck_assert_uint_eq(most("b"), 15);
	unit_catalog_publish("a/x", "123456789", NULL); /* without limits */
	ck_assert_uint_eq(most("a/b/c"), 0);
	ck_assert_uint_eq(most("a/x"), 9);
	ck_ok(catalog_room(unit_catalog, &limits, "a/x", 9, true, &bytes, &e));
	ck_err(catalog_room(unit_catalog, &limits, "a/x", 10, true, &bytes, &e), ERR_QUOTA_FULL);
	ck_ok(catalog_room(unit_catalog, &none, "a", 100, true, &bytes, &e));
	ck_assert_uint_eq(bytes, UINT64_MAX);
	fits("v", "1");
	fits("v", "2");
	ck_assert_uint_eq(most("v"), 4);
	fits("v", "3");
	ck_assert_uint_eq(most("v"), 1);
}
END_TEST

/* ---- races ---- */

struct racer {
	pthread_t thread;
	char text[11];
	int r;
	struct err e;
};

static void *race(void *arg)
{
	struct racer *x = arg;

	x->r = publish("a/b/raced", x->text, &x->e);
	return NULL;
}

START_TEST(of_those_who_race_for_the_last_bytes_one_gets_them)
{
	struct racer racers[RACERS];
	unsigned won = 0;

	for (size_t i = 0; i < RACERS; i++) {
		(void)snprintf(racers[i].text, sizeof(racers[i].text), "racer%05zu", i);
		ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (size_t i = 0; i < RACERS; i++) {
		pthread_join(racers[i].thread, NULL);
		won += racers[i].r == 0;
		if (racers[i].r < 0)
			ck_assert_msg(racers[i].e.code == ERR_QUOTA_FULL, "%s", racers[i].e.text);
	}
	ck_assert_uint_eq(won, 1);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM versions"), 1);
	check_faults("");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog usage");
	TCase *t = tcase_create("catalog usage");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_add_test(t, usage_follows_each_publish_and_deletion);
	tcase_add_test(t, a_failed_publish_or_deletion_counts_nothing);
	tcase_add_test(t, a_catalog_from_before_gets_the_sums_of_its_versions);
	tcase_add_test(t, a_check_names_each_row_that_is_wrong);
	tcase_add_test(t, each_quota_that_holds_for_a_model_must_have_room);
	tcase_add_test(t, a_model_has_a_most_of_versions_that_are_there);
	tcase_add_test(t,
		room_is_what_the_tightest_limit_leaves_or_the_newest_version_has);
	tcase_add_test(t, of_those_who_race_for_the_last_bytes_one_gets_them);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
