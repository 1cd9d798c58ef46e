/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that change while threads read them.
 *
 * A snapshot is a set of values that never changes once it is made; a cell has the one in force.
 * To change a value, a whole new snapshot is made, whatever may fail on the way, and put into the
 * cell, which cannot fail. Readers hold a reference, so what they read stays whole and consistent,
 * and an old snapshot is freed by the last one who lets go of it. There are two ways to read:
 *
 * - A thread that does one thing after the other (a worker, a job) takes a reference for each with
 *   snapshot_get(), and works by those values to the end. That is one lock, held for an addition.
 * - A thread that comes round (an event loop) keeps a reference of its own, and asks
 *   snapshot_renew() once a round, between two requests: one load, and a lock only when there is
 *   something new. What a request needs across rounds it copies, or holds a reference to.
 *
 * So no request takes a lock for being configured, and none sees half of a change. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* The first member of a struct that is one. */
struct snapshot {
	atomic_uint refs;
	void (*free)(struct snapshot *s); /* of the whole struct */
};

/* One reference, the caller's. */
void snapshot_init(struct snapshot *s, void (*free)(struct snapshot *s));
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* accepts NULL; the last one frees, on this thread */

struct snapshot_cell {
	pthread_mutex_t lock; /* of who takes a reference against who replaces */
	struct snapshot *_Atomic now;
};

/* Takes the caller's reference over. */
void snapshot_cell_init(struct snapshot_cell *c, struct snapshot *first);
/* When nobody reads any more. */
void snapshot_cell_done(struct snapshot_cell *c);

/* The one in force, with a reference. Any thread. */
struct snapshot *snapshot_get(struct snapshot_cell *c);
/* Make `*mine`, NULL at first, the one in force; true when that is another one than before. */
bool snapshot_renew(struct snapshot_cell *c, struct snapshot **mine);
/* Takes the caller's reference over; lets go of the one before. Any thread. */
void snapshot_set(struct snapshot_cell *c, struct snapshot *next);
