/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define BUCKETS 32768u
#define EPOCHS  1024u /* models share them by hash; a shared one costs a needless look-up */

/* Constant from the moment that others see it, but for the links, which the lock guards, and
 * the atomics. */
struct api_cache_entry {
	struct api_cache_entry *next; /* in its bucket */
	struct api_cache_entry *newer, *older;
	atomic_uint refs; /* of which the cache has one, until the entry is gone */
	atomic_bool gone; /* from the cache */
	atomic_bool used; /* since the clock's hand came by */
	struct entity *entity;
	uint64_t hash;
	uint64_t heap_bytes;
	struct api_cache_epoch epoch;
	unsigned kind;
	size_t key_n;
	char key[];
};

struct api_cache {
	size_t max_entries;
	uint64_t max_bytes;
	_Atomic uint64_t moves[EPOCHS];
	_Atomic uint64_t removals[EPOCHS];
	pthread_mutex_t lock; /* of all below */
	struct api_cache_entry *buckets[BUCKETS];
	struct api_cache_entry *newest, *oldest;
	size_t entries;
	uint64_t bytes;
};

/* Eight bytes a step, as FNV-1a takes one. Keys are bounded by the router, and of what a client
 * asks for only what exists is kept; a collision only costs a comparison. */
uint64_t api_cache_hash(struct str key)
{
	const uint64_t prime = UINT64_C(0x9E3779B97F4A7C15);
	uint64_t h = key.n * prime, word;
	size_t i = 0;

	for (; i + sizeof(word) <= key.n; i += sizeof(word)) {
		memcpy(&word, key.p + i, sizeof(word));
		h = (h ^ word) * prime;
		h ^= h >> 32;
	}
	word = 0;
	if (i < key.n)
		memcpy(&word, key.p + i, key.n - i);
	h = (h ^ word) * prime;
	return h ^ (h >> 32);
}

static size_t slot_of(const char *model)
{
	return api_cache_hash(str_of(model)) % EPOCHS;
}

static struct api_cache_entry **bucket_of(struct api_cache *c, uint64_t hash)
{
	return &c->buckets[hash % BUCKETS];
}

int api_cache_new(size_t max_entries, uint64_t max_bytes, struct api_cache **ret, struct err *e)
{
	struct api_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return err_nomem(e);
	c->max_entries = max_entries;
	c->max_bytes = max_bytes;
	pthread_mutex_init(&c->lock, NULL);
	*ret = c;
	return 0;
}

static void unlink_age(struct api_cache *c, struct api_cache_entry *x)
{
	*(x->newer ? &x->newer->older : &c->newest) = x->older;
	*(x->older ? &x->older->newer : &c->oldest) = x->newer;
}

static void link_newest(struct api_cache *c, struct api_cache_entry *x)
{
	x->newer = NULL;
	x->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = x;
	c->newest = x;
}

void api_cache_release(struct api_cache_entry *x)
{
	if (!x || atomic_fetch_sub(&x->refs, 1) != 1)
		return;
	entity_unref(x->entity);
	free(x);
}

static void drop(struct api_cache *c, struct api_cache_entry *x)
{
	struct api_cache_entry **at = bucket_of(c, x->hash);

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	unlink_age(c, x);
	c->entries--;
	c->bytes -= x->heap_bytes;
	atomic_store_explicit(&x->gone, true, memory_order_release);
	api_cache_release(x);
}

void api_cache_free(struct api_cache *c)
{
	if (!c)
		return;
	while (c->oldest)
		drop(c, c->oldest);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

struct api_cache_epoch api_cache_epoch(const struct api_cache *c, const char *model)
{
	size_t slot = slot_of(model);

	return (struct api_cache_epoch){
		.slot = slot,
		.moves = atomic_load(&c->moves[slot]),
		.removals = atomic_load(&c->removals[slot]),
	};
}

void api_cache_touch(struct api_cache *c, const char *model)
{
	atomic_fetch_add(&c->moves[slot_of(model)], 1);
}

/* Of models below it in name too ("a" and "a/b"), which costs them a look-up. */
static bool is_of(const struct api_cache_entry *x, const char *model, size_t n)
{
	return x->key_n > n && memcmp(x->key, model, n) == 0 &&
		(x->key[n] == '@' || x->key[n] == '/');
}

static void drop_model(struct api_cache *c, const char *model)
{
	size_t n = strlen(model);
	struct api_cache_entry *next;

	for (struct api_cache_entry *x = c->newest; x; x = next) {
		next = x->older;
		if (is_of(x, model, n))
			drop(c, x);
	}
}

void api_cache_forget(struct api_cache *c, const char *model)
{
	atomic_fetch_add(&c->removals[slot_of(model)], 1);
	api_cache_touch(c, model);
	pthread_mutex_lock(&c->lock);
	drop_model(c, model);
	pthread_mutex_unlock(&c->lock);
}

void api_cache_clear(struct api_cache *c)
{
	for (size_t i = 0; i < EPOCHS; i++)
		atomic_fetch_add(&c->removals[i], 1);
	pthread_mutex_lock(&c->lock);
	while (c->oldest)
		drop(c, c->oldest);
	pthread_mutex_unlock(&c->lock);
}

bool api_cache_is_good(const struct api_cache *c, const struct api_cache_entry *x)
{
	const struct api_cache_epoch *was = &x->epoch;

	if (atomic_load_explicit(&x->gone, memory_order_acquire))
		return false;
	return atomic_load(&c->removals[was->slot]) == was->removals &&
		((x->kind & API_CACHE_PINNED) || atomic_load(&c->moves[was->slot]) == was->moves);
}

bool api_cache_is(const struct api_cache_entry *x, struct str key, uint64_t hash)
{
	return x->hash == hash && str_eq((struct str){x->key, x->key_n}, key);
}

struct entity *api_cache_entity(const struct api_cache_entry *x)
{
	return x->entity;
}

bool api_cache_is_public(const struct api_cache_entry *x)
{
	return x->kind & API_CACHE_PUBLIC;
}

/* Read first: a line that is only read stays with every processor. */
void api_cache_used(struct api_cache_entry *x)
{
	if (!atomic_load_explicit(&x->used, memory_order_relaxed))
		atomic_store_explicit(&x->used, true, memory_order_relaxed);
}

static struct api_cache_entry *find(struct api_cache *c, struct str key, uint64_t hash)
{
	struct api_cache_entry *x = *bucket_of(c, hash);

	while (x && !api_cache_is(x, key, hash))
		x = x->next;
	return x;
}

struct api_cache_entry *api_cache_find(struct api_cache *c, struct str key)
{
	uint64_t hash = api_cache_hash(key);

	pthread_mutex_lock(&c->lock);
	struct api_cache_entry *x = find(c, key, hash);
	if (x && !api_cache_is_good(c, x)) {
		drop(c, x);
		x = NULL;
	}
	if (x) {
		atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
		api_cache_used(x);
	}
	pthread_mutex_unlock(&c->lock);
	return x;
}

static struct api_cache_entry *entry_new(struct str key, uint64_t hash)
{
	struct api_cache_entry *x = calloc(1, sizeof(*x) + key.n);

	if (!x)
		return NULL;
	memcpy(x->key, key.p, key.n);
	x->key_n = key.n;
	x->hash = hash;
	atomic_init(&x->refs, 1);
	return x;
}

/* The hand of the clock: what was used since it came by gets another round, but only one. */
static void make_room(struct api_cache *c, uint64_t bytes)
{
	size_t passed = 0, most = c->entries;

	while (c->oldest && (c->entries >= c->max_entries || c->bytes + bytes > c->max_bytes)) {
		struct api_cache_entry *x = c->oldest;
		bool used = atomic_exchange_explicit(&x->used, false, memory_order_relaxed);
		if (!used || passed++ >= most) {
			drop(c, x);
			continue;
		}
		unlink_age(c, x);
		link_newest(c, x);
	}
}

void api_cache_put(struct api_cache *c, struct str key, struct entity *entity, uint64_t heap_bytes,
	const struct api_cache_epoch *epoch, unsigned kind)
{
	uint64_t hash = api_cache_hash(key);
	struct api_cache_entry *x, *same;

	if (heap_bytes > c->max_bytes)
		return;
	x = entry_new(key, hash);
	if (!x)
		return;
	x->entity = entity_ref(entity);
	x->heap_bytes = heap_bytes;
	x->kind = kind;
	x->epoch = *epoch;

	pthread_mutex_lock(&c->lock);
	same = find(c, key, hash);
	if (same)
		drop(c, same);
	make_room(c, heap_bytes);
	x->next = *bucket_of(c, hash);
	*bucket_of(c, hash) = x;
	link_newest(c, x);
	c->entries++;
	c->bytes += heap_bytes;
	pthread_mutex_unlock(&c->lock);
}
