/* SPDX-License-Identifier: Apache-2.0 */
/* `modeld scrub`: one whole pass over the files of a store, also beside a running daemon. */
#pragma once

#include "server/options.h"

/* As fast as it goes unless --rate says otherwise. Each damaged file is a line on standard output,
 * the last line sums up. ERR_CORRUPT when there are any, ERR_CONFIG without a store. */
int scrub_run(const struct options *o, struct err *e);
