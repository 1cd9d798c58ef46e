/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/reqid.h"
#include "tests/unit/unit.h"

static const struct {
	const char *id;
	bool is_sane;
} ids[] = {
	{"a", true},
	{"7b0c1c1e-5a0e-4d6c-9f0e-0d5f1c1b2a3d", true},
	{"Root=1-67891233-abcdef012345678912345678", true},
	{"AbC+/09==", true},
	{"host:80/x@y.z", true},
	{"0123456789012345678901234567890123456789012345678901234567890123", true},
	{"01234567890123456789012345678901234567890123456789012345678901234", false},
	{"", false},
	{"a b", false},
	{"a,b", false},
	{"a\"b", false},
	{"a\nlevel=error", false},
	{"\xc3\xa4", false},
	{"mdl_0123_secret", false},
	{"mdk_secret", false},
};

START_TEST(ids_are_short_and_of_plain_characters)
{
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		ck_assert_msg(reqid_is_sane(str_of(ids[i].id)) == ids[i].is_sane, "%s", ids[i].id);
	ck_assert(!reqid_is_sane(STR_LIT("a\0b")));
}
END_TEST

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static const struct {
	const char *traceparent;
	bool is_valid;
} traces[] = {
	{"00-" TRACE "-" PARENT "-01", true},
	{"00-" TRACE "-" PARENT "-00", true},
	{"cc-" TRACE "-" PARENT "-01", true},
	{"cc-" TRACE "-" PARENT "-01-what-comes", true},
	{"cc-" TRACE "-" PARENT "-01.what-comes", false},
	{"00-" TRACE "-" PARENT "-01-what-comes", false},
	{"ff-" TRACE "-" PARENT "-01", false},
	{"0x-" TRACE "-" PARENT "-01", false},
	{"00-" TRACE "-" PARENT "-0", false},
	{"00-" TRACE "-" PARENT "-0G", false},
	{"00-" TRACE "-" PARENT, false},
	{"00_" TRACE "-" PARENT "-01", false},
	{"00-" TRACE "_" PARENT "-01", false},
	{"00-" TRACE "-" PARENT "_01", false},
	{"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false},
	{"00-00000000000000000000000000000000-" PARENT "-01", false},
	{"00-" TRACE "-0000000000000000-01", false},
	{"", false},
	{"00", false},
};

START_TEST(a_trace_id_is_taken_from_a_valid_traceparent_only)
{
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
		char got[REQID_TRACE + 1] = "none";
		bool valid = reqid_trace(str_of(traces[i].traceparent), got);
		ck_assert_msg(valid == traces[i].is_valid, "%s", traces[i].traceparent);
		ck_assert_str_eq(got, valid ? TRACE : "none");
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("reqid");
	TCase *t = tcase_create("reqid");

	tcase_add_test(t, ids_are_short_and_of_plain_characters);
	tcase_add_test(t, a_trace_id_is_taken_from_a_valid_traceparent_only);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
