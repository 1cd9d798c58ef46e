/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what, with a real catalog and changes beside. */
#include "common/base/clock.h"
#include "common/store/catalog_sqlite.h"
#include "server/auth/authority.h"
#include "server/auth/throttle.h"
#include "server/auth/token.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"
#include "tests/unit/unit_dir.h"

#include <pthread.h>
#include <stdatomic.h>

static struct authority *authority;
static struct authority_asker asker;
static char header[sizeof("Bearer ") + LINKS_TEXT_MAX];
static unsigned wait_s;

static void start(const char *anonymous)
{
	struct err e;

	authority_asker_done(&asker);
	authority_free(take_ptr(authority));
	ck_ok(authority_new(&(struct authority_options){
		.catalog = unit_catalog, .loops = 2, .anonymous = anonymous}, &authority, &e));
}

static void setup(void)
{
	unit_catalog_open();
	start("auto");
}

static void teardown(void)
{
	authority_asker_done(&asker);
	authority_free(authority);
	unit_catalog_close();
}

static struct catalog_token issue_in(struct catalog *c, const char *grants, uint64_t expires_ms,
	char text[TOKEN_TEXT + 1])
{
	const struct token_wish wish = {.name = "ci", .grants = grants, .expires_ms = expires_ms};
	struct catalog_token row;
	struct err e;

	ck_ok(token_issue(c, &wish, text, &row, &e));
	return row;
}

static struct catalog_token issue(const char *grants, char text[TOKEN_TEXT + 1])
{
	return issue_in(unit_catalog, grants, 0, text);
}

static int identify_at(unsigned loop, const char *authorization, const char *k, struct err *e)
{
	const struct authority_request q = {.loop = loop, .among_ourselves = true,
		.authorization = authorization, .k = k, .client = "127.0.0.1"};

	authority_asker_done(&asker);
	return authority_identify(authority, &q, &asker, &wait_s, e);
}

static int identify(const char *text, struct err *e)
{
	(void)snprintf(header, sizeof(header), "Bearer %s", text);
	return identify_at(0, header, NULL, e);
}

static bool may(enum scope scope, const char *model)
{
	return authority_may(&asker, scope, model, 0);
}

START_TEST(among_ourselves_everything_is_allowed_until_there_is_a_token)
{
	char text[TOKEN_TEXT + 1];
	struct catalog_token row;
	struct err e;

	ck_ok(identify_at(0, NULL, NULL, &e));
	ck_assert(may(SCOPE_PUBLISH, "m") && may(SCOPE_ADMIN, NULL) && may(SCOPE_READ, "m"));
	row = issue("read=**", text);
	ck_ok(identify_at(0, NULL, NULL, &e));
	ck_assert(may(SCOPE_READ, "m"));
	ck_assert(!may(SCOPE_PUBLISH, "m") && !may(SCOPE_ADMIN, NULL));
	ck_err(authority_require(&asker, SCOPE_PUBLISH, "m", 0, &e), ERR_TOKEN_REQUIRED);
	ck_ok(catalog_token_remove(unit_catalog, row.id, &e));
	ck_ok(identify_at(0, NULL, NULL, &e));
	ck_assert(may(SCOPE_PUBLISH, "m"));
}
END_TEST

START_TEST(beyond_loopback_everybody_only_reads)
{
	const struct authority_request q = {.client = "10.0.0.1"};
	struct err e;

	ck_ok(authority_identify(authority, &q, &asker, &wait_s, &e));
	ck_assert(may(SCOPE_READ, "m"));
	ck_err(authority_require(&asker, SCOPE_PUBLISH, "m", 0, &e), ERR_TOKEN_REQUIRED);
}
END_TEST

static void everybody_may(const char *words)
{
	struct authority_anonymous *x;
	struct err e;

	ck_ok(authority_anonymous_new(words, &x, &e));
	authority_anonymous_put(authority, x);
}

START_TEST(what_everybody_may_do_can_change)
{
	struct authority_asker before;
	struct authority_anonymous *none = NULL;
	struct err e;

	start("auto");
	ck_ok(identify_at(0, NULL, NULL, &e));
	before = asker;
	asker = (struct authority_asker){.anonymous = NULL};
	everybody_may("read=public/**");
	ck_ok(identify_at(0, NULL, NULL, &e));
	ck_assert(may(SCOPE_READ, "public/m") && !may(SCOPE_READ, "m"));
	ck_assert(!may(SCOPE_PUBLISH, "m"));
	ck_assert(!authority_is_public(authority, "m"));
	ck_assert(authority_may(&before, SCOPE_PUBLISH, "m", 0)); /* it was let in */
	authority_asker_done(&before);
	everybody_may("auto");
	ck_ok(identify_at(1, NULL, NULL, &e));
	ck_assert(may(SCOPE_PUBLISH, "m"));
	ck_err(authority_anonymous_new("all", &none, &e), ERR_CONFIG);
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(what_everybody_may_do_is_configured)
{
	struct err e;

	start("read=public/** publish=sandbox");
	ck_ok(identify_at(0, NULL, NULL, &e));
	ck_assert(may(SCOPE_READ, "public/m") && !may(SCOPE_READ, "m"));
	ck_assert(may(SCOPE_PUBLISH, "sandbox") && !may(SCOPE_PUBLISH, "public/m"));
	ck_assert(authority_is_public(authority, "public/m"));
	ck_assert(!authority_is_public(authority, "m"));
	start("none");
	ck_ok(identify_at(0, NULL, NULL, &e));
	ck_assert(!may(SCOPE_READ, NULL));
	ck_ok(authority_check_anonymous("read", &e));
	ck_err(authority_check_anonymous("all", &e), ERR_CONFIG);
}
END_TEST

START_TEST(a_token_allows_what_it_says_and_what_everybody_may)
{
	char text[TOKEN_TEXT + 1];
	struct err e;

	(void)issue("publish=team/**", text);
	start("read=public/**");
	ck_ok(identify(text, &e));
	ck_assert(may(SCOPE_PUBLISH, "team/m") && !may(SCOPE_PUBLISH, "m"));
	ck_assert(may(SCOPE_READ, "public/m") && !may(SCOPE_READ, "team/m"));
	ck_err(authority_require(&asker, SCOPE_READ, "team/m", 0, &e), ERR_NOT_ALLOWED);
	ck_assert_ptr_nonnull(strstr(authority_who(&asker), "ci ("));
	ck_ok(identify_at(0, NULL, text, &e));
	ck_assert(may(SCOPE_PUBLISH, "team/m"));
}
END_TEST

START_TEST(other_schemes_are_no_token)
{
	static const char *const others[] = {"Basic dTpw", "Bearer", "Bearermdl_", ""};
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		ck_ok(identify_at(0, others[i], NULL, &e));
		ck_assert_ptr_null(asker.principal);
	}
	ck_err(identify_at(0, "bearer x", NULL, &e), ERR_BAD_TOKEN);
	ck_err(identify_at(0, "Bearer ", NULL, &e), ERR_BAD_TOKEN);
	ck_err(identify_at(0, NULL, "", &e), ERR_BAD_TOKEN);
	ck_err(identify_at(0, "Bearer x", "x", &e), ERR_BAD_REQUEST);
}
END_TEST

START_TEST(a_wrong_secret_is_refused)
{
	char text[TOKEN_TEXT + 1];
	struct err e;

	(void)issue("read=**", text);
	text[TOKEN_TEXT - 5] = text[TOKEN_TEXT - 5] == 'A' ? 'B' : 'A';
	ck_err(identify(text, &e), ERR_BAD_TOKEN);
	ck_assert_ptr_null(asker.principal);
	ck_assert_ptr_null(strstr(e.text, text + 20));
}
END_TEST

START_TEST(files_are_those_of_models_that_are_read_or_published)
{
	CLEANUP_BUF struct buf text = BUF_INIT(AUTHORITY_MODELS_TEXT);
	char token[TOKEN_TEXT + 1];
	struct err e;

	start("read=public/**");
	(void)issue("publish=a/* label=b/* delete=c/* admin=d/* read=e", token);
	ck_ok(identify(token, &e));
	authority_models(&asker, &text);
	ck_assert_str_eq(buf_str(&text), "read=public/** read=a/* read=d/* read=e ");
}
END_TEST

START_TEST(a_secret_counts_to_its_last_byte)
{
	char text[TOKEN_TEXT + 1];
	struct catalog_token row = issue("read=**", text);
	char grants[] = "read=**";
	struct err e;

	ck_ok(catalog_token_remove(unit_catalog, row.id, &e));
	row.grants = grants;
	row.secret.bytes[DIGEST_BYTES - 1] ^= 1;
	ck_ok(catalog_token_add(unit_catalog, &row, &e));
	ck_err(identify(text, &e), ERR_BAD_TOKEN);
}
END_TEST

START_TEST(a_token_of_a_later_release_allows_nothing_rather_than_a_part)
{
	char text[TOKEN_TEXT + 1];
	struct catalog_token row = issue("read=**", text);
	char grants[] = "publish=** fly=**";
	struct err e;

	ck_ok(catalog_token_remove(unit_catalog, row.id, &e));
	row.grants = grants;
	ck_ok(catalog_token_add(unit_catalog, &row, &e));
	start("none");
	ck_ok(identify(text, &e));
	ck_assert(!may(SCOPE_PUBLISH, "m"));
}
END_TEST

START_TEST(an_expired_token_is_refused_and_says_so)
{
	char text[TOKEN_TEXT + 1];
	struct err e;

	(void)issue_in(unit_catalog, "read=**", clock_now_ms() - 1, text);
	ck_err(identify(text, &e), ERR_BAD_TOKEN);
	ck_assert_ptr_nonnull(strstr(e.text, "expired"));
}
END_TEST

START_TEST(a_change_beside_counts_from_the_next_request_on_every_loop)
{
	CLEANUP(catalog_close_p) struct catalog *beside = NULL;
	char text[TOKEN_TEXT + 1];
	struct catalog_token row;
	struct err e;

	ck_ok(catalog_sqlite_open_beside(unit_dir_path, &beside, &e));
	for (int round = 0; round < 5; round++) {
		row = issue_in(beside, "read=**", 0, text);
		(void)snprintf(header, sizeof(header), "Bearer %s", text);
		for (unsigned loop = 0; loop < 2; loop++)
			ck_ok(identify_at(loop, header, NULL, &e));
		ck_ok(catalog_token_remove(beside, row.id, &e));
		for (unsigned loop = 0; loop < 2; loop++)
			ck_err(identify_at(loop, header, NULL, &e), ERR_BAD_TOKEN);
	}
}
END_TEST

START_TEST(who_asked_before_a_change_keeps_what_he_is)
{
	char text[TOKEN_TEXT + 1], other[TOKEN_TEXT + 1];
	struct authority_asker first;
	struct catalog_token row = issue("publish=**", text);
	struct err e;

	ck_ok(identify(text, &e));
	first = asker;
	asker = (struct authority_asker){.anonymous = NULL};
	ck_ok(catalog_token_remove(unit_catalog, row.id, &e));
	(void)issue("read=**", other);
	ck_ok(identify(other, &e));
	ck_assert(authority_may(&first, SCOPE_PUBLISH, "m", 0));
	authority_asker_done(&first);
}
END_TEST

START_TEST(guessing_has_to_wait_and_others_do_not)
{
	char text[TOKEN_TEXT + 1], wrong[TOKEN_TEXT + 1], other[TOKEN_TEXT + 1];
	struct err e;

	(void)issue("read=**", text);
	(void)issue("read=**", other);
	memcpy(wrong, text, sizeof(wrong));
	wrong[TOKEN_TEXT - 5] = wrong[TOKEN_TEXT - 5] == 'A' ? 'B' : 'A';
	for (unsigned i = 0; i < THROTTLE_FREE_FAILURES; i++)
		ck_err(identify(wrong, &e), ERR_BAD_TOKEN);
	ck_err(identify(wrong, &e), ERR_TOO_MANY_FAILURES);
	ck_assert_uint_ge(wait_s, 1);
	ck_err(identify(text, &e), ERR_TOO_MANY_FAILURES);
	ck_ok(identify(other, &e));
	ck_ok(identify_at(0, NULL, NULL, &e));
}
END_TEST

static void make_link(const char *grants, const char *model, uint64_t version, struct buf *out)
{
	struct links_grant g = {.version = version, .expires_ms = clock_now_ms() + 3600000};
	char text[TOKEN_TEXT + 1];
	struct err e;

	(void)issue(grants, text);
	ck_ok(identify(text, &e));
	(void)snprintf(g.model, sizeof(g.model), "%s", model);
	ck_ok(authority_link(authority, &asker, &g, out, &e));
}

START_TEST(a_link_reads_its_model_and_nothing_else)
{
	CLEANUP_BUF struct buf link = BUF_INIT(LINKS_TEXT_MAX);
	struct grants any = {NULL, 0};
	struct links_grant g = {.model = "a/m"};
	struct err e;

	start("none");
	make_link("read=a/** publish=**", "a/m", 0, &link);
	ck_ok(identify_at(1, NULL, buf_str(&link), &e));
	ck_assert(may(SCOPE_READ, "a/m") && may(SCOPE_READ, NULL));
	ck_assert(authority_may(&asker, SCOPE_READ, "a/m", 3));
	ck_assert(!may(SCOPE_READ, "a/n") && !may(SCOPE_PUBLISH, "a/m"));
	ck_assert(!may(SCOPE_ADMIN, NULL));
	ck_assert(!authority_may_grant(&asker, &any) || any.n == 0);
	buf_clear(&link);
	ck_err(authority_link(authority, &asker, &g, &link, &e), ERR_NOT_ALLOWED);
}
END_TEST

START_TEST(a_link_to_a_version_reads_that_version)
{
	CLEANUP_BUF struct buf link = BUF_INIT(LINKS_TEXT_MAX);
	struct err e;

	start("none");
	make_link("read=**", "m", 7, &link);
	ck_ok(identify_at(0, NULL, buf_str(&link), &e));
	ck_assert(authority_may(&asker, SCOPE_READ, "m", 7));
	ck_assert(!authority_may(&asker, SCOPE_READ, "m", 8));
	ck_assert(!authority_may(&asker, SCOPE_READ, "m", 0));
}
END_TEST

START_TEST(a_link_ends_with_its_token)
{
	CLEANUP_BUF struct buf link = BUF_INIT(LINKS_TEXT_MAX);
	CLEANUP(catalog_token_list_done) struct catalog_tokens list = {NULL, 0};
	struct err e;

	start("none");
	make_link("read=**", "m", 0, &link);
	ck_ok(catalog_token_list(unit_catalog, true, &list, &e));
	ck_ok(catalog_token_remove(unit_catalog, list.items[0].id, &e));
	ck_err(identify_at(0, NULL, buf_str(&link), &e), ERR_BAD_TOKEN);
	ck_assert_ptr_nonnull(strstr(e.text, "revoked"));
}
END_TEST

/* Signed as ours, and still beyond its token: none like this is given away. */
static int identify_forged(const struct catalog_token *giver, const char *model, struct err *ret)
{
	struct err e;
	struct links_grant g = {.expires_ms = clock_now_ms() + 3600000};
	CLEANUP_BUF struct buf link = BUF_INIT(LINKS_TEXT_MAX);
	uint8_t key[SECRET_BYTES];
	bool found;

	ck_ok(catalog_token_key(unit_catalog, NULL, key, &found, &e));
	ck_assert(found);
	memcpy(g.token, giver->id, sizeof(g.token));
	(void)snprintf(g.model, sizeof(g.model), "%s", model);
	ck_ok(links_sign(key, &g, &link, &e));
	return identify(buf_str(&link), ret);
}

START_TEST(a_link_is_never_worth_more_than_its_token)
{
	CLEANUP_BUF struct buf link = BUF_INIT(LINKS_TEXT_MAX);
	char text[TOKEN_TEXT + 1];
	struct err e;

	start("none");
	make_link("read=a/*", "a/m", 0, &link);
	struct catalog_token of_a = issue("read=a/*", text);
	ck_ok(identify_forged(&of_a, "a/m", &e));
	ck_assert(may(SCOPE_READ, "a/m"));
	ck_ok(identify_forged(&of_a, "b/m", &e));
	ck_assert(!may(SCOPE_READ, "b/m"));
	struct catalog_token ended = issue_in(unit_catalog, "read=a/*", clock_now_ms() - 1, text);
	ck_err(identify_forged(&ended, "a/m", &e), ERR_BAD_TOKEN);
}
END_TEST

START_TEST(links_outlive_the_process)
{
	CLEANUP_BUF struct buf link = BUF_INIT(LINKS_TEXT_MAX);
	struct err e;

	start("none");
	make_link("read=**", "m", 0, &link);
	start("none");
	ck_ok(identify_at(0, NULL, buf_str(&link), &e));
	ck_assert(may(SCOPE_READ, "m"));
}
END_TEST

START_TEST(links_are_for_tokens_that_may_read)
{
	CLEANUP_BUF struct buf link = BUF_INIT(LINKS_TEXT_MAX);
	struct links_grant g = {.model = "m", .expires_ms = UINT64_MAX};
	char text[TOKEN_TEXT + 1], soon[TOKEN_TEXT + 1];
	uint64_t end_ms = (clock_now_ms() / 1000 + 60) * 1000;
	struct err e;

	ck_ok(identify_at(0, NULL, NULL, &e));
	ck_err(authority_link(authority, &asker, &g, &link, &e), ERR_TOKEN_REQUIRED);
	(void)issue("publish=**", text);
	ck_ok(identify(text, &e));
	ck_err(authority_link(authority, &asker, &g, &link, &e), ERR_NOT_ALLOWED);
	(void)issue_in(unit_catalog, "read=m", end_ms, soon);
	ck_ok(identify(soon, &e));
	ck_ok(authority_link(authority, &asker, &g, &link, &e));
	ck_assert_uint_eq(g.expires_ms, end_ms);
}
END_TEST

START_TEST(use_is_written_down_when_it_is_tidied)
{
	char text[TOKEN_TEXT + 1];
	struct err e;

	(void)issue("read=**", text);
	ck_ok(identify(text, &e));
	ck_assert_int_eq(unit_catalog_raw("SELECT used FROM tokens"), 0);
	ck_ok(authority_tidy(authority, &e));
	ck_assert_int_gt(unit_catalog_raw("SELECT used FROM tokens"), 0);
}
END_TEST

/* Somebody with sqlite3 moves no mark. */
START_TEST(tidying_finds_what_nobody_told_of)
{
	char text[TOKEN_TEXT + 1];
	struct err e;

	(void)issue("read=**", text);
	ck_ok(identify(text, &e));
	ck_assert_int_eq(unit_catalog_raw("DELETE FROM tokens"), -1);
	ck_ok(identify(text, &e));
	ck_ok(authority_tidy(authority, &e));
	ck_err(identify(text, &e), ERR_BAD_TOKEN);
}
END_TEST

struct loop {
	unsigned index;
	const char *header;
	atomic_bool *stop;
	unsigned asked;
};

/* A token that nobody touches is good all the time. */
static void *ask_on(void *cls)
{
	struct loop *l = cls;
	const struct authority_request q = {
		.loop = l->index, .authorization = l->header, .client = "127.0.0.1"};

	while (!atomic_load(l->stop)) {
		struct authority_asker mine;
		unsigned ignored;
		struct err e;
		ck_ok(authority_identify(authority, &q, &mine, &ignored, &e));
		ck_assert(authority_may(&mine, SCOPE_READ, "m", 0));
		authority_asker_done(&mine);
		l->asked++;
	}
	return NULL;
}

START_TEST(loops_ask_while_others_change_and_tidy)
{
	char text[TOKEN_TEXT + 1], other[TOKEN_TEXT + 1], good[sizeof("Bearer ") + TOKEN_TEXT];
	atomic_bool stop = false;
	struct loop loops[2];
	pthread_t threads[2];
	struct err e;

	(void)issue("read=**", text);
	(void)snprintf(good, sizeof(good), "Bearer %s", text);
	for (unsigned i = 0; i < 2; i++) {
		loops[i] = (struct loop){.index = i, .header = good, .stop = &stop};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_on, &loops[i]), 0);
	}
	for (int round = 0; round < 20; round++) {
		struct catalog_token row = issue("publish=**", other);
		ck_ok(authority_tidy(authority, &e));
		ck_ok(catalog_token_remove(unit_catalog, row.id, &e));
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++) {
		(void)pthread_join(threads[i], NULL);
		ck_assert_uint_gt(loops[i].asked, 0);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("authority");
	TCase *t = tcase_create("authority");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, among_ourselves_everything_is_allowed_until_there_is_a_token);
	tcase_add_test(t, beyond_loopback_everybody_only_reads);
	tcase_add_test(t, what_everybody_may_do_is_configured);
	tcase_add_test(t, what_everybody_may_do_can_change);
	tcase_add_test(t, a_token_allows_what_it_says_and_what_everybody_may);
	tcase_add_test(t, other_schemes_are_no_token);
	tcase_add_test(t, a_wrong_secret_is_refused);
	tcase_add_test(t, files_are_those_of_models_that_are_read_or_published);
	tcase_add_test(t, a_secret_counts_to_its_last_byte);
	tcase_add_test(t, a_token_of_a_later_release_allows_nothing_rather_than_a_part);
	tcase_add_test(t, an_expired_token_is_refused_and_says_so);
	tcase_add_test(t, a_change_beside_counts_from_the_next_request_on_every_loop);
	tcase_add_test(t, who_asked_before_a_change_keeps_what_he_is);
	tcase_add_test(t, guessing_has_to_wait_and_others_do_not);
	tcase_add_test(t, a_link_reads_its_model_and_nothing_else);
	tcase_add_test(t, a_link_to_a_version_reads_that_version);
	tcase_add_test(t, a_link_ends_with_its_token);
	tcase_add_test(t, a_link_is_never_worth_more_than_its_token);
	tcase_add_test(t, links_outlive_the_process);
	tcase_add_test(t, links_are_for_tokens_that_may_read);
	tcase_add_test(t, use_is_written_down_when_it_is_tidied);
	tcase_add_test(t, tidying_finds_what_nobody_told_of);
	tcase_add_test(t, loops_ask_while_others_change_and_tidy);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
