/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/sharding.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

#define SHARD_SIZE (4 * MIB)

static bool is_larger_last(const uint64_t *sizes, size_t n)
{
	for (size_t i = 1; i + 1 < n; i++)
		if (sizes[i] != sizes[0])
			return false;
	return n > 1 && sizes[n - 1] > sizes[0];
}

enum sharding_fault sharding_judge(const uint64_t *sizes, size_t n, uint64_t last_slice)
{
	uint64_t found;

	if (is_larger_last(sizes, n) && num_mul(sizes[0], n, &found) && last_slice >= found)
		return SHARDING_ZEROS;
	for (size_t i = 0; i < n; i++)
		if (sizes[i] > SHARDING_SHARD_MAX)
			return SHARDING_TOO_LARGE;
	return SHARDING_FINE;
}

struct sharding_plan sharding_plan(uint64_t total)
{
	struct sharding_plan plan = {.size = SHARD_SIZE, .group = 1};
	uint64_t units = total / SHARD_SIZE + (total % SHARD_SIZE > 0);

	if (units > SHARDING_COUNT_MAX)
		plan.size *= units / SHARDING_COUNT_MAX + (units % SHARDING_COUNT_MAX > 0);
	plan.count = total / plan.size + (total % plan.size > 0);
	return plan;
}

const char *sharding_name(const struct sharding_plan *plan, uint64_t k, char *buf)
{
	(void)snprintf(buf, SHARDING_NAME_MAX, "group%u-shard%" PRIu64 "of%" PRIu64 ".bin",
		plan->group, k, plan->count);
	return buf;
}
