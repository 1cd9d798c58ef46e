/* SPDX-License-Identifier: Apache-2.0 */
/* A bound on a rate, as a token bucket. Arithmetic alone: the caller has the clock, and waits. Not
 * shared between threads. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PACE_BURST_MS 100u /* what was not used for so long may be made up for */

struct pace {
	uint64_t rate;    /* units a second; 0: as many as there are */
	uint64_t free_ms; /* when all that was taken is paid for */
	uint64_t rest;    /* thousandths of units behind that moment */
};

/* `n` units were used at `now_ms` of a clock that never goes back. Returns how many milliseconds to
 * wait before the next use, so that in any T milliseconds at most rate * (T + PACE_BURST_MS) / 1000
 * and what one call takes are used. */
uint64_t pace_take(struct pace *p, uint64_t now_ms, size_t n);
