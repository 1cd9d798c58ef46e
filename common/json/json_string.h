/* SPDX-License-Identifier: Apache-2.0 */
/* Strings in JSON text: where they end, whether they are right, what they say. Internal to
 * common/json. */
#pragma once

#include "common/base/str.h"

/* The string whose opening quote is at `at`: *ret_end is behind its closing quote. Refuses what
 * json.h says about strings. *ret_escaped tells whether there is a backslash in it. */
int json_string_scan(struct str text, size_t at, size_t *ret_end, bool *ret_escaped, struct err *e);

/* Decode a string that json_string_scan() accepted, quotes included, to the end of `out`. */
void json_string_unquote(struct str quoted, struct buf *out);
