/* SPDX-License-Identifier: Apache-2.0 */
/* The transfer itself. It goes on while its taker waits for it, on that thread. While nobody waits,
 * the socket fills, and the host is held up: nothing has to be paused, and nothing is queued.
 *
 * Rates are judged here: CURLOPT_LOW_SPEED_TIME knows whole seconds and the mean of the last five.
 */
#include "common/net/fetch_internal.h"

#include "common/base/clock.h"
#include "common/base/num.h"

#include <poll.h>

#define RETRY_MS 20u
#define MORE_MS  10u /* without another byte, and what is there is given out */

/* ---- ends ---- */

static void stop_running(struct fetch *x)
{
	if (x->running)
		(void)curl_multi_remove_handle(x->lane->multi, x->easy);
	x->running = false;
	x->paused = false;
	fetch_lane_leave(x);
}

void fetch_run_stop(struct fetch *x)
{
	stop_running(x);
}

static void finish(struct fetch *x, enum fetch_phase phase, const struct err *e)
{
	stop_running(x);
	x->phase = phase;
	if (e)
		x->failure = *e;
	x->may_retry = x->fault_retry;
	x->begin_anew = x->fault_anew;
	x->retry_after_ms = x->fault_after_ms;
}

static void fail(struct fetch *x, const struct err *e, bool retry)
{
	x->fault_retry = retry;
	finish(x, FETCH_FAILED, e);
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
static void end(struct fetch *x, CURLcode code)
{
	struct err e;

	if (x->follow) {
		stop_running(x);
		begin_hop(x);
		if (fetch_easy_aim(x, &e) < 0)
			fail(x, &e, true);
	} else if (judge_end(x, code, &e) < 0) {
		fail(x, &e, x->fault_retry);
	} else {
		finish(x, FETCH_ENDED, NULL);
	}
}

/* ---- whether it may go on ---- */

/* Has the request gone out? Before that the connect timeout counts. */
static bool is_asked(const struct fetch *x)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
	return us > 0;
}

/* The time since it was looked at, in which its taker waited for it. */
static void count_time(struct fetch *x, uint64_t now)
{
	if (x->running && x->min_rate > 0 && is_asked(x))
		x->window_ms += now - x->looked_ms;
	x->looked_ms = now;
}

/* Bytes in the mean of a window of min_rate_ms. */
static bool is_too_slow(struct fetch *x)
{
	uint64_t wanted;

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

int fetch_run_judge(const struct fetch *x, uint64_t now, struct err *e)
{
	if (x->cancel && atomic_load(x->cancel))
		return fetch_say(x, e, ERR_CANCELLED, "cancelled");
	if (now >= x->deadline_ms)
		return fetch_say(x, e, ERR_FETCH_TIMED_OUT, "it took longer than %llu s",
			(unsigned long long)x->timeout_ms / 1000);
	return 0;
}

/* A body that nobody wants may be slow: what came before it decides. */
static void look(struct fetch *x, uint64_t now)
{
	struct err e;

	count_time(x, now);
	if (fetch_run_judge(x, now, &e) < 0) {
		fail(x, &e, e.code == ERR_FETCH_TIMED_OUT);
	} else if (x->running && is_too_slow(x)) {
		(void)fetch_say(x, &e, ERR_FETCH_TIMED_OUT, "fewer than %llu bytes/s for %llu ms",
			(unsigned long long)x->min_rate, (unsigned long long)x->min_rate_ms);
		if (x->discard)
			end(x, CURLE_OPERATION_TIMEDOUT);
		else
			fail(x, &e, true);
	}
}

/* ---- the steps of a round ---- */

static bool has_ended(const struct fetch *x)
{
	return x->phase == FETCH_ENDED || x->phase == FETCH_FAILED;
}

static void begin(struct fetch *x)
{
	struct err e;

	if (fetch_lane_enter(x, &e) < 0) {
		fail(x, &e, e.code != ERR_CANCELLED);
		return;
	}
	x->running = curl_multi_add_handle(x->lane->multi, x->easy) == CURLM_OK;
	x->looked_ms = clock_mono_ms();
	if (x->running)
		return;
	(void)err_nomem(&e);
	fail(x, &e, true);
}

static void collect_end(struct fetch *x)
{
	struct CURLMsg *m;
	int left;

	while (x->running && (m = curl_multi_info_read(x->lane->multi, &left))) {
		if (m->msg == CURLMSG_DONE)
			end(x, m->data.result);
	}
}

/* What libcurl can do without waiting. Bytes that it held back come in the first call, and may be
 * held back again. */
static void step(struct fetch *x)
{
	CURLcode code = CURLE_OK;
	int running;

	if (x->paused) {
		x->paused = false;
		code = curl_easy_pause(x->easy, CURLPAUSE_CONT);
	}
	if (code != CURLE_OK) {
		end(x, code);
		return;
	}
	(void)curl_multi_perform(x->lane->multi, &running);
	collect_end(x);
}

static unsigned sleep_ms(const struct fetch *x, uint64_t now)
{
	uint64_t ms = x->filled > 0 ? MORE_MS : FETCH_LOOK_MS;

	if (x->deadline_ms - now < ms)
		ms = x->deadline_ms - now;
	if (x->min_rate > 0 && x->min_rate_ms / 4 < ms)
		ms = x->min_rate_ms / 4 + 1;
	return (unsigned)ms;
}

/* False when nothing came. Without memory for the list of sockets nothing can be waited for, but
 * not in a hurry. */
static bool sleep_a_while(struct fetch *x, uint64_t now)
{
	unsigned ms = sleep_ms(x, now);
	int ready = 0;

	if (curl_multi_poll(x->lane->multi, NULL, 0, (int)ms, &ready) == CURLM_OK)
		return ready > 0;
	(void)poll(NULL, 0, (int)(ms < RETRY_MS ? ms : RETRY_MS));
	return false;
}

/* One round. False when nothing came in the time that it waits. */
static bool go_on(struct fetch *x)
{
	uint64_t wire = x->wire, now;

	if (!x->running)
		begin(x);
	if (has_ended(x))
		return true;
	step(x);
	now = clock_mono_ms();
	if (!has_ended(x))
		look(x, now);
	if (has_ended(x) || !x->running || x->paused || x->wire - wire >= FETCH_BUFFER)
		return true;
	return sleep_a_while(x, now);
}

void fetch_run_to_head(struct fetch *x)
{
	x->looked_ms = clock_mono_ms();
	while (x->phase == FETCH_ASKING)
		(void)go_on(x);
}

/* Is there no room for what one read of the socket may give? libcurl would have to hold it back,
 * which costs a copy. */
static bool is_enough(const struct fetch *x)
{
	return x->filled > FETCH_PIECE - FETCH_BUFFER;
}

void fetch_run_to_bytes(struct fetch *x)
{
	bool more = true;

	x->looked_ms = clock_mono_ms();
	while (!has_ended(x) && !is_enough(x) && (x->filled == 0 || more))
		more = go_on(x);
	count_time(x, clock_mono_ms());
}
