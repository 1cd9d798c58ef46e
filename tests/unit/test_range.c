/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/macros.h"
#include "server/http/range.h"
#include "tests/unit/unit.h"

#define HUGE_NUMBER "99999999999999999999999999"

static const struct {
	const char *header;
	uint64_t size;
	enum range_answer answer;
	uint64_t start, length;
} cases[] = {
	{NULL, 1000, RANGE_WHOLE, 0, 0},

	/* one range */
	{"bytes=0-499", 1000, RANGE_PART, 0, 500},
	{"bytes=500-999", 1000, RANGE_PART, 500, 500},
	{"bytes=0-0", 1000, RANGE_PART, 0, 1},
	{"bytes=999-999", 1000, RANGE_PART, 999, 1},
	{"bytes=0-999", 1000, RANGE_PART, 0, 1000},
	{"bytes=007-008", 1000, RANGE_PART, 7, 2},
	{"BYTES=0-1", 1000, RANGE_PART, 0, 2},

	/* open and suffix */
	{"bytes=0-", 1000, RANGE_PART, 0, 1000},
	{"bytes=999-", 1000, RANGE_PART, 999, 1},
	{"bytes=-1", 1000, RANGE_PART, 999, 1},
	{"bytes=-1000", 1000, RANGE_PART, 0, 1000},
	{"bytes=-1001", 1000, RANGE_PART, 0, 1000},
	{"bytes=-0", 1000, RANGE_UNSATISFIABLE, 0, 0},

	/* beyond the end */
	{"bytes=990-2000", 1000, RANGE_PART, 990, 10},
	{"bytes=1000-", 1000, RANGE_UNSATISFIABLE, 0, 0},
	{"bytes=1000-1000", 1000, RANGE_UNSATISFIABLE, 0, 0},

	/* nothing there */
	{"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
	{"bytes=0-0", 0, RANGE_UNSATISFIABLE, 0, 0},
	{"bytes=-0", 0, RANGE_UNSATISFIABLE, 0, 0},
	{"bytes=-5", 0, RANGE_WHOLE, 0, 0},

	/* huge numbers */
	{"bytes=0-" HUGE_NUMBER, 1000, RANGE_PART, 0, 1000},
	{"bytes=" HUGE_NUMBER "-", 1000, RANGE_UNSATISFIABLE, 0, 0},
	{"bytes=" HUGE_NUMBER "-" HUGE_NUMBER, 1000, RANGE_UNSATISFIABLE, 0, 0},
	{"bytes=-" HUGE_NUMBER, 1000, RANGE_PART, 0, 1000},
	{"bytes=1-18446744073709551615", UINT64_MAX, RANGE_PART, 1, UINT64_MAX - 1},
	{"bytes=18446744073709551615-", UINT64_MAX, RANGE_UNSATISFIABLE, 0, 0},
	{"bytes=" HUGE_NUMBER "-5", 1000, RANGE_WHOLE, 0, 0},

	/* white space */
	{" bytes=1-2 ", 1000, RANGE_PART, 1, 2},
	{"bytes= 1-2\t", 1000, RANGE_PART, 1, 2},
	{"bytes =1-2", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=1 -2", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=1- 2", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=1 2-3", 1000, RANGE_WHOLE, 0, 0},

	/* lists: empty elements do not count, several ranges do */
	{"bytes=,1-2,", 1000, RANGE_PART, 1, 2},
	{"bytes=0-0,-1", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=5000-,0-1", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=0-1, x", 1000, RANGE_WHOLE, 0, 0},

	/* other units, malformed */
	{"items=0-1", 1000, RANGE_WHOLE, 0, 0},
	{"byte=0-1", 1000, RANGE_WHOLE, 0, 0},
	{"bytes", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=,", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=-", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=5", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=5-4", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=2000-1999", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=a-b", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=0x1-2", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=+1-2", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=1-2-3", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=--1", 1000, RANGE_WHOLE, 0, 0},
	{"bytes=1-2;", 1000, RANGE_WHOLE, 0, 0},
	{"bytes:1-2", 1000, RANGE_WHOLE, 0, 0},
	{"", 1000, RANGE_WHOLE, 0, 0},
};

START_TEST(ranges_are_answered_as_rfc_9110_14_says)
{
	uint64_t start = 0, length = 0;

	ck_assert_int_eq(range_parse(cases[_i].header, cases[_i].size, &start, &length),
		cases[_i].answer);
	ck_assert_uint_eq(start, cases[_i].start);
	ck_assert_uint_eq(length, cases[_i].length);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("range");
	TCase *t = tcase_create("range");

	tcase_add_loop_test(t, ranges_are_answered_as_rfc_9110_14_says, 0, ARRAY_SIZE(cases));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
