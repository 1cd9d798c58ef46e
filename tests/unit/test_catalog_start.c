/* SPDX-License-Identifier: Apache-2.0 */
/* What opening a catalog finds, and what it leaves for later. */
#include "common/store/catalog.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_MIB 1
#define LARGE_MIB 20

static void make(void)
{
	struct catalog *catalog;
	struct err e;

	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
	catalog_close(catalog);
}

/* Rows of a table that nobody reads. */
static void grow(unsigned mib)
{
	char sql[256];
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(unit_dir_file("catalog.db"), &db), SQLITE_OK);
	(void)snprintf(sql, sizeof(sql),
		"CREATE TABLE filling (id INTEGER PRIMARY KEY, bytes TEXT);"
		"WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %u)"
		" INSERT INTO filling SELECT n, hex(zeroblob(512)) FROM i", mib * 1024);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* Every page of the last half MiB: they hold the filling. */
static void damage(void)
{
	static const char rubbish[512 << 10] = "rubbish";
	int fd = open(unit_dir_file("catalog.db"), O_WRONLY);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(pwrite(fd, rubbish, sizeof(rubbish), st.st_size - (off_t)sizeof(rubbish)),
		sizeof(rubbish));
	ck_assert_int_eq(close(fd), 0);
}

START_TEST(damage_of_a_small_catalog_is_found_when_it_is_opened)
{
	struct catalog *catalog = NULL;
	struct err e;

	make();
	grow(SMALL_MIB);
	damage();
	ck_err(catalog_sqlite_open(unit_dir_path, &catalog, &e), ERR_CORRUPT);
}
END_TEST

START_TEST(damage_of_a_large_catalog_is_found_after_it_was_opened)
{
	CLEANUP(catalog_close_p) struct catalog *catalog = NULL;
	atomic_bool stop = false;
	struct err e;

	make();
	grow(LARGE_MIB);
	damage();
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
	ck_ok(catalog_ping(catalog, &e));
	ck_err(catalog_verify(catalog, &stop, &e), ERR_CORRUPT);
	ck_ok(catalog_ping(catalog, &e));
}
END_TEST

START_TEST(a_check_ends_when_it_is_told_to)
{
	CLEANUP(catalog_close_p) struct catalog *catalog = NULL;
	atomic_bool stop = true;
	struct err e;

	make();
	grow(LARGE_MIB);
	damage();
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
	ck_ok(catalog_verify(catalog, &stop, &e));
}
END_TEST

START_TEST(a_sound_catalog_passes)
{
	CLEANUP(catalog_close_p) struct catalog *catalog = NULL;
	atomic_bool stop = false;
	struct err e;

	make();
	grow(LARGE_MIB);
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
	ck_ok(catalog_verify(catalog, &stop, &e));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog_start");
	TCase *t = tcase_create("start");

	tcase_add_checked_fixture(t, unit_dir_make, unit_dir_remove);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, damage_of_a_small_catalog_is_found_when_it_is_opened);
	tcase_add_test(t, damage_of_a_large_catalog_is_found_after_it_was_opened);
	tcase_add_test(t, a_check_ends_when_it_is_told_to);
	tcase_add_test(t, a_sound_catalog_passes);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
