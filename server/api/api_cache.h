/* SPDX-License-Identifier: Apache-2.0 */
/* Hot representations in memory, so that a GET touches neither the catalog nor the file system.
 *
 * Bounded in entries and in heap bytes, least recently used ones go first. Split into shards with a
 * lock each. Entries under a pinned ref never change. Entries under a mutable ref carry the epoch
 * of their model: api_cache_touch() moves it on, and what was resolved before is never served
 * after. No call blocks on anything but a shard's lock.
 */
#pragma once

#include "common/base/err.h"
#include "server/http/entity.h"

struct api_cache;

/* `max_bytes` bounds what entries own on the heap; mapped files do not count, but each entry holds
 * at most one mapping, and the kernel allows 65,530 a process. */
int api_cache_new(size_t max_entries, uint64_t max_bytes, struct api_cache **ret, struct err *e);
void api_cache_free(struct api_cache *c);

/* The epoch of a model; read it before resolving a mutable ref. */
uint64_t api_cache_epoch(const struct api_cache *c, const char *model);
/* The model changed: what its mutable refs name is unknown from now on. */
void api_cache_touch(struct api_cache *c, const char *model);

/* A reference for the caller, or NULL. */
struct entity *api_cache_get(struct api_cache *c, const char *model, const char *key);
/* Takes a reference of its own. `mutable_epoch` is NULL for a pinned entry. Without memory nothing
 * is kept. */
void api_cache_put(struct api_cache *c, const char *key, struct entity *entity, uint64_t heap_bytes,
	const uint64_t *mutable_epoch);
