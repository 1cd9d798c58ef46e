/* SPDX-License-Identifier: Apache-2.0 */
/* Coded forms of blobs, their queue, and what becomes of both when blobs go. */
#include "common/store/catalog_variant.h"
#include "common/base/clock.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"
#include "tests/unit/unit_dir.h"

#include <sys/stat.h>

#define HOUR_MS UINT64_C(3600000)

static const char *const codings[] = {"br", "gzip"};

/* ---- helpers ---- */

static bool next(struct catalog_variant_job *ret, uint64_t *ret_wait_ms)
{
	bool any;
	struct err e;

	ck_ok(catalog_variant_next(unit_catalog, ret, &any, ret_wait_ms, &e));
	return any;
}

static bool is_next(const char *text)
{
	struct catalog_variant_job job;
	struct catalog_blob blob = unit_catalog_blob(text);
	uint64_t wait_ms;

	return next(&job, &wait_ms) && digest_eq(&job.key.digest, &blob.digest);
}

static bool set(const char *of, const char *const *forms, size_t n)
{
	struct catalog_blob blobs[2], identity = unit_catalog_blob(of);
	bool kept;
	struct err e;

	for (size_t i = 0; i < n; i++)
		blobs[i] = unit_catalog_blob(forms[i]);
	ck_ok(catalog_stage(unit_catalog, blobs, n, clock_now_ms() + HOUR_MS, &e));
	ck_ok(catalog_variant_set(unit_catalog, &identity.digest, blobs, codings, n, &kept, &e));
	return kept;
}

static bool set_two(const char *of, const char *br, const char *gzip)
{
	const char *const forms[] = {br, gzip};

	return set(of, forms, 2);
}

static bool find(const char *of, const char *coding, struct catalog_variant *ret)
{
	struct catalog_blob identity = unit_catalog_blob(of);
	bool found;
	struct err e;

	ck_ok(catalog_variant_find(unit_catalog, &identity.digest, coding, ret, &found, &e));
	return found;
}

static bool has_form(const char *of, const char *coding, const char *form)
{
	struct catalog_blob blob = unit_catalog_blob(form);
	struct catalog_variant v;

	return find(of, coding, &v) && digest_eq(&v.key.digest, &blob.digest) &&
		v.size == blob.size && !v.damaged;
}

static int64_t rows(const char *table)
{
	char sql[64];

	(void)snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM %s", table);
	return unit_catalog_raw(sql);
}

static void delete_version(const char *model, uint64_t version)
{
	struct err e;

	ck_ok(catalog_delete_version(unit_catalog, model, version, &e));
}

/* How many were found, and how many went. */
static size_t collect(uint64_t grace_ms, size_t *ret_marked)
{
	struct catalog_garbage garbage[CATALOG_GARBAGE_BATCH];
	struct catalog_cursor at = {.started = false};
	size_t n;
	uint64_t bytes;
	struct err e;

	ck_ok(catalog_find_garbage(unit_catalog, &at, grace_ms, garbage, &n, &e));
	ck_assert(at.ended);
	ck_ok(catalog_collect(unit_catalog, garbage, n, grace_ms, 0, ret_marked, &bytes, &e));
	return n;
}

static void check_nothing_wrong(void)
{
	CLEANUP_BUF struct buf faults = BUF_INIT(1 << 20);
	struct err e;

	ck_ok(catalog_check(unit_catalog, &faults, &e));
	ck_assert_str_eq(buf_str(&faults), "");
}

/* ---- the queue ---- */

START_TEST(what_is_published_is_in_the_queue_until_it_was_looked_at)
{
	struct catalog_variant_job job;
	uint64_t wait_ms, n;
	struct err e;

	ck_assert(!next(&job, &wait_ms));
	ck_assert_uint_eq(wait_ms, UINT64_MAX);
	unit_catalog_publish("m", "identity", NULL);
	ck_assert(next(&job, &wait_ms));
	ck_assert_str_eq(job.path, "model.json");
	ck_assert_uint_eq(job.size, 8);
	ck_ok(catalog_variant_count(unit_catalog, 10, &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_assert(set_two("identity", "br", "gz"));
	ck_assert(!next(&job, &wait_ms));
	ck_assert(has_form("identity", "br", "br") && has_form("identity", "gzip", "gz"));
	check_nothing_wrong();
}
END_TEST

START_TEST(the_oldest_is_the_next_and_one_that_was_put_off_the_last)
{
	struct catalog_blob first = unit_catalog_blob("first");
	struct catalog_variant_job job;
	uint64_t wait_ms;
	struct err e;

	unit_catalog_publish("m", "first", NULL);
	unit_catalog_publish("m", "second", NULL);
	unit_catalog_raw("UPDATE variants_due SET due = due - (SELECT COUNT(*) FROM versions v"
			 " WHERE v.root = variants_due.digest AND v.version = 1)");
	ck_assert(is_next("first"));
	ck_ok(catalog_variant_defer(unit_catalog, &first.digest, HOUR_MS, false, &e));
	ck_assert(is_next("second"));
	ck_assert(set("second", NULL, 0));
	ck_assert(!next(&job, &wait_ms));
	ck_assert(wait_ms > 0 && wait_ms <= HOUR_MS);
	unit_catalog_reopen();
	ck_assert(!next(&job, &wait_ms));
	ck_assert(wait_ms > 0 && wait_ms <= HOUR_MS);
}
END_TEST

START_TEST(what_was_put_off_is_looked_at_when_it_is_published_again)
{
	struct catalog_blob first = unit_catalog_blob("first");
	struct catalog_variant_job job;
	uint64_t wait_ms;
	struct err e;

	unit_catalog_publish("m", "first", NULL);
	ck_ok(catalog_variant_defer(unit_catalog, &first.digest, HOUR_MS, true, &e));
	ck_assert(is_next("first")); /* a version has it */
	ck_ok(catalog_variant_defer(unit_catalog, &first.digest, HOUR_MS, false, &e));
	ck_assert(!next(&job, &wait_ms));
	unit_catalog_publish("n", "first", NULL);
	ck_assert(is_next("first"));
}
END_TEST

START_TEST(what_was_looked_at_is_not_looked_at_again)
{
	struct catalog_variant_job job;
	uint64_t wait_ms;

	unit_catalog_publish("a", "worth it", NULL);
	ck_assert(set_two("worth it", "br", "gz"));
	unit_catalog_publish("a", "is not", NULL);
	ck_assert(set("is not", NULL, 0));
	unit_catalog_publish("b", "worth it", NULL);
	unit_catalog_publish("b", "is not", NULL);
	ck_assert(!next(&job, &wait_ms));
	ck_assert(has_form("worth it", "br", "br"));
}
END_TEST

START_TEST(a_catalog_from_before_has_all_of_its_files_in_the_queue)
{
	uint64_t n;
	struct err e;

	unit_catalog_publish("a", "one", NULL);
	unit_catalog_publish("b", "one", NULL);
	unit_catalog_publish("b", "two", NULL);
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
	unit_catalog_raw("DELETE FROM schema_versions WHERE version > 7");
	unit_catalog_reopen();
	ck_ok(catalog_variant_count(unit_catalog, 10, &n, &e));
	ck_assert_uint_eq(n, 2);
	ck_ok(catalog_variant_count(unit_catalog, 1, &n, &e));
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* ---- keeping ---- */

START_TEST(forms_of_what_is_gone_become_trash)
{
	unit_catalog_publish("m", "other", NULL);
	ck_assert(!set_two("never was there", "br", "gz"));
	ck_assert_int_eq(rows("trash"), 2);
	ck_assert_int_eq(rows("intents"), 0);
	ck_assert_int_eq(rows("variants"), 0);
	ck_assert_int_eq(rows("blobs"), 1);
}
END_TEST

START_TEST(a_form_has_no_forms)
{
	struct catalog_variant_job job;
	uint64_t wait_ms;

	unit_catalog_publish("m", "identity", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	unit_catalog_publish("m", "br", NULL);
	ck_assert(!next(&job, &wait_ms));
	ck_assert(!set_two("br", "br of br", "gz of br"));
	unit_catalog_publish("m", "larger", NULL);
	ck_assert(!set_two("larger", "identity", "gz of larger"));
	ck_assert(!next(&job, &wait_ms));
	ck_assert_int_eq(rows("variants"), 2);
	check_nothing_wrong();
}
END_TEST

START_TEST(forms_that_are_made_again_take_the_place_of_the_old_ones)
{
	size_t marked;

	unit_catalog_publish("m", "identity", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	ck_assert(set_two("identity", "br", "gz of a newer library"));
	ck_assert(has_form("identity", "br", "br"));
	ck_assert(has_form("identity", "gzip", "gz of a newer library"));
	ck_assert_uint_eq(collect(0, &marked), 1);
	ck_assert_uint_eq(marked, 1);
	check_nothing_wrong();
}
END_TEST

START_TEST(sizes_are_those_of_the_files_of_a_version)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct catalog_variant_size sizes[CATALOG_VARIANT_CODINGS];
	size_t n;
	struct err e;

	unit_catalog_publish("m", "identity", NULL);
	ck_ok(catalog_version(unit_catalog, "m", 1, &v, &e));
	ck_ok(catalog_variant_sizes(unit_catalog, v, sizes, &n, &e));
	ck_assert_uint_eq(n, 0);
	ck_assert(set_two("identity", "brotl", "gz"));
	ck_ok(catalog_variant_sizes(unit_catalog, v, sizes, &n, &e));
	ck_assert_uint_eq(n, 2);
	ck_assert(sizes[0].file == 0 && sizes[0].size == 5 && sizes[1].size == 2);
	ck_assert_str_eq(sizes[0].coding, "br");
	ck_assert_str_eq(sizes[1].coding, "gzip");
}
END_TEST

START_TEST(a_list_has_all_of_them_and_names_chains)
{
	static struct catalog_variant_row list[CATALOG_VARIANT_BATCH];
	struct catalog_variant_cursor at = {.ended = false};
	struct catalog_blob identity = unit_catalog_blob("identity");
	size_t n;
	struct err e;

	unit_catalog_publish("m", "identity", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	ck_ok(catalog_variant_list(unit_catalog, &at, list, &n, &e));
	ck_assert(at.ended && n == 2);
	ck_assert(digest_eq(&list[0].of.digest, &identity.digest) && list[0].of.size == 8);
	ck_assert(list[0].form.size == 2 && !list[0].chained);
	ck_assert_str_eq(list[1].coding, "gzip");
	at.ended = false;
	ck_ok(catalog_variant_list(unit_catalog, &at, list, &n, &e));
	ck_assert(at.ended && n == 0);
	unit_catalog_raw("INSERT INTO variants SELECT form, 'br', digest FROM variants LIMIT 1");
	at = (struct catalog_variant_cursor){.ended = false};
	ck_ok(catalog_variant_list(unit_catalog, &at, list, &n, &e));
	ck_assert_uint_eq(n, 3);
	ck_assert(list[0].chained || list[1].chained || list[2].chained);
}
END_TEST

/* ---- collection ---- */

START_TEST(forms_are_held_as_long_as_what_they_are_forms_of)
{
	size_t marked;

	unit_catalog_publish("m", "identity", NULL);
	unit_catalog_publish("m", "newer", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	ck_assert(set_two("newer", "newer br", "newer gz"));
	ck_assert_uint_eq(collect(0, &marked), 0);
	delete_version("m", 1);
	ck_assert_uint_eq(collect(0, &marked), 3);
	ck_assert_uint_eq(marked, 3);
	ck_assert_int_eq(rows("trash"), 3);
	ck_assert_int_eq(rows("blobs"), 3);
	ck_assert_int_eq(rows("variants"), 2);
	ck_assert(has_form("newer", "br", "newer br") && has_form("newer", "gzip", "newer gz"));
	check_nothing_wrong();
}
END_TEST

/* The moment of a form is that of what it is a form of: made later, it does not stay longer. */
START_TEST(the_grace_time_is_the_same_for_both)
{
	size_t marked;

	unit_catalog_publish("m", "identity", NULL);
	unit_catalog_raw("UPDATE blobs SET touched = touched - 7200000");
	ck_assert(set_two("identity", "br", "gz"));
	ck_assert_uint_eq(collect(HOUR_MS, &marked), 0);
	delete_version("m", 1);
	unit_catalog_raw("UPDATE blobs SET touched = touched + 7200000");
	ck_assert_uint_eq(collect(HOUR_MS, &marked), 0);
	unit_catalog_raw("UPDATE blobs SET touched = touched - 7200000");
	ck_assert_uint_eq(collect(HOUR_MS, &marked), 3);
	ck_assert_uint_eq(marked, 3);
}
END_TEST

START_TEST(what_a_publish_found_again_keeps_its_forms)
{
	struct catalog_blob identity = unit_catalog_blob("identity");
	size_t marked;
	struct err e;

	unit_catalog_publish("m", "identity", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	unit_catalog_raw("UPDATE blobs SET touched = touched - 7200000");
	delete_version("m", 1);
	ck_ok(catalog_stage(unit_catalog, &identity, 1, clock_now_ms() + HOUR_MS, &e));
	ck_assert(identity.exists);
	ck_assert_uint_eq(collect(HOUR_MS, &marked), 0);
	ck_assert(has_form("identity", "br", "br") && has_form("identity", "gzip", "gz"));
}
END_TEST

START_TEST(a_form_that_a_version_holds_stays_when_the_other_goes)
{
	size_t marked;

	unit_catalog_publish("m", "identity", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	unit_catalog_publish("n", "br", NULL);
	delete_version("m", 1);
	(void)collect(0, &marked);
	ck_assert_uint_eq(marked, 2);
	ck_assert_int_eq(rows("blobs"), 1);
	delete_version("n", 1);
	(void)collect(0, &marked);
	ck_assert_uint_eq(marked, 1);
	check_nothing_wrong();
}
END_TEST

START_TEST(what_is_in_the_queue_goes_with_the_blob)
{
	struct catalog_variant_job job;
	uint64_t wait_ms;
	size_t marked;

	unit_catalog_publish("m", "identity", NULL);
	delete_version("m", 1);
	ck_assert(next(&job, &wait_ms));
	ck_assert_str_eq(job.path, "");
	(void)collect(0, &marked);
	ck_assert_uint_eq(marked, 1);
	ck_assert_int_eq(rows("variants_due"), 0);
}
END_TEST

/* ---- damage ---- */

START_TEST(a_form_that_is_lost_is_made_again)
{
	struct catalog_scrub before, after;
	struct catalog_variant v;
	bool dropped;
	struct err e;

	unit_catalog_publish("m", "identity", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	ck_assert(find("identity", "br", &v));
	ck_ok(catalog_scrub_read(unit_catalog, &before, &e));
	ck_ok(catalog_variant_drop(unit_catalog, &v.key, &dropped, &e));
	ck_assert(dropped);
	ck_ok(catalog_variant_drop(unit_catalog, &v.key, &dropped, &e));
	ck_assert(!dropped);
	ck_assert(!find("identity", "br", &v) && has_form("identity", "gzip", "gz"));
	ck_assert(is_next("identity"));
	ck_ok(catalog_scrub_read(unit_catalog, &after, &e));
	ck_assert_uint_eq(after.found, before.found + 1);
	ck_assert_uint_eq(after.damaged, 0);
	ck_assert_int_eq(rows("trash"), 1);
	ck_assert(set_two("identity", "br", "gz"));
	ck_assert(has_form("identity", "br", "br"));
	check_nothing_wrong();
}
END_TEST

START_TEST(what_is_more_than_a_form_is_not_dropped)
{
	struct catalog_variant v;
	struct catalog_blob alone = unit_catalog_blob("alone");
	bool dropped;
	struct err e;

	unit_catalog_publish("m", "identity", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	unit_catalog_publish("n", "br", NULL);
	ck_assert(find("identity", "br", &v));
	ck_ok(catalog_variant_drop(unit_catalog, &v.key, &dropped, &e));
	ck_assert(!dropped);
	unit_catalog_publish("n", "alone", NULL);
	ck_ok(catalog_stage(unit_catalog, &alone, 1, clock_now_ms() + HOUR_MS, &e));
	ck_ok(catalog_variant_drop(unit_catalog, &alone.key, &dropped, &e));
	ck_assert(!dropped);
	ck_assert(has_form("identity", "br", "br"));
}
END_TEST

START_TEST(who_holds_a_form_is_told)
{
	CLEANUP_BUF struct buf holders = BUF_INIT(1000);
	struct catalog_blob br = unit_catalog_blob("br");
	struct err e;

	unit_catalog_publish("m", "identity", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	ck_ok(catalog_holders(unit_catalog, &br.digest, &holders, &e));
	ck_assert_str_eq(buf_str(&holders), "the br form of m@1/model.json");
}
END_TEST

START_TEST(the_models_that_hold_something_are_told)
{
	struct catalog_blob identity = unit_catalog_blob("identity");
	struct catalog_name names[2];
	size_t n;
	struct err e;

	unit_catalog_publish("a", "identity", NULL);
	unit_catalog_publish("b", "identity", NULL);
	ck_ok(catalog_variant_models(unit_catalog, &identity.digest, names, 2, &n, &e));
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(names[0].text, "a");
	ck_assert_str_eq(names[1].text, "b");
	ck_ok(catalog_variant_models(unit_catalog, &identity.digest, names, 1, &n, &e));
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* ---- copying ---- */

START_TEST(a_copy_has_the_forms_of_what_versions_hold)
{
	char path[512];
	struct catalog *copy;
	uint64_t versions;
	struct err e;

	unit_catalog_publish("m", "identity", NULL);
	unit_catalog_publish("m", "newer", NULL);
	ck_assert(set_two("identity", "br", "gz"));
	ck_assert(set_two("newer", "newer br", "newer gz"));
	delete_version("m", 1);
	(void)snprintf(path, sizeof(path), "%s/copy", unit_dir_path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/copy/catalog.db", unit_dir_path);
	ck_ok(catalog_snapshot(unit_catalog, path, &e));
	path[strlen(path) - strlen("/catalog.db")] = '\0';
	ck_ok(catalog_sqlite_open(path, &copy, &e));
	ck_ok(catalog_strip(copy, &versions, &e));
	catalog_close(unit_catalog);
	unit_catalog = copy;
	ck_assert(has_form("newer", "br", "newer br") && has_form("newer", "gzip", "newer gz"));
	check_nothing_wrong();
	struct catalog_blob blobs[CATALOG_BLOBS_BATCH];
	struct catalog_cursor at = {.started = false};
	size_t n;
	ck_ok(catalog_blobs(copy, &at, blobs, &n, &e));
	ck_assert_uint_eq(n, 3);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog variants");
	TCase *t = tcase_create("catalog variants");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_is_published_is_in_the_queue_until_it_was_looked_at);
	tcase_add_test(t, the_oldest_is_the_next_and_one_that_was_put_off_the_last);
	tcase_add_test(t, what_was_put_off_is_looked_at_when_it_is_published_again);
	tcase_add_test(t, what_was_looked_at_is_not_looked_at_again);
	tcase_add_test(t, a_catalog_from_before_has_all_of_its_files_in_the_queue);
	tcase_add_test(t, forms_of_what_is_gone_become_trash);
	tcase_add_test(t, a_form_has_no_forms);
	tcase_add_test(t, forms_that_are_made_again_take_the_place_of_the_old_ones);
	tcase_add_test(t, sizes_are_those_of_the_files_of_a_version);
	tcase_add_test(t, a_list_has_all_of_them_and_names_chains);
	tcase_add_test(t, forms_are_held_as_long_as_what_they_are_forms_of);
	tcase_add_test(t, the_grace_time_is_the_same_for_both);
	tcase_add_test(t, what_a_publish_found_again_keeps_its_forms);
	tcase_add_test(t, a_form_that_a_version_holds_stays_when_the_other_goes);
	tcase_add_test(t, what_is_in_the_queue_goes_with_the_blob);
	tcase_add_test(t, a_form_that_is_lost_is_made_again);
	tcase_add_test(t, what_is_more_than_a_form_is_not_dropped);
	tcase_add_test(t, who_holds_a_form_is_told);
	tcase_add_test(t, the_models_that_hold_something_are_told);
	tcase_add_test(t, a_copy_has_the_forms_of_what_versions_hold);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
