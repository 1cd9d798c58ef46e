/* SPDX-License-Identifier: Apache-2.0 */
/* Several transfers at a time: threads, each with connections of its own, that take one item after
 * the other. The first fault ends them all. */
#pragma once

#include "client/api.h"
#include "client/progress.h"

#define CREW_DEFAULT 4
#define CREW_MAX     32

struct crew {
	const struct run *run;
	unsigned threads;
	size_t items;
	/* Called in the threads, once for each item; `cancel` of the api's run ends what it
	 * does. */
	int (*work)(void *cls, struct api *a, size_t item, struct fault *f);
	void *cls;
	struct progress *progress; /* NULL for none */
};

/* Until every item is done, or one has failed, or the run is cancelled (ERR_CANCELLED). */
int crew_work(struct crew *c, struct fault *f);

/* How many threads --parallel asks for; ERR_BAD_PARAMETER. */
int crew_threads(const struct run *run, unsigned *ret, struct fault *f);

/* After a failure: may trying again help? What api_send() answered. */
bool crew_may_retry(const struct api_answer *a);
/* Wait before attempt `n`, from 1: half a second, doubled each time, 15 s at most, or as long as
 * Retry-After asks. False when it was the last one, or the run is cancelled. */
#define CREW_ATTEMPTS 6
bool crew_wait(const struct api *a, const struct api_answer *answer, unsigned n);
