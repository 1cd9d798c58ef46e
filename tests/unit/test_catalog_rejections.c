/* SPDX-License-Identifier: Apache-2.0 */
/* Refused publishes in the catalog: order, limits, expiry. */
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/store/catalog.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <sqlite3.h>

static struct catalog *catalog;

static void open_catalog(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
}

static void close_catalog(void)
{
	catalog_close(catalog);
	unit_dir_remove();
}

static void reopen(void)
{
	struct err e;

	catalog_close(take_ptr(catalog));
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
}

static int compare_bytes(void *cls, int an, const void *a, int bn, const void *b)
{
	int order = memcmp(a, b, (size_t)(an < bn ? an : bn));

	(void)cls;
	return order ? order : an - bn;
}

/* Behind the catalog's back. */
static sqlite3_int64 raw(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	sqlite3_int64 value = -1;
	int rc;

	ck_assert_int_eq(sqlite3_open(unit_dir_file("catalog.db"), &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	sqlite3_create_collation(db, "C", SQLITE_UTF8, NULL, compare_bytes);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(db));
	rc = sqlite3_step(stmt);
	ck_assert_msg(rc == SQLITE_ROW || rc == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
	if (rc == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

static int reject(const char *model, const char *errors, const char *request_id, struct err *e)
{
	const struct catalog_reject x = {
		.model = model,
		.status = 422,
		.code = "NOT_LOADABLE",
		.detail = "it's \"broken\"",
		.errors = errors,
		.request_id = request_id,
	};

	return catalog_reject(catalog, &x, e);
}

static void reject_numbered(const char *model, unsigned n)
{
	char id[16];
	struct err e;

	(void)snprintf(id, sizeof(id), "%u", n);
	ck_ok(reject(model, "[]", id, &e));
}

static struct catalog_rejections *of(const char *model)
{
	struct catalog_rejections *list = NULL;
	struct err e;

	ck_ok(catalog_rejections(catalog, model, &list, &e));
	return list;
}

START_TEST(a_refusal_is_read_back_whole)
{
	uint64_t before = clock_now_ms();
	struct err e;

	ck_ok(reject("team/m", "[{\"rule\":\"json.root\"}]", "abc", &e));
	reopen();
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = of("team/m");
	ck_assert_uint_eq(list->n, 1);
	ck_assert_uint_ge(list->items[0].refused_ms, before);
	ck_assert_uint_le(list->items[0].refused_ms, clock_now_ms());
	ck_assert_uint_eq(list->items[0].status, 422);
	ck_assert_str_eq(list->items[0].code, "NOT_LOADABLE");
	ck_assert_str_eq(list->items[0].detail, "it's \"broken\"");
	ck_assert_str_eq(list->items[0].errors, "[{\"rule\":\"json.root\"}]");
	ck_assert_str_eq(list->items[0].request_id, "abc");
}
END_TEST

START_TEST(a_model_without_refusals_has_none)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;

	reject_numbered("team", 1);
	reject_numbered("team/m2", 1);
	list = of("team/m");
	ck_assert_uint_eq(list->n, 0);
}
END_TEST

START_TEST(a_model_keeps_its_last_ones_newest_first)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *other = NULL;

	reject_numbered("other", 0);
	for (unsigned i = 1; i <= CATALOG_REJECTIONS_OF_MODEL + 5; i++)
		reject_numbered("m", i);
	list = of("m");
	ck_assert_uint_eq(list->n, CATALOG_REJECTIONS_OF_MODEL);
	for (unsigned i = 0; i < list->n; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%u", CATALOG_REJECTIONS_OF_MODEL + 5 - i);
		ck_assert_str_eq(list->items[i].request_id, id);
	}
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM rejections"), CATALOG_REJECTIONS_OF_MODEL + 1);
	other = of("other");
	ck_assert_uint_eq(other->n, 1);
}
END_TEST

START_TEST(a_flood_under_many_names_pushes_out_the_oldest)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *first = NULL;
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *last = NULL;

	reject_numbered("first", 1);
	/* all but one of the places, at once */
	raw("WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
	    " INSERT INTO rejections (sequence, model, refused, status, code, detail, errors,"
	    " request_id) SELECT i, 'm' || i, 0, 422, '', '', '[]', '' FROM n");
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM rejections"), CATALOG_REJECTIONS_MAX);
	reject_numbered("last", 1);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM rejections"), CATALOG_REJECTIONS_MAX);
	first = of("first");
	ck_assert_uint_eq(first->n, 0);
	last = of("last");
	ck_assert_uint_eq(last->n, 1);
}
END_TEST

START_TEST(findings_longer_than_the_limit_are_refused)
{
	CLEANUP_FREE char *errors = calloc(1, CATALOG_REJECTION_ERRORS_MAX + 2);
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;
	struct err e;

	ck_assert_ptr_nonnull(errors);
	memset(errors, ' ', CATALOG_REJECTION_ERRORS_MAX + 1);
	ck_err(reject("m", errors, "1", &e), ERR_TOO_LARGE);
	errors[CATALOG_REJECTION_ERRORS_MAX] = '\0';
	ck_ok(reject("m", errors, "2", &e));
	list = of("m");
	ck_assert_uint_eq(list->n, 1);
	ck_assert_uint_eq(strlen(list->items[0].errors), CATALOG_REJECTION_ERRORS_MAX);
}
END_TEST

START_TEST(what_was_refused_before_a_moment_is_forgotten)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;
	struct err e;

	reject_numbered("m", 1);
	reject_numbered("n", 2);
	raw("UPDATE rejections SET refused = 1000 WHERE request_id = '1'");
	ck_ok(catalog_expire_rejections(catalog, 1000, &e));
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM rejections"), 2);
	ck_ok(catalog_expire_rejections(catalog, 1001, &e));
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM rejections"), 1);
	list = of("n");
	ck_assert_uint_eq(list->n, 1);
	ck_ok(catalog_expire_rejections(catalog, clock_now_ms() + 1, &e));
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM rejections"), 0);
	reject_numbered("n", 3); /* in an empty table as in a new one */
}
END_TEST

/* As the first release made it. */
static void undo_migrations(void)
{
	raw("ALTER TABLE versions DROP COLUMN provenance");
	raw("DROP INDEX version_tensors_due");
	raw("ALTER TABLE version_tensors DROP COLUMN due");
	raw("ALTER TABLE changes DROP COLUMN who");
	raw("ALTER TABLE changes DROP COLUMN address");
	raw("ALTER TABLE changes DROP COLUMN request");
	raw("DROP TABLE store_keys");
	raw("DROP TABLE tokens");
	raw("DROP TABLE jobs");
	raw("DROP TABLE fetched");
	raw("DROP TABLE mirrors");
	raw("DROP TABLE usage");
	raw("DROP TABLE variants_due");
	raw("DROP TABLE variants");
	raw("ALTER TABLE blobs DROP COLUMN coded");
	raw("DROP TABLE scrub");
	raw("DROP TABLE damage");
	raw("DROP TABLE label_moves");
	raw("DROP TABLE labels");
	raw("DROP INDEX versions_live");
	raw("CREATE INDEX versions_bytes ON versions (model, bytes)");
	raw("ALTER TABLE versions DROP COLUMN deleted");
	raw("ALTER TABLE models DROP COLUMN label_revision");
	raw("DROP TABLE upload_parts");
	raw("DROP TABLE upload_files");
	raw("DROP TABLE uploads");
	raw("DROP TABLE version_tensors");
	raw("DROP TABLE rejections");
	raw("DELETE FROM schema_versions WHERE version > 1");
}

START_TEST(a_catalog_from_before_gets_the_table)
{
	undo_migrations();
	raw("INSERT INTO models VALUES ('m', 2, 1, 0, 0)");
	reopen();
	reject_numbered("m", 1);
	ck_assert_int_eq(raw("SELECT MAX(version) FROM schema_versions"), 13);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM models"), 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog rejections");
	TCase *t = tcase_create("catalog rejections");

	tcase_add_checked_fixture(t, open_catalog, close_catalog);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_refusal_is_read_back_whole);
	tcase_add_test(t, a_model_without_refusals_has_none);
	tcase_add_test(t, a_model_keeps_its_last_ones_newest_first);
	tcase_add_test(t, a_flood_under_many_names_pushes_out_the_oldest);
	tcase_add_test(t, findings_longer_than_the_limit_are_refused);
	tcase_add_test(t, what_was_refused_before_a_moment_is_forgotten);
	tcase_add_test(t, a_catalog_from_before_gets_the_table);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
