/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon does for its store: check the catalog once, and from time to time sweep, collect
 * and prune; and what it does for itself when others deleted something. */
#pragma once

#include "common/base/snapshot.h"
#include "common/config/config.h"
#include "common/registry/retention.h"
#include "server/api/app.h"
#include "server/damage.h"
#include "server/work/workpool.h"

/* What it goes by; see common/base/snapshot.h. */
struct upkeep_settings {
	struct snapshot shared;
	uint64_t gc_interval, gc_grace, trash_delay, audit_keep; /* of [store] */
	uint64_t prune_interval;                                 /* of [retention] */
	struct retention retention;
};

/* Used by the thread that ticks; `busy`, `stopping` and `doing` by others too. */
struct upkeep {
	struct upkeep_settings *settings; /* a reference */
	struct upkeep_settings *run;      /* those of the run that is on its way; a reference */
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
	const char *_Atomic doing; /* "checking the catalog"; NULL: nothing that takes long */
	atomic_bool busy;
	atomic_bool stopping;
};

/* A check and a sweep are due at once, the rest when its interval has passed. What others delete
 * from now on is forgotten by the cache, with the next run. */
int upkeep_init(struct upkeep *u, const struct config *c, const struct app *app,
	struct damage *damage, struct workpool *workers, struct err *e);
void upkeep_done(struct upkeep *u); /* when no worker runs any more */

/* [store] and [retention] of a configuration. */
int upkeep_settings_new(const struct config *c, struct upkeep_settings **ret, struct err *e);
void upkeep_settings_unref(struct upkeep_settings *s); /* accepts NULL */
DEFINE_CLEANUP(struct upkeep_settings, upkeep_settings_unref)
/* Put them in force, for the next run; takes them over. What is due sooner than before is done
 * sooner, and a sweep, which reads the tokens anew, with the next tick. */
void upkeep_settings_put(struct upkeep *u, struct upkeep_settings *s);

/* Hand what is due to a worker, unless one is still at it. Does not block. */
void upkeep_tick(struct upkeep *u);
/* How often to tick at least. */
uint64_t upkeep_interval_ms(const struct upkeep *u);
/* What is on its way ends early. Then stop the workers. */
void upkeep_stop(struct upkeep *u);
