/* SPDX-License-Identifier: Apache-2.0 */
/* What was fetched from where, as operations of the engine. Inside the engine only. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_fetched_find(void *engine, const char *model, const struct digest *url,
	struct catalog_fetched *ret, bool *ret_found, struct err *e);
int catalog_sqlite_fetched_set(void *engine, const struct catalog_fetched *rows, size_t n, struct
	err *e);
int catalog_sqlite_fetched_expire(void *engine, uint64_t before_ms, struct err *e);

/* Inside a transaction of the caller, who has deleted versions of the model: forget what it had
 * fetched when none is left. */
int catalog_sqlite_fetched_forget(struct catalog_sqlite_conn *c, const char *model, struct err *e);
