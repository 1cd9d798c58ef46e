/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/grants.h"
#include "tests/unit/unit.h"

static struct grants read_grants(const char *text)
{
	struct grants g = {NULL, 0};
	struct err e;

	ck_ok(grants_read(&g, str_of(text), &e));
	return g;
}

static const struct {
	const char *text;
	const char *written;
} texts[] = {
	{"", ""}, {"read", "read=**"}, {" read,publish ", "read=** publish=**"},
	{"read=a/**", "read=a/**"}, {"label=a publish=b label=b", "label=a publish=b label=b"},
	{"admin=team/*,read=team/*", "read=team/* admin=team/*"}, {"read read=**", "read=**"},
};

START_TEST(words_are_read_and_written)
{
	CLEANUP(grants_done) struct grants g = read_grants(texts[_i].text);
	CLEANUP_BUF struct buf text = BUF_INIT(1000);

	grants_write(&g, &text);
	ck_assert_str_eq(buf_str(&text), texts[_i].written);
}
END_TEST

START_TEST(other_words_are_refused)
{
	static const char *const wrong[] = {"write", "Read", "read=", "read=A", "=a", "read=a*",
		"read;publish", "read=a=b", "\x01"};
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(grants_done) struct grants g = {NULL, 0};
		ck_err(grants_read(&g, str_of(wrong[i]), &e), ERR_BAD_PARAMETER);
	}
}
END_TEST

START_TEST(there_is_a_most_of_patterns)
{
	CLEANUP(grants_done) struct grants g = {NULL, 0};
	char word[32];
	struct err e;

	for (int i = 0; i < GRANTS_MAX; i++) {
		(void)snprintf(word, sizeof(word), "read=m%d", i);
		ck_ok(grants_read(&g, str_of(word), &e));
	}
	ck_ok(grants_read(&g, STR_LIT("publish=m0"), &e));
	ck_err(grants_read(&g, STR_LIT("read=more"), &e), ERR_BAD_PARAMETER);
}
END_TEST

START_TEST(a_word_without_a_pattern_is_for_those_given)
{
	static const char *const models[] = {"a", "b/**"};
	CLEANUP(grants_done) struct grants g = {NULL, 0};
	struct err e;

	ck_ok(grants_add(&g, STR_LIT("read"), models, 2, &e));
	ck_ok(grants_add(&g, STR_LIT("label=c"), models, 2, &e));
	ck_assert(grants_allow(&g, SCOPE_READ, "a"));
	ck_assert(grants_allow(&g, SCOPE_READ, "b/x"));
	ck_assert(!grants_allow(&g, SCOPE_READ, "c"));
	ck_assert(grants_allow(&g, SCOPE_LABEL, "c"));
	ck_assert(!grants_allow(&g, SCOPE_LABEL, "a"));
}
END_TEST

START_TEST(a_scope_is_for_its_names_alone)
{
	static const enum scope scopes[] = {SCOPE_READ, SCOPE_PUBLISH, SCOPE_LABEL, SCOPE_DELETE,
		SCOPE_ADMIN};
	CLEANUP_BUF struct buf word = BUF_INIT(100);

	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		buf_clear(&word);
		buf_addf(&word, "%s=team/*", grants_scope_name(scopes[i]));
		CLEANUP(grants_done) struct grants g = read_grants(buf_str(&word));
		for (size_t k = 0; k < ARRAY_SIZE(scopes); k++) {
			bool want = i == k || scopes[i] == SCOPE_ADMIN;
			ck_assert(grants_allow(&g, scopes[k], "team/a") == want);
			ck_assert(grants_allow(&g, scopes[k], NULL) == want);
			ck_assert(!grants_allow(&g, scopes[k], "team"));
			ck_assert(!grants_allow(&g, scopes[k], "team/a/b"));
		}
	}
}
END_TEST

START_TEST(all_models_are_those_of_two_stars)
{
	CLEANUP(grants_done) struct grants g = read_grants("read=* publish label=a/**");

	ck_assert(grants_allow_all(&g, SCOPE_PUBLISH));
	ck_assert(grants_allow_all(&g, SCOPE_READ | SCOPE_PUBLISH));
	ck_assert(!grants_allow_all(&g, SCOPE_READ));
	ck_assert(!grants_allow_all(&g, SCOPE_LABEL));
}
END_TEST

static const struct {
	const char *inner, *outer;
	bool within;
} pairs[] = {
	{"read=a", "admin", true}, {"admin", "admin", true}, {"read", "admin=a/**", false},
	{"read=a/b", "admin=a/**", true}, {"read=a/b delete=b", "admin=a/**", false},
	{"read=a delete=b/c", "admin=a admin=b/*", true}, {"read=a", "read=a publish", false},
	{"", "read", true}, {"admin=a/**", "admin=a/*", false},
};

START_TEST(only_admins_hand_out_and_only_their_names)
{
	CLEANUP(grants_done) struct grants inner = read_grants(pairs[_i].inner);
	CLEANUP(grants_done) struct grants outer = read_grants(pairs[_i].outer);

	ck_assert(grants_within(&inner, &outer) == pairs[_i].within);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("grants");
	TCase *t = tcase_create("grants");

	tcase_add_loop_test(t, words_are_read_and_written, 0, ARRAY_SIZE(texts));
	tcase_add_test(t, other_words_are_refused);
	tcase_add_test(t, there_is_a_most_of_patterns);
	tcase_add_test(t, a_word_without_a_pattern_is_for_those_given);
	tcase_add_test(t, a_scope_is_for_its_names_alone);
	tcase_add_test(t, all_models_are_those_of_two_stars);
	tcase_add_loop_test(t, only_admins_hand_out_and_only_their_names, 0, ARRAY_SIZE(pairs));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
