/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens that there were at one moment, as the catalog had them. Shared by reference; constant
 * but for when they were used. */
#pragma once

#include "server/auth/grants.h"
#include "common/store/catalog_token.h"

#include <stdatomic.h>

struct roster_token {
	atomic_uint refs;
	char id[CATALOG_TOKEN_ID + 1];
	char who[CATALOG_WHO_MAX + 1]; /* "ci (0123456789ab)", or the id alone */
	struct digest secret;
	struct grants grants;
	uint64_t expires_ms;
	_Atomic uint64_t used_ms;
	_Atomic uint64_t noted_ms; /* that the catalog knows of */
};

struct roster;

/* As catalog_token_list(). What `old` (NULL: nothing) knows of the use of the same tokens is
 * kept. */
int roster_read(struct catalog *c, bool wait, const struct roster *old, struct roster **ret,
	struct err *e);
struct roster *roster_ref(struct roster *t);
void roster_unref(struct roster *t); /* accepts NULL */

bool roster_is_empty(const struct roster *t);
/* Lives as long as the roster, or a reference to it. NULL when there is none. */
struct roster_token *roster_find(const struct roster *t, const char *id);
struct roster_token *roster_token_ref(struct roster_token *k);
void roster_token_unref(struct roster_token *k); /* accepts NULL */

/* It was used now. Any thread. */
void roster_use(struct roster_token *k, uint64_t now_ms);
/* Tell the catalog. One thread at a time. */
int roster_note(const struct roster *t, struct catalog *c, struct err *e);
