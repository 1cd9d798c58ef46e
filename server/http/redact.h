/* SPDX-License-Identifier: Apache-2.0 */
/* Targets as they may be written into a log. Pure. */
#pragma once

#include <stddef.h>

/* Puts "*" in place of the value of each parameter k, and of what looks like the rest of a token or
 * a link wherever it stands. Returns the new length, which is not more. */
size_t redact_target(char *target, size_t n);
