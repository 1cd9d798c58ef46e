/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics/metrics.h"
#include "tests/unit/unit.h"

static bool written(const char *text)
{
	CLEANUP_BUF struct buf out = BUF_INIT(65536);

	metrics_write(&out);
	ck_assert(!buf_failed(&out));
	return strstr(buf_str(&out), text) != NULL;
}

START_TEST(counters_begin_at_0_and_add_up)
{
	ck_assert(written("\nmodeld_scrub_bytes_total 0\n"));
	metrics_add(METRICS_SCRUB_BYTES, 5);
	metrics_add(METRICS_SCRUB_BYTES, UINT64_C(1) << 60);
	ck_assert(written("\nmodeld_scrub_bytes_total 1152921504606846981\n"));
	ck_assert(written("\n# TYPE modeld_scrub_bytes_total counter\nmodeld_scrub_bytes_total "));
}
END_TEST

START_TEST(a_gauge_is_written_while_it_is_known)
{
	ck_assert(!written("modeld_store_free_bytes"));
	metrics_set(METRICS_FREE, 7);
	ck_assert(written("# TYPE modeld_store_free_bytes gauge\nmodeld_store_free_bytes 7\n"));
	metrics_forget(METRICS_FREE);
	ck_assert(!written("modeld_store_free_bytes"));
}
END_TEST

START_TEST(the_release_is_a_label)
{
	ck_assert(written("\nmodeld_build_info{version=\"" PACKAGE_VERSION "\"} 1\n"));
}
END_TEST

START_TEST(labels_are_escaped)
{
	CLEANUP_BUF struct buf out = BUF_INIT(100);

	metrics_write_label("a\"b\\c\nd", &out);
	ck_assert_str_eq(buf_str(&out), "a\\\"b\\\\c\\nd");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("metrics");

	tcase_add_test(t, counters_begin_at_0_and_add_up);
	tcase_add_test(t, a_gauge_is_written_while_it_is_known);
	tcase_add_test(t, the_release_is_a_label);
	tcase_add_test(t, labels_are_escaped);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
