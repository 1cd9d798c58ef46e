/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/token.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

START_TEST(a_token_is_read_back_and_needs_no_escape)
{
	char text[TOKEN_TEXT + 1];
	struct token made, got;
	struct err e;

	ck_ok(token_make(text, &made, &e));
	ck_assert_uint_eq(strlen(text), TOKEN_TEXT);
	ck_assert_int_eq(strncmp(text, "mdl_", 4), 0);
	ck_assert_uint_eq(strspn(text, ALPHABET), TOKEN_TEXT);
	ck_assert(token_read(str_of(text), &got));
	ck_assert_str_eq(got.id, made.id);
	ck_assert(digest_eq(&got.secret, &made.secret));
	ck_assert(token_is_id(str_of(made.id)));
}
END_TEST

START_TEST(the_digest_is_that_of_the_secret_as_it_is_written)
{
	char text[TOKEN_TEXT + 1];
	struct digest want;
	struct token made;
	struct err e;

	ck_ok(token_make(text, &made, &e));
	ck_ok(digest_of(text + TOKEN_TEXT - SECRET_TEXT, SECRET_TEXT, &want, &e));
	ck_assert(digest_eq(&want, &made.secret));
}
END_TEST

START_TEST(another_character_is_another_token_or_none)
{
	char text[TOKEN_TEXT + 1];
	struct token made, got;
	struct err e;

	ck_ok(token_make(text, &made, &e));
	for (size_t i = 0; i < TOKEN_TEXT; i++) {
		char kept = text[i];
		text[i] = kept == 'a' ? 'b' : 'a';
		if (token_read(str_of(text), &got))
			ck_assert(strcmp(got.id, made.id) != 0 ||
				!digest_eq(&got.secret, &made.secret));
		text[i] = kept;
	}
}
END_TEST

START_TEST(what_has_another_form_is_none)
{
	char text[TOKEN_TEXT + 1], cut[TOKEN_TEXT + 3];
	struct token made, got;
	struct err e;

	ck_ok(token_make(text, &made, &e));
	for (size_t n = 0; n < TOKEN_TEXT; n++)
		ck_assert(!token_read((struct str){text, n}, &got));
	(void)snprintf(cut, sizeof(cut), "%sA", text);
	ck_assert(!token_read(str_of(cut), &got));
	for (size_t i = 0; i < TOKEN_TEXT; i++) {
		char kept = text[i];
		text[i] = '/';
		ck_assert(!token_read((struct str){text, TOKEN_TEXT}, &got));
		text[i] = '\0';
		ck_assert(!token_read((struct str){text, TOKEN_TEXT}, &got));
		text[i] = kept;
	}
	ck_assert(!token_is_id(STR_LIT("0123456789aB")));
	ck_assert(!token_is_id(STR_LIT("0123456789a")));
}
END_TEST

START_TEST(an_issued_token_is_in_the_catalog_without_its_secret)
{
	const struct token_wish wish = {.name = "ci", .grants = "read=**", .expires_ms = 77};
	CLEANUP(catalog_token_list_done) struct catalog_tokens list = {NULL, 0};
	char text[TOKEN_TEXT + 1];
	struct catalog_token row;
	struct token got;
	struct err e;

	ck_ok(token_issue(unit_catalog, &wish, text, &row, &e));
	ck_assert(token_read(str_of(text), &got));
	ck_assert_str_eq(got.id, row.id);
	ck_ok(catalog_token_list(unit_catalog, true, &list, &e));
	ck_assert_uint_eq(list.n, 1);
	ck_assert(digest_eq(&list.items[0].secret, &got.secret));
	ck_assert_str_eq(list.items[0].grants, "read=**");
	ck_assert_uint_eq(list.items[0].expires_ms, 77);
}
END_TEST

START_TEST(names_are_short_and_printable)
{
	static const char *const wrong[] = {"a\nb", "\xc3\xa9",
		"12345678901234567890123456789012345678901234567890123456789012345"};
	struct token_wish wish = {.grants = ""};
	char text[TOKEN_TEXT + 1];
	struct catalog_token row;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		wish.name = wrong[i];
		ck_err(token_issue(unit_catalog, &wish, text, &row, &e), ERR_BAD_PARAMETER);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("token");
	TCase *t = tcase_create("token");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_add_test(t, a_token_is_read_back_and_needs_no_escape);
	tcase_add_test(t, the_digest_is_that_of_the_secret_as_it_is_written);
	tcase_add_test(t, another_character_is_another_token_or_none);
	tcase_add_test(t, what_has_another_form_is_none);
	tcase_add_test(t, an_issued_token_is_in_the_catalog_without_its_secret);
	tcase_add_test(t, names_are_short_and_printable);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
