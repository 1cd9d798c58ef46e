/* SPDX-License-Identifier: Apache-2.0 */
/* Severities from the configuration, and what is printed of the table of rules. */
#include "common/base/fsio.h"
#include "common/base/str.h"
#include "common/json/json.h"
#include "common/model/finding_print.h"
#include "common/model/modeljson.h"
#include "tests/unit/unit.h"

#include <fcntl.h>

#define TEXT_MAX 1048576

static struct finding_policy policy;
static struct err e;

static void set_up(void)
{
	finding_policy_init(&policy);
}

static int read_settings(const char *const *settings)
{
	size_t n = 0;

	while (settings[n])
		n++;
	return finding_policy_read(&policy, (char *const *)(uintptr_t)settings, n, &e);
}

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- severities ---- */

START_TEST(without_settings_every_rule_has_its_default)
{
	ck_ok(read_settings(SETTINGS(NULL)));
	for (enum finding_rule i = 0; i < FINDING_RULE_COUNT; i++)
		ck_assert_int_eq(policy.severity[i], finding_rule_severity(i));
}
END_TEST

START_TEST(a_setting_changes_its_rule_alone)
{
	ck_ok(read_settings(SETTINGS("weights.too-long=warning", "weights.too-short=off")));
	for (enum finding_rule i = 0; i < FINDING_RULE_COUNT; i++) {
		enum finding_severity want = i == RULE_WEIGHTS_TOO_LONG ? FINDING_WARNING :
			i == RULE_WEIGHTS_TOO_SHORT ? FINDING_OFF : finding_rule_severity(i);
		ck_assert_int_eq(policy.severity[i], want);
	}
}
END_TEST

START_TEST(a_rule_that_stays_may_be_set_to_what_it_is)
{
	ck_ok(read_settings(SETTINGS("json.syntax=error")));
	ck_assert_int_eq(policy.severity[RULE_JSON_SYNTAX], FINDING_ERROR);
}
END_TEST

static const struct {
	const char *settings[3];
	const char *sentence;
} refusals[] = {
	{{"weights.to-long=off"},
		"weights.to-long=off: there is no such rule; did you mean weights.too-long?"},
	{{"banana=off"}, "banana=off: there is no such rule; `modeld rules` lists them"},
	{{"weights.too-long=of"},
		"weights.too-long=of: expected RULE=error, RULE=warning or RULE=off; did you mean "
		"off?"},
	{{"weights.too-long=fatality"},
		"weights.too-long=fatality: expected RULE=error, RULE=warning or RULE=off"},
	{{"weights.too-long=info"},
		"weights.too-long=info: expected RULE=error, RULE=warning or RULE=off"},
	{{"weights.too-long="},
		"weights.too-long=: expected RULE=error, RULE=warning or RULE=off"},
	{{"weights.too-long"}, "weights.too-long: expected RULE=error, RULE=warning or RULE=off"},
	{{"json.syntax=off"},
		"json.syntax stays error, because nothing can be read from what is not JSON"},
	{{"json.root=warning"}, "json.root stays error, because without them there is no model"},
	{{"weights.too-long=off", "weights.too-long=warning"}, "weights.too-long is set twice"},
};

START_TEST(a_wrong_setting_is_told_and_changes_nothing)
{
	const struct finding_policy before = policy;

	ck_err(read_settings(refusals[_i].settings), ERR_CONFIG);
	ck_assert_str_eq(e.text, refusals[_i].sentence);
	ck_assert_int_eq(memcmp(&before, &policy, sizeof(policy)), 0);
}
END_TEST

/* Each test of the reader that must end in an error: with its rule milder, the reader would go on
 * with what it could not read. */
START_TEST(what_nothing_can_be_read_from_is_fixed)
{
	static const enum finding_rule fixed[] = {RULE_JSON_SYNTAX, RULE_JSON_MISSING,
		RULE_JSON_ROOT, RULE_JSON_TYPE, RULE_TOPOLOGY_KIND, RULE_MANIFEST_TYPE,
		RULE_MANIFEST_LIMIT, RULE_MANIFEST_PATH, RULE_MANIFEST_FILE_MISSING,
		RULE_WEIGHTS_DTYPE, RULE_WEIGHTS_SHAPE, RULE_WEIGHTS_QUANTIZATION,
		RULE_WEIGHTS_OVERFLOW};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		ck_assert_ptr_nonnull(finding_rule_fixed(fixed[i]));
		ck_assert_int_eq(finding_rule_severity(fixed[i]), FINDING_ERROR);
	}
	ck_assert_ptr_null(finding_rule_fixed(RULE_WEIGHTS_TOO_LONG));
}
END_TEST

/* ---- findings under a policy ---- */

START_TEST(a_finding_has_the_severity_of_the_policy)
{
	CLEANUP_FINDINGS struct findings f;

	policy.severity[RULE_WEIGHTS_TOO_LONG] = FINDING_WARNING;
	policy.severity[RULE_WEIGHTS_TOO_SHORT] = FINDING_OFF;
	findings_init_policy(&f, &policy);
	findings_add(&f, RULE_WEIGHTS_TOO_SHORT, NULL, NULL, "not told");
	ck_assert_uint_eq(f.n, 0);
	findings_add(&f, RULE_WEIGHTS_TOO_LONG, NULL, NULL, "told");
	ck_assert_uint_eq(f.n, 1);
	ck_assert_int_eq(f.items[0].severity, FINDING_WARNING);
	ck_assert_uint_eq(f.counts[FINDING_WARNING], 1);
	ck_assert(!findings_refuse(&f));
	findings_add(&f, RULE_JSON_ROOT, NULL, NULL, "refuses");
	ck_assert(findings_refuse(&f));
}
END_TEST

START_TEST(findings_that_are_emptied_keep_their_policy)
{
	struct findings f;

	policy.severity[RULE_WEIGHTS_TOO_LONG] = FINDING_OFF;
	findings_init_policy(&f, &policy);
	findings_add(&f, RULE_JSON_ROOT, NULL, NULL, "one");
	findings_done(&f);
	ck_assert_uint_eq(f.n, 0);
	ck_assert(!findings_refuse(&f));
	findings_add(&f, RULE_WEIGHTS_TOO_LONG, NULL, NULL, "not told");
	ck_assert_uint_eq(f.n, 0);
	findings_done(&f);
}
END_TEST

START_TEST(only_the_first_findings_are_written_where_asked)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct json_write w;

	findings_init(&f);
	findings_add(&f, RULE_JSON_ROOT, NULL, NULL, "one");
	findings_add(&f, RULE_JSON_ROOT, NULL, NULL, "two");
	json_write_init(&w, &b);
	findings_write_first(&f, 1, &w, NULL);
	ck_assert_ptr_nonnull(strstr(buf_str(&b), "\"message\":\"one\""));
	ck_assert_ptr_null(strstr(buf_str(&b), "\"message\":\"two\""));
}
END_TEST

START_TEST(a_shard_that_is_named_twice_may_pass_with_a_warning)
{
	static const char text[] =
		"{\"modelTopology\":null,\"weightsManifest\":[{\"paths\":[\"a\",\"a\"],"
		"\"weights\":[]}]}";
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP_FINDINGS struct findings f;

	policy.severity[RULE_MANIFEST_PATH_TWICE] = FINDING_WARNING;
	findings_init_policy(&f, &policy);
	ck_ok(modeljson_parse(text, strlen(text), &m, &f, &e));
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->manifest->paths_n, 2);
	ck_assert_uint_eq(f.counts[FINDING_WARNING], 1);
}
END_TEST

/* ---- what is printed ---- */

START_TEST(the_table_is_no_wider_than_a_terminal_and_has_every_rule)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);
	struct str rest, line;

	finding_print_text(&policy, &out);
	ck_assert(!buf_failed(&out));
	rest = str_of(buf_str(&out));
	while (str_split(&rest, '\n', &line))
		ck_assert_msg(line.n <= 88, "too wide: " STR_FMT, STR_ARG(line));
	for (enum finding_rule i = 0; i < FINDING_RULE_COUNT; i++)
		ck_assert_ptr_nonnull(strstr(buf_str(&out), finding_rule_id(i)));
}
END_TEST

START_TEST(the_table_says_what_is_in_force)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);

	policy.severity[RULE_WEIGHTS_TOO_LONG] = FINDING_OFF;
	finding_print_text(&policy, &out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out),
		"json.missing                     error, always\n"
		"    A version has one file that is its model.json.\n"
		"    Fix: Send a part whose name or filename is model.json.\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out),
		"weights.too-long                 off, by default error\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "weights.too-short                error\n"));
}
END_TEST

START_TEST(programs_get_the_same_as_json)
{
	static const struct json_limits limits = {TEXT_MAX, 10000, 8, false};
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);
	const struct json *rule;

	policy.severity[RULE_WEIGHTS_TOO_LONG] = FINDING_WARNING;
	finding_print_json(&policy, &out);
	ck_ok(json_parse(buf_str(&out), out.len, &limits, &doc, &e));
	rule = json_first(json_get(json_root(doc), "rules"));
	ck_assert_str_eq(json_str(json_get(rule, "rule")), "json.syntax");
	ck_assert_ptr_nonnull(json_str(json_get(rule, "why")));
	while (strcmp(json_str(json_get(rule, "rule")), "weights.too-long") != 0)
		rule = json_next(rule);
	ck_assert_str_eq(json_str(json_get(rule, "severity")), "warning");
	ck_assert_str_eq(json_str(json_get(rule, "default")), "error");
	ck_assert(json_is(json_get(rule, "changeable"), JSON_TRUE));
	ck_assert_ptr_null(json_get(rule, "why"));
	ck_assert_ptr_nonnull(json_str(json_get(rule, "documentation")));
	ck_assert_ptr_nonnull(json_str(json_get(rule, "fix")));
}
END_TEST

START_TEST(the_manual_lists_the_rules_of_the_table)
{
	static const char begin[] = ".\\\" RULES BEGIN\n", end[] = ".\\\" RULES END\n";
	CLEANUP_BUF struct buf rules = BUF_INIT(TEXT_MAX);
	CLEANUP_FREE char *manual = NULL;
	char *from, *to;
	size_t n;

	ck_ok(fsio_read_file(AT_FDCWD, TEST_SRCDIR "/man/modeld-rules.7", TEXT_MAX, &manual, &n,
		&e));
	from = strstr(manual, begin);
	to = strstr(manual, end);
	ck_assert(from && to);
	*to = '\0';
	finding_print_man(&rules);
	ck_assert_msg(strcmp(buf_str(&rules), from + strlen(begin)) == 0,
		"run `make regenerate`");
}
END_TEST

START_TEST(what_is_said_of_a_rule_has_no_final_stop)
{
	for (enum finding_rule i = 0; i < FINDING_RULE_COUNT; i++) {
		const char *texts[] = {finding_rule_doc(i), finding_rule_fix(i),
			finding_rule_fixed(i)};
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
			ck_assert_msg(!texts[k] || !str_ends(str_of(texts[k]), "."), "%s: %s",
				finding_rule_id(i), texts[k]);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("finding");
	TCase *t = tcase_create("finding");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, without_settings_every_rule_has_its_default);
	tcase_add_test(t, a_setting_changes_its_rule_alone);
	tcase_add_test(t, a_rule_that_stays_may_be_set_to_what_it_is);
	tcase_add_loop_test(t, a_wrong_setting_is_told_and_changes_nothing, 0,
		(int)ARRAY_SIZE(refusals));
	tcase_add_test(t, what_nothing_can_be_read_from_is_fixed);
	tcase_add_test(t, a_finding_has_the_severity_of_the_policy);
	tcase_add_test(t, findings_that_are_emptied_keep_their_policy);
	tcase_add_test(t, only_the_first_findings_are_written_where_asked);
	tcase_add_test(t, a_shard_that_is_named_twice_may_pass_with_a_warning);
	tcase_add_test(t, the_table_is_no_wider_than_a_terminal_and_has_every_rule);
	tcase_add_test(t, the_table_says_what_is_in_force);
	tcase_add_test(t, programs_get_the_same_as_json);
	tcase_add_test(t, the_manual_lists_the_rules_of_the_table);
	tcase_add_test(t, what_is_said_of_a_rule_has_no_final_stop);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
