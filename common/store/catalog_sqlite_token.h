/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: the operations of catalog_ops.h, each a transaction. Inside the engine only. */
#pragma once

#include "common/store/catalog_token.h"

int catalog_sqlite_token_add(void *engine, const struct catalog_token *t, struct err *e);
int catalog_sqlite_token_remove(void *engine, const char *id, struct err *e);
int catalog_sqlite_token_list(void *engine, bool wait, struct catalog_tokens *ret, struct err *e);
int catalog_sqlite_token_use(void *engine, const struct catalog_token_use *rows, size_t n,
	struct err *e);
void catalog_sqlite_token_watch(void *engine);
void catalog_sqlite_token_unwatch(void *engine); /* when the engine ends */
uint64_t catalog_sqlite_token_mark(void *engine);
int catalog_sqlite_token_key(void *engine, const uint8_t fresh[SECRET_BYTES],
	uint8_t ret[SECRET_BYTES], bool *ret_found, struct err *e);
