/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the database at one moment, and what of it belongs in a copy of the store. Inside the
 * engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

/* Write the database at `path` to `to`, which is replaced, and sync its bytes. On a connection of
 * its own: it takes as long as reading the database does. */
int catalog_sqlite_snapshot_write(const char *path, const char *to, struct err *e);
/* See catalog_strip(). */
int catalog_sqlite_snapshot_strip(struct catalog_sqlite_conn *c, uint64_t *ret_versions,
	struct err *e);
