/* SPDX-License-Identifier: Apache-2.0 */
/* Refused publishes, inside a transaction of the caller. Inside the engine only. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_reject_add(struct catalog_sqlite_conn *c, const struct catalog_reject *x,
	struct err *e);
int catalog_sqlite_reject_read(struct catalog_sqlite_conn *c, const char *model,
	struct catalog_rejections *ret, struct err *e);
int catalog_sqlite_reject_expire(struct catalog_sqlite_conn *c, uint64_t before_ms, struct err *e);
