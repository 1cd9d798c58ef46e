/* SPDX-License-Identifier: Apache-2.0 */
/* Brakes those who guess: after some failures an address has to wait before the next guess is
 * looked at, each time twice as long. It is the guess that waits, in its client: nothing is held
 * here for it. Failures count by address and token, so that one client with a stale token does not
 * keep out the others behind the same proxy; all ids that no token has count as one. Of IPv6 the
 * network of 64 bits counts. A table of fixed size, without locks; any thread. */
#pragma once

#include "common/base/err.h"

#include <stdint.h>

struct throttle;

int throttle_new(struct throttle **ret, struct err *e);
void throttle_free(struct throttle *t); /* accepts NULL */

#define THROTTLE_FREE_FAILURES 10 /* before the first wait */
#define THROTTLE_WAIT_MAX_S    60

/* Seconds until a guess for this token is looked at again; 0: now. `client` is an address as text;
 * `id` "" for one that no token has. `now_s` is of a clock that does not go back. */
unsigned throttle_wait(const struct throttle *t, const char *client, const char *id,
	uint64_t now_s);
/* It was wrong. */
void throttle_failed(struct throttle *t, const char *client, const char *id, uint64_t now_s);
