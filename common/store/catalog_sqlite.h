/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog in SQLite: <dir>/catalog.db in WAL mode; a commit is synced before it is answered. */
#pragma once

#include "common/store/catalog.h"

/* Opens or makes the database in `dir`, which exists, and brings its schema up to date. ERR_CONFIG
 * when a newer modeld wrote it, ERR_CORRUPT when SQLite finds it damaged. */
int catalog_sqlite_open(const char *dir, struct catalog **ret, struct err *e);
/* Opens what another process may be using at the same time: nothing is made, upgraded or checked as
 * a whole. ERR_CONFIG when there is no catalog, or not one of this release. */
int catalog_sqlite_open_beside(const char *dir, struct catalog **ret, struct err *e);
