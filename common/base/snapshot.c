/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/snapshot.h"

#include <stddef.h>

void snapshot_init(struct snapshot *s, void (*free)(struct snapshot *s))
{
	atomic_init(&s->refs, 1);
	s->free = free;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (s && atomic_fetch_sub(&s->refs, 1) == 1)
		s->free(s);
}

void snapshot_cell_init(struct snapshot_cell *c, struct snapshot *first)
{
	(void)pthread_mutex_init(&c->lock, NULL);
	atomic_init(&c->now, first);
}

void snapshot_cell_done(struct snapshot_cell *c)
{
	snapshot_unref(atomic_load(&c->now));
	(void)pthread_mutex_destroy(&c->lock);
}

/* The cell has a reference as long as the lock is held. */
struct snapshot *snapshot_get(struct snapshot_cell *c)
{
	struct snapshot *s;

	(void)pthread_mutex_lock(&c->lock);
	s = snapshot_ref(atomic_load(&c->now));
	(void)pthread_mutex_unlock(&c->lock);
	return s;
}

/* Whoever has a reference to the one that is there cannot take another one for it: its memory is
 * not given to anybody else. */
bool snapshot_renew(struct snapshot_cell *c, struct snapshot **mine)
{
	struct snapshot *old = *mine;

	if (atomic_load_explicit(&c->now, memory_order_relaxed) == old)
		return false;
	*mine = snapshot_get(c);
	snapshot_unref(old);
	return true;
}

void snapshot_set(struct snapshot_cell *c, struct snapshot *next)
{
	struct snapshot *old;

	(void)pthread_mutex_lock(&c->lock);
	old = atomic_exchange(&c->now, next);
	(void)pthread_mutex_unlock(&c->lock);
	snapshot_unref(old);
}
