/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/bell.h"

#include <time.h>

#define LONGEST_MS UINT64_C(86400000) /* what a timespec surely holds */

void bell_init(struct bell *b)
{
	pthread_condattr_t attr;

	b->rung = 0;
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&b->rang, &attr);
	(void)pthread_condattr_destroy(&attr);
}

void bell_done(struct bell *b)
{
	(void)pthread_cond_destroy(&b->rang);
	(void)pthread_mutex_destroy(&b->lock);
}

void bell_ring(struct bell *b)
{
	pthread_mutex_lock(&b->lock);
	b->rung++;
	pthread_cond_broadcast(&b->rang);
	pthread_mutex_unlock(&b->lock);
}

uint64_t bell_rung(struct bell *b)
{
	uint64_t rung;

	pthread_mutex_lock(&b->lock);
	rung = b->rung;
	pthread_mutex_unlock(&b->lock);
	return rung;
}

static struct timespec moment_after(uint64_t ms)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(ms / 1000);
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

uint64_t bell_wait(struct bell *b, uint64_t seen, uint64_t ms)
{
	struct timespec until = moment_after(ms < LONGEST_MS ? ms : LONGEST_MS);
	uint64_t rung;

	pthread_mutex_lock(&b->lock);
	while (b->rung == seen)
		if (pthread_cond_timedwait(&b->rang, &b->lock, &until) != 0)
			break;
	rung = b->rung;
	pthread_mutex_unlock(&b->lock);
	return rung;
}
