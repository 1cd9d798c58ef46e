/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon does for its store: check the catalog once, and from time to time sweep and
 * collect. */
#pragma once

#include "common/config/config.h"
#include "common/registry/registry.h"
#include "server/damage.h"
#include "server/work/workpool.h"

/* Used by the thread that ticks; `busy` and `stopping` by the worker too. */
struct upkeep {
	const struct config *config;
	struct registry *registry;
	struct damage *damage;
	struct workpool *workers;
	uint64_t next_sweep_ms; /* of the monotonic clock */
	uint64_t next_collect_ms;
	bool verified; /* the worker's while `busy` */
	bool collect; /* in the run that is on its way; the worker's while `busy` */
	atomic_bool busy;
	atomic_bool stopping;
};

/* A check and a sweep are due at once, a collection when its interval has passed. */
void upkeep_init(struct upkeep *u, const struct config *c, struct registry *registry,
	struct damage *damage, struct workpool *workers);
/* Hand what is due to a worker, unless one is still at it. Does not block. */
void upkeep_tick(struct upkeep *u);
/* How often to tick at least. */
uint64_t upkeep_interval_ms(const struct upkeep *u);
/* A check or a collection ends early. Then stop the workers. */
void upkeep_stop(struct upkeep *u);
