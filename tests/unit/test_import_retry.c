/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_retry.h"
#include "tests/unit/unit.h"

#include <limits.h>

START_TEST(pauses_grow_up_to_a_bound)
{
	/* The largest random number that leaves the bound itself. */
	for (unsigned failures = 1; failures < 100; failures++) {
		uint64_t bound = IMPORT_RETRY_FIRST_MS;

		for (unsigned i = 1; i < failures && bound < IMPORT_RETRY_MOST_MS; i++)
			bound *= 2;
		if (bound > IMPORT_RETRY_MOST_MS)
			bound = IMPORT_RETRY_MOST_MS;
		ck_assert_uint_eq(import_retry_wait(failures, 0, bound), bound);
		ck_assert_uint_eq(import_retry_wait(failures, 0, bound + 1), 0);
	}
}
END_TEST

START_TEST(jitter_uses_the_whole_range)
{
	ck_assert_uint_eq(import_retry_wait(1, 0, 0), 0);
	for (uint64_t random = 0; random < 1000; random++)
		ck_assert_uint_le(import_retry_wait(2, 0, random * UINT64_C(0x9e3779b97f4a7c15)),
			2 * IMPORT_RETRY_FIRST_MS);
}
END_TEST

START_TEST(what_the_other_host_asks_for_is_honoured)
{
	ck_assert_uint_eq(import_retry_wait(1, 7000, 0), 7000);
	ck_assert_uint_eq(import_retry_wait(1, 7000, 3), 7003);
}
END_TEST

START_TEST(but_not_for_ever)
{
	ck_assert_uint_eq(import_retry_wait(1, UINT64_MAX, 0), IMPORT_RETRY_AFTER_MS);
	ck_assert_uint_le(import_retry_wait(UINT_MAX, UINT64_MAX, UINT64_MAX),
		IMPORT_RETRY_AFTER_MS + IMPORT_RETRY_MOST_MS);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("import_retry");
	TCase *c = tcase_create("import_retry");

	tcase_add_test(c, pauses_grow_up_to_a_bound);
	tcase_add_test(c, jitter_uses_the_whole_range);
	tcase_add_test(c, what_the_other_host_asks_for_is_honoured);
	tcase_add_test(c, but_not_for_ever);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
