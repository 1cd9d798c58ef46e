/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog in SQLite: <dir>/catalog.db in WAL mode; a commit is synced before it is answered. */
#pragma once

#include "common/store/catalog.h"

/* Opens or makes the database in `dir`, which exists, and brings its schema up to date. ERR_CONFIG
 * when a newer modeld wrote it, ERR_CORRUPT when SQLite finds it damaged. */
int catalog_sqlite_open(const char *dir, struct catalog **ret, struct err *e);
