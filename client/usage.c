/* SPDX-License-Identifier: Apache-2.0 */
#include "client/usage.h"
#include "client/doctor_place.h"
#include "common/base/text.h"
#include "common/model/finding.h"

#include <ctype.h>
#include <stdio.h>

#define COLUMNS     76
#define HELP_INDENT 26

/* Every command takes these. */
#define COMMON                                                                    \
	(USAGE_BIT(SERVER) | USAGE_BIT(TOKEN) | USAGE_BIT(CA) | USAGE_BIT(JSON) | \
		USAGE_BIT(QUIET) | USAGE_BIT(COLOR) | USAGE_BIT(HELP))

const struct usage_option_row usage_options[USAGE_OPTIONS_N] = {
#define OPTION(ident, name, letter, value, help) [USAGE_##ident] = {name, letter, value, help},
#include "client/options.def"
#undef OPTION
};

const struct usage_command_row usage_commands[USAGE_COMMANDS_N] = {
#define OPTIONS_BIT(ident) USAGE_BIT(ident)
#define COMMAND(ident, words, operands, fewest, most, options, line, text, json) \
	[USAGE_CMD_##ident] = {words, operands, fewest, most, COMMON | (options), line, text, json},
#include "client/commands.def"
#undef COMMAND
#undef OPTIONS_BIT
};

static bool has(uint64_t options, size_t option)
{
	return options >> option & 1;
}

/* "-s, --server URL" */
static void add_name(const struct usage_option_row *o, struct buf *out)
{
	if (o->letter)
		buf_addf(out, "-%c, ", o->letter);
	buf_addf(out, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
}

/* "label ls NAME" */
static void add_synopsis(const struct usage_command_row *row, struct buf *out)
{
	buf_addf(out, "%s%s%s", row->words, *row->operands ? " " : "", row->operands);
}

/* "  name      text, wrapped" */
static void add_row(const char *name, const char *text, struct buf *out)
{
	CLEANUP_BUF struct buf lines = BUF_INIT(4096);
	char indent[HELP_INDENT + 1];

	(void)snprintf(indent, sizeof(indent), "%*s", HELP_INDENT, "");
	text_wrap(str_of(text), COLUMNS, indent, &lines);
	if (strlen(name) + 2 < HELP_INDENT && lines.len > HELP_INDENT) {
		buf_addf(out, "  %-*s", HELP_INDENT - 2, name);
		buf_add_str(out, buf_str(&lines) + HELP_INDENT);
	} else {
		buf_addf(out, "  %s\n%s", name, buf_str(&lines));
	}
}

static void add_options(uint64_t options, struct buf *out)
{
	for (size_t i = 0; i < USAGE_OPTIONS_N; i++) {
		CLEANUP_BUF struct buf name = BUF_INIT(128);
		if (!has(options, i))
			continue;
		add_name(&usage_options[i], &name);
		add_row(buf_str(&name), usage_options[i].help, out);
	}
}

void usage_help(struct buf *out)
{
	buf_add_str(out,
		"modelctl publishes and fetches TensorFlow.js models on a modeld server.\n\n"
		"  modelctl COMMAND [OPTION ...] [OPERAND ...]\n\n");
	for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
		CLEANUP_BUF struct buf name = BUF_INIT(128);
		add_synopsis(&usage_commands[i], &name);
		add_row(buf_str(&name), usage_commands[i].line, out);
	}
	buf_add_str(out, "\n");
	add_options(COMMON | USAGE_BIT(VERSION), out);
	buf_add_str(out,
		"\n"
		"A REF is NAME, NAME@VERSION, NAME@LABEL or NAME@sha256:DIGEST. Every command\n"
		"takes --help. Exit status: 0, 1 differs, 2 usage or local files, 3 invalid\n"
		"model, 4 not allowed, 5 network, 6 the server refused. Manual: modelctl(1)\n");
}

void usage_help_command(enum usage_command c, struct buf *out)
{
	const struct usage_command_row *row = &usage_commands[c];
	CLEANUP_BUF struct buf json = BUF_INIT(4096);

	buf_add_str(out, "modelctl ");
	add_synopsis(row, out);
	buf_addf(out, ": %s\n\n", row->line);
	text_wrap(str_of(row->text), COLUMNS, "", out);
	buf_add_str(out, "\n");
	buf_addf(&json, "With --json: %s.", row->json);
	text_wrap(str_of(buf_str(&json)), COLUMNS, "", out);
	buf_add_str(out, "\n");
	add_options(row->options & ~COMMON, out);
	if (row->options & ~COMMON)
		buf_add_str(out, "\n");
	add_options(COMMON, out);
}

/* ---- the manual ---- */

/* `text` with its WORDS in capitals, and options after "--", as they stand. */
static void man_text(const char *text, struct buf *out)
{
	text_roff(text, out);
	buf_add_char(out, '\n');
}

static void man_synopsis(const struct usage_command_row *row, struct buf *out)
{
	buf_addf(out, ".TP\n\\fB%s\\fR", row->words);
	if (*row->operands) {
		buf_add_str(out, " \\fI");
		text_roff(row->operands, out);
		buf_add_str(out, "\\fR");
	}
	for (size_t i = 0; i < USAGE_OPTIONS_N; i++) {
		const struct usage_option_row *o = &usage_options[i];
		if (!has(row->options & ~COMMON, i))
			continue;
		buf_add_str(out, " [\\fB\\-\\-");
		text_roff(o->name, out);
		buf_add_str(out, "\\fR");
		if (o->value)
			buf_addf(out, " \\fI%s\\fR", o->value);
		buf_add_str(out, "]");
	}
	buf_add_str(out, "\n");
}

static void man_option(const struct usage_option_row *o, struct buf *out)
{
	buf_add_str(out, ".TP\n");
	if (o->letter)
		buf_addf(out, "\\fB\\-%c\\fR, ", o->letter);
	buf_add_str(out, "\\fB\\-\\-");
	text_roff(o->name, out);
	buf_add_str(out, "\\fR");
	if (o->value)
		buf_addf(out, " \\fI%s\\fR", o->value);
	buf_add_str(out, "\n");
	man_text(o->help, out);
}

static void man_doctor(const char *id, enum finding_severity severity, const char *fix,
	enum doctor_rule rule, struct buf *out)
{
	buf_add_str(out, ".TP\n\\fB");
	text_roff(id, out);
	buf_addf(out, "\\fR (%s)\n", finding_severity_name(severity));
	man_text(fix, out);
	for (int i = 1; i < DOCTOR_PLACES_N; i++) {
		const char *advice = doctor_place_advice((enum doctor_place)i, rule);
		if (!advice)
			continue;
		buf_add_str(out, ".br\n\\fI");
		text_roff(doctor_place_name((enum doctor_place)i), out);
		buf_add_str(out, "\\fR: ");
		man_text(advice, out);
	}
}

void usage_man(struct buf *out)
{
	buf_add_str(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
		man_synopsis(&usage_commands[i], out);
		man_text(usage_commands[i].text, out);
		buf_add_str(out, "With\n.BR \\-\\-json :\n");
		man_text(usage_commands[i].json, out);
	}
	buf_add_str(out, ".SH OPTIONS\n");
	for (size_t i = 0; i < USAGE_OPTIONS_N; i++)
		man_option(&usage_options[i], out);
	buf_add_str(out,
		".SH FINDINGS OF DOCTOR\n"
		"What is to be changed on the host; those about the model itself are in\n"
		".BR modeld\\-rules (7).\n"
		"An error breaks the model; a warning may.\n");
#define DOCTOR_RULE(ident, id, severity, fix) \
	man_doctor(id, FINDING_##severity, fix, DOCTOR_##ident, out);
#include "client/doctor.def"
#undef DOCTOR_RULE
}
