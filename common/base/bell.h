/* SPDX-License-Identifier: Apache-2.0 */
/* Something that threads wait for until it rings. Rings are counted, so that none is missed between
 * looking whether there is work and waiting for it. */
#pragma once

#include <pthread.h>
#include <stdint.h>

struct bell {
	pthread_mutex_t lock;
	pthread_cond_t rang;
	uint64_t rung; /* how often; under the lock */
};

void bell_init(struct bell *b);
void bell_done(struct bell *b);
/* Wakes all who wait. Does not block. */
void bell_ring(struct bell *b);
uint64_t bell_rung(struct bell *b);
/* Block until it has rung more often than `seen`, at most `ms`. Returns how often it has. */
uint64_t bell_wait(struct bell *b, uint64_t seen, uint64_t ms);
