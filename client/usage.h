/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of commands and options, and what people read of them. Pure. */
#pragma once

#include "common/base/buf.h"
#include "common/base/str.h"

enum usage_option {
#define OPTION(ident, name, letter, value, help) USAGE_##ident,
#include "client/options.def"
#undef OPTION
	USAGE_OPTIONS_N
};

struct usage_option_row {
	const char *name;
	char letter;
	const char *value; /* the word for it; NULL: takes none */
	const char *help;
};

#define USAGE_BIT(ident) (UINT64_C(1) << USAGE_##ident)

enum usage_command {
#define OPTIONS_BIT(ident)                                                 0
#define COMMAND(ident, words, operands, fewest, most, options, line, text, json) USAGE_CMD_##ident,
#include "client/commands.def"
#undef COMMAND
#undef OPTIONS_BIT
	USAGE_COMMANDS_N
};

struct usage_command_row {
	const char *words;    /* "ls", "label set" */
	const char *operands; /* "[PREFIX]" */
	unsigned fewest, most;
	uint64_t options; /* bits; those that every command takes are in it */
	const char *line;
	const char *text;
	const char *json; /* what --json prints, in words of modelctl(1), JSON */
};

extern const struct usage_option_row usage_options[USAGE_OPTIONS_N];
extern const struct usage_command_row usage_commands[USAGE_COMMANDS_N];

/* What `modelctl --help` and `modelctl COMMAND --help` print. */
void usage_help(struct buf *out);
void usage_help_command(enum usage_command c, struct buf *out);
/* The sections COMMANDS and OPTIONS of modelctl(1), in man(7) macros. */
void usage_man(struct buf *out);
