/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_near.h"

#define SETS 512u /* of each loop */
#define WAYS 2u   /* the first was used last */

struct set {
	struct api_cache_entry *ways[WAYS]; /* NULL or a reference */
};

struct api_near {
	struct api_cache *cache;
	unsigned loops;
	struct set *sets; /* SETS for each loop */
};

int api_near_new(struct api_cache *c, unsigned loops, struct api_near **ret, struct err *e)
{
	struct api_near *n = calloc(1, sizeof(*n));

	if (n)
		n->sets = calloc((size_t)loops * SETS, sizeof(*n->sets));
	if (!n || !n->sets) {
		free(n);
		return err_nomem(e);
	}
	n->cache = c;
	n->loops = loops;
	*ret = n;
	return 0;
}

void api_near_free(struct api_near *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < (size_t)n->loops * SETS; i++)
		for (size_t way = 0; way < WAYS; way++)
			api_cache_release(n->sets[i].ways[way]);
	free(n->sets);
	free(n);
}

static void release(struct api_cache_entry **way)
{
	api_cache_release(*way);
	*way = NULL;
}

/* It becomes the first; the last makes room. */
static void take(struct set *set, struct api_cache_entry *x)
{
	api_cache_release(set->ways[WAYS - 1]);
	for (size_t way = WAYS - 1; way > 0; way--)
		set->ways[way] = set->ways[way - 1];
	set->ways[0] = x;
}

struct entity *api_near_find(struct api_near *n, unsigned loop, struct str key)
{
	uint64_t hash = api_cache_hash(key);
	/* Other bits than those that choose a bucket there. */
	struct set *set = &n->sets[(size_t)loop * SETS + (hash >> 40) % SETS];
	struct api_cache_entry *x;

	for (size_t way = 0; way < WAYS; way++) {
		x = set->ways[way];
		if (!x || !api_cache_is(x, key, hash))
			continue;
		if (api_cache_is_good(n->cache, x)) {
			set->ways[way] = set->ways[0];
			set->ways[0] = x;
			api_cache_used(x);
			return api_cache_entity(x);
		}
		release(&set->ways[way]);
	}
	x = api_cache_find(n->cache, key);
	/* What is here is given to everybody: the one look at that is this one. */
	if (!x || !api_cache_is_public(x)) {
		api_cache_release(x);
		return NULL;
	}
	take(set, x);
	return api_cache_entity(x);
}

void api_near_tidy(struct api_near *n, unsigned loop)
{
	struct set *sets = &n->sets[(size_t)loop * SETS];

	for (size_t i = 0; i < SETS; i++)
		for (size_t way = 0; way < WAYS; way++)
			if (sets[i].ways[way] && !api_cache_is_good(n->cache, sets[i].ways[way]))
				release(&sets[i].ways[way]);
}
