/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_arena.h"
#include "common/base/num.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_BLOCK 4096
#define BLOCK_MAX   MIB
#define ALIGN       _Alignof(double) /* of a piece: what values of the tree need */

struct json_arena_block {
	struct json_arena_block *older;
	size_t size, used; /* of `bytes` */
	_Alignas(max_align_t) char bytes[];
};

static _Thread_local struct json_arena *current;

void json_arena_use(struct json_arena *a)
{
	current = a;
}

/* Each block is twice as large as the one before, up to a limit, and as large as it must be. */
static struct json_arena_block *add_block(struct json_arena *a, size_t n)
{
	size_t size = a->blocks ? 2 * a->blocks->size : FIRST_BLOCK;
	struct json_arena_block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < n)
		size = n;
	if (size > SIZE_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	*b = (struct json_arena_block){.older = a->blocks, .size = size};
	a->blocks = b;
	return b;
}

void *json_arena_alloc(size_t n)
{
	size_t whole = (n + ALIGN - 1) / ALIGN * ALIGN;
	struct json_arena_block *b = current ? current->blocks : NULL;

	if (!current || whole < n)
		return NULL;
	if ((!b || b->size - b->used < whole) && !(b = add_block(current, whole)))
		return NULL;
	b->used += whole;
	return b->bytes + b->used - whole;
}

void json_arena_keep(void *piece)
{
	(void)piece;
}

void json_arena_done(struct json_arena *a)
{
	while (a->blocks) {
		struct json_arena_block *b = a->blocks;

		a->blocks = b->older;
		free(b);
	}
}
