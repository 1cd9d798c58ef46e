/* SPDX-License-Identifier: Apache-2.0 */
/* Deletion and collection in the catalog. */
#include "common/base/clock.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"

#define HOUR_MS UINT64_C(3600000)

static void check_version(const char *model, uint64_t version, enum err_code want)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct err e;

	if (want == ERR_NONE)
		ck_ok(catalog_version(unit_catalog, model, version, &v, &e));
	else
		ck_err(catalog_version(unit_catalog, model, version, &v, &e), want);
}

static uint64_t latest_of(const char *model)
{
	struct catalog_model m;
	struct err e;

	ck_ok(catalog_model(unit_catalog, model, &m, &e));
	return m.latest;
}

static void deleted(const char *model, uint64_t version)
{
	struct err e;

	ck_ok(catalog_delete_version(unit_catalog, model, version, &e));
}

/* ---- deletion ---- */

START_TEST(a_deleted_version_is_gone_and_latest_skips_it)
{
	struct catalog_model m;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	unit_catalog_publish("m", "three", NULL);
	deleted("m", 3);
	check_version("m", 3, ERR_DELETED);
	check_version("m", 2, ERR_NONE);
	ck_assert_uint_eq(latest_of("m"), 2);
	deleted("m", 1);
	ck_assert_uint_eq(latest_of("m"), 2);
	ck_ok(catalog_model(unit_catalog, "m", &m, &e));
	ck_assert_uint_eq(m.versions, 1);
	ck_assert_uint_eq(m.bytes, 3);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM version_files"), 1);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM version_tensors"), 1);
	ck_assert_int_eq(
		unit_catalog_raw("SELECT COUNT(*) FROM changes WHERE kind = 'version-deleted'"),
		2);
	unit_catalog_reopen();
	check_version("m", 3, ERR_DELETED);
}
END_TEST

START_TEST(deleting_needs_a_version_that_is_there)
{
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	deleted("m", 1);
	ck_err(catalog_delete_version(unit_catalog, "m", 1, &e), ERR_DELETED);
	ck_err(catalog_delete_version(unit_catalog, "m", 2, &e), ERR_VERSION_NOT_FOUND);
	ck_err(catalog_delete_version(unit_catalog, "none", 1, &e), ERR_MODEL_NOT_FOUND);
	ck_err(catalog_delete_model(unit_catalog, "m", "", &e), ERR_DELETED);
	ck_err(catalog_delete_model(unit_catalog, "none", "", &e), ERR_MODEL_NOT_FOUND);
}
END_TEST

START_TEST(a_version_with_a_label_stays)
{
	struct err e;

	unit_catalog_publish("m", "one", "stable");
	ck_err(catalog_delete_version(unit_catalog, "m", 1, &e), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.text, "stable"));
	check_version("m", 1, ERR_NONE);
	unit_catalog_publish("m", "two", "stable");
	deleted("m", 1);
	check_version("m", 1, ERR_DELETED);
}
END_TEST

START_TEST(numbers_go_on_after_a_deletion)
{
	struct catalog_model m;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	deleted("m", 2);
	ck_assert_uint_eq(unit_catalog_publish("m", "two", NULL), 3);
	deleted("m", 3);
	deleted("m", 1);
	ck_err(catalog_model(unit_catalog, "m", &m, &e), ERR_DELETED);
	check_version("m", 0, ERR_DELETED);
	ck_assert_uint_eq(unit_catalog_publish("m", "one", NULL), 4);
	ck_assert_uint_eq(latest_of("m"), 4);
	check_version("m", 1, ERR_DELETED);
}
END_TEST

static int count_models(void *cls, const struct catalog_model *m, struct err *e)
{
	(void)m;
	(void)e;
	(*(size_t *)cls)++;
	return 0;
}

START_TEST(a_deleted_model_loses_versions_and_labels_and_goes_on_later)
{
	struct catalog_label label;
	size_t n = 0;
	struct err e;

	unit_catalog_publish("other", "one", NULL);
	unit_catalog_publish("m", "one", "stable");
	unit_catalog_publish("m", "two", NULL);
	unit_catalog_publish("m", "three", "canary");
	deleted("m", 2);
	ck_ok(catalog_delete_model(unit_catalog, "m", "me", &e));
	for (uint64_t version = 0; version <= 3; version++)
		check_version("m", version, ERR_DELETED);
	check_version("m", 4, ERR_VERSION_NOT_FOUND);
	ck_err(catalog_label(unit_catalog, "m", "stable", &label, &e), ERR_DELETED);
	ck_ok(catalog_list_models(unit_catalog, "", "", 10, count_models, &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM labels"), 0);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM version_files"), 1);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM version_tensors"), 1);
	ck_assert_int_eq(
		unit_catalog_raw("SELECT COUNT(*) FROM label_moves WHERE new_version = 0"
				 " AND who = 'me'"), 2);
	ck_assert_int_eq(
		unit_catalog_raw("SELECT COUNT(*) FROM changes WHERE kind = 'version-deleted'"),
		3);
	ck_assert_int_eq(
		unit_catalog_raw("SELECT COUNT(*) FROM changes WHERE kind = 'model-deleted'"), 1);
	ck_assert_int_eq(unit_catalog_raw("SELECT MAX(sequence) - COUNT(*) FROM changes"), 0);
	ck_assert_uint_eq(unit_catalog_publish("m", "three", NULL), 4);
	check_version("m", 0, ERR_NONE);
}
END_TEST

START_TEST(a_root_names_the_newest_version_that_is_left)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP(catalog_version_free_p) struct catalog_version *none = NULL;
	struct digest root = unit_catalog_blob("one").digest;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	unit_catalog_publish("m", "one", NULL);
	deleted("m", 3);
	ck_ok(catalog_version_by_root(unit_catalog, "m", &root, &v, &e));
	ck_assert_uint_eq(v->version, 1);
	deleted("m", 1);
	ck_err(catalog_version_by_root(unit_catalog, "m", &root, &none, &e), ERR_DELETED);
}
END_TEST

/* ---- collection ---- */

static struct catalog_garbage rows[CATALOG_GARBAGE_BATCH];

static size_t found(uint64_t grace_ms)
{
	struct catalog_cursor at = {.started = false};
	size_t all = 0;
	struct err e;

	while (!at.ended) {
		size_t n;
		ck_ok(catalog_find_garbage(unit_catalog, &at, grace_ms, rows, &n, &e));
		all += n;
	}
	return all;
}

static size_t collected(uint64_t grace_ms, uint64_t delay_ms, uint64_t *ret_bytes)
{
	struct catalog_cursor at = {.started = false};
	size_t found_n, n;
	struct err e;

	ck_ok(catalog_find_garbage(unit_catalog, &at, grace_ms, rows, &found_n, &e));
	ck_ok(catalog_collect(unit_catalog, rows, found_n, grace_ms, delay_ms, &n, ret_bytes, &e));
	return n;
}

START_TEST(a_blob_goes_when_no_version_holds_it)
{
	struct blob_key keys[4];
	uint64_t bytes;
	size_t n;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "three", NULL);
	unit_catalog_publish("n", "one", NULL);
	ck_assert_uint_eq(found(0), 0);
	deleted("m", 1);
	ck_assert_uint_eq(found(0), 0);
	deleted("m", 2);
	ck_assert_uint_eq(found(HOUR_MS), 0);
	ck_assert_uint_eq(found(0), 1);
	ck_assert_uint_eq(collected(0, HOUR_MS, &bytes), 1);
	ck_assert_uint_eq(bytes, 5);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM blobs"), 1);
	ck_ok(catalog_trash_due(unit_catalog, false, keys, ARRAY_SIZE(keys), &n, &e));
	ck_assert_uint_eq(n, 0);
	ck_ok(catalog_trash_due(unit_catalog, true, keys, ARRAY_SIZE(keys), &n, &e));
	ck_assert_uint_eq(n, 1);
	check_version("n", 1, ERR_NONE);
}
END_TEST

START_TEST(a_blob_that_a_publish_asked_for_stays_for_the_grace_time)
{
	struct catalog_blob blob = unit_catalog_blob("one");
	uint64_t bytes;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	deleted("m", 1);
	unit_catalog_raw("UPDATE blobs SET touched = 1000");
	ck_assert_uint_eq(found(HOUR_MS), 1);
	ck_ok(catalog_stage(unit_catalog, &blob, 1, clock_now_ms() + HOUR_MS, &e));
	ck_assert(blob.exists);
	ck_assert_uint_eq(found(HOUR_MS), 0);
	ck_assert_uint_eq(collected(HOUR_MS, 0, &bytes), 0);
}
END_TEST

START_TEST(what_is_wanted_again_after_it_was_found_is_not_taken)
{
	struct catalog_cursor at = {.started = false};
	struct catalog_blob blob = unit_catalog_blob("one");
	size_t found_n, n;
	uint64_t bytes;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	deleted("m", 1);
	deleted("m", 2);
	unit_catalog_raw("UPDATE blobs SET touched = 1000");
	ck_ok(catalog_find_garbage(unit_catalog, &at, HOUR_MS, rows, &found_n, &e));
	ck_assert_uint_eq(found_n, 2);
	ck_ok(catalog_stage(unit_catalog, &blob, 1, clock_now_ms() + HOUR_MS, &e));
	unit_catalog_publish("n", "two", NULL);
	unit_catalog_raw("UPDATE blobs SET touched = 1000 WHERE size = 3 AND EXISTS"
			 " (SELECT 1 FROM version_files f WHERE f.digest = blobs.digest)");
	ck_ok(catalog_collect(unit_catalog, rows, found_n, HOUR_MS, 0, &n, &bytes, &e));
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(bytes, 0);
	check_version("n", 1, ERR_NONE);
}
END_TEST

static void stage_and_publish(struct catalog_blob *blob, const char *model, int want)
{
	const struct catalog_file file = {.path = "model.json", .blob = 0};
	const struct catalog_publish p = {
		.model = model,
		.root = blob->digest,
		.info = "{}",
		.blobs = blob,
		.blobs_n = 1,
		.files = &file,
		.files_n = 1,
	};
	uint64_t version;
	bool deduplicated;
	struct err e;

	ck_assert_int_eq(catalog_publish(unit_catalog, &p, &version, &deduplicated, NULL, &e),
		want);
}

START_TEST(a_publish_whose_blob_was_taken_is_told_and_needs_a_key_of_its_own)
{
	struct catalog_blob blob = unit_catalog_blob("one");
	uint64_t bytes;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	deleted("m", 1);
	ck_ok(catalog_stage(unit_catalog, &blob, 1, clock_now_ms() + HOUR_MS, &e));
	ck_assert_uint_eq(collected(0, 0, &bytes), 1);
	stage_and_publish(&blob, "n", -(int)ERR_BLOB_GONE);
	unit_catalog_publish("other", "one", NULL); /* and it is there again */
	blob.needs_key = true;
	ck_ok(catalog_stage(unit_catalog, &blob, 1, clock_now_ms() + HOUR_MS, &e));
	ck_assert(!blob.exists);
	stage_and_publish(&blob, "n", 0);
	check_version("n", 1, ERR_NONE);
	/* the first key, and its own, which lost to the other's */
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM trash"), 2);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM blobs"), 1);
}
END_TEST

START_TEST(many_blobs_are_found_in_batches)
{
	unit_catalog_raw("WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"
			 " WHERE i < 1234) INSERT INTO blobs (digest, gen, size, touched)"
			 " SELECT printf('%064x', i * 7919), '0123456789abcdef', 1,"
			 " i % 2 * 1000 + 5 FROM c");
	ck_assert_uint_eq(found(0), 1234);
	unit_catalog_raw("UPDATE blobs SET touched = (SELECT MAX(applied) FROM schema_versions)"
			 " WHERE touched = 5");
	ck_assert_uint_eq(found(HOUR_MS), 617);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog life");
	TCase *t = tcase_create("catalog life");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_add_test(t, a_deleted_version_is_gone_and_latest_skips_it);
	tcase_add_test(t, deleting_needs_a_version_that_is_there);
	tcase_add_test(t, a_version_with_a_label_stays);
	tcase_add_test(t, numbers_go_on_after_a_deletion);
	tcase_add_test(t, a_deleted_model_loses_versions_and_labels_and_goes_on_later);
	tcase_add_test(t, a_root_names_the_newest_version_that_is_left);
	tcase_add_test(t, a_blob_goes_when_no_version_holds_it);
	tcase_add_test(t, a_blob_that_a_publish_asked_for_stays_for_the_grace_time);
	tcase_add_test(t, what_is_wanted_again_after_it_was_found_is_not_taken);
	tcase_add_test(t, a_publish_whose_blob_was_taken_is_told_and_needs_a_key_of_its_own);
	tcase_add_test(t, many_blobs_are_found_in_batches);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
