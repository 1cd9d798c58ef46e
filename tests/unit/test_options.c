/* SPDX-License-Identifier: Apache-2.0 */
#include "server/options.h"
#include "common/base/fsio.h"
#include "common/base/str.h"
#include "tests/unit/unit.h"

#include <sys/prctl.h>

#define TEXT_MAX 1048576
#define ARGS_MAX 16

static struct options o;
static struct err e;

/* Parse `words` (argv without its first, NULL terminated) in the environment `vars`, and in a home
 * that says where the store is when these do not and nobody is root. */
static int parse(const char *const *words, const char *const *vars)
{
	const char *argv[ARGS_MAX + 1] = {"modeld"};
	const char *env[ARGS_MAX + 2] = {NULL};
	int argc = 1, n;

	for (; words[argc - 1] && argc < ARGS_MAX; argc++)
		argv[argc] = words[argc - 1];
	for (n = 0; vars[n] && n < ARGS_MAX; n++)
		env[n] = vars[n];
	env[n] = "HOME=/home/somebody";
	return options_read(argc, (char **)(uintptr_t)argv, (char *const *)(uintptr_t)env, &o, &e);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_FILE    "--config", "/dev/null"
#define NO_ENV     ((const char *const[]){NULL})

START_TEST(no_arguments_serve_with_defaults)
{
	ck_ok(parse(WORDS(NO_FILE), WORDS("STATE_DIRECTORY=/state")));
	ck_assert_int_eq(o.verb, OPTIONS_SERVE);
	ck_assert_str_eq(o.config.http_listen.items[0], "127.0.0.1:8570");
	ck_assert_str_eq(o.config_path, "/dev/null");
	ck_assert_ptr_null(o.port_file);
	options_done(&o);
}
END_TEST

START_TEST(a_verb_stands_before_or_behind_options)
{
	ck_ok(parse(WORDS("check-config", NO_FILE), NO_ENV));
	ck_assert_int_eq(o.verb, OPTIONS_CHECK_CONFIG);
	options_done(&o);
	ck_ok(parse(WORDS(NO_FILE, "--port-file=/p", "serve"), NO_ENV));
	ck_assert_int_eq(o.verb, OPTIONS_SERVE);
	ck_assert_str_eq(o.port_file, "/p");
	options_done(&o);
}
END_TEST

START_TEST(token_has_actions_and_options_of_its_own)
{
	ck_ok(parse(WORDS("token", "create", NO_FILE, "--scope", "read,publish=a/**", "--scope",
		"label", "--models=b", "--expires", "90d", "--name", "ci"), NO_ENV));
	ck_assert_int_eq(o.verb, OPTIONS_TOKEN);
	ck_assert_int_eq(o.token.action, OPTIONS_TOKEN_CREATE);
	ck_assert_uint_eq(o.token.scopes_n, 2);
	ck_assert_str_eq(o.token.scopes[0], "read,publish=a/**");
	ck_assert_uint_eq(o.token.models_n, 1);
	ck_assert_str_eq(o.token.models[0], "b");
	ck_assert_uint_eq(o.token.lifetime_ms, 7776000000);
	ck_assert_str_eq(o.token.name, "ci");
	options_done(&o);
	ck_ok(parse(WORDS("token", "list", "--json", NO_FILE), NO_ENV));
	ck_assert_int_eq(o.token.action, OPTIONS_TOKEN_LIST);
	options_done(&o);
	ck_ok(parse(WORDS("token", "revoke", "0123456789ab", NO_FILE), NO_ENV));
	ck_assert_int_eq(o.token.action, OPTIONS_TOKEN_REVOKE);
	ck_assert_str_eq(o.token.id, "0123456789ab");
	options_done(&o);
}
END_TEST

START_TEST(addresses_are_judged_before_they_are_opened)
{
	ck_err(parse(WORDS("check-config", "--set=http.listen=tls:[::1]:1 8570", NO_FILE), NO_ENV),
		ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "[http] listen: \"8570\" is no address"));
	ck_ok(parse(WORDS("check-config", "--set=http.listen=127.0.0.1:0 [::1]:1", NO_FILE,
		"--store=/s"), NO_ENV));
	options_done(&o);
}
END_TEST

START_TEST(access_is_judged_at_the_start)
{
	ck_err(parse(WORDS("--set=auth.anonymous=write", NO_FILE), NO_ENV), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "[auth] anonymous"));
	ck_err(parse(WORDS("--set=http.cors_write_origins=app.example", NO_FILE), NO_ENV),
		ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "[http] cors_write_origins"));
	ck_ok(parse(WORDS("--set=auth.anonymous=read=public/** publish=sandbox",
		"--set=http.cors_write_origins=https://app.example", NO_FILE,
		"--store=/s"), NO_ENV));
	options_done(&o);
}
END_TEST

START_TEST(gc_has_options_of_its_own)
{
	ck_ok(parse(WORDS("gc", NO_FILE, "--grace", "10min", "--dry-run"), NO_ENV));
	ck_assert_int_eq(o.verb, OPTIONS_GC);
	ck_assert(o.dry_run);
	ck_assert_uint_eq(o.config.store_gc_grace, 600000);
	options_done(&o);
	ck_ok(parse(WORDS("gc", NO_FILE, "--grace=0"), NO_ENV));
	ck_assert(!o.dry_run);
	ck_assert_uint_eq(o.config.store_gc_grace, 0);
	options_done(&o);
	ck_err(parse(WORDS("gc", NO_FILE, "--grace=soon"), NO_ENV), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "--grace"));
	ck_err(parse(WORDS(NO_FILE, "--grace=0"), NO_ENV), ERR_BAD_PARAMETER);
	ck_err(parse(WORDS("rules", NO_FILE, "--dry-run"), NO_ENV), ERR_BAD_PARAMETER);
}
END_TEST

START_TEST(scrub_has_a_rate_of_its_own)
{
	ck_ok(parse(WORDS("scrub", NO_FILE, "--rate", "3MiB"), NO_ENV));
	ck_assert_int_eq(o.verb, OPTIONS_SCRUB);
	ck_assert(o.has_rate);
	ck_assert_uint_eq(o.config.store_scrub_rate, 3 << 20);
	options_done(&o);
	ck_ok(parse(WORDS("scrub", NO_FILE), NO_ENV));
	ck_assert(!o.has_rate);
	options_done(&o);
	ck_err(parse(WORDS("scrub", NO_FILE, "--rate=fast"), NO_ENV), ERR_CONFIG);
	ck_err(parse(WORDS(NO_FILE, "--rate=1MiB"), NO_ENV), ERR_BAD_PARAMETER);
}
END_TEST

START_TEST(prune_takes_its_rules_from_the_configuration)
{
	ck_ok(parse(WORDS("prune", NO_FILE, "--dry-run"),
		WORDS("MODELD_RETENTION_RULES=a/**=last:5+younger:30d, **=all",
			"MODELD_LIMITS_QUOTAS=a=1KiB", "MODELD_LIMITS_STORE=2KiB")));
	ck_assert_int_eq(o.verb, OPTIONS_PRUNE);
	ck_assert(o.dry_run);
	ck_assert_uint_eq(o.retention.n, 2);
	ck_assert_str_eq(o.retention.rules[0].pattern, "a/**");
	ck_assert_uint_eq(o.quotas.n, 2);
	ck_assert_uint_eq(o.quotas.items[1].bytes, 1024);
	options_done(&o);
	ck_err(parse(WORDS("prune", NO_FILE, "--set=retention.rules=a=last:0"), NO_ENV),
		ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "--set: [retention] rules: a=last:0"));
	ck_err(parse(WORDS("prune", NO_FILE, "--grace=0"), NO_ENV), ERR_BAD_PARAMETER);
}
END_TEST

START_TEST(listen_replaces_the_list_and_then_adds_to_it)
{
	ck_ok(parse(WORDS(NO_FILE, "--listen", "127.0.0.1:0", "--listen=[::1]:0", "--store", "/s"),
		WORDS("MODELD_HTTP_LISTEN=1.2.3.4:5", "MODELD_STORE_DIR=/env")));
	ck_assert_uint_eq(o.config.http_listen.n, 2);
	ck_assert_str_eq(o.config.http_listen.items[0], "127.0.0.1:0");
	ck_assert_str_eq(o.config.http_listen.items[1], "[::1]:0");
	ck_assert_str_eq(o.config.store_dir, "/s");
	options_done(&o);
}
END_TEST

START_TEST(set_reaches_every_key_and_the_last_one_counts)
{
	ck_ok(parse(WORDS(NO_FILE, "--set", "http.timeout=3s", "--set", "http.timeout=4s"),
		WORDS("MODELD_HTTP_TIMEOUT=2s")));
	ck_assert_uint_eq(o.config.http_timeout, 4000);
	options_done(&o);
}
END_TEST

START_TEST(variables_of_the_client_are_left_alone)
{
	ck_ok(parse(WORDS(NO_FILE), WORDS("MODELD_URL=http://x", "MODELD_TOKEN=y")));
	options_done(&o);
}
END_TEST

static void expect_store(const char *const *vars, const char *dir)
{
	ck_ok(parse(WORDS(NO_FILE), vars));
	ck_assert_str_eq(o.config.store_dir, dir);
	options_done(&o);
}

START_TEST(the_store_is_found_by_who_runs_it)
{
	if (geteuid() == 0) {
		expect_store(WORDS("HOME=/root", "XDG_DATA_HOME=/x"), MODELD_STATEDIR);
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
		ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* for leak checkers */
	}
	expect_store(WORDS("STATE_DIRECTORY=/var/lib/a:/var/lib/b", "HOME=/h"), "/var/lib/a");
	expect_store(WORDS("HOME=/h", "XDG_DATA_HOME=/x"), "/x/modeld");
	expect_store(WORDS("HOME=/h", "XDG_DATA_HOME=relative"), "/h/.local/share/modeld");
	expect_store(WORDS("HOME=/h", "XDG_DATA_HOME="), "/h/.local/share/modeld");
	ck_err(parse(WORDS(NO_FILE), WORDS("HOME=")), ERR_CONFIG);
}
END_TEST

static const struct {
	const char *words[5];
	const char *sentence;
} misuses[] = {
	{{"--frobnicate"}, "unknown option --frobnicate; `modeld --help` lists what there is"},
	{{"-x"}, "unknown option -x; `modeld --help` lists what there is"},
	{{"--store"}, "--store needs a value; `modeld --help` lists what there is"},
	{{"--version=1"}, "--version=1 takes no value; `modeld --help` lists what there is"},
	{{"--help=1"}, "--help=1 takes no value; `modeld --help` lists what there is"},
	{{"frobnicate"}, "there is no frobnicate; `modeld --help` lists what there is"},
	{{"--json"}, "--json goes with `modeld rules`, `modeld audit` and `modeld token list`; "
		"`modeld --help` lists what there is"},
	{{"token"}, "token create, token list or token revoke ID; "
		"`modeld --help` lists what there is"},
	{{"token", "make"}, "token create, token list or token revoke ID; "
		"`modeld --help` lists what there is"},
	{{"token", "revoke"}, "token revoke needs the id of a token; "
		"`modeld --help` lists what there is"},
	{{"token", "list", "all"}, "unexpected argument all; `modeld --help` lists what there is"},
	{{"token", "create"}, "token create needs --scope read, publish, label, delete or admin; "
		"`modeld --help` lists what there is"},
	{{"token", "create", "--scope=read", "--expires=5"}, "--expires is a time like 12h or 90d, "
		"at most 36500d, or never; `modeld --help` lists what there is"},
	{{"--scope=read"}, "--name, --scope, --models and --expires go with `modeld token create`; "
		"`modeld --help` lists what there is"},
	{{"serve", "now"}, "unexpected argument now; `modeld --help` lists what there is"},
};

START_TEST(misuse_is_told_with_a_hint)
{
	ck_err(parse(misuses[_i].words, NO_ENV), ERR_BAD_PARAMETER);
	ck_assert_str_eq(e.text, misuses[_i].sentence);
}
END_TEST

START_TEST(a_wrong_configuration_is_told_by_every_verb_that_reads_it)
{
	ck_err(parse(WORDS("check-config", NO_FILE, "--set", "http.timeout=1"), NO_ENV),
		ERR_CONFIG);
	ck_assert_str_eq(e.text,
		"--set: http.timeout=1: a duration needs a unit: 500ms, 60s, 5min, 2h, 7d");
	ck_err(parse(WORDS("--config", "/does/not/exist"), NO_ENV), ERR_CONFIG);
	ck_assert_str_eq(e.text, "cannot open /does/not/exist: No such file or directory");
	ck_err(parse(WORDS(NO_FILE, "--listen", "a;", "--store", "a\tb\n"), NO_ENV), ERR_CONFIG);
	ck_assert_str_eq(e.text, "--store: store.dir=a?b?: a value holds no control characters");
}
END_TEST

START_TEST(help_and_version_work_whatever_the_configuration_is_like)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);
	struct str rest, line;

	ck_ok(parse(WORDS("--help", "--config", "/does/not/exist"), WORDS("MODELD_NONSENSE=1")));
	ck_assert_int_eq(o.verb, OPTIONS_HELP);
	options_print(&o, &out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "--port-file FILE"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "  log.access "));
	rest = str_of(buf_str(&out));
	while (str_split(&rest, '\n', &line)) /* but for a path that the builder chose */
		ck_assert_msg(line.n <= 100 || str_ends(line, "/modeld.conf"),
			"too wide: " STR_FMT, STR_ARG(line));
	options_done(&o);

	buf_clear(&out);
	ck_ok(parse(WORDS("--version"), WORDS("MODELD_NONSENSE=1")));
	ck_assert_int_eq(o.verb, OPTIONS_VERSION);
	options_print(&o, &out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "modeld " PACKAGE_VERSION "\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), " sqlite3=3."));
	options_done(&o);
}
END_TEST

START_TEST(check_config_says_where_values_come_from)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);

	ck_ok(parse(WORDS("check-config", NO_FILE, "--listen", "[::1]:0"),
		WORDS("STATE_DIRECTORY=/state", "MODELD_LOG_LEVEL=debug")));
	options_print(&o, &out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "# read: /dev/null\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "# from --listen\nlisten = [::1]:0\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "# from $STATE_DIRECTORY\ndir = /state\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "# from $MODELD_LOG_LEVEL\nlevel = debug\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "\naccess = yes\n"));
	options_done(&o);
}
END_TEST

START_TEST(check_config_prints_what_was_set_alone)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);

	ck_ok(parse(WORDS("check-config", NO_FILE, "--changed", "--set", "limits.files=7"),
		WORDS("STATE_DIRECTORY=/state", "MODELD_LIMITS_VERSIONS=9")));
	options_print(&o, &out);
	ck_assert_str_eq(buf_str(&out),
		"# read: /dev/null\n"
		"\n[store]\n# from $STATE_DIRECTORY\ndir = /state\n"
		"\n[limits]\n# from --set\nfiles = 7\n"
		"# from $MODELD_LIMITS_VERSIONS\nversions = 9\n");
	options_done(&o);
	ck_err(parse(WORDS("serve", NO_FILE, "--changed"), NO_ENV), ERR_BAD_PARAMETER);
}
END_TEST

START_TEST(rules_have_the_severities_of_the_configuration)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);

	/* without a store, which nothing here names */
	ck_ok(parse(WORDS("rules", NO_FILE),
		WORDS("MODELD_VALIDATION_RULES=weights.too-long=off")));
	ck_assert_int_eq(o.verb, OPTIONS_RULES);
	ck_assert_int_eq(o.rules.severity[RULE_WEIGHTS_TOO_LONG], FINDING_OFF);
	ck_assert_int_eq(o.rules.severity[RULE_WEIGHTS_TOO_SHORT], FINDING_ERROR);
	options_print(&o, &out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "off, by default error\n"));
	options_done(&o);

	buf_clear(&out);
	ck_ok(parse(WORDS("rules", "--json", NO_FILE), NO_ENV));
	options_print(&o, &out);
	ck_assert_int_eq(strncmp(buf_str(&out), "{\"rules\":[{", 11), 0);
	options_done(&o);
}
END_TEST

START_TEST(a_wrong_rule_is_found_at_the_start_and_by_check_config)
{
	static const char *const verbs[] = {"serve", "check-config", "rules"};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		ck_err(parse(WORDS(verbs[i], NO_FILE, "--set",
			"validation.rules=weights.dtipe=off"), WORDS("STATE_DIRECTORY=/s")),
			ERR_CONFIG);
		ck_assert_str_eq(e.text, "--set: [validation] rules: weights.dtipe=off: there is "
			"no such rule; did you mean weights.dtype?");
	}
	ck_err(parse(WORDS(NO_FILE), WORDS("MODELD_VALIDATION_RULES=json.root=off")),
		ERR_CONFIG);
	ck_assert_str_eq(e.text, "$MODELD_VALIDATION_RULES: [validation] rules: json.root stays "
		"error, because without them there is no model");
}
END_TEST

static char text[8192]; /* what run() caught of standard output and error */

/* options_parse()'s status, or -1 when it says: serve. */
static int run(const char *const *words)
{
	int argc = 0, ends[2], status, saved[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
	char *none[] = {NULL};
	ssize_t n;
	bool serve;

	while (words[argc])
		argc++;
	ck_assert_int_eq(pipe(ends), 0);
	(void)dup2(ends[1], STDOUT_FILENO);
	(void)dup2(ends[1], STDERR_FILENO);
	serve = options_parse(argc, (char **)(uintptr_t)words, none, &o, &status);
	(void)dup2(saved[0], STDOUT_FILENO);
	(void)dup2(saved[1], STDERR_FILENO);
	ck_assert_int_eq(close(ends[1]), 0);
	n = read(ends[0], text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return serve ? -1 : status;
}

START_TEST(a_wrong_mirror_is_found_at_the_start_and_by_check_config)
{
	static const char sentence[] =
		"--set: [import] sources: Pose=https://h/m?k=***: ";

	ck_err(parse(WORDS(NO_FILE, "--store=/s", "--set=import.sources=Pose=https://h/m?k=s3"),
		NO_ENV), ERR_CONFIG);
	ck_assert_int_eq(run(WORDS("modeld", NO_FILE, "check-config",
		"--set=import.sources=ok=https://h/a Pose=https://h/m?k=s3")), 78);
	ck_assert_msg(strstr(text, sentence), "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "pose"));
	ck_assert_ptr_null(strstr(text, "s3"));
	ck_assert_int_eq(run(WORDS("modeld", NO_FILE, "--store=/s", "check-config",
		"--set=import.sources=pose@stable=https://h/m|6h")), 0);
	ck_assert_ptr_nonnull(strstr(text, "\nsources = pose@stable=https://h/m|6h\n"));
}
END_TEST

START_TEST(the_exit_status_says_whose_mistake_it_was)
{
	ck_assert_int_eq(run(WORDS("modeld", NO_FILE, "--store=/", "--set=log.level=warning")), -1);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(options_log_level(&o), LOG_LEVEL_WARNING);
	options_done(&o);
	ck_assert_int_eq(run(WORDS("modeld", NO_FILE, "--store=/s", "check-config")), 0);
	ck_assert_ptr_nonnull(strstr(text, "\ndir = /s\n"));
	ck_assert_int_eq(run(WORDS("modeld", "--bad")), 64);
	ck_assert_str_eq(text,
		"modeld: unknown option --bad; `modeld --help` lists what there is\n");
	ck_assert_int_eq(run(WORDS("modeld", NO_FILE, "--set=a.b=1", "check-config")), 78);
	ck_assert_str_eq(text, "modeld: --set: there is no key a.b\n");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");

	tcase_add_test(t, no_arguments_serve_with_defaults);
	tcase_add_test(t, a_verb_stands_before_or_behind_options);
	tcase_add_test(t, token_has_actions_and_options_of_its_own);
	tcase_add_test(t, addresses_are_judged_before_they_are_opened);
	tcase_add_test(t, access_is_judged_at_the_start);
	tcase_add_test(t, gc_has_options_of_its_own);
	tcase_add_test(t, scrub_has_a_rate_of_its_own);
	tcase_add_test(t, prune_takes_its_rules_from_the_configuration);
	tcase_add_test(t, listen_replaces_the_list_and_then_adds_to_it);
	tcase_add_test(t, set_reaches_every_key_and_the_last_one_counts);
	tcase_add_test(t, variables_of_the_client_are_left_alone);
	tcase_add_test(t, the_store_is_found_by_who_runs_it);
	tcase_add_loop_test(t, misuse_is_told_with_a_hint, 0, (int)ARRAY_SIZE(misuses));
	tcase_add_test(t, a_wrong_configuration_is_told_by_every_verb_that_reads_it);
	tcase_add_test(t, help_and_version_work_whatever_the_configuration_is_like);
	tcase_add_test(t, check_config_says_where_values_come_from);
	tcase_add_test(t, check_config_prints_what_was_set_alone);
	tcase_add_test(t, rules_have_the_severities_of_the_configuration);
	tcase_add_test(t, a_wrong_rule_is_found_at_the_start_and_by_check_config);
	tcase_add_test(t, a_wrong_mirror_is_found_at_the_start_and_by_check_config);
	tcase_add_test(t, the_exit_status_says_whose_mistake_it_was);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
