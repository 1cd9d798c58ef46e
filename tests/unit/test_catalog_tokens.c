/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens in the catalog, and the number that tells of their changes. */
#include "common/store/catalog_sqlite.h"
#include "common/store/catalog_token.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"
#include "tests/unit/unit_dir.h"

static struct catalog_token token(const char *id)
{
	struct catalog_token t = {.name = "ci", .grants = (char *)(uintptr_t)"read=**"};
	struct err e;

	(void)snprintf(t.id, sizeof(t.id), "%s", id);
	ck_ok(digest_of(id, strlen(id), &t.secret, &e));
	return t;
}

static void add(const char *id)
{
	const struct catalog_token t = token(id);
	struct err e;

	ck_ok(catalog_token_add(unit_catalog, &t, &e));
}

static struct catalog_tokens all(void)
{
	struct catalog_tokens list;
	struct err e;

	ck_ok(catalog_token_list(unit_catalog, true, &list, &e));
	return list;
}

START_TEST(tokens_are_kept_and_listed_by_id)
{
	CLEANUP(catalog_token_list_done) struct catalog_tokens list = {NULL, 0};
	struct catalog_token t = token("0000000000bb");
	struct err e;

	t.expires_ms = 4102444800000;
	ck_ok(catalog_token_add(unit_catalog, &t, &e));
	add("0000000000aa");
	unit_catalog_reopen();
	list = all();
	ck_assert_uint_eq(list.n, 2);
	ck_assert_str_eq(list.items[0].id, "0000000000aa");
	ck_assert_uint_eq(list.items[0].expires_ms, 0);
	ck_assert_str_eq(list.items[1].id, "0000000000bb");
	ck_assert_str_eq(list.items[1].name, "ci");
	ck_assert_str_eq(list.items[1].grants, "read=**");
	ck_assert(digest_eq(&list.items[1].secret, &t.secret));
	ck_assert_uint_gt(list.items[1].created_ms, 0);
	ck_assert_uint_eq(list.items[1].expires_ms, 4102444800000);
	ck_assert_uint_eq(list.items[1].used_ms, 0);
}
END_TEST

START_TEST(an_id_is_given_once)
{
	const struct catalog_token t = token("0000000000aa");
	struct err e;

	add("0000000000aa");
	ck_err(catalog_token_add(unit_catalog, &t, &e), ERR_CONFLICT);
}
END_TEST

START_TEST(a_token_that_was_removed_is_gone)
{
	CLEANUP(catalog_token_list_done) struct catalog_tokens list = {NULL, 0};
	struct err e;

	add("0000000000aa");
	ck_ok(catalog_token_remove(unit_catalog, "0000000000aa", &e));
	ck_err(catalog_token_remove(unit_catalog, "0000000000aa", &e), ERR_TOKEN_NOT_FOUND);
	list = all();
	ck_assert_uint_eq(list.n, 0);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM changes WHERE kind IN"
		" ('token-created', 'token-revoked') AND item = '0000000000aa'"), 2);
}
END_TEST

START_TEST(there_is_a_most)
{
	struct catalog_token t;
	struct err e;

	ck_assert_int_eq(unit_catalog_raw(
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
		" INSERT INTO tokens SELECT 'x' || i, '', '', '', 1, 0, 0 FROM n"), -1);
	t = token("0000000000aa");
	ck_err(catalog_token_add(unit_catalog, &t, &e), ERR_TOO_MANY);
}
END_TEST

START_TEST(use_is_noted_and_never_goes_back)
{
	CLEANUP(catalog_token_list_done) struct catalog_tokens list = {NULL, 0};
	struct catalog_token_use uses[] = {{"0000000000aa", 500}, {"0000000000ff", 500}};
	struct err e;

	add("0000000000aa");
	ck_ok(catalog_token_use(unit_catalog, uses, ARRAY_SIZE(uses), &e));
	uses[0].used_ms = 400;
	ck_ok(catalog_token_use(unit_catalog, uses, ARRAY_SIZE(uses), &e));
	list = all();
	ck_assert_uint_eq(list.n, 1);
	ck_assert_uint_eq(list.items[0].used_ms, 500);
}
END_TEST

START_TEST(the_mark_moves_with_changes_alone)
{
	const struct catalog_token_use use = {"0000000000aa", 500};
	uint64_t before, after;
	struct err e;

	catalog_token_watch(unit_catalog);
	before = catalog_token_mark(unit_catalog);
	add("0000000000aa");
	after = catalog_token_mark(unit_catalog);
	ck_assert_uint_ne(after, before);
	ck_ok(catalog_token_use(unit_catalog, &use, 1, &e));
	ck_assert_uint_eq(catalog_token_mark(unit_catalog), after);
	ck_ok(catalog_token_remove(unit_catalog, "0000000000aa", &e));
	ck_assert_uint_ne(catalog_token_mark(unit_catalog), after);
}
END_TEST

START_TEST(a_change_beside_moves_the_mark)
{
	CLEANUP(catalog_close_p) struct catalog *beside = NULL;
	const struct catalog_token t = token("0000000000aa");
	uint64_t before;
	struct err e;

	catalog_token_watch(unit_catalog);
	before = catalog_token_mark(unit_catalog);
	ck_ok(catalog_sqlite_open_beside(unit_dir_path, &beside, &e));
	ck_ok(catalog_token_add(beside, &t, &e));
	ck_assert_uint_ne(catalog_token_mark(unit_catalog), before);
}
END_TEST

/* Whoever keeps what he read would never read it again. */
START_TEST(where_nobody_watches_every_mark_is_another)
{
	struct err e;

	catalog_close(take_ptr(unit_catalog));
	ck_ok(catalog_sqlite_open_beside(unit_dir_path, &unit_catalog, &e));
	ck_assert_uint_ne(catalog_token_mark(unit_catalog), catalog_token_mark(unit_catalog));
}
END_TEST

START_TEST(the_key_is_made_once)
{
	uint8_t first[SECRET_BYTES] = {1}, second[SECRET_BYTES] = {2}, got[SECRET_BYTES] = {0};
	bool found = true;
	struct err e;

	ck_ok(catalog_token_key(unit_catalog, NULL, got, &found, &e));
	ck_assert(!found);
	ck_ok(catalog_token_key(unit_catalog, first, got, &found, &e));
	ck_assert(found && secret_eq(got, first, sizeof(got)));
	unit_catalog_reopen();
	ck_ok(catalog_token_key(unit_catalog, second, got, &found, &e));
	ck_assert(found && secret_eq(got, first, sizeof(got)));
	ck_ok(catalog_token_key(unit_catalog, NULL, got, &found, &e));
	ck_assert(found && secret_eq(got, first, sizeof(got)));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog_tokens");
	TCase *t = tcase_create("catalog_tokens");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_add_test(t, tokens_are_kept_and_listed_by_id);
	tcase_add_test(t, an_id_is_given_once);
	tcase_add_test(t, a_token_that_was_removed_is_gone);
	tcase_add_test(t, there_is_a_most);
	tcase_add_test(t, use_is_noted_and_never_goes_back);
	tcase_add_test(t, the_mark_moves_with_changes_alone);
	tcase_add_test(t, a_change_beside_moves_the_mark);
	tcase_add_test(t, where_nobody_watches_every_mark_is_another);
	tcase_add_test(t, the_key_is_made_once);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
