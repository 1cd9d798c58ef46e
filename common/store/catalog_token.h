/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the catalog about tokens: who may do what, and the key with which links are signed.
 * Of a token only the SHA-256 of its secret is here; what its grants mean is not known here.
 * Blocks, but for catalog_token_mark(); any thread. */
#pragma once

#include "common/digest/secret.h"
#include "common/store/catalog.h"

#define CATALOG_TOKEN_ID     12 /* characters of an id: [0-9a-f] */
#define CATALOG_TOKEN_NAME   64 /* bytes of a name */
#define CATALOG_TOKEN_GRANTS 8192 /* bytes of `grants` */
#define CATALOG_TOKENS_MAX   1000

struct catalog_token {
	char id[CATALOG_TOKEN_ID + 1];
	char name[CATALOG_TOKEN_NAME + 1]; /* for people; "" for none */
	struct digest secret;              /* its SHA-256 */
	char *grants;                      /* never NULL in what is read */
	uint64_t created_ms;
	uint64_t expires_ms; /* 0: never */
	uint64_t used_ms;    /* about when it was used last; 0: never, as far as is known */
};

/* `used_ms` is not read, `created_ms` is now. ERR_TOO_MANY when there are CATALOG_TOKENS_MAX,
 * ERR_CONFLICT when the id is taken. */
int catalog_token_add(struct catalog *c, const struct catalog_token *t, struct err *e);
/* ERR_TOKEN_NOT_FOUND. */
int catalog_token_remove(struct catalog *c, const char *id, struct err *e);

struct catalog_tokens {
	struct catalog_token *items; /* ordered by id */
	size_t n;
};

/* All. Without `wait`, for threads that must not: ERR_BUSY when it would have to wait. */
int catalog_token_list(struct catalog *c, bool wait, struct catalog_tokens *ret, struct err *e);
void catalog_token_list_done(struct catalog_tokens *list);

struct catalog_token_use {
	char id[CATALOG_TOKEN_ID + 1];
	uint64_t used_ms;
};

/* They were used then; what is not later than what is known, or of no token, is left out. */
int catalog_token_use(struct catalog *c, const struct catalog_token_use *rows, size_t n,
	struct err *e);

/* Once, before other threads use the catalog: catalog_token_mark() is going to be asked for. */
void catalog_token_watch(struct catalog *c);
/* A number that is another one after each change of tokens, by whatever process on this store, as
 * soon as that call has returned. Costs next to nothing and takes no lock. Where it cannot be had
 * it is another one each time. */
uint64_t catalog_token_mark(struct catalog *c);

/* The key of the store. `fresh` becomes it when there is none; NULL: then *ret_found is false. */
int catalog_token_key(struct catalog *c, const uint8_t fresh[SECRET_BYTES],
	uint8_t ret[SECRET_BYTES], bool *ret_found, struct err *e);
