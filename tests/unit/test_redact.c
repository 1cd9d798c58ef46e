/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/redact.h"
#include "tests/unit/unit.h"

static const struct {
	const char *target, *shown;
} targets[] = {
	{"/models/m/model.json", "/models/m/model.json"},
	{"", ""},
	{"?k=", "?k="},
	{"/m?k=secret", "/m?k=*"},
	{"/m?k=s", "/m?k=*"},
	{"/m?a=1&k=secret&b=2", "/m?a=1&k=*&b=2"},
	{"/m?k=secret&k=other", "/m?k=*&k=*"},
	{"/m?%6b=secret", "/m?%6b=*"},
	{"/m?%6B=secret&%6=x", "/m?%6B=*&%6=x"},
	{"/m?kk=1&key=2&=k=3", "/m?kk=1&key=2&=k=3"},
	{"/m?k", "/m?k"},
	{"/m?k=a?k=b", "/m?k=*"},
	{"/m?k=a=b&c", "/m?k=*&c"},
	{"/m?token=mdl_0123_abc-D&x", "/m?token=mdl_*&x"},
	{"/v1/tokens/mdl_0123_abc", "/v1/tokens/mdl_*"},
	{"/mdk_a/mdl_b?c=mdl_", "/mdk_*/mdl_*?c=mdl_"},
	{"http://h/m?k=mdl_x", "http://h/m?k=*"},
};

START_TEST(secrets_are_not_shown)
{
	char target[100];
	size_t n;

	(void)snprintf(target, sizeof(target), "%s", targets[_i].target);
	n = redact_target(target, strlen(target));
	ck_assert_uint_eq(n, strlen(targets[_i].shown));
	ck_assert_int_eq(memcmp(target, targets[_i].shown, n), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("redact");
	TCase *t = tcase_create("redact");

	tcase_add_loop_test(t, secrets_are_not_shown, 0, ARRAY_SIZE(targets));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
