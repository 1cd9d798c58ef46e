/* SPDX-License-Identifier: Apache-2.0 */
/* `modeld gc`: one collection, beside a daemon that may be running. */
#pragma once

#include "server/options.h"

/* Blocks until it is done, then prints one line about it on standard output. ERR_CONFIG when there
 * is no store. */
int gc_run(const struct options *o, struct err *e);
