/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, one function for each row of commands.def; see run.h. */
#pragma once

#include "client/run.h"

#define COMMAND(ident, words, operands, fewest, most, options, line, text, json) \
	int cmd_##ident(struct run *run, struct fault *f);
#include "client/commands.def"
#undef COMMAND
