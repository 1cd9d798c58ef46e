/* SPDX-License-Identifier: Apache-2.0 */
/* `modeld backup` and `modeld restore`: the command line in front of registry_copy.h. */
#pragma once

#include "server/options.h"

/* Blocks until it is done. Prints a line for each file that is lost, then one that sums up.
 * ERR_CORRUPT when a file was lost: all others were copied. */
int backup_run(const struct options *o, struct err *e);
