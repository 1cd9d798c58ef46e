/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upkeep.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "server/metrics/metrics.h"

#include <stdio.h>

#define SWEEP_EVERY_MS UINT64_C(60000)

void upkeep_init(struct upkeep *u, const struct config *c, struct registry *registry,
	struct damage *damage, struct workpool *workers)
{
	*u = (struct upkeep){
		.config = c, .registry = registry, .damage = damage, .workers = workers};
	atomic_init(&u->busy, false);
	atomic_init(&u->stopping, false);
	u->next_sweep_ms = clock_mono_ms();
	u->next_collect_ms = u->next_sweep_ms + c->store_gc_interval;
}

uint64_t upkeep_interval_ms(const struct upkeep *u)
{
	uint64_t collect = u->config->store_gc_interval;

	return collect > 0 && collect < SWEEP_EVERY_MS ? collect : SWEEP_EVERY_MS;
}

static void sweep(struct upkeep *u)
{
	size_t removed;
	struct err e;

	if (registry_sweep(u->registry, &removed, &e) < 0)
		log_err("sweeping the store failed", &e);
	damage_look(u->damage); /* `modeld scrub` may have found some */
}

static void tell(const struct registry_collected *done)
{
	char blobs[24], bytes[NUM_SIZE_TEXT], files[24];

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

static void work(void *cls)
{
	struct upkeep *u = cls;

	if (!u->verified)
		verify(u);
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
	bool sweep_due, collect_due;
	struct err e;

	if (atomic_load(&u->busy))
		return;
	sweep_due = is_due(&u->next_sweep_ms, SWEEP_EVERY_MS, now_ms);
	collect_due = is_due(&u->next_collect_ms, u->config->store_gc_interval, now_ms);
	if (!sweep_due && !collect_due)
		return;
	u->collect = collect_due;
	atomic_store(&u->busy, true);
	if (workpool_submit(u->workers, work, u, &e) < 0) {
		log_err("sweeping the store has to wait", &e);
		atomic_store(&u->busy, false);
	}
}

void upkeep_stop(struct upkeep *u)
{
	atomic_store(&u->stopping, true);
}
