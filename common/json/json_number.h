/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in JSON text. Internal to common/json. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

/* The number that begins at `at` with a digit or '-': *ret_end is behind it. Refuses what is not
 * in the grammar of RFC 8259 section 6, and what a double would turn into infinity. */
int json_number_scan(struct str text, size_t at, size_t *ret_end, struct err *e);
