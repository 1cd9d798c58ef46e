/* SPDX-License-Identifier: Apache-2.0 */
/* Which versions of a model stay: rules as the configuration writes them, and what they say. Pure
 * functions.
 *
 *   rule    = pattern "=" keep
 *   pattern = as common/model/nameglob.h has them
 *   keep    = "all" | what *1( "+" what )
 *   what    = "last:" N        the newest N, from 1
 *           | "younger:" TIME  those made less than TIME ago
 *
 * The first rule whose pattern matches counts; a model that none matches keeps everything. The
 * newest version and those that a label names always stay. */
#pragma once

#include "common/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define RETENTION_TIME_TEXT 24

struct retention_rule {
	char *pattern;
	bool all;
	uint64_t last;       /* 0: not said */
	uint64_t younger_ms; /* 0: not said */
	char younger[RETENTION_TIME_TEXT]; /* as it was written */
};

struct retention {
	struct retention_rule *rules;
	size_t n;
};

/* ERR_CONFIG. */
int retention_read(char *const *settings, size_t n, struct retention *ret, struct err *e);
void retention_done(struct retention *r);

/* The rule for a model, NULL for none. */
const struct retention_rule *retention_find(const struct retention *r, const char *model);
/* How many of the newest versions stay whatever their age; UINT64_MAX for all. */
uint64_t retention_least(const struct retention_rule *rule);

struct retention_version {
	uint64_t newer; /* how many versions of its model are newer and not deleted */
	uint64_t created_ms;
	bool labelled;
};

bool retention_keeps(const struct retention_rule *rule, const struct retention_version *v,
	uint64_t now_ms);
/* Why it does not: "older than 30d, not among the last 5, no label", appended. */
void retention_explain(const struct retention_rule *rule, struct buf *out);
