/* SPDX-License-Identifier: Apache-2.0 */
#include "server/damage.h"
#include "common/base/log.h"
#include "server/api/api_cache.h"

#include <stdio.h>

static void tell(const struct registry_state *state)
{
	char n[24];

	if (state->damaged == 0)
		return;
	(void)snprintf(n, sizeof(n), "%llu", (unsigned long long)state->damaged);
	log_event(LOG_LEVEL_ERROR, "the store has damaged files; `modeld scrub` names them",
		"files", n, NULL);
}

void damage_init(struct damage *d, struct registry *registry, struct api_cache *cache)
{
	struct registry_state state;
	struct err e;

	*d = (struct damage){.registry = registry, .cache = cache};
	pthread_mutex_init(&d->lock, NULL);
	if (registry_state(registry, &state, &e) < 0) {
		log_err("asking for damaged files failed", &e);
		return;
	}
	d->seen = state.damage_found;
	tell(&state);
}

void damage_look(struct damage *d)
{
	struct registry_state state;
	struct err e;

	if (registry_state(d->registry, &state, &e) < 0) {
		log_err("asking for damaged files failed", &e);
		return;
	}
	pthread_mutex_lock(&d->lock);
	if (state.damage_found != d->seen)
		api_cache_clear(d->cache);
	d->seen = state.damage_found;
	pthread_mutex_unlock(&d->lock);
}
