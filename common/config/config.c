/* SPDX-License-Identifier: Apache-2.0 */
/* Where values come from: files, environment, command line.
 *
 * What inih does, and what is done about it. Its handler gets no line numbers (they are a
 * compile-time option that distributions leave out), but it asks its reader for one line at a time
 * and calls the handler before it asks for the next, so the reader here counts. Its line buffer is
 * 200 bytes by default and what is longer is cut in silence; so are section names at 49 bytes. It
 * takes "key: value", skips what follows a "]", and hands over an indented line as one more value
 * of the key above, whatever that line says. The reader here looks at each line first, so that
 * nothing an operator wrote is lost or means something else; a line that does not fit, with a URL
 * perhaps, is taken here, and inih gets what of it tells where it is.
 */
#include "common/config/config.h"
#include "common/base/fsio.h"
#include "common/config/config_table.h"
#include "common/config/config_value.h"

#include <ini.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#define CONFIG_FILE_MAX  1048576 /* bytes of a file */
#define CONFIG_FILES_MAX 1000    /* files in conf.d */
#define CONFIG_SHOWN     80      /* bytes of a value that an error shows */
#define CONFIG_ORIGIN    (PATH_MAX + 32)

/* ---- values and where they come from ------------------------------------------------------- */

int config_init(struct config *c, struct err *e)
{
	int r = 0;

	*c = (struct config){.origins = calloc(CONFIG_TABLE_N, sizeof(*c->origins))};
	if (!c->origins)
		return err_nomem(e);
	for (size_t i = 0; i < CONFIG_TABLE_N && r == 0; i++)
		r = config_value_set(c, &config_table[i], str_of(config_table[i].def), e);
	if (r < 0)
		config_done(c);
	return r;
}

void config_done(struct config *c)
{
	for (size_t i = 0; i < CONFIG_TABLE_N; i++) {
		config_value_done(c, &config_table[i]);
		if (c->origins)
			free(c->origins[i]);
	}
	free(c->origins);
	c->origins = NULL;
	config_value_list_done(&c->files);
}

static int set_with_origin(struct config *c, const struct config_option *o, struct str text,
	const char *origin, struct err *e)
{
	char **slot = &c->origins[o - config_table];
	CLEANUP_FREE char *copy = str_dup(str_of(origin));
	int r;

	if (!copy)
		return err_nomem(e);
	r = config_value_set(c, o, text, e);
	if (r < 0)
		return r;
	free(*slot);
	*slot = take_ptr(copy);
	return 0;
}

int config_blame(const struct config *c, const char *name, struct err *e)
{
	const struct config_option *o = config_table_find(CONFIG_SPELLING_DOTTED, NULL,
		str_of(name));
	const char *origin = c->origins[o - config_table];

	return err_prefix(e, "%s: [%s] %s", origin ? origin : "default", o->section, o->key);
}

/* A value as an error shows it: not too long, nothing in it that plays with a terminal, and of a
 * URL nothing behind its scheme, where secrets may be. */
static const char *shown(struct str text, char buf[CONFIG_SHOWN + 4])
{
	const char *url = text.n > 0 ? memmem(text.p, text.n, "://", 3) : NULL;
	size_t most = url ? (size_t)(url - text.p) + 3 : text.n;
	size_t n = most > CONFIG_SHOWN ? CONFIG_SHOWN : most;

	for (size_t i = 0; i < n; i++)
		buf[i] = (unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ? '?' : text.p[i];
	memcpy(buf + n, text.n > n ? "..." : "", text.n > n ? 4 : 1);
	return buf;
}

/* ---- one file ------------------------------------------------------------------------------ */

struct reading {
	struct config *config;
	const char *path;
	struct str rest;                   /* lines that inih has not asked for yet */
	unsigned line;                     /* the number of the one it has */
	bool continues;                    /* that one continues the list above */
	bool taken;                        /* that one was too long for inih; its value is set */
	char section[CONFIG_TABLE_NAME];   /* of that line */
	const struct config_option *above; /* the last key of this section, if any */
	unsigned seen[CONFIG_TABLE_N];     /* the line of each key, 0: not there */
	struct err *e;
	int r;
};

static bool is_comment(struct str line)
{
	return line.n == 0 || line.p[0] == '#' || line.p[0] == ';';
}

/* The NAME of "[NAME]" and what follows it. */
static bool split_header(struct str line, struct str *ret_name, struct str *ret_behind)
{
	const char *close = memchr(line.p, ']', line.n);

	if (line.p[0] != '[' || !close)
		return false;
	*ret_name = (struct str){line.p + 1, (size_t)(close - line.p) - 1};
	*ret_behind = str_trim((struct str){close + 1, line.n - ret_name->n - 2});
	return true;
}

static int check_header(struct str name, struct str behind, struct err *e)
{
	const struct config_option *near;
	char text[CONFIG_SHOWN + 4];

	if (!config_table_find(CONFIG_SPELLING_SECTION, NULL, name)) {
		near = config_table_nearest(CONFIG_SPELLING_SECTION, NULL, name);
		return err_set(e, ERR_CONFIG, "unknown section [%s]%s%s%s", shown(name, text),
			near ? "; did you mean [" : "", near ? near->section : "",
			near ? "]?" : "");
	}
	if (!is_comment(behind))
		return err_set(e, ERR_CONFIG, "[%s] needs a line of its own", shown(name, text));
	return 0;
}

/* Judge a line before inih sees it. `line` is trimmed and not empty. */
static int check_line(struct reading *r, struct str line, bool indented)
{
	bool in_list = indented && r->above && r->above->kind == CONFIG_KIND_LIST;
	const char *equals = memchr(line.p, '=', line.n);
	struct str name, behind;
	char text[CONFIG_SHOWN + 4];

	if (!str_is_utf8(line) || memchr(line.p, '\0', line.n))
		return err_set(r->e, ERR_CONFIG, "the line is not UTF-8 text");
	if (split_header(line, &name, &behind) && /* an address in a list may have brackets */
		(!in_list || config_table_find(CONFIG_SPELLING_SECTION, NULL, name))) {
		r->above = NULL;
		(void)snprintf(r->section, sizeof(r->section), STR_FMT, STR_ARG(name));
		return check_header(name, behind, r->e);
	}
	r->continues = in_list && config_value_continues(r->above, line);
	if (r->continues || (equals && !memchr(line.p, ':', (size_t)(equals - line.p))))
		return 0;
	return err_set(r->e, ERR_CONFIG, "%s: expected KEY = VALUE or [SECTION]",
		shown(line, text));
}

/* The next line, without its end and with its number counted. */
static bool take_line(struct reading *r, struct str *ret)
{
	if (r->rest.n == 0 || !str_split(&r->rest, '\n', ret))
		return false;
	r->line++;
	if (r->line == 1 && str_starts(*ret, "\xef\xbb\xbf"))
		*ret = (struct str){ret->p + 3, ret->n - 3};
	if (ret->n > 0 && ret->p[ret->n - 1] == '\r')
		ret->n--;
	return true;
}

static int unknown_key(const char *section, struct str key, struct err *e)
{
	const struct config_option *elsewhere = config_table_find(CONFIG_SPELLING_KEY, NULL, key);
	const struct config_option *near = config_table_nearest(CONFIG_SPELLING_KEY, section, key);
	char text[CONFIG_SHOWN + 4];

	(void)shown(key, text);
	if (*section == '\0')
		return err_set(e, ERR_CONFIG, "%s: a key stands under a [SECTION]", text);
	if (elsewhere)
		return err_set(e, ERR_CONFIG, "[%s] has no key %s; [%s] has", section, text,
			elsewhere->section);
	if (near)
		return err_set(e, ERR_CONFIG, "[%s] has no key %s; did you mean %s?", section, text,
			near->key);
	return err_set(e, ERR_CONFIG, "[%s] has no key %s", section, text);
}

static int set_key(struct reading *r, const char *section, struct str key, struct str value)
{
	const struct config_option *o = config_table_find(CONFIG_SPELLING_KEY, section, key);
	char origin[CONFIG_ORIGIN], text[CONFIG_SHOWN + 4];
	unsigned *seen;

	if (!o)
		return unknown_key(section, key, r->e);
	seen = &r->seen[o - config_table];
	if (*seen > 0)
		return err_set(r->e, ERR_CONFIG, "[%s] %s stands in line %u already", section,
			o->key, *seen);
	*seen = r->line;
	r->above = o;
	(void)snprintf(origin, sizeof(origin), "%s:%u", r->path, r->line);
	if (set_with_origin(r->config, o, value, origin, r->e) < 0)
		return err_prefix(r->e, "[%s] %s = %s", section, o->key, shown(value, text));
	return 0;
}

/* inih's comments behind a value. */
static struct str without_comment(struct str value)
{
	for (size_t i = 1; i < value.n; i++)
		if (value.p[i] == ';' && (value.p[i - 1] == ' ' || value.p[i - 1] == '\t'))
			value.n = i;
	return value;
}

/* More of the list above. inih looks for comments in the first line of a value only. */
static int continue_list(struct reading *r, struct str line)
{
	struct str words = without_comment(line);
	char text[CONFIG_SHOWN + 4];

	if (config_value_add(r->config, r->above, words, r->e) < 0)
		return err_prefix(r->e, "[%s] %s: %s", r->above->section, r->above->key,
			shown(words, text));
	return 0;
}

/* What inih would make of a line that does not fit: it is set, and `*line` is what is left. */
static int take_long(struct reading *r, struct str *line, size_t room)
{
	struct str value = *line, key;

	if (r->continues) {
		line->n = 0;
		r->continues = false;
		return continue_list(r, value);
	}
	(void)str_split(&value, '=', &key);
	if (!value.p || key.n + 1 > room || key.p[0] == '[')
		return err_set(r->e, ERR_CONFIG, "the line has more than %zu bytes", room);
	line->n = key.n + 1;
	r->taken = true;
	return set_key(r, r->section, str_trim(key), without_comment(value));
}

/* inih's fgets(). NULL ends the reading, after an error too. An indented line keeps one blank when
 * it continues a list and none when it does not. */
static char *on_line(char *out, int size, void *user)
{
	struct reading *r = user;
	size_t room = (size_t)size - sizeof(" \n");
	struct str raw, line;

	if (r->r < 0 || !take_line(r, &raw))
		return NULL;
	line = str_trim(raw);
	r->continues = r->taken = false;
	if (is_comment(line))
		line.n = 0;
	else
		r->r = check_line(r, line, line.p != raw.p);
	if (r->r == 0 && line.n > room)
		r->r = take_long(r, &line, room);
	if (r->r < 0)
		return NULL;
	(void)snprintf(out, (size_t)size, "%s" STR_FMT "\n", r->continues ? " " : "",
		STR_ARG(line));
	return out;
}

static int on_key(void *user, const char *section, const char *key, const char *value)
{
	struct reading *r = user;

	if (r->r == 0 && !r->taken)
		r->r = r->continues ? continue_list(r, str_of(value))
				    : set_key(r, section, str_of(key), str_of(value));
	return r->r == 0;
}

static int read_lines(struct config *c, const char *path, struct str content, struct err *e)
{
	struct reading r = {.config = c, .path = path, .rest = content, .e = e};
	int failed = ini_parse_stream(on_line, &r, on_key, &r);

	if (r.r == -ERR_OUT_OF_MEMORY || (r.r == 0 && failed == -2))
		return err_nomem(e);
	if (r.r == 0 && failed > 0)
		r.r = err_set(e, ERR_CONFIG, "expected KEY = VALUE or [SECTION]");
	return r.r < 0 ? err_prefix(e, "%s:%u", path, failed > 0 ? (unsigned)failed : r.line) : 0;
}

int config_load_file(struct config *c, const char *path, struct err *e)
{
	CLEANUP_FREE char *content = NULL;
	size_t n;
	int r = fsio_read_file(AT_FDCWD, path, CONFIG_FILE_MAX, &content, &n, e);

	if (r < 0) {
		e->code = ERR_CONFIG;
		return -ERR_CONFIG;
	}
	if (!config_value_list_add(&c->files, str_of(path)))
		return err_nomem(e);
	return read_lines(c, path, (struct str){content, n}, e);
}

/* ---- all files ----------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_fragment(const char *name)
{
	return name[0] != '.' && str_ends(str_of(name), ".conf");
}

static int list_fragments(DIR *dir, const char *path, struct config_list *names, struct err *e)
{
	const struct dirent *entry;

	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (!entry && errno != 0)
			return err_sys(e, errno, "cannot read the directory %s", path);
		if (!entry)
			break;
		if (!is_fragment(entry->d_name))
			continue;
		if (names->n == CONFIG_FILES_MAX)
			return err_set(e, ERR_CONFIG, "%s has more than %d files", path,
				CONFIG_FILES_MAX);
		if (!config_value_list_add(names, str_of(entry->d_name)))
			return err_nomem(e);
	}
	if (names->n > 0)
		qsort(names->items, names->n, sizeof(*names->items), by_name);
	return 0;
}

static int load_fragments(struct config *c, const char *dir_path, struct err *e)
{
	CLEANUP(config_value_list_done) struct config_list names = {NULL, 0};
	DIR *dir = opendir(dir_path);
	int r;

	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!dir) {
		(void)err_sys(e, errno, "cannot open the directory %s", dir_path);
		e->code = ERR_CONFIG;
		return -ERR_CONFIG;
	}
	r = list_fragments(dir, dir_path, &names, e);
	(void)closedir(dir);
	for (size_t i = 0; i < names.n && r == 0; i++) {
		char path[PATH_MAX];
		if (snprintf(path, sizeof(path), "%s/%s", dir_path, names.items[i]) >= PATH_MAX)
			return err_set(e, ERR_CONFIG, "the path %s/... is too long", dir_path);
		r = config_load_file(c, path, e);
	}
	return r;
}

int config_load_default(struct config *c, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	int parent = slash ? (int)(slash - path) + 1 : 0;
	char dir[PATH_MAX];
	int r = config_load_file(c, path, e);

	if (r < 0 && e->sys_errno != ENOENT)
		return r;
	if (snprintf(dir, sizeof(dir), "%.*sconf.d", parent, path) >= PATH_MAX)
		return err_set(e, ERR_CONFIG, "the path %s is too long", path);
	return load_fragments(c, dir, e);
}

/* ---- environment and command line ---------------------------------------------------------- */

static bool is_listed(struct str name, const char *const *known)
{
	for (; known && *known; known++)
		if (str_eq_c(name, *known))
			return true;
	return false;
}

/* One "NAME=value" whose NAME begins with MODELD_. */
static int set_variable(struct config *c, struct str name, const char *value, struct err *e)
{
	const struct config_option *o = config_table_find(CONFIG_SPELLING_ENV, NULL, name), *near;
	char text[CONFIG_SHOWN + 4], known[CONFIG_TABLE_NAME], origin[CONFIG_TABLE_NAME + 1];

	if (!o) {
		near = config_table_nearest(CONFIG_SPELLING_ENV, NULL, name);
		if (!near)
			return err_set(e, ERR_CONFIG, "unknown variable %s in the environment",
				shown(name, text));
		return err_set(e, ERR_CONFIG,
			"unknown variable %s in the environment; did you mean %s?",
			shown(name, text), config_table_name(near, CONFIG_SPELLING_ENV, known));
	}
	(void)config_table_name(o, CONFIG_SPELLING_ENV, known);
	(void)snprintf(origin, sizeof(origin), "$%s", known);
	if (set_with_origin(c, o, str_of(value), origin, e) < 0)
		return err_prefix(e, "%s=%s", known, shown(str_of(value), text));
	return 0;
}

int config_load_env(struct config *c, char *const *env, const char *const *known, struct err *e)
{
	for (; *env; env++) {
		struct str rest = str_of(*env), name;
		int r;
		if (!str_starts(rest, "MODELD_") || !str_split(&rest, '=', &name) || !rest.p)
			continue;
		if (is_listed(name, known))
			continue;
		r = set_variable(c, name, rest.p, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int config_set(struct config *c, const char *assignment, const char *origin, struct err *e)
{
	const struct config_option *o, *near;
	struct str value = str_of(assignment), name;
	char text[CONFIG_SHOWN + 4], known[CONFIG_TABLE_NAME];

	(void)str_split(&value, '=', &name);
	name = str_trim(name);
	if (!value.p)
		return err_set(e, ERR_CONFIG, "%s: %s: expected SECTION.KEY=VALUE", origin,
			shown(name, text));
	o = config_table_find(CONFIG_SPELLING_DOTTED, NULL, name);
	if (!o) {
		near = config_table_nearest(CONFIG_SPELLING_DOTTED, NULL, name);
		if (!near)
			return err_set(e, ERR_CONFIG, "%s: there is no key %s", origin,
				shown(name, text));
		return err_set(e, ERR_CONFIG, "%s: there is no key %s; did you mean %s?", origin,
			shown(name, text), config_table_name(near, CONFIG_SPELLING_DOTTED, known));
	}
	if (set_with_origin(c, o, value, origin, e) < 0)
		return err_prefix(e, "%s: %s=%s", origin,
			config_table_name(o, CONFIG_SPELLING_DOTTED, known), shown(value, text));
	return 0;
}
