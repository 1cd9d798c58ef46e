/* SPDX-License-Identifier: Apache-2.0 */
#include "server/encoder.h"
#include "common/base/bell.h"
#include "common/base/log.h"
#include "common/registry/registry_tensors.h"
#include "server/api/api_cache.h"
#include "server/metrics/metrics.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#define RETRY_MS UINT64_C(60000)  /* after a failure */
#define LOWEST   19               /* of nice(2) */
#define LOOK_MS  UINT64_C(600000) /* the wall clock may be set meanwhile, and others queue too */

struct encoder {
	struct registry *registry;
	struct api_cache *cache;
	struct damage *damage;
	struct registry_encode how;
	_Atomic uint64_t rate; /* that is wanted; `how` has the one of the last file */
	struct bell changed;   /* rings when that was set, and at the stop */
	atomic_bool stop;
	enum err_code failing; /* what the log has a line of; ERR_NONE while it works */
	const char *failed;    /* the line */
	bool grown;            /* memory was taken that is not given back yet */
	pthread_t thread;
};

static void made(void *cls, const char *model)
{
	struct encoder *x = cls;

	if (model)
		api_cache_forget(x->cache, model);
	else
		api_cache_clear(x->cache);
}

static void count(struct encoder *x, const struct registry_encoded *done)
{
	metrics_add(METRICS_PRECOMPRESSED_FILES, done->forms);
	metrics_add(METRICS_PRECOMPRESSED_SAVED, done->saved);
	if (!done->damaged)
		return;
	log_event(LOG_LEVEL_ERROR, "a file of the store is damaged; `modeld scrub` names it", NULL);
	damage_look(x->damage);
}

/* A disk that stays full is one line, not one a minute. */
static void tell_failure(struct encoder *x, const struct err *e)
{
	if (e->code != x->failing)
		log_err(x->failed, e);
	x->failing = e->code;
}

/* ---- coding, on a thread that comes last ---- */

struct call {
	registry_encode_fn *fn;
	void *arg;
	struct err *e;
	int r;
};

/* Of the thread alone, in Linux. Where the system refuses, it runs as any other. Not SCHED_IDLE:
 * where others take all of the processor, the daemon's stop would wait for it for too long. */
static void *run_last(void *cls)
{
	struct call *c = cls;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST);
	c->r = c->fn(c->arg, c->e);
	return NULL;
}

/* A thread that gave up its priority does not get it back, and must not commit to the catalog:
 * publishes would wait for one that nobody lets run. Hence one for each file. */
static int apart(void *cls, registry_encode_fn *fn, void *arg, struct err *e)
{
	struct call c = {.fn = fn, .arg = arg, .e = e};
	pthread_t thread;
	int failure = pthread_create(&thread, NULL, run_last, &c);

	(void)cls;
	if (failure != 0)
		return err_sys(e, failure, "cannot start a thread for precompressing");
	(void)pthread_join(thread, NULL);
	return c.r;
}

/* ---- one file after the other ---- */

/* Files wait to be sent smaller; digests of weights only for those who ask. */
static int next(struct encoder *x, struct registry_encoded *ret, struct err *e)
{
	int r = registry_encode_next(x->registry, &x->how, ret, e);
	uint64_t wait_ms = ret->wait_ms;

	x->failed = "precompressing a file failed; it is tried again";
	if (r < 0 || ret->any)
		return r;
	x->failed = "computing the digests of weights failed; it is tried again";
	r = registry_tensors_next(x->registry, &x->how, ret, e);
	if (wait_ms < ret->wait_ms)
		ret->wait_ms = wait_ms;
	return r;
}

/* How long to wait before the next. */
static uint64_t encode(struct encoder *x)
{
	struct registry_encoded done;
	struct err e;
	int r = next(x, &done, &e);

	if (r == -(int)ERR_SHUTTING_DOWN)
		return 0;
	count(x, &done);
	if (r < 0) {
		tell_failure(x, &e);
		return RETRY_MS;
	}
	x->failing = ERR_NONE;
	x->grown |= done.forms > 0;
	if (done.any)
		return 0;
	if (x->grown)
		(void)malloc_trim(0); /* what coding took is not kept for the next time */
	x->grown = false;
	return done.wait_ms < LOOK_MS ? done.wait_ms : LOOK_MS;
}

static void *run(void *cls)
{
	struct encoder *x = cls;

	while (!atomic_load(&x->stop)) {
		uint64_t seen = bell_rung(&x->changed); /* before the look that it is to outlast */

		x->how.pace.rate = atomic_load(&x->rate);
		if (x->how.pace.rate == 0) {
			(void)bell_wait(&x->changed, seen, LOOK_MS);
			continue;
		}
		uint64_t ms = encode(x);
		if (ms > 0)
			registry_encode_wait(x->registry, &x->how, ms);
	}
	return NULL;
}

int encoder_start(const struct config *c, struct registry *registry, struct api_cache *cache,
	struct damage *damage, struct encoder **ret, struct err *e)
{
	struct encoder *x;
	int failure;

	*ret = NULL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return err_nomem(e);
	x->registry = registry;
	x->cache = cache;
	x->damage = damage;
	bell_init(&x->changed);
	atomic_init(&x->stop, false);
	atomic_init(&x->rate, c->store_precompress_rate);
	x->how = (struct registry_encode){
		.stop = &x->stop,
		.made = made,
		.apart = apart,
		.cls = x,
	};
	failure = pthread_create(&x->thread, NULL, run, x);
	if (failure != 0) {
		bell_done(&x->changed);
		free(x);
		return err_sys(e, failure, "cannot start a thread for precompressing");
	}
	*ret = x;
	return 0;
}

void encoder_set(struct encoder *x, const struct config *c)
{
	atomic_store(&x->rate, c->store_precompress_rate);
	bell_ring(&x->changed);
}

void encoder_stop(struct encoder *x)
{
	if (!x)
		return;
	atomic_store(&x->stop, true);
	bell_ring(&x->changed);
	registry_encode_wake(x->registry);
	(void)pthread_join(x->thread, NULL);
	bell_done(&x->changed);
	free(x);
}
