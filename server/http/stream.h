/* SPDX-License-Identifier: Apache-2.0 */
/* An answer whose body is made while it is sent: by workers, one piece ahead of the client, so that
 * no loop waits for the disk and memory does not depend on the size. */
#pragma once

#include "server/http/req.h"

/* Bytes of a piece. A body under way holds two of them, one that is made and one that is sent, and
 * what the source itself needs. */
#define STREAM_PIECE (64u << 10)

struct stream_source {
	const char *content_type;
	uint64_t size; /* of the body */
	/* The next `n` bytes; never more than are left. May block: on a worker, one call at a time,
	 * the last one perhaps after the request has ended. A failure cuts the connection, so that
	 * the client does not take what came for the whole. */
	int (*read)(void *cls, void *to, size_t n, struct err *e);
	void (*release)(void *cls); /* on any thread; must not block */
	void *cls;
};

/* The 200 for this request, which no other may be answered with; in `work`. Reads the first piece:
 * what fails there is still an error that can be answered. Of HEAD nothing is read. Calls release()
 * in any case, in the end. */
int stream_reply(struct req *r, const struct stream_source *source, struct reply **ret,
	struct err *e);
