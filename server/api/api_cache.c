/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define SHARDS  16u
#define BUCKETS 2048u /* in each shard */
#define EPOCHS  1024u /* models share them by hash; a shared one costs a needless look-up */

struct entry {
	struct entry *next; /* in its bucket */
	struct entry *newer, *older;
	struct entity *entity;
	uint64_t hash;
	uint64_t heap_bytes;
	struct api_cache_epoch epoch;
	bool is_pinned;
	char key[];
};

struct shard {
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest;
	size_t entries;
	uint64_t bytes;
};

struct api_cache {
	size_t max_entries; /* of a shard */
	uint64_t max_bytes; /* of a shard */
	_Atomic uint64_t moves[EPOCHS];
	_Atomic uint64_t removals[EPOCHS];
	struct shard shards[SHARDS];
};

/* FNV-1a, 64 bit. Keys are ours or bounded by the router; a collision only costs a comparison. */
static uint64_t hash_of(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	return h ^ (h >> 29);
}

static struct shard *shard_of(struct api_cache *c, uint64_t hash)
{
	return &c->shards[hash % SHARDS];
}

static struct entry **bucket_of(struct shard *s, uint64_t hash)
{
	return &s->buckets[hash / SHARDS % BUCKETS];
}

int api_cache_new(size_t max_entries, uint64_t max_bytes, struct api_cache **ret, struct err *e)
{
	struct api_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return err_nomem(e);
	c->max_entries = max_entries / SHARDS + 1;
	c->max_bytes = max_bytes / SHARDS;
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&c->shards[i].lock, NULL);
	*ret = c;
	return 0;
}

static void unlink_age(struct shard *s, struct entry *x)
{
	*(x->newer ? &x->newer->older : &s->newest) = x->older;
	*(x->older ? &x->older->newer : &s->oldest) = x->newer;
}

static void link_newest(struct shard *s, struct entry *x)
{
	x->newer = NULL;
	x->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = x;
	s->newest = x;
}

static void drop(struct shard *s, struct entry *x)
{
	struct entry **at = bucket_of(s, x->hash);

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	unlink_age(s, x);
	s->entries--;
	s->bytes -= x->heap_bytes;
	entity_unref(x->entity);
	free(x);
}

void api_cache_free(struct api_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		while (c->shards[i].oldest)
			drop(&c->shards[i], c->shards[i].oldest);
		pthread_mutex_destroy(&c->shards[i].lock);
	}
	free(c);
}

struct api_cache_epoch api_cache_epoch(const struct api_cache *c, const char *model)
{
	size_t i = hash_of(model) % EPOCHS;

	return (struct api_cache_epoch){atomic_load(&c->moves[i]), atomic_load(&c->removals[i])};
}

void api_cache_touch(struct api_cache *c, const char *model)
{
	atomic_fetch_add(&c->moves[hash_of(model) % EPOCHS], 1);
}

/* Of models below it in name too ("a" and "a/b"), which costs them a look-up. */
static bool is_of(const struct entry *x, const char *model, size_t n)
{
	return strncmp(x->key, model, n) == 0 && (x->key[n] == '@' || x->key[n] == '/');
}

static void drop_model(struct shard *s, const char *model)
{
	size_t n = strlen(model);
	struct entry *next;

	for (struct entry *x = s->newest; x; x = next) {
		next = x->older;
		if (is_of(x, model, n))
			drop(s, x);
	}
}

void api_cache_forget(struct api_cache *c, const char *model)
{
	atomic_fetch_add(&c->removals[hash_of(model) % EPOCHS], 1);
	api_cache_touch(c, model);
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&c->shards[i].lock);
		drop_model(&c->shards[i], model);
		pthread_mutex_unlock(&c->shards[i].lock);
	}
}

void api_cache_clear(struct api_cache *c)
{
	for (size_t i = 0; i < EPOCHS; i++)
		atomic_fetch_add(&c->removals[i], 1);
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&c->shards[i].lock);
		while (c->shards[i].oldest)
			drop(&c->shards[i], c->shards[i].oldest);
		pthread_mutex_unlock(&c->shards[i].lock);
	}
}

static bool is_stale(const struct entry *x, const struct api_cache_epoch *now)
{
	return x->epoch.removals != now->removals ||
		(!x->is_pinned && x->epoch.moves != now->moves);
}

static struct entry *find(struct shard *s, uint64_t hash, const char *key)
{
	struct entry *x = *bucket_of(s, hash);

	while (x && (x->hash != hash || strcmp(x->key, key) != 0))
		x = x->next;
	return x;
}

struct entity *api_cache_get(struct api_cache *c, const char *model, const char *key)
{
	struct api_cache_epoch epoch = api_cache_epoch(c, model);
	uint64_t hash = hash_of(key);
	struct shard *s = shard_of(c, hash);
	struct entity *entity = NULL;

	pthread_mutex_lock(&s->lock);
	struct entry *x = find(s, hash, key);
	if (x && is_stale(x, &epoch)) {
		drop(s, x);
		x = NULL;
	}
	if (x) {
		unlink_age(s, x);
		link_newest(s, x);
		entity = entity_ref(x->entity);
	}
	pthread_mutex_unlock(&s->lock);
	return entity;
}

static struct entry *entry_new(const char *key, uint64_t hash)
{
	size_t n = strlen(key) + 1;
	struct entry *x = calloc(1, sizeof(*x) + n);

	if (!x)
		return NULL;
	memcpy(x->key, key, n);
	x->hash = hash;
	return x;
}

void api_cache_put(struct api_cache *c, const char *key, struct entity *entity, uint64_t heap_bytes,
	const struct api_cache_epoch *epoch, bool is_pinned)
{
	uint64_t hash = hash_of(key);
	struct shard *s = shard_of(c, hash);
	struct entry *x, *same;

	if (heap_bytes > c->max_bytes)
		return;
	x = entry_new(key, hash);
	if (!x)
		return;
	x->entity = entity_ref(entity);
	x->heap_bytes = heap_bytes;
	x->is_pinned = is_pinned;
	x->epoch = *epoch;

	pthread_mutex_lock(&s->lock);
	same = find(s, hash, key);
	if (same)
		drop(s, same);
	x->next = *bucket_of(s, hash);
	*bucket_of(s, hash) = x;
	link_newest(s, x);
	s->entries++;
	s->bytes += heap_bytes;
	while (s->entries > c->max_entries || s->bytes > c->max_bytes)
		drop(s, s->oldest);
	pthread_mutex_unlock(&s->lock);
}
