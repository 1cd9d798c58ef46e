/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of modelctl, read by the tables of usage.h. */
#pragma once

#include "client/fault.h"
#include "client/usage.h"

enum args_wish {
	ARGS_RUN,          /* the command */
	ARGS_HELP,         /* of the program */
	ARGS_HELP_COMMAND, /* of the command */
	ARGS_VERSION,
};

struct args_given {
	enum usage_option option;
	const char *value; /* "" for one without; points into argv */
};

struct args {
	enum args_wish wish;
	enum usage_command command;
	struct args_given *given; /* in order */
	size_t given_n;
	const char **operands;
	size_t operands_n;
};

/* Options may stand before and behind the command and its operands; "--" ends them.
 * ERR_BAD_PARAMETER with the nearest command or the place of the help. argv is reordered. Not
 * thread safe (getopt). */
int args_read(int argc, char **argv, struct args *ret, struct fault *f);
void args_done(struct args *a);

/* The value given last, "" for an option without one, NULL when it was not given. */
const char *args_value(const struct args *a, enum usage_option option);
static inline bool args_has(const struct args *a, enum usage_option option)
{
	return args_value(a, option) != NULL;
}
