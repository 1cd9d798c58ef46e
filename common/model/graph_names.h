/* SPDX-License-Identifier: Apache-2.0 */
/* Names and their numbers: a hash table whose size is given at birth. Internal to common/model. */
#pragma once

#include "common/base/str.h"

struct graph_names {
	struct graph_names_slot *slots;
	size_t mask;
	uint64_t base; /* of the hash; random, so that nobody can make names that collide */
};

/* For at most `n` names. */
int graph_names_init(struct graph_names *t, size_t n, struct err *e);
void graph_names_done(struct graph_names *t); /* accepts a zeroed struct */

/* Give `name`, which is not copied, a number in place of the one that it has. True when it had
 * one. */
bool graph_names_set(struct graph_names *t, struct str name, uint32_t value);
bool graph_names_get(const struct graph_names *t, struct str name, uint32_t *ret);
