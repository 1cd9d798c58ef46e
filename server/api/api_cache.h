/* SPDX-License-Identifier: Apache-2.0 */
/* Hot representations in memory, so that a GET touches neither the catalog nor the file system.
 *
 * Bounded in entries and in heap bytes; those go first that were not used for longest, as a clock
 * tells (its hand passes over what was used since it came by last). Every entry carries the epoch
 * of its model: what was resolved before api_cache_touch() is never served after under a mutable
 * ref, and what was resolved before api_cache_forget() under no ref. No call blocks on anything but
 * the cache's lock; api_near.h reads without it.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"
#include "server/http/entity.h"

struct api_cache;
struct api_cache_entry; /* reference counted */

/* `max_bytes` bounds what entries own on the heap; mapped files do not count, but each entry holds
 * at most API_CACHE_MAPPINGS of them, and the kernel allows 65,530 a process. */
#define API_CACHE_MAPPINGS 3 /* one for each coding */
int api_cache_new(size_t max_entries, uint64_t max_bytes, struct api_cache **ret, struct err *e);
void api_cache_free(struct api_cache *c); /* when all entries were released */

struct api_cache_epoch {
	size_t slot; /* where the model's is */
	uint64_t moves;
	uint64_t removals;
};

/* The epoch of a model; read it before resolving a ref. */
struct api_cache_epoch api_cache_epoch(const struct api_cache *c, const char *model);
/* The model changed: what its mutable refs name is unknown from now on. */
void api_cache_touch(struct api_cache *c, const char *model);
/* Of the model something was deleted: nothing is known of it from now on, and its mapped files are
 * let go. */
void api_cache_forget(struct api_cache *c, const char *model);
/* The same for every model. */
void api_cache_clear(struct api_cache *c);

/* A key is a canonical ref, "/" and a path. A reference for the caller, or NULL. */
struct api_cache_entry *api_cache_find(struct api_cache *c, struct str key);
void api_cache_release(struct api_cache_entry *x); /* accepts NULL */
DEFINE_CLEANUP(struct api_cache_entry, api_cache_release)
/* Lives as long as the entry. */
struct entity *api_cache_entity(const struct api_cache_entry *x);
/* Is this the key? `hash` is api_cache_hash() of it. */
bool api_cache_is(const struct api_cache_entry *x, struct str key, uint64_t hash);
uint64_t api_cache_hash(struct str key);
/* May the entry be served at this moment? False for good once it is false. */
bool api_cache_is_good(const struct api_cache *c, const struct api_cache_entry *x);
bool api_cache_is_public(const struct api_cache_entry *x);
/* It was served by who has a reference. */
void api_cache_used(struct api_cache_entry *x);

enum api_cache_kind { /* bits */
	API_CACHE_PINNED = 1, /* of a ref that always means the same bytes */
	API_CACHE_PUBLIC = 2, /* everybody may have it */
};

/* Takes a reference to `entity`. `epoch` is that of before the ref was resolved. Without memory
 * nothing is kept. */
void api_cache_put(struct api_cache *c, struct str key, struct entity *entity, uint64_t heap_bytes,
	const struct api_cache_epoch *epoch, unsigned kind);
