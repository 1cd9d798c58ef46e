/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 beside the thread that has the bytes: a stream gives a piece away, goes on with its own
 * work, and takes the result back before it gives the next. Who comes back before a thread of the
 * pool has begun hashes the piece himself, so that nobody waits longer than hashing takes.
 */
#pragma once

#include "common/digest/digest.h"

struct digest_pool;

/* Has as many threads as there are processors but one, started when the first piece comes; none on
 * a single processor. */
int digest_pool_new(struct digest_pool **ret, struct err *e);
/* Nothing may be given away any more. Accepts NULL. */
void digest_pool_free(struct digest_pool *p);
DEFINE_CLEANUP(struct digest_pool, digest_pool_free)

/* Is it worth giving pieces away? */
bool digest_pool_helps(const struct digest_pool *p);

enum digest_pool_state { DIGEST_POOL_QUEUED, DIGEST_POOL_TAKEN, DIGEST_POOL_DONE };

/* A piece; all zero at first, the pool's own but for its three first members. */
struct digest_pool_piece {
	struct digest_ctx *ctx;
	const void *bytes;
	size_t n;
	bool given; /* for the thread that gives and waits */
	enum digest_pool_state state;
	int result;
	struct err failure;
	struct digest_pool_piece *next;
};

/* `ctx` and the bytes are left alone until digest_pool_wait(). Does not block. */
void digest_pool_give(struct digest_pool *p, struct digest_pool_piece *piece);
/* The context has the piece then. Answers what digest_ctx_update() did; 0 when none was given. */
int digest_pool_wait(struct digest_pool *p, struct digest_pool_piece *piece, struct err *e);
