/* SPDX-License-Identifier: Apache-2.0 */
/* Hot representations in memory, so that a GET touches neither the catalog nor the file system.
 *
 * Bounded in entries and in heap bytes, least recently used ones go first. Split into shards with
 * a lock each. Every entry carries the epoch of its model: what was resolved before
 * api_cache_touch() is never served after under a mutable ref, and what was resolved before
 * api_cache_forget() under no ref. No call blocks on anything but a shard's lock.
 */
#pragma once

#include "common/base/err.h"
#include "server/http/entity.h"

struct api_cache;

/* `max_bytes` bounds what entries own on the heap; mapped files do not count, but each entry holds
 * at most one mapping, and the kernel allows 65,530 a process. */
int api_cache_new(size_t max_entries, uint64_t max_bytes, struct api_cache **ret, struct err *e);
void api_cache_free(struct api_cache *c);

struct api_cache_epoch {
	uint64_t moves;
	uint64_t removals;
};

/* The epoch of a model; read it before resolving a ref. */
struct api_cache_epoch api_cache_epoch(const struct api_cache *c, const char *model);
/* The model changed: what its mutable refs name is unknown from now on. */
void api_cache_touch(struct api_cache *c, const char *model);
/* Of the model something was deleted: nothing is known of it from now on, and its mapped files are
 * let go. Takes the locks of all shards, one after the other. */
void api_cache_forget(struct api_cache *c, const char *model);
/* The same for every model. */
void api_cache_clear(struct api_cache *c);

/* A reference for the caller, or NULL. */
struct entity *api_cache_get(struct api_cache *c, const char *model, const char *key);
/* A key is a canonical ref, "/" and a path. Takes a reference of its own. `epoch` is that of before
 * the ref was resolved. Without memory nothing is kept. */
void api_cache_put(struct api_cache *c, const char *key, struct entity *entity, uint64_t heap_bytes,
	const struct api_cache_epoch *epoch, bool is_pinned);
