/* SPDX-License-Identifier: Apache-2.0 */
/* Read every file of the store again, slowly, and see whether its bytes are still those that were
 * published.
 *
 * What is found damaged is kept in the catalog: reads of it fail from then on instead of giving
 * wrong bytes, a publish of the same bytes puts good ones in its place, and a later pass that finds
 * them sound forgets it. A coded form (registry_encode.h) that is damaged goes, and is
 * made again. Safe beside all that a daemon does, and beside other passes.
 */
#pragma once

#include "common/registry/registry.h"

enum registry_scrub_news {
	REGISTRY_SCRUB_DAMAGED,       /* found now */
	REGISTRY_SCRUB_STILL_DAMAGED, /* known before */
	REGISTRY_SCRUB_SOUND,         /* was known as damaged and is not */
	REGISTRY_SCRUB_DROPPED,       /* a coded form that is damaged, and is made again: no loss */
};

struct registry_scrub {
	uint64_t rate; /* bytes a second, a small file counts as 4 KiB; 0: as many as there are */
	bool go_on;    /* where the last such pass stopped; else a whole one that is not resumed */
	/* Wait for so many milliseconds, 0 for not at all; true: stop. */
	bool (*wait)(void *cls, uint64_t ms);
	uint64_t (*clock_ms)(void); /* NULL: clock_mono_ms() */
	/* NULL, or told while it reads. */
	void (*count)(void *cls, uint64_t blobs, uint64_t bytes);
	/* NULL, or told of each file with something to tell: what is wrong and who holds it. A
	 * negative answer ends the pass and is returned. */
	int (*tell)(void *cls, enum registry_scrub_news news, const char *text, struct err *e);
	void *cls;
};

struct registry_scrub_result {
	uint64_t blobs;
	uint64_t bytes;
	uint64_t damaged;
	uint64_t dropped; /* coded forms; not among the damaged */
	bool whole; /* it came to the end, instead of being told to stop */
};

/* One pass, in order of digest. With `go_on` its position is in the catalog every 5 seconds or 1000
 * files, and at a stop: a process that was killed reads that much again. Blocks. */
int registry_scrub(struct registry *r, const struct registry_scrub *how,
	struct registry_scrub_result *ret, struct err *e);

/* How long until a pass with `go_on` is due, when one begins every `interval_ms`; 0: now, or one is
 * underway. */
int registry_scrub_due(struct registry *r, uint64_t interval_ms, uint64_t *ret_ms, struct err *e);
