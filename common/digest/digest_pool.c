/* SPDX-License-Identifier: Apache-2.0 */
#include "common/digest/digest_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#define THREADS_MAX 8u /* a disk that takes more than so many hash is not known here */

struct digest_pool {
	pthread_mutex_t lock; /* of all below, and of the states of pieces */
	pthread_cond_t given;
	pthread_cond_t done;
	struct digest_pool_piece *first, **end; /* of the queue */
	unsigned wanted; /* threads; constant */
	unsigned started;
	bool stopping;
	pthread_t threads[THREADS_MAX];
};

static unsigned spare_processors(void)
{
	cpu_set_t mine;
	int n = sched_getaffinity(0, sizeof(mine), &mine) == 0 ? CPU_COUNT(&mine) : 1;
	unsigned spare = n > 1 ? (unsigned)n - 1 : 0;

	return spare < THREADS_MAX ? spare : THREADS_MAX;
}

int digest_pool_new(struct digest_pool **ret, struct err *e)
{
	struct digest_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return err_nomem(e);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->given, NULL);
	pthread_cond_init(&p->done, NULL);
	p->end = &p->first;
	p->wanted = spare_processors();
	*ret = p;
	return 0;
}

void digest_pool_free(struct digest_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->given);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->started; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->given);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

bool digest_pool_helps(const struct digest_pool *p)
{
	return p->wanted > 0;
}

static void hash(struct digest_pool_piece *piece)
{
	piece->result = digest_ctx_update(piece->ctx, piece->bytes, piece->n, &piece->failure);
}

/* NULL when it is time to end. Under the lock. */
static struct digest_pool_piece *take(struct digest_pool *p)
{
	struct digest_pool_piece *piece;

	while (!p->first && !p->stopping)
		pthread_cond_wait(&p->given, &p->lock);
	piece = p->first;
	if (!piece)
		return NULL;
	p->first = piece->next;
	if (!p->first)
		p->end = &p->first;
	piece->state = DIGEST_POOL_TAKEN;
	return piece;
}

static void *work(void *cls)
{
	struct digest_pool *p = cls;
	struct digest_pool_piece *piece;

	pthread_mutex_lock(&p->lock);
	while ((piece = take(p))) {
		pthread_mutex_unlock(&p->lock);
		hash(piece);
		pthread_mutex_lock(&p->lock);
		piece->state = DIGEST_POOL_DONE;
		pthread_mutex_unlock(&p->lock);
		pthread_cond_broadcast(&p->done);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Without threads whoever waits does the work. Under the lock. */
static void start_threads(struct digest_pool *p)
{
	sigset_t all, before;

	if (p->started > 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	while (p->started < p->wanted &&
		pthread_create(&p->threads[p->started], NULL, work, p) == 0)
		p->started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void digest_pool_give(struct digest_pool *p, struct digest_pool_piece *piece)
{
	piece->given = true;
	pthread_mutex_lock(&p->lock);
	start_threads(p);
	piece->state = DIGEST_POOL_QUEUED;
	piece->next = NULL;
	*p->end = piece;
	p->end = &piece->next;
	pthread_mutex_unlock(&p->lock);
	pthread_cond_signal(&p->given); /* whoever wakes finds the lock free */
}

/* Under the lock. */
static void take_back(struct digest_pool *p, struct digest_pool_piece *piece)
{
	struct digest_pool_piece **at = &p->first;

	while (*at != piece)
		at = &(*at)->next;
	*at = piece->next;
	if (!*at)
		p->end = at;
}

int digest_pool_wait(struct digest_pool *p, struct digest_pool_piece *piece, struct err *e)
{
	bool mine;

	if (!piece->given)
		return 0;
	piece->given = false;
	pthread_mutex_lock(&p->lock);
	mine = piece->state == DIGEST_POOL_QUEUED;
	if (mine)
		take_back(p, piece);
	while (!mine && piece->state != DIGEST_POOL_DONE)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
	if (mine)
		hash(piece);
	if (piece->result < 0)
		*e = piece->failure;
	return piece->result;
}
