/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952) as a stream in pieces of any size: one or more members, and behind the last
 * nothing but zeros, with which some tools fill a block. Memory is fixed at about 40 KiB. Pure: no
 * I/O, does not wait.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

struct inflate;

/* `what` is how messages call the stream ("the body"), and outlives it. `max_expansion`: see
 * ingest_check_expansion(). */
int inflate_new(const char *what, unsigned max_expansion, struct inflate **ret, struct err *e);

/* Unpack what is at the front of `*in`, which is moved on, into `to`, which has room for `room`
 * bytes (at least 1). Less than that comes out only when all of `*in` is used up. ERR_BAD_GZIP when
 * the stream is damaged or is not gzip, ERR_TOO_LARGE when it swells beyond the limit. The first
 * failure sticks. */
int inflate_step(struct inflate *z, struct str *in, void *to, size_t room, size_t *ret_n,
	struct err *e);

/* The stream has ended: ERR_BAD_GZIP unless a member ends here. */
int inflate_finish(struct inflate *z, struct err *e);
void inflate_free(struct inflate *z);
DEFINE_CLEANUP(struct inflate, inflate_free)
