/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/macros.h"
#include "server/http/accept.h"
#include "tests/unit/unit.h"

#define LINES "application/x-ndjson"

static const struct {
	const char *accept;
	bool asks;
} cases[] = {
	/* what clients send: curl, Node's fetch, browsers, scripts */
	{NULL, false},
	{"*/*", false},
	{"application/json", false},
	{"application/json, text/plain, */*", false},
	{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
	{LINES, true},
	{LINES ", */*", true},
	{LINES ", application/json", true},
	{"application/json, " LINES, true},
	{"APPLICATION/X-NDJSON", true},

	/* weights */
	{LINES ", application/json;q=0.9", true},
	{LINES ";q=0.9, application/json", false},
	{LINES ";q=0.9, */*;q=0.8", true},
	{LINES ";q=0.9, application/*", false},
	{LINES ";q=0.5, application/*, application/json;q=0.1", true},
	{LINES ";q=0.5, */*, application/*;q=0.1", true},
	{LINES ";q=0.001", true},
	{LINES ";q=0", false},
	{LINES ";q=0.000, */*", false},
	{LINES " ; q=1", true},
	{LINES ";charset=utf-8;Q=0.5, application/json;q=0.6", false},
	{LINES ";charset=utf-8", true},

	/* ranges do not name it */
	{"application/*", false},
	{"application/x-ndjso*", false},
	{"application/json;q=0, */*", false},

	/* malformed members, empty ones, repeats */
	{"", false},
	{",", false},
	{";q=1", false},
	{LINES ";q=2", false},
	{LINES ";q=", false},
	{LINES ";q=0.1234", false},
	{LINES "x", false},
	{"application", false},
	{"*", false},
	{"application/", false},
	{",, " LINES " ,,", true},
	{LINES ";q=0, " LINES, false},
	{LINES ", application/json;q=2", true},
};

START_TEST(accept_is_read_as_rfc_9110_says)
{
	ck_assert_msg(accept_asks(cases[_i].accept, LINES, "application/json") == cases[_i].asks,
		"%s", cases[_i].accept ? cases[_i].accept : "(none)");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("accept");
	TCase *t = tcase_create("accept");

	tcase_add_loop_test(t, accept_is_read_as_rfc_9110_says, 0, (int)ARRAY_SIZE(cases));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
