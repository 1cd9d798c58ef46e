/* SPDX-License-Identifier: Apache-2.0 */
/* What a command runs with. Commands are cmd_<name>(): they print their result and return 0, or a
 * negative number with the fault. One that ends well with another status than 0 sets `exit`. */
#pragma once

#include "client/settings.h"

#include <stdatomic.h>

struct run {
	const struct args *args;
	const struct settings *settings;
	bool json;
	bool quiet;
	bool color;     /* of standard output */
	bool err_color; /* of standard error */
	bool err_terminal;
	atomic_bool *cancel; /* true once SIGINT or SIGTERM came */
	int exit;            /* FAULT_DIFFERS and the like */
};

static inline const char *run_operand(const struct run *run, size_t i)
{
	return i < run->args->operands_n ? run->args->operands[i] : NULL;
}
