/* SPDX-License-Identifier: Apache-2.0 */
/* What the numbers of one weight are like, from one pass over its bytes in pieces of any size.
 *
 * Meant are the values that TensorFlow.js makes of the bytes (tfjs-core/src/io/io_utils.ts,
 * decodeWeight): uint8 and uint16 as q * scale + min in doubles, rounded once to float32, or to the
 * nearest integer, halves up, for int32; float16 widened exactly. Pure, any thread, no allocation.
 */
#pragma once

#include "common/model/manifest.h"

struct weightstats {
	uint64_t nan;
	uint64_t infinite;
	uint64_t zeros;  /* of either sign */
	uint64_t finite; /* elements that min, max and mean are over */
	/* meaningful when `finite` is not 0. The mean of quantized weights is that of
	 * q * scale + min before rounding; sums are doubles. Not for complex64, whose two parts
	 * are counted as elements above, nor for strings, of which nothing is counted. */
	double min, max, mean;
};

#define WEIGHTSTATS_ELEMENT_MAX 8 /* bytes of the largest element */

struct weightstats_codes { /* codes from `low` up to `low + span` */
	uint32_t low, span;
	bool any;
};

/* Opaque: the sums so far. */
struct weightstats_sum {
	const struct manifest_weight *weight;
	struct weightstats_codes zero, finite; /* of quantized weights: which codes mean that */
	uint8_t part[WEIGHTSTATS_ELEMENT_MAX]; /* an element that straddles pieces */
	unsigned part_n;
	uint64_t nan, infinite, zeros, n;
	double low, high, sum;
};

void weightstats_begin(struct weightstats_sum *s, const struct manifest_weight *w);
void weightstats_add(struct weightstats_sum *s, const uint8_t *bytes, size_t n);
void weightstats_end(const struct weightstats_sum *s, struct weightstats *ret);
