/* SPDX-License-Identifier: Apache-2.0 */
/* What people read about the configuration, all of it from the one table. */
#include "common/config/config.h"
#include "common/base/text.h"
#include "common/config/config_table.h"
#include "common/config/config_value.h"

#define COLUMNS     84
#define HELP_NAME   30 /* columns of an option's name in --help */

static void print_kind(const struct config_option *o, struct buf *out)
{
	size_t start;

	if (o->kind == CONFIG_KIND_TEXT)
		return;
	buf_add_char(out, ' ');
	start = out->len;
	config_value_describe(o, out);
	buf_add_char(out, '.');
	if (!buf_failed(out) && str_is_lower(out->data[start]))
		out->data[start] = (char)(out->data[start] - 'a' + 'A');
}

/* "Help of the option. A duration from 1s to 1h. A change takes a reload." */
static void print_full_help(const struct config_option *o, struct buf *out)
{
	buf_addf(out, "%s.", o->help);
	print_kind(o, out);
	buf_addf(out, " A change takes a %s.", o->at_reload ? "reload" : "restart");
}

/* ---- as a file ----------------------------------------------------------------------------- */

/* Behind "KEY =", and on indented lines when it is long. */
static void print_list(const struct config_list *list, size_t column, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++) {
		size_t n = strlen(list->items[i]);
		bool wrap = column + 1 + n > COLUMNS;
		buf_addf(out, "%s%s", wrap ? "\n\t" : " ", list->items[i]);
		column = wrap ? n : column + 1 + n;
	}
}

static void print_assignment(const struct config *c, const struct config_option *o, struct buf *out)
{
	const void *field = (const char *)c + o->field;
	CLEANUP_BUF struct buf value = BUF_INIT(CONFIG_VALUE_MAX);

	if (o->kind == CONFIG_KIND_LIST) {
		buf_addf(out, "%s =", o->key);
		print_list(field, strlen(o->key) + 2, out);
		buf_add_char(out, '\n');
		return;
	}
	config_value_print(c, o, &value);
	if (value.len == 0)
		buf_addf(out, "%s =\n", o->key);
	else
		buf_addf(out, "%s = %s\n", o->key, buf_str(&value));
}

static void print_keys(const struct config *c, bool changed, struct buf *out)
{
	const char *section = "";

	for (size_t i = 0; i < c->files.n; i++)
		buf_addf(out, "# read: %s\n", c->files.items[i]);
	if (c->files.n == 0)
		buf_add_str(out, "# no file was read\n");
	for (size_t i = 0; i < CONFIG_TABLE_N; i++) {
		const struct config_option *o = &config_table[i];
		const char *origin = c->origins ? c->origins[i] : NULL;
		if (changed && !origin)
			continue;
		if (strcmp(section, o->section) != 0)
			buf_addf(out, "\n[%s]\n", o->section);
		section = o->section;
		if (origin)
			buf_addf(out, "# from %s\n", origin);
		print_assignment(c, o, out);
	}
}

void config_print(const struct config *c, struct buf *out)
{
	print_keys(c, false, out);
}

void config_print_changed(const struct config *c, struct buf *out)
{
	print_keys(c, true, out);
}

void config_print_sample(struct buf *out)
{
	buf_add_str(out,
		"# The configuration of modeld; see modeld.conf(5). Try `modeld check-config`.\n"
		"#\n"
		"# Every key is here with its default, commented out. Changes are best kept in\n"
		"# conf.d beside this file: its *.conf files are read after this one, in the\n"
		"# order of their names. The environment (MODELD_HTTP_TIMEOUT for timeout of\n"
		"# [http]) and the command line come last. Comments need a line of their own. An\n"
		"# indented line continues a list.\n");
	for (size_t i = 0; i < CONFIG_TABLE_N; i++) {
		const struct config_option *o = &config_table[i];
		CLEANUP_BUF struct buf help = BUF_INIT(out->max);
		if (config_table_opens_section(i))
			buf_addf(out, "\n[%s]\n", o->section);
		print_full_help(o, &help);
		buf_add_char(out, '\n');
		text_wrap(str_of(buf_str(&help)), COLUMNS, "# ", out);
		buf_addf(out, "#%s =%s%s\n", o->key, *o->def ? " " : "", o->def);
	}
}

/* ---- as a manual --------------------------------------------------------------------------- */

void config_print_man(struct buf *out)
{
	for (size_t i = 0; i < CONFIG_TABLE_N; i++) {
		const struct config_option *o = &config_table[i];
		CLEANUP_BUF struct buf help = BUF_INIT(out->max);
		if (config_table_opens_section(i))
			buf_addf(out, ".SS [%s]\n", o->section);
		buf_addf(out, ".TP\n\\fB%s\\fR =%s", o->key, *o->def ? " " : "");
		text_roff(o->def, out);
		buf_add_char(out, '\n');
		print_full_help(o, &help);
		text_roff(buf_str(&help), out);
		buf_add_char(out, '\n');
	}
}

/* ---- as --help ----------------------------------------------------------------------------- */

void config_print_help(struct buf *out)
{
	char name[CONFIG_TABLE_NAME];

	for (size_t i = 0; i < CONFIG_TABLE_N; i++) {
		const struct config_option *o = &config_table[i];
		const char *stop = strstr(o->help, ". ");
		size_t n = stop ? (size_t)(stop - o->help) : strlen(o->help);
		buf_addf(out, "  %-*s %.*s", HELP_NAME,
			config_table_name(o, CONFIG_SPELLING_DOTTED, name), (int)n, o->help);
		if (*o->def)
			buf_addf(out, " (%s)", o->def);
		buf_add_char(out, '\n');
	}
}
