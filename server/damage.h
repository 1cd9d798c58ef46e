/* SPDX-License-Identifier: Apache-2.0 */
/* When a file of the store is found damaged, by this process or by `modeld scrub` beside it, what
 * the daemon holds ready in memory may be that file: it lets go of all of it. Reads then ask the
 * catalog, which knows. */
#pragma once

#include "common/registry/registry.h"

#include <pthread.h>

struct api_cache;

struct damage {
	struct registry *registry;
	struct api_cache *cache;
	pthread_mutex_t lock;
	uint64_t seen; /* how many were ever found, when it was last looked */
};

/* Logs a line when the store has damaged files already. */
void damage_init(struct damage *d, struct registry *registry, struct api_cache *cache);
/* Look whether there is a new one. Blocks; any thread. */
void damage_look(struct damage *d);
