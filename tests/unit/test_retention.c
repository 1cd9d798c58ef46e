/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of retention: as they are written, what they say, and what a pruning deletes by them. */
#include "common/base/clock.h"
#include "common/registry/registry.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#define DAY_MS   UINT64_C(86400000)
#define TOLD_MAX 65536

static int read_words(const char *const *words, size_t n, struct retention *ret, struct err *e)
{
	return retention_read((char *const *)(uintptr_t)words, n, ret, e);
}

/* ---- writing them ---- */

START_TEST(a_rule_has_a_pattern_and_what_it_keeps)
{
	static const char *const words[] = {"team-a/gold=all", "team-a/**=last:5+younger:30d",
		"*=younger:12h", "**=last:1"};
	struct retention r;
	struct err e;

	ck_ok(read_words(words, ARRAY_SIZE(words), &r, &e));
	ck_assert_uint_eq(r.n, 4);
	ck_assert(r.rules[0].all);
	ck_assert_str_eq(r.rules[1].pattern, "team-a/**");
	ck_assert_uint_eq(r.rules[1].last, 5);
	ck_assert_uint_eq(r.rules[1].younger_ms, 30 * DAY_MS);
	ck_assert_uint_eq(r.rules[2].last, 0);
	ck_assert_uint_eq(r.rules[2].younger_ms, DAY_MS / 2);
	ck_assert_uint_eq(r.rules[3].last, 1);
	retention_done(&r);
}
END_TEST

#define LAST    ": last:N stands there once, N a number from 1"
#define YOUNGER ": younger:TIME stands there once, TIME written like 12h or 30d"
#define KEEP    ": KEEP is all, last:N, younger:TIME, or both with a +"
#define PATTERN ": PATTERN is a model's name, NAME/*, NAME/**, * or **"

static const struct {
	const char *word;
	const char *sentence; /* behind the word */
} refusals[] = {
	{"a", ": expected PATTERN=KEEP, as in team-a/**=last:5+younger:30d"},
	{"a=", ": expected PATTERN=KEEP, as in team-a/**=last:5+younger:30d"},
	{"a=last:0", LAST},
	{"a=last:", LAST},
	{"a=last", LAST},
	{"a=last:-1", LAST},
	{"a=last:2+last:3", LAST},
	{"a=last:99999999999", LAST},
	{"a=younger:0", YOUNGER},
	{"a=younger:30", YOUNGER},
	{"a=younger:1d+younger:2d", YOUNGER},
	{"a=younger:99999999d", YOUNGER},
	{"a=younger:000000000000000000000000001d", YOUNGER},
	{"a=5", KEEP},
	{"a=all+last:2", KEEP},
	{"a=last:2+", KEEP},
	{"a=last:2+all", KEEP},
	{"a=oldest:2", KEEP},
	{"a*=last:2", PATTERN},
	{"**/a=last:2", PATTERN},
	{"a/*/b=last:2", PATTERN},
	{"a/***=last:2", PATTERN},
	{"***=last:2", PATTERN},
	{"/**=last:2", ": a model name is not empty"},
	{"a//**=last:2", ": a model name has no empty segment between its slashes"},
	{"Team/**=last:2", ": a model name is in lower case: use 'team'"},
};

START_TEST(what_is_no_rule_is_refused)
{
	const char *const words[] = {"ok=all", refusals[_i].word};
	struct retention r;
	struct err e;

	ck_err(read_words(words, 2, &r, &e), ERR_CONFIG);
	ck_assert_msg(strncmp(e.text, words[1], strlen(words[1])) == 0, "%s", e.text);
	ck_assert_str_eq(e.text + strlen(words[1]), refusals[_i].sentence);
}
END_TEST

START_TEST(a_pattern_stands_there_once)
{
	static const char *const words[] = {"a/**=last:2", "a/**=all"};
	struct retention r;
	struct err e;

	ck_err(read_words(words, 2, &r, &e), ERR_CONFIG);
	ck_assert_str_eq(e.text, "a/** is set twice");
}
END_TEST

/* ---- what they say ---- */

static const struct {
	const char *pattern;
	const char *model;
	bool matches;
} matches[] = {
	{"a", "a", true}, {"a", "a/b", false}, {"a", "ab", false},
	{"a/*", "a", false}, {"a/*", "a/b", true}, {"a/*", "a/b/c", false}, {"a/*", "ab", false},
	{"a/**", "a", false}, {"a/**", "a/b", true}, {"a/**", "a/b/c/d", true},
	{"a/**", "ab/c", false}, {"a/b/*", "a/b/c", true}, {"a/b/*", "a/c/b", false},
	{"*", "a", true}, {"*", "a/b", false}, {"**", "a", true}, {"**", "a/b/c/d", true},
};

START_TEST(a_pattern_matches_whole_segments)
{
	char word[64];
	const char *const words[] = {word};
	struct retention r;
	struct err e;

	(void)snprintf(word, sizeof(word), "%s=last:1", matches[_i].pattern);
	ck_ok(read_words(words, 1, &r, &e));
	ck_assert_msg(!!retention_find(&r, matches[_i].model) == matches[_i].matches, "%s %s",
		matches[_i].pattern, matches[_i].model);
	retention_done(&r);
}
END_TEST

START_TEST(the_first_rule_that_matches_counts)
{
	static const char *const words[] = {"a/b=all", "a/**=last:2", "**=last:3"};
	struct retention r;
	struct err e;

	ck_ok(read_words(words, 3, &r, &e));
	ck_assert(retention_find(&r, "a/b")->all);
	ck_assert_uint_eq(retention_find(&r, "a/c")->last, 2);
	ck_assert_uint_eq(retention_find(&r, "z")->last, 3);
	retention_done(&r);
}
END_TEST

static const struct {
	const char *keep;
	uint64_t newer;
	uint64_t age_ms;
	bool labelled;
	bool stays;
} verdicts[] = {
	{"last:1", 0, 90 * DAY_MS, false, true},
	{"last:1", 1, 0, false, false},
	{"last:1", 1, 0, true, true},
	{"last:3", 2, 90 * DAY_MS, false, true},
	{"last:3", 3, 0, false, false},
	{"younger:2d", 0, 90 * DAY_MS, false, true},
	{"younger:2d", 1, 2 * DAY_MS - 1, false, true},
	{"younger:2d", 1, 2 * DAY_MS, false, false},
	{"younger:2d", 1, 0 - DAY_MS, false, true},
	{"younger:2d", 1, 2 * DAY_MS, true, true},
	{"last:2+younger:2d", 1, 90 * DAY_MS, false, true},
	{"last:2+younger:2d", 2, DAY_MS, false, true},
	{"last:2+younger:2d", 2, 3 * DAY_MS, false, false},
	{"all", 1000, 90 * DAY_MS, false, true},
};

START_TEST(a_version_stays_for_any_of_its_reasons)
{
	const uint64_t now_ms = 1000 * DAY_MS;
	const struct retention_version v = {
		.newer = verdicts[_i].newer,
		.created_ms = now_ms - verdicts[_i].age_ms,
		.labelled = verdicts[_i].labelled,
	};
	char word[64];
	const char *const words[] = {word};
	struct retention r;
	struct err e;

	(void)snprintf(word, sizeof(word), "**=%s", verdicts[_i].keep);
	ck_ok(read_words(words, 1, &r, &e));
	ck_assert(retention_keeps(&r.rules[0], &v, now_ms) == verdicts[_i].stays);
	retention_done(&r);
}
END_TEST

/* ---- pruning ---- */

static struct registry *registry;
static struct retention rules;
static struct buf told;
static void (*at_first)(void); /* is told of a deletion */

static void open_registry(void)
{
	struct registry_options o;
	struct err e;

	unit_dir_make();
	o = unit_upload_options();
	ck_ok(registry_open(&o, &registry, &e));
	unit_catalog = registry_catalog(registry);
	buf_init(&told, TOLD_MAX);
}

static void close_registry(void)
{
	registry_close(registry);
	unit_dir_remove();
	retention_done(&rules);
	buf_done(&told);
}

static int tell(void *cls, const char *model, uint64_t version, const char *why, struct err *e)
{
	void (*first)(void) = take_ptr(at_first);

	(void)cls;
	(void)e;
	buf_addf(&told, "%s@%llu: %s\n", model, (unsigned long long)version, why);
	if (first)
		first();
	return 0;
}

static struct registry_pruned prune(bool dry_run)
{
	const struct registry_prune how = {.rules = &rules, .dry_run = dry_run, .tell = tell};
	struct registry_pruned done;
	struct err e;

	buf_clear(&told);
	ck_ok(registry_prune(registry, &how, &done, &e));
	return done;
}

static void rule(const char *word)
{
	struct err e;

	retention_done(&rules);
	ck_ok(read_words(&word, 1, &rules, &e));
}

static void publish_many(const char *model, unsigned n)
{
	char text[16];

	for (unsigned i = 1; i <= n; i++) {
		(void)snprintf(text, sizeof(text), "%u", i);
		unit_catalog_publish(model, text, NULL);
	}
}

static int64_t live(const char *model)
{
	char sql[160];

	(void)snprintf(sql, sizeof(sql),
		"SELECT COUNT(*) FROM versions WHERE deleted = 0 AND model = '%s'", model);
	return unit_catalog_raw(sql);
}

static void set_label(uint64_t version)
{
	const struct catalog_label_move m = {
		.model = "m", .label = "stable", .version = version, .who = ""};
	struct catalog_label label;
	bool created;
	struct err e;

	ck_ok(registry_move_label(registry, &m, &label, &created, &e));
}

START_TEST(a_dry_run_says_what_the_run_does_and_changes_nothing)
{
	static const char want[] =
		"m@1: older than 30d, not among the last 2, no label\n"
		"team/x@1: older than 30d, not among the last 2, no label\n";
	struct registry_pruned would, done;

	publish_many("m", 6);
	publish_many("team/x", 3);
	publish_many("short", 2);
	set_label(2);
	unit_catalog_raw("UPDATE versions SET created = 1000 WHERE version < 3");
	rule("**=last:2+younger:30d");
	would = prune(true);
	ck_assert_str_eq(buf_str(&told), want);
	ck_assert_int_eq(live("m"), 6);
	done = prune(false);
	ck_assert_str_eq(buf_str(&told), want);
	ck_assert_uint_eq(would.versions, 2);
	ck_assert_uint_eq(done.versions, 2);
	ck_assert_uint_eq(would.bytes, 2);
	ck_assert_uint_eq(done.bytes, 2);
	ck_assert_int_eq(live("m"), 5);
	ck_assert_int_eq(live("team/x"), 2);
	ck_assert_int_eq(live("short"), 2);
	ck_assert_int_eq(
		unit_catalog_raw("SELECT COUNT(*) FROM changes WHERE kind = 'version-deleted'"),
		2);
	ck_assert_uint_eq(prune(false).versions, 0);
}
END_TEST

START_TEST(without_rules_nothing_is_deleted)
{
	publish_many("m", 3);
	ck_assert_uint_eq(prune(false).versions, 0);
	rule("other=last:1");
	ck_assert_uint_eq(prune(false).versions, 0);
	rule("m=all");
	ck_assert_uint_eq(prune(false).versions, 0);
	ck_assert_int_eq(live("m"), 3);
	rule("m=last:1");
	ck_assert_uint_eq(prune(false).versions, 2);
	ck_assert_str_eq(buf_str(&told),
		"m@2: not the newest, no label\nm@1: not the newest, no label\n");
}
END_TEST

static void label_an_old_one(void)
{
	set_label(3);
}

START_TEST(a_label_that_moves_meanwhile_keeps_its_version)
{
	publish_many("m", CATALOG_PRUNE_BATCH + 10);
	rule("m=last:2");
	at_first = label_an_old_one;
	ck_assert_uint_eq(prune(false).versions, CATALOG_PRUNE_BATCH + 10 - 3);
	ck_assert_ptr_null(strstr(buf_str(&told), "m@3:"));
	ck_assert_int_eq(live("m"), 3);
}
END_TEST

static void delete_the_newest(void)
{
	struct err e;

	ck_ok(registry_delete_version(registry, "m", CATALOG_PRUNE_BATCH + 10, &e));
	ck_ok(registry_delete_version(registry, "m", CATALOG_PRUNE_BATCH + 9, &e));
}

START_TEST(what_became_one_of_the_newest_meanwhile_stays)
{
	publish_many("m", CATALOG_PRUNE_BATCH + 10);
	rule("m=last:2");
	at_first = delete_the_newest; /* after all but the oldest ones were deleted */
	ck_assert_uint_eq(prune(false).versions, CATALOG_PRUNE_BATCH + 10 - 4);
	ck_assert_int_eq(live("m"), 2);
	ck_assert_int_eq(
		unit_catalog_raw("SELECT MAX(version) FROM versions WHERE deleted = 0"), 8);
}
END_TEST

START_TEST(many_models_are_gone_through_and_a_stop_ends_it_early)
{
	atomic_bool stop;
	const struct registry_prune how = {.rules = &rules, .stop = &stop};
	struct registry_pruned done;
	struct err e;

	unit_catalog_raw("WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"
			 " WHERE i < 1300) INSERT INTO models (name, next_version, latest, created,"
			 " updated) SELECT printf('m%d', i), 4, 3, 0, 0 FROM c");
	unit_catalog_raw("INSERT INTO versions (model, version, root, created, bytes, info)"
			 " SELECT m.name, v.i, printf('%064d', v.i), 5, 7, '{}' FROM models m,"
			 " (SELECT 1 AS i UNION SELECT 2 UNION SELECT 3) v");
	rule("**=last:1");
	atomic_init(&stop, true);
	ck_ok(registry_prune(registry, &how, &done, &e));
	ck_assert_uint_eq(done.versions, 0);
	atomic_store(&stop, false);
	ck_ok(registry_prune(registry, &how, &done, &e));
	ck_assert_uint_eq(done.versions, 2600);
	ck_assert_uint_eq(done.bytes, 2600 * 7);
	ck_assert_int_eq(
		unit_catalog_raw("SELECT COUNT(*) FROM versions WHERE deleted = 0 AND version = 3"),
		1300);
}
END_TEST

START_TEST(who_follows_deletions_learns_of_each_once)
{
	struct catalog_feed at = {.started = false};
	struct catalog_name names[2];
	size_t n;
	struct err e;

	publish_many("before", 3);
	ck_ok(registry_delete_version(registry, "before", 1, &e));
	ck_ok(catalog_deletions(unit_catalog, &at, names, 2, &n, &e));
	ck_assert_uint_eq(n, 0);
	publish_many("m", 4);
	rule("**=last:1");
	ck_assert_uint_eq(prune(false).versions, 4);
	ck_ok(catalog_deletions(unit_catalog, &at, names, 2, &n, &e));
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(names[0].text, "before");
	ck_assert_str_eq(names[1].text, "m");
	ck_ok(catalog_deletions(unit_catalog, &at, names, 2, &n, &e));
	ck_assert_uint_eq(n, 2);
	publish_many("m", 2);
	ck_ok(catalog_deletions(unit_catalog, &at, names, 2, &n, &e));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(unit_catalog_raw("SELECT MAX(sequence) FROM changes"),
		(int64_t)at.sequence);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("retention");
	TCase *words = tcase_create("rules");
	TCase *t = tcase_create("pruning");

	tcase_add_test(words, a_rule_has_a_pattern_and_what_it_keeps);
	tcase_add_loop_test(words, what_is_no_rule_is_refused, 0, (int)ARRAY_SIZE(refusals));
	tcase_add_test(words, a_pattern_stands_there_once);
	tcase_add_loop_test(words, a_pattern_matches_whole_segments, 0, (int)ARRAY_SIZE(matches));
	tcase_add_test(words, the_first_rule_that_matches_counts);
	tcase_add_loop_test(words, a_version_stays_for_any_of_its_reasons, 0,
		(int)ARRAY_SIZE(verdicts));
	suite_add_tcase(s, words);
	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_add_test(t, a_dry_run_says_what_the_run_does_and_changes_nothing);
	tcase_add_test(t, without_rules_nothing_is_deleted);
	tcase_add_test(t, a_label_that_moves_meanwhile_keeps_its_version);
	tcase_add_test(t, what_became_one_of_the_newest_meanwhile_stays);
	tcase_add_test(t, many_models_are_gone_through_and_a_stop_ends_it_early);
	tcase_add_test(t, who_follows_deletions_learns_of_each_once);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
