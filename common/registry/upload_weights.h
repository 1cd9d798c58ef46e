/* SPDX-License-Identifier: Apache-2.0 */
/* The shards of an upload against its manifest. Inside the registry only. */
#pragma once

#include "common/model/manifest.h"
#include "common/registry/upload_internal.h"

/* Every path of the manifest is there, and the shards in their order hold exactly the bytes that it
 * describes; what is wrong is added to `f`. Paths are decided. *ret_bytes is the sum of the shards.
 * Errors: reading, memory. */
int upload_weights_check(const struct upload *u, const struct manifest *m, uint64_t *ret_bytes,
	struct findings *f, struct err *e);
