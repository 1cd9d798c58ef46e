/* SPDX-License-Identifier: Apache-2.0 */
/* A histogram of times, within 3 percent of each. */
#pragma once

#include <stdint.h>

#define LOAD_TIMES_FINE    32
#define LOAD_TIMES_BUCKETS (64 * LOAD_TIMES_FINE)

struct load_times {
	uint64_t n, max; /* max in nanoseconds */
	uint64_t buckets[LOAD_TIMES_BUCKETS];
};

void load_times_add(struct load_times *t, uint64_t ns);

/* The time in microseconds that this part of all, 0 to 1, was not above; 0 when there is none. */
double load_times_us(const struct load_times *t, double part);
