/* SPDX-License-Identifier: Apache-2.0 */
#include "server/work/workpool.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

struct job {
	work_fn *fn;
	void *cls;
};

struct queue {
	struct job *ring;
	size_t first, queued;
};

/* Holds whenever the lock is free: the `queued` jobs of a queue are ring[first], ring[first + 1]
 * ... modulo `ring_n`, oldest first; at most `writers_max` threads are inside a job that writes;
 * once `stopping` is set no job is added. */
struct workpool {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a job was queued, or `stopping` was set */
	struct queue queues[WORK_KINDS_N];
	size_t ring_n;
	enum work_kind turn; /* which is looked at first */
	unsigned writers, writers_max;
	uint64_t begun; /* pieces of work */
	bool stopping;
	pthread_t *threads;
	unsigned threads_n; /* started */
};

static bool may_run(const struct workpool *p, enum work_kind kind)
{
	return p->queues[kind].queued > 0 && (kind == WORK_READ || p->writers < p->writers_max);
}

static bool choose(struct workpool *p, enum work_kind *ret)
{
	enum work_kind other = p->turn == WORK_READ ? WORK_WRITE : WORK_READ;

	*ret = may_run(p, p->turn) ? p->turn : other;
	return may_run(p, *ret);
}

static struct job take(struct workpool *p, enum work_kind kind)
{
	struct queue *q = &p->queues[kind];
	struct job job = q->ring[q->first];

	q->first = (q->first + 1) % p->ring_n;
	q->queued--;
	p->writers += kind == WORK_WRITE;
	p->begun++;
	p->turn = kind == WORK_READ ? WORK_WRITE : WORK_READ;
	return job;
}

/* Who ends a job that writes looks for the next one itself, so nobody else is told of the room. */
static void *work(void *cls)
{
	struct workpool *p = cls;
	enum work_kind kind;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		if (choose(p, &kind)) {
			struct job job = take(p, kind);
			pthread_mutex_unlock(&p->lock);
			job.fn(job.cls);
			pthread_mutex_lock(&p->lock);
			p->writers -= kind == WORK_WRITE;
		} else if (p->stopping) {
			break;
		} else {
			pthread_cond_wait(&p->changed, &p->lock);
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static struct workpool *make(unsigned threads, unsigned reserve, size_t queue_max)
{
	struct workpool *p = calloc(1, sizeof(*p));
	bool whole;

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->ring_n = queue_max;
	p->writers_max = threads;
	p->threads = calloc((size_t)threads + reserve, sizeof(*p->threads));
	whole = p->threads;
	for (size_t i = 0; i < WORK_KINDS_N; i++) {
		p->queues[i].ring = calloc(queue_max, sizeof(*p->queues[i].ring));
		whole = whole && p->queues[i].ring;
	}
	if (!whole) {
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

int workpool_start(unsigned threads, unsigned reserve, size_t queue_max, struct workpool **ret,
	struct err *e)
{
	struct workpool *p;
	int r;

	assert(threads > 0 && queue_max > 0);
	p = make(threads, reserve, queue_max);
	if (!p)
		return err_nomem(e);
	r = start_threads(p, threads + reserve, e);
	if (r < 0) {
		workpool_stop(p);
		return r;
	}
	*ret = p;
	return 0;
}

static int check(const struct workpool *p, enum work_kind kind, struct err *e)
{
	if (p->stopping)
		return err_set(e, ERR_SHUTTING_DOWN, "the server is shutting down");
	if (p->queues[kind].queued == p->ring_n)
		return err_set(e, ERR_BUSY, "%zu pieces of work are waiting already; try again",
			p->ring_n);
	return 0;
}

static void enqueue(struct workpool *p, enum work_kind kind, struct job job)
{
	struct queue *q = &p->queues[kind];

	q->ring[(q->first + q->queued) % p->ring_n] = job;
	q->queued++;
	pthread_cond_signal(&p->changed);
}

int workpool_submit(struct workpool *p, enum work_kind kind, work_fn *fn, void *cls, struct err *e)
{
	int r;

	pthread_mutex_lock(&p->lock);
	r = check(p, kind, e);
	if (r == 0)
		enqueue(p, kind, (struct job){fn, cls});
	pthread_mutex_unlock(&p->lock);
	return r;
}

int workpool_check(struct workpool *p, enum work_kind kind, struct err *e)
{
	int r;

	pthread_mutex_lock(&p->lock);
	r = check(p, kind, e);
	pthread_mutex_unlock(&p->lock);
	return r;
}

uint64_t workpool_begun(struct workpool *p)
{
	uint64_t n;

	pthread_mutex_lock(&p->lock);
	n = p->begun;
	pthread_mutex_unlock(&p->lock);
	return n;
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
	for (size_t i = 0; i < WORK_KINDS_N; i++)
		free(p->queues[i].ring);
	free(p);
}
