/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the command line that is about tokens. */
#pragma once

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum options_token_action { OPTIONS_TOKEN_CREATE, OPTIONS_TOKEN_LIST, OPTIONS_TOKEN_REVOKE };

/* Of OPTIONS_TOKEN; all texts point into argv. */
struct options_token {
	enum options_token_action action;
	const char *id;      /* of REVOKE */
	const char *name;    /* of CREATE, as the rest; NULL for none */
	const char **scopes; /* words of --scope, several with commas in one */
	size_t scopes_n;
	const char **models; /* patterns of --models, likewise */
	size_t models_n;
	uint64_t lifetime_ms; /* 0: for ever */
};

#define OPTIONS_TOKEN_HINT "`modeld --help` lists what there is" /* of every misuse */

/* What stands behind the verb. ERR_BAD_PARAMETER, here and below. */
int options_token_operands(struct options_token *t, int argc, char **argv, struct err *e);
/* Do the options that were given go with it? `is_verb`: with `modeld token` at all. `expires` is
 * that of --expires, NULL without. Sets the lifetime. */
int options_token_check(struct options_token *t, bool is_verb, const char *expires,
	struct err *e);
