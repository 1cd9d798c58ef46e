/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrors in the catalog, and that a copy for a backup has none of what jobs are made of. */
#include "common/store/catalog_job.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"
#include "tests/unit/unit_dir.h"

#include <sys/stat.h>

static struct catalog_mirror mirror(const char *name)
{
	struct catalog_mirror m = {
		.model = "m", .next_ms = 1, .checked_ms = 2, .good_ms = 3,
		.failing_ms = 6, .failures = 4,
		.version = 5, .job = "0123456789abcdef0123456789abcdef", .error = "no route"};
	struct err e;

	(void)snprintf(m.name, sizeof(m.name), "%s", name);
	ck_ok(digest_of(name, strlen(name), &m.url, &e));
	return m;
}

static bool read_mirror(const char *name, struct catalog_mirror *ret)
{
	bool found = false;
	struct err e;

	ck_ok(catalog_mirror_read(unit_catalog, name, ret, &found, &e));
	return found;
}

static void save(const char *name)
{
	struct catalog_mirror m = mirror(name);
	struct err e;

	ck_ok(catalog_mirror_save(unit_catalog, &m, &e));
}

START_TEST(a_mirror_is_read_as_it_was_saved_last)
{
	struct catalog_mirror m = mirror("m@stable"), got;
	struct err e;

	ck_assert(!read_mirror("m@stable", &got));
	save("m@stable");
	m.next_ms = 1000;
	m.error[0] = '\0';
	ck_ok(catalog_mirror_save(unit_catalog, &m, &e));
	unit_catalog_reopen();
	ck_assert(read_mirror("m@stable", &got));
	ck_assert_str_eq(got.name, "m@stable");
	ck_assert_str_eq(got.model, "m");
	ck_assert(digest_eq(&got.url, &m.url));
	ck_assert_uint_eq(got.next_ms, 1000);
	ck_assert_uint_eq(got.checked_ms, 2);
	ck_assert_uint_eq(got.good_ms, 3);
	ck_assert_uint_eq(got.failing_ms, 6);
	ck_assert_uint_eq(got.failures, 4);
	ck_assert_uint_eq(got.version, 5);
	ck_assert_str_eq(got.job, m.job);
	ck_assert_str_eq(got.error, "");
}
END_TEST

START_TEST(those_that_are_not_named_are_forgotten)
{
	const char *const names[] = {"b", "never"};
	struct catalog_mirror got;
	struct err e;

	save("a");
	save("b");
	save("c");
	ck_ok(catalog_mirror_keep(unit_catalog, names, 2, &e));
	ck_assert(!read_mirror("a", &got));
	ck_assert(read_mirror("b", &got));
	ck_assert(!read_mirror("c", &got));
	ck_ok(catalog_mirror_keep(unit_catalog, NULL, 0, &e));
	ck_assert(!read_mirror("b", &got));
}
END_TEST

static int64_t count_in(struct catalog *copy, const char *model, const struct digest *url)
{
	struct catalog_job rows[2];
	struct catalog_mirror m;
	struct catalog_fetched f;
	size_t n = 0;
	bool mirrored = false, fetched = false;
	struct err e;

	ck_ok(catalog_jobs(copy, &(struct catalog_job_filter){.model = NULL}, rows, 2, &n, &e));
	for (size_t i = 0; i < n; i++)
		catalog_job_clear(&rows[i]);
	ck_ok(catalog_mirror_read(copy, "m", &m, &mirrored, &e));
	ck_ok(catalog_fetched_find(copy, model, url, &f, &fetched, &e));
	return (int64_t)n + mirrored + fetched;
}

START_TEST(a_copy_for_a_backup_has_no_jobs_nothing_fetched_and_no_mirrors)
{
	static char request[] = "{}";
	const struct catalog_job j = {.id = "0123456789abcdef0123456789abcdef",
		.kind = "import", .model = "m", .request = request};
	struct catalog_fetched f = {.model = "m", .etag = "\"1\"", .size = 1};
	struct catalog *copy = NULL;
	uint64_t versions = 0;
	struct err e;

	(void)unit_catalog_publish("m", "1", NULL);
	ck_ok(catalog_job_add(unit_catalog, &j, 0, &e));
	ck_ok(digest_of("1", 1, &f.digest, &e));
	ck_ok(catalog_fetched_set(unit_catalog, &f, 1, &e));
	save("m");
	ck_assert_int_eq(count_in(unit_catalog, "m", &f.url), 3);
	ck_assert_int_eq(mkdir(unit_dir_file("copy"), 0700), 0);
	ck_ok(catalog_snapshot(unit_catalog, unit_dir_file("copy/catalog.db"), &e));
	ck_ok(catalog_sqlite_open(unit_dir_file("copy"), &copy, &e));
	ck_ok(catalog_strip(copy, &versions, &e));
	ck_assert_uint_eq(versions, 1);
	ck_assert_int_eq(count_in(copy, "m", &f.url), 0);
	catalog_close(copy);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog mirrors");
	TCase *t = tcase_create("catalog mirrors");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_mirror_is_read_as_it_was_saved_last);
	tcase_add_test(t, those_that_are_not_named_are_forgotten);
	tcase_add_test(t, a_copy_for_a_backup_has_no_jobs_nothing_fetched_and_no_mirrors);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
