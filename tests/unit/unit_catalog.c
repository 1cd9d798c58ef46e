/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit_catalog.h"
#include "common/base/clock.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <sqlite3.h>

#define HOUR_MS UINT64_C(3600000)

struct catalog *unit_catalog;

void unit_catalog_open(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(catalog_sqlite_open(unit_dir_path, &unit_catalog, &e));
}

void unit_catalog_close(void)
{
	catalog_close(take_ptr(unit_catalog));
	unit_dir_remove();
}

void unit_catalog_reopen(void)
{
	struct err e;

	catalog_close(take_ptr(unit_catalog));
	ck_ok(catalog_sqlite_open(unit_dir_path, &unit_catalog, &e));
}

static int compare_bytes(void *cls, int an, const void *a, int bn, const void *b)
{
	int order = memcmp(a, b, (size_t)(an < bn ? an : bn));

	(void)cls;
	return order ? order : an - bn;
}

int64_t unit_catalog_raw(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	int64_t value = -1;
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

struct catalog_blob unit_catalog_blob(const char *text)
{
	struct catalog_blob blob = {.size = strlen(text)};
	struct err e;

	ck_ok(digest_of(text, strlen(text), &blob.digest, &e));
	return blob;
}

uint64_t unit_catalog_publish(const char *model, const char *text, const char *label)
{
	struct catalog_blob blob = unit_catalog_blob(text);
	const struct catalog_file file = {.path = "model.json", .blob = 0};
	const struct catalog_publish p = {
		.model = model,
		.root = blob.digest,
		.info = "{\"kind\":\"layers-model\"}",
		.tensors = "[]",
		.blobs = &blob,
		.blobs_n = 1,
		.files = &file,
		.files_n = 1,
		.label = label,
		.who = "publisher",
	};
	uint64_t version;
	bool deduplicated;
	struct err e;

	ck_ok(catalog_stage(unit_catalog, &blob, 1, clock_now_ms() + HOUR_MS, &e));
	ck_ok(catalog_publish(unit_catalog, &p, &version, &deduplicated, NULL, &e));
	return version;
}
