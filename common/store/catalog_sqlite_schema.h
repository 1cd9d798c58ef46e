/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, as numbered migrations that only go forward. Inside the engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

/* Run what is missing, in one transaction. ERR_CONFIG when the database is newer than this program.
 * */
int catalog_sqlite_schema_upgrade(struct catalog_sqlite_conn *c, struct err *e);
/* ERR_CONFIG unless nothing is missing and nothing too much. */
int catalog_sqlite_schema_require(struct catalog_sqlite_conn *c, struct err *e);
/* ERR_CORRUPT unless SQLite finds the database in order. Reads all of it, at some 500 MiB a second;
 * ends early, with success, once *stop is true. `stop` may be NULL. */
int catalog_sqlite_schema_check(struct catalog_sqlite_conn *c, const atomic_bool *stop,
	struct err *e);
/* The same for a database that is small enough for a start to wait for it. */
#define CATALOG_SQLITE_SCHEMA_SMALL (16u << 20) /* bytes */
int catalog_sqlite_schema_check_small(struct catalog_sqlite_conn *c, struct err *e);
