/* SPDX-License-Identifier: Apache-2.0 */
/* `modeld prune`: delete what the rules of retention do not keep, beside a daemon that may be
 * running. */
#pragma once

#include "server/options.h"

/* Blocks until it is done; a line on standard output for each version, and one that sums up.
 * ERR_CONFIG when there is no store. */
int prune_run(const struct options *o, struct err *e);
