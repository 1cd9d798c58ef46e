/* SPDX-License-Identifier: Apache-2.0 */
#include "server/options.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/base/str.h"
#include "common/model/finding_print.h"
#include "server/auth/authority.h"
#include "server/certificate.h"
#include "server/http/forwarded.h"
#include "server/http/guard.h"
#include "server/http/httpd.h"
#include "server/import/importer.h"
#include "server/import/mirrors.h"
#include "server/options_help.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>

#define DEFAULT_CONFIG OPTIONS_HELP_CONFIG
#define TEXT_MAX       1048576 /* of what is printed */
#define HINT           OPTIONS_TOKEN_HINT

/* Variables that speak to other programs than this daemon. */
static const char *const foreign_variables[] = {"MODELD_URL", "MODELD_TOKEN", NULL};

enum {
	OPT_CHANGED = 256, /* above every character */
	OPT_CONFIG,
	OPT_DRY_RUN,
	OPT_EXPIRES,
	OPT_GRACE,
	OPT_JSON,
	OPT_LISTEN,
	OPT_MODELS,
	OPT_NAME,
	OPT_PORT_FILE,
	OPT_QUICK,
	OPT_RATE,
	OPT_SCOPE,
	OPT_SET,
	OPT_SINCE,
	OPT_STORE,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"changed", no_argument, NULL, OPT_CHANGED},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"expires", required_argument, NULL, OPT_EXPIRES},
	{"grace", required_argument, NULL, OPT_GRACE},
	{"help", no_argument, NULL, 'h'},
	{"json", no_argument, NULL, OPT_JSON},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"models", required_argument, NULL, OPT_MODELS},
	{"name", required_argument, NULL, OPT_NAME},
	{"port-file", required_argument, NULL, OPT_PORT_FILE},
	{"quick", no_argument, NULL, OPT_QUICK},
	{"rate", required_argument, NULL, OPT_RATE},
	{"scope", required_argument, NULL, OPT_SCOPE},
	{"set", required_argument, NULL, OPT_SET},
	{"since", required_argument, NULL, OPT_SINCE},
	{"store", required_argument, NULL, OPT_STORE},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

/* Values of the command line wait here until files and environment are read. */
struct arguments {
	struct options *options;
	struct buf listen;  /* "http.listen=A B", empty without --listen */
	struct buf store;   /* "store.dir=D", empty without --store */
	struct buf grace;   /* "store.gc_grace=T", empty without --grace */
	struct buf rate;    /* "store.scrub_rate=S", empty without --rate */
	const char **set;   /* of --set, in order */
	size_t set_n;
	const char *expires; /* of --expires; NULL: without */
	const char *since;   /* of --since, likewise */
	bool help, version;
};

static void arguments_done(struct arguments *a)
{
	buf_done(&a->listen);
	buf_done(&a->store);
	buf_done(&a->grace);
	buf_done(&a->rate);
	free(a->set);
}

/* ---- argv ---------------------------------------------------------------------------------- */

static void take_token_option(struct arguments *a, int option)
{
	struct options_token *t = &a->options->token;

	switch (option) {
	case OPT_EXPIRES:
		a->expires = optarg;
		break;
	case OPT_MODELS:
		t->models[t->models_n++] = optarg;
		break;
	case OPT_NAME:
		t->name = optarg;
		break;
	case OPT_SCOPE:
		t->scopes[t->scopes_n++] = optarg;
		break;
	default:
		break;
	}
}

static void take_option(struct arguments *a, int option)
{
	switch (option) {
	case OPT_CHANGED:
		a->options->changed = true;
		break;
	case OPT_CONFIG:
		a->options->config_path = optarg;
		break;
	case OPT_DRY_RUN:
		a->options->dry_run = true;
		break;
	case OPT_GRACE:
		buf_clear(&a->grace);
		buf_addf(&a->grace, "store.gc_grace=%s", optarg);
		break;
	case OPT_JSON:
		a->options->json = true;
		break;
	case OPT_LISTEN:
		buf_addf(&a->listen, "%s%s", a->listen.len == 0 ? "http.listen=" : " ", optarg);
		break;
	case OPT_PORT_FILE:
		a->options->port_file = optarg;
		break;
	case OPT_QUICK:
		a->options->quick = true;
		break;
	case OPT_RATE:
		buf_clear(&a->rate);
		buf_addf(&a->rate, "store.scrub_rate=%s", optarg);
		a->options->has_rate = true;
		break;
	case OPT_SET:
		a->set[a->set_n++] = optarg;
		break;
	case OPT_SINCE:
		a->since = optarg;
		break;
	case OPT_STORE:
		buf_clear(&a->store);
		buf_addf(&a->store, "store.dir=%s", optarg);
		break;
	case OPT_VERSION:
		a->version = true;
		break;
	case 'h':
		a->help = true;
		break;
	default:
		take_token_option(a, option);
		break;
	}
}

/* getopt has refused the argument it just passed; optopt is the option when there is such a one. */
static int bad_option(char **argv, int found, struct err *e)
{
	const char *given = argv[optind - 1];

	if (found == ':')
		return err_set(e, ERR_BAD_PARAMETER, "%s needs a value; " HINT, given);
	if (optopt >= OPT_CHANGED || optopt == 'h')
		return err_set(e, ERR_BAD_PARAMETER, "%s takes no value; " HINT, given);
	if (optopt > 0)
		return err_set(e, ERR_BAD_PARAMETER, "unknown option -%c; " HINT, optopt);
	return err_set(e, ERR_BAD_PARAMETER, "unknown option %s; " HINT, given);
}

static bool has_directory(enum options_verb verb)
{
	return verb == OPTIONS_BACKUP || verb == OPTIONS_RESTORE;
}

/* What stands behind the verb. */
static int take_operand(struct options *o, int argc, char **argv, struct err *e)
{
	if (o->verb == OPTIONS_TOKEN)
		return options_token_operands(&o->token, argc, argv, e);
	int expected = has_directory(o->verb);

	if (argc < expected || (expected && !argv[0][0]))
		return err_set(e, ERR_BAD_PARAMETER, "%s needs the directory of the backup; " HINT,
			o->verb == OPTIONS_BACKUP ? "backup" : "restore");
	if (argc > expected)
		return err_set(e, ERR_BAD_PARAMETER, "unexpected argument %s; " HINT,
			argv[expected]);
	o->dir = expected ? argv[0] : NULL;
	return 0;
}

static const struct {
	const char *name;
	enum options_verb verb;
} verbs[] = {{"serve", OPTIONS_SERVE}, {"check-config", OPTIONS_CHECK_CONFIG},
	{"audit", OPTIONS_AUDIT}, {"backup", OPTIONS_BACKUP}, {"restore", OPTIONS_RESTORE},
	{"fsck", OPTIONS_FSCK}, {"gc", OPTIONS_GC}, {"prune", OPTIONS_PRUNE},
	{"scrub", OPTIONS_SCRUB}, {"rules", OPTIONS_RULES}, {"token", OPTIONS_TOKEN}};

const char *options_verb_name(enum options_verb verb)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(verbs) && verbs[i].verb != verb)
		i++;
	return verbs[i].name;
}

static int take_verb(struct options *o, int argc, char **argv, struct err *e)
{
	o->verb = OPTIONS_SERVE;
	if (argc == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[0], verbs[i].name) == 0) {
			o->verb = verbs[i].verb;
			return take_operand(o, argc - 1, argv + 1, e);
		}
	}
	return err_set(e, ERR_BAD_PARAMETER, "there is no %s; " HINT, argv[0]);
}

static bool has_json(const struct options *o)
{
	return o->verb == OPTIONS_RULES || o->verb == OPTIONS_AUDIT ||
		(o->verb == OPTIONS_TOKEN && o->token.action == OPTIONS_TOKEN_LIST);
}

static int check_options(const struct arguments *a, struct err *e)
{
	if (a->options->changed && a->options->verb != OPTIONS_CHECK_CONFIG)
		return err_set(e, ERR_BAD_PARAMETER,
			"--changed goes with `modeld check-config`; " HINT);
	if (a->grace.len > 0 && a->options->verb != OPTIONS_GC)
		return err_set(e, ERR_BAD_PARAMETER, "--grace goes with `modeld gc`; " HINT);
	if (a->options->dry_run && a->options->verb != OPTIONS_GC &&
		a->options->verb != OPTIONS_PRUNE)
		return err_set(e, ERR_BAD_PARAMETER,
			"--dry-run goes with `modeld gc` and `modeld prune`; " HINT);
	if (a->since && a->options->verb != OPTIONS_AUDIT)
		return err_set(e, ERR_BAD_PARAMETER, "--since goes with `modeld audit`; " HINT);
	if (a->since &&
		!num_parse(a->since, strlen(a->since), NUM_SAFE_INTEGER_MAX, &a->options->since))
		return err_set(e, ERR_BAD_PARAMETER,
			"--since takes the number of a change; " HINT);
	if (a->options->quick && a->options->verb != OPTIONS_FSCK)
		return err_set(e, ERR_BAD_PARAMETER, "--quick goes with `modeld fsck`; " HINT);
	if (a->options->has_rate && a->options->verb != OPTIONS_SCRUB)
		return err_set(e, ERR_BAD_PARAMETER, "--rate goes with `modeld scrub`; " HINT);
	if (buf_failed(&a->listen) || buf_failed(&a->store) || buf_failed(&a->grace) ||
		buf_failed(&a->rate))
		return err_set(e, ERR_BAD_PARAMETER,
			"--listen, --store, --grace or --rate is too long");
	if (a->options->json && !has_json(a->options))
		return err_set(e, ERR_BAD_PARAMETER,
			"--json goes with `modeld rules`, `modeld audit` and `modeld token list`"
			"; " HINT);
	return options_token_check(&a->options->token, a->options->verb == OPTIONS_TOKEN,
		a->expires, e);
}

static int take_arguments(struct arguments *a, int argc, char **argv, struct err *e)
{
	int option, r;

	a->set = calloc((size_t)argc + 1, sizeof(*a->set));
	a->options->token.scopes = calloc((size_t)argc + 1, sizeof(*a->set));
	a->options->token.models = calloc((size_t)argc + 1, sizeof(*a->set));
	if (!a->set || !a->options->token.scopes || !a->options->token.models)
		return err_nomem(e);
	optind = 0; /* start anew, whoever used getopt before */
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return bad_option(argv, option, e);
		take_option(a, option);
	}
	r = take_verb(a->options, argc - optind, argv + optind, e);
	return r < 0 ? r : check_options(a, e);
}

/* ---- the configuration --------------------------------------------------------------------- */

/* A variable that is set and not empty, or NULL. */
static const char *variable(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return (*env)[n + 1] ? *env + n + 1 : NULL;
	return NULL;
}

static int set_store(struct config *c, struct str dir, const char *tail, const char *origin,
	struct err *e)
{
	char assignment[PATH_MAX];
	int n = snprintf(assignment, sizeof(assignment), "store.dir=" STR_FMT "%s", STR_ARG(dir),
		tail);

	if (n < 0 || n >= PATH_MAX)
		return err_set(e, ERR_CONFIG, "%s: the path of the store is too long", origin);
	return config_set(c, assignment, origin, e);
}

/* Where the store is when nobody said. A service manager may give several directories. */
static int default_store(struct config *c, char *const *env, struct err *e)
{
	const char *state = variable(env, "STATE_DIRECTORY");
	const char *data = variable(env, "XDG_DATA_HOME");
	const char *home = variable(env, "HOME");
	struct str first = {state, state ? strcspn(state, ":") : 0};

	if (state)
		return set_store(c, first, "", "$STATE_DIRECTORY", e);
	if (geteuid() == 0)
		return set_store(c, str_of(MODELD_STATEDIR), "", "the default for root", e);
	if (data && data[0] == '/')
		return set_store(c, str_of(data), "/modeld", "$XDG_DATA_HOME", e);
	if (home && home[0] == '/')
		return set_store(c, str_of(home), "/.local/share/modeld", "$HOME", e);
	return err_set(e, ERR_CONFIG, "nothing says where to keep models: give --store DIR");
}

static int apply_arguments(const struct arguments *a, struct err *e)
{
	struct config *c = &a->options->config;
	int r = 0;

	for (size_t i = 0; i < a->set_n && r == 0; i++)
		r = config_set(c, a->set[i], "--set", e);
	if (r == 0 && a->listen.len > 0)
		r = config_set(c, buf_str(&a->listen), "--listen", e);
	if (r == 0 && a->store.len > 0)
		r = config_set(c, buf_str(&a->store), "--store", e);
	if (r == 0 && a->grace.len > 0)
		r = config_set(c, buf_str(&a->grace), "--grace", e);
	if (r == 0 && a->rate.len > 0)
		r = config_set(c, buf_str(&a->rate), "--rate", e);
	return r;
}

static int read_rules(struct options *o, struct err *e)
{
	const struct config_list *settings = &o->config.validation_rules;

	finding_policy_init(&o->rules);
	if (finding_policy_read(&o->rules, settings->items, settings->n, e) < 0)
		return config_blame(&o->config, "validation.rules", e);
	return 0;
}

static int read_quotas(struct options *o, struct err *e)
{
	const struct config_list *settings = &o->config.limits_quotas;

	if (quota_read(settings->items, settings->n, o->config.limits_store, &o->quotas, e) < 0)
		return config_blame(&o->config, "limits.quotas", e);
	return 0;
}

static int read_retention(struct options *o, struct err *e)
{
	const struct config_list *settings = &o->config.retention_rules;

	if (retention_read(settings->items, settings->n, &o->retention, e) < 0)
		return config_blame(&o->config, "retention.rules", e);
	return 0;
}

static int check_sources(const struct options *o, struct err *e)
{
	const struct config_list *settings = &o->config.import_sources;
	CLEANUP(mirrors_done) struct mirrors_list sources = {NULL, 0};

	if (mirrors_read(settings->items, settings->n, &sources, e) < 0)
		return config_blame(&o->config, "import.sources", e);
	return importer_settings_check(&o->config, e);
}

static int check_origin(const char *origin, struct err *e)
{
	if (guard_is_origin(str_of(origin)))
		return 0;
	return err_set(e, ERR_CONFIG,
		"%.80s: expected an origin, as in https://app.example", origin);
}

static int check_proxies(const struct config_list *words, struct err *e)
{
	struct forwarded_policy p = {0};
	int r = forwarded_policy_init(&p, (const char *const *)words->items, words->n, e);

	forwarded_policy_done(&p);
	return r;
}

static int check_access(const struct options *o, struct err *e)
{
	const struct config_list *origins = &o->config.http_cors_write_origins;
	const struct config_list *listen = &o->config.http_listen;

	for (size_t i = 0; i < listen->n; i++)
		if (httpd_listen_check(listen->items[i], e) < 0)
			return config_blame(&o->config, "http.listen", e);
	for (size_t i = 0; i < origins->n; i++)
		if (check_origin(origins->items[i], e) < 0)
			return config_blame(&o->config, "http.cors_write_origins", e);
	if (check_proxies(&o->config.http_trusted_proxies, e) < 0)
		return config_blame(&o->config, "http.trusted_proxies", e);
	if (authority_check_anonymous(o->config.auth_anonymous, e) < 0)
		return config_blame(&o->config, "auth.anonymous", e);
	return 0;
}

static int read_config(const struct arguments *a, char *const *env, struct err *e)
{
	struct options *o = a->options;
	int r = config_init(&o->config, e);

	if (r == 0 && o->config_path)
		r = config_load_file(&o->config, o->config_path, e);
	else if (r == 0)
		r = config_load_default(&o->config, o->config_path = DEFAULT_CONFIG, e);
	if (r == 0)
		r = config_load_env(&o->config, env, foreign_variables, e);
	if (r == 0)
		r = apply_arguments(a, e);
	if (r == 0)
		r = read_rules(o, e);
	if (r == 0)
		r = read_quotas(o, e);
	if (r == 0)
		r = read_retention(o, e);
	if (r == 0)
		r = check_sources(o, e);
	if (r == 0)
		r = check_access(o, e);
	/* The other verbs run as users that may not read the key. */
	if (r == 0 && (o->verb == OPTIONS_SERVE || o->verb == OPTIONS_CHECK_CONFIG))
		r = certificate_check(&o->config, e);
	if (r == 0 && o->verb != OPTIONS_RULES && o->config.store_dir[0] == '\0')
		r = default_store(&o->config, env, e);
	return r;
}

int options_read(int argc, char **argv, char *const *env, struct options *ret, struct err *e)
{
	struct options o = {.verb = OPTIONS_SERVE};
	CLEANUP(arguments_done) struct arguments a = {.options = &o};
	int r;

	buf_init(&a.listen, PATH_MAX);
	buf_init(&a.store, PATH_MAX);
	buf_init(&a.grace, PATH_MAX);
	buf_init(&a.rate, PATH_MAX);
	r = take_arguments(&a, argc, argv, e);
	if (r == 0 && (a.help || a.version))
		o.verb = a.help ? OPTIONS_HELP : OPTIONS_VERSION;
	else if (r == 0)
		r = read_config(&a, env, e);
	if (r < 0) {
		options_done(&o);
		return r;
	}
	*ret = o;
	return 0;
}

void options_done(struct options *o)
{
	config_done(&o->config);
	quota_done(&o->quotas);
	retention_done(&o->retention);
	free(o->token.scopes);
	free(o->token.models);
}

enum log_style options_log_style(const struct options *o)
{
	return strcmp(o->config.log_format, "json") == 0 ? LOG_STYLE_JSON : LOG_STYLE_LOGFMT;
}

enum log_level options_log_level(const struct options *o)
{
	static const char *const words[] = {
		[LOG_LEVEL_DEBUG] = "debug",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_ERROR] = "error",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(o->config.log_level, words[i]) == 0)
			return (enum log_level)i;
	return LOG_LEVEL_INFO;
}

/* ---- what is printed ----------------------------------------------------------------------- */

void options_print(const struct options *o, struct buf *out)
{
	switch (o->verb) {
	case OPTIONS_SERVE:
	case OPTIONS_BACKUP:
	case OPTIONS_RESTORE:
	case OPTIONS_FSCK:
	case OPTIONS_PRUNE:
	case OPTIONS_GC:
	case OPTIONS_SCRUB:
	case OPTIONS_AUDIT:
	case OPTIONS_TOKEN:
		break;
	case OPTIONS_CHECK_CONFIG:
		(o->changed ? config_print_changed : config_print)(&o->config, out);
		break;
	case OPTIONS_RULES:
		(o->json ? finding_print_json : finding_print_text)(&o->rules, out);
		break;
	case OPTIONS_HELP:
		options_help_print(out);
		break;
	case OPTIONS_VERSION:
		options_help_version(out);
		break;
	}
}

/* ---- for main() ---------------------------------------------------------------------------- */

static int exit_status(const struct err *e)
{
	if (e->code == ERR_BAD_PARAMETER)
		return EX_USAGE;
	return e->code == ERR_CONFIG ? EX_CONFIG : EXIT_FAILURE;
}

static int write_text(const struct options *o, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);

	options_print(o, &text);
	return fsio_print(&text, e);
}

bool options_parse(int argc, char **argv, char *const *env, struct options *ret, int *ret_status)
{
	struct err e;
	int r = options_read(argc, argv, env, ret, &e);

	if (r == 0 && ret->verb <= OPTIONS_TOKEN)
		return true;
	if (r == 0) {
		r = write_text(ret, &e);
		options_done(ret);
	}
	if (r < 0)
		(void)fprintf(stderr, "modeld: %s\n", e.text);
	*ret_status = r < 0 ? exit_status(&e) : EXIT_SUCCESS;
	return false;
}
