/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upkeep.h"
#include "common/base/actor.h"
#include "common/store/catalog_audit.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "server/api/api_cache.h"
#include "server/auth/authority.h"
#include "server/metrics/metrics.h"

#include <stdio.h>
#include <string.h>

#define SWEEP_EVERY_MS UINT64_C(60000)
#define DELETIONS      64 /* that are looked at at a time */

int upkeep_init(struct upkeep *u, const struct options *o, const struct app *app,
	struct damage *damage, struct workpool *workers, struct err *e)
{
	size_t n;

	*u = (struct upkeep){
		.config = &o->config,
		.retention = &o->retention,
		.registry = app->registry,
		.cache = app->cache,
		.authority = app->authority,
		.damage = damage,
		.workers = workers,
	};
	atomic_init(&u->busy, false);
	atomic_init(&u->stopping, false);
	u->next_sweep_ms = clock_mono_ms();
	u->next_collect_ms = u->next_sweep_ms + u->config->store_gc_interval;
	u->next_prune_ms = u->next_sweep_ms + u->config->retention_interval;
	return registry_deletions(u->registry, &u->feed, NULL, 0, &n, e);
}

static uint64_t shorter(uint64_t interval_ms, uint64_t than_ms)
{
	return interval_ms > 0 && interval_ms < than_ms ? interval_ms : than_ms;
}

uint64_t upkeep_interval_ms(const struct upkeep *u)
{
	return shorter(u->config->retention_interval,
		shorter(u->config->store_gc_interval, SWEEP_EVERY_MS));
}

static void sweep(struct upkeep *u)
{
	uint64_t keep = u->config->store_audit_keep, now = clock_now_ms();
	size_t removed;
	struct err e;

	if (registry_sweep(u->registry, &removed, &e) < 0)
		log_err("sweeping the store failed", &e);
	if (keep > 0 && now > keep &&
		catalog_audit_expire(registry_catalog(u->registry), now - keep, &e) < 0)
		log_err("forgetting old changes failed", &e);
	damage_look(u->damage); /* `modeld scrub` may have found some */
	if (authority_tidy(u->authority, &e) < 0)
		log_err("noting when tokens were used failed", &e);
}

static void tell(const struct registry_collected *done)
{
	char blobs[24], bytes[NUM_SIZE_TEXT], files[24];

	metrics_set(METRICS_LAST_COLLECTION, clock_now_ms() / 1000);
	metrics_add(METRICS_COLLECTED_BLOBS, done->blobs);
	metrics_add(METRICS_COLLECTED_BYTES, done->bytes);
	if (done->blobs == 0 && done->files == 0)
		return;
	(void)snprintf(blobs, sizeof(blobs), "%llu", (unsigned long long)done->blobs);
	(void)snprintf(files, sizeof(files), "%llu", (unsigned long long)done->files);
	log_event(LOG_LEVEL_INFO, "collected", "files", blobs, "size",
		num_format_size(done->bytes, bytes), "removed", files, NULL);
}

static void collect(struct upkeep *u)
{
	const struct registry_collect how = {
		.grace_ms = u->config->store_gc_grace,
		.delay_ms = u->config->store_trash_delay,
		.stop = &u->stopping,
	};
	struct registry_collected done;
	struct err e;

	if (registry_collect(u->registry, &how, &done, &e) < 0)
		log_err("collecting files that no version holds failed", &e);
	else
		tell(&done);
}

/* The start does not wait for it where the catalog is large. The daemon goes on: what is not
 * damaged can be read, and copied. */
static void verify(struct upkeep *u)
{
	struct err e;

	if (registry_verify_catalog(u->registry, &u->stopping, &e) < 0)
		log_err("checking the catalog failed; `modeld fsck` tells more", &e);
	u->verified = true;
}

static void tell_pruned(const struct registry_pruned *done)
{
	char versions[24], bytes[NUM_SIZE_TEXT];

	if (done->versions == 0)
		return;
	(void)snprintf(versions, sizeof(versions), "%llu", (unsigned long long)done->versions);
	log_event(LOG_LEVEL_INFO, "pruned", "versions", versions, "size",
		num_format_size(done->bytes, bytes), NULL);
}

static void prune(struct upkeep *u)
{
	const struct registry_prune how = {.rules = u->retention, .stop = &u->stopping};
	struct registry_pruned done;
	struct err e;

	actor_set(&(struct actor){.who = "retention.rules", .address = "", .request = ""});
	if (registry_prune(u->registry, &how, &done, &e) < 0)
		log_err("deleting versions that no rule keeps failed", &e);
	actor_clear();
	tell_pruned(&done);
}

/* `modeld prune` may have deleted something beside the daemon. */
static void forget_deleted(struct upkeep *u)
{
	struct catalog_name rows[DELETIONS];
	size_t n = DELETIONS;
	struct err e;

	while (n == DELETIONS) {
		if (registry_deletions(u->registry, &u->feed, rows, DELETIONS, &n, &e) < 0) {
			log_err("looking for deleted versions failed", &e);
			return;
		}
		for (size_t i = 0; i < n; i++)
			if (i == 0 || strcmp(rows[i].text, rows[i - 1].text) != 0)
				api_cache_forget(u->cache, rows[i].text);
	}
}

static void work(void *cls)
{
	struct upkeep *u = cls;

	if (!u->verified)
		verify(u);
	if (u->prune)
		prune(u);
	forget_deleted(u);
	if (u->collect)
		collect(u);
	sweep(u);
	atomic_store(&u->busy, false);
}

/* True when the time has come; the next one is set then. */
static bool is_due(uint64_t *next_ms, uint64_t interval_ms, uint64_t now_ms)
{
	if (interval_ms == 0 || now_ms < *next_ms)
		return false;
	*next_ms = now_ms + interval_ms;
	return true;
}

void upkeep_tick(struct upkeep *u)
{
	uint64_t now_ms = clock_mono_ms();
	bool sweep_due, collect_due, prune_due;
	struct err e;

	if (atomic_load(&u->busy))
		return;
	sweep_due = is_due(&u->next_sweep_ms, SWEEP_EVERY_MS, now_ms);
	collect_due = is_due(&u->next_collect_ms, u->config->store_gc_interval, now_ms);
	prune_due = is_due(&u->next_prune_ms, u->config->retention_interval, now_ms);
	if (!sweep_due && !collect_due && !prune_due)
		return;
	u->prune = prune_due;
	u->collect = collect_due;
	atomic_store(&u->busy, true);
	if (workpool_submit(u->workers, WORK_WRITE, work, u, &e) < 0) {
		log_err("sweeping the store has to wait", &e);
		atomic_store(&u->busy, false);
	}
}

void upkeep_stop(struct upkeep *u)
{
	atomic_store(&u->stopping, true);
}
