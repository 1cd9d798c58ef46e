/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon does for its store: check the catalog once, and from time to time sweep, collect
 * and prune; and what it does for itself when others deleted something. */
#pragma once

#include "server/api/app.h"
#include "server/damage.h"
#include "server/options.h"
#include "server/work/workpool.h"

/* Used by the thread that ticks; `busy` and `stopping` by the worker too. */
struct upkeep {
	const struct config *config;
	const struct retention *retention;
	struct registry *registry;
	struct api_cache *cache;
	struct authority *authority;
	struct damage *damage;
	struct workpool *workers;
	uint64_t next_sweep_ms; /* of the monotonic clock */
	uint64_t next_collect_ms;
	bool verified; /* the worker's while `busy` */
	uint64_t next_prune_ms;
	struct catalog_feed feed; /* of deletions that the cache knows; the worker's while `busy` */
	bool prune; /* in the run that is on its way, likewise */
	bool collect; /* in the run that is on its way; the worker's while `busy` */
	atomic_bool busy;
	atomic_bool stopping;
};

/* A check and a sweep are due at once, the rest when its interval has passed. What others delete
 * from now on is forgotten by the cache, with the next run. */
int upkeep_init(struct upkeep *u, const struct options *o, const struct app *app,
	struct damage *damage, struct workpool *workers, struct err *e);
/* Hand what is due to a worker, unless one is still at it. Does not block. */
void upkeep_tick(struct upkeep *u);
/* How often to tick at least. */
uint64_t upkeep_interval_ms(const struct upkeep *u);
/* What is on its way ends early. Then stop the workers. */
void upkeep_stop(struct upkeep *u);
