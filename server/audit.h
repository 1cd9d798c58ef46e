/* SPDX-License-Identifier: Apache-2.0 */
/* modeld audit: print who changed what, beside a running daemon too; and who works at the command
 * line, for what is noted of other verbs. */
#pragma once

#include "server/options.h"

int audit_run(const struct options *o, struct err *e);

/* What this thread changes from here on is noted as this user's, by `modeld VERB`. Once. */
void audit_begin(enum options_verb verb);
