/* SPDX-License-Identifier: Apache-2.0 */
/* Words for people: lines of a width, manuals, what a misspelt name may have meant. */
#pragma once

#include "common/base/str.h"

/* Words of `text`, wrapped behind `columns`, each line under `prefix`, a newline at the end. */
void text_wrap(struct str text, size_t columns, const char *prefix, struct buf *out);

/* `text` with what roff would take for itself escaped. */
void text_roff(const char *text, struct buf *out);

/* Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`, letter
 * case aside; SIZE_MAX when one of them has TEXT_DISTANCE_MAX bytes or more. */
#define TEXT_DISTANCE_MAX 64
size_t text_distance(struct str a, struct str b);

/* The distance up to which one is taken for a misspelling of `name`. */
static inline size_t text_distance_allowed(struct str name)
{
	return name.n / 3 + 1;
}
