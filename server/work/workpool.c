/* SPDX-License-Identifier: Apache-2.0 */
#include "server/work/workpool.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

struct job {
	work_fn *fn;
	void *cls;
};

/* Holds whenever the lock is free: the `queued` jobs are ring[first], ring[first + 1] ... modulo
 * `ring_n`, oldest first; once `stopping` is set no job is added. */
struct workpool {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a job was queued, or `stopping` was set */
	struct job *ring;
	size_t ring_n, first, queued;
	bool stopping;
	pthread_t *threads;
	unsigned threads_n; /* started */
};

static bool next_job(struct workpool *p, struct job *ret)
{
	bool found;

	pthread_mutex_lock(&p->lock);
	while (p->queued == 0 && !p->stopping)
		pthread_cond_wait(&p->changed, &p->lock);
	found = p->queued > 0;
	if (found) {
		*ret = p->ring[p->first];
		p->first = (p->first + 1) % p->ring_n;
		p->queued--;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

static void *work(void *cls)
{
	struct job job;

	while (next_job(cls, &job))
		job.fn(job.cls);
	return NULL;
}

static struct workpool *make(unsigned threads, size_t queue_max)
{
	struct workpool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ring = calloc(queue_max, sizeof(*p->ring));
	p->threads = calloc(threads, sizeof(*p->threads));
	p->ring_n = queue_max;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	if (!p->ring || !p->threads) {
		workpool_stop(p);
		return NULL;
	}
	return p;
}

/* Signals are for the main thread; a worker must not have its system calls interrupted. */
static int start_threads(struct workpool *p, unsigned threads, struct err *e)
{
	sigset_t all, before;
	int failed = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->threads_n < threads && failed == 0) {
		failed = pthread_create(&p->threads[p->threads_n], NULL, work, p);
		p->threads_n += failed == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed == 0 ? 0 : err_sys(e, failed, "cannot start %u worker threads", threads);
}

int workpool_start(unsigned threads, size_t queue_max, struct workpool **ret, struct err *e)
{
	struct workpool *p;
	int r;

	assert(threads > 0 && queue_max > 0);
	p = make(threads, queue_max);
	if (!p)
		return err_nomem(e);
	r = start_threads(p, threads, e);
	if (r < 0) {
		workpool_stop(p);
		return r;
	}
	*ret = p;
	return 0;
}

static int enqueue(struct workpool *p, struct job job, struct err *e)
{
	if (p->stopping)
		return err_set(e, ERR_SHUTTING_DOWN, "the server is shutting down");
	if (p->queued == p->ring_n)
		return err_set(e, ERR_BUSY, "%zu pieces of work are waiting already; try again",
			p->queued);
	p->ring[(p->first + p->queued) % p->ring_n] = job;
	p->queued++;
	pthread_cond_signal(&p->changed);
	return 0;
}

int workpool_submit(struct workpool *p, work_fn *fn, void *cls, struct err *e)
{
	int r;

	pthread_mutex_lock(&p->lock);
	r = enqueue(p, (struct job){fn, cls}, e);
	pthread_mutex_unlock(&p->lock);
	return r;
}

void workpool_stop(struct workpool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads_n; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p->ring);
	free(p);
}
