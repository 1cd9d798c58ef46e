/* SPDX-License-Identifier: Apache-2.0 */
/* Who changed what, as the catalog notes it. */
#include "common/base/actor.h"
#include "common/store/catalog_audit.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"

#define ROWS 16u

static struct catalog_audit_event rows[ROWS];

static size_t read_since(uint64_t since, size_t max)
{
	struct err e;
	size_t n = 0;

	ck_ok(catalog_audit_read(unit_catalog, since, rows, max, &n, &e));
	return n;
}

START_TEST(a_change_is_that_of_who_is_set)
{
	actor_set(&(struct actor){.who = "ci (0123)", .address = "192.0.2.1", .request = "r-1"});
	unit_catalog_publish("a", "text", "stable");
	actor_clear();
	unit_catalog_publish("a", "other", NULL);
	unit_catalog_reopen();
	ck_assert_uint_eq(read_since(0, ROWS), 4);
	ck_assert_str_eq(rows[0].kind, "model-created");
	ck_assert_str_eq(rows[1].kind, "version-published");
	ck_assert_str_eq(rows[2].kind, "label-moved");
	ck_assert_str_eq(rows[2].item, "stable");
	for (size_t i = 0; i < 3; i++) {
		ck_assert_str_eq(rows[i].model, "a");
		ck_assert_str_eq(rows[i].who, "ci (0123)");
		ck_assert_str_eq(rows[i].address, "192.0.2.1");
		ck_assert_str_eq(rows[i].request, "r-1");
		ck_assert_uint_gt(rows[i].changed_ms, 0);
	}
	ck_assert_str_eq(rows[3].item, "2");
	ck_assert_str_eq(rows[3].who, "");
	ck_assert_str_eq(rows[3].address, "");
}
END_TEST

START_TEST(pages_follow_each_other)
{
	unit_catalog_publish("a", "text", NULL);
	unit_catalog_publish("a", "other", NULL);
	ck_assert_uint_eq(read_since(0, 2), 2);
	ck_assert_uint_eq(rows[0].sequence, 1);
	ck_assert_uint_eq(read_since(rows[1].sequence, 2), 1);
	ck_assert_uint_eq(rows[0].sequence, 3);
	ck_assert_uint_eq(read_since(3, 2), 0);
	ck_assert_uint_eq(read_since(UINT64_C(1) << 50, 2), 0);
}
END_TEST

START_TEST(the_newest_change_stays_and_is_counted_on_from)
{
	struct err e;

	unit_catalog_publish("a", "text", NULL);
	ck_ok(catalog_audit_expire(unit_catalog, 1, &e));
	ck_assert_uint_eq(read_since(0, ROWS), 2);
	ck_ok(catalog_audit_expire(unit_catalog, UINT64_C(1) << 50, &e));
	ck_assert_uint_eq(read_since(0, ROWS), 1);
	ck_assert_uint_eq(rows[0].sequence, 2);
	unit_catalog_publish("b", "text", NULL);
	ck_assert_uint_eq(read_since(2, ROWS), 2);
	ck_assert_uint_eq(rows[0].sequence, 3);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog_audit");
	TCase *t = tcase_create("catalog_audit");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_add_test(t, a_change_is_that_of_who_is_set);
	tcase_add_test(t, pages_follow_each_other);
	tcase_add_test(t, the_newest_change_stays_and_is_counted_on_from);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
