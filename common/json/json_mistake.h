/* SPDX-License-Identifier: Apache-2.0 */
/* Words for what is wrong with a JSON text: the place, the mistake by its name where it has one,
 * else what was expected and what stands there. Internal to common/json.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

enum json_want {
	JSON_WANT_VALUE,
	JSON_WANT_ELEMENT, /* behind '[' */
	JSON_WANT_KEY,
	JSON_WANT_FIRST_KEY, /* behind '{' */
	JSON_WANT_COLON,
	JSON_WANT_COMMA_OR_BRACKET,
	JSON_WANT_COMMA_OR_BRACE,
	JSON_WANT_END,
};

/* All three return the negative code. The place of `at` comes before the sentence. */
int json_mistake(struct str text, size_t at, enum json_want want, struct err *e);
/* The word at `at` (letters and the like, perhaps a '-' before them) stands where a value
 * should. */
int json_mistake_word(struct str text, size_t at, struct err *e);
/* The caller's own sentence. */
int json_mistake_at(struct str text, size_t at, struct err *e, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* Bytes of the byte order mark that `text` begins with: 3 or 0. */
size_t json_mistake_bom(struct str text);
void json_mistake_place(struct str text, size_t at, size_t *ret_line, size_t *ret_column);
