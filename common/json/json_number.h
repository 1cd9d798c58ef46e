/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in JSON text. Internal to common/json. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

/* The number that begins at `at` with a digit or '-': *ret_end is behind it. Refuses what is not
 * in the grammar of RFC 8259 section 6, and what a double would turn into infinity, unless it is to
 * `keep` that: then *ret_infinite tells. */
int json_number_scan(struct str text, size_t at, bool keep, size_t *ret_end, bool *ret_infinite,
	struct err *e);
