/* SPDX-License-Identifier: Apache-2.0 */
/* The shards of an upload against its manifest. Inside the registry only. */
#pragma once

#include "common/model/manifest.h"
#include "common/registry/upload_scan.h"

struct upload_weights {
	uint64_t bytes; /* sum of the shards */
	const struct weightscan *scan; /* finished; NULL without a manifest or a shard. Not ours */
};

/* Every path of the manifest is there, and the shards in their order hold exactly the bytes that it
 * describes; what is wrong is added to `f`, and what is odd about the numbers. Paths are decided.
 * Errors: reading, memory. */
int upload_weights_check(struct upload *u, const struct manifest *m,
	struct upload_weights *ret, struct findings *f, struct err *e);
