/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/layers_internal.h"

#include "common/base/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES (32 * KIB)

static struct layers_chunk *chunk_for(struct layers_build *b, size_t n)
{
	struct layers_chunk *c = b->m->chunks;
	size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
	uint64_t total;

	if (c && c->size - c->used >= n)
		return c;
	if (!num_add(sizeof(*c), size, &total) || !(c = malloc((size_t)total))) {
		b->no_memory = true;
		return NULL;
	}
	c->used = 0;
	c->size = size;
	c->next = b->m->chunks;
	b->m->chunks = c;
	return c;
}

void *layers_arena_alloc(struct layers_build *b, size_t n)
{
	uint64_t rounded;
	struct layers_chunk *c;
	char *p;

	if (!num_add(n, sizeof(max_align_t) - 1, &rounded)) {
		b->no_memory = true;
		return NULL;
	}
	rounded -= rounded % sizeof(max_align_t);
	c = chunk_for(b, (size_t)rounded);
	if (!c)
		return NULL;
	p = (char *)c->bytes + c->used;
	c->used += (size_t)rounded;
	return memset(p, 0, (size_t)rounded);
}

void *layers_arena_array(struct layers_build *b, size_t n, size_t size)
{
	uint64_t total;

	if (!num_mul(n, size, &total)) {
		b->no_memory = true;
		return NULL;
	}
	return layers_arena_alloc(b, (size_t)total);
}

void *layers_arena_push(struct layers_build *b, void *array, size_t n, size_t size)
{
	void *moved;

	if (n & (n - 1)) /* the room is the next power of two */
		return array;
	moved = layers_arena_array(b, n ? 2 * n : 1, size);
	if (moved && n)
		memcpy(moved, array, n * size);
	return moved;
}

void *layers_arena_room(struct layers_build *b, void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 16;
	void *moved;

	if (n < *room)
		return array;
	moved = layers_arena_array(b, more, size);
	if (!moved)
		return NULL;
	if (n)
		memcpy(moved, array, n * size);
	*room = more;
	return moved;
}

char *layers_arena_text(struct layers_build *b, const char *fmt, ...)
{
	va_list args, again;
	char *text = NULL;
	int n;

	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	if (n >= 0)
		text = layers_arena_alloc(b, (size_t)n + 1);
	if (text)
		(void)vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(args);
	return text;
}

void layers_arena_free(struct layers_model *m)
{
	while (m->chunks) {
		struct layers_chunk *next = m->chunks->next;

		free(m->chunks);
		m->chunks = next;
	}
}
