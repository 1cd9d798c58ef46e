/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections there are, and to whom. A transfer is a connection, with HTTP/2 too. Each
 * has a multi handle of its own, since no two threads may be in the same, and that keeps one
 * connection when its transfer has ended: never are more open than there may be. */
#include "common/net/fetch_internal.h"

#include "common/base/clock.h"

#include <time.h>

int fetch_lane_init_all(struct fetcher *f, struct err *e)
{
	f->waiting_end = &f->waiting;
	f->all_lanes = calloc(f->max_connections, sizeof(*f->all_lanes));
	if (!f->all_lanes)
		return err_nomem(e);
	for (unsigned i = f->max_connections; i > 0; i--) {
		f->all_lanes[i - 1].next = f->lanes;
		f->lanes = &f->all_lanes[i - 1];
	}
	return 0;
}

void fetch_lane_done_all(struct fetcher *f)
{
	for (struct fetch_lane *lane = f->lanes; lane; lane = lane->next) {
		if (lane->multi)
			(void)curl_multi_cleanup(lane->multi);
	}
	free(f->all_lanes);
}

static bool leads_to(const struct fetch_lane *lane, const struct url *u)
{
	return lane->port == u->port && strcmp(lane->host, u->host) == 0;
}

static void aim(struct fetch_lane *lane, const struct url *u)
{
	lane->strange = lane->multi != NULL;
	memcpy(lane->scheme, u->scheme, sizeof(lane->scheme));
	memcpy(lane->host, u->host, sizeof(lane->host));
	lane->port = u->port;
}

/* Of those that are idle the one that was kept for this host, or the one that has been so for
 * longest. NULL while there are enough, to this host or in all. */
static struct fetch_lane *find(const struct fetcher *f, const struct url *u)
{
	struct fetch_lane *kept = NULL, *oldest = NULL;
	unsigned to_host = 0;

	for (struct fetch_lane *lane = f->lanes; lane; lane = lane->next) {
		bool same = leads_to(lane, u);
		to_host += lane->busy && same;
		if (lane->busy)
			continue;
		oldest = lane;
		if (!kept && same && strcmp(lane->scheme, u->scheme) == 0)
			kept = lane;
	}
	if (!oldest || to_host >= f->max_per_host)
		return NULL;
	if (kept)
		return kept;
	aim(oldest, u);
	return oldest;
}

static void stop_waiting(struct fetcher *f, struct fetch **at)
{
	struct fetch *x = *at;

	*at = x->next;
	if (!x->next)
		f->waiting_end = at;
	x->waiting = false;
}

/* In their order, but for those whose host is busy. Under the lock. */
static void admit(struct fetcher *f)
{
	struct fetch **at = &f->waiting, *x;

	while ((x = *at)) {
		x->lane = find(f, &x->hop);
		if (!x->lane) {
			at = &x->next;
			continue;
		}
		x->lane->busy = true;
		stop_waiting(f, at);
		pthread_cond_signal(&x->changed);
	}
}

/* Under the lock. Nothing rings when `cancel` becomes true, but fetch_wake(). */
static void wait_a_while(struct fetch *x)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)FETCH_LOOK_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_cond_timedwait(&x->changed, &x->f->lock, &until);
}

/* Under the lock. */
static int wait_for_one(struct fetch *x, struct err *e)
{
	struct fetcher *f = x->f;
	int r = 0;

	x->waiting = true;
	x->next = NULL;
	*f->waiting_end = x;
	f->waiting_end = &x->next;
	admit(f);
	while (!x->lane && (r = fetch_run_judge(x, clock_mono_ms(), e)) == 0)
		wait_a_while(x);
	for (struct fetch **at = &f->waiting; x->waiting;) {
		if (*at == x)
			stop_waiting(f, at);
		else
			at = &(*at)->next;
	}
	return x->lane ? 0 : r;
}

/* Under the lock, as fetch_wake() looks for it. *ret_old is to be cleaned up without it. */
static int have_multi(struct fetch_lane *lane, CURLM **ret_old, struct err *e)
{
	if (lane->strange) {
		*ret_old = take_ptr(lane->multi);
		lane->strange = false;
	}
	if (!lane->multi)
		lane->multi = curl_multi_init();
	if (!lane->multi)
		return err_nomem(e);
	if (curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK ||
		curl_multi_setopt(lane->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) != CURLM_OK)
		return err_set(e, ERR_INTERNAL, "libcurl cannot be set up");
	return 0;
}

int fetch_lane_enter(struct fetch *x, struct err *e)
{
	CURLM *old = NULL;
	int r;

	pthread_mutex_lock(&x->f->lock);
	r = wait_for_one(x, e);
	if (r == 0)
		r = have_multi(x->lane, &old, e);
	pthread_mutex_unlock(&x->f->lock);
	if (old)
		(void)curl_multi_cleanup(old);
	if (r < 0)
		fetch_lane_leave(x);
	return r;
}

void fetch_lane_leave(struct fetch *x)
{
	struct fetcher *f = x->f;
	struct fetch_lane **at = &f->lanes, *lane;

	pthread_mutex_lock(&f->lock);
	lane = take_ptr(x->lane);
	if (lane) {
		while (*at != lane)
			at = &(*at)->next;
		*at = lane->next;
		lane->next = f->lanes;
		f->lanes = lane;
		lane->busy = false;
		admit(f);
	}
	pthread_mutex_unlock(&f->lock);
}
