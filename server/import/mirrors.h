/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrors as the configuration writes them, [import] sources. Pure functions.
 *
 *   source   = name "=" URL [ "|" interval ]
 *   name     = MODEL [ "@" LABEL ]       what is new becomes a version of it, and gets the label
 *   interval = a duration, 1s to 365d    a day without
 *
 * A comma in the URL is written %2C, since commas separate the words of a list. */
#pragma once

#include "common/model/ref.h"
#include "common/net/url.h"
#include "common/store/catalog_job.h"

#define MIRRORS_INTERVAL_MS     UINT64_C(86400000)
#define MIRRORS_INTERVAL_MIN_MS UINT64_C(1000)
#define MIRRORS_INTERVAL_MAX_MS (365 * MIRRORS_INTERVAL_MS)

struct mirrors_source {
	char name[CATALOG_MIRROR_MAX + 1];
	char model[REF_NAME_MAX + 1];
	char label[REF_LABEL_MAX + 1]; /* "" for none */
	struct url url;
	uint64_t interval_ms;
};

struct mirrors_list {
	struct mirrors_source *items; /* each name once */
	size_t n;
};

/* ERR_CONFIG, naming the word without what may be secret in its URL. */
int mirrors_read(char *const *settings, size_t n, struct mirrors_list *ret, struct err *e);
void mirrors_done(struct mirrors_list *l);
