/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's scrubbing: a thread of its own, since a pass takes days, that reads the store
 * through at store.scrub_rate, a pass every store.scrub_interval. */
#pragma once

#include "common/config/config.h"
#include "common/registry/registry.h"
#include "server/damage.h"

struct scrubber;

/* With store.scrub_rate at 0 it only waits. */
int scrubber_start(const struct config *c, struct registry *registry, struct damage *damage,
	struct scrubber **ret, struct err *e);
/* Another rate and interval, which count at once, within a file too. Does not block. */
void scrubber_set(struct scrubber *s, const struct config *c);
/* Ends it at once, within a file too; the next start goes on there. Accepts NULL. */
void scrubber_stop(struct scrubber *s);
