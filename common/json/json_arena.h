/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for the tree of one document: pieces are handed out one behind the other and given back
 * all at once. A tree has one or two pieces for each of a few hundred thousand values; malloc()
 * takes half as much again for its own records, and the time that reading the text takes.
 * Internal to common/json. */
#pragma once

#include <stddef.h>

struct json_arena {
	struct json_arena_block *blocks; /* the newest first */
};

/* On this thread json_arena_alloc() takes from `a` from now on; NULL: from nowhere. */
void json_arena_use(struct json_arena *a);
/* For the library, which has no argument to tell whose memory it wants. NULL without memory. */
void *json_arena_alloc(size_t n);
/* The piece goes when the arena does. */
void json_arena_keep(void *piece);
void json_arena_done(struct json_arena *a); /* accepts a zeroed struct */
