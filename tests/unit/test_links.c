/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/links.h"
#include "tests/unit/unit.h"

static const uint8_t key[SECRET_BYTES] = "0123456789abcdef0123456789abcde";

static const struct links_grant grants[] = {
	{"0123456789ab", "a", 0, 4102444800000},
	{"ffffffffffff", "team/m", 7, 1000},
	{"000000000000", "team/m", UINT64_MAX, 0},
};

static void sign(const struct links_grant *g, struct buf *out)
{
	struct err e;

	ck_ok(links_sign(key, g, out, &e));
}

START_TEST(a_link_is_read_back)
{
	CLEANUP_BUF struct buf text = BUF_INIT(LINKS_TEXT_MAX);
	struct links_grant got;

	sign(&grants[_i], &text);
	ck_assert_int_eq(strncmp(buf_str(&text), "mdk_", 4), 0);
	ck_assert(links_read(key, (struct str){text.data, text.len}, &got));
	ck_assert_str_eq(got.token, grants[_i].token);
	ck_assert_str_eq(got.model, grants[_i].model);
	ck_assert_uint_eq(got.version, grants[_i].version);
	ck_assert_uint_eq(got.expires_ms, grants[_i].expires_ms);
}
END_TEST

START_TEST(the_longest_name_fits)
{
	CLEANUP_BUF struct buf text = BUF_INIT(LINKS_TEXT_MAX);
	struct links_grant g = grants[0], got;

	memset(g.model, 'm', REF_NAME_MAX);
	g.expires_ms = UINT64_MAX;
	sign(&g, &text);
	ck_assert(links_read(key, (struct str){text.data, text.len}, &got));
	ck_assert_str_eq(got.model, g.model);
	ck_assert_uint_eq(got.expires_ms, ((UINT64_C(1) << 40) - 1) * 1000);
}
END_TEST

START_TEST(a_change_of_any_character_breaks_it)
{
	CLEANUP_BUF struct buf text = BUF_INIT(LINKS_TEXT_MAX);
	struct links_grant got;

	sign(&grants[1], &text);
	for (size_t i = 0; i < text.len; i++) {
		char kept = text.data[i];
		text.data[i] = kept == 'A' ? 'B' : 'A';
		ck_assert(!links_read(key, (struct str){text.data, text.len}, &got));
		text.data[i] = kept;
	}
	for (size_t n = 0; n < text.len; n++)
		ck_assert(!links_read(key, (struct str){text.data, n}, &got));
}
END_TEST

START_TEST(another_key_does_not_know_it)
{
	static const uint8_t other[SECRET_BYTES] = {0};
	CLEANUP_BUF struct buf text = BUF_INIT(LINKS_TEXT_MAX);
	struct links_grant got;

	sign(&grants[0], &text);
	ck_assert(!links_read(other, (struct str){text.data, text.len}, &got));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("links");
	TCase *t = tcase_create("links");

	tcase_add_loop_test(t, a_link_is_read_back, 0, ARRAY_SIZE(grants));
	tcase_add_test(t, the_longest_name_fits);
	tcase_add_test(t, a_change_of_any_character_breaks_it);
	tcase_add_test(t, another_key_does_not_know_it);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
