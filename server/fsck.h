/* SPDX-License-Identifier: Apache-2.0 */
/* `modeld fsck`: prove the store, beside a daemon that may be running. */
#pragma once

#include "server/options.h"

/* Blocks until it is done. Prints a line on standard output for each thing that is wrong, and one
 * that sums up. ERR_CORRUPT when something is damaged, ERR_CONFIG when there is no store. */
int fsck_run(const struct options *o, struct err *e);

/* The answer for so many things that are damaged: ERR_CORRUPT, and what to do. */
int fsck_verdict(const struct options *o, uint64_t damaged, struct err *e);
