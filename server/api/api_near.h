/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop served last of what everybody may read, for that loop alone: a look-up that takes no
 * lock and writes to nothing that other loops read. In front of api_cache.h, by whose word an entry
 * ends at once; its memory and its mapped files go when the loop comes to look (api_near_tidy()),
 * which it does once a second. */
#pragma once

#include "server/api/api_cache.h"

struct api_near;

/* For `loops` loops; `c` has to outlive it. */
int api_near_new(struct api_cache *c, unsigned loops, struct api_near **ret, struct err *e);
void api_near_free(struct api_near *n); /* when the loops have ended; accepts NULL */

/* The three below are for the thread of that loop. */

/* NULL when the cache has no such key. Valid until the next call for this loop. */
struct entity *api_near_find(struct api_near *n, unsigned loop, struct str key);
/* Let go of what may not be served any more. */
void api_near_tidy(struct api_near *n, unsigned loop);
