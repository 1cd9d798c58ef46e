/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads that stay open, in the catalog. */
#include "common/base/clock.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"

#define AGE_MS UINT64_C(3600000)
#define ID     "0123456789abcdef0123456789abcdef"
#define OTHER  "fedcba9876543210fedcba9876543210"

static struct catalog_upload_change change(const char *path)
{
	return (struct catalog_upload_change){
		.id = ID, .path = path, .age_ms = AGE_MS, .max_files = 2};
}

static void add(const char *id)
{
	struct err e;

	ck_ok(catalog_upload_add(unit_catalog, id, "m", AGE_MS, 2, &e));
}

static int put(const char *path, const char *text, struct catalog_upload_changed *ret,
	struct err *e)
{
	struct catalog_upload_change x = change(path);
	struct catalog_blob blob = unit_catalog_blob(text);
	int r = catalog_stage(unit_catalog, &blob, 1, clock_now_ms() + AGE_MS, e);

	return r < 0 ? r : catalog_upload_put(unit_catalog, &x, &blob, ret, e);
}

static struct catalog_upload *read_upload(void)
{
	struct catalog_upload *u = NULL;
	struct err e;

	ck_ok(catalog_upload(unit_catalog, ID, &u, &e));
	return u;
}

START_TEST(an_upload_has_what_was_put_into_it)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	struct catalog_upload_change part = change("b");
	struct catalog_upload_changed done;
	struct err e;

	add(ID);
	ck_ok(put("b", "old", &done, &e));
	ck_assert(!done.replaced);
	ck_ok(put("a", "12345", &done, &e));
	ck_ok(catalog_upload_set_part(unit_catalog, &part, "name", 7, &e));
	u = read_upload();
	ck_assert_str_eq(u->model, "m");
	ck_assert_uint_eq(u->version, 0);
	ck_assert_uint_eq(u->revision, 3);
	ck_assert_uint_eq(u->files_n, 2);
	ck_assert_str_eq(u->files[0].path, "a");
	ck_assert_uint_eq(u->files[0].size, 5);
	ck_assert_uint_eq(u->parts_n, 1);
	ck_assert_str_eq(u->parts[0].name, "name");
	ck_assert_uint_eq(u->parts[0].size, 7);
}
END_TEST

START_TEST(a_new_file_replaces_the_old_one_and_the_part)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	struct catalog_upload_change part = change("a");
	struct catalog_upload_changed done;
	struct err e;

	add(ID);
	ck_ok(put("a", "old", &done, &e));
	ck_ok(catalog_upload_set_part(unit_catalog, &part, "name", 7, &e));
	ck_ok(put("a", "newer", &done, &e));
	ck_assert(done.replaced);
	ck_assert_uint_eq(done.old_size, 3);
	u = read_upload();
	ck_assert_uint_eq(u->files_n, 1);
	ck_assert_uint_eq(u->files[0].size, 5);
	ck_assert_uint_eq(u->parts_n, 0);
}
END_TEST

START_TEST(a_file_too_many_is_refused)
{
	struct catalog_upload_changed done;
	struct err e;

	add(ID);
	ck_ok(put("a", "1", &done, &e));
	ck_ok(put("b", "2", &done, &e));
	ck_err(put("c", "3", &done, &e), ERR_TOO_LARGE);
	ck_ok(put("b", "3", &done, &e));
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM upload_files"), 2);
}
END_TEST

START_TEST(so_many_may_be_open)
{
	struct err e;

	add(ID);
	add(OTHER);
	ck_err(catalog_upload_add(unit_catalog, "x", "m", AGE_MS, 2, &e), ERR_TOO_MANY);
	ck_ok(catalog_upload_drop(unit_catalog, OTHER, &e));
	ck_ok(catalog_upload_add(unit_catalog, "x", "m", AGE_MS, 2, &e));
}
END_TEST

START_TEST(a_blob_is_mounted_when_it_is_there)
{
	const struct catalog_blob known = unit_catalog_blob("known");
	const struct catalog_blob other = unit_catalog_blob("x");
	struct catalog_upload_change x = change("a");
	struct catalog_upload_changed done;
	struct err e;

	add(ID);
	(void)unit_catalog_publish("n", "known", NULL);
	ck_ok(catalog_upload_mount(unit_catalog, &x, &known.digest, &done, &e));
	ck_assert_uint_eq(done.size, 5);
	ck_err(catalog_upload_mount(unit_catalog, &x, &other.digest, &done, &e),
		ERR_FILE_NOT_FOUND);
}
END_TEST

static size_t collect_all(void)
{
	struct catalog_garbage rows[CATALOG_GARBAGE_BATCH];
	struct catalog_cursor at = {.started = false};
	uint64_t bytes;
	size_t n;
	struct err e;

	ck_ok(catalog_find_garbage(unit_catalog, &at, 0, rows, &n, &e));
	ck_ok(catalog_collect(unit_catalog, rows, n, 0, 0, &n, &bytes, &e));
	return n;
}

START_TEST(what_an_upload_holds_is_no_garbage)
{
	struct catalog_upload_change x = change("a");
	struct catalog_upload_changed done;
	struct err e;

	add(ID);
	ck_ok(put("a", "1", &done, &e));
	ck_ok(put("b", "2", &done, &e));
	ck_assert_uint_eq(collect_all(), 0);
	ck_ok(catalog_upload_remove(unit_catalog, &x, &done, &e));
	ck_assert(done.replaced);
	ck_assert_uint_eq(collect_all(), 1);
	ck_ok(catalog_upload_drop(unit_catalog, ID, &e));
	ck_assert_uint_eq(collect_all(), 1);
}
END_TEST

START_TEST(a_row_that_was_found_to_be_garbage_is_kept_for_an_upload)
{
	struct catalog_garbage rows[CATALOG_GARBAGE_BATCH];
	struct catalog_cursor at = {.started = false};
	struct catalog_upload_changed done;
	uint64_t bytes;
	size_t n;
	struct err e;

	(void)unit_catalog_publish("n", "1", NULL);
	ck_ok(catalog_delete_version(unit_catalog, "n", 1, &e));
	ck_ok(catalog_find_garbage(unit_catalog, &at, 0, rows, &n, &e));
	ck_assert_uint_eq(n, 1);
	add(ID);
	ck_ok(put("a", "1", &done, &e));
	ck_ok(catalog_collect(unit_catalog, rows, n, 0, 0, &n, &bytes, &e));
	ck_assert_uint_eq(n, 0);
}
END_TEST

static int publish(uint64_t revision, uint64_t *ret_version, bool *ret_deduplicated, struct err *e)
{
	struct catalog_blob blob = unit_catalog_blob("1");
	const struct catalog_file file = {.path = "model.json", .blob = 0};
	const struct catalog_publish p = {
		.model = "m",
		.root = blob.digest,
		.info = "{}",
		.blobs = &blob,
		.blobs_n = 1,
		.files = &file,
		.files_n = 1,
		.who = "",
		.upload = ID,
		.upload_revision = revision,
	};
	int r = catalog_stage(unit_catalog, &blob, 1, clock_now_ms() + AGE_MS, e);

	return r < 0 ? r :
		catalog_publish(unit_catalog, &p, ret_version, ret_deduplicated, NULL, e);
}

START_TEST(an_upload_becomes_one_version)
{
	struct catalog_upload_changed done;
	uint64_t version = 0;
	bool same = true;
	struct err e;

	add(ID);
	ck_ok(put("model.json", "1", &done, &e));
	ck_err(publish(0, &version, &same, &e), ERR_CONFLICT);
	ck_ok(publish(1, &version, &same, &e));
	ck_assert_uint_eq(version, 1);
	ck_assert(!same);
	(void)unit_catalog_publish("m", "between", NULL);
	ck_ok(publish(1, &version, &same, &e));
	ck_assert_uint_eq(version, 1);
	ck_assert(same);
	ck_err(put("model.json", "2", &done, &e), ERR_CONFLICT);
	ck_ok(catalog_delete_version(unit_catalog, "m", 1, &e));
	ck_err(publish(1, &version, &same, &e), ERR_DELETED);
	ck_ok(catalog_upload_drop(unit_catalog, ID, &e));
	ck_err(publish(1, &version, &same, &e), ERR_UPLOAD_NOT_FOUND);
}
END_TEST

START_TEST(uploads_are_listed_in_order)
{
	struct catalog_upload_id rows[2];
	size_t n;
	struct err e;

	add(OTHER);
	add(ID);
	ck_ok(catalog_uploads(unit_catalog, "", rows, 2, &n, &e));
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(rows[0].text, ID);
	ck_ok(catalog_uploads(unit_catalog, ID, rows, 2, &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(rows[0].text, OTHER);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog uploads");
	TCase *t = tcase_create("catalog uploads");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, an_upload_has_what_was_put_into_it);
	tcase_add_test(t, a_new_file_replaces_the_old_one_and_the_part);
	tcase_add_test(t, a_file_too_many_is_refused);
	tcase_add_test(t, so_many_may_be_open);
	tcase_add_test(t, a_blob_is_mounted_when_it_is_there);
	tcase_add_test(t, what_an_upload_holds_is_no_garbage);
	tcase_add_test(t, a_row_that_was_found_to_be_garbage_is_kept_for_an_upload);
	tcase_add_test(t, an_upload_becomes_one_version);
	tcase_add_test(t, uploads_are_listed_in_order);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
