/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of all objects that are open while a text is read, to find one that its object has
 * already. Internal to common/json.
 *
 * A stack of keys, and a hash table of places in it. Objects close in the reverse order of opening,
 * so the newest entries leave first and linear probing needs no marks for deleted slots. Time and
 * memory are linear in the keys that are open at once; the hash is keyed, so that nobody can choose
 * keys that collide.
 */
#pragma once

#include "common/base/buf.h"
#include "common/base/str.h"

struct json_keys_entry {
	uint32_t offset, n; /* of the quoted key in the text */
	uint32_t hash;
};

struct json_keys {
	struct str text; /* less than 4 GiB */
	struct json_keys_entry *stack;
	size_t n, cap;
	uint32_t *slots; /* index into `stack` plus 1; 0 is free; twice `cap` of them */
	uint64_t seed[2];
	struct buf decoded[2];
};

void json_keys_init(struct json_keys *k, struct str text);
void json_keys_done(struct json_keys *k);

/* Add a key to the innermost object, whose first key has (or will have) the index `first`. Sets
 * *ret_twin to the offset of the equal key, or to that of the key itself when it is new. */
int json_keys_add(struct json_keys *k, size_t first, struct str quoted, bool escaped,
	size_t *ret_twin, struct err *e);

/* The innermost object ends. */
void json_keys_close(struct json_keys *k, size_t first);
