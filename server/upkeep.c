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

/* ---- settings ---- */

static void free_settings(struct snapshot *shared)
{
	struct upkeep_settings *s = (struct upkeep_settings *)shared;

	retention_done(&s->retention);
	free(s);
}

int upkeep_settings_new(const struct config *c, struct upkeep_settings **ret, struct err *e)
{
	struct upkeep_settings *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	snapshot_init(&s->shared, free_settings);
	s->gc_interval = c->store_gc_interval;
	s->gc_grace = c->store_gc_grace;
	s->trash_delay = c->store_trash_delay;
	s->audit_keep = c->store_audit_keep;
	s->prune_interval = c->retention_interval;
	r = retention_read(c->retention_rules.items, c->retention_rules.n, &s->retention, e);
	if (r < 0)
		upkeep_settings_unref(s);
	else
		*ret = s;
	return r;
}

void upkeep_settings_unref(struct upkeep_settings *s)
{
	if (s)
		snapshot_unref(&s->shared);
}

/* 0 for never. */
static void bring_forward(uint64_t *next_ms, uint64_t before_ms, uint64_t interval_ms,
	uint64_t now_ms)
{
	if (before_ms == 0 || *next_ms > now_ms + interval_ms)
		*next_ms = now_ms + interval_ms;
}

void upkeep_settings_put(struct upkeep *u, struct upkeep_settings *s)
{
	uint64_t now_ms = clock_mono_ms();

	bring_forward(&u->next_collect_ms, u->settings->gc_interval, s->gc_interval, now_ms);
	bring_forward(&u->next_prune_ms, u->settings->prune_interval, s->prune_interval, now_ms);
	u->next_sweep_ms = now_ms;
	upkeep_settings_unref(u->settings);
	u->settings = s;
}

/* ---- life ---- */

int upkeep_init(struct upkeep *u, const struct config *c, const struct app *app,
	struct damage *damage, struct workpool *workers, struct err *e)
{
	size_t n;
	int r;

	*u = (struct upkeep){
		.registry = app->registry,
		.cache = app->cache,
		.authority = app->authority,
		.damage = damage,
		.workers = workers,
	};
	atomic_init(&u->doing, NULL);
	atomic_init(&u->busy, false);
	atomic_init(&u->stopping, false);
	r = upkeep_settings_new(c, &u->settings, e);
	if (r < 0)
		return r;
	u->next_sweep_ms = clock_mono_ms();
	u->next_collect_ms = u->next_sweep_ms + u->settings->gc_interval;
	u->next_prune_ms = u->next_sweep_ms + u->settings->prune_interval;
	return registry_deletions(u->registry, &u->feed, NULL, 0, &n, e);
}

void upkeep_done(struct upkeep *u)
{
	upkeep_settings_unref(take_ptr(u->settings));
}

static uint64_t shorter(uint64_t interval_ms, uint64_t than_ms)
{
	return interval_ms > 0 && interval_ms < than_ms ? interval_ms : than_ms;
}

uint64_t upkeep_interval_ms(const struct upkeep *u)
{
	return shorter(u->settings->prune_interval,
		shorter(u->settings->gc_interval, SWEEP_EVERY_MS));
}

/* ---- a run, on a worker ---- */

static void sweep(struct upkeep *u)
{
	uint64_t keep = u->run->audit_keep, now = clock_now_ms();
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
		.grace_ms = u->run->gc_grace,
		.delay_ms = u->run->trash_delay,
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
	const struct registry_prune how = {.rules = &u->run->retention, .stop = &u->stopping};
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

static void do_aloud(struct upkeep *u, const char *what, void (*fn)(struct upkeep *u))
{
	atomic_store(&u->doing, what);
	fn(u);
	atomic_store(&u->doing, NULL);
}

static void work(void *cls)
{
	struct upkeep *u = cls;

	if (!u->verified)
		do_aloud(u, "checking the catalog", verify);
	if (u->prune)
		do_aloud(u, "deleting what no rule keeps", prune);
	forget_deleted(u);
	if (u->collect)
		do_aloud(u, "collecting unused files", collect);
	sweep(u);
	upkeep_settings_unref(take_ptr(u->run));
	atomic_store(&u->busy, false);
}

/* ---- when ---- */

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
	collect_due = is_due(&u->next_collect_ms, u->settings->gc_interval, now_ms);
	prune_due = is_due(&u->next_prune_ms, u->settings->prune_interval, now_ms);
	if (!sweep_due && !collect_due && !prune_due)
		return;
	u->prune = prune_due;
	u->collect = collect_due;
	u->run = u->settings;
	(void)snapshot_ref(&u->run->shared);
	atomic_store(&u->busy, true);
	if (workpool_submit(u->workers, WORK_WRITE, work, u, &e) < 0) {
		log_err("sweeping the store has to wait", &e);
		upkeep_settings_unref(take_ptr(u->run));
		atomic_store(&u->busy, false);
	}
}

void upkeep_stop(struct upkeep *u)
{
	atomic_store(&u->stopping, true);
}
