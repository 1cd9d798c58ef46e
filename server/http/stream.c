/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/stream.h"
#include "common/base/log.h"
#include "server/http/req_internal.h"
#include "server/work/workpool.h"

#include <assert.h>
#include <microhttpd.h>
#include <string.h>

/* Who holds the piece. Changes under the lock. */
enum stream_state {
	STREAM_MAKING, /* a worker fills it */
	STREAM_MADE,   /* the loop may take it */
	STREAM_FAILED, /* there is none, nor will be */
};

struct stream {
	struct stream_source source;
	struct httpd_loop *loop;
	struct MHD_Connection *mhd;
	struct httpd_conn *conn;
	const char *name; /* of the handler */
	pthread_mutex_t lock;
	enum stream_state state;
	bool waiting;   /* the connection is suspended until the piece is made */
	bool abandoned; /* the answer is over: the worker frees this */
	uint64_t taken; /* bytes that the library has */
	size_t n;       /* of the piece */
	uint8_t piece[];
};

static size_t piece_at(const struct stream *s, uint64_t at)
{
	uint64_t left = s->source.size - at;

	return left < STREAM_PIECE ? (size_t)left : STREAM_PIECE;
}

static void stream_free(struct stream *s)
{
	if (s->source.release)
		s->source.release(s->source.cls);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* The reply is gone. A worker that is inside the source is left to it. */
static void drop(void *cls)
{
	struct stream *s = cls;

	pthread_mutex_lock(&s->lock);
	bool is_making = s->state == STREAM_MAKING;
	s->abandoned = true;
	pthread_mutex_unlock(&s->lock);
	if (!is_making)
		stream_free(s);
}

static int make(struct stream *s, struct err *e)
{
	s->n = piece_at(s, s->taken);
	return s->source.read(s->source.cls, s->piece, s->n, e);
}

/* ---- on a worker ---- */

/* From the moment on in which the piece is made the stream is the loop's, but for a connection that
 * waits: that one cannot end before it is resumed. */
static void make_next(void *cls)
{
	struct stream *s = cls;
	struct httpd_loop *loop = s->loop;
	struct MHD_Connection *mhd = s->mhd;
	struct err e;
	int result = make(s, &e);

	if (result < 0)
		log_err(s->name, &e);
	pthread_mutex_lock(&s->lock);
	s->state = result < 0 ? STREAM_FAILED : STREAM_MADE;
	bool waiting = s->waiting, abandoned = s->abandoned;
	s->waiting = false;
	pthread_mutex_unlock(&s->lock);
	if (abandoned)
		stream_free(s);
	if (waiting) {
		MHD_resume_connection(mhd);
		httpd_loop_wake(loop);
	}
	atomic_fetch_sub(&loop->working, 1);
}

/* ---- on the loop's thread ---- */

/* A queue that is full leaves it to this thread: late is better than never. */
static void begin_next(struct stream *s)
{
	struct err ignored;

	s->state = STREAM_MAKING;
	atomic_fetch_add(&s->loop->working, 1);
	if (workpool_submit(s->loop->httpd->o.workers, WORK_READ, make_next, s, &ignored) < 0)
		make_next(s);
}

static ssize_t give(struct stream *s, char *to, size_t max)
{
	size_t n = s->n;

	assert(n > 0 && n <= max);
	memcpy(to, s->piece, n);
	s->taken += n;
	if (s->taken < s->source.size)
		begin_next(s);
	return (ssize_t)n;
}

/* True when the connection is suspended until the piece is made. */
static bool wait_for_piece(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->waiting = s->state == STREAM_MAKING;
	if (s->waiting)
		MHD_suspend_connection(s->mhd);
	bool waiting = s->waiting;
	pthread_mutex_unlock(&s->lock);
	return waiting;
}

static ssize_t take(void *cls, uint64_t at, char *to, size_t max)
{
	struct stream *s = cls;

	assert(at == s->taken);
	if (wait_for_piece(s)) {
		httpd_conn_wait(s->conn, HTTPD_WAIT_WORK);
		return 0;
	}
	httpd_conn_wait(s->conn, HTTPD_WAIT_REPLY);
	return s->state == STREAM_MADE ? give(s, to, max) : -1;
}

/* ---- the answer ---- */

static void release(const struct stream_source *source)
{
	if (source->release)
		source->release(source->cls);
}

static struct stream *stream_new(struct req *r, const struct stream_source *source)
{
	size_t room = source->size < STREAM_PIECE ? (size_t)source->size : STREAM_PIECE;
	struct stream *s = calloc(1, sizeof(*s) + room);

	if (s && pthread_mutex_init(&s->lock, NULL) != 0)
		free(take_ptr(s));
	if (!s) {
		release(source);
		return NULL;
	}
	s->source = *source;
	s->loop = r->loop;
	s->mhd = r->mhd;
	s->conn = r->conn;
	s->name = r->handler->name;
	s->state = STREAM_MADE;
	return s;
}

static struct reply *reply_without_body(const struct stream_source *source)
{
	release(source);
	return reply_streamed(200, source->content_type, source->size, 1, NULL, NULL, NULL);
}

static int reply_with_body(struct req *r, const struct stream_source *source, struct reply **ret,
	struct err *e)
{
	struct stream *s = stream_new(r, source);
	int result = s ? make(s, e) : err_nomem(e);

	if (result < 0) {
		if (s)
			stream_free(s);
		return result;
	}
	*ret = reply_streamed(200, source->content_type, source->size, s->n, take, drop, s);
	return *ret ? 0 : err_nomem(e);
}

int stream_reply(struct req *r, const struct stream_source *source, struct reply **ret,
	struct err *e)
{
	if (!req_is_head(r) && source->size > 0)
		return reply_with_body(r, source, ret, e);
	*ret = reply_without_body(source);
	return *ret ? 0 : err_nomem(e);
}
