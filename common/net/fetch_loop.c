/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of the sockets. It alone calls curl_multi_*, but for curl_multi_wakeup(), which makes
 * the curl_multi_poll() that runs or the next one return: whoever puts a fetch into `todo` before
 * it wakes the loop is seen.
 *
 * How many connections there are is decided here, before a transfer is given to libcurl: it looks
 * but at the first of those that its own limits hold back (process_pending_handles() in
 * lib/multi.c), which may be one for a host that is still busy. A transfer is a connection,
 * with HTTP/2 too. Those that are kept are closed, the oldest first, when there are more than
 * CURLMOPT_MAXCONNECTS.
 *
 * Rates are judged here too: CURLOPT_LOW_SPEED_TIME knows whole seconds and the mean of the last
 * five. Like it, this takes no notice of the time in which a transfer is paused.
 */
#include "common/net/fetch_internal.h"

#include "common/base/clock.h"
#include "common/base/num.h"

#include <poll.h>

#define SLEEP_MS 60000u
#define RETRY_MS 20u

struct loop {
	struct fetcher *f;
	struct fetch *waiting, **waiting_end; /* for a connection, in their order */
	struct fetch *active;                 /* that libcurl has */
	unsigned active_n;
};

void fetch_loop_give(struct fetch *x)
{
	struct fetcher *f = x->f;

	if (x->gone)
		return;
	if (!x->todo_at) {
		x->todo_next = NULL;
		x->todo_at = f->todo_end;
		*f->todo_end = x;
		f->todo_end = &x->todo_next;
	}
	(void)curl_multi_wakeup(f->multi);
}

/* Under the lock. */
static void take_from_todo(struct fetch *x)
{
	if (!x->todo_at)
		return;
	*x->todo_at = x->todo_next;
	if (x->todo_next)
		x->todo_next->todo_at = x->todo_at;
	else
		x->f->todo_end = x->todo_at;
	x->todo_at = NULL;
}

/* ---- lists ---- */

static void wait_for_connection(struct loop *l, struct fetch *x)
{
	x->next = NULL;
	*l->waiting_end = x;
	l->waiting_end = &x->next;
}

static void stop_waiting(struct loop *l, struct fetch **at)
{
	struct fetch *x = *at;

	*at = x->next;
	if (!x->next)
		l->waiting_end = at;
}

static void stop_running(struct loop *l, struct fetch *x)
{
	struct fetch **at = &l->active;

	(void)curl_multi_remove_handle(l->f->multi, x->easy);
	x->running = false;
	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	l->active_n--;
}

static void leave(struct loop *l, struct fetch *x)
{
	struct fetch **at = &l->waiting;

	if (x->running) {
		stop_running(l, x);
		return;
	}
	while (*at && *at != x)
		at = &(*at)->next;
	if (*at)
		stop_waiting(l, at);
}

/* ---- ends ---- */

/* `x` is in no list any more. After this it is the taker's. */
static void let_go(struct fetch *x, enum fetch_phase phase, const struct err *e)
{
	struct fetcher *f = x->f;

	pthread_mutex_lock(&f->lock);
	take_from_todo(x);
	x->phase = phase;
	if (e)
		x->failure = *e;
	x->may_retry = x->fault_retry;
	x->begin_anew = x->fault_anew;
	x->retry_after_ms = x->fault_after_ms;
	x->gone = true;
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&f->lock);
}

static void fail(struct loop *l, struct fetch *x, const struct err *e, bool retry)
{
	leave(l, x);
	x->fault_retry = retry;
	fetch_queue_flush(x, true);
	let_go(x, FETCH_FAILED, e);
}

/* How a transfer ended: 0 when it is whole. */
static int judge_end(struct fetch *x, CURLcode code, struct err *e)
{
	if (x->fault.code != ERR_NONE) {
		*e = x->fault;
		return -(int)e->code;
	}
	if (code != CURLE_OK && x->refusal.code != ERR_NONE && !x->connecting) {
		*e = x->refusal;
		fetch_say_where(x, e);
		return -(int)e->code;
	}
	if (code != CURLE_OK) {
		fetch_say_curl(x, code, e, &x->fault_retry);
		return -(int)e->code;
	}
	if (!x->answer.whole)
		fetch_say_curl(x, CURLE_GOT_NOTHING, e, &x->fault_retry);
	else if (x->expected != UINT64_MAX && x->got < x->expected)
		fetch_say_curl(x, CURLE_PARTIAL_FILE, e, &x->fault_retry);
	else if (x->coding == FETCH_PLAIN && x->head.size != UINT64_MAX && x->head.status != 304 &&
		x->head.offset + x->got < x->head.size)
		fetch_say_curl(x, CURLE_PARTIAL_FILE, e, &x->fault_retry);
	else
		return 0;
	return -(int)e->code;
}

static void begin_hop(struct fetch *x)
{
	memset(&x->answer, 0, sizeof(x->answer));
	x->discard = false;
	x->follow = false;
	x->discarded = 0;
	x->refusal.code = ERR_NONE;
	x->connecting = false;
	x->socket_errno = 0;
	x->window_ms = 0;
	x->window_wire = x->wire;
}

/* A redirect is followed whatever became of the body that came with it. */
static void end(struct loop *l, struct fetch *x, CURLcode code)
{
	struct err e;

	if (x->follow) {
		stop_running(l, x);
		begin_hop(x);
		if (fetch_easy_aim(x, &e) < 0)
			fail(l, x, &e, true);
		else
			wait_for_connection(l, x);
		return;
	}
	if (judge_end(x, code, &e) < 0) {
		fail(l, x, &e, x->fault_retry);
		return;
	}
	leave(l, x);
	fetch_queue_flush(x, true);
	let_go(x, FETCH_ENDED, NULL);
}

/* ---- the steps of a round ---- */

/* Bytes that were held back come in the call, and may be held back again. */
static void resume(struct loop *l, struct fetch *x)
{
	CURLcode code = curl_easy_pause(x->easy, CURLPAUSE_CONT);

	if (code != CURLE_OK)
		end(l, x, code);
}

static void set_deadline(struct fetch *x)
{
	if (!num_add(clock_mono_ms(), x->timeout_ms, &x->deadline_ms))
		x->deadline_ms = UINT64_MAX;
}

/* What takers want. *ret_stop: and there is nothing left to do. */
static void do_todo(struct loop *l, bool *ret_stop)
{
	struct fetcher *f = l->f;
	struct fetch *x;

	pthread_mutex_lock(&f->lock);
	while ((x = f->todo)) {
		bool given_up = x->given_up, paused = x->queue.paused;
		take_from_todo(x);
		x->queue.paused = false;
		pthread_mutex_unlock(&f->lock);
		if (given_up) {
			leave(l, x);
			let_go(x, FETCH_FAILED, NULL);
		} else if (x->running && paused) {
			resume(l, x);
		} else if (!x->running && x->deadline_ms == 0) {
			set_deadline(x);
			wait_for_connection(l, x);
		}
		pthread_mutex_lock(&f->lock);
	}
	*ret_stop = f->stopping;
	pthread_mutex_unlock(&f->lock);
}

static unsigned connections_to(const struct loop *l, const struct url *u)
{
	unsigned n = 0;

	for (const struct fetch *x = l->active; x; x = x->next) {
		if (x->hop.port == u->port && strcmp(x->hop.host, u->host) == 0)
			n++;
	}
	return n;
}

static void run(struct loop *l, struct fetch *x)
{
	struct err e;

	x->next = l->active;
	l->active = x;
	l->active_n++;
	x->running = true;
	x->looked_ms = clock_mono_ms();
	x->was_paused = false;
	if (curl_multi_add_handle(l->f->multi, x->easy) == CURLM_OK)
		return;
	(void)err_nomem(&e);
	fail(l, x, &e, true);
}

static void admit(struct loop *l)
{
	struct fetch **at = &l->waiting, *x;

	while ((x = *at) && l->active_n < l->f->max_connections) {
		if (connections_to(l, &x->hop) >= l->f->max_per_host) {
			at = &x->next;
			continue;
		}
		stop_waiting(l, at);
		run(l, x);
	}
}

static void collect_ends(struct loop *l)
{
	struct CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(l->f->multi, &left))) {
		char *x = NULL;
		CURLcode code = m->data.result;
		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
		end(l, (struct fetch *)(void *)x, code);
	}
}

/* Has the request gone out? Before that the connect timeout counts. */
static bool is_asked(const struct fetch *x)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
	return us > 0;
}

/* Bytes in the mean of a window of min_rate_ms, which stands still while the transfer is paused. */
static bool is_too_slow(struct fetch *x, uint64_t now)
{
	bool paused = fetch_queue_paused(x);
	uint64_t passed = now - x->looked_ms, wanted;
	bool counts = !paused && !x->was_paused && x->min_rate > 0 && is_asked(x);

	x->looked_ms = now;
	x->was_paused = paused;
	if (counts)
		x->window_ms += passed;
	if (x->window_ms == 0 || x->window_ms < x->min_rate_ms)
		return false;
	if (!num_mul(x->min_rate, x->window_ms, &wanted))
		wanted = UINT64_MAX;
	if ((x->wire - x->window_wire) < wanted / 1000)
		return true;
	x->window_ms = 0;
	x->window_wire = x->wire;
	return false;
}

static int judge_running(struct fetch *x, uint64_t now, struct err *e)
{
	if (x->cancel && atomic_load(x->cancel))
		return fetch_say(x, e, ERR_CANCELLED, "cancelled");
	if (now >= x->deadline_ms)
		return fetch_say(x, e, ERR_FETCH_TIMED_OUT, "it took longer than %llu s",
			(unsigned long long)x->timeout_ms / 1000);
	if (x->running && is_too_slow(x, now))
		return fetch_say(x, e, ERR_FETCH_TIMED_OUT, "fewer than %llu bytes/s for %llu ms",
			(unsigned long long)x->min_rate, (unsigned long long)x->min_rate_ms);
	return 0;
}

/* A body that nobody wants may be slow: what came before it decides. */
static void look_at_one(struct loop *l, struct fetch *x, uint64_t now)
{
	struct err e;

	if (judge_running(x, now, &e) == 0)
		fetch_queue_flush(x, false);
	else if (e.code == ERR_FETCH_TIMED_OUT && x->discard && now < x->deadline_ms)
		end(l, x, CURLE_OPERATION_TIMEDOUT);
	else
		fail(l, x, &e, e.code == ERR_FETCH_TIMED_OUT);
}

static void look_at(struct loop *l, struct fetch *first, uint64_t now)
{
	struct fetch *next;

	for (struct fetch *x = first; x; x = next) {
		next = x->next;
		look_at_one(l, x, now);
	}
}

static unsigned sleep_ms(const struct loop *l, uint64_t now)
{
	uint64_t ms = l->active || l->waiting ? FETCH_LOOK_MS : SLEEP_MS;

	for (const struct fetch *x = l->active; x; x = x->next) {
		if (x->deadline_ms - now < ms)
			ms = x->deadline_ms - now;
		if (x->min_rate > 0 && x->min_rate_ms / 4 < ms)
			ms = x->min_rate_ms / 4 + 1;
	}
	for (const struct fetch *x = l->waiting; x; x = x->next) {
		if (x->deadline_ms - now < ms)
			ms = x->deadline_ms - now;
	}
	return (unsigned)ms;
}

/* Without memory for the list of sockets nothing can be waited for, but not in a hurry. */
static void sleep_a_while(const struct loop *l, uint64_t now)
{
	unsigned ms = sleep_ms(l, now);

	if (curl_multi_poll(l->f->multi, NULL, 0, (int)ms, NULL) != CURLM_OK)
		(void)poll(NULL, 0, (int)(ms < RETRY_MS ? ms : RETRY_MS));
}

void *fetch_loop_run(void *fetcher)
{
	struct loop l = {.f = fetcher};
	bool stop = false;
	uint64_t now;
	int running;

	l.waiting_end = &l.waiting;
	for (;;) {
		do_todo(&l, &stop);
		if (stop)
			return NULL;
		admit(&l);
		(void)curl_multi_perform(l.f->multi, &running);
		collect_ends(&l);
		now = clock_mono_ms();
		look_at(&l, l.active, now);
		look_at(&l, l.waiting, now);
		admit(&l);
		sleep_a_while(&l, now);
	}
}
