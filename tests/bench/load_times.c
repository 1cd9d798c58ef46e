/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load_times.h"

#include <stddef.h>

/* By the leading 6 bits. */
static size_t bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < 2 * LOAD_TIMES_FINE)
		return ns;
	shift = 63 - (unsigned)__builtin_clzll(ns) - 5;
	return shift * LOAD_TIMES_FINE + (ns >> shift);
}

/* Its middle. */
static double bucket_us(size_t bucket)
{
	size_t shift = bucket < 2 * LOAD_TIMES_FINE ? 0 : bucket / LOAD_TIMES_FINE - 1;
	double width = (double)(UINT64_C(1) << shift);

	return ((double)(bucket - shift * LOAD_TIMES_FINE) + 0.5) * width / 1000;
}

void load_times_add(struct load_times *t, uint64_t ns)
{
	t->n++;
	t->buckets[bucket_of(ns)]++;
	if (ns > t->max)
		t->max = ns;
}

double load_times_us(const struct load_times *t, double part)
{
	uint64_t wanted = (uint64_t)(part * (double)t->n), sum = 0;

	for (size_t i = 0; i < LOAD_TIMES_BUCKETS; i++) {
		sum += t->buckets[i];
		if (sum > wanted)
			return bucket_us(i);
	}
	return (double)t->max / 1000;
}
