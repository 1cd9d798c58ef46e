/* SPDX-License-Identifier: Apache-2.0 */
/* The shards of an upload against its manifest. Inside the registry only. */
#pragma once

#include "common/model/manifest.h"
#include "common/model/weightscan.h"
#include "common/registry/upload_internal.h"

struct upload_weights {
	uint64_t bytes; /* sum of the shards */
	struct weightscan *scan; /* finished; NULL when there is no manifest or a shard is missing */
};

/* Every path of the manifest is there, and the shards in their order hold exactly the bytes that it
 * describes; what is wrong is added to `f`, and what is odd about the numbers. Paths are decided.
 * Errors: reading, memory. */
int upload_weights_check(const struct upload *u, const struct manifest *m,
	struct upload_weights *ret, struct findings *f, struct err *e);
void upload_weights_done(struct upload_weights *w);
