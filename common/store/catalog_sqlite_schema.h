/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, as numbered migrations that only go forward. Inside the engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

/* Run what is missing, in one transaction. ERR_CONFIG when the database is newer than this program.
 * */
int catalog_sqlite_schema_upgrade(struct catalog_sqlite_conn *c, struct err *e);
/* ERR_CONFIG unless nothing is missing and nothing too much. */
int catalog_sqlite_schema_require(struct catalog_sqlite_conn *c, struct err *e);
/* ERR_CORRUPT unless SQLite finds the database in order. Reads all of it. */
int catalog_sqlite_schema_check(struct catalog_sqlite_conn *c, struct err *e);
