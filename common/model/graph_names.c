/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/graph_names.h"
#include "common/base/num.h"

#include <string.h>
#include <sys/random.h>

#define PRIME ((UINT64_C(1) << 61) - 1)

struct graph_names_slot {
	struct str name; /* p is NULL in a free slot */
	uint32_t value;
};

int graph_names_init(struct graph_names *t, size_t n, struct err *e)
{
	size_t cap = 8;

	while (cap / 2 < n)
		cap *= 2;
	if (getrandom(&t->base, sizeof(t->base), 0) != (ssize_t)sizeof(t->base))
		return err_sys(e, errno, "cannot read randomness");
	t->base %= PRIME;
	t->mask = cap - 1;
	t->slots = calloc(cap, sizeof(*t->slots));
	return t->slots ? 0 : err_nomem(e);
}

void graph_names_done(struct graph_names *t)
{
	free(t->slots);
	*t = (struct graph_names){0};
}

/* x modulo PRIME, which is 2^61 - 1; x is below 2^122. */
static uint64_t reduce(unsigned __int128 x)
{
	uint64_t sum = (uint64_t)(x & PRIME) + (uint64_t)(x >> 61);

	return sum >= PRIME ? sum - PRIME : sum;
}

/* Length and words of the name as the coefficients of a polynomial, at a point that is not known:
 * two names of n words have the same value at n of all points at most. */
static size_t hash_of(const struct graph_names *t, struct str name)
{
	uint64_t h = name.n;

	for (size_t i = 0; i < name.n; i += sizeof(uint32_t)) {
		size_t left = name.n - i;
		uint32_t word = 0;

		memcpy(&word, name.p + i, left < sizeof(word) ? left : sizeof(word));
		h = reduce((unsigned __int128)h * t->base + word);
	}
	return (size_t)(h ^ h >> 29);
}

/* The slot that has the name, or the free one that it would get. */
static struct graph_names_slot *slot_of(const struct graph_names *t, struct str name)
{
	size_t i = hash_of(t, name) & t->mask;

	while (t->slots[i].name.p && !str_eq(t->slots[i].name, name))
		i = (i + 1) & t->mask;
	return &t->slots[i];
}

bool graph_names_set(struct graph_names *t, struct str name, uint32_t value)
{
	struct graph_names_slot *slot = slot_of(t, name);
	bool had = slot->name.p;

	*slot = (struct graph_names_slot){name, value};
	return had;
}

bool graph_names_get(const struct graph_names *t, struct str name, uint32_t *ret)
{
	const struct graph_names_slot *slot = t->slots ? slot_of(t, name) : NULL;

	if (!slot || !slot->name.p)
		return false;
	*ret = slot->value;
	return true;
}
