/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded queue between the loop and a taker. A wake-up cannot be lost: the loop says that it
 * waits under the lock under which it saw that there is no room, and the taker looks for that under
 * the lock under which it makes room. */
#include "common/net/fetch_internal.h"

/* The loop sleeps until there is room for some pieces, not for one, or it would wake for each. */
#define RESUME_AT (FETCH_PIECES / 2)

static unsigned filling(const struct fetch_queue *q)
{
	return (q->first + q->ready) % FETCH_SLOTS;
}

/* Slots that the loop may fill, the one that it fills among them. Under the lock. */
static unsigned free_slots(const struct fetch_queue *q)
{
	return FETCH_SLOTS - q->ready - (q->taken ? 1 : 0);
}

/* Under the lock. */
static void publish(struct fetch *x)
{
	struct fetch_queue *q = &x->queue;

	q->n[filling(q)] = q->filled;
	q->ready++;
	q->filled = 0;
	pthread_cond_signal(&x->changed);
}

/* One that was published is the taker's: only the loop moves on to the next. */
static bool begin_slot(struct fetch *x)
{
	struct fetch_queue *q = &x->queue;
	char **slot;

	pthread_mutex_lock(&x->f->lock);
	slot = &q->slots[filling(q)];
	pthread_mutex_unlock(&x->f->lock);
	if (!*slot)
		*slot = malloc(FETCH_PIECE);
	if (!*slot)
		(void)err_nomem(&x->fault);
	q->slot = *slot;
	return q->slot != NULL;
}

static bool has_room(struct fetch *x, size_t n)
{
	struct fetch_queue *q = &x->queue;
	bool room;

	pthread_mutex_lock(&x->f->lock);
	room = n <= (size_t)free_slots(q) * FETCH_PIECE - q->filled;
	if (!room && q->filled > 0)
		publish(x);
	q->paused = !room;
	pthread_mutex_unlock(&x->f->lock);
	return room;
}

bool fetch_queue_add(struct fetch *x, const char *bytes, size_t n)
{
	struct fetch_queue *q = &x->queue;

	/* What goes into a slot that was begun needs no look at the others. */
	if ((q->filled == 0 || n > FETCH_PIECE - q->filled) && !has_room(x, n))
		return false;
	while (n > 0) {
		size_t part = FETCH_PIECE - q->filled;
		if (q->filled == 0 && !begin_slot(x))
			return true;
		if (part > n)
			part = n;
		memcpy(q->slot + q->filled, bytes, part);
		q->filled += part;
		bytes += part;
		n -= part;
		if (q->filled == FETCH_PIECE) {
			pthread_mutex_lock(&x->f->lock);
			publish(x);
			pthread_mutex_unlock(&x->f->lock);
		}
	}
	return true;
}

void fetch_queue_flush(struct fetch *x, bool end)
{
	if (x->queue.filled == 0)
		return;
	pthread_mutex_lock(&x->f->lock);
	if (end || (x->queue.hungry && x->queue.ready == 0))
		publish(x);
	pthread_mutex_unlock(&x->f->lock);
}

bool fetch_queue_paused(struct fetch *x)
{
	bool paused;

	pthread_mutex_lock(&x->f->lock);
	paused = x->queue.paused;
	pthread_mutex_unlock(&x->f->lock);
	return paused;
}

const char *fetch_queue_take(struct fetch *x, size_t *ret_n)
{
	struct fetch_queue *q = &x->queue;
	unsigned slot = q->first;

	q->taken = false;
	q->hungry = q->ready == 0;
	if (q->ready > 0) {
		q->first = (slot + 1) % FETCH_SLOTS;
		q->ready--;
		q->taken = true;
	}
	if (q->paused && q->ready <= RESUME_AT)
		fetch_loop_give(x);
	*ret_n = q->n[slot];
	return q->taken ? q->slots[slot] : NULL;
}

void fetch_queue_done(struct fetch_queue *q)
{
	for (size_t i = 0; i < FETCH_SLOTS; i++)
		free(q->slots[i]);
}
