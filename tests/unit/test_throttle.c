/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/throttle.h"
#include "tests/unit/unit.h"

#define NOW 5000

static struct throttle *throttle;

static void setup(void)
{
	struct err e;

	ck_ok(throttle_new(&throttle, &e));
}

static void teardown(void)
{
	throttle_free(throttle);
}

static void fail_times(const char *client, const char *id, unsigned n, uint64_t now_s)
{
	for (unsigned i = 0; i < n; i++)
		throttle_failed(throttle, client, id, now_s);
}

START_TEST(some_failures_are_free)
{
	ck_assert_uint_eq(throttle_wait(throttle, "10.0.0.1", "", NOW), 0);
	fail_times("10.0.0.1", "", THROTTLE_FREE_FAILURES - 1, NOW);
	ck_assert_uint_eq(throttle_wait(throttle, "10.0.0.1", "", NOW), 0);
	fail_times("10.0.0.1", "", 1, NOW);
	ck_assert_uint_gt(throttle_wait(throttle, "10.0.0.1", "", NOW), 0);
}
END_TEST

START_TEST(waits_double_up_to_a_most_and_end)
{
	unsigned before = 0;

	fail_times("10.0.0.1", "", THROTTLE_FREE_FAILURES, NOW);
	for (unsigned i = 0; i < 100; i++) {
		unsigned wait = throttle_wait(throttle, "10.0.0.1", "", NOW);
		ck_assert_uint_eq(throttle_wait(throttle, "10.0.0.1", "", NOW + wait), 0);
		ck_assert(wait == 1 || wait == 2 * before || wait == THROTTLE_WAIT_MAX_S);
		before = wait;
		fail_times("10.0.0.1", "", 1, NOW);
	}
	ck_assert_uint_eq(before, THROTTLE_WAIT_MAX_S);
}
END_TEST

START_TEST(others_do_not_wait)
{
	fail_times("10.0.0.1", "0123456789ab", THROTTLE_FREE_FAILURES + 3, NOW);
	ck_assert_uint_gt(throttle_wait(throttle, "10.0.0.1", "0123456789ab", NOW), 0);
	ck_assert_uint_eq(throttle_wait(throttle, "10.0.0.2", "0123456789ab", NOW), 0);
	ck_assert_uint_eq(throttle_wait(throttle, "10.0.0.1", "0123456789ac", NOW), 0);
	ck_assert_uint_eq(throttle_wait(throttle, "10.0.0.1", "", NOW), 0);
}
END_TEST

START_TEST(an_ipv6_network_is_one_client)
{
	fail_times("2001:db8::1", "", THROTTLE_FREE_FAILURES, NOW);
	ck_assert_uint_gt(throttle_wait(throttle, "2001:db8:0:0:ffff::2", "", NOW), 0);
	ck_assert_uint_eq(throttle_wait(throttle, "2001:db8:0:1::1", "", NOW), 0);
}
END_TEST

START_TEST(failures_are_forgotten)
{
	fail_times("10.0.0.1", "", 50, NOW);
	ck_assert_uint_eq(throttle_wait(throttle, "10.0.0.1", "", NOW + 600), 0);
	fail_times("10.0.0.1", "", 1, NOW + 600);
	ck_assert_uint_eq(throttle_wait(throttle, "10.0.0.1", "", NOW + 600), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("throttle");
	TCase *t = tcase_create("throttle");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, some_failures_are_free);
	tcase_add_test(t, waits_double_up_to_a_most_and_end);
	tcase_add_test(t, others_do_not_wait);
	tcase_add_test(t, an_ipv6_network_is_one_client);
	tcase_add_test(t, failures_are_forgotten);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
