/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/base/str.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#define TEXT_MAX 1048576

/* An environment; the variables of a real one are not const, so these lose it on the way. */
#define ENV(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

static char dir[] = "/tmp/modeld-config-XXXXXX";
static char path[64]; /* modeld.conf in it */
static struct config c;
static struct err e;

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/modeld.conf", dir);
	ck_ok(config_init(&c, &e));
}

static void tear_down(void)
{
	char command[64];

	config_done(&c);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void write_to(const char *file, const char *text)
{
	char where[128];

	snprintf(where, sizeof(where), "%s/%s", dir, file);
	ck_ok(fsio_write_file(where, text, strlen(text), &e));
}

static void load(const char *text)
{
	write_to("modeld.conf", text);
	ck_ok(config_load_file(&c, path, &e));
}

/* Loading `text` fails with this sentence, behind the path. */
static void refuse(const char *text, const char *sentence)
{
	write_to("modeld.conf", text);
	ck_err(config_load_file(&c, path, &e), ERR_CONFIG);
	ck_assert_msg(strncmp(e.text, path, strlen(path)) == 0, "no path in: %s", e.text);
	ck_assert_str_eq(e.text + strlen(path), sentence);
}

START_TEST(defaults_are_those_of_the_table)
{
	ck_assert_uint_eq(c.http_listen.n, 1);
	ck_assert_str_eq(c.http_listen.items[0], "127.0.0.1:8570");
	ck_assert_uint_eq(c.http_hosts.n, 0);
	ck_assert_uint_eq(c.http_timeout, 60000);
	ck_assert_uint_eq(c.http_send_buffer, 256 * KIB);
	ck_assert_uint_eq(c.limits_file, 16 * GIB);
	ck_assert_uint_eq(c.limits_files, 10000);
	ck_assert_str_eq(c.store_dir, "");
	ck_assert_str_eq(c.log_level, "info");
	ck_assert(c.log_access);
}
END_TEST

START_TEST(a_file_sets_every_kind_of_value)
{
	load("\xef\xbb\xbf# a comment\r\n"
	     "[http]   ; the section\r\n"
	     "listen = 127.0.0.1:1, [::1]:2 ; both\r\n"
	     "\ttimeout=5min\r\n"
	     "\n"
	     "  [store]\n"
	     "dir = /srv/my models\n"
	     "min_free=1TiB\n"
	     "[work]\nthreads = 7\n"
	     "[log]\nlevel = warning\naccess = no");
	ck_assert_uint_eq(c.http_listen.n, 2);
	ck_assert_str_eq(c.http_listen.items[1], "[::1]:2");
	ck_assert_uint_eq(c.http_timeout, 300000);
	ck_assert_str_eq(c.store_dir, "/srv/my models");
	ck_assert_uint_eq(c.store_min_free, 1024 * GIB);
	ck_assert_uint_eq(c.work_threads, 7);
	ck_assert_str_eq(c.log_level, "warning");
	ck_assert(!c.log_access);
}
END_TEST

START_TEST(an_indented_line_continues_a_list)
{
	load("[http]\n"
	     "listen = 127.0.0.1:1,\n"
	     "         [::1]:2 ; the second\n"
	     "# a comment between\n"
	     "\n"
	     "\t[2001:db8::1] [http2]\n"
	     "hosts =\n"
	     " a\n"
	     "[work]\n");
	ck_assert_uint_eq(c.http_listen.n, 4);
	ck_assert_str_eq(c.http_listen.items[1], "[::1]:2");
	ck_assert_str_eq(c.http_listen.items[2], "[2001:db8::1]");
	ck_assert_uint_eq(c.http_hosts.n, 1);
	refuse("[http]\ntimeout = 5s\n 6s\n", ":3: 6s: expected KEY = VALUE or [SECTION]");
	refuse("[http]\n 6s\n", ":2: 6s: expected KEY = VALUE or [SECTION]");
	refuse("[http]\nlisten = a\n[work]\n 6s\n", ":4: 6s: expected KEY = VALUE or [SECTION]");
}
END_TEST

START_TEST(a_list_of_pairs_may_go_on_in_indented_lines)
{
	load("[validation]\n"
	     "rules = weights.too-long=warning\n"
	     "\ta.b=off, c.d=error ; why\n"
	     "\tword e=f\n"
	     "\tplain=1\n"
	     "\trepair=off\n"
	     "[limits]\n"
	     "quotas = team-a=10GiB\n"
	     "\tteam-a/vision=2GiB b=1GiB\n"
	     "\tb/=2GiB\n"
	     "\tfiles=7\n"
	     "[http]\n"
	     "listen = a:1\n"
	     "\ttimeout=3s\n");
	ck_assert_uint_eq(c.validation_rules.n, 6);
	ck_assert_str_eq(c.validation_rules.items[0], "weights.too-long=warning");
	ck_assert_str_eq(c.validation_rules.items[2], "c.d=error");
	ck_assert_str_eq(c.validation_rules.items[4], "e=f");
	ck_assert_str_eq(c.validation_rules.items[5], "plain=1");
	ck_assert_str_eq(c.validation_repair, "off");
	ck_assert_uint_eq(c.limits_quotas.n, 4);
	ck_assert_str_eq(c.limits_quotas.items[1], "team-a/vision=2GiB");
	ck_assert_uint_eq(c.limits_files, 7);
	ck_assert_uint_eq(c.http_timeout, 3000);
	refuse("[validation]\nrules = a.b = off\n",
		":2: [validation] rules = a.b = off: NAME=VALUE in a list is written without "
		"blanks");
	refuse("[validation]\nrules =\n\ta.b = off\n",
		":3: [validation] rules: a.b = off: NAME=VALUE in a list is written without "
		"blanks");
	refuse("[validation]\nrules = ab=\n",
		":2: [validation] rules = ab=: NAME=VALUE in a list is written without blanks");
	refuse("[validation]\nrules =\n\tab = off\n", ":3: [validation] has no key ab");
	refuse("[http]\nhosts = a\n\tb.c=d\n", ":3: [http] has no key b.c");
}
END_TEST

START_TEST(a_pair_is_never_taken_for_a_key_of_its_section)
{
	refuse("[limits]\nquotas = a=1 file=2\n",
		":2: [limits] quotas = a=1 file=2: file=... cannot be in this list: file is a key "
		"of [limits]");
	ck_ok(config_set(&c, "limits.quotas=file/=2 threads=3", "--set", &e));
	ck_assert_uint_eq(c.limits_quotas.n, 2);
}
END_TEST

START_TEST(a_value_that_its_user_refuses_is_blamed_on_where_it_comes_from)
{
	load("[validation]\n\nrules = a.b=off\n");
	(void)err_set(&e, ERR_CONFIG, "no");
	ck_err(config_blame(&c, "validation.rules", &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "/modeld.conf:3: [validation] rules: no"));
	ck_ok(config_set(&c, "validation.rules=a.b=off", "--set", &e));
	(void)err_set(&e, ERR_CONFIG, "no");
	(void)config_blame(&c, "validation.rules", &e);
	ck_assert_str_eq(e.text, "--set: [validation] rules: no");
}
END_TEST

START_TEST(a_later_source_replaces_an_earlier_one)
{
	char *const *env = ENV("PATH=/bin", "MODELD_HTTP_TIMEOUT=3s", "MODELD_LOG_LEVEL=debug");

	load("[http]\ntimeout = 2s\nlisten = a:1 b:2\n[log]\nlevel = error\n[work]\nqueue = 9\n");
	ck_ok(config_load_env(&c, env, NULL, &e));
	ck_ok(config_set(&c, "http.timeout=4s", "--set", &e));
	ck_ok(config_set(&c, "http.listen=c:3", "--listen", &e));
	ck_assert_uint_eq(c.http_timeout, 4000);
	ck_assert_str_eq(c.log_level, "debug");
	ck_assert_uint_eq(c.work_queue, 9);
	ck_assert_uint_eq(c.http_listen.n, 1);
	ck_assert_str_eq(c.http_listen.items[0], "c:3");
}
END_TEST

START_TEST(fragments_are_read_in_the_order_of_their_names)
{
	char sub[80];

	ck_ok(config_load_default(&c, path, &e));
	ck_assert_uint_eq(c.files.n, 0);
	snprintf(sub, sizeof(sub), "%s/conf.d", dir);
	ck_ok(fsio_mkdirs(sub, &e));
	write_to("modeld.conf", "[work]\nthreads = 2\nqueue = 2\n[http]\nthreads = 2\n");
	write_to("conf.d/20-b.conf", "[work]\nthreads = 20\n");
	write_to("conf.d/10-a.conf", "[work]\nthreads = 10\nqueue = 10\n");
	write_to("conf.d/30-c.conf.bak", "nonsense");
	write_to("conf.d/.hidden.conf", "nonsense");
	ck_ok(config_load_default(&c, path, &e));
	ck_assert_uint_eq(c.work_threads, 20);
	ck_assert_uint_eq(c.work_queue, 10);
	ck_assert_uint_eq(c.http_threads, 2);
	ck_assert_uint_eq(c.files.n, 3);
	write_to("conf.d/40-d.conf", "[work]\nthread = 1\n");
	ck_err(config_load_default(&c, path, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text,
		"/conf.d/40-d.conf:2: [work] has no key thread; did you mean threads?"));
}
END_TEST

START_TEST(fragments_are_read_without_the_main_file_too)
{
	char sub[80];

	snprintf(sub, sizeof(sub), "%s/conf.d", dir);
	ck_ok(fsio_mkdirs(sub, &e));
	write_to("conf.d/a.conf", "[work]\nthreads = 20\n");
	ck_ok(config_load_default(&c, path, &e));
	ck_assert_uint_eq(c.work_threads, 20);
}
END_TEST

static const struct refusal {
	const char *text;
	const char *sentence;
} refusals[] = {
	{"\n[http]\n# x\ntimeout = 60\n",
		":4: [http] timeout = 60: a duration needs a unit: 500ms, 60s, 5min, 2h, 7d"},
	{"[http]\ntimeout = 60 s\n",
		":2: [http] timeout = 60 s: expected a duration from 1s to 1h, written like 500ms, "
		"60s, 5min, 2h or 7d"},
	{"[http]\ntimeout = 1ms\n",
		":2: [http] timeout = 1ms: expected a duration from 1s to 1h, written like 500ms, "
		"60s, 5min, 2h or 7d"},
	{"[limits]\nmodel_json = 4MB\n",
		":2: [limits] model_json = 4MB: expected a size from 1KiB to 32MiB, written like "
		"512, 64KiB, 32MiB or 16GiB"},
	{"[limits]\nfile = 1\n",
		":2: [limits] file = 1: expected a size of at least 1KiB, written like 512, 64KiB, "
		"32MiB or 16GiB"},
	{"[limits]\nfile = 99999999999TiB\n",
		":2: [limits] file = 99999999999TiB: expected a size of at least 1KiB, written "
		"like 512, 64KiB, 32MiB or 16GiB"},
	{"[work]\nthreads = 0\n", ":2: [work] threads = 0: expected a whole number from 1 to 256"},
	{"[work]\nthreads = -1\n",
		":2: [work] threads = -1: expected a whole number from 1 to 256"},
	{"[work]\nthreads = four\n",
		":2: [work] threads = four: expected a whole number from 1 to 256"},
	{"[work]\nthreads =\n", ":2: [work] threads = : expected a whole number from 1 to 256"},
	{"[log]\naccess = true\n", ":2: [log] access = true: expected yes or no"},
	{"[log]\nlevel = warn\n",
		":2: [log] level = warn: expected one of debug, info, warning, error"},
	{"[http]\nlisen = a\n", ":2: [http] has no key lisen; did you mean listen?"},
	{"[http]\nTimeout = 5s\n", ":2: [http] has no key Timeout; did you mean timeout?"},
	{"[http]\nmin_free = 5s\n", ":2: [http] has no key min_free; [store] has"},
	{"[http]\nbanana = 1\n", ":2: [http] has no key banana"},
	{"[htpp]\n", ":1: unknown section [htpp]; did you mean [http]?"},
	{"[banana]\n", ":1: unknown section [banana]"},
	{"[http] timeout = 5s\n", ":1: [http] needs a line of its own"},
	{"[http\n", ":1: [http: expected KEY = VALUE or [SECTION]"},
	{"timeout = 5s\n", ":1: timeout: a key stands under a [SECTION]"},
	{"[http]\ntimeout 5s\n", ":2: timeout 5s: expected KEY = VALUE or [SECTION]"},
	{"[http]\ntimeout: 5s\n", ":2: timeout: 5s: expected KEY = VALUE or [SECTION]"},
	{"[http]\n= 5s\n", ":2: [http] has no key "},
	{"[http]\ntimeout = 5s\n\n[work]\n[http]\ntimeout = 6s\n",
		":6: [http] timeout stands in line 2 already"},
	{"[store]\ndir = /srv # big disk\n",
		":2: [store] dir = /srv # big disk: a comment needs a line of its own"},
	{"[store]\ndir = /srv\x1b[2J\n",
		":2: [store] dir = /srv?[2J: a value holds no control characters"},
	{"[http]\nlisten = a, b=c\n",
		":2: [http] listen = a, b=c: a word of a list holds no ="},
	{"[http]\nlisten = a.b=c\n",
		":2: [http] listen = a.b=c: a word of a list holds no ="},
	{"[http]\nlisten = a,#b\n", ":2: [http] listen = a,#b: #b cannot be in a list"},
	{"[http]\nlisten = [log]\n", ":2: [http] listen = [log]: [log] cannot be in a list"},
	{"[store]\ndir = \xff\n", ":2: the line is not UTF-8 text"},
};

START_TEST(an_error_names_the_line_what_was_found_and_what_is_expected)
{
	refuse(refusals[_i].text, refusals[_i].sentence);
}
END_TEST

static void add_times(struct buf *b, char byte, size_t n)
{
	while (n-- > 0)
		buf_add_char(b, byte);
}

/* The parser's own lines end at 197 bytes. */
START_TEST(a_line_may_be_longer_than_the_parser_takes)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);

	for (size_t n = 185; n < 205; n++) {
		buf_clear(&text);
		buf_add_str(&text, "# ");
		add_times(&text, 'x', 500);
		buf_add_str(&text, "\n[store]\ndir = /");
		add_times(&text, 'x', n);
		buf_add_str(&text, " ; a comment\ngc_grace = 5min\n[http]\ntimeout = 7s\n");
		load(buf_str(&text));
		ck_assert_uint_eq(strlen(c.store_dir), n + 1);
		ck_assert_uint_eq(c.store_gc_grace, 300000);
		ck_assert_uint_eq(c.http_timeout, 7000);
	}
}
END_TEST

START_TEST(a_long_line_is_judged_like_a_short_one)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);

	add_times(&text, 'x', 1000);
	refuse(buf_str(&text), ":1: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxx...: expected KEY = VALUE or [SECTION]");
	buf_add_str(&text, " = 1");
	refuse(buf_str(&text), ":1: the line has more than 197 bytes");
	buf_clear(&text);
	buf_add_str(&text, "[store]\ndri = /");
	add_times(&text, 'x', 300);
	write_to("modeld.conf", buf_str(&text));
	ck_err(config_load_file(&c, path, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "did you mean dir?"));
	buf_clear(&text);
	buf_add_str(&text, "[store]\ndir = /a\ndir = /");
	add_times(&text, 'x', 300);
	refuse(buf_str(&text), ":3: [store] dir stands in line 2 already");
	buf_clear(&text);
	buf_add_str(&text, "[store]\ndir = /");
	add_times(&text, 'x', 65536);
	write_to("modeld.conf", buf_str(&text));
	ck_err(config_load_file(&c, path, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "a value has at most 65536 bytes"));
}
END_TEST

/* As long as the longest name of a mirror and the longest URL. */
START_TEST(a_word_of_a_list_may_be_a_long_url_wherever_it_stands)
{
	CLEANUP_BUF struct buf word = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);
	CLEANUP_BUF struct buf printed = BUF_INIT(TEXT_MAX);
	char *env[2] = {NULL, NULL};

	add_times(&word, 'm', 128);
	buf_add_char(&word, '@');
	add_times(&word, 'l', 64);
	buf_add_str(&word, "=https://h/");
	add_times(&word, 'u', 2048 - 10);
	buf_add_str(&word, "|365d");
	buf_addf(&text, "[import]\nsources = a=https://h/a\n\t%s\n\tb=https://h/b|6h ; c=d\n"
		"jobs = 3\n", buf_str(&word));
	load(buf_str(&text));
	ck_assert_uint_eq(c.import_sources.n, 3);
	ck_assert_str_eq(c.import_sources.items[1], buf_str(&word));
	ck_assert_str_eq(c.import_sources.items[2], "b=https://h/b|6h");
	ck_assert_uint_eq(c.import_jobs, 3);

	config_print(&c, &printed);
	buf_clear(&text);
	buf_addf(&text, "[import]\nsources = %s\n\ta=https://h/a\n", buf_str(&word));
	load(buf_str(&text));
	ck_assert_uint_eq(c.import_sources.n, 2);
	ck_assert_str_eq(c.import_sources.items[0], buf_str(&word));
	ck_assert_str_eq(c.import_sources.items[1], "a=https://h/a");
	load(buf_str(&printed));
	ck_assert_uint_eq(c.import_sources.n, 3);
	ck_assert_str_eq(c.import_sources.items[1], buf_str(&word));

	buf_clear(&text);
	buf_addf(&text, "MODELD_IMPORT_SOURCES=%s b=https://h/b", buf_str(&word));
	env[0] = text.data;
	ck_ok(config_load_env(&c, env, NULL, &e));
	ck_assert_uint_eq(c.import_sources.n, 2);
	buf_clear(&text);
	buf_addf(&text, "import.sources=%s", buf_str(&word));
	ck_ok(config_set(&c, buf_str(&text), "--set", &e));
	ck_assert_uint_eq(c.import_sources.n, 1);
	ck_assert_str_eq(c.import_sources.items[0], buf_str(&word));
}
END_TEST

START_TEST(a_refused_value_leaves_the_old_one)
{
	ck_err(config_set(&c, "http.timeout=1", "--set", &e), ERR_CONFIG);
	ck_assert_str_eq(e.text,
		"--set: http.timeout=1: a duration needs a unit: 500ms, 60s, 5min, 2h, 7d");
	ck_assert_uint_eq(c.http_timeout, 60000);
	ck_err(config_set(&c, "http.timout=1s", "--set", &e), ERR_CONFIG);
	ck_assert_str_eq(e.text, "--set: there is no key http.timout; did you mean http.timeout?");
	ck_err(config_set(&c, "http.timeout", "--set", &e), ERR_CONFIG);
	ck_assert_str_eq(e.text, "--set: http.timeout: expected SECTION.KEY=VALUE");
	ck_err(config_set(&c, "store.dir=a\nb", "--store", &e), ERR_CONFIG);
	ck_assert_str_eq(e.text, "--store: store.dir=a?b: a value holds no control characters");
}
END_TEST

START_TEST(what_may_be_secret_in_a_url_is_not_shown)
{
	refuse("[import]\nsources = m=https://user:secret@host/ #x\n",
		":2: [import] sources = m=https://...: a comment needs a line of its own");
}
END_TEST

/* ---- reloads ---- */

static void differ(const struct config *from, const char *reload, const char *restart)
{
	CLEANUP_BUF struct buf now = BUF_INIT(TEXT_MAX), later = BUF_INIT(TEXT_MAX);

	config_reload_compare(from, &c, &now, &later);
	ck_assert_str_eq(buf_str(&now), reload);
	ck_assert_str_eq(buf_str(&later), restart);
}

START_TEST(a_reload_changes_some_keys_and_a_restart_the_others)
{
	struct config running;

	ck_ok(config_init(&running, &e));
	differ(&running, "", "");
	ck_ok(config_set(&c, "http.hosts=a b", "--set", &e));
	ck_ok(config_set(&c, "http.threads=7", "--set", &e));
	ck_ok(config_set(&c, "store.dir=/elsewhere", "--set", &e));
	ck_ok(config_set(&c, "limits.file=1MiB", "--set", &e));
	ck_ok(config_set(&c, "import.jobs=3", "--set", &e));
	ck_ok(config_set(&c, "log.format=json", "--set", &e));
	ck_ok(config_set(&c, "log.access=no", "--set", &e));
	differ(&running, "http.hosts, limits.file, import.jobs, log.format, log.access",
		"http.threads, store.dir");

	config_reload_keep(&c, &running);
	ck_assert_uint_eq(c.http_threads, 0);
	ck_assert_str_eq(c.store_dir, "");
	ck_assert_uint_eq(c.limits_file, MIB);
	ck_assert_uint_eq(c.http_hosts.n, 2);
	ck_assert_uint_eq(running.http_threads, 7);
	config_done(&running);
}
END_TEST

START_TEST(a_list_differs_by_any_word)
{
	struct config running;

	ck_ok(config_init(&running, &e));
	ck_ok(config_set(&running, "http.hosts=a b", "--set", &e));
	ck_ok(config_set(&c, "http.hosts=a b", "--set", &e));
	differ(&running, "", "");
	ck_ok(config_set(&c, "http.hosts=a c", "--set", &e));
	differ(&running, "http.hosts", "");
	ck_ok(config_set(&c, "http.hosts=a", "--set", &e));
	differ(&running, "http.hosts", "");
	config_done(&running);
}
END_TEST

START_TEST(a_list_has_a_limit)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);

	buf_add_str(&text, "http.hosts=");
	for (int i = 0; i < 256; i++)
		buf_add_str(&text, "h,");
	ck_ok(config_set(&c, buf_str(&text), "--set", &e));
	ck_assert_uint_eq(c.http_hosts.n, 256);
	buf_add_str(&text, "h");
	ck_err(config_set(&c, buf_str(&text), "--set", &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "a list has at most 256 words"));
	ck_assert_uint_eq(c.http_hosts.n, 256);
}
END_TEST

START_TEST(an_unknown_variable_is_an_error_unless_it_is_listed)
{
	char *const *typo = ENV("MODELD_HTTP_TIMOUT=3s");
	char *const *bad = ENV("MODELD_HTTP_TIMEOUT=3");
	char *const *other = ENV("MODELD_TOKEN=x", "MODELDX=1");
	const char *const known[] = {"MODELD_TOKEN", NULL};

	ck_err(config_load_env(&c, typo, known, &e), ERR_CONFIG);
	ck_assert_str_eq(e.text,
		"unknown variable MODELD_HTTP_TIMOUT in the environment; did you mean "
		"MODELD_HTTP_TIMEOUT?");
	ck_err(config_load_env(&c, bad, known, &e), ERR_CONFIG);
	ck_assert_str_eq(e.text,
		"MODELD_HTTP_TIMEOUT=3: a duration needs a unit: 500ms, 60s, 5min, 2h, 7d");
	ck_ok(config_load_env(&c, other, known, &e));
	ck_err(config_load_env(&c, other, NULL, &e), ERR_CONFIG);
}
END_TEST

START_TEST(a_missing_or_oversized_file_is_an_error)
{
	CLEANUP_FREE char *big = malloc(1048578);

	ck_err(config_load_file(&c, path, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "No such file or directory"));
	ck_err(config_load_file(&c, dir, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(big);
	memset(big, '\n', 1048577);
	big[1048577] = '\0';
	write_to("modeld.conf", big);
	ck_err(config_load_default(&c, path, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "is larger than 1 MiB"));
}
END_TEST

START_TEST(what_is_printed_reads_back_the_same)
{
	CLEANUP_BUF struct buf first = BUF_INIT(TEXT_MAX), second = BUF_INIT(TEXT_MAX);
	char *const *env = ENV("MODELD_LOG_ACCESS=no");
	CLEANUP_BUF struct buf hosts = BUF_INIT(TEXT_MAX), rules = BUF_INIT(TEXT_MAX);
	CLEANUP_BUF struct buf quotas = BUF_INIT(TEXT_MAX);

	buf_add_str(&quotas, "limits.quotas=");
	for (int i = 0; i < 60; i++)
		buf_addf(&quotas, "%s%d=%dMiB ", i % 2 ? "team" : "a/team", i, i);
	buf_add_str(&rules, "validation.rules=");
	for (int i = 0; i < 60; i++)
		buf_addf(&rules, "some.rule-%d=warning ", i);
	buf_add_str(&hosts, "http.hosts=");
	for (int i = 0; i < 60; i++)
		buf_addf(&hosts, "host-%d.example.org ", i);
	load("[http]\ntimeout = 1500ms\nsend_buffer = 0\nlisten =\n[limits]\nfile = 1025\n");
	ck_ok(config_load_env(&c, env, NULL, &e));
	ck_ok(config_set(&c, buf_str(&hosts), "--set", &e));
	ck_ok(config_set(&c, buf_str(&rules), "--set", &e));
	ck_ok(config_set(&c, buf_str(&quotas), "--set", &e));
	config_print(&c, &first);
	ck_assert_ptr_nonnull(strstr(buf_str(&first), "/modeld.conf:2\ntimeout = 1500ms\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&first), "# from $MODELD_LOG_ACCESS\naccess = no\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&first), "\ndrain = 10s\n"));

	config_done(&c);
	ck_ok(config_init(&c, &e));
	load(buf_str(&first));
	ck_assert_uint_eq(c.http_listen.n, 0);
	ck_assert_uint_eq(c.http_hosts.n, 60);
	ck_assert_str_eq(c.http_hosts.items[59], "host-59.example.org");
	ck_assert_uint_eq(c.validation_rules.n, 60);
	ck_assert_str_eq(c.validation_rules.items[59], "some.rule-59=warning");
	ck_assert_uint_eq(c.limits_quotas.n, 60);
	ck_assert_str_eq(c.limits_quotas.items[59], "team59=59MiB");
	ck_assert_uint_eq(c.http_timeout, 1500);
	ck_assert_uint_eq(c.http_send_buffer, 0);
	ck_assert_uint_eq(c.limits_file, 1025);
	ck_assert(!c.log_access);
	config_print(&c, &second);
	ck_assert(!buf_failed(&first) && !buf_failed(&second));
}
END_TEST

static char *source_file(const char *name)
{
	char where[256], *text;
	size_t n;

	snprintf(where, sizeof(where), "%s/%s", TEST_SRCDIR, name);
	ck_ok(fsio_read_file(AT_FDCWD, where, TEXT_MAX, &text, &n, &e));
	return text;
}

START_TEST(the_sample_file_is_made_from_the_table)
{
	CLEANUP_BUF struct buf sample = BUF_INIT(TEXT_MAX);
	CLEANUP_FREE char *file = source_file("conf/modeld.conf");

	config_print_sample(&sample);
	ck_assert_msg(strcmp(buf_str(&sample), file) == 0, "run `make regenerate`");
}
END_TEST

START_TEST(the_sample_without_its_comment_signs_gives_the_defaults)
{
	CLEANUP_BUF struct buf sample = BUF_INIT(TEXT_MAX), bare = BUF_INIT(TEXT_MAX);
	struct str rest, line;

	config_print_sample(&sample);
	rest = str_of(buf_str(&sample));
	while (str_split(&rest, '\n', &line)) {
		bool setting = line.n > 1 && line.p[0] == '#' && str_is_lower(line.p[1]);
		buf_addf(&bare, STR_FMT "\n", (int)(line.n - setting), line.p + setting);
	}
	load(buf_str(&bare));
	ck_assert_uint_eq(c.http_timeout, 60000);
	ck_assert_ptr_nonnull(c.origins[0]);
	ck_assert_str_eq(c.http_listen.items[0], "127.0.0.1:8570");
}
END_TEST

START_TEST(the_manual_lists_the_options_of_the_table)
{
	static const char begin[] = ".\\\" OPTIONS BEGIN\n", end[] = ".\\\" OPTIONS END\n";
	CLEANUP_BUF struct buf options = BUF_INIT(TEXT_MAX);
	CLEANUP_FREE char *manual = source_file("man/modeld.conf.5");
	char *from = strstr(manual, begin), *to = strstr(manual, end);

	ck_assert(from && to);
	*to = '\0';
	config_print_man(&options);
	ck_assert_msg(strcmp(buf_str(&options), from + strlen(begin)) == 0,
		"run `make regenerate`");
}
END_TEST

START_TEST(help_has_one_line_of_a_terminals_width_for_each_option)
{
	CLEANUP_BUF struct buf help = BUF_INIT(TEXT_MAX);
	struct str rest, line;

	config_print_help(&help);
	rest = str_of(buf_str(&help));
	while (str_split(&rest, '\n', &line))
		ck_assert_msg(line.n <= 100, "too wide: " STR_FMT, STR_ARG(line));
	ck_assert_ptr_nonnull(strstr(buf_str(&help),
		"\n  http.timeout                   Patience with a silent connection (60s)\n"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, defaults_are_those_of_the_table);
	tcase_add_test(t, a_file_sets_every_kind_of_value);
	tcase_add_test(t, an_indented_line_continues_a_list);
	tcase_add_test(t, a_list_of_pairs_may_go_on_in_indented_lines);
	tcase_add_test(t, a_pair_is_never_taken_for_a_key_of_its_section);
	tcase_add_test(t, a_value_that_its_user_refuses_is_blamed_on_where_it_comes_from);
	tcase_add_test(t, a_later_source_replaces_an_earlier_one);
	tcase_add_test(t, fragments_are_read_in_the_order_of_their_names);
	tcase_add_test(t, fragments_are_read_without_the_main_file_too);
	tcase_add_loop_test(t, an_error_names_the_line_what_was_found_and_what_is_expected, 0,
		(int)ARRAY_SIZE(refusals));
	tcase_add_test(t, a_line_may_be_longer_than_the_parser_takes);
	tcase_add_test(t, a_long_line_is_judged_like_a_short_one);
	tcase_add_test(t, a_word_of_a_list_may_be_a_long_url_wherever_it_stands);
	tcase_add_test(t, a_refused_value_leaves_the_old_one);
	tcase_add_test(t, what_may_be_secret_in_a_url_is_not_shown);
	tcase_add_test(t, a_reload_changes_some_keys_and_a_restart_the_others);
	tcase_add_test(t, a_list_differs_by_any_word);
	tcase_add_test(t, a_list_has_a_limit);
	tcase_add_test(t, an_unknown_variable_is_an_error_unless_it_is_listed);
	tcase_add_test(t, a_missing_or_oversized_file_is_an_error);
	tcase_add_test(t, what_is_printed_reads_back_the_same);
	tcase_add_test(t, the_sample_file_is_made_from_the_table);
	tcase_add_test(t, the_sample_without_its_comment_signs_gives_the_defaults);
	tcase_add_test(t, the_manual_lists_the_options_of_the_table);
	tcase_add_test(t, help_has_one_line_of_a_terminals_width_for_each_option);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
