/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's making of precompressed files: a thread of its own, which runs when nobody else
 * wants the processor, and reads files for it at store.precompress_rate. */
#pragma once

#include "common/config/config.h"
#include "common/registry/registry.h"
#include "server/damage.h"

struct encoder;

/* `cache` lets go of what it holds ready of a model whose files have precompressed ones since just
 * now. With store.precompress_rate at 0 it only waits. */
int encoder_start(const struct config *c, struct registry *registry, struct api_cache *cache,
	struct damage *damage, struct encoder **ret, struct err *e);
/* Another rate, from the next file on. Does not block. */
void encoder_set(struct encoder *x, const struct config *c);
/* Ends it at once, within a file too, which the next start begins anew. Accepts NULL. */
void encoder_stop(struct encoder *x);
