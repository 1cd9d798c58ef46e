/* SPDX-License-Identifier: Apache-2.0 */
/* Tombstones, inside a writing transaction of the caller. Inside the engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_delete_version(struct catalog_sqlite_conn *c, const char *model,
	uint64_t version, struct err *e);
int catalog_sqlite_delete_prune(struct catalog_sqlite_conn *c, struct catalog_prune_row *rows,
	size_t n, struct err *e);
int catalog_sqlite_delete_model(struct catalog_sqlite_conn *c, const char *model, const char *who,
	struct err *e);
