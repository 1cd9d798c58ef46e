/* SPDX-License-Identifier: Apache-2.0 */
#include "server/scrubber.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/registry/registry_scrub.h"
#include "server/metrics/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define RETRY_MS UINT64_C(60000)   /* after a failure */
#define LOOK_MS  UINT64_C(3600000) /* the wall clock may be set meanwhile */

struct scrubber {
	struct registry *registry;
	struct damage *damage;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wanted; /* a stop, or a look at the settings */
	bool stop;
	bool changed; /* the settings, since the thread looked at them */
	uint64_t rate, interval_ms;
};

/* ---- waiting ---- */

static struct timespec moment_after(uint64_t ms)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(ms / 1000);
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

/* True when what is under way has to end: for good, or to go on by other settings. */
static bool wait_ms(void *cls, uint64_t ms)
{
	struct scrubber *s = cls;
	struct timespec until = moment_after(ms < LOOK_MS ? ms : LOOK_MS);
	bool end;

	pthread_mutex_lock(&s->lock);
	while (ms > 0 && !s->stop && !s->changed)
		if (pthread_cond_timedwait(&s->wanted, &s->lock, &until) != 0)
			break;
	end = s->stop || s->changed;
	pthread_mutex_unlock(&s->lock);
	return end;
}

/* False when the thread has to end. */
static bool look_at_settings(struct scrubber *s, uint64_t *ret_rate, uint64_t *ret_interval_ms)
{
	bool stop;

	pthread_mutex_lock(&s->lock);
	s->changed = false;
	*ret_rate = s->rate;
	*ret_interval_ms = s->interval_ms;
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return !stop;
}

/* ---- a pass ---- */

static void count(void *cls, uint64_t blobs, uint64_t bytes)
{
	(void)cls;
	metrics_add(METRICS_SCRUB_BLOBS, blobs);
	metrics_add(METRICS_SCRUB_BYTES, bytes);
}

static int tell(void *cls, enum registry_scrub_news news, const char *text, struct err *e)
{
	struct scrubber *s = cls;

	(void)e;
	if (news == REGISTRY_SCRUB_STILL_DAMAGED)
		return 0;
	if (news == REGISTRY_SCRUB_SOUND) {
		log_event(LOG_LEVEL_INFO, "a file of the store is sound again", "file", text, NULL);
		return 0;
	}
	log_event(LOG_LEVEL_ERROR, news == REGISTRY_SCRUB_DROPPED ?
		"a precompressed file of the store is damaged; it is made again" :
		"a file of the store is damaged", "file", text, NULL);
	damage_look(s->damage);
	return 0;
}

static void tell_end(const struct registry_scrub_result *done)
{
	char blobs[24], bytes[NUM_SIZE_TEXT], damaged[24];

	if (!done->whole)
		return;
	(void)snprintf(blobs, sizeof(blobs), "%llu", (unsigned long long)done->blobs);
	(void)snprintf(damaged, sizeof(damaged), "%llu", (unsigned long long)done->damaged);
	log_event(done->damaged > 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "scrubbed", "files", blobs,
		"size", num_format_size(done->bytes, bytes), "damaged", damaged, NULL);
}

/* How long to wait before looking again. */
static uint64_t scrub(struct scrubber *s, uint64_t rate, uint64_t interval_ms)
{
	const struct registry_scrub how = {
		.rate = rate,
		.go_on = true,
		.wait = wait_ms,
		.count = count,
		.tell = tell,
		.cls = s,
	};
	struct registry_scrub_result done;
	uint64_t due_ms;
	struct err e;
	int r = registry_scrub_due(s->registry, interval_ms, &due_ms, &e);

	if (r == 0 && due_ms > 0)
		return due_ms;
	if (r == 0)
		r = registry_scrub(s->registry, &how, &done, &e);
	if (r == 0) {
		tell_end(&done);
		return 0;
	}
	log_err("scrubbing the store failed; it goes on in a minute", &e);
	return RETRY_MS;
}

static void *run(void *cls)
{
	struct scrubber *s = cls;
	uint64_t rate, interval_ms;

	while (look_at_settings(s, &rate, &interval_ms))
		(void)wait_ms(s, rate > 0 ? scrub(s, rate, interval_ms) : LOOK_MS);
	return NULL;
}

/* ---- start and stop ---- */

static void init_waiting(struct scrubber *s)
{
	pthread_condattr_t attr;

	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->wanted, &attr);
	(void)pthread_condattr_destroy(&attr);
}

static void scrubber_free(struct scrubber *s)
{
	(void)pthread_cond_destroy(&s->wanted);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

int scrubber_start(const struct config *c, struct registry *registry, struct damage *damage,
	struct scrubber **ret, struct err *e)
{
	struct scrubber *s;
	int failure;

	*ret = NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(e);
	s->rate = c->store_scrub_rate;
	s->interval_ms = c->store_scrub_interval;
	s->registry = registry;
	s->damage = damage;
	init_waiting(s);
	failure = pthread_create(&s->thread, NULL, run, s);
	if (failure != 0) {
		scrubber_free(s);
		return err_sys(e, failure, "cannot start a thread for scrubbing");
	}
	*ret = s;
	return 0;
}

void scrubber_set(struct scrubber *s, const struct config *c)
{
	pthread_mutex_lock(&s->lock);
	s->changed = s->rate != c->store_scrub_rate ||
		s->interval_ms != c->store_scrub_interval;
	s->rate = c->store_scrub_rate;
	s->interval_ms = c->store_scrub_interval;
	pthread_cond_signal(&s->wanted);
	pthread_mutex_unlock(&s->lock);
}

void scrubber_stop(struct scrubber *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wanted);
	pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
	scrubber_free(s);
}
