/* SPDX-License-Identifier: Apache-2.0 */
/* Whether numbered shards stand in their order. Internal to common/model. */
#pragma once

#include "common/model/manifest.h"

/* The converter numbers the shards of a group "<name>shard<K>of<N><suffix>", K from 1
 * (tensorflowjs/write_weights.py). TensorFlow.js takes them as they stand in the manifest, so a
 * list that was sorted as text (1, 10, 11, 2) loads with its bytes mixed up and no error. Adds
 * weights.shard-order for the first one of each group that is out of order. */
void manifest_order_check(const struct manifest *m, struct findings *f);
