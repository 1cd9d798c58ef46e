/* SPDX-License-Identifier: Apache-2.0 */
/* An answer without a known length, whose pieces come when there is news: lines of progress.
 *
 * While there is none the connection is suspended and takes no thread. Whoever has news rings; then
 * a worker makes the next piece, of what is the case at that moment. However often it was rung
 * while one is made or sent, one more is made after it: a client that reads slowly misses what lies
 * between, and nothing is queued for it. Without news for a while a piece is made all the same, so
 * that a client that has gone is noticed, and proxies do not take silence for death. */
#pragma once

#include "server/http/req.h"

#define FEED_MAX       256u         /* at a time in one server */
#define FEED_PIECE_MAX (256u << 10) /* bytes */

struct feed;

struct feed_source {
	const char *content_type;
	unsigned beat_ms; /* the longest time without a piece; about, a second more or less */
	/* The next piece, at least a byte unless it is the last, into `out`, which is empty. On
	 * a worker, one call at a time, the last one perhaps after the request has ended; may
	 * block. A failure cuts the connection, so that the client does not take what came for the
	 * whole. */
	int (*next)(void *cls, struct buf *out, bool *ret_last, struct err *e);
	/* Nobody rings after it. On a worker or, when those are busy, on a loop: must be quick. */
	void (*release)(void *cls);
	void *cls;
};

/* A feed for this request; in `work`. It may be rung from here on. ERR_BUSY when there are
 * FEED_MAX. Takes the source over: release() is called in any case, in the end. */
int feed_new(struct req *r, const struct feed_source *source, struct feed **ret, struct err *e);
/* The answer that sends it. Makes the first piece: what fails there is still an error that can be
 * answered. Takes the feed over, on failure as well. */
int feed_reply(struct feed *f, int status, struct reply **ret, struct err *e);
/* Of one that was not answered with. Accepts NULL. */
void feed_free(struct feed *f);
DEFINE_CLEANUP(struct feed, feed_free)

/* There is news. Any thread, until release() returns; does not block. */
void feed_ring(struct feed *f);
