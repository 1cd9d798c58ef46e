/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/nameglob.h"
#include "tests/unit/unit.h"

static const char *const names[] = {"a", "b", "ab", "a/b", "a/c", "ab/c", "a/b/c", "a/b/c/d"};
static const char *const globs[] = {"a", "a/b", "a/*", "a/**", "a/b/*", "a/b/**", "ab/*", "*", "**",
	"a/b/c/d"};

static const struct {
	const char *glob;
	const char *matched; /* indices of names */
} matches[] = {{"a", "0"}, {"a/b", "3"}, {"a/*", "34"}, {"a/**", "3467"}, {"a/b/*", "6"},
	{"a/b/**", "67"}, {"ab/*", "5"}, {"*", "012"}, {"**", "01234567"}, {"a/b/c/d", "7"}};

START_TEST(a_glob_matches_what_it_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool want = strchr(matches[_i].matched, '0' + (char)i) != NULL;
		ck_assert_msg(nameglob_matches(matches[_i].glob, names[i]) == want, "%s %s",
			matches[_i].glob, names[i]);
	}
}
END_TEST

/* The names above tell all globs apart. */
START_TEST(a_glob_is_within_another_when_all_its_names_are)
{
	for (size_t i = 0; i < ARRAY_SIZE(globs); i++)
		for (size_t k = 0; k < ARRAY_SIZE(globs); k++) {
			bool want = true;
			for (size_t n = 0; n < ARRAY_SIZE(names); n++)
				if (nameglob_matches(globs[i], names[n]))
					want = want && nameglob_matches(globs[k], names[n]);
			ck_assert_msg(!nameglob_within(globs[i], globs[k]) || want, "%s %s",
				globs[i], globs[k]);
		}
	ck_assert(nameglob_within("a/b/**", "a/**"));
	ck_assert(nameglob_within("a/*", "a/**"));
	ck_assert(nameglob_within("a/*", "a/*"));
	ck_assert(nameglob_within("*", "**"));
	ck_assert(nameglob_within("a/b", "a/*"));
	ck_assert(!nameglob_within("a/**", "a/*"));
	ck_assert(!nameglob_within("a/*", "*"));
	ck_assert(!nameglob_within("*", "a"));
	ck_assert(!nameglob_within("**", "a/**"));
	ck_assert(!nameglob_within("ab/**", "a/**"));
}
END_TEST

START_TEST(other_patterns_are_refused)
{
	static const char *const wrong[] = {"", "a*", "**/a", "a/*/b", "a/***", "***", "/**",
		"a//*", "Team/**", "a/b/c/d/e",
		"a/versions"};
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_err(nameglob_check(str_of(wrong[i]), "a glob", &e), ERR_BAD_NAME);
	for (size_t i = 0; i < ARRAY_SIZE(globs); i++)
		ck_ok(nameglob_check(str_of(globs[i]), "a glob", &e));
	ck_err(nameglob_check(STR_LIT("a*"), "a glob", &e), ERR_BAD_NAME);
	ck_assert_str_eq(e.text, "a glob is a model's name, NAME/*, NAME/**, * or **");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("nameglob");
	TCase *t = tcase_create("nameglob");

	tcase_add_loop_test(t, a_glob_matches_what_it_says, 0, ARRAY_SIZE(matches));
	tcase_add_test(t, a_glob_is_within_another_when_all_its_names_are);
	tcase_add_test(t, other_patterns_are_refused);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
