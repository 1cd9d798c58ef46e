/* SPDX-License-Identifier: Apache-2.0 */
/* Into which shards the weights are cut: whether TensorFlow.js reads them rightly, and how to cut
 * them anew where it does not. Pure.
 *
 * TensorFlow.js 4.6 to 4.22 (tfjs-core/src/io/composite_array_buffer.ts) takes all shards for as
 * large as the first one when only the last differs, and finds a byte by division. Where the last
 * is larger, what begins behind n times that size is found in no shard and becomes zeros, without
 * an error; with an empty first shard that is everything. */
#pragma once

#include "common/base/err.h"

#include <stdint.h>

/* Chromium fetches bodies of up to about 2^31 bytes, and other browsers less: the largest shard
 * that is served. */
#define SHARDING_SHARD_MAX (UINT64_C(1) << 30)

enum sharding_fault { SHARDING_FINE, SHARDING_ZEROS, SHARDING_TOO_LARGE };

/* `sizes` of the shards in stream order. `last_slice` is the largest offset in the stream at which
 * TensorFlow.js begins to read something that has bytes: a weight, or an element of strings. */
enum sharding_fault sharding_judge(const uint64_t *sizes, size_t n, uint64_t last_slice);

/* One group of equal shards, the last one smaller or equal: `count` of them, `size` bytes each. For
 * 1 byte or more. 4 MiB, as the converter cuts them, up to SHARDING_COUNT_MAX shards, then
 * larger. */
#define SHARDING_COUNT_MAX 256
struct sharding_plan {
	uint64_t size;
	uint64_t count;
	unsigned group; /* of the names; 1 */
};
struct sharding_plan sharding_plan(uint64_t total);

/* "group<g>-shard<k>of<n>.bin", k from 1, as the converter calls them. `buf` holds
 * SHARDING_NAME_MAX bytes; returns it. */
#define SHARDING_NAME_MAX 64
const char *sharding_name(const struct sharding_plan *plan, uint64_t k, char *buf);
