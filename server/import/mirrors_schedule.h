/* SPDX-License-Identifier: Apache-2.0 */
/* When to look at which mirror, and what became of it. The catalog keeps it, so that a restart
 * neither forgets a look nor repeats one.
 *
 * Each look is an import, with the mirror's name: one at a time. The next one follows after the
 * interval, less up to a tenth that is each mirror's own, so that not all look together. After a
 * failure it follows sooner: a minute later, then after twice the pause before, up to the interval.
 * What was overdue at the start is looked at one after the other, a moment apart. A mirror that has
 * another URL than before begins anew.
 *
 * `now_ms` is that of clock_now_ms(). Opening, running and closing are for one thread and block;
 * the rest is for any thread and does not. */
#pragma once

#include "common/config/config.h"
#include "server/import/import_request.h"

struct mirrors_schedule;

struct mirrors_schedule_options {
	const struct config_list *sources; /* [import] sources */
	struct catalog *catalog;
	/* importer_submit(). */
	int (*submit)(void *cls, const struct import_request *q, char *id, struct err *e);
	void *cls;
};

/* Mirrors that are configured no more are forgotten. ERR_CONFIG. */
int mirrors_schedule_open(const struct mirrors_schedule_options *o, uint64_t now_ms,
	struct mirrors_schedule **ret, struct err *e);
/* Submit those that are due, and take down how those ended that were. Says in how many ms to call
 * again; sooner does no harm. */
uint64_t mirrors_schedule_run(struct mirrors_schedule *s, uint64_t now_ms);
void mirrors_schedule_close(struct mirrors_schedule *s); /* accepts NULL */

/* How many there are, and are failing. */
void mirrors_schedule_count(struct mirrors_schedule *s, uint64_t *ret_n, uint64_t *ret_failing);
/* All of them, in the order of the configuration, in an array for the caller to free. */
int mirrors_schedule_list(struct mirrors_schedule *s, struct catalog_mirror **ret, size_t *ret_n,
	struct err *e);
