/* SPDX-License-Identifier: Apache-2.0 */
/* Is the daemon alive, and what is it at? For the watchdog of the service manager and for its
 * status line.
 *
 * The loops and the importer's keeper come round by themselves, and it is known when they last did.
 * Whether the workers and the catalog answer is asked for: now and then a probe passes the queue of
 * what reads, and reads from the catalog. A probe that waits because there is much to do is no
 * reason for alarm as long as work is begun. */
#pragma once

#include "common/base/buf.h"
#include "server/api/app.h"
#include "server/upkeep.h"

#include <pthread.h>

struct httpd;
struct workpool;

struct vigil_counts {
	uint64_t models, versions; /* of some time ago in a large store */
	uint64_t uploads;          /* that are open */
	uint64_t imports;          /* that run */
	bool known;
};

struct vigil {
	const struct httpd *httpd;
	struct workpool *workers;
	const struct app *app;
	const struct upkeep *upkeep;
	unsigned loop_ms;  /* how long a loop may not come round */
	unsigned probe_ms; /* how long a probe may not come back, and nothing be begun */
	unsigned keeper_ms; /* how late the importer's keeper may come round */
	/* Of the thread that looks. */
	uint64_t next_ms;  /* when to send the next probe */
	uint64_t moved_ms; /* when work was begun last, be it a probe */
	uint64_t begun;    /* pieces of work by then */
	uint64_t sizes_next_ms; /* of the probe */
	pthread_mutex_t lock; /* of the rest */
	bool probing;
	struct vigil_counts counts;
};

#define VIGIL_EVERY_MS 5000u /* how often to look at least */

/* `watchdog_ms` is how long the manager waits for a ping, 0 when it does not; `threads` are the
 * workers. */
void vigil_init(struct vigil *v, const struct httpd *httpd, struct workpool *workers,
	const struct app *app, const struct upkeep *upkeep, unsigned watchdog_ms, unsigned threads);
/* When no worker runs any more. */
void vigil_done(struct vigil *v);

/* Send a probe if it is time, and say what does not answer: NULL while all do. Does not block; one
 * thread. */
const char *vigil_look(struct vigil *v);
/* "http://...: 3 models, 7 versions; 2 uploads open, 1 import runs; checking the catalog". */
void vigil_describe(struct vigil *v, struct buf *out);
