/* SPDX-License-Identifier: Apache-2.0 */
#include "client/crew.h"
#include "common/base/clock.h"
#include "common/base/num.h"

#include <pthread.h>
#include <time.h>

#define WAIT_MS     500u
#define WAIT_MAX_MS 15000u
#define RETRY_MAX_S 60u /* that Retry-After may ask for */
#define LOOK_MS     50u /* how often a wait looks whether it is cancelled */

struct gang {
	const struct crew *crew;
	struct run run; /* with a `cancel` that a fault sets too */
	atomic_bool stop;
	atomic_size_t next;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned running;
	bool failed;
	struct fault fault; /* the first one */
};

static void keep_fault(struct gang *g, struct fault *f)
{
	(void)pthread_mutex_lock(&g->lock);
	if (g->failed) {
		fault_done(f);
	} else {
		g->fault = *f;
		g->failed = true;
	}
	(void)pthread_mutex_unlock(&g->lock);
	atomic_store(&g->stop, true);
}

static int work(struct gang *g, struct fault *f)
{
	CLEANUP(api_close_p) struct api *a = NULL;
	int r = api_open(&g->run, &a, f);

	while (r == 0 && !atomic_load(&g->stop)) {
		size_t item = atomic_fetch_add(&g->next, 1);
		if (item >= g->crew->items)
			break;
		r = g->crew->work(g->crew->cls, a, item, f);
	}
	return r;
}

static void *thread_main(void *cls)
{
	struct gang *g = cls;
	struct fault f = {.exit = FAULT_NONE};

	if (work(g, &f) < 0)
		keep_fault(g, &f);
	(void)pthread_mutex_lock(&g->lock);
	g->running--;
	(void)pthread_cond_signal(&g->ended);
	(void)pthread_mutex_unlock(&g->lock);
	return NULL;
}

static void wait_a_frame(struct gang *g)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)PROGRESS_FRAME_MS * 1000000 / 2;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	(void)pthread_cond_timedwait(&g->ended, &g->lock, &until);
}

static void wait_for_all(struct gang *g)
{
	(void)pthread_mutex_lock(&g->lock);
	while (g->running > 0) {
		wait_a_frame(g);
		if (atomic_load(g->crew->run->cancel))
			atomic_store(&g->stop, true);
		if (g->crew->progress)
			progress_tick(g->crew->progress);
	}
	(void)pthread_mutex_unlock(&g->lock);
}

/* Fewer threads than wanted do as well, but there has to be one. */
static unsigned start(struct gang *g, pthread_t *threads, unsigned wanted)
{
	unsigned n = 0;

	(void)pthread_mutex_lock(&g->lock);
	while (n < wanted && pthread_create(&threads[n], NULL, thread_main, g) == 0)
		n++;
	g->running = n;
	(void)pthread_mutex_unlock(&g->lock);
	return n;
}

static void gang_init(struct gang *g)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&g->lock, NULL);
	(void)pthread_cond_init(&g->ended, &attr);
	(void)pthread_condattr_destroy(&attr);
}

int crew_work(struct crew *c, struct fault *f)
{
	struct gang g = {.crew = c, .run = *c->run};
	pthread_t threads[CREW_MAX];
	unsigned wanted = c->items < c->threads ? (unsigned)c->items : c->threads, started;

	gang_init(&g);
	g.run.cancel = &g.stop;
	started = start(&g, threads, wanted);
	wait_for_all(&g);
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_cond_destroy(&g.ended);
	(void)pthread_mutex_destroy(&g.lock);
	if (started == 0 && wanted > 0)
		return err_nomem(&f->e);
	if (!g.failed && atomic_load(c->run->cancel))
		return err_set(&f->e, ERR_CANCELLED, "interrupted");
	if (!g.failed)
		return 0;
	*f = g.fault;
	return -(int)f->e.code;
}

int crew_threads(const struct run *run, unsigned *ret, struct fault *f)
{
	const char *text = args_value(run->args, USAGE_PARALLEL);
	uint64_t n = CREW_DEFAULT;

	if (text && (!num_parse(text, strlen(text), CREW_MAX, &n) || n == 0))
		return fault_usage(f, "--parallel is a number from 1 to %d, not \"%s\"", CREW_MAX,
			text);
	*ret = (unsigned)n;
	return 0;
}

/* ---- trying again ---- */

bool crew_may_retry(const struct api_answer *a)
{
	switch (a->http.status) {
	case 408:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		return true;
	default:
		return a->http.may_retry;
	}
}

static uint64_t pause_of(const struct api_answer *answer, unsigned n)
{
	uint64_t ms = WAIT_MS << (n - 1), seconds;
	struct str text;

	if (ms > WAIT_MAX_MS)
		ms = WAIT_MAX_MS;
	if (http_answer_header(&answer->http, "Retry-After", &text) &&
		num_parse(text.p, text.n, RETRY_MAX_S, &seconds) && seconds * 1000 > ms)
		ms = seconds * 1000;
	return ms;
}

bool crew_wait(const struct api *a, const struct api_answer *answer, unsigned n)
{
	const struct timespec look = {.tv_nsec = (long)LOOK_MS * 1000000};
	uint64_t end = clock_mono_ms() + pause_of(answer, n);

	if (n > CREW_ATTEMPTS)
		return false;
	while (clock_mono_ms() < end) {
		if (api_cancelled(a))
			return false;
		(void)nanosleep(&look, NULL);
	}
	return !api_cancelled(a);
}
