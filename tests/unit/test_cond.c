/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/macros.h"
#include "server/http/cond.h"
#include "tests/unit/unit.h"

#define BEFORE  "Sun, 06 Nov 1994 08:49:36 GMT"
#define EXACTLY "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER   "Sun, 06 Nov 1994 08:49:38 GMT"
#define MALFORMED "last week"

/* A representation of that second, with a fraction that must not count. */
static const struct cond_current present = {"\"a\"", 784111777900};
static const struct cond_current undated = {"\"a\"", 0};
static const struct cond_current untagged = {NULL, 784111777900};
static const struct cond_current absent = {NULL, 0};

#define GET .is_get_or_head = true

static const struct {
	struct cond_request request;
	const struct cond_current *now;
	enum cond_answer answer;
} judged[] = {
	{{GET}, &present, COND_PROCEED},
	{{.if_match = NULL}, &present, COND_PROCEED},

	/* If-Match: strong comparison */
	{{.if_match = "\"a\""}, &present, COND_PROCEED},
	{{.if_match = "\"b\""}, &present, COND_FAILED},
	{{.if_match = "\"b\", \"a\""}, &present, COND_PROCEED},
	{{.if_match = "\"b\",\t,, \"a\" ,"}, &present, COND_PROCEED},
	{{.if_match = "W/\"a\""}, &present, COND_FAILED},
	{{.if_match = "W/\"a\", \"a\""}, &present, COND_PROCEED},
	{{.if_match = "\"A\""}, &present, COND_FAILED},
	{{.if_match = "*"}, &present, COND_PROCEED},
	{{.if_match = " * "}, &untagged, COND_PROCEED},
	{{.if_match = "*"}, &absent, COND_FAILED},
	{{.if_match = "\"a\""}, &absent, COND_FAILED},
	{{.if_match = "\"a\"", GET}, &present, COND_PROCEED},
	{{.if_match = "\"b\"", GET}, &present, COND_FAILED},

	/* If-None-Match: weak comparison */
	{{.if_none_match = "\"a\"", GET}, &present, COND_NOT_MODIFIED},
	{{.if_none_match = "W/\"a\"", GET}, &present, COND_NOT_MODIFIED},
	{{.if_none_match = "\"b\", W/\"a\"", GET}, &present, COND_NOT_MODIFIED},
	{{.if_none_match = "\"b\"", GET}, &present, COND_PROCEED},
	{{.if_none_match = "*", GET}, &present, COND_NOT_MODIFIED},
	{{.if_none_match = "*", GET}, &absent, COND_PROCEED},
	{{.if_none_match = "\"a\""}, &present, COND_FAILED},
	{{.if_none_match = "*"}, &present, COND_FAILED},
	{{.if_none_match = "*"}, &absent, COND_PROCEED},
	{{.if_none_match = "\"b\""}, &present, COND_PROCEED},

	/* malformed lists match nothing */
	{{.if_none_match = "a", GET}, &present, COND_PROCEED},
	{{.if_none_match = "\"a", GET}, &present, COND_PROCEED},
	{{.if_none_match = "\"a\" \"b\"", GET}, &present, COND_PROCEED},
	{{.if_none_match = "\"a\", b", GET}, &present, COND_PROCEED},
	{{.if_none_match = "\"a\", *", GET}, &present, COND_PROCEED},
	{{.if_none_match = "w/\"a\"", GET}, &present, COND_PROCEED},
	{{.if_none_match = "W/", GET}, &present, COND_PROCEED},
	{{.if_none_match = "\"a \"", GET}, &present, COND_PROCEED},
	{{.if_none_match = "", GET}, &present, COND_PROCEED},
	{{.if_match = "a"}, &present, COND_FAILED},
	{{.if_match = "\"a\", b"}, &present, COND_FAILED},
	{{.if_match = ""}, &present, COND_FAILED},

	/* dates, in whole seconds */
	{{.if_modified_since = EXACTLY, GET}, &present, COND_NOT_MODIFIED},
	{{.if_modified_since = AFTER, GET}, &present, COND_NOT_MODIFIED},
	{{.if_modified_since = BEFORE, GET}, &present, COND_PROCEED},
	{{.if_modified_since = EXACTLY}, &present, COND_PROCEED},
	{{.if_modified_since = EXACTLY, GET}, &undated, COND_PROCEED},
	{{.if_modified_since = MALFORMED, GET}, &present, COND_PROCEED},
	{{.if_unmodified_since = EXACTLY}, &present, COND_PROCEED},
	{{.if_unmodified_since = AFTER}, &present, COND_PROCEED},
	{{.if_unmodified_since = BEFORE}, &present, COND_FAILED},
	{{.if_unmodified_since = BEFORE, GET}, &present, COND_FAILED},
	{{.if_unmodified_since = BEFORE}, &undated, COND_PROCEED},
	{{.if_unmodified_since = MALFORMED}, &present, COND_PROCEED},

	/* precedence */
	{{.if_match = "\"a\"", .if_unmodified_since = BEFORE}, &present, COND_PROCEED},
	{{.if_match = "\"b\"", .if_unmodified_since = AFTER}, &present, COND_FAILED},
	{{.if_match = "\"b\"", .if_none_match = "\"a\"", GET}, &present, COND_FAILED},
	{{.if_match = "\"a\"", .if_none_match = "\"a\"", GET}, &present, COND_NOT_MODIFIED},
	{{.if_unmodified_since = BEFORE, .if_none_match = "\"a\"", GET}, &present, COND_FAILED},
	{{.if_none_match = "\"b\"", .if_modified_since = AFTER, GET}, &present, COND_PROCEED},
	{{.if_none_match = "\"a\"", .if_modified_since = BEFORE, GET}, &present, COND_NOT_MODIFIED},
	{{.if_none_match = "x", .if_modified_since = AFTER, GET}, &present, COND_PROCEED},
};

START_TEST(conditions_are_judged_in_the_order_of_rfc_9110_13_2_2)
{
	ck_assert_int_eq(cond_judge(&judged[_i].request, judged[_i].now), judged[_i].answer);
}
END_TEST

static const struct {
	const char *if_range;
	const struct cond_current *now;
	bool applies;
} ranges[] = {
	{NULL, &present, true},
	{NULL, &absent, true},
	{"\"a\"", &present, true},
	{" \"a\" ", &present, true},
	{"\"b\"", &present, false},
	{"W/\"a\"", &present, false},
	{"\"a\", \"b\"", &present, false},
	{"*", &present, false},
	{"\"a\"", &untagged, false},
	{EXACTLY, &present, true},
	{BEFORE, &present, false},
	{AFTER, &present, false},
	{EXACTLY, &undated, false},
	{MALFORMED, &present, false},
	{"", &present, false},
};

START_TEST(a_range_needs_the_representation_it_was_cut_from)
{
	struct cond_request request = {.if_range = ranges[_i].if_range, GET};

	ck_assert_int_eq(cond_range_applies(&request, ranges[_i].now), ranges[_i].applies);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cond");
	TCase *t = tcase_create("cond");

	tcase_add_loop_test(t, conditions_are_judged_in_the_order_of_rfc_9110_13_2_2, 0,
		ARRAY_SIZE(judged));
	tcase_add_loop_test(t, a_range_needs_the_representation_it_was_cut_from, 0,
		ARRAY_SIZE(ranges));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
