/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/feed.h"
#include "common/base/log.h"
#include "server/http/req_internal.h"
#include "server/work/workpool.h"

#include <microhttpd.h>
#include <string.h>

#define BLOCK (4u << 10) /* that the library sends at a time to HTTP/1.0 */

/* Changes under the lock. */
enum feed_state {
	FEED_IDLE,   /* there is no piece until somebody rings */
	FEED_MAKING, /* the piece is a worker's, and the feed if it is abandoned */
	FEED_MADE,   /* the piece is the loop's */
	FEED_ENDED,  /* there will be no other */
	FEED_CUT,    /* the same, and what came is not the whole */
};

struct feed {
	struct feed_source source;
	struct httpd_loop *loop;
	struct MHD_Connection *mhd;
	struct httpd_conn *conn;
	const char *name; /* of the handler */
	bool is_head;

	/* The loop's thread's. */
	bool listed;
	struct feed *next, *prev;
	uint64_t beat_ms;  /* when the next piece is due, rung or not */
	uint64_t taken;    /* bytes that the client had acknowledged ... */
	uint64_t taken_ms; /* ... at this time */
	bool has_left;     /* it has closed its side, and was sent a piece since */

	pthread_mutex_t lock;
	enum feed_state state;
	bool rung;      /* since the piece was begun */
	bool last;      /* the piece is */
	bool waiting;   /* the connection is suspended */
	bool abandoned; /* the answer is over */
	struct buf piece;
	size_t sent; /* bytes of it */
};

/* ---- life ---- */

int feed_new(struct req *r, const struct feed_source *source, struct feed **ret, struct err *e)
{
	struct httpd *h = r->loop->httpd;
	struct feed *f = NULL;
	int result = 0;

	if (atomic_fetch_add(&h->feeds, 1) >= FEED_MAX)
		result = err_set(e, ERR_BUSY,
			"%u answers are being followed already; try again, or without following",
			FEED_MAX);
	else
		f = r->conn ? calloc(1, sizeof(*f)) : NULL;
	if (result == 0 && (!f || pthread_mutex_init(&f->lock, NULL) != 0))
		result = err_nomem(e);
	if (result < 0) {
		atomic_fetch_sub(&h->feeds, 1);
		free(f);
		source->release(source->cls);
		return result;
	}
	f->source = *source;
	f->loop = r->loop;
	f->mhd = r->mhd;
	f->conn = r->conn;
	f->name = r->handler->name;
	f->is_head = req_is_head(r);
	f->state = FEED_MAKING; /* here */
	buf_init(&f->piece, FEED_PIECE_MAX);
	*ret = f;
	return 0;
}

void feed_free(struct feed *f)
{
	if (!f)
		return;
	f->source.release(f->source.cls);
	atomic_fetch_sub(&f->loop->httpd->feeds, 1);
	pthread_mutex_destroy(&f->lock);
	buf_done(&f->piece);
	free(f);
}

static void enter_list(struct feed *f)
{
	struct httpd_loop *loop = f->loop;

	if (f->listed)
		return;
	f->listed = true;
	f->next = loop->feeds;
	if (f->next)
		f->next->prev = f;
	loop->feeds = f;
}

static void leave_list(struct feed *f)
{
	if (f->prev)
		f->prev->next = f->next;
	else
		f->loop->feeds = f->next;
	if (f->next)
		f->next->prev = f->prev;
}

static void free_on_worker(void *cls)
{
	struct feed *f = cls;
	struct httpd_loop *loop = f->loop;

	feed_free(f);
	atomic_fetch_sub(&loop->working, 1);
}

/* The loop waits for what works, but not for what begins to when it ends. */
static void free_elsewhere(struct feed *f)
{
	struct httpd_loop *loop = f->loop;
	struct err ignored;

	if (httpd_stopping(loop->httpd)) {
		feed_free(f);
		return;
	}
	atomic_fetch_add(&loop->working, 1);
	if (workpool_submit(loop->httpd->o.workers, WORK_READ, free_on_worker, f, &ignored) < 0)
		free_on_worker(f);
}

/* The reply is gone. A worker that has the piece is left the rest. Only what was sent is in the
 * list, and that goes on the loop's thread. */
static void drop(void *cls)
{
	struct feed *f = cls;

	if (f->listed)
		leave_list(f);
	pthread_mutex_lock(&f->lock);
	bool is_making = f->state == FEED_MAKING;
	f->abandoned = true;
	pthread_mutex_unlock(&f->lock);
	if (!is_making)
		free_elsewhere(f);
}

/* ---- making a piece, on a worker ---- */

static int make(struct feed *f, struct err *e)
{
	int result;

	buf_clear(&f->piece);
	f->sent = 0;
	f->last = false;
	result = f->source.next(f->source.cls, &f->piece, &f->last, e);
	return result < 0 ? result : buf_check(&f->piece, "a piece of the answer", e);
}

static enum feed_state state_after(const struct feed *f, int result)
{
	if (result < 0)
		return FEED_CUT;
	return f->piece.len > 0 ? FEED_MADE : FEED_ENDED;
}

/* Behind the lock the feed is the loop's, but for a connection that waits, which cannot end before
 * it is resumed, and for one that has ended. */
static void make_next(void *cls)
{
	struct feed *f = cls;
	struct httpd_loop *loop = f->loop;
	struct MHD_Connection *mhd = f->mhd;
	struct err e;
	int result = make(f, &e);

	if (result < 0)
		log_err(f->name, &e);
	pthread_mutex_lock(&f->lock);
	f->state = state_after(f, result);
	bool waiting = f->waiting, abandoned = f->abandoned;
	f->waiting = false;
	pthread_mutex_unlock(&f->lock);
	if (abandoned)
		feed_free(f);
	if (waiting) {
		MHD_resume_connection(mhd);
		httpd_loop_wake(loop);
	}
	atomic_fetch_sub(&loop->working, 1);
}

/* Under the lock, of one that is idle: no worker has it, nor has the reply gone. When their queue
 * is full it stays rung, for the next sweep. None begins once the loop may have counted who
 * works. */
static void begin(struct feed *f)
{
	struct httpd_loop *loop = f->loop;
	struct err ignored;

	if (httpd_stopping(loop->httpd))
		return;
	atomic_fetch_add(&loop->working, 1);
	if (workpool_submit(loop->httpd->o.workers, WORK_READ, make_next, f, &ignored) < 0) {
		f->rung = true;
		atomic_fetch_sub(&loop->working, 1);
		return;
	}
	f->rung = false;
	f->state = FEED_MAKING;
}

void feed_ring(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	f->rung = true;
	if (f->state == FEED_IDLE && !f->abandoned)
		begin(f);
	pthread_mutex_unlock(&f->lock);
}

/* ---- sending it, on the loop's thread ---- */

static ssize_t give(struct feed *f, char *to, size_t max)
{
	size_t left = f->piece.len - f->sent, n = left < max ? left : max;

	memcpy(to, f->piece.data + f->sent, n);
	f->sent += n;
	if (n < left)
		return (ssize_t)n;
	f->state = f->last ? FEED_ENDED : FEED_IDLE;
	f->beat_ms = clock_mono_ms() + f->source.beat_ms;
	if (f->state == FEED_IDLE && f->rung)
		begin(f);
	return (ssize_t)n;
}

static ssize_t wait_for_news(struct feed *f)
{
	if (f->state == FEED_IDLE && httpd_stopping(f->loop->httpd))
		return REPLY_END;
	f->waiting = true;
	MHD_suspend_connection(f->mhd);
	return 0;
}

static ssize_t take_locked(struct feed *f, char *to, size_t max)
{
	switch (f->state) {
	case FEED_MADE:
		return give(f, to, max);
	case FEED_ENDED:
		return REPLY_END;
	case FEED_CUT:
		return -1;
	default:
		return wait_for_news(f);
	}
}

static ssize_t take(void *cls, uint64_t at, char *to, size_t max)
{
	struct feed *f = cls;

	(void)at;
	enter_list(f);
	pthread_mutex_lock(&f->lock);
	ssize_t n = take_locked(f, to, max);
	pthread_mutex_unlock(&f->lock);
	httpd_conn_wait(f->conn, n == 0 ? HTTPD_WAIT_WORK : HTTPD_WAIT_REPLY);
	return n;
}

/* Under the lock, of a connection that waits and a feed that is idle. */
static void resume(struct feed *f, enum feed_state state)
{
	f->state = state;
	f->waiting = false;
	MHD_resume_connection(f->mhd);
	httpd_loop_wake(f->loop);
}

/* Libmicrohttpd does not look at a connection that is suspended. */
static bool is_gone(struct feed *f, const struct httpd_peer *peer, uint64_t now)
{
	uint64_t patience_ms = httpd_settings_of(f->loop)->timeout_s * UINT64_C(1000);

	if (peer->has_all || peer->taken != f->taken || f->taken_ms == 0) {
		f->taken = peer->taken;
		f->taken_ms = now;
	}
	return peer->is_gone || (patience_ms > 0 && now - f->taken_ms >= patience_ms);
}

/* Of a client that has closed its side the system does not know whether it reads: a piece that it
 * does not take is answered with a reset. */
static bool is_due(struct feed *f, const struct httpd_peer *peer, uint64_t now)
{
	bool first_look = peer->has_left && !f->has_left;

	f->has_left = peer->has_left;
	return first_look || f->rung || now >= f->beat_ms;
}

void feed_sweep(struct httpd_loop *loop)
{
	uint64_t now = clock_mono_ms();

	for (struct feed *f = loop->feeds; f; f = f->next) {
		struct httpd_peer peer;

		httpd_conn_peer(f->conn, &peer);
		bool gone = is_gone(f, &peer, now);
		pthread_mutex_lock(&f->lock);
		if (f->waiting && f->state == FEED_IDLE) {
			if (gone)
				resume(f, FEED_CUT);
			else if (is_due(f, &peer, now))
				begin(f);
		}
		pthread_mutex_unlock(&f->lock);
	}
}

void feed_stop(struct httpd_loop *loop)
{
	for (struct feed *f = loop->feeds; f; f = f->next) {
		pthread_mutex_lock(&f->lock);
		if (f->waiting && f->state == FEED_IDLE)
			resume(f, FEED_ENDED);
		pthread_mutex_unlock(&f->lock);
	}
}

/* ---- the answer ---- */

static struct reply *make_reply(struct feed *f, int status)
{
	const char *type = f->source.content_type;
	struct reply *reply;

	if (f->is_head) {
		feed_free(f);
		reply = reply_unsized(status, type, 1, NULL, NULL, NULL);
	} else {
		reply = reply_unsized(status, type, BLOCK, take, drop, f);
	}
	reply_header(reply, "Cache-Control", "no-store");
	/* nginx keeps what it is a proxy for until there is more of it, unless it is told. */
	reply_header(reply, "X-Accel-Buffering", "no");
	return reply;
}

int feed_reply(struct feed *f, int status, struct reply **ret, struct err *e)
{
	int result = make(f, e);

	if (result < 0) {
		feed_free(f);
		return result;
	}
	pthread_mutex_lock(&f->lock);
	f->state = state_after(f, 0);
	pthread_mutex_unlock(&f->lock);
	*ret = make_reply(f, status);
	return *ret ? 0 : err_nomem(e);
}
